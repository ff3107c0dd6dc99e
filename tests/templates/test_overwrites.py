from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from runwidgets.templates.cells.overwrites import find_assignments, find_overwrites


def warnings(
    *cells: str, parameters: str = "rate = 1\nsize = 2", folder: Path = Path("/nowhere")
) -> list[str]:
    """Return the warnings about a notebook, whose parameters cell is its second code cell."""
    first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    later = [new_code_cell(cell) for cell in cells]
    notebook = new_notebook(cells=[new_code_cell("rate = 0"), new_markdown_cell("rate"), first, *later])
    return find_overwrites(notebook, {"rate", "size"}, find_assignments(notebook, folder))


@pytest.mark.parametrize(
    "code",
    [
        "rate = 5",
        "rate: float = 5",
        "other = rate = 5",
        "(other, [rate, *rest]) = values",
        "for rate in (1, 2): pass",
        "with open('x') as rate: pass",
        "with suppress(KeyError):\n    rate = 5",
        "try:\n    rate = 5\nfinally:\n    pass",
        "try:\n    other = 5\nfinally:\n    rate = 5",
        "if True:\n    rate = 5",
        "while 1:\n    rate = 5\n    break",
        "(rate := 5)",
        "print(end=str(rate := 5))",
        "if (rate := read()) > 2:\n    print(rate)",
        "other = (rate := 5) or size",
        "import scipy.rate as rate",
        "def rate(): pass",
        "%matplotlib inline\nrate = 5",
        "%%time\nrate = 5",
    ],
)
def test_a_cell_that_assigns_a_parameter_again_is_named(code: str) -> None:
    """The argument would be ignored without a word."""
    assert warnings("1", code) == ["rate: cell 4 assigns it again, which overwrites its argument"]


@pytest.mark.parametrize(
    "code",
    [
        "rate = float(rate)",
        "rate += 1",
        "if rate is None:\n    rate = 5",
        "if False:\n    rate = 5",
        "(rate := rate or 5)",
        "y = other or (rate := 5)",
        "y = (rate := 5) if other else 6",
        "f = lambda: (rate := 5)",
        "try:\n    rate\nexcept NameError:\n    rate = 5",
        "def f():\n    rate = 5",
        "[rate for rate in values]",
        "table.rate = table['rate'] = 5",
        "rate: float",
        "%%bash\nrate=5",
        "%%writefile x.py\nrate = 5",
        "rate = (",
    ],
)
def test_a_cell_that_uses_the_argument_or_binds_another_name_is_not_named(code: str) -> None:
    """A warning that is wrong would teach people to ignore the others."""
    assert warnings(code) == []


def test_a_value_that_the_parameters_cell_computes_from_a_parameter_is_named() -> None:
    """It is computed before the argument is set."""
    found = warnings(parameters="rate = 1\nsize = 2\nstep = rate / size\nsize = size + 1")

    assert found == [
        "step: the parameters cell computes it from 'rate' before an argument for 'rate' is set",
        "step: the parameters cell computes it from 'size' before an argument for 'size' is set",
    ]


@pytest.mark.parametrize(
    "code",
    ["from settings import *", "from lib.settings import *", "%run settings.py", "%run -i ./settings.py"],
)
def test_a_module_beside_the_notebook_that_assigns_a_parameter_is_named(tmp_path: Path, code: str) -> None:
    """The cell takes all of its names."""
    (tmp_path / "lib").mkdir()
    for name in ("settings.py", "lib/settings.py"):
        (tmp_path / name).write_text("import os\nrate = 5\n_size = 3\ndef size_of(size): pass")

    assert warnings(code, folder=tmp_path) == ["rate: cell 3 assigns it again, which overwrites its argument"]


@pytest.mark.parametrize(
    "code", ["from settings import other", "from elsewhere import *", "%run ../settings.py", "%run other.py"]
)
def test_other_modules_are_not_read(tmp_path: Path, code: str) -> None:
    """Those of which a cell takes some names, and those that are not in its folder."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in (tmp_path / "settings.py", folder / "settings.py"):
        name.write_text("rate = 5")

    assert warnings(code, folder=folder) == []
