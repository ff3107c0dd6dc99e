"""What a run without success leaves: listed, downloadable one by one, and never among the results."""

import hashlib
import json
import os
import shutil
import signal
from contextlib import closing
from pathlib import Path

import nbformat
import pytest

import runwidgets as rw
from runwidgets.errors import UnknownFileError, UnknownRunError
from runwidgets.execution.processes import find_processes
from runwidgets.execution.runner.files.partial_files import HASHED_SIZE
from runwidgets.limits import Limits
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from runwidgets.service.integrity.doctor import check
from runwidgets.store.files.layout import WORKDIR
from tests.builders import (
    CLEAN,
    SLEEP,
    Json,
    accepted,
    ended,
    finished,
    group_of,
    read,
    running,
    wait_until,
    workflow,
    write_notebook,
)

WRITE = """
import os, signal
os.mkdir("deep")
open("deep/part.txt", "w").write("half")
open("é.bin", "wb").write(b"x")
"""
HOLD = "import ctypes\nprint(1, flush=True)\nctypes.PyDLL(None).sleep(60)"
"""A cell that ignores the interrupt."""
CHANGE = "open('changed.csv', 'w').write('2')\nopen('longer.csv', 'a').write('2')"
COUNT = "n = open({!r}, 'a+')\nn.write('x')\nn.seek(0)\nopen(f'{{len(n.read())}}.txt', 'w')"
"""A cell that writes a file which is named after the attempt."""
LARGE = f"open('large', 'wb').truncate({HASHED_SIZE + 1})\nopen('small', 'w')"
MANY = """
open("input.txt")
for name, size in [("a", 600), ("b", 600), ("c", 300), ("d", 1), ("e", 1), ("f", 1)]:
    open(name, "w").write("x" * size)
"""
FAILURES: dict[str, tuple[str, Json]] = {
    "cell_error": ("1 / 0", {}),
    "kernel_died": ("os._exit(7)", {}),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", {}),
    "timeout": (SLEEP, {"timeout": 2}),
    "cell_timeout": (SLEEP, {"cell_timeout": 1}),
    "retries": ("1 / 0", {"retries": 1}),
    "spawn": ("1 / 0", {"isolation": "spawn"}),
    "zmq": ("1 / 0", {"transport": "zmq"}),
}
"""By name, a last cell and the config with which a run fails."""


def settled(api: Api, run_id: str) -> Json:
    """Wait until a run and all of its processes have ended."""
    ended(api, run_id)
    return wait_until(lambda: api.runs.get_run(run_id), lambda handle: "isEnding" not in handle)


