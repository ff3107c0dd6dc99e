import asyncio
import sys
import threading
import typing
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import runwidgets as rw
from runwidgets.errors import (
    InvalidArgumentError,
    InvalidRunStateError,
    InvalidTemplateError,
    RunWidgetsError,
    ServiceUnavailableError,
    UnauthenticatedAccessError,
    UnknownFileError,
    UnknownRunError,
    UnknownWorkflowError,
    VersionMismatchError,
)
from runwidgets.schema import RunHandle
from runwidgets.service.contracts.api import Api
from tests.builders import DOUBLE, SLEEP, write_notebook
from tests.conftest import JupyterServer


def test_a_run_is_started_waited_for_and_read(api: Api, folder: Path) -> None:
    """State, metrics, files, log and notebook are available as attributes."""
    path = write_notebook(folder / "client.ipynb", DOUBLE, parameters="x: int = 1")

    run = rw.run(path, {"x": 4}, api=api).wait(60)

    assert (run.state, run.metrics, run.arguments) == ("SUCCESS", {"double": 8}, {"x": 4})
    assert run.files["x.csv"].read_text() == "x\n4\n"
    with run.files["x.csv"].open() as stream:
        assert pd.read_csv(stream)["x"].tolist() == [4]
    assert run.log == "x is 4\n"
    assert [cell.cell_type for cell in run.notebook.cells][:1] == ["markdown"]
    assert repr(run) == f"Run('{run.id}', SUCCESS)"
    assert run.progress["fraction"] == 1.0
    run.delete()
    with pytest.raises(UnknownRunError):
        rw.Run(api, run.id)


def test_a_run_that_was_deleted_says_so(api: Api, folder: Path) -> None:
    """Its attributes and `wait` raise the error; the object is still shown, as it was last."""
    run = rw.run(write_notebook(folder / "gone.ipynb", "1"), api=api).wait(60)
    same = rw.Run(api, run.handle)

    run.delete()

    for ask in (lambda: run.state, lambda: run.metrics, run.wait, run.delete, same.wait):
        with pytest.raises(UnknownRunError, match=run.id):
            ask()
    assert repr(run) == f"Run('{run.id}', SUCCESS)"


@pytest.mark.parametrize(
    ("cells", "state", "fraction"),
    [
        (["import runwidgets\nrunwidgets.progress(0.25, 'a quarter')", "2"], "SUCCESS", 1.0),
        (["1", "import sys\nsys.exit(0)", "3"], "SUCCESS", 1.0),
        (["import runwidgets\nrunwidgets.progress(0.25, 'a quarter')", "1 / 0"], "ERROR", 0.25),
    ],
    ids=str,
)
def test_the_progress_of_a_successful_run_is_complete(
    api: Api, folder: Path, cells: list[str], state: str, fraction: float
) -> None:
    """Whatever the notebook reported last; that of a failed run is where it failed."""
    run = rw.run(write_notebook(folder / "progress.ipynb", *cells), api=api).wait(60)

    assert (run.state, run.progress["fraction"]) == (state, fraction)


def test_arguments_that_are_no_mapping_are_refused(api: Api, folder: Path) -> None:
    """The message shows both ways to give them."""
    path = write_notebook(folder / "arguments.ipynb", "1", parameters="x = 1")

    with pytest.raises(
        InvalidArgumentError, match=r"arguments: 'x' is not a mapping .*; give a dict such as"
    ):
        rw.run(path, "x", api=api)  # type: ignore[arg-type]


def test_a_notebook_that_does_not_exist_is_named_with_its_folder(api: Api, folder: Path) -> None:
    """The folder is that of the request; the folder of the server is not disclosed."""
    with pytest.raises(
        InvalidTemplateError, match=f"^n.ipynb: there is no such notebook in {folder / 'sub'}$"
    ):
        rw.run(folder / "sub" / "n.ipynb", api=api)
    with pytest.raises(
        InvalidTemplateError, match=r"^n\.ipynb: there is no such notebook in the folder of the te"
    ):
        api.workflows.create_workflow("n.ipynb")


