"""Servers of several kinds, and ways to send requests without our own client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runwidgets.service.contracts.api import Api
from tests.builders import finished
from tests.conftest import JupyterServer, start_server

PEOPLE = """
from jupyter_server.auth import Authorizer, IdentityProvider, User

class People(IdentityProvider):
    def get_user(self, handler):
        name = self.get_token(handler)
        if name == self.token:
            name = "person-owner"
        if not name or not name.startswith("person-"):
            return None
        handler._token_authenticated = True
        return User(username=name.removeprefix("person-"))

class Readers(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return user.username != "reader" or (resource == "runwidgets" and action == "read")

c.ServerApp.identity_provider_class = People
c.ServerApp.authorizer_class = Readers
"""
"""A server that knows people by their token; who is called reader may only read."""


@pytest.fixture
def client(server: JupyterServer) -> Iterator[httpx.Client]:
    """Send requests with the server's token, without our own client."""
    with httpx.Client(
        base_url=server.api_url, headers={"Authorization": f"token {server.token}"}, timeout=30
    ) as client:
        yield client


@pytest.fixture
def stranger(server: JupyterServer) -> Iterator[httpx.Client]:
    """Send requests without authentication."""
    with httpx.Client(base_url=server.api_url, timeout=30) as client:
        yield client


@pytest.fixture
def remote(server: JupyterServer) -> Iterator[Api]:
    """Use our own client."""
    with server.api() as api:
        yield api


@pytest.fixture(scope="session")
def run(server: JupyterServer, folder: Path) -> dict[str, Any]:
    """Execute a notebook that writes files."""
    code = (
        "open('a b.txt', 'w').write('0123456789')\n"
        "open('grün \"1\".html', 'w').write('<script>alert(1)</script>')\n"
        "open('big.bin', 'wb').write(bytes(range(256)) * 4096)\n"
        "print('done')"
    )
    with server.api() as api:
        return finished(api, folder, code)


@pytest.fixture(scope="session")
def sweep(server: JupyterServer, run: dict[str, Any]) -> dict[str, Any]:
    """Start a sweep of two points in the group of the run."""
    with server.api() as api:
        return api.sweeps.start_sweep(run["groupId"], [[], []])


@pytest.fixture(scope="session")
def members_server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[JupyterServer]:
    """Serve a root with an identity provider that authenticates people by tokens such as ``person-ada``."""
    place = tmp_path_factory.mktemp("members")
    config = place / "people.py"
    config.write_text(PEOPLE)
    started = start_server(place / "root", folder, f"--config={config}", "--RunWidgetsApp.slots=1")
    yield started
    started.stop()


def environment_of_a_kernel(jupyter: httpx.Client) -> dict[str, str]:
    """Start a kernel through Jupyter, and read its inherited environment."""
    import psutil

    before = {process.pid for process in psutil.process_iter()}
    kernel = jupyter.post("api/kernels", json={"name": "python3"}, headers={}).json()
    try:
        for process in psutil.process_iter():
            if process.pid not in before and kernel["id"] in " ".join(process.cmdline()):
                return process.environ()
        raise AssertionError("the kernel has no process")
    finally:
        jupyter.delete(f"api/kernels/{kernel['id']}")
