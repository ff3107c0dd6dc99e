import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, get_worker

from runwidgets.errors import InvalidArgumentError, ServiceUnavailableError
from runwidgets.execution.dask import connection
from runwidgets.execution.processes import find_processes
from runwidgets.limits import Limits
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from runwidgets.service.integrity.doctor import check
from tests.builders import (
    CLEAN,
    DOUBLE,
    SLEEP,
    Json,
    accepted,
    checked_instance,
    ended,
    finished,
    group_of,
    read,
    running,
    wait_until,
    workflow,
)
from tests.cluster import Cluster
from tests.conftest import start_server
from tests.kernelspecs import metadata

HOLD = "import ctypes\nprint('begun', flush=True)\nctypes.PyDLL(None).sleep(600)"
CHILDREN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
open("part.txt", "w").write("half")
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
subprocess.Popen("setsid sleep 600 & disown", shell=True)
print("begun", flush=True)
time.sleep(600)
"""
ONCE = """
with open({path!r}, "a") as seen:
    seen.write("x")
open("part.txt", "w").write("half")
print("begun", flush=True)
import time
time.sleep({seconds})
"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Start a cluster that the test may damage."""
    started = Cluster(workers=1, threads=2)
    yield started
    started.close()


@pytest.fixture
def private_instance(cluster: Cluster, tmp_path: Path) -> Iterator[Instance]:
    """Open an instance on the cluster, and check its invariants at the end."""
    options: Json = {"limits": Limits(cancel_grace=1.0), "cluster": cluster.address}
    with checked_instance(tmp_path / "root", **options) as instance:
        yield instance


def once(path: Path, seconds: float = 600) -> str:
    """Return a cell that records each of its executions."""
    return ONCE.format(path=str(path), seconds=seconds)


def test_a_run_on_a_worker_has_the_same_results_as_a_local_one(
    private_instance: Instance, tmp_path: Path
) -> None:
    """State, metrics, log and files are transferred, and the environment of the worker is recorded."""
    handle = finished(private_instance.api(), tmp_path, "x = 21", DOUBLE)

    assert handle["state"] == "SUCCESS" and handle["metrics"] == {"double": 42}
    assert private_instance.api().runs.get_log(handle["id"])["text"] == "x is 21\n"
    notebook = read(private_instance.api().runs.get_notebook(handle["id"])).decode()
    assert '"papermill":' in notebook and '"packages":' in notebook and '"worker": "tcp://' in notebook


def test_a_run_on_a_worker_has_the_variables_of_its_config(
    private_instance: Instance, tmp_path: Path
) -> None:
    """They are added to the environment of the worker."""
    config = {"environment": {"WORD": "hello"}}
    cell = "import os\nprint(os.environ['WORD'], 'PATH' in os.environ, 'RUNWIDGETS_TOKEN' in os.environ)"

    handle = finished(private_instance.api(), tmp_path, cell, config=config)

    assert private_instance.api().runs.get_log(handle["id"])["text"] == "hello True False\n"


@pytest.mark.parametrize("cell", [SLEEP, CLEAN, HOLD, CHILDREN], ids=["loop", "finally", "gil", "children"])
def test_a_cancellation_ends_all_processes_on_the_worker(
    private_instance: Instance, tmp_path: Path, cell: str
) -> None:
    """No process of the run is left on the worker's machine after five seconds."""
    run_id = running(private_instance.api(), tmp_path, cell)["id"]

    assert private_instance.api().runs.cancel_run(run_id, "enough")["state"] == "CANCELED"
    wait_until(lambda: not find_processes(run_id), within=5.0)
    wait_until(lambda: not private_instance._backend._tracked)
    handle = private_instance.api().runs.get_run(run_id)
    assert handle["messages"] == ["enough"] and handle["partialFiles"][-1]["name"] == handle["notebook"]
    if cell == CLEAN:
        assert "cleaned up" in private_instance.api().runs.get_log(run_id)["text"]


def test_a_run_that_waits_in_the_cluster_is_cancelled_and_never_begins(
    private_instance: Instance, tmp_path: Path
) -> None:
    """No worker needs to have the resources that it asks for."""
    mark = tmp_path / "mark"
    run_id = accepted(private_instance.api(), tmp_path, once(mark), config={"resources": {"GPU": 1}})["id"]
    wait_until(lambda: private_instance.api().runs.get_run(run_id)["state"] == "RUNNING")

    private_instance.api().runs.cancel_run(run_id)
    wait_until(lambda: not private_instance._backend._tracked)
    assert not mark.exists()