def test_a_run_can_be_awaited(api: Api, folder: Path) -> None:
    """`await run` is `run.wait()`, without blocking the loop."""
    path = write_notebook(folder / "awaited.ipynb", "1")

    async def both() -> list[str]:
        runs = [rw.run(path, api=api) for _ in range(2)]
        return [(await each).state.value for each in runs]

    assert asyncio.run(both()) == ["SUCCESS", "SUCCESS"]


@pytest.mark.parametrize("said", [{"state": "PAUSED"}, {"reason": "tired"}])
def test_what_a_newer_server_says_is_an_error_of_ours(api: Api, folder: Path, said: dict[str, str]) -> None:
    """A state or a reason that this version does not know is named, with the remedy."""
    run = rw.run(write_notebook(folder / "newer.ipynb", "1 / 0"), api=api).wait(60)
    newer = rw.Run(api, typing.cast(RunHandle, {**run.handle, **said}))

    ((noun, value),) = said.items()
    with pytest.raises(VersionMismatchError, match=f"{noun} '{value}': it is not known .* same version"):
        getattr(newer, noun)


def test_a_wait_times_out_and_the_run_continues(api: Api, folder: Path) -> None:
    """`wait(timeout)` raises `TimeoutError` for an active run."""
    run = rw.run(write_notebook(folder / "long.ipynb", SLEEP), api=api)

    with pytest.raises(TimeoutError, match="is still"):
        run.wait(0.3)
    run.cancel("enough")

    assert (run.state, run.messages) == ("CANCELED", ["enough"])
    with pytest.raises(InvalidRunStateError):
        run.cancel()


def test_the_path_of_a_file_becomes_an_upload(api: Api, folder: Path, tmp_path: Path) -> None:
    """A missing file is named in the error."""
    path = write_notebook(
        folder / "files.ipynb",
        "import runwidgets\nrunwidgets.record('size', table.stat().st_size)",
        parameters="from pathlib import Path\ntable: Path",
    )
    (tmp_path / "table.csv").write_text("12345")

    assert rw.run(path, table=tmp_path / "table.csv", api=api).wait().metrics == {"size": 5}
    with pytest.raises(UnknownFileError, match="table: there is no file"):
        rw.run(path, table="missing.csv", api=api)


def test_a_workflow_can_be_named_by_its_id(api: Api, folder: Path) -> None:
    """A source is a path or an id; anything else raises an error."""
    made = api.workflows.create_workflow(str(write_notebook(folder / "named-by-id.ipynb", "1")))

    assert rw.run(made["id"], api=api).wait().state == "SUCCESS"
    with pytest.raises(UnknownWorkflowError):
        rw.run("no-such-workflow", api=api)


