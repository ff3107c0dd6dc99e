"""A real S3 server for the tests: moto's, in a process of its own."""

import os
import socket
import subprocess
import sys
import uuid

import fsspec

from tests.ladder import wait_until

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
        """Start it; it answers when this returns."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **VARIABLES}
        )
        wait_until(self._answers)

    def bucket(self) -> str:
        """Make a bucket; return its URL."""
        name = f"tests-{uuid.uuid4().hex}"
        fsspec.filesystem("s3", skip_instance_cache=True, endpoint_url=self.endpoint).mkdir(name)
        return f"s3://{name}"

    def stop(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), 1):
                return True
        except OSError:
            return False