def test_a_run_gets_the_resources_that_it_asks_for(tmp_path: Path) -> None:
    """The run waits for a worker that has them."""
    cluster = Cluster(2, 1, "--resources", "GPU=1")
    instance = open_instance(tmp_path / "root", cluster=cluster.address)
    try:
        handle = finished(instance.api(), tmp_path, "1 + 1", config={"resources": {"GPU": 1}})
        assert handle["state"] == "SUCCESS"
    finally:
        instance.close()
        cluster.close()


def test_resources_without_a_cluster_are_refused(tmp_path: Path) -> None:
    """They are not ignored."""
    instance = open_instance(tmp_path / "root")

    with pytest.raises(InvalidArgumentError, match=r"config\.resources"):
        accepted(instance.api(), tmp_path, "1 + 1", config={"resources": {"GPU": 1}})
    instance.close()


def test_a_kernel_that_the_worker_does_not_have_is_named(private_instance: Instance, tmp_path: Path) -> None:
    """The workers have the kernels: the run is accepted, and its error names the suitable ones."""
    api = private_instance.api()
    made = workflow(api, tmp_path, "1", **metadata("no-such"))

    handle = ended(api, api.runs.start_run(group_of(made), [])["id"])

    assert "warnings" not in made
    assert (handle["state"], handle["reason"]) == ("ERROR", "kernel_not_started")
    assert handle["messages"][0].startswith("kernel 'no-such': it is not installed here; ")
    assert "python3" in handle["messages"][0]
    other = ended(api, api.runs.start_run(group_of(made), [], {"kernel_name": "python3"})["id"])
    assert other["state"] == "SUCCESS", other["messages"]


def test_a_timeout_reaches_the_kernel(private_instance: Instance, tmp_path: Path) -> None:
    """The run ends in ERROR and names the limit."""
    handle = finished(private_instance.api(), tmp_path, CHILDREN, config={"timeout": 1})

    assert (handle["state"], handle["reason"]) == ("ERROR", "timeout")
    assert "limit of 1 s" in handle["messages"][0]
    wait_until(lambda: not find_processes(handle["id"]), within=5.0)


@pytest.mark.parametrize("has_package", [True, False], ids=["the same modules", "other modules"])
def test_a_run_on_a_worker_of_another_version_says_that_they_are_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_package: bool
) -> None:
    """The message names both versions and the remedy; no cell is executed."""
    other, mark = tmp_path / "other", tmp_path / "mark"
    (other / "runwidgets-0.0.9.dist-info").mkdir(parents=True)
    (other / "runwidgets-0.0.9.dist-info" / "METADATA").write_text("Name: runwidgets\nVersion: 0.0.9\n")
    if not has_package:
        (other / "runwidgets").mkdir()
        (other / "runwidgets" / "__init__.py").touch()
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(other))
        cluster = Cluster(1, 1)
    instance = open_instance(tmp_path / "root", cluster=cluster.address)
    try:
        handle = finished(instance.api(), tmp_path, once(mark, seconds=0))
    finally:
        instance.close()
        cluster.close()

    assert (handle["state"], handle["reason"]) == ("ERROR", "version_mismatch")
    assert "has runwidgets 0.0.9 and the server has runwidgets " in handle["messages"][0]
    assert handle["messages"][0].endswith("; install the same version of runwidgets on both")
    assert not mark.exists()


def test_a_run_whose_worker_is_killed_is_lost_and_runs_no_second_time(
    private_instance: Instance, cluster: Cluster, tmp_path: Path
) -> None:
    """Dask would move it to the other worker; all of its processes end with the first one."""
    mark = tmp_path / "mark"
    run_id = running(private_instance.api(), tmp_path, once(mark))["id"]
    cluster.start_worker()
    wait_until(lambda: cluster.count_workers() == 2)

    cluster.workers[0].kill()
    handle = ended(private_instance.api(), run_id)
    assert (handle["state"], handle["reason"]) == ("ERROR", "worker_lost")
    assert "worker was lost" in handle["messages"][0]
    assert [each["name"] for each in handle["partialFiles"]] == ["part.txt", handle["notebook"]]
    wait_until(lambda: not find_processes(run_id), within=5.0)
    assert finished(private_instance.api(), tmp_path, "1 + 1")["state"] == "SUCCESS"
    assert mark.read_text() == "x"


