import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pandas
import psutil
import pytest
from pandas.testing import assert_frame_equal

import runwidgets as rw
from runwidgets.errors import ServiceUnavailableError
from runwidgets.execution.processes import RUN_VARIABLE, find_processes
from runwidgets.service.factory import Instance, open_instance
from runwidgets.service.integrity.doctor import check
from runwidgets.store.database import database
from tests.builders import accepted, ended, group_of, running, wait_until, workflow, write_notebook
from tests.conftest import start_server

SQUARE = "import runwidgets\nrunwidgets.record('square', x * x)\nopen('x.txt', 'w').write(str(x))"
HOST = """
import sys, time
from pathlib import Path
from runwidgets.service.factory import open_instance

instance = open_instance(Path(sys.argv[1]), slots=2)
api = instance.api()
for source in sys.argv[2:]:
    group = api.workflows.create_workflow(source)["groups"][0]["id"]
    api.sweeps.start_sweep(group, [[{"name": "x", "value": at}] for at in range(200)])
print("open", flush=True)
time.sleep(600)
"""
"""What a kernel does that embeds an instance, perhaps starts a sweep, and then hangs."""


def embed(root: Path, *sources: Path) -> "subprocess.Popen[str]":
    """Open an instance in a process of its own, which only a signal ends."""
    command = [sys.executable, "-c", HOST, str(root), *map(str, sources)]
    process = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == "open\n"
    return process


def ask(root: Path, question: str) -> int:
    """Return a single value from the database."""
    connection = sqlite3.connect(f"file:{root / 'runwidgets.db'}?mode=ro", uri=True)
    (number,) = connection.execute(f"SELECT count(*) FROM runs WHERE {question}").fetchone()
    connection.close()
    return int(number)


def read_frame(root: Path, start: Path | None = None) -> pandas.DataFrame:
    """Return the results of the only sweep of a root, which is started if requested."""
    instance = open_instance(root, slots=2)
    api = instance.api()
    if start is not None:
        rw.sweep(start, x=range(200), api=api).wait()
    (group,) = api.groups.list_groups()["groups"]
    (sweep,) = api.sweeps.list_sweeps(group["id"])["sweeps"]
    frame = rw.Sweep(api, sweep["id"]).to_frame()
    instance.close()
    return frame.drop(columns=["run", "created", "started", "finished", "duration"])


def attempts(root: Path, run_id: str) -> int:
    """Return how often a run began."""
    text = (root / "runs" / run_id / "journal.jsonl").read_text()
    return sum(json.loads(line)["kind"] == "started" for line in text.splitlines())


def orphans(root: Path) -> list[psutil.Process]:
    """Return the processes that serve a root or belong to its runs."""
    ids = {each.name for each in (root / "runs").iterdir()}
    found = []
    for process in psutil.process_iter():
        try:
            marker = process.environ().get(RUN_VARIABLE, "")
        except psutil.Error:
            continue
        if marker in ids:
            found.append(process)
    return found


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> pandas.DataFrame:
    """Return the data frame of an undisturbed sweep."""
    notebook = write_notebook(folder / "calm.ipynb", SQUARE, parameters="x = 1")
    return read_frame(tmp_path_factory.mktemp("calm") / "root", start=notebook)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["server", "embedded"])
def test_a_sweep_whose_host_is_killed_three_times_ends_complete(
    tmp_path: Path, folder: Path, calm: pandas.DataFrame, kind: str
) -> None:
    """Two hundred runs are each executed exactly once; no process, file or row remains.

    The data frame equals that of an undisturbed sweep.
    """
    root = tmp_path / "root"
    notebook = write_notebook(folder / f"{kind}.ipynb", SQUARE, parameters="x = 1")
    host: Any
    if kind == "server":
        host = start_server(root, folder, "--RunWidgetsApp.slots=2")
        with host.api() as api:
            group = api.workflows.create_workflow(str(notebook))["groups"][0]["id"]
            api.sweeps.start_sweep(group, [[{"name": "x", "value": at}] for at in range(200)])
    else:
        host = embed(root, notebook)

    for share in (0.2, 0.5, 0.8):
        least = round(200 * share) + random.randrange(20)
        wait_until(
            lambda: ask(root, "state = 'SUCCESS'"), lambda count, least=least: count >= least, within=120
        )
        process = host.process if kind == "server" else host
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        host = start_server(root, folder, "--RunWidgetsApp.slots=2") if kind == "server" else embed(root)
    wait_until(lambda: ask(root, "state = 'SUCCESS'"), lambda count: count == 200, within=120)

    wait_until(lambda: not ask(root, "holds_slot") and not orphans(root), within=10)
    folders = [each.name for each in (root / "runs").iterdir()]
    assert len(folders) == ask(root, "1") == 200
    assert [attempts(root, run_id) for run_id in folders] == [1] * 200
    assert check(root) == []
    if kind == "server":
        host.stop()
    else:
        host.kill()
        host.wait()
    frame = read_frame(root)
    assert frame["square"].tolist() == [at * at for at in range(200)]
    assert_frame_equal(frame, calm)


def test_when_one_of_two_instances_dies_the_other_takes_over(tmp_path: Path, folder: Path) -> None:
    """It takes over tracked and waiting runs."""
    root = tmp_path / "root"
    host = embed(root)
    mine = open_instance(root, slots=2)
    api = mine.api()
    ids = [running(api, folder, "import time\nprint(1, flush=True)\ntime.sleep(2)")["id"] for _ in range(2)]
    ids += [accepted(api, folder, "1")["id"] for _ in range(3)]

    host.kill()
    host.wait()

    assert [ended(api, run_id)["state"] for run_id in ids] == ["SUCCESS"] * 5
    assert [attempts(root, run_id) for run_id in ids] == [1] * 5
    wait_until(lambda: len(list((root / "instances").iterdir())) == 1)
    mine.close()


