import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runwidgets.errors import InvalidTemplateError
from runwidgets.limits import Limits
from runwidgets.templates.notebook import read_template
from runwidgets.templates.surroundings.fingerprint import fingerprint
from tests.builders import PYTHON, write_notebook


def test_later_sources_override_single_keys(tmp_path: Path) -> None:
    """The sidecar overrides the metadata, which overrides the cell, key by key."""
    metadata = {
        "parameters": [{"name": "x", "range": "[0,10]", "label": "from metadata"}],
        "name": "From metadata",
    }
    path = write_notebook(tmp_path / "n.ipynb", "x", parameters="x = 3  # from cell", runwidgets=metadata)
    path.with_name("n.ipynb.yaml").write_text(
        "name: From sidecar\nparameters: [{name: x, label: from sidecar}]"
    )

    template = read_template(path)

    (parameter,) = template.parameters
    assert template.name == "From sidecar"
    assert (parameter.label, parameter.range, parameter.help, parameter.default) == (
        "from sidecar",
        "[0,10]",
        "from cell",
        3,
    )


def test_a_default_that_the_cell_does_not_assign_is_injected(tmp_path: Path) -> None:
    """A default in the metadata must reach the notebook."""
    declared = {
        "parameters": [{"name": "x", "defaultValue": 5}, {"name": "y", "dtype": "int", "defaultValue": 6}]
    }
    path = write_notebook(tmp_path / "n.ipynb", "x", parameters="x = 3\ny: int\nz = 1", runwidgets=declared)

    assert read_template(path).defaults == {"x": 5, "y": 6}


def test_a_notebook_without_parameters_is_a_workflow(tmp_path: Path) -> None:
    """It has no parameters, and is named after its file."""
    path = tmp_path / "plain.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1")], metadata={"kernelspec": PYTHON}), path)

    template = read_template(path)

    assert (template.name, template.parameters) == ("plain", [])


def test_an_old_notebook_is_upgraded(tmp_path: Path) -> None:
    """Format 3 is converted to valid format 4.5."""
    old = nbformat.v3.new_notebook(
        worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell("1 + 1")])]
    )
    old.metadata = {"kernelspec": PYTHON}
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps({**old, "nbformat": 3, "nbformat_minor": 0}))

    nbformat.validate(nbformat.reads(read_template(path).content.decode(), as_version=4))


def test_files_and_modules_beside_the_notebook_are_found(tmp_path: Path) -> None:
    """Literals, globs, folders, imports of imports and declared files are found; hidden ones are not."""
    for name in (
        "data/a.csv",
        "data/.hidden",
        "one.py",
        "package/__init__.py",
        "package/deep.txt",
        "extra/x.bin",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "one.py").write_text("import two\nNAME = 'package/deep.txt'")
    (tmp_path / "two.py").write_text("")
    (tmp_path / "link.txt").symlink_to("/etc/hostname")
    cells = ["import one", "open('data/*.csv'); '../outside'; '/etc/hosts'; 'link.txt'; '.'; ''"]
    path = write_notebook(tmp_path / "n.ipynb", *cells, runwidgets={"files": ["extra/*"]})

    assert read_template(path).static.files == [
        "data/a.csv",
        "extra/x.bin",
        "one.py",
        "package/deep.txt",
        "two.py",
    ]


def _break(path: Path, how: str) -> Path:
    content: dict[str, Any] = json.loads(write_notebook(path, "1").read_text())
    if how == "no kernel":
        content["metadata"] = {}
    if how == "unknown format":
        content["nbformat"] = 9
    if how == "two parameter cells":
        content["cells"] = [
            {**content["cells"][1], "metadata": {"tags": ["parameters"]}, "id": each, "source": "x = 1"}
            for each in "ab"
        ]
    path.write_text("{" if how == "no json" else "[]" if how == "no notebook" else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no json", "it is not JSON"),
        ("no notebook", "not a notebook"),
        ("no kernel", "does not say which kernel"),
        ("unknown format", "nbformat 9 is unknown"),
        ("two parameter cells", "two of them assign x; assign it in one of them"),
    ],
)
def test_a_broken_notebook_is_refused_in_words(tmp_path: Path, how: str, said: str) -> None:
    """The error names the file and the problem."""
    with pytest.raises(InvalidTemplateError, match=f"n.ipynb.*{said}"):
        read_template(_break(tmp_path / "n.ipynb", how))


def test_only_plain_files_inside_the_root_are_accepted(tmp_path: Path) -> None:
    """Missing, a folder, a FIFO, hidden, a URL, too large, or outside by `..`, by a prefix or by a link."""
    root = tmp_path / "root"
    for folder in (root, tmp_path / "root2", root / "folder.ipynb"):
        folder.mkdir()
    outside = write_notebook(tmp_path / "root2" / "x.ipynb", "1")
    (root / "link.ipynb").symlink_to(outside)
    os.mkfifo(root / "fifo.ipynb")
    write_notebook(root / ".hidden.ipynb", "1")
    for name, said in [
        ("missing.ipynb", "no such notebook"),
        ("folder.ipynb", "it is a folder"),
        ("fifo.ipynb", "not a regular file"),
        (".hidden.ipynb", "it is hidden"),
        ("http://host/x.ipynb", "it is a URL"),
        ("../root2/x.ipynb", "outside the folder"),
        ("link.ipynb", "outside the folder"),
    ]:
        with pytest.raises(InvalidTemplateError, match=said):
            read_template(root / name, root=root)
    with pytest.raises(InvalidTemplateError, match="more than 10"):
        read_template(write_notebook(root / "large.ipynb", "1"), Limits(template_size=10), root)


def test_special_characters_in_a_path_are_taken_literally(tmp_path: Path) -> None:
    """`{x}` in a name is not replaced."""
    assert read_template(write_notebook(tmp_path / "a {x} $(y).ipynb", "1")).name == "A small notebook"


def test_the_fingerprint_changes_with_every_input(tmp_path: Path) -> None:
    """The notebook and its sidecar are included."""
    path = write_notebook(tmp_path / "n.ipynb", "1")
    seen = {fingerprint(path)}

    write_notebook(path, "22")
    seen.add(fingerprint(path))
    path.with_suffix(".yaml").write_text("name: x")
    seen.add(fingerprint(path))

    assert len(seen) == 3
