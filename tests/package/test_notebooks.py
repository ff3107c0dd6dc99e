import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import matplotlib.image
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from nbclient import NotebookClient

from runwidgets.record import METRIC_TYPE
from runwidgets.templates.notebook import read_template

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
ALL = sorted(NOTEBOOKS.rglob("*.ipynb"))
TEMPLATES = sorted((NOTEBOOKS / "templates").glob("*.ipynb"))
MACHINE_PATH = re.compile(r"""["'(](/(home|root|tmp|work|Users)/|[A-Z]:\\\\)""")


def name_of(path: Path) -> str:
    """Return the name of a test case."""
    return path.stem


def execute(path: Path, folder: Path, **arguments: Any) -> dict[str, Any]:
    """Execute a template under plain papermill in a folder; return the metrics that it recorded."""
    for name in read_template(path).static.files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((path.parent / name).read_bytes())
    notebook = papermill.execute_notebook(path, None, arguments, cwd=folder, progress_bar=False)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    metrics = [output.data[METRIC_TYPE] for output in outputs if METRIC_TYPE in output.get("data", {})]
    return {metric["name"]: metric["value"] for metric in metrics}


def assert_shows_something(path: Path) -> None:
    """Check that a picture is more than blank or a single block of colour."""
    image = matplotlib.image.imread(path)[..., :3]
    height, width, _ = image.shape
    assert width == 6 * 120 and height >= 5 * 120
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20
    assert (image < 1).any(axis=2).mean() > 0.01


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_a_notebook_is_stored_clean(path: Path) -> None:
    """It is valid, for any Python 3 kernel, and has cell ids, but no outputs and no path of one machine."""
    notebook: Any = nbformat.read(path, as_version=4)

    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert not any(MACHINE_PATH.search(cell.source) for cell in notebook.cells)


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_describes_all_that_it_asks_for_and_gives(path: Path) -> None:
    """Every parameter has a label or a help, every output a title and a caption."""
    template = read_template(path)

    assert template.description and template.outputs
    assert all(parameter.label or parameter.help for parameter in template.parameters)
    assert all(output.get("title") and output.get("caption") for output in template.outputs)


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_also_runs_under_papermill_alone(path: Path, tmp_path: Path) -> None:
    """Without an instance and with its defaults, it writes its declared outputs and records its metrics."""
    template = read_template(path)

    metrics = execute(path, tmp_path)

    sources = [tmp_path / output["source"] for output in template.outputs]
    assert all(source.stat().st_size > 10 for source in sources)
    for picture in [source for source in sources if source.suffix == ".png"]:
        assert_shows_something(picture)
    declared = nbformat.read(path, as_version=4).metadata.runwidgets.results.schema
    assert {column.name for column in declared} <= set(metrics)


def test_the_digits_report_agrees_with_the_predictions(tmp_path: Path) -> None:
    """Accuracy and errors are those of the rows in the table, for a model other than the default."""
    path = NOTEBOOKS / "templates/classify_digits.ipynb"

    metrics = execute(path, tmp_path, model="logistic regression", normalise=False, test_size=0.5, seed=1)

    predictions = pd.read_csv(tmp_path / "predictions.csv")
    right = predictions["true"] == predictions["predicted"]
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert metrics["errors"] == (~right).sum()
    assert metrics["accuracy"] == report["accuracy"] == pytest.approx(right.mean())


def test_the_epidemic_agrees_with_the_formulas(tmp_path: Path) -> None:
    """Peak and final share equal the closed form of the SIR model, and the population is constant."""
    path = NOTEBOOKS / "templates/epidemic.ipynb"
    number = 0.4 / 0.2

    metrics = execute(path, tmp_path, infection_rate=0.4, recovery_rate=0.2, infected=1, days=400)

    course = pd.read_csv(tmp_path / "course.csv", index_col="day")
    assert list(course.index) == list(range(401))
    assert course.sum(axis=1).to_numpy() == pytest.approx(1_000_000, abs=1)
    assert metrics["peak"] == pytest.approx(1_000_000 * (1 - (1 + math.log(number)) / number), rel=0.005)
    share = metrics["share_infected"]
    assert share == pytest.approx(1 - math.exp(-number * share), rel=0.001)


def test_a_table_is_summarised_by_group(tmp_path: Path) -> None:
    """There is one row per column and group, including rows without a group, below one line of headings."""
    path = NOTEBOOKS / "templates/summarise_table.ipynb"
    (tmp_path / "mine.csv").write_text("site,height\na,1\na,3\nb,5\n,inf\n")

    metrics = execute(path, tmp_path, table="mine.csv", group_by="site")

    summary = pd.read_csv(tmp_path / "summary.csv", keep_default_na=False)
    assert list(summary.columns[:3]) == ["column", "site", "count"]
    assert dict(zip(summary["site"], summary["count"].astype(float), strict=True)) == {"a": 2, "b": 1, "": 1}
    assert metrics["rows"] == 4
    assert_shows_something(tmp_path / "histograms.png")


def test_a_table_without_numbers_is_summarised_too(tmp_path: Path) -> None:
    """Its picture states that there is nothing to draw."""
    path = NOTEBOOKS / "templates/summarise_table.ipynb"
    (tmp_path / "words.csv").write_text("name,colour\nada,red\nbob,blue\n")

    metrics = execute(path, tmp_path, table="words.csv")

    summary = pd.read_csv(tmp_path / "summary.csv", index_col="column")
    assert list(summary.index) == ["name", "colour"] and metrics["rows"] == 2
    assert (matplotlib.image.imread(tmp_path / "histograms.png")[..., :3] < 0.5).any()


def test_the_notebook_about_clusters_runs_as_it_stands(tmp_path: Path) -> None:
    """It starts a cluster, and every run of its sweep succeeds on a worker."""
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    notebook: Any = nbformat.read(NOTEBOOKS / "cluster.ipynb", as_version=4)

    NotebookClient(notebook, timeout=150, resources={"metadata": {"path": tmp_path / "notebooks"}}).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.data["text/plain"] for output in outputs if output.output_type == "execute_result"]
    assert "accuracy" in shown[0] and "tcp://" in shown[1]
    assert shown[2].count("SUCCESS") == 3
