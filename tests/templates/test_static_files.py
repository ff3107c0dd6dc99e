from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from runwidgets.limits import Limits
from runwidgets.templates.notebook import read_template
from runwidgets.templates.surroundings.fingerprint import fingerprint
from runwidgets.templates.surroundings.static_files import find_static_files
from tests.builders import write_notebook


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
        ("from lib.one import *", ["lib/one.py"]),
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
    assert find_static_files(notebook, [code]).files == found


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
    assert find_static_files(notebook, [f"print({text!r} * 40)"]).files == []


def test_declared_globs_may_select_everything_but_the_notebook(notebook: Path) -> None:
    """A declared `**/*` is intended."""
    found = find_static_files(notebook, [], ["**/*"]).files

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

    assert find_static_files(notebook, [code], ["linked*", "linked/**/*"]).files == []


def test_the_project_is_the_nearest_folder_with_a_marker_below_the_root(tmp_path: Path) -> None:
    """Nothing above it is found, nor above the root; without a marker it is the notebook's folder."""
    folder = tmp_path / "a/b/c"
    folder.mkdir(parents=True)
    for name in ("x.txt", "a/x.txt", "a/b/x.txt"):
        (tmp_path / name).write_text("")
    code = "open('../x.txt'); open('../../x.txt'); open('../../../x.txt')"

    def find(root: Path | None = None) -> tuple[str, list[str]]:
        found = find_static_files(folder / "n.ipynb", [code], root=root)
        return found.place, found.files

    assert find() == (".", [])
    (tmp_path / ".git").write_text("gitdir: elsewhere")
    assert find() == ("a/b/c", ["a/b/x.txt", "a/x.txt", "x.txt"])
    assert find(tmp_path / "a") == ("b/c", ["b/x.txt", "x.txt"])
    assert find(folder) == (".", [])
    (tmp_path / "a/requirements.txt").write_text("")
    assert find() == ("b/c", ["b/x.txt", "x.txt"])
    (folder / ".runwidgets").write_text("")
    assert find() == (".", [])


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("open('../data/a.csv')", ["data/a.csv"]),
        ("Path('../data') / 'a.csv'", ["data/a.csv", "data/deep/b.csv"]),
        ("Path('..').joinpath('data', 'a.csv')", ["data/a.csv"]),
        ("DATA = Path('..', 'used.txt')\nopen(DATA)", ["used.txt"]),
        ("os.path.join('..', 'data', name)", ["data/a.csv", "data/deep/b.csv"]),
        ("path = Path('..')\npath / f'data/{x}.csv'", ["data/a.csv"]),
        ("Path.cwd().parents[0].glob('data/*/*.csv')", ["data/deep/b.csv"]),
        ("'../' + 'used.txt'", ["used.txt"]),
        ("'../data/%s.csv' % name", ["data/a.csv"]),
        ("sys.path[:0] = ['..']\nimport helpers", ["helpers.py"]),
        ("sys.path.insert(0, os.path.realpath('..'))\nfrom lib import one", ["lib/one.py"]),
        ("site.addsitedir('../lib')\nimport two", ["lib/one.py", "lib/two.py"]),
        ("sys.path.append('..')\nimportlib.import_module('helpers')", ["helpers.py"]),
        ("open('../data/../used.txt')", ["used.txt"]),
        ("open('../nb/../used.txt')", ["used.txt"]),
        ("open('../data/.secret'); open('../nb/n.ipynb')", []),
        ("print('..', '../', '../..', '/used.txt', '~/used.txt')", []),
        ("name = 'used.txt'\nname = input()\nopen(f'../{name}')", []),
    ],
    ids=[
        "literal", "folder", "joinpath", "name", "join", "f-string", "glob", "sum", "percent", "list",
        "insert", "site", "import_module", "inner-dots", "through-itself", "excluded", "generic", "unknown",
    ],
)  # fmt: skip
def test_paths_that_the_code_makes_are_found_in_the_project(
    notebook: Path, code: str, files: list[str]
) -> None:
    """The outermost expression counts; what is unknown in it may be anything."""
    (notebook.parent / "pyproject.toml").write_text("")
    (notebook.parent / "nb").mkdir()

    assert find_static_files(notebook.parent / "nb/n.ipynb", [code]).files == files


