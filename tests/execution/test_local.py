import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from runwidgets.errors import UnknownRunError
from runwidgets.execution.processes import find_processes
from runwidgets.limits import Limits
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from runwidgets.service.integrity.doctor import check
from runwidgets.store.locks import hold_lock, is_locked
from tests.builders import SLEEP, accepted, ended, finished, read, running, wait_until

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
subprocess.Popen("setsid sleep 600 & disown", shell=True)
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of an instance of the test."""
    return tmp_path / "root"


@pytest.fixture
def private_instance(root: Path) -> Iterator[Instance]:
    """Open an instance that the test may damage."""
    instance = open_instance(root, slots=2, limits=Limits(cancel_grace=1.0))
    yield instance
    instance.close()


def journal(root: Path, run_id: str) -> list[dict[str, Any]]:
    """Return the records of a runner."""
    path = root / "runs" / run_id / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def pid_of(root: Path, run_id: str, kind: str) -> int:
    """Return the process of a run's runner (`started`) or kernel."""
    return int(next(each["pid"] for each in journal(root, run_id) if each["kind"] == kind))


def test_no_process_of_a_cancelled_run_is_left(private_instance: Instance, tmp_path: Path) -> None:
    """A kernel that ignores the interrupt, its child in another session, and a daemon all end."""
    api = private_instance.api()
    run_id = running(api, tmp_path, STUBBORN)["id"]
    assert len(find_processes(run_id)) >= 4

    api.runs.cancel_run(run_id)

    wait_until(lambda: not find_processes(run_id), within=10)


def test_a_run_deleted_right_after_its_cancel_leaves_nothing(
    private_instance: Instance, root: Path, tmp_path: Path
) -> None:
    """It is unknown while its processes are still ending; then its directory is removed too."""
    api = private_instance.api()
    run_id = running(api, tmp_path, STUBBORN)["id"]

    api.runs.cancel_run(run_id)
    api.runs.delete_run(run_id)

    with pytest.raises(UnknownRunError):
        api.runs.get_run(run_id)
    wait_until(lambda: not find_processes(run_id) and not list(root.glob(f"runs/*{run_id}*")), within=10)


def test_a_run_that_ended_leaves_no_process(private_instance: Instance, tmp_path: Path) -> None:
    """It may have succeeded with children still running."""
    cell = "import subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True)"
    handle = finished(private_instance.api(), tmp_path, cell)

    assert handle["state"] == "SUCCESS"
    wait_until(lambda: not find_processes(handle["id"]), within=5)


DEATHS = {"started": "runner_died", "kernel": "kernel_died"}


@pytest.mark.parametrize("kind", DEATHS)
def test_a_process_that_is_killed_ends_the_run_in_an_error(
    private_instance: Instance, root: Path, tmp_path: Path, kind: str
) -> None:
    """The runner or the kernel is killed: the messages say so, and the rest of the tree ends too."""
    api = private_instance.api()
    run_id = running(api, tmp_path, SLEEP)["id"]

    os.kill(pid_of(root, run_id, kind), signal.SIGKILL)
    handle = ended(api, run_id)

    assert (handle["state"], handle["reason"]) == ("ERROR", DEATHS[kind])
    assert "killed by SIGKILL" in handle["messages"][0]
    wait_until(lambda: not find_processes(run_id), within=5)
    nbformat.validate(nbformat.reads(read(api.runs.get_notebook(run_id)).decode(), as_version=4))


def test_runs_outlive_their_instance_and_the_next_one_takes_them_over(root: Path, tmp_path: Path) -> None:
    """A running run is tracked, an ended run gets its end, and a waiting run is started."""
    first = open_instance(root, slots=2)
    api = first.api()
    slow = running(api, tmp_path, "import time\nprint('begun', flush=True)\ntime.sleep(4)")["id"]
    quick = running(api, tmp_path, "import time\nprint('begun', flush=True)\ntime.sleep(1)")["id"]
    waiting = accepted(api, tmp_path, "1")["id"]
    first.close()
    wait_until(lambda: journal(root, quick)[-1]["kind"] == "finished")

    with open_instance(root, slots=2).api() as again:
        assert [ended(again, run_id)["state"] for run_id in (quick, slow, waiting)] == ["SUCCESS"] * 3
    assert [each["kind"] for each in journal(root, slow)].count("started") == 1


def test_a_run_whose_runner_died_unobserved_is_an_error(root: Path, tmp_path: Path) -> None:
    """No instance was open; the next one detects it."""
    first = open_instance(root, slots=1)
    run_id = running(first.api(), tmp_path, SLEEP)["id"]
    first.close()

    os.kill(pid_of(root, run_id, "started"), signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid_of(root, run_id, "started")))
    second = open_instance(root, slots=1)
    handle = ended(second.api(), run_id)

    assert (handle["state"], handle["reason"]) == ("ERROR", "runner_died")
    assert handle["messages"] == ["the runner was lost"]
    wait_until(lambda: not find_processes(run_id), within=5)
    second.close()


def change_format(root: Path, run_id: str, name: str) -> None:
    """Change a file of a run as if another version had written it."""
    path = root / "runs" / run_id / name
    text = path.read_text()
    assert '"format": 1' in text
    path.write_text(text.replace('"format": 1', '"format": 2'))


