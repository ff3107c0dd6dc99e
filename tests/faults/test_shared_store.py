"""Two Jupyter servers on one PostgreSQL and one object store; workers that share no folder with them."""

import json
from collections.abc import Iterator
from itertools import islice

import fsspec
import pytest

from runwidgets.execution.processes import find_processes
from runwidgets.service.integrity.doctor import check
from tests.builders import arguments, ended, group_of, read, wait_until, workflow
from tests.cluster import Cluster
from tests.conftest import JupyterServer, start_server
from tests.postgres import Postgres
from tests.s3 import S3

CELL = """
import runwidgets, time
print("begun", x, flush=True)
runwidgets.record("double", 2 * x)
with open("x.txt", "w") as written:
    written.write(str(x))
time.sleep(600 if x < 0 else 0)
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Start an object store."""
    s3 = S3()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.variables.items():
            patch.setenv(name, value)
        yield s3.bucket()
    s3.stop()


@pytest.fixture(scope="module")
def pair(
    bucket: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[JupyterServer, JupyterServer]]:
    """Start two servers with separate caches, and check the invariants at the end."""
    folder = tmp_path_factory.mktemp("pair")
    postgres, cluster = Postgres(), Cluster(workers=2, threads=1)
    root, db_url = f"{bucket}/instance", postgres.url(folder)
    servers = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        options = {
            "root": root,
            "cache": folder / name / "cache",
            "db_url": db_url,
            "backend": "dask",
            "dask_scheduler": cluster.address,
        }
        options_line = [f"--RunWidgetsApp.{option}={value}" for option, value in options.items()]
        servers.append(start_server(folder / name / "cache", folder, *options_line))
    yield servers[0], servers[1]
    for server in servers:
        server.stop()
    assert check(root, db_url) == []
    cluster.close()
    postgres.remove()


def test_a_sweep_started_on_one_is_seen_live_and_downloaded_on_the_other(
    pair: tuple[JupyterServer, JupyterServer],
) -> None:
    """States, metrics and files are the same on both."""
    one, two = pair
    with one.api() as here, two.api() as there:
        made = workflow(here, one.folder, CELL, parameters="x = 0")
        points = [arguments(x=each) for each in range(6)]
        sweep_id = here.sweeps.start_sweep(group_of(made), points)["id"]
        done = wait_until(
            lambda: there.sweeps.get_sweep(sweep_id), lambda sweep: sweep["counts"].get("SUCCESS") == 6
        )

        events = there.events.follow_events(0, sweep_id=sweep_id)
        states = islice((event["data"]["state"] for event in events if event["kind"] == "state"), 18)
        assert done["total"] == 6
        assert sorted(states) == ["PENDING"] * 6 + ["RUNNING"] * 6 + ["SUCCESS"] * 6
        run_id = there.runs.list_runs(group_of(made))["runs"][-1]["id"]
        handle = there.runs.get_run(run_id)
        x = next(each["value"] for each in handle["arguments"])
        (text,) = [each for each in handle["files"] if each["name"] == "x.txt"]
        assert handle["metrics"] == {"double": 2 * x}
        assert read(there.runs.get_result_file(run_id, text["id"])) == str(x).encode()
        assert read(there.runs.get_result_archive(run_id))[:2] == b"\x1f\x8b"
        assert there.runs.get_log(run_id)["text"] == f"begun {x}\n"


def test_a_sweep_started_on_one_is_cancelled_on_the_other(
    pair: tuple[JupyterServer, JupyterServer],
) -> None:
    """The kernel on the worker ends; log and notebook are available on both."""
    one, two = pair
    with one.api() as here, two.api() as there:
        made = workflow(here, one.folder, CELL, parameters="x = 0")
        sweep_id = here.sweeps.start_sweep(group_of(made), [arguments(x=-1), arguments(x=-2)])["id"]
        ids = [each["id"] for each in there.runs.list_runs(group_of(made))["runs"]]
        for run_id in ids:
            wait_until(lambda run_id=run_id: there.runs.get_log(run_id)["size"])

        there.sweeps.cancel_sweep(sweep_id)
        assert {here.runs.get_run(run_id)["state"] for run_id in ids} == {"CANCELED"}
        for run_id in ids:
            wait_until(lambda run_id=run_id: not find_processes(run_id), within=8.0)
        notebook = wait_until(lambda: json.loads(read(here.runs.get_notebook(ids[0]))))
        assert notebook["nbformat"] == 4


def test_a_deleted_run_leaves_nothing_in_the_store(
    pair: tuple[JupyterServer, JupyterServer], bucket: str
) -> None:
    """It is deleted on the server that did not start it."""
    one, two = pair
    with one.api() as here, two.api() as there:
        made = workflow(here, one.folder, CELL, parameters="x = 0")
        run_id = here.runs.start_run(group_of(made), [])["id"]
        assert ended(there, run_id)["state"] == "SUCCESS"

        there.runs.delete_run(run_id)
        found = fsspec.filesystem("s3", skip_instance_cache=True).find(bucket)
        assert not [name for name in found if run_id in name]
