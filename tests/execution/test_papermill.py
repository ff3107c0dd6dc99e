"""papermill's own sample notebooks: they have the same outputs here."""

import json
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from runwidgets.errors import InvalidTemplateError, UnknownKernelError
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import open_instance
from tests.builders import ended, group_of, read

SAMPLES = Path(str(files("papermill"))) / "tests" / "notebooks"
LONG = {"keyboard_interrupt.ipynb"}
"""It sleeps for a minute, waiting for papermill's own test to interrupt it."""
NAMES = sorted(path.name for path in SAMPLES.glob("*.ipynb") if path.name not in LONG)

REFUSALS = InvalidTemplateError, UnknownKernelError
"""Errors of notebooks that papermill refuses as well."""
ADDRESS = re.compile(r"0x[0-9a-f]+|/[^\s'\"]*|ipykernel_\d+|\d+\.\d+ ?m?s")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, dict[str, Any]]]:
    """Start all of them at once; rejected ones have their error."""
    folder = tmp_path_factory.mktemp("samples") / "notebooks"
    shutil.copytree(SAMPLES, folder)
    instance = open_instance(folder.parent / "root", slots=2)
    api = instance.api()
    runs: dict[str, Any] = {}
    for name in NAMES:
        try:
            made = api.workflows.create_workflow(str(folder / name))
            runs[name] = api.runs.start_run(group_of(made), [])["id"]
        except REFUSALS as error:
            runs[name] = error
    yield api, runs
    instance.close()


def outputs_of(notebook: Any) -> list[tuple[str, list[str]]]:
    """Return source and outputs of the code cells, without random differences."""
    shown = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or "papermill-error-cell-tag" in cell.metadata.get("tags", []):
            continue
        texts: list[str] = []
        last = ""
        for output in cell.outputs:
            kind = output.output_type + output.get("name", "")
            text = output.get("text") or json.dumps(
                output.get("data", output.get("evalue", "")), sort_keys=True
            )
            if kind == last and kind.startswith("stream"):
                texts[-1] += text
            else:
                texts.append(text)
            last = kind
        shown.append((cell.source, [ADDRESS.sub("…", text) for text in texts]))
    return shown


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_a_sample_of_papermill_runs_here_with_the_same_outputs(
    started: tuple[Api, dict[str, Any]], name: str, tmp_path: Path
) -> None:
    """A notebook that fails does so in both, at the same cell."""
    api, runs = started
    is_success = True
    try:
        notebook = papermill.execute_notebook(
            SAMPLES / name, str(tmp_path / name), progress_bar=False, cwd=tmp_path
        )
    except PapermillExecutionError:
        is_success = False
        notebook = nbformat.read(tmp_path / name, as_version=4)
    except Exception as error:  # the errors of papermill have no common base class, and any failure counts
        assert isinstance(runs[name], REFUSALS) or ended(api, runs[name])["state"] == "ERROR", error
        return

    if isinstance(runs[name], REFUSALS):
        assert not is_success, runs[name]
        return
    handle = ended(api, runs[name])
    ours = nbformat.reads(read(api.runs.get_notebook(runs[name])).decode(), as_version=4)

    assert handle["state"] == ("SUCCESS" if is_success else "ERROR"), handle.get("messages")
    assert outputs_of(ours) == outputs_of(notebook)
