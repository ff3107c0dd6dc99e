"""Inputs that runs may change: no other run reads the changed content unnoticed."""

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runwidgets.execution.processes import find_processes
from runwidgets.limits import Limits
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from runwidgets.service.retention import clean
from runwidgets.store.files import disk
from runwidgets.store.files.layout import SHARED
from tests.builders import Json, arguments, checked_instance, ended, group_of, running, wait_until, workflow

GOOD = b"GOOD" * 50
READ = "print(open('big.bin', 'rb').read(4).decode(), flush=True)"
IN_PLACE = "with open('big.bin', 'r+b') as big:\n    n = big.write(b'BAD!')"
CHANGES = {
    "written": IN_PLACE,
    "truncated": "open('big.bin', 'w').close()",
    "appended to": "with open('big.bin', 'ab') as big:\n    n = big.write(b'!')",
    "mapped": "import mmap\nbig = open('big.bin', 'r+b')\nmmap.mmap(big.fileno(), 0)[:4] = b'BAD!'",
    "its time restored": (
        f"import os\nabout = os.stat('big.bin')\n{IN_PLACE}\nos.utime('big.bin', ns=(0, about.st_mtime_ns))"
    ),
    "its target removed": "import os\nos.unlink(os.path.realpath('big.bin'))",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of the instance."""
    return tmp_path / "root"


@pytest.fixture
def own(root: Path, tmp_path: Path) -> Iterator[Instance]:
    """Open an instance in which inputs of more than 100 bytes are large, and check it at the end."""
    (tmp_path / "big.bin").write_bytes(GOOD)
    with checked_instance(root, slots=2, limits=Limits(link_size=100, cancel_grace=1.0)) as instance:
        yield instance


@pytest.fixture(autouse=True)
def no_clones(tmp_path: Path) -> None:
    """Skip a test of links where files can be cloned, because there are no links."""
    (tmp_path / "one").write_bytes(b"x")
    if disk.clone_file(tmp_path / "one", tmp_path / "two"):
        pytest.skip("files are cloned here")


def start(api: Api, folder: Path, *cells: str, config: Json | None = None) -> str:
    """Start a run of a notebook that reads the large file, and return its id."""
    group = group_of(workflow(api, folder, READ, *cells))
    return str(api.runs.start_run(group, [], config)["id"])


def shown(api: Api, run_id: str) -> str:
    """Return what a run printed, once it has succeeded."""
    handle = ended(api, run_id)
    assert handle["state"] == "SUCCESS", handle["messages"]
    return str(api.runs.get_log(run_id)["text"]).strip()


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_that_changes_a_large_input_fails_and_the_next_gets_the_stored_content(
    own: Instance, tmp_path: Path, change: str
) -> None:
    """The error has a reason of its own and names the file; the file beside the notebook stays as it was."""
    api = own.api()
    handle = ended(api, start(api, tmp_path, CHANGES[change]))

    assert (handle["state"], handle["reason"]) == ("ERROR", "input_changed")
    (message,) = handle["messages"]
    assert message.startswith("big.bin: this input was changed while the run used it")
    assert shown(api, start(api, tmp_path)) == "GOOD"
    assert (tmp_path / "big.bin").read_bytes() == GOOD


def test_a_large_input_elsewhere_in_the_project_is_protected_too(own: Instance, tmp_path: Path) -> None:
    """The error names it by its path in the working folder, which mirrors the project."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "notebooks").mkdir()
    api = own.api()
    read, change = (cell.replace("'big.bin'", "'../big.bin'") for cell in (READ, IN_PLACE))

    failed = ended(api, api.runs.start_run(group_of(workflow(api, tmp_path / "notebooks", change)), [])["id"])
    after = api.runs.start_run(group_of(workflow(api, tmp_path / "notebooks", read)), [])

    assert failed["reason"] == "input_changed" and failed["messages"][0].startswith("big.bin: this input")
    assert shown(api, after["id"]) == "GOOD"
    assert (tmp_path / "big.bin").read_bytes() == GOOD


def test_a_large_upload_that_a_run_changes_is_the_same_for_others(own: Instance, tmp_path: Path) -> None:
    """Neither the stored upload nor the next run sees the change."""
    api = own.api()
    declared = "import pathlib\ntable: pathlib.Path"
    cell = f"{READ}\n{IN_PLACE}".replace("'big.bin'", "table")
    group = group_of(workflow(api, tmp_path, cell, parameters=declared))
    reader = group_of(workflow(api, tmp_path, READ.replace("'big.bin'", "table"), parameters=declared))

    def give(group: str) -> Json:
        file_id = api.uploads.upload_file(group, io.BytesIO(GOOD), "given.bin")["id"]
        return api.runs.start_run(group, arguments(table={"type": "$file", "value": {"fileId": file_id}}))

    handle = ended(api, give(group)["id"])

    assert (handle["reason"], handle["messages"][0][:9]) == ("input_changed", "given.bin")
    assert shown(api, give(reader)["id"]) == "GOOD"
    (stored,) = api.uploads.list_uploaded_files(group)["files"]
    with api.uploads.get_uploaded_file(group, stored["id"]) as stream:
        assert stream.read() == GOOD


def test_a_run_that_reads_while_another_changes_fails_too(own: Instance, tmp_path: Path) -> None:
    """It may have read what the other wrote."""
    api = own.api()
    go = tmp_path / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(0.05)"
    reader = running(api, tmp_path, READ, wait, READ)["id"]

    ended(api, start(api, tmp_path, IN_PLACE))
    late = start(api, tmp_path)
    assert shown(api, late) == "GOOD"
    go.touch()

    handle = ended(api, reader)
    assert (handle["state"], handle["reason"]) == ("ERROR", "input_changed")


@pytest.mark.parametrize("end", ["runner killed", "cancelled", "cell failed"])
def test_a_change_is_noticed_however_the_run_ends(own: Instance, tmp_path: Path, end: str) -> None:
    """The next run compares the shared copy with what it should be."""
    api = own.api()
    rest = "1 / 0" if end == "cell failed" else "print('changed', flush=True)\nimport time\ntime.sleep(600)"
    run_id = start(api, tmp_path, IN_PLACE, rest)
    if end != "cell failed":
        wait_until(lambda: "changed" in api.runs.get_log(run_id)["text"])
    if end == "cancelled":
        api.runs.cancel_run(run_id)
    if end == "runner killed":
        for process in find_processes(run_id):
            process.kill()
    handle = ended(api, run_id)

    reason = {"runner killed": "runner_died", "cancelled": "canceled", "cell failed": "cell_error"}[end]
    assert handle["reason"] == reason
    if end == "cell failed":
        assert handle["messages"][-1].startswith("big.bin: this input was changed")
    assert shown(api, start(api, tmp_path)) == "GOOD"


def test_a_large_input_may_be_touched_replaced_and_removed(own: Instance, root: Path, tmp_path: Path) -> None:
    """Its content stays the same for others; a file that replaces it is a result of the run."""
    api = own.api()
    touch = "import os\nos.utime('big.bin')\nopen('big.bin', 'r+b').close()"
    replace = "os.rename('big.bin', 'old.bin')\nopen('big.bin', 'w').write('new')\nos.remove('old.bin')"

    handle = ended(api, start(api, tmp_path, touch, replace))

    assert handle["state"] == "SUCCESS", handle["messages"]
    assert handle["files"][0]["name"] == "big.bin"
    assert shown(api, start(api, tmp_path)) == "GOOD"
    assert len(list((root / SHARED).glob("*/*/big.bin"))) == 1


def test_runs_share_one_copy_which_the_retention_removes_when_none_uses_it(
    own: Instance, root: Path, tmp_path: Path
) -> None:
    """Not while a run uses it, however old it is."""
    api = own.api()
    run_id = running(api, tmp_path, READ, "import time; time.sleep(600)")["id"]
    assert shown(api, start(api, tmp_path)) == "GOOD"
    (copy,) = (root / SHARED).glob("*/*/big.bin")

    def removed() -> list[str]:
        for path in [*copy.parents[1].rglob("*"), copy.parents[1]]:
            os.utime(path, (0, 0))
        return [each.subject for each in clean(own._components.files, own._database)]

    assert removed() == [] and copy.exists()
    api.runs.cancel_run(run_id)
    wait_until(lambda: not own._backend._tracked)
    assert removed() == [f"{SHARED}/{copy.parents[1].name}"] and not copy.exists()
    assert shown(api, start(api, tmp_path)) == "GOOD"


def test_a_damaged_stored_copy_is_given_to_no_run(own: Instance, root: Path, tmp_path: Path) -> None:
    """Neither as a copy nor as a link."""
    (tmp_path / "small.txt").write_text("GOOD")
    api = own.api()
    for name in ("small.txt", "big.bin"):
        group = group_of(workflow(api, tmp_path, f"open({name!r})"))
        ended(api, api.runs.start_run(group, [])["id"])
        shutil.rmtree(root / SHARED, ignore_errors=True)
        copies = [each for each in (root / "copies").glob("*/*") if each.read_bytes()[:4] == b"GOOD"]
        whole = {copy: copy.read_bytes() for copy in copies}
        for copy in copies:
            copy.chmod(0o600)
            copy.write_bytes(b"BAD!" + whole[copy][4:])

        handle = ended(api, api.runs.start_run(group, [])["id"])

        for copy in copies:
            copy.write_bytes(whole[copy])
        assert (handle["state"], handle["reason"]) == ("ERROR", "file_error")
        assert handle["messages"] == [f"{name}: the stored copy of this input is damaged"]
        assert handle["partialFiles"] == []


def test_a_working_folder_that_was_replaced_by_a_link_is_an_error(own: Instance, tmp_path: Path) -> None:
    """Neither are the files behind the link results, nor does the next attempt remove them."""
    api = own.api()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file.txt").write_text("kept")
    cell = (
        "import os, shutil\nplace = os.getcwd()\nos.chdir('/')\nshutil.rmtree(place)\n"
        f"os.symlink({str(tmp_path / 'kept')!r}, place)"
    )

    handle = ended(api, start(api, tmp_path, cell, config={"retries": 1}))

    assert (handle["state"], handle["reason"]) == ("ERROR", "file_error")
    assert handle["messages"][0] == "the working folder: it was replaced by a link"
    assert (tmp_path / "kept" / "file.txt").read_text() == "kept"
