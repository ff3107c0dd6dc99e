"""A server that speaks HTTPS with a certificate of its own, and servers that cannot be reached."""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

import runwidgets as rw
from runwidgets.errors import InvalidArgumentError, ServiceUnavailableError
from runwidgets.service.http.client import HttpClient
from runwidgets.service.http.transport import CERTIFICATE_VARIABLES
from runwidgets.service.server_socket import server_socket
from tests.builders import write_notebook
from tests.conftest import JupyterServer, free_port, start_server
from tests.server.conftest import environment_of_a_kernel

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the certificate of an authority that no machine trusts, beside one that it issued."""
    folder = tmp_path_factory.mktemp("certificates")
    made = trustme.CA()
    made.cert_pem.write_to_path(folder / "authority.pem")
    issued = made.issue_cert("jupyter.example.org", "127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    return folder / "authority.pem"


@pytest.fixture(scope="module")
def https_server(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Start a server with that certificate."""
    base = tmp_path_factory.mktemp("https")
    (base / "notebooks").mkdir()
    write_notebook(base / "notebooks" / "n.ipynb", "print(x)", parameters="x = 1")
    started = start_server(
        base / "root",
        base / "notebooks",
        f"--ServerApp.certfile={authority.parent / 'certificate.pem'}",
        f"--ServerApp.keyfile={authority.parent / 'key.pem'}",
    )
    yield started
    started.stop()


def python(code: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a program, and return what it prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_kernel_reaches_its_server_whatever_the_certificate(https_server: JupyterServer) -> None:
    """It inherits the server's Unix socket; runs, sweeps and forms need no setting."""
    headers = {"Authorization": f"token {https_server.token}"}
    with httpx.Client(base_url=https_server.url, headers=headers, verify=False) as jupyter:
        environment = environment_of_a_kernel(jupyter)
    code = """
import runwidgets as rw
assert rw.connect().url.startswith("https://"), rw.connect().url
run = rw.run("n.ipynb", x=7).wait()
states = [each.state.value for each in rw.sweep("n.ipynb", x=[1, 2]).wait()]
print(run.state.value, run.log.strip(), states, rw.RunForm("n.ipynb").workflow_id == run.handle["workflowId"])
"""

    assert python(code, https_server.folder, environment) == "SUCCESS 7 ['SUCCESS', 'SUCCESS'] True"


def test_a_program_of_the_same_user_finds_the_server(https_server: JupyterServer) -> None:
    """In a terminal, `connect()` finds the running server, whose certificate nobody trusts."""
    runtime = next(https_server.root.parent.glob("runtime-*"))
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)}

    url = python("import runwidgets as rw; print(rw.connect().url)", https_server.folder, environment)

    assert url == https_server.api_url


@pytest.mark.parametrize("variable", [None, *CERTIFICATE_VARIABLES[::2]])
def test_a_named_certificate_is_trusted(
    https_server: JupyterServer, authority: Path, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the argument `verify`, or by the variables that other programs read."""
    for name in CERTIFICATE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, str(authority))
    verify = str(authority) if variable is None else True

    with rw.connect(https_server.url, token=https_server.token, verify=verify) as api:
        assert api.workflows.list_workflows()["workflows"] is not None


def test_any_certificate_is_trusted_on_request(https_server: JupyterServer) -> None:
    """Also a context of the caller's own is used as it is."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    for verify in (False, context):
        with rw.connect(https_server.url, token=https_server.token, verify=verify) as api:
            assert api.url == https_server.api_url


def test_a_certificate_that_is_not_trusted_is_named(https_server: JupyterServer) -> None:
    """The remedy is in the message."""
    with pytest.raises(
        ServiceUnavailableError,
        match=r"the server's certificate is not trusted \(.*\); give it, .* as `verify`, or .* SSL_CERT_FILE",
    ):
        rw.connect(https_server.url, token=https_server.token)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "does not exist"), ("", "has no certificates")], ids=["missing", "empty"]
)
def test_a_wrong_file_of_certificates_is_named(
    tmp_path: Path, content: str | None, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether an argument or a variable names it."""
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidArgumentError, match=f"^verify: .*authority.pem' {problem}"):
        rw.connect("https://localhost:1", verify=path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(InvalidArgumentError, match=f"^SSL_CERT_FILE: .*authority.pem' {problem}"):
        rw.connect("https://localhost:1")


def test_each_way_of_not_being_reached_has_its_sentence(https_server: JupyterServer) -> None:
    """Refused, unknown, silent, not HTTPS, and HTTPS without being asked for it are told apart."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        quiet = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sentences = {
            f"http://127.0.0.1:{free_port()}": "nothing listens there; check that the server is running",
            "http://no-such-machine.invalid": "there is no machine of this name; check the address",
            quiet: "the server did not respond in time; try again",
            https_server.url.replace(
                "https", "http"
            ): "the connection was closed; .* whether it is an https:// address",
        }
        for url, sentence in sentences.items():
            client = HttpClient(url, None, timeout=httpx.Timeout(2.0))
            with pytest.raises(ServiceUnavailableError, match=f"^{url}.*: {sentence}"):
                client.check()
            client.close()


def test_an_https_address_of_a_plain_server_is_named(server: JupyterServer) -> None:
    """The other scheme is the remedy."""
    with pytest.raises(
        ServiceUnavailableError, match=r"not be reached in time; .* whether it is an http:// address"
    ):
        rw.connect(server.url.replace("http", "https"), token=server.token)


def test_the_socket_is_for_the_user_only_and_goes_with_the_server(tmp_path: Path) -> None:
    """Nobody else may enter its folder; nothing remains of it."""
    (tmp_path / "notebooks").mkdir()
    started = start_server(tmp_path / "root", tmp_path / "notebooks")
    path = server_socket(started.process.pid)

    mode = path.parent.stat().st_mode & 0o777
    started.stop()

    assert (mode, path.parent.exists()) == (0o700, False)
