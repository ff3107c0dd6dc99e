import io
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import nbformat
import pytest

from runwidgets.errors import ServiceUnavailableError, StorageFullError, UnknownRunError
from runwidgets.execution.processes import find_processes
from runwidgets.limits import Limits
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from tests.builders import (
    SLEEP,
    Json,
    accepted,
    ended,
    finished,
    group_of,
    read,
    running,
    wait_until,
    workflow,
)

FILL = """
with open("big.bin", "wb", buffering=0) as big:
    while True:
        big.write(b"x" * 65536)
"""
PRINT = "for _ in range(400): print('x' * 100_000)"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("nobody but root can mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def small(disk: Path) -> Iterator[Instance]:
    """Open an instance on the small disk."""
    instance = open_instance(disk / "root", slots=1, limits=Limits(disk_floor=2_000_000))
    yield instance
    instance.close()


def group(api: Api, folder: Path, *cells: str) -> str:
    """Register a notebook."""
    return group_of(workflow(api, folder, *cells))


@pytest.mark.parametrize(
    "cells",
    [[FILL], [PRINT]],
    ids=["while a cell writes", "while it prints"],
)
def test_a_run_that_fills_the_disk_ends_in_an_error_that_names_it(
    small: Instance, tmp_path: Path, path: Json, cells: list[str]
) -> None:
    """The stored notebook remains complete, and a deletion frees space."""
    api = small.api()
    calm = group(api, tmp_path, "1")

    handle = finished(api, tmp_path, "print('begun')", *cells, config=path)

    assert handle["state"] == "ERROR"
    assert "No space left on device" in handle["messages"][0]
    assert handle["reason"] == "storage_full" or (cells == [FILL] and handle["reason"] == "cell_error")
    nbformat.validate(nbformat.reads(read(api.runs.get_notebook(handle["id"])).decode(), as_version=4))
    with pytest.raises(StorageFullError):
        api.runs.start_run(calm, [])
    wait_until(lambda: handle["id"] not in small._backend._tracked)
    api.runs.delete_run(handle["id"])
    assert ended(api, api.runs.start_run(calm, [])["id"])["state"] == "SUCCESS"


def test_a_run_is_deleted_although_the_reserved_space_is_taken(
    small: Instance, tmp_path: Path, disk: Path
) -> None:
    """The space of its own files is used."""
    api = small.api()
    handle = finished(api, tmp_path, "open('result.bin', 'wb').write(b'x' * 4_000_000)")
    wait_until(lambda: handle["id"] not in small._backend._tracked)
    (disk / "root" / "reserve").unlink()
    with (disk / "others.bin").open("wb", buffering=0) as others, pytest.raises(OSError, match="No space"):
        while True:
            others.write(b"x" * 4096)

    api.runs.delete_run(handle["id"])

    with pytest.raises(UnknownRunError):
        api.runs.get_run(handle["id"])


def test_an_upload_that_does_not_fit_leaves_nothing(small: Instance, tmp_path: Path, disk: Path) -> None:
    """The error names the file."""
    api = small.api()
    here = group(api, tmp_path, "1")
    free = shutil.disk_usage(disk).free

    with pytest.raises(StorageFullError, match=r"big\.bin"):
        api.uploads.upload_file(here, io.BytesIO(b"x" * 30_000_000), "big.bin")

    assert api.uploads.list_uploaded_files(here)["files"] == []
    assert abs(shutil.disk_usage(disk).free - free) < 200_000


def test_a_read_only_folder_refuses_runs_until_it_is_writable(
    small: Instance, tmp_path: Path, disk: Path
) -> None:
    """No run is accepted in part."""
    api = small.api()
    here = group(api, tmp_path, "1")
    runs = disk / "root" / "runs"

    subprocess.run(["mount", "--bind", runs, runs], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", runs], check=True)
    with pytest.raises(ServiceUnavailableError, match="not writable"):
        api.runs.start_run(here, [])
    subprocess.run(["umount", runs], check=True)

    assert api.runs.list_runs(here)["runs"] == []
    assert ended(api, api.runs.start_run(here, [])["id"])["state"] == "SUCCESS"


def _is_removed(folder: Path) -> bool:
    """Remove a folder into which a run may be writing."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def test_a_run_whose_folder_is_deleted_ends_in_an_error(
    private_instance: Instance, tmp_path: Path, path: Json
) -> None:
    """The run is running or waiting; its folder is not created again."""
    api = private_instance.api()
    busy = [running(api, tmp_path, SLEEP, config=path)["id"] for _ in range(2)]
    waits = accepted(api, tmp_path, "1", config=path)["id"]

    folders = [private_instance._components.files.run_folder(run_id) for run_id in (*busy, waits)]
    for folder in folders:
        wait_until(partial(_is_removed, folder))

    handles = [ended(api, run_id) for run_id in (*busy, waits)]
    assert [handle["state"] for handle in handles] == ["ERROR"] * 3
    assert handles[2]["messages"] == ["its run directory cannot be read"]
    assert handles[2]["reason"] == "file_error"
    wait_until(lambda: not any(find_processes(run_id) for run_id in busy), within=5)
    assert not any(folder.exists() for folder in folders)
    wait_until(lambda: not private_instance._backend._tracked)
    for handle in handles:
        api.runs.delete_run(handle["id"])
