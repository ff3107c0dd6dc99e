"""Several Jupyter servers with one database and one root, as on a hub: each serves different people."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runwidgets.errors import UnauthorizedAccessError
from tests.builders import arguments, finished, group_of, wait_until, workflow
from tests.conftest import JupyterServer, start_server
from tests.postgres import Postgres
from tests.server.conftest import PEOPLE
from tests.server.test_access import person

WORK = "import time\nopen(f'{x}.txt', 'w').write(str(x))\nprint('begun', flush=True)\ntime.sleep(x)"


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, folder: Path
) -> Iterator[tuple[JupyterServer, JupyterServer]]:
    """Start two servers that authenticate people."""
    place = tmp_path_factory.mktemp("several")
    (place / "people.py").write_text(PEOPLE)
    postgres = Postgres()
    options = (f"--RunWidgetsApp.db_url={postgres.url(place)}", "--RunWidgetsApp.slots=1")
    started = [
        start_server(place / "root", folder, f"--config={place / 'people.py'}", *options) for _ in range(2)
    ]
    yield started[0], started[1]
    for server in started:
        server.stop()
    postgres.remove()


def test_users_see_their_own_runs_on_both_servers(
    servers: tuple[JupyterServer, JupyterServer], folder: Path
) -> None:
    """A group that is closed to a user on one server is closed on the other, also in the event stream."""
    one, two = servers
    with person(one, "ada") as ada, person(two, "bob") as bob, person(two, "ada") as ada_elsewhere:
        begin = bob.events.last_event()
        theirs = finished(ada, folder, "print(1)")
        mine = finished(bob, folder, "print(2)")

        assert ada_elsewhere.runs.get_run(theirs["id"])["state"] == "SUCCESS"
        for refused in (bob.runs.get_run, bob.runs.get_log, bob.runs.delete_run):
            with pytest.raises(UnauthorizedAccessError, match="bob is not a member"):
                refused(theirs["id"])
        assert next(iter(bob.events.follow_events(begin)))["groupId"] == mine["groupId"]
        assert [each["id"] for each in ada.groups.list_groups()["groups"]] == [theirs["groupId"]]


def test_a_sweep_is_followed_cancelled_and_downloaded_on_another_server(
    servers: tuple[JupyterServer, JupyterServer], folder: Path
) -> None:
    """Members of a group need not use the same server."""
    one, two = servers
    with person(one, "ada") as ada, person(two, "bob") as bob:
        made = workflow(ada, folder, WORK, parameters="x = 0")
        ada.groups.update_group(group_of(made), members=["ada", "bob"])
        live = bob.events.follow_events(bob.events.last_event(), group_id=group_of(made))
        sweep = ada.sweeps.start_sweep(group_of(made), [arguments(x=x) for x in (0, 600, 600, 600)])["id"]

        states = {}
        for event in live:
            states |= {event["runId"]: event["data"]["state"]} if event["kind"] == "state" else {}
            if {"PENDING", "RUNNING", "SUCCESS"} == set(states.values()):
                break
        bob.sweeps.cancel_sweep(sweep, "enough")

        ended = wait_until(lambda: ada.sweeps.get_sweep(sweep), lambda each: each["isDone"])
        assert ended["counts"]["CANCELED"] == 3 and ended["counts"]["SUCCESS"] == 1
        (done,) = [run_id for run_id, state in states.items() if state == "SUCCESS"]
        with (
            bob.runs.get_result_archive(done) as stream,
            tarfile.open(fileobj=stream, mode="r|gz") as archive,
        ):
            assert "0.txt" in archive.getnames()
