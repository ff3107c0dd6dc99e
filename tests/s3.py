"""A real S3 server for the tests: moto's, in a process of its own."""

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator

import fsspec
import pytest

from tests.builders import wait_until

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class S3:
    """A server on a port of this machine; its data is removed with it.

    Attributes
    ----------
    endpoint : str
        The URL of the server.
    variables : dict of str to str
        Environment variables with which a process finds the server.
    """

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self.variables = {
            **VARIABLES,
            "AWS_ENDPOINT_URL": self.endpoint,
            "FSSPEC_S3_ENDPOINT_URL": self.endpoint,
        }
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **VARIABLES}
        )
        wait_until(self._is_ready)

    def bucket(self) -> str:
        """Create a bucket, and return its URL."""
        name = f"tests-{uuid.uuid4().hex}"
        fsspec.filesystem("s3", skip_instance_cache=True, endpoint_url=self.endpoint).mkdir(name)
        return f"s3://{name}"

    def stop(self) -> None:
        """Kill the server, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), 1):
                return True
        except OSError:
            return False


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """Start a server for all tests, and set the environment of this process."""
    server = S3()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.variables.items():
            patch.setenv(name, value)
        yield server
    server.stop()


@pytest.fixture
def bucket(s3: S3) -> str:
    """Create a bucket, and return the URL of an empty root in it."""
    return f"{s3.bucket()}/instance"
