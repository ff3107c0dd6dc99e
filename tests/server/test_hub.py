"""Servers of users of a JupyterHub: their kernels, and programs that come through the hub's proxy."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import runwidgets as rw
from runwidgets.errors import UnauthenticatedAccessError
from tests.builders import DOUBLE, write_notebook
from tests.hub import Hub, UserServer
from tests.server.conftest import environment_of_a_kernel

pytestmark = pytest.mark.local

WORK = """
import runwidgets as rw
run = rw.run("double.ipynb", x=4).wait()
states = [each.state.value for each in rw.sweep("double.ipynb", x=[1, 2]).wait()]
form = rw.RunForm("double.ipynb")
print(run.state.value, run.metrics, states, form.workflow_id == run.handle["workflowId"])
"""


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "internal_ssl"])
def users(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[UserServer]]:
    """Start a hub, and the servers of two users, who have a notebook each."""
    with closing(Hub(tmp_path_factory.mktemp("hub"), internal_ssl=request.param)) as hub:
        servers = [hub.start_server(name) for name in ("ada", "grace")]
        for server in servers:
            write_notebook(server.home / "double.ipynb", DOUBLE, parameters="x: int = 1")
        yield servers


@pytest.mark.parametrize("has_socket", [True, False], ids=["socket", "address"])
def test_kernels_of_users_reach_their_servers(
    request: pytest.FixtureRequest, users: list[UserServer], has_socket: bool
) -> None:
    """Runs, sweeps and forms work in a notebook as without a hub, also by the server's own address."""
    if "internal_ssl" in request.node.name and not has_socket:
        pytest.skip("the server asks for a certificate of the hub, which kernels do not have")
    for user in users:
        headers = {"Authorization": f"token {user.token}"}
        with httpx.Client(base_url=user.url, headers=headers, timeout=60) as jupyter:
            environment = environment_of_a_kernel(jupyter)
        if not has_socket:
            del environment["RUNWIDGETS_SOCKET"]

        command = [sys.executable, "-c", WORK]
        done = subprocess.run(command, env=environment, cwd=user.home, capture_output=True, text=True)

        assert done.stdout == "SUCCESS {'double': 8} ['SUCCESS', 'SUCCESS'] True\n", done.stderr


def test_programs_come_through_the_proxy(users: list[UserServer], tmp_path: Path) -> None:
    """With a token of the hub: uploads, runs, their events and result files; each user has their own runs."""
    (tmp_path / "table.csv").write_text("a\n1\n")
    size = "import runwidgets\nrunwidgets.record('size', table.stat().st_size)\nopen('r.txt', 'w').write('r')"
    for user in users:
        parameters = "from pathlib import Path\ntable: Path"
        path = write_notebook(user.home / "files.ipynb", size, parameters=parameters)
        with rw.connect(user.url, token=user.token) as api:
            run = rw.run(path, table=tmp_path / "table.csv", api=api).wait(60)

            assert (run.metrics, run.files["r.txt"].read_text()) == ({"size": 4}, "r")
            listed = api.runs.list_runs(run.handle["groupId"])["runs"]
            assert [each["id"] for each in listed] == [run.id]


def test_another_user_is_refused(users: list[UserServer]) -> None:
    """The hub's token of one user opens nothing on the server of another."""
    ada, grace = users

    with pytest.raises(UnauthenticatedAccessError):
        rw.connect(ada.url, token=grace.token)