def test_runs_survive_the_death_of_their_fork_server(tmp_path: Path, folder: Path) -> None:
    """A run is tracked by its journal; the next ones are forked from a new server."""
    instance = open_instance(tmp_path / "root", slots=1)
    api = instance.api()
    run_id = running(api, folder, "import time\nprint(1, flush=True)\ntime.sleep(1)")["id"]
    (server,) = [each for each in instance._backend._servers._servers if run_id in each.runs]

    server.process.kill()

    assert ended(api, run_id)["state"] == "SUCCESS"
    assert ended(api, accepted(api, folder, "1")["id"])["state"] == "SUCCESS"
    assert server.process.returncode == -signal.SIGKILL
    instance.close()


@pytest.mark.parametrize("choice", ["keep", "cancel"])
def test_a_server_that_gets_two_stop_signals_stops(tmp_path: Path, folder: Path, choice: str) -> None:
    """It stops within ten seconds; its runs continue or are cancelled, as configured."""
    root = tmp_path / "root"
    server = start_server(root, folder, f"--RunWidgetsApp.on_shutdown={choice}")
    with server.api() as api:
        seconds = 6 if choice == "keep" else 600
        run_id = running(api, folder, f"import time\nprint(1, flush=True)\ntime.sleep({seconds})")["id"]

        server.process.terminate()
        server.process.terminate()
        server.process.wait(10)

    if choice == "keep":
        assert find_processes(run_id)
    journal = root / "runs" / run_id / "journal.jsonl"
    wait_until(lambda: '"finished"' in journal.read_text())
    wait_until(lambda: not find_processes(run_id), within=5)
    instance = open_instance(root)
    assert ended(instance.api(), run_id)["state"] == ("SUCCESS" if choice == "keep" else "CANCELED")
    instance.close()


def locked(root: Path) -> sqlite3.Connection:
    """Hold the write lock of a root's database."""
    connection = sqlite3.connect(root / "runwidgets.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_a_locked_database_refuses_a_start_and_loses_no_run(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start is refused with a time to wait; the end of a run is stored after the lock is released."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.5)
    root = tmp_path / "root"
    instance = open_instance(root, slots=1)
    api = instance.api()
    group = group_of(workflow(api, folder, "1"))
    run_id = running(api, folder, "import time\nprint(1, flush=True)\ntime.sleep(0.5)")["id"]

    connection = locked(root)
    with pytest.raises(ServiceUnavailableError, match="locked") as refused:
        api.runs.start_run(group, [])
    wait_until(lambda: '"finished"' in (root / "runs" / run_id / "journal.jsonl").read_text())
    connection.execute("ROLLBACK")
    connection.close()

    assert refused.value.status == 503
    assert ended(api, run_id)["state"] == "SUCCESS"
    assert api.runs.list_runs(group)["runs"] == []
    assert [each.name for each in (root / "runs").iterdir()] == [run_id]
    instance.close()


def test_a_locked_database_does_not_stop_the_server(tmp_path: Path, folder: Path) -> None:
    """Other requests are served in the meantime; the waiting one gets a 503 with the time of a retry."""
    server = start_server(tmp_path / "root", folder)
    headers = {"Authorization": f"token {server.token}"}
    with server.api() as api:
        group = group_of(workflow(api, folder, "1"))
    responses: list[httpx.Response] = []

    def start() -> None:
        url = f"{server.api_url}groups/{group}/runs"
        responses.append(httpx.post(url, json={"arguments": []}, headers=headers, timeout=60))

    connection = locked(server.root)
    thread = threading.Thread(target=start)
    thread.start()
    slowest = 0.0
    while thread.is_alive():
        begun = time.monotonic()
        assert httpx.get(server.api_url, headers=headers, timeout=60).is_success
        slowest = max(slowest, time.monotonic() - begun)
    connection.execute("ROLLBACK")
    connection.close()

    assert slowest < 2
    assert responses[0].status_code == 503
    assert int(responses[0].headers["Retry-After"]) > 0
    assert "locked" in responses[0].json()["message"]
    server.stop()


def test_damage_of_an_open_database_is_an_error(tmp_path: Path, folder: Path) -> None:
    """The database is not created again, neither then nor at the next start."""
    root = tmp_path / "root"
    instance = open_instance(root, slots=1)
    api = instance.api()
    group = group_of(workflow(api, folder, "1"))
    ended(api, api.runs.start_run(group, [])["id"])
    instance.close()
    for path in root.glob("runwidgets.db*"):
        path.write_bytes(b"\x00" * 100 + os.urandom(path.stat().st_size or 4096))

    with pytest.raises(ServiceUnavailableError, match="damaged"):
        open_instance(root)

    assert (root / "runwidgets.db").read_bytes()[:100] == b"\x00" * 100


def test_many_starts_with_one_key_from_many_clients_are_one_run(
    private_instance: Instance, folder: Path
) -> None:
    """All of them get the handle of that run."""
    api = private_instance.api()
    group = group_of(workflow(api, folder, "1"))
    found: list[str] = []

    def start() -> None:
        found.append(api.runs.start_run(group, [], {"key": "once"})["id"])

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8 and len(set(found)) == 1
    assert ended(api, found[0])["state"] == "SUCCESS"
    assert len(api.runs.list_runs(group)["runs"]) == 1