@pytest.mark.parametrize("name", ["journal.jsonl", "run.json"])
def test_a_run_of_another_version_is_recognised(root: Path, tmp_path: Path, name: str) -> None:
    """Its files are not misread: the run ends in ERROR, with its processes, and the message says why."""
    first = open_instance(root, slots=1)
    run_id = running(first.api(), tmp_path, SLEEP)["id"]
    first.close()
    change_format(root, run_id, name)

    second = open_instance(root, slots=1)
    handle = ended(second.api(), run_id)
    wait_until(lambda: not find_processes(run_id), within=5)
    wait_until(lambda: not second._backend._tracked)
    second.close()

    assert (handle["state"], handle["reason"]) == ("ERROR", "version_mismatch")
    assert handle["messages"][0].startswith(f"{name}: it has format 2, and this version")
    assert [each.problem for each in check(root) if "format 2" not in each.problem] == []


def test_a_waiting_run_of_another_version_is_not_started(
    private_instance: Instance, root: Path, tmp_path: Path
) -> None:
    """It ends in ERROR as soon as a slot is free, and its lock is free too."""
    api = private_instance.api()
    executing = [running(api, tmp_path, SLEEP)["id"] for _ in range(2)]
    run_id = accepted(api, tmp_path, "1")["id"]
    change_format(root, run_id, "run.json")

    api.runs.cancel_run(executing[0])
    handle = ended(api, run_id)

    assert (handle["state"], handle["reason"]) == ("ERROR", "version_mismatch")
    assert not is_locked(root / "runs" / run_id / "lock") and not journal(root, run_id)


def test_a_runner_refuses_a_run_of_another_version(root: Path, tmp_path: Path) -> None:
    """It says so in the journal, and executes nothing."""
    instance = open_instance(root, slots=1)
    running(instance.api(), tmp_path, SLEEP)
    run_id = accepted(instance.api(), tmp_path, "1")["id"]
    instance.close()
    change_format(root, run_id, "run.json")
    folder = root / "runs" / run_id
    lock = hold_lock(folder / "lock")
    assert lock is not None

    command = [
        sys.executable,
        "-m",
        "runwidgets.execution.runner",
        str(folder),
        str(root / "copies"),
        str(lock),
    ]
    subprocess.run(command, pass_fds=[lock], check=False)
    os.close(lock)

    last = journal(root, run_id)[-1]
    assert (last["kind"], last["state"], last["reason"]) == ("finished", "ERROR", "version_mismatch")
    assert "it has format 2" in last["messages"][0] and not (folder / "output.ipynb").exists()
    open_instance(root, on_shutdown="cancel").close()


def test_two_instances_on_one_root_share_the_slots(root: Path, tmp_path: Path) -> None:
    """Each run is executed once, and never more at a time than the host has slots."""
    services = [open_instance(root, slots=2) for _ in range(2)]
    apis = [instance.api() for instance in services]
    started = [
        accepted(api, tmp_path, "import time\ntime.sleep(0.5)")["id"] for api in apis for _ in range(3)
    ]

    runs = [ended(apis[0], run_id) for run_id in started]

    assert {run["state"] for run in runs} == {"SUCCESS"}
    moves = sorted([(run["startedAt"], 1) for run in runs] + [(run["finishedAt"], -1) for run in runs])
    assert max(accumulate(change for _, change in moves)) <= 2
    assert all([each["kind"] for each in journal(root, run_id)].count("started") == 1 for run_id in started)
    for instance in services:
        instance.close()


def test_an_instance_may_cancel_its_runs_when_it_is_closed(root: Path, tmp_path: Path) -> None:
    """With `on_shutdown="cancel"`, no run continues, and the reason is stored."""
    instance = open_instance(root, slots=1, on_shutdown="cancel", limits=Limits(cancel_grace=1.0))
    run_id = running(instance.api(), tmp_path, SLEEP)["id"]

    instance.close()

    assert find_processes(run_id) == []
    again = open_instance(root)
    handle = again.api().runs.get_run(run_id)
    assert (handle["state"], handle["reason"]) == ("CANCELED", "shutdown")
    assert handle["messages"] == ["the server was shut down"]
    again.close()


def test_outputs_are_limited_and_the_log_has_the_rest(root: Path, tmp_path: Path) -> None:
    """A notebook that prints endlessly remains small; the cut is marked."""
    instance = open_instance(root, limits=Limits(outputs=100_000))
    api: Api = instance.api()
    cell = "for number in range(20_000):\n    print('line', number)"

    handle = finished(api, tmp_path, cell)

    content = read(api.runs.get_notebook(handle["id"])).decode()
    assert handle["state"] == "SUCCESS"
    assert len(content) < 250_000 and "output cut here" in content
    size = api.runs.get_log(handle["id"])["size"]
    assert api.runs.get_log(handle["id"], size - 11)["text"] == "line 19999\n"
    instance.close()


def test_the_stored_notebook_is_strict_json_at_any_time(private_instance: Instance, tmp_path: Path) -> None:
    """It is read repeatedly while cells write: it is always complete and valid, and never has NaN."""
    cell = "from IPython.display import display\ndisplay({'application/json': {'x': float('nan')}}, raw=True)"
    many = "for number in range(200):\n    print('x' * 2000)"
    api = private_instance.api()
    run_id = accepted(api, tmp_path, cell, *[many] * 10)["id"]

    def look() -> bool:
        text = read(api.runs.get_notebook(run_id)).decode()
        json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        nbformat.validate(nbformat.reads(text, as_version=4))
        return api.runs.get_run(run_id)["state"] not in {"PENDING", "RUNNING"}

    wait_until(look)
    assert api.runs.get_run(run_id)["state"] == "SUCCESS"


def test_folders_and_files_are_private(private_instance: Instance, root: Path, tmp_path: Path) -> None:
    """Their modes are 0700 and 0600."""
    finished(private_instance.api(), tmp_path, "print(1)")

    for path in [root, *root.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
