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
    """A server on a port of this machine; what it stores is gone with it.

    Attributes
    ----------
    endpoint : str
        Its address.
    variables : dict of str to str
        What a process needs in its environment to find it.
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
        """Make a bucket; return its URL."""
        name = f"tests-{uuid.uuid4().hex}"
        fsspec.filesystem("s3", skip_instance_cache=True, endpoint_url=self.endpoint).mkdir(name)
        return f"s3://{name}"

    def stop(self) -> None:
        """End it as a power cut would."""
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
    """Start a server for all tests; this process finds it by its environment."""
    server = S3()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.variables.items():
            patch.setenv(name, value)
        yield server
    server.stop()


@pytest.fixture
def bucket(s3: S3) -> str:
    """Make a bucket; return the URL of an empty root in it."""
    return f"{s3.bucket()}/instance"