def test_a_run_whose_worker_is_killed_is_retried_if_configured(
    private_instance: Instance, cluster: Cluster, tmp_path: Path
) -> None:
    """It is retried on another worker, in an empty folder, as often as configured."""
    mark = tmp_path / "mark"
    cell = f"import pathlib\nseconds = 0 if pathlib.Path({str(mark)!r}).exists() else 600\n"
    cell += once(mark).replace("sleep(600)", "sleep(seconds)")
    run_id = running(private_instance.api(), tmp_path, cell, config={"retries": 1})["id"]
    cluster.start_worker()

    cluster.workers[0].kill()
    assert ended(private_instance.api(), run_id)["state"] == "SUCCESS"
    assert mark.read_text() == "xx"


def test_a_worker_that_is_terminated_ends_its_runs(
    private_instance: Instance, cluster: Cluster, tmp_path: Path
) -> None:
    """A batch system does this when the time of a job is over."""
    run_id = running(private_instance.api(), tmp_path, CHILDREN)["id"]
    cluster.start_worker()

    cluster.workers[0].send_signal(signal.SIGTERM)
    handle = ended(private_instance.api(), run_id)
    assert (handle["state"], handle["reason"]) == ("ERROR", "worker_lost")
    assert "worker was lost" in handle["messages"][0]
    assert [each["name"] for each in handle["partialFiles"]] == ["part.txt", handle["notebook"]]
    wait_until(lambda: not find_processes(run_id), within=5.0)


def test_a_restarted_scheduler_gets_waiting_runs_and_active_ones_are_lost(
    private_instance: Instance, cluster: Cluster, tmp_path: Path
) -> None:
    """Waiting runs are executed; active ones end with their worker, exactly once."""
    mark, later = tmp_path / "mark", tmp_path / "later"
    run_id = running(private_instance.api(), tmp_path, once(mark))["id"]

    cluster.kill_scheduler()
    waiting = accepted(private_instance.api(), tmp_path, once(later, seconds=0))["id"]
    cluster.start_scheduler()
    cluster.start_worker()
    lost, done = ended(private_instance.api(), run_id), ended(private_instance.api(), waiting)
    assert (lost["state"], lost["reason"]) == ("ERROR", "worker_lost") and "lost" in lost["messages"][0]
    assert done["state"] == "SUCCESS"
    wait_until(lambda: not find_processes(run_id), within=5.0)
    assert (mark.read_text(), later.read_text()) == ("x", "x")


@pytest.mark.parametrize("has_scheduler_plugin", [True, False], ids=["workers", "scheduler and workers"])
def test_a_run_that_reaches_a_cluster_before_the_plugins_is_executed(
    private_instance: Instance, cluster: Cluster, tmp_path: Path, has_scheduler_plugin: bool
) -> None:
    """Its task fails before it began, as on a new scheduler; it is submitted again, and executed once."""
    mark, topic = tmp_path / "mark", private_instance._backend._host
    assert finished(private_instance.api(), tmp_path, "1")["state"] == "SUCCESS"
    with Client(cluster.address, set_as_default=False) as client:
        client.unregister_worker_plugin(topic)
        if not has_scheduler_plugin:
            client.unregister_scheduler_plugin(topic)

    handle = finished(private_instance.api(), tmp_path, once(mark, seconds=0))

    assert handle["state"] == "SUCCESS", handle["messages"]
    assert mark.read_text() == "x"