def test_a_kernel_of_the_server_finds_it_by_itself(
    server: JupyterServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`connect()` uses the environment that the extension set for the kernel; arguments override it."""
    monkeypatch.setenv("RUNWIDGETS_URL", server.api_url)
    monkeypatch.setenv("RUNWIDGETS_TOKEN", server.token)

    assert rw.connect().url == server.api_url
    with rw.connect(server.url, token=server.token) as api:
        assert api.workflows.list_workflows()["workflows"] is not None
    assert rw.connect(root=folder / "another-root").url is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(
            {"root": "s3://bucket/a"},
            r"db_url: s3://bucket/a cannot hold a database .*give one such as",
            marks=pytest.mark.sqlite,  # the tests give every root a database of PostgreSQL otherwise
        ),
        (
            {"root": "odd://b", "db_url": "sqlite:////{}/x.db"},
            "root: odd://b cannot be opened .*; give a folder",
        ),
        (
            {"root": "gs://b", "db_url": "sqlite:////{}/x.db"},
            "root: a driver for gs://b is not installed here",
        ),
        ({"root": "s3:/bucket"}, "'s3:/bucket' is neither a folder nor a URL; write a URL with two slashes"),
        ({"root": Path("s3://bucket")}, "'s3:/bucket' is neither a folder nor a URL"),
        ({"root": "file://relative/a"}, "'file://relative/a' is not a folder of this machine; write file://"),
        ({"root": "~nobody-here/a"}, "there is no such home folder"),
        ({"root": "a\0b"}, "contains a NUL character"),
        ({"root": b"bytes"}, "b'bytes' is neither a path nor a URL"),
        ({"root": "file"}, "root: .*/file is not a folder; choose another place"),
        ({"root": "file/below/it"}, "root: .*/file is not a folder; choose another place"),
        (
            {"root": "/proc/a-root"},
            "root: /proc/a-root cannot be created .*; choose a writable folder",
        ),
        (
            {"db_url": "mysql://u:secret@h/d"},
            "db_url: mysql:// is not supported; give the URL of a PostgreSQL",
        ),
        ({"db_url": "odd://u:secret@h/d"}, "db_url: odd:// is not supported"),
        (
            {"db_url": "postgresql+psycopg2://u:secret@h/d"},
            r"db_url: postgresql\+psycopg2:// is not supported",
        ),
        ({"db_url": "secret"}, "db_url: it is not an SQLAlchemy URL; give one such as"),
        ({"db_url": "postgresql://u:secret@h:port/d"}, "db_url: it is not an SQLAlchemy URL"),
        ({"db_url": "sqlite://"}, "db_url: memory is not an absolute path; write four slashes"),
        ({"db_url": "sqlite:///runs.db"}, "db_url: runs.db is not an absolute path; write four slashes"),
        ({"url": "http://localhost:1", "root": "a"}, "url: a server has its own root, database and cluster"),
    ],
    ids=str,
)
def test_a_root_that_cannot_be_used_is_refused_with_a_sentence(
    options: dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the setting and the remedy, but no password; no folder of that name is made."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    given = {name: each.format(tmp_path) if name == "db_url" else each for name, each in options.items()}

    with pytest.raises(RunWidgetsError, match=sentence) as raised:
        rw.connect(**given)

    assert "secret" not in str(raised.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "file"}


@pytest.mark.parametrize("scheme", ["file://", "FILE://", "file://localhost"])
def test_a_root_may_be_a_url_and_have_a_database_elsewhere(tmp_path: Path, scheme: str) -> None:
    """It works as in the settings of a server."""
    with rw.connect(root=f"{scheme}{tmp_path}/a%20root", db_url=f"sqlite:///{tmp_path}/rows.db") as api:
        run = rw.run(write_notebook(tmp_path / "url.ipynb", "1"), api=api).wait(60)

    assert run.state == "SUCCESS"
    assert (tmp_path / "a root" / "runs" / run.id).is_dir() and (tmp_path / "rows.db").is_file()
    assert not (tmp_path / "a root" / "runwidgets.db").exists()


def test_a_missing_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(
        ServiceUnavailableError, match=r'psycopg is not installed here; pip install "runwidgets'
    ):
        rw.connect(root=tmp_path / "root", db_url="postgresql://user@host/runs")

    assert not (tmp_path / "root").exists()


class Elsewhere(BaseHTTPRequestHandler):
    """Something that is not Jupyter, and a Jupyter server without the extension."""

    def do_GET(self) -> None:
        """Respond as the name in the path says."""
        status = 404 if self.path.startswith("/jupyter") else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"name": "other"}' if self.path.startswith("/json") else b"<html>Hello</html>")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Start a server that is not one of ours."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["", "/json", "/jupyter"])
def test_an_address_of_something_else_is_named(elsewhere: str, path: str) -> None:
    """Connecting checks who responds."""
    with pytest.raises(
        ServiceUnavailableError, match=f"{elsewhere}.*: this is not a Jupyter server with runwid"
    ):
        rw.connect(elsewhere + path)


@pytest.mark.parametrize("url", ["s3://bucket", "localhost:8888", "", "http://", "/a/path", 3], ids=str)
def test_what_is_no_address_of_a_server_is_refused(url: Any) -> None:
    """A root is not taken for a server."""
    with pytest.raises(InvalidArgumentError, match="is not the URL of a server"):
        rw.connect(url)


@pytest.mark.parametrize(("token", "problem"), [(None, "needs one"), ("wrong", "refuses it")])
def test_a_refused_token_is_named(server: JupyterServer, token: str | None, problem: str) -> None:
    """Connecting checks the token, also one that is part of the URL."""
    with pytest.raises(
        UnauthenticatedAccessError, match=f"token: the server at {server.url}.* {problem}; give"
    ):
        rw.connect(server.url, token=token)

    with rw.connect(f"{server.url}?token={server.token}") as api:
        assert api.url == server.api_url
