from pathlib import Path

import pytest

from runwidgets.templates.inputs import find_inputs


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """Create files around a notebook."""
    for name in (
        "n.ipynb",
        "n.ipynb.yaml",
        "data/a.csv",
        "data/deep/b.csv",
        "data/.secret",
        "helpers.py",
        "used.txt",
        "lib/one.py",
        "lib/two.py",
        "package/__init__.py",
        "package/table.json",
        "package/__pycache__/x.pyc",
        "Sure?",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("open('used.txt')" if name == "helpers.py" else "")
    return tmp_path / "n.ipynb"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("open('data/a.csv')", ["data/a.csv"]),
        ("open('./data/a.csv')", ["data/a.csv"]),
        ("glob('data/*.csv')", ["data/a.csv"]),
        ("glob('data/**/*.csv')", ["data/a.csv", "data/deep/b.csv"]),
        ("os.walk('data')", ["data/a.csv", "data/deep/b.csv"]),
        ("import helpers", ["helpers.py", "used.txt"]),
        ("if x:\n    from helpers import f", ["helpers.py", "used.txt"]),
        ("import lib.one", ["lib/one.py"]),
        ("from lib import two", ["lib/two.py"]),
        ("import package", ["package/__init__.py", "package/table.json"]),
        ("%run helpers.py", ["helpers.py", "used.txt"]),
        ("!cat data/a.csv", ["data/a.csv"]),
        ("%matplotlib inline\nopen('used.txt')", ["used.txt"]),
        ("open('Sure?')", ["Sure?"]),
        ("open(", []),
        ("'\\d'", []),
    ],
)
def test_inputs_of_the_code_are_found(notebook: Path, code: str, found: list[str]) -> None:
    """Files, folders, globs, modules and their own inputs are found."""
    assert find_inputs(notebook, [code]) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "./",
        "*",
        "**",
        "**/*",
        "*.*",
        "[a-z]*",
        "?",
        "..",
        "../x",
        "/etc/hosts",
        "~",
        "n.ipynb",
        "x" * 5000,
        "a\0b",
        "\ud800",
        "**b",
        "data/.secret",
        ".hidden",
        "n.ipynb.yaml",
    ],
    ids=ascii,
)
def test_a_generic_string_selects_no_files(notebook: Path, text: str) -> None:
    """Neither do paths to the outside, to hidden files, or to the notebook itself."""
    assert find_inputs(notebook, [f"print({text!r} * 40)"]) == []


def test_declared_globs_may_select_everything_but_the_notebook(notebook: Path) -> None:
    """A declared `**/*` is intended."""
    found = find_inputs(notebook, [], ["**/*"])

    assert {"Sure?", "data/a.csv", "helpers.py"} <= set(found)
    assert not {"n.ipynb", "n.ipynb.yaml", "data/.secret", "package/__pycache__/x.pyc"} & set(found)


def test_links_that_lead_out_are_not_followed(
    notebook: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Links to files, folders and modules are ignored."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "__init__.py").write_text("")
    (outside / "x.csv").write_text("")
    for name in ("linked", "linked.csv", "linked.py"):
        (notebook.parent / name).symlink_to(outside / "x.csv" if "." in name else outside)

    code = "import linked\nopen('linked.csv')\nopen('linked/x.csv')\nglob('linked/*')\nos.walk('linked')"

    assert find_inputs(notebook, [code], ["linked*", "linked/**/*"]) == []
