import gzip
import io
import os
from pathlib import Path

import pytest

from runwidgets.errors import InvalidArgumentError, UnknownFileError, UnknownWorkflowGroupError
from runwidgets.service.contracts.api import Api
from tests.builders import ended, group_of, read, workflow

TABLE = b"a,b\n1,2\n"


def test_an_upload_comes_back_as_it_was_sent(api: Api, folder: Path) -> None:
    """Content and name are unchanged, until it is deleted."""
    group_id = group_of(workflow(api, folder, "1"))

    made = api.uploads.upload_file(group_id, io.BytesIO(TABLE), "ta ble ü.csv")

    assert set(made) == {"id", "name", "createdAt", "size"}
    assert (made["name"], made["size"]) == ("ta ble ü.csv", len(TABLE))
    assert read(api.uploads.get_uploaded_file(group_id, made["id"])) == TABLE
    assert api.uploads.list_uploaded_files(group_id) == {"files": [made]}
    api.uploads.delete_file(group_id, made["id"])
    for ask in (api.uploads.get_uploaded_file, api.uploads.delete_file):
        with pytest.raises(UnknownFileError):
            ask(group_id, made["id"])


def test_a_file_is_read_from_where_it_stands_to_its_end(api: Api, folder: Path, tmp_path: Path) -> None:
    """The size of the underlying file does not matter."""
    group_id = group_of(workflow(api, folder, "1"))
    with gzip.open(tmp_path / "table.gz", "wb") as written:
        written.write(TABLE * 1000)

    with gzip.open(tmp_path / "table.gz") as file:
        assert file.read(4) == b"a,b\n"
        made = api.uploads.upload_file(group_id, file, "table.csv")  # type: ignore[arg-type]

    assert read(api.uploads.get_uploaded_file(group_id, made["id"])) == (TABLE * 1000)[4:]


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b.csv", "a\\b.csv", "nul\0", "x" * 300, "new\nline"]
)
def test_a_name_that_is_not_a_plain_file_name_is_refused(api: Api, folder: Path, name: str) -> None:
    """Nothing of the file is kept."""
    group_id = group_of(workflow(api, folder, "1"))

    with pytest.raises(InvalidArgumentError, match="name"):
        api.uploads.upload_file(group_id, io.BytesIO(TABLE), name)

    assert api.uploads.list_uploaded_files(group_id) == {"files": []}


def test_an_upload_needs_a_group(api: Api) -> None:
    """An unknown group accepts no file."""
    with pytest.raises(UnknownWorkflowGroupError):
        api.uploads.upload_file("nowhere", io.BytesIO(TABLE), "table.csv")


def test_a_run_reads_an_uploaded_file_and_keeps_it(api: Api, folder: Path) -> None:
    """The notebook gets a path in its working folder, even if the upload is deleted in the meantime."""
    cell = "import runwidgets\nrunwidgets.record('read', [str(table), table.read_text()])"
    made = workflow(api, folder, cell, parameters="from pathlib import Path\ntable: Path = Path('none.csv')")
    group_id = group_of(made)
    file_id = api.uploads.upload_file(group_id, io.BytesIO(TABLE), "table.csv")["id"]
    value = {"type": "$file", "value": {"fileId": file_id, "targetPath": "in/my.csv"}}

    run_id = api.runs.start_run(group_id, [{"name": "table", "value": value}])["id"]
    api.uploads.delete_file(group_id, file_id)
    handle = ended(api, run_id)

    assert handle["state"] == "SUCCESS", handle["messages"]
    assert handle["metrics"]["read"] == ["in/my.csv", TABLE.decode()]
    assert "in/my.csv" not in [each["name"] for each in handle["files"]]


@pytest.mark.parametrize("target", ["../x", "/etc/x", "a/../../x", "~/x", ""])
def test_a_target_outside_the_working_folder_is_refused(api: Api, folder: Path, target: str) -> None:
    """A file argument cannot leave its run."""
    made = workflow(api, folder, "1", parameters="table: Path = Path('none.csv')")
    file_id = api.uploads.upload_file(group_of(made), io.BytesIO(TABLE), "table.csv")["id"]
    value = {"type": "$file", "value": {"fileId": file_id, "targetPath": target}}

    with pytest.raises(InvalidArgumentError, match="table: its targetPath"):
        api.runs.start_run(group_of(made), [{"name": "table", "value": value}])


def test_a_file_of_the_server_is_taken_over(api: Api, folder: Path) -> None:
    """It becomes an upload like any other: a copy, under the last part of its path."""
    group_id = group_of(workflow(api, folder, "1"))
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "tables" / "ta ble ü.csv").write_bytes(TABLE)

    made = api.uploads.take_file(group_id, "tables/ta ble ü.csv")
    (folder / "tables" / "ta ble ü.csv").write_bytes(b"other")

    assert (made["name"], made["size"]) == ("ta ble ü.csv", len(TABLE))
    assert read(api.uploads.get_uploaded_file(group_id, made["id"])) == TABLE
    assert api.uploads.list_uploaded_files(group_id) == {"files": [made]}


def test_only_a_plain_file_of_the_templates_folder_is_taken_over(
    api: Api, folder: Path, tmp_path: Path
) -> None:
    """Files outside the folder, links to them, hidden files and folders are refused, and nothing is kept."""
    group_id = group_of(workflow(api, folder, "1"))
    outside = tmp_path / "outside.csv"
    outside.write_bytes(TABLE)
    for name in ("link.csv", "circle.csv", "pipe"):
        (folder / name).unlink(missing_ok=True)
    (folder / "link.csv").symlink_to(outside)
    (folder / "circle.csv").symlink_to("circle.csv")
    os.mkfifo(folder / "pipe")
    (folder / ".hidden").mkdir(exist_ok=True)
    (folder / ".hidden" / "key.txt").write_bytes(b"secret")
    refused = {
        str(outside): "outside the folder of the templates",
        "../outside.csv": "outside the folder of the templates",
        "link.csv": "outside the folder of the templates",
        ".hidden/key.txt": "is hidden",
        "circle.csv": "cannot be read",
        ".": "is not a file",
        "pipe": "is not a file",
        "": "path: it",
    }

    for path, problem in refused.items():
        with pytest.raises(InvalidArgumentError, match=problem):
            api.uploads.take_file(group_id, path)
    with pytest.raises(UnknownFileError, match=r"there is no file 'none\.csv'"):
        api.uploads.take_file(group_id, "none.csv")
    with pytest.raises(UnknownWorkflowGroupError):
        api.uploads.take_file("nowhere", "none.csv")

    assert api.uploads.list_uploaded_files(group_id) == {"files": []}