def check_files(api: Api, handle: Json) -> None:
    """Check that the partial files are those that `WRITE` leaves, and that they are not results."""
    contents = {
        each["name"]: read(api.runs.get_partial_file(handle["id"], each["id"]))
        for each in handle["partialFiles"]
    }
    assert list(contents) == ["deep/part.txt", "é.bin", handle["notebook"]] and "files" not in handle
    assert (contents["deep/part.txt"], contents["é.bin"]) == (b"half", b"x")
    for each in handle["partialFiles"]:
        content = contents[each["name"]]
        assert (each["size"], each["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        with pytest.raises(UnknownFileError, match="has no such result file"):
            api.runs.get_result_file(handle["id"], each["id"])
    executed = nbformat.reads(contents[handle["notebook"]].decode(), as_version=4)
    assert executed.cells[1].metadata.runwidgets.status == "ok"
    with pytest.raises(UnknownRunError, match="only a SUCCESS run has an archive"):
        api.runs.get_result_archive(handle["id"])


@pytest.mark.parametrize("name", FAILURES)
def test_a_run_that_fails_keeps_its_files(api: Api, folder: Path, name: str) -> None:
    """However it fails, its files and its executed notebook are listed when it has ended."""
    cell, config = FAILURES[name]

    handle = finished(api, folder, WRITE, cell, config=config)

    assert handle["state"] == "ERROR"
    check_files(api, handle)


@pytest.mark.parametrize("cell", [SLEEP, CLEAN, HOLD])
def test_a_cancelled_run_keeps_its_files(api: Api, folder: Path, cell: str) -> None:
    """They are listed once its processes have ended, which an event tells."""
    run_id = running(api, folder, WRITE, cell)["id"]
    seen = api.events.last_event()

    assert api.runs.cancel_run(run_id)["isEnding"]
    with closing(api.events.follow_events(seen, run_id=run_id)) as events:
        assert "files" in (each["kind"] for each in events)

    handle = api.runs.get_run(run_id)
    assert handle["state"] == "CANCELED" and "isEnding" not in handle
    check_files(api, handle)


def test_a_run_whose_runner_is_killed_keeps_its_files(api: Api, folder: Path) -> None:
    """The instance lists them then."""
    run_id = running(api, folder, WRITE, SLEEP)["id"]
    processes = {each.pid: each.ppid() for each in find_processes(run_id)}
    (runner,) = [pid for pid, parent in processes.items() if parent not in processes]
    wait_until(lambda: b'"status": "ok"' in read(api.runs.get_notebook(run_id)))

    os.kill(runner, signal.SIGKILL)

    handle = settled(api, run_id)
    assert (handle["state"], handle["reason"]) == ("ERROR", "runner_died")
    check_files(api, handle)


def test_a_run_without_a_declared_output_keeps_the_others(api: Api, folder: Path) -> None:
    """They have the titles of the template."""
    outputs = [{"source": "deep/*.txt", "title": "Part"}, {"source": "missing.csv"}]

    made = workflow(api, folder, WRITE, runwidgets={"outputs": outputs})
    handle = ended(api, api.runs.start_run(group_of(made), [])["id"])

    assert handle["reason"] == "outputs_missing"
    assert handle["partialFiles"][0]["title"] == "Part"
    check_files(api, handle)


def test_a_run_that_never_began_has_no_files(api: Api, folder: Path) -> None:
    """It has not even an executed notebook."""
    busy = [running(api, folder, SLEEP)["id"] for _ in range(2)]
    waiting = accepted(api, folder, WRITE)["id"]

    handle = api.runs.cancel_run(waiting)

    for run_id in busy:
        api.runs.cancel_run(run_id)
    assert handle["partialFiles"] == [] and "isEnding" not in handle


def test_a_successful_run_has_no_partial_files(api: Api, folder: Path) -> None:
    """Its result files are opened as such only."""
    handle = finished(api, folder, WRITE)

    assert "partialFiles" not in handle
    for each in handle["files"]:
        with pytest.raises(UnknownFileError, match=r"SUCCESS run .* has no such partial file"):
            api.runs.get_partial_file(handle["id"], each["id"])


def test_an_input_is_no_partial_file_unless_the_run_changed_it(api: Api, folder: Path) -> None:
    """The same holds for results."""
    for name in ("kept.csv", "changed.csv", "longer.csv"):
        (folder / name).write_text("1")
    read_all = "print(open('kept.csv').read(), open('changed.csv').read(), open('longer.csv').read())"

    handle = finished(api, folder, read_all, CHANGE, "1 / 0")

    assert [each["name"] for each in handle["partialFiles"][:-1]] == ["changed.csv", "longer.csv"]


def test_only_the_last_attempt_counts(api: Api, folder: Path, tmp_path: Path) -> None:
    """Each attempt begins with an empty folder."""
    count = COUNT.format(str(tmp_path / "n"))

    handle = finished(api, folder, count, "1 / 0", config={"retries": 1})

    assert [each["name"] for each in handle["partialFiles"][:-1]] == ["2.txt"]


def test_a_large_file_is_not_hashed(api: Api, folder: Path) -> None:
    """It is listed and measured like any other."""
    handle = finished(api, folder, LARGE, "1 / 0")

    large, small, _ = handle["partialFiles"]
    assert large["size"] == HASHED_SIZE + 1 and "sha256" not in large and "sha256" in small
    with api.runs.get_partial_file(handle["id"], large["id"]) as stream:
        assert stream.read(1) == b"\0"


def test_nothing_remains_of_a_deleted_run(api: Api, folder: Path) -> None:
    """Its partial files are deleted with it."""
    handle = finished(api, folder, WRITE, "1 / 0")

    api.runs.delete_run(handle["id"])

    with pytest.raises(UnknownRunError):
        api.runs.get_partial_file(handle["id"], handle["partialFiles"][0]["id"])


def test_a_run_in_python_has_its_partial_files_by_name(api: Api, folder: Path, tmp_path: Path) -> None:
    """Those of a cancelled one are waited for; they are not results."""
    cell = "if k:\n    1 / 0\n" + SLEEP
    path = write_notebook(folder / "partial.ipynb", WRITE, cell, parameters="k: int = 1")
    failed = rw.run(path, api=api).wait(60)
    stopped = rw.run(path, api=api, k=0)
    wait_until(lambda: stopped.log)

    stopped.cancel().wait(60)

    for run in (failed, stopped):
        assert list(run.partial_files) == ["deep/part.txt", "é.bin", "partial.ipynb"] and run.files == {}
        part = run.partial_files["deep/part.txt"]
        assert part.read_text() == "half" and part.save(tmp_path).read_text() == "half"
        assert repr(part) == "PartialFile('deep/part.txt', 4 bytes)"


@pytest.fixture
def strict(tmp_path: Path) -> Instance:
    """Open an instance with small limits."""
    return open_instance(tmp_path / "root", slots=1, limits=Limits(result_files=3, result_size=1_000))


def test_no_more_is_kept_than_the_limits_allow(strict: Instance, tmp_path: Path) -> None:
    """The first files that fit are kept, all others removed, which the log tells."""
    api = strict.api()
    (tmp_path / "input.txt").write_text("given")
    handle = finished(api, tmp_path, MANY)

    assert handle["reason"] == "results_too_large"
    assert [each["name"] for each in handle["partialFiles"][:-1]] == ["a", "c", "d"]
    folder = strict._components.files.local.run_folder(handle["id"])  # type: ignore[union-attr]
    assert sorted(path.name for path in (folder / WORKDIR).iterdir()) == ["a", "c", "d", "input.txt"]
    log = api.runs.get_log(handle["id"])["text"]
    assert "3 partial files were not kept: the limits of a run are 3 files" in log
    wait_until(lambda: not strict._backend._tracked)  # type: ignore[attr-defined]
    strict.close()
    assert check(tmp_path / "root") == []


def test_runs_of_another_server_are_listed_after_a_restart(strict: Instance, tmp_path: Path) -> None:
    """The server was killed while they ended; nothing is lost."""
    api = strict.api()
    run_id = running(api, tmp_path, "open('a', 'w')", SLEEP)["id"]
    folder = strict._components.files.local.run_folder(run_id)  # type: ignore[union-attr]
    strict.close()
    started = json.loads((folder / "journal.jsonl").read_text().splitlines()[0])
    os.kill(started["pid"], signal.SIGKILL)

    again = open_instance(tmp_path / "root", slots=1)

    handle = settled(again.api(), run_id)
    assert [each["name"] for each in handle["partialFiles"][:-1]] == ["a"]
    again.close()
    shutil.rmtree(tmp_path / "root")
