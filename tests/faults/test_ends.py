"""How runs end: early, with messages of a limited length, and with all that was printed in the log."""

import json
from pathlib import Path

import pytest

from runwidgets.client.run import Run
from runwidgets.execution.run_outcome import DETAIL_SIZE, SENTENCE_SIZE
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from tests.builders import Json, finished, read, tagged
from tests.faults.test_kernels import statuses

EXITS = ["import sys\nsys.exit()", "import sys\nsys.exit(False)", "raise SystemExit", "quit()"]
GROUP = """
try:
    1 / 0
except ZeroDivisionError as error:
    raise ExceptionGroup("several", [error, ExceptionGroup("inner", [ValueError("inside")])])
"""
TASK = """
import asyncio, runwidgets
async def later():
    await turn.wait()
    print("of a task")
    runwidgets.record("late", 1)
turn = asyncio.Event()
task = asyncio.ensure_future(later())
"""
THREAD = """
import threading
turn = threading.Event()
def later():
    turn.wait()
    print("of a thread", flush=True)
threading.Thread(target=later).start()
"""
AFTER = """
import threading, time
def later():
    time.sleep(0.5)  # longer than the last request takes
    print("of a thread"FLUSH)
threading.Thread(target=later).start()
"""


def error_of(api: Api, run_id: str) -> Json:
    """Return the first output of the executed notebook that is an error."""
    notebook = json.loads(read(api.runs.get_notebook(run_id)))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    error: Json = next(each for each in outputs if each["output_type"] == "error")
    return error


@pytest.mark.parametrize("code", EXITS)
def test_every_exit_without_a_code_ends_early(private_instance: Instance, tmp_path: Path, code: str) -> None:
    """The run succeeds in the cell that exits, also if that is the last one."""
    handle = finished(private_instance.api(), tmp_path, code)

    assert (handle["state"], handle["progress"]["endedEarly"]) == ("SUCCESS", 1)


@pytest.mark.parametrize("code", ["import sys\nsys.exit(0)", "exit()"])
def test_a_notebook_that_exits_succeeds(
    private_instance: Instance, tmp_path: Path, path: Json, code: str
) -> None:
    """Later cells are not executed, and the handle, its text and its report say where it ended."""
    api = private_instance.api()

    handle = finished(api, tmp_path, "print('a')", code, "print('never')", config=path)

    assert (handle["state"], handle["progress"]["endedEarly"]) == ("SUCCESS", 2)
    assert statuses(api, handle["id"]) == ["ok", "ok", "not run"]
    assert "never" not in api.runs.get_log(handle["id"])["text"]
    run = Run(api, handle)
    said = "ended early in cell 2 of 3"
    assert said in repr(run) and said in run.to_html() and said in run._repr_mimebundle_()["text/html"]


def test_a_notebook_that_keeps_its_kernel_is_executed_to_its_end(
    private_instance: Instance, tmp_path: Path
) -> None:
    """The kernel is not ended by ``exit(keep_kernel=True)``."""
    handle = finished(private_instance.api(), tmp_path, "exit(keep_kernel=True)", "print('on')")

    assert handle["state"] == "SUCCESS"
    assert "endedEarly" not in handle["progress"]


def test_an_exit_that_a_cell_may_raise_does_not_end_the_run(
    private_instance: Instance, tmp_path: Path, path: Json
) -> None:
    """The tag ``raises-exception`` allows it, as it allows any other exception."""
    handle = finished(
        private_instance.api(),
        tmp_path,
        tagged("raise SystemExit", "raises-exception"),
        "print('on')",
        config=path,
    )

    assert handle["state"] == "SUCCESS"
    assert "endedEarly" not in handle["progress"]
    assert private_instance.api().runs.get_log(handle["id"])["text"].endswith("on\n")


