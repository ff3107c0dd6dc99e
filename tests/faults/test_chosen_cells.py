"""Which cells of a notebook a run executes, and what it does after an error."""

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from runwidgets.client.run import Run
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from tests.builders import (
    Json,
    accepted,
    arguments,
    ended,
    finished,
    group_of,
    read,
    tagged,
    wait_until,
    workflow,
)
from tests.faults.test_kernels import statuses

OLD = new_code_cell(
    "print('now')", metadata={"tags": ["slow"]}, outputs=[new_output("stream", text="of an earlier run")]
)


def code_cells(api: Api, run_id: str) -> list[NotebookNode]:
    """Return the code cells of the executed notebook, which is valid."""
    notebook = nbformat.reads(read(api.runs.get_notebook(run_id)).decode(), as_version=4)
    nbformat.validate(notebook)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


CELLS = [
    tagged("print(x, 'slow')", "slow", "some"),
    new_markdown_cell("Text"),
    tagged("print(x, 'fast')", "fast", "some"),
    "print(x, 'none')",
]
CHOICES: dict[str, tuple[Json, list[str]]] = {
    "skip": ({"skip_tags": ["slow"]}, ["fast", "none"]),
    "only": ({"only_tags": ["slow"]}, ["slow"]),
    "several": ({"only_tags": ["slow", "fast"]}, ["slow", "fast"]),
    "both": ({"only_tags": ["some"], "skip_tags": ["slow"]}, ["fast"]),
}


@pytest.mark.parametrize("name", list(CHOICES))
def test_tags_choose_the_cells(private_instance: Instance, tmp_path: Path, path: Json, name: str) -> None:
    """Those that assign values always run; ``skip_tags`` leaves out what ``only_tags`` chooses."""
    config, printed = CHOICES[name]
    api = private_instance.api()
    group = group_of(workflow(api, tmp_path, *CELLS, parameters="x = 1"))

    handle = ended(api, api.runs.start_run(group, arguments(x=5), {**path, **config})["id"])

    assert handle["state"] == "SUCCESS"
    assert api.runs.get_log(handle["id"])["text"].splitlines() == [f"5 {each}" for each in printed]
    assert handle["progress"]["cells"] == handle["progress"]["cell"] == len(printed) + 2


def test_a_parameters_cell_is_executed_whatever_its_other_tags(
    private_instance: Instance, tmp_path: Path
) -> None:
    """Without it, values that are not given would be missing."""
    api = private_instance.api()
    cells = [tagged("x = 1", "parameters", "slow"), tagged("x = 0", "slow"), "print(x)"]

    handle = finished(api, tmp_path, *cells, config={"skip_tags": ["slow"]})

    assert api.runs.get_log(handle["id"])["text"] == "1\n"


def test_a_cell_that_is_left_out_says_so_in_the_notebook(private_instance: Instance, tmp_path: Path) -> None:
    """It shows why, has no output of an earlier run, no number and no time."""
    api = private_instance.api()

    handle = finished(
        api, tmp_path, "print(1)", OLD, tagged("2", "skip-execution"), config={"skip_tags": ["slow"]}
    )

    done, slow, skipped = code_cells(api, handle["id"])
    why = "config.skip_tags has its tag 'slow'"
    assert slow.metadata.runwidgets == {"status": "not run", "leftOut": why}
    assert [each.data for each in slow.outputs] == [{"text/plain": f"left out: {why}"}]
    assert slow.execution_count is None and slow.metadata.papermill.duration is None
    assert skipped.metadata.runwidgets == {"status": "not run", "leftOut": "its tag is 'skip-execution'"}
    assert skipped.outputs == []  # as with papermill
    assert done.metadata.runwidgets == {"status": "ok", "number": 1}
    report = Run(api, handle).to_html()
    assert "left out: config.skip_tags has its tag" in report and "left out: its tag is" in report


