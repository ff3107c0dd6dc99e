from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from runwidgets.templates.notebook import read_template

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
ALL = sorted(NOTEBOOKS.rglob("*.ipynb"))
TEMPLATES = sorted((NOTEBOOKS / "templates").glob("*.ipynb"))


def name_of(path: Path) -> str:
    """Return what to call a case."""
    return path.stem


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_a_notebook_is_stored_clean(path: Path) -> None:
    """Valid, without outputs, and with cell ids."""
    notebook: Any = nbformat.read(path, as_version=4)

    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_describes_all_that_it_asks_for(path: Path) -> None:
    """Every parameter has a label or a help, and the workflow a description."""
    template = read_template(path)

    assert template.description and template.outputs
    assert all(parameter.label or parameter.help for parameter in template.parameters)


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_also_runs_under_papermill_alone(path: Path, tmp_path: Path) -> None:
    """Without the service, with its defaults, leaving what it declares."""
    template = read_template(path)
    for name in template.inputs:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((path.parent / name).read_bytes())

    papermill.execute_notebook(path, None, cwd=tmp_path, progress_bar=False)

    assert all((tmp_path / output["source"]).stat().st_size > 10 for output in template.outputs)