@pytest.mark.parametrize("code", ["raise ValueError(text)", "import sys\nsys.exit(text)"])
def test_a_long_text_of_an_exception_keeps_its_head_and_its_tail(
    private_instance: Instance, tmp_path: Path, path: Json, code: str
) -> None:
    """The middle of the message is omitted, which it says; so is that of the traceback."""
    text = "text = 'first ' + 'm' * 500_000 + ' last'\n"
    handle = finished(private_instance.api(), tmp_path, text + code, config=path)

    sentence, traceback = handle["messages"]
    assert len(sentence) <= SENTENCE_SIZE and len(traceback) <= DETAIL_SIZE
    assert ": first mmm" in sentence and sentence.endswith("mmm last")
    assert "characters are omitted here" in sentence and "characters are omitted here" in traceback


@pytest.mark.parametrize("code", ["raise ValueError", "raise ValueError('  ')", "assert 1 == 2"])
def test_an_exception_without_a_text_is_named(private_instance: Instance, tmp_path: Path, code: str) -> None:
    """The sentence ends with the name."""
    sentence = finished(private_instance.api(), tmp_path, code)["messages"][0]

    assert sentence in {"cell 1 raised ValueError", "cell 1 raised AssertionError"}


def test_an_error_does_not_exceed_the_limit_of_outputs(private_instance: Instance, tmp_path: Path) -> None:
    """The notebook keeps a shortened error."""
    api = private_instance.api()
    size = private_instance._components.limits.outputs
    handle = finished(api, tmp_path, f"raise ValueError('m' * {size})")

    error = error_of(api, handle["id"])
    assert len(error["evalue"]) <= DETAIL_SIZE
    assert sum(map(len, error["traceback"])) <= DETAIL_SIZE


@pytest.mark.skipif("sys.version_info < (3, 11)", reason="there are no groups of exceptions")
def test_a_group_of_exceptions_is_shown_with_its_parts(
    private_instance: Instance, tmp_path: Path, path: Json
) -> None:
    """The message has the traceback of each part."""
    handle = finished(private_instance.api(), tmp_path, GROUP, config=path)

    sentence, traceback = handle["messages"]
    assert sentence == "cell 1 raised ExceptionGroup: several (2 sub-exceptions)"
    assert "1 / 0" in traceback
    assert "ZeroDivisionError: division by zero" in traceback and "ValueError: inside" in traceback


@pytest.mark.parametrize("code", [TASK, THREAD])
def test_what_an_earlier_cell_prints_later_reaches_the_log(
    private_instance: Instance, tmp_path: Path, path: Json, code: str
) -> None:
    """A task and a thread print while a later cell is executed; what a task records is a metric."""
    wait = "await task" if code == TASK else "import time\ntime.sleep(0.5)"
    handle = finished(private_instance.api(), tmp_path, code, "turn.set()", wait, "print('end')", config=path)

    printed = private_instance.api().runs.get_log(handle["id"])["text"].splitlines()
    assert sorted(printed) == sorted(["of a task" if code == TASK else "of a thread", "end"])
    assert handle["metrics"] == ({"late": 1} if code == TASK else {})


@pytest.mark.parametrize("flush", ["", ", flush=True"])
def test_what_a_thread_prints_after_the_last_cell_reaches_the_log(
    private_instance: Instance, tmp_path: Path, path: Json, flush: str
) -> None:
    """The run ends after the thread, which need not flush what it printed."""
    handle = finished(private_instance.api(), tmp_path, AFTER.replace("FLUSH", flush), config=path)

    assert handle["state"] == "SUCCESS"
    assert private_instance.api().runs.get_log(handle["id"])["text"] == "of a thread\n"


def test_cells_are_counted_as_in_the_progress(private_instance: Instance, tmp_path: Path) -> None:
    """The executed notebook numbers the code cells that are executed, from 1; an empty one has no number."""
    handle = finished(private_instance.api(), tmp_path, "1", "  ", "raise ValueError('third')")

    notebook = json.loads(read(private_instance.api().runs.get_notebook(handle["id"])))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["metadata"]["runwidgets"].get("number") for cell in code] == [1, None, 2]
    assert (handle["progress"]["cell"], handle["progress"]["cells"]) == (2, 2)
    assert handle["messages"][0] == "cell 2 raised ValueError: third"