def test_modules_say_where_their_own_files_are(notebook: Path) -> None:
    """By `__file__`, by names that other modules import, and by relative imports."""
    folder = notebook.parent
    (folder / "pyproject.toml").write_text("")
    (folder / "nb").mkdir()
    (folder / "lib/one.py").write_text("from .two import ROOT\nopen(ROOT / 'data' / 'a.csv')")
    (folder / "lib/two.py").write_text(
        "from pathlib import Path\nROOT = Path(__file__).resolve().parent.parent"
    )

    found = find_static_files(folder / "nb/n.ipynb", ["sys.path.append('..')", "import lib.one"])

    assert found.files == ["data/a.csv", "lib/one.py", "lib/two.py"]
    assert (found.place, found.imports) == ("nb", [])


def test_a_link_is_followed_within_the_project_only(notebook: Path) -> None:
    """Dots after a link mean what they mean to the system, or nothing."""
    folder = notebook.parent
    (folder / "pyproject.toml").write_text("")
    (folder / "nb").mkdir()
    (folder / "nb/data").symlink_to("../data")
    (folder / "nb/deep").symlink_to("../data/deep")
    (folder / "nb/a.csv").write_text("")
    code = "open('data/a.csv')\nopen('deep/../a.csv')"

    found = find_static_files(folder / "nb/n.ipynb", [code])

    assert (found.place, found.files) == (".", ["data/a.csv"])


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (Limits(static_files=2), "it names more than 2 files"),
        (Limits(static_entries=3), "it leads through folders with more than 3 entries"),
    ],
    ids=["files", "entries"],
)
@pytest.mark.parametrize("text", ["many", "many/*.csv", "**/*.csv"], ids=["folder", "glob", "deep"])
def test_a_name_of_too_many_files_is_skipped_with_a_warning(
    notebook: Path, text: str, limits: Limits, problem: str
) -> None:
    """A part of them would be misleading; other names are not affected."""
    (notebook.parent / "many").mkdir()
    for number in range(4):
        (notebook.parent / f"many/{number}.csv").write_text("")

    found = find_static_files(notebook, [f"open({text!r}); open('used.txt')"], limits=limits)

    assert found.files == ["used.txt"]
    (warning,) = found.warnings
    assert warning.startswith(f"'{text}': {problem}, so that runs get none of them; name less")


def test_code_in_another_language_names_files_too(notebook: Path) -> None:
    """Quoted texts and words that look like paths."""
    code = "t <- read.csv('data/a.csv')\nsource(\"lib/one.py\")\ncat used.txt # data"

    found = find_static_files(notebook, [code], is_python=False)

    assert found.files == ["data/a.csv", "lib/one.py", "used.txt"]


def test_existing_folders_in_which_the_code_may_write_are_kept(notebook: Path) -> None:
    """Also if they are empty; a folder that does not exist is left to the code."""
    (notebook.parent / "pyproject.toml").write_text("")
    for name in ("nb", "out", "nb/figures"):
        (notebook.parent / name).mkdir()
    code = "open('../out/x.csv', 'w'); open('figures/y.png', 'w'); os.makedirs('../new/deep')"

    found = find_static_files(notebook.parent / "nb/n.ipynb", [code])

    assert (found.place, found.files) == ("nb", [])
    assert {"nb/figures", "out"} <= set(found.folders) and not {"new", "new/deep"} & set(found.folders)


