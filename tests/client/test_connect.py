import asyncio
import typing
from pathlib import Path

import pandas as pd
import pytest

import runwidgets as rw
from runwidgets.errors import (
    InvalidRunStateError,
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
    run.delete()
    with pytest.raises(UnknownRunError):
        rw.Run(api, run.id)


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
