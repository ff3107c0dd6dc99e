"""The fixtures of all rooms: houses that are shared, because kernels are the cost."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runwidgets.service.base import Api
from runwidgets.service.wiring import Service, open_service
from tests.ladder import wait_until


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
        """Base of the extension's routes."""
        return f"{self.url}runwidgets/api/"

    def api(self) -> Api:
        """Connect to it."""
        from runwidgets.service.remote import open_remote

        return open_remote(self.api_url, self.token)

    def kill(self) -> None:
        """End it as a power cut would, and nothing that it started."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self.process.terminate()
        self.process.wait(20)


def start_server(
    root: Path, folder: Path, *options: str, app: str = "server", **variables: str
) -> JupyterServer:
    """Start a Jupyter server on a root, serving a folder; it answers when this returns."""
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
    command = [sys.executable, "-m", "jupyter", app, "--no-browser", "--allow-root", "--ServerApp.port=0"]
    command += [f"--ServerApp.root_dir={folder}", f"--RunWidgetsApp.root={root}"]
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
    wait_until(lambda: _answers(server))
    return server


def _answers(server: JupyterServer) -> bool:
    import httpx

    try:
        answer = httpx.get(server.api_url, headers={"Authorization": f"token {server.token}"}, timeout=5)
    except httpx.TransportError:
        return False
    return answer.is_success


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the notebooks that tests write."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Service]:
    """Serve one root in this process, for all tests."""
    service = open_service(tmp_path_factory.mktemp("local") / "root", templates_root=folder, slots=2)
    yield service
    service.close()


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
        yield request.getfixturevalue("house").api()
    else:
        with request.getfixturevalue("server").api() as remote:
            yield remote
