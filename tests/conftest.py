"""Fixtures for all folders: instances that are shared, because kernels are slow to start."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runwidgets.service import factory as wiring
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from runwidgets.service.integrity import doctor
from tests.builders import wait_until
from tests.postgres import Postgres

if TYPE_CHECKING:
    from tests.cluster import Cluster

_postgres: list[Postgres] = []
"""The PostgreSQL server of this process, if the tests use one."""
_cluster: "list[Cluster]" = []
"""The Dask cluster of this process, if runs execute on one."""


def url_of(root: Path) -> str:
    """Return the URL of a root's database of the selected kind."""
    return _postgres[0].url(root) if _postgres else f"sqlite:///{root / wiring.DATABASE_FILE}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that select the database and the backend."""
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="the database of roots; PostgreSQL is started by the tests",
    )
    parser.addoption(
        "--backend",
        choices=("local", "dask"),
        default="local",
        help="where runs execute; a Dask cluster is started by the tests",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests about SQLite's own file, or about processes on the instance's own machine."""
    others = {"sqlite": config.getoption("--database"), "local": config.getoption("--backend")}
    for mark, is_excluded in others.items():
        for item in items if is_excluded != mark else ():
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=f"it is about {mark}, not {is_excluded}"))


@pytest.fixture(scope="session", autouse=True)
def selected_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give every root opened in this process, or by `start_server`, a database of the selected kind."""
    if request.config.getoption("--database") == "sqlite":
        yield
        return
    postgres = Postgres()
    _postgres.append(postgres)
    plain, plain_files = wiring.open_store, wiring.open_files

    def open_store(root: Path, db_url: str | None = None, **options: Any) -> object:
        return plain(root, db_url or postgres.url(root), **options)

    def open_files(root: Path, db_url: str | None = None, **options: Any) -> object:
        return plain_files(root, db_url or postgres.url(root), **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "open_files", open_files)
        for module in (wiring, doctor):
            patch.setattr(module, "open_store", open_store)
        yield
    _postgres.clear()
    postgres.remove()


@pytest.fixture(scope="session", autouse=True)
def selected_backend(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make every instance that is opened in this process, or by `start_server`, use the selected backend."""
    if request.config.getoption("--backend") == "local":
        yield
        return
    from tests.cluster import Cluster

    cluster = Cluster()
    _cluster.append(cluster)
    plain = wiring.make_backend

    def make_backend(*arguments: Any, **options: Any) -> object:
        return plain(*arguments, **{**options, "cluster": options["cluster"] or cluster.address})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "make_backend", make_backend)
        yield
    _cluster.clear()
    cluster.close()


@dataclass
class JupyterServer:
    """A real Jupyter server with the extension, in a process of its own."""

    root: Path
    folder: Path
    url: str
    token: str
    process: "subprocess.Popen[bytes]"

    @property
    def api_url(self) -> str:
        """Base URL of the extension's routes."""
        return f"{self.url}runwidgets/api/"

    def api(self) -> Api:
        """Connect to the server."""
        from runwidgets.service.http.services import open_remote

        return open_remote(self.api_url, self.token)

    def kill(self) -> None:
        """Kill the server, as a power cut would, but none of its children."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask the server to stop, and wait for its end."""
        self.process.terminate()
        self.process.wait(20)


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(
    root: Path,
    folder: Path,
    *options: str,
    app: str = "server",
    has_routes: bool = True,
    python: str = sys.executable,
    **variables: str,
) -> JupyterServer:
    """Start a Jupyter server on a root, serving a folder, and wait until it is ready."""
    if _postgres and not any("db_url" in option for option in options):
        options = (f"--RunWidgetsApp.db_url={_postgres[0].url(root)}", *options)
    if _cluster and not any(option.startswith("--RunWidgetsApp.backend") for option in options):
        address = f"--RunWidgetsApp.dask_scheduler={_cluster[0].address}"
        options = ("--RunWidgetsApp.backend=dask", address, *options)
    if not has_routes:
        options = ("--ServerApp.jpserver_extensions={'runwidgets.server': False}", *options)
    runtime = root.parent / f"runtime-{secrets.token_hex(4)}"
    token = secrets.token_hex(16)
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "RUNWIDGETS"))
        },
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(runtime / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(runtime / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(runtime / "workspaces"),
        "IPYTHONDIR": str(runtime / "ipython"),
        **variables,
    }
    runtime.mkdir(mode=0o700)
    command = [python, "-m", "jupyter", app, "--no-browser", "--allow-root", "--ServerApp.port=0"]
    if not any(option.startswith("--RunWidgetsApp.root=") for option in options):
        options = (f"--RunWidgetsApp.root={root}", *options)
    command += [f"--ServerApp.root_dir={folder}"]
    command += [
        f"--IdentityProvider.token={token}",
        "--ServerApp.allow_unauthenticated_access=False",
        *options,
    ]
    with (runtime / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def answer() -> str | None:
        assert process.poll() is None, (runtime / "server.log").read_text()
        for about in runtime.glob("jpserver-*.json"):
            text = about.read_text()
            if text:
                return str(json.loads(text)["url"])
        return None

    url = wait_until(answer)
    assert url is not None
    server = JupyterServer(root, folder, url, token, process)
    wait_until(lambda: _is_ready(server, server.api_url if has_routes else f"{url}api"))
    return server


def _is_ready(server: JupyterServer, url: str) -> bool:
    import httpx

    try:
        answer = httpx.get(url, headers={"Authorization": f"token {server.token}"}, timeout=5, verify=False)
    except httpx.TransportError:
        return False
    return answer.is_success


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the notebooks that tests write."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Instance]:
    """Open one root in this process, for all tests."""
    instance = open_instance(tmp_path_factory.mktemp("local") / "root", templates_root=folder, slots=2)
    yield instance
    instance.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[JupyterServer]:
    """Serve one root by a real Jupyter server, for all tests."""
    started = start_server(tmp_path_factory.mktemp("remote") / "root", folder, "--RunWidgetsApp.slots=2")
    yield started
    started.stop()


@pytest.fixture(params=["local", "remote"])
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    """Connect to the services, in this process and over HTTP."""
    if request.param == "local":
        yield request.getfixturevalue("instance").api()
    else:
        with request.getfixturevalue("server").api() as remote:
            yield remote