def test_a_run_goes_on_after_errors_if_its_config_allows_them(
    private_instance: Instance, tmp_path: Path, path: Json
) -> None:
    """They are counted and shown, also in the run's texts; an exception that a tag allows does not count."""
    api = private_instance.api()
    cells = ["print('a')", "1 / 0", tagged("1 / 0", "raises-exception"), "raise ValueError", "print('b')"]

    handle = finished(api, tmp_path, *cells, config={**path, "allow_errors": True})

    assert (handle["state"], handle["progress"]["errors"]) == ("SUCCESS", 2)
    assert api.runs.get_log(handle["id"])["text"].split() == ["a", "b"]
    assert statuses(api, handle["id"]) == ["ok", "error", "ok", "error", "ok"]
    error = code_cells(api, handle["id"])[1]
    assert error.outputs[0].ename == "ZeroDivisionError" and error.metadata.papermill.exception
    run = Run(api, handle)
    said = "went on after errors in 2 cells"
    assert said in repr(run) and said in run.to_html() and said in run._repr_mimebundle_()["text/html"]


ENDS: dict[str, tuple[str, Json, tuple[str, str]]] = {
    "exit": ("import sys\nsys.exit(3)", {}, ("ERROR", "cell_error")),
    "early": ("import sys\nsys.exit()", {}, ("SUCCESS", "")),
    "death": ("import os\nos._exit(1)", {}, ("ERROR", "kernel_died")),
    "cell": ("import time\ntime.sleep(600)", {"cell_timeout": 0.5}, ("ERROR", "timeout")),
    "run": ("import time\ntime.sleep(600)", {"timeout": 5}, ("ERROR", "timeout")),
}


@pytest.mark.parametrize("name", list(ENDS))
def test_what_ends_a_run_ends_it_although_errors_are_allowed(
    private_instance: Instance, tmp_path: Path, path: Json, name: str
) -> None:
    """Exits, dead kernels and limits are not errors of a cell after which a run can go on."""
    code, limits, end = ENDS[name]
    api = private_instance.api()

    handle = finished(api, tmp_path, "1 / 0", code, "1", config={**path, **limits, "allow_errors": True})

    assert (handle["state"], handle.get("reason", "")) == end
    assert handle["progress"]["errors"] == 1
    assert statuses(api, handle["id"])[2] == "not run"


def test_a_run_that_allows_errors_is_cancelled(private_instance: Instance, tmp_path: Path) -> None:
    """The interrupted cell is not an error after which the run goes on."""
    api = private_instance.api()
    wait = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
    run_id = accepted(api, tmp_path, wait, "print('on')", config={"allow_errors": True})["id"]
    wait_until(lambda: api.runs.get_log(run_id)["size"])

    api.runs.cancel_run(run_id)

    wait_until(lambda: "isEnding" not in api.runs.get_run(run_id))
    assert "errors" not in api.runs.get_run(run_id)["progress"]
    assert "on\n" not in api.runs.get_log(run_id)["text"]


def test_a_declared_output_is_required_although_errors_are_allowed(
    private_instance: Instance, tmp_path: Path
) -> None:
    """A run whose failing cell should have written it is not a success."""
    api = private_instance.api()
    group = group_of(workflow(api, tmp_path, "1 / 0", "1", runwidgets={"outputs": [{"source": "plot.png"}]}))

    handle = ended(api, api.runs.start_run(group, [], {"allow_errors": True})["id"])

    assert (handle["state"], handle["reason"]) == ("ERROR", "outputs_missing")
    assert handle["progress"]["errors"] == 1


def test_errors_of_the_last_attempt_are_counted(private_instance: Instance, tmp_path: Path) -> None:
    """A further attempt begins without those of the one before."""
    again = tmp_path / "again"
    code = f"import os\nif not os.path.exists('{again}'): open('{again}', 'w'); os._exit(1)"

    handle = finished(
        private_instance.api(), tmp_path, "1 / 0", code, config={"allow_errors": True, "retries": 1}
    )

    assert (handle["state"], handle["progress"]["errors"]) == ("SUCCESS", 1)
