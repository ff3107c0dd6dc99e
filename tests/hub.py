"""A real JupyterHub with its proxy, whose users have servers of their own."""

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.builders import wait_until
from tests.conftest import free_port
from tests.npm import TESTS, install, path_with_node

CONFIGURATION = """
from jupyterhub.spawner import SimpleLocalProcessSpawner

class Spawner(SimpleLocalProcessSpawner):
    async def move_certs(self, paths):
        return paths  # which the user of the tests may read; the hub's users have no accounts

c.JupyterHub.bind_url = {url!r}
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.internal_ssl = {internal_ssl}
c.JupyterHub.internal_certs_location = {certificates!r}
c.ConfigurableHTTPProxy.api_url = "http{s}://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = Spawner
c.Spawner.home_dir_template = {home!r}
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser", "--allow-root"]
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120
c.JupyterHub.services = [{{"name": "tests", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "tests", "scopes": ["admin:users", "admin:servers", "tokens"], "services": ["tests"]}}
]
"""


@dataclass(frozen=True)
class UserServer:
    """The server of one user, reached through the hub's proxy."""

    url: str
    token: str
    home: Path


class Hub:
    """A hub in a process of its own; its users are processes of the user of the tests.

    Parameters
    ----------
    folder : Path
        Has the hub's files, and the users' homes.
    internal_ssl : bool, optional
        Whether hub, proxy and servers authenticate each other by certificates.
    """

    def __init__(self, folder: Path, *, internal_ssl: bool = False) -> None:
        install()
        self._folder = folder
        url, token = f"http://127.0.0.1:{free_port()}/hubs/", secrets.token_hex(16)
        text = CONFIGURATION.format(
            url=url,
            python=sys.executable,
            hub_port=free_port(),
            internal_ssl=internal_ssl,
            certificates=str(folder / "certificates"),
            s="s" if internal_ssl else "",
            proxy_port=free_port(),
            proxy=str(TESTS / "node_modules" / ".bin" / "configurable-http-proxy"),
            home=str(folder / "homes" / "{username}"),
            token=token,
        )
        (folder / "hub.py").write_text(text)
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "RUNWIDGETS", "XDG"))
        } | {"PATH": path_with_node()}
        with (folder / "hub.log").open("wb") as log:
            command = [sys.executable, "-m", "jupyterhub", f"--config={folder / 'hub.py'}"]
            self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        headers = {"Authorization": f"token {token}"}
        self.api = httpx.Client(base_url=f"{url}hub/api/", headers=headers, timeout=120)
        try:
            wait_until(self._is_ready)
        except BaseException:
            self.close()
            raise

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, (self._folder / "hub.log").read_text()
        try:
            return self.api.get("").is_success
        except httpx.TransportError:
            return False

    def start_server(self, user: str) -> UserServer:
        """Start the server of a user, and wait until it is ready."""
        self.api.post(f"users/{user}").raise_for_status()
        self.api.post(f"users/{user}/server").raise_for_status()

        def path() -> str | None:
            servers = self.api.get(f"users/{user}").json()["servers"]
            return servers[""]["url"] if servers and servers[""]["ready"] else None

        found = wait_until(path)
        token = self.api.post(f"users/{user}/tokens", content=json.dumps({})).json()["token"]
        url = self.api.base_url.copy_with(path=found)
        return UserServer(str(url), token, self._folder / "homes" / user)

    def close(self) -> None:
        """Stop the hub, its proxy, and the users' servers."""
        self.api.close()
        self._process.terminate()
        self._process.wait(30)