def test_a_notebook_that_the_code_runs_names_files_too(notebook: Path) -> None:
    """Its code cells are read; what is not a notebook has none."""
    cells = [new_markdown_cell("open('lib/two.py')"), new_code_cell("open('used.txt')")]
    nbformat.write(new_notebook(cells=cells), notebook.parent / "setup.ipynb")
    (notebook.parent / "broken.ipynb").write_text("{")

    found = find_static_files(notebook, ["%run setup.ipynb", "%run broken.ipynb"])

    assert found.files == ["broken.ipynb", "setup.ipynb", "used.txt"]


def test_the_runs_of_the_instance_are_no_files_of_a_project(notebook: Path) -> None:
    """Unless the notebook itself lies there."""
    runs = notebook.parent / "data"
    code = "glob('**/*.csv'); open('data/a.csv')"

    assert find_static_files(notebook, [code], runs=runs).files == []
    assert find_static_files(notebook, [code], runs=notebook.parent).files == [
        "data/a.csv",
        "data/deep/b.csv",
    ]


APPEARS = {
    "a folder that matches": ("glob.glob('data/*/x.csv')", ["data/a/x.csv"], "data/b/x.csv"),
    "in a folder that is there": ("glob.glob('data/*/x.csv')", ["data/a/x.csv", "data/b/"], "data/b/x.csv"),
    "in an empty folder": ("glob.glob('data/*.csv')", ["data/"], "data/x.csv"),
    "at any depth": ("glob.glob('data/**/*.csv', recursive=True)", ["data/a/b/"], "data/a/b/x.csv"),
    "a named file": ("open('data/x.csv')", ["data/"], "data/x.csv"),
    "a named file, deeper": ("open('data/a/x.csv')", ["data/"], "data/a/x.csv"),
    "in a named folder": ("os.listdir('data')", ["data/a/"], "data/a/x.csv"),
    "in a folder that a glob names": ("glob.glob('dat*')", ["data/a/"], "data/a/x.csv"),
    "in a package": ("import package", ["package/__init__.py", "package/data/"], "package/data/x.csv"),
    "for a module": ("import module", ["module.py=open('data/x.csv')", "data/"], "data/x.csv"),
}


@pytest.mark.parametrize("name", list(APPEARS))
def test_a_file_that_appears_changes_the_fingerprint(tmp_path: Path, name: str) -> None:
    """Otherwise the next run would not have it, and a glob would find nothing without a word."""
    code, before, file = APPEARS[name]
    path = write_notebook(tmp_path / "n.ipynb", code)
    for each in before:
        place, _, content = each.partition("=")
        if place.endswith("/"):
            (tmp_path / place).mkdir(parents=True)
        else:
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_text(content)
    static = read_template(path).static
    used = [tmp_path / each for each in static.files]
    folders = [tmp_path / each for each in (*static.folders, *static.watched)]
    first = fingerprint(path, used, folders)
    assert file not in static.files

    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("x")

    assert fingerprint(path, used, folders) != first
    assert file in read_template(path).static.files


def test_a_path_outside_the_project_is_a_warning(notebook: Path) -> None:
    """A run would read or write it elsewhere than the notebook does."""
    found = find_static_files(notebook, ["open('../../shared.txt', 'a')", "print('../ is above')"])
    assert found.top == notebook.parent
    (warning,) = (each for each in found.warnings if "shared" in each)
    assert warning.startswith("'../../shared.txt' is outside the project") and ".runwidgets" in warning


def test_a_path_that_climbs_mirrors_the_project_even_if_it_leads_back(notebook: Path) -> None:
    """Otherwise what is written there would not be among the results."""
    folder = notebook.parent / "lib"
    (notebook.parent / "pyproject.toml").write_text("")

    found = find_static_files(folder / "n.ipynb", ["glob('../lib/*.csv')"])

    assert (found.top, found.place) == (notebook.parent, "lib")
    assert find_static_files(folder / "n.ipynb", ["glob('*.csv')"]).place == "."
