import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.builders import write_notebook

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BENCHMARKS = (ROOT / "tests" / "benchmarks" / "README.md").read_text("utf-8")
QUOTED = {
    "runs per second, against the `papermill` command line": "trivial notebook, default kernel, against the "
    "`papermill` command line, 2 at a time",
    "runs per second, against jupyter-scheduler over REST": "trivial notebook, against jupyter-scheduler "
    "over REST, 2 jobs at a time",
    "one run from the call to its result, against one `papermill` command": "one trivial run, `start_run` to "
    "SUCCESS, against one call of the `papermill` command line",
}
"""What the README calls a row of the benchmarks."""


def cells_of(text: str, title: str) -> list[str]:
    """Return the table row that begins with a title, as cells."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_it_has_one_page() -> None:
    """It can be read in a few minutes."""
    assert len(README.splitlines()) <= 120


def test_the_first_run_works_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook that it shows is executed, with its form, its sweep and its table."""
    parameters, recording, using = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    write_notebook(tmp_path / "train.ipynb", recording, parameters=parameters)
    last: Any = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"{using}\nrun.metrics, len(sweep.wait().to_frame()), [*run.files]")]
    )
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))

    NotebookClient(last, timeout=150, resources={"metadata": {"path": str(tmp_path)}}).execute()

    shown = [output.data["text/plain"] for output in last.cells[0].outputs if "data" in output]
    assert "{'loss': 0.59" in shown[-1] and ", 4, [" in shown[-1] and "summary.txt" in shown[-1]


@pytest.mark.parametrize("title", QUOTED)
def test_its_figures_are_those_of_the_benchmarks(title: str) -> None:
    """The quoted figures are those of the last measurement."""
    quoted = [figure.replace(" runs/s", "") for figure in cells_of(BENCHMARKS, QUOTED[title])[:2]]

    assert cells_of(README, title) == quoted


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """CI runs the documented command, including the system packages."""
    commands = re.findall(r"```bash\n(pip install .*)\n```", README)
    packages = re.findall(r"`apt-get install ([\w -]+)`", README)
    script = (ROOT / ".ci" / "run").read_text("utf-8")

    assert len(commands) == 2 and len(packages) == 1
    assert commands[1] in script
    assert re.search(rf"apt-get install .*{packages[0]}$", script, re.MULTILINE)


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_links_and_pictures_are_there(text: str) -> None:
    """No link is broken."""
    for target in re.findall(r"(?:\]\(|src=\"|srcset=\")(?!http)([^)\"]+)", text):
        assert (ROOT / target).exists(), target


def test_the_files_that_contributing_names_are_there() -> None:
    """Every file that it names exists."""
    named = re.findall(r"`((?:runwidgets|tests|docs|\.ci)/[\w./]*)`", CONTRIBUTING)

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_version_stands_in_one_place() -> None:
    """Wheel and front end read it from there, and the changelog has a section for it."""
    source = (ROOT / "runwidgets" / "__init__.py").read_text("utf-8")
    version = re.findall(r'^__version__ = "(\d+\.\d+\.\d+)', source, re.MULTILINE)[0]
    extension = json.loads((ROOT / "runwidgets" / "static" / "lab" / "package.json").read_text("utf-8"))

    assert re.search(
        rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert extension["version"].startswith(version)
    for name in ("pyproject.toml", "runwidgets/frontend/package.json"):
        assert f'version": "{version}' not in (ROOT / name).read_text("utf-8")
        assert f'version = "{version}' not in (ROOT / name).read_text("utf-8")
