"""Which files of a run are its results: those that it wrote, whatever lay there before."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from tests.builders import Json, arguments, checked_instance, ended, group_of, workflow
from tests.service.test_run_files import upload

NAMES = "import os, pathlib, shutil\nout, twin = pathlib.Path('out.csv'), pathlib.Path('twin.csv')\n"
WRITTEN = {
    "other bytes": "out.write_text('y')",
    "the same bytes": "out.write_text(out.read_text())",
    "other bytes, its time restored": (
        "about = out.stat()\nout.write_text('y')\nos.utime(out, ns=(0, about.st_mtime_ns))"
    ),
    "the same bytes, its time restored": (
        "about = out.stat()\nout.write_text('x')\nos.utime(out, ns=(0, about.st_mtime_ns))"
    ),
    "copied with its time": "shutil.copy2(twin, out)",
    "touched": "out.touch()",
    "renamed": "twin.rename(out)",
    "a hard link": "out.unlink()\nos.link(twin, out)",
    "written and renamed": "pathlib.Path('new').write_text('x')\nos.replace('new', out)",
}
READ = {
    "nothing": "",
    "read": "out.read_text()",
    "opened for appending": "out.open('a').close()",
    "executable": "out.chmod(0o755)",
    "its second name": "os.link(out, 'other.csv')",
}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Instance]:
    """Open an instance, and check it at the end."""
    with checked_instance(tmp_path / "root", slots=2) as instance:
        yield instance


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the folder of a notebook, with two files of the same content and time."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("out.csv", "twin.csv"):
        (folder / name).write_text("x")
        os.utime(folder / name, ns=(10**18, 10**18))
    return folder


def run(api: Api, folder: Path, *cells: str, source: str = "out.csv", config: Json | None = None) -> Json:
    """Run a notebook that must write an output to its end."""
    made = workflow(api, folder, *cells, runwidgets={"outputs": [{"source": source}]})
    return ended(api, api.runs.start_run(group_of(made), [], config)["id"])


@pytest.mark.parametrize("code", WRITTEN.values(), ids=WRITTEN)
def test_an_input_that_the_run_wrote_is_a_result(own: Instance, home: Path, code: str) -> None:
    """Whatever its content and its time are."""
    handle = run(own.api(), home, NAMES + code)

    assert handle["state"] == "SUCCESS", handle["messages"]
    assert "out.csv" in [each["name"] for each in handle["files"]]


@pytest.mark.parametrize("source", ["out.csv", "*.csv"])
@pytest.mark.parametrize("code", READ.values(), ids=READ)
def test_an_input_that_the_run_did_not_write_is_no_output(
    own: Instance, home: Path, code: str, source: str
) -> None:
    """A declared output that lay there before is missing, unless a pattern finds another file."""
    handle = run(own.api(), home, NAMES + code, source=source)

    if code == READ["its second name"] and source == "*.csv":
        assert [each["name"] for each in handle["files"][:-1]] == ["other.csv"]
    else:
        assert (handle["state"], handle["reason"]) == ("ERROR", "outputs_missing")
        assert f"{source}: the template declares this output" in handle["messages"][0]


def test_an_input_of_a_run_in_its_own_folder_is_no_output(own: Instance, home: Path) -> None:
    """Results are what is in the working folder of the run, which nothing was written into."""
    handle = run(own.api(), home, NAMES + WRITTEN["other bytes"], config={"cwd": "notebook"})

    assert (handle["state"], handle["reason"]) == ("ERROR", "outputs_missing")


@pytest.mark.parametrize(
    ("code", "state"), [("given.read_text()", "ERROR"), ("given.write_text('x')", "SUCCESS")]
)
def test_an_upload_is_a_result_if_the_run_wrote_it(own: Instance, home: Path, code: str, state: str) -> None:
    """An upload in the place of a declared output is not that output."""
    api = own.api()
    made = workflow(
        api,
        home,
        code,
        parameters="import pathlib\ngiven: pathlib.Path",
        runwidgets={"outputs": [{"source": "table.csv"}]},
    )
    given = upload(api, group_of(made), "x", "table.csv", "table.csv")

    handle = ended(api, api.runs.start_run(group_of(made), arguments(given=given))["id"])

    assert handle["state"] == state, handle.get("messages")


def test_a_retry_does_not_inherit_an_output(own: Instance, home: Path, tmp_path: Path) -> None:
    """What the first attempt wrote is not a result of the second one."""
    mark = tmp_path / "mark"
    fails = "if not mark.exists():\n    mark.touch()\n    out.touch()\n    1 / 0"
    code = f"mark = pathlib.Path({str(mark)!r})\n{fails}"

    handle = run(own.api(), home, NAMES + code, config={"retries": 1})

    assert (handle["state"], handle["reason"]) == ("ERROR", "outputs_missing")