def test_a_run_that_no_worker_can_begin_fails_after_some_attempts(
    private_instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Dask said is in the message, and the cluster works for other runs."""

    def broken(*_: object) -> None:
        raise LookupError("no such module on this worker")

    with monkeypatch.context() as patched:
        patched.setattr(connection, "make_task", lambda _: broken)
        handle = finished(private_instance.api(), tmp_path, "1")

    assert (handle["state"], handle["reason"]) == ("ERROR", "worker_failed")
    assert handle["messages"][0].startswith("no worker of the cluster could begin it: ")
    assert "no such module on this worker" in handle["messages"][0]
    assert finished(private_instance.api(), tmp_path, "1")["state"] == "SUCCESS"


@pytest.mark.parametrize("seconds", [0, 600], ids=["ended", "still runs"])
def test_a_task_that_fails_after_its_run_began_is_not_submitted_again(
    private_instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """A run executes once: it has the end in its journal, or ends in ERROR."""
    topic, mark = private_instance._backend._host, tmp_path / "mark"

    def fails_later(release: str | None, run_id: str, key: str, attempts: int) -> None:
        plugin: Any = get_worker().plugins[topic]
        if not seconds:
            plugin.execute(release, run_id, key, attempts)
        else:
            threading.Thread(target=plugin.execute, args=[release, run_id, key, attempts]).start()
            while not mark.exists():
                time.sleep(0.1)
        raise LookupError("lost")

    monkeypatch.setattr(connection, "make_task", lambda _: fails_later)
    run_id = running(private_instance.api(), tmp_path, once(mark, seconds))["id"]
    if seconds:
        wait_until(lambda: private_instance._backend._tracked[run_id].has_failed)
        for process in find_processes(run_id):
            process.kill()
    handle = ended(private_instance.api(), run_id)

    assert handle["state"] == ("ERROR" if seconds else "SUCCESS")
    assert mark.read_text() == "x"


@pytest.mark.parametrize("seconds", [1, 5], ids=["ended meanwhile", "still runs"])
def test_runs_on_workers_continue_when_their_server_is_killed(
    cluster: Cluster, tmp_path: Path, seconds: int
) -> None:
    """The next server adopts them by their keys, or by their files; each is executed once."""
    root, mark = tmp_path / "root", tmp_path / "mark"
    options = ["--RunWidgetsApp.backend=dask", f"--RunWidgetsApp.dask_scheduler={cluster.address}"]
    server = start_server(root, tmp_path, *options)
    with server.api() as api:
        handle = workflow(api, tmp_path, once(mark, seconds), "open('left.txt', 'w').write('left')")
        run_id = api.runs.start_run(group_of(handle), [])["id"]
        wait_until(lambda: api.runs.get_log(run_id)["size"])
    server.kill()
    if seconds == 1:
        wait_until(lambda: not find_processes(run_id))

    server = start_server(root, tmp_path, *options)
    with server.api() as api:
        done = ended(api, run_id)
        assert done["state"] == "SUCCESS" and done["files"][0]["name"] == "left.txt"
        wait_until(lambda: not _holding(root))
    server.stop()
    assert mark.read_text() == "x"
    assert check(root) == []


def test_a_sweep_on_a_cluster_whose_server_is_killed_ends_complete(cluster: Cluster, tmp_path: Path) -> None:
    """Each run is executed exactly once."""
    root, marks = tmp_path / "root", tmp_path / "marks"
    marks.mkdir()
    cell = f"import os\nwith open(os.path.join({str(marks)!r}, str(x)), 'a') as seen:\n    seen.write('x')"
    options = ["--RunWidgetsApp.backend=dask", f"--RunWidgetsApp.dask_scheduler={cluster.address}"]
    server = start_server(root, tmp_path, *options)
    with server.api() as api:
        group = group_of(workflow(api, tmp_path, cell, parameters="x = 0"))
        points = [[{"name": "x", "value": each}] for each in range(40)]
        sweep_id = api.sweeps.start_sweep(group, points)["id"]
        for least in (5, 20):
            wait_until(lambda least=least: len(list(marks.iterdir())) >= least)
            server.kill()
            server = start_server(root, tmp_path, *options)
    with server.api() as api:
        counts = wait_until(lambda: _counts(api, sweep_id), lambda seen: seen.get("SUCCESS") == 40)
        assert counts["SUCCESS"] == 40
        wait_until(lambda: not _holding(root))
    server.stop()
    assert sorted(each.read_text() for each in marks.iterdir()) == ["x"] * 40
    assert check(root) == []


def test_an_invalid_cluster_is_named(tmp_path: Path) -> None:
    """The error comes at once, and says what would be right."""
    with pytest.raises(ServiceUnavailableError, match="'no such place' is not an address"):
        open_instance(tmp_path / "root", cluster="no such place")


def test_runs_wait_for_a_scheduler_that_is_not_there_yet(tmp_path: Path) -> None:
    """The server starts, and runs are executed as soon as there is a scheduler."""
    cluster = Cluster(workers=0)
    cluster.kill_scheduler()
    instance = open_instance(tmp_path / "root", cluster=cluster.address)
    try:
        run_id = accepted(instance.api(), tmp_path, "1 + 1")["id"]
        assert instance.api().runs.get_run(run_id)["state"] == "PENDING"
        cluster.start_scheduler()
        cluster.start_worker()
        assert ended(instance.api(), run_id)["state"] == "SUCCESS"
    finally:
        instance.close()
        cluster.close()


def _counts(api: Api, sweep_id: str) -> Json:
    counts: Json = api.sweeps.get_sweep(sweep_id)["counts"]
    return counts


def _holding(root: Path) -> list[Any]:
    from runwidgets.service.factory import open_store
    from runwidgets.store.database.runs.runs import Runs

    _, database = open_store(root, is_read_only=True)
    try:
        return list(Runs(database).list_slot_holders())
    finally:
        database.close()
