import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from traitlets import TraitError

from runwidgets.errors import (
    FileTooLargeError,
    QueueFullError,
    ServiceUnavailableError,
    UnknownFileError,
    UnknownRunError,
)
from runwidgets.server.extension import RunWidgetsApp
from runwidgets.service.factory import clean_root, open_instance, open_store
from runwidgets.service.integrity import doctor
from runwidgets.service.integrity.doctor import check
from runwidgets.store.database.integrity_queries import find_orphaned_files
from runwidgets.store.files.layout import result_key, upload_key
from runwidgets.store.files.orphans import MinimumAges
from runwidgets.store.files.run_directories import NewRunDirectory
from tests.builders import DOUBLE, Json, arguments, group_of, read, workflow
from tests.s3 import S3
from tests.store.shared_root import SharedRoot, open_shared_root

LATER = 2 * 3600.0
"""Seconds after which what has no row belongs to nobody."""
BESIDE = "print(open('beside.txt').read())\n"
SECRET = {"parameters": [{"name": "word", "dtype": "string", "secret": True}]}


def file_argument(upload: Json) -> Json:
    """Return an upload as an argument's value."""
    return {"type": "$file", "value": {"fileId": upload["id"], "targetPath": "given.txt"}}


def read_log(shared: SharedRoot, run_id: str) -> str:
    """Return what a run printed."""
    return str(shared.api.runs.get_log(run_id)["text"])


def test_an_accepted_run_is_stored_in_the_object_store_only(shared: SharedRoot, tmp_path: Path) -> None:
    """Description, secrets and uploads are stored per run, the notebook once for all runs."""
    made = workflow(
        shared.api,
        tmp_path,
        "print(x)",
        parameters="import pathlib\nx: pathlib.Path\nword: str",
        runwidgets=SECRET,
    )
    upload = shared.api.uploads.upload_file(group_of(made), io.BytesIO(b"uploaded"), "a.txt")
    sent = arguments(x=file_argument(upload), word="psst")
    run_id = shared.api.runs.start_run(group_of(made), sent)["id"]

    assert shared.run_keys(run_id) == ["run.json", "secrets.json", f"uploads/{upload['id']}"]
    assert shared.object_store.read(f"runs/{run_id}/uploads/{upload['id']}") == b"uploaded"
    assert b"psst" not in shared.object_store.read(f"runs/{run_id}/run.json")
    (copy,) = shared.stored("copies")
    assert hashlib.sha256(shared.object_store.read(copy)).hexdigest() == copy.rpartition("/")[2]
    assert not [path for path in shared.files.folder.rglob("*") if path.is_file()]
    assert read(shared.api.runs.get_notebook(run_id)) == shared.object_store.read(copy)
    assert shared.api.runs.get_log(run_id)["size"] == 0


def test_a_run_executes_on_a_worker_and_is_read_by_servers(shared: SharedRoot, tmp_path: Path) -> None:
    """Results are downloaded, completely and in ranges, from any server; the doctor reports nothing."""
    (tmp_path / "beside.txt").write_text("beside the notebook")
    made = workflow(shared.api, tmp_path, BESIDE + DOUBLE, parameters="x: int = 3")
    handle = shared.execute(shared.api.runs.start_run(group_of(made), arguments(x=21))["id"])
    assert handle["state"] == "SUCCESS" and handle["metrics"] == {"double": 42}

    other = open_shared_root(shared.url, tmp_path, "two")
    seen = other.api.runs.get_run(handle["id"])
    results = {each["name"]: each["id"] for each in seen["files"]}
    with other.api.runs.get_result_file(handle["id"], results["x.csv"]) as stream:
        assert stream.seek(0, 2) == 5 and stream.seek(2) == 2 and stream.read(2) == b"21"
    with tarfile.open(fileobj=other.api.runs.get_result_archive(handle["id"]), mode="r|gz") as archive:
        packed = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
    assert packed["x.csv"] == b"x\n21\n" and len(packed) == 2
    assert read(other.api.runs.get_notebook(handle["id"])) == packed[seen["files"][-1]["name"]]
    assert read_log(other, handle["id"]) == "beside the notebook\nx is 21\n"
    assert other.api.runs.get_log(handle["id"], 7)["text"].startswith("the notebook")
    assert other.api.runs.get_log(handle["id"], -3)["text"] == "21\n"
    assert check(shared.url, shared.db_url, recheck_delay=0.0) == []
    other.instance.close()


def test_a_run_that_fails_on_a_worker_keeps_its_files(shared: SharedRoot, tmp_path: Path) -> None:
    """They are read by any server, are in no archive, and are deleted with the run."""
    large = "open('large', 'wb').truncate(64_000_001)"
    made = workflow(shared.api, tmp_path, f"open('part.txt', 'w').write('half')\n{large}", "1 / 0")
    handle = shared.execute(shared.api.runs.start_run(group_of(made), [])["id"])
    other = open_shared_root(shared.url, tmp_path, "two")

    seen = other.api.runs.get_run(handle["id"])

    large_file, part, notebook = seen["partialFiles"]
    assert (part["name"], notebook["name"]) == ("part.txt", handle["notebook"]) and "sha256" not in large_file
    assert read(other.api.runs.get_partial_file(handle["id"], part["id"])) == b"half"
    with other.api.runs.get_partial_file(handle["id"], large_file["id"]) as stream:
        assert stream.seek(0, 2) == 64_000_001
    with pytest.raises(UnknownRunError):
        other.api.runs.get_result_archive(handle["id"])
    assert check(shared.url, shared.db_url, recheck_delay=0.0) == []
    other.api.runs.delete_run(handle["id"])
    assert shared.run_keys(handle["id"]) == []
    other.instance.close()


def test_runs_are_stored_all_or_none(shared: SharedRoot, tmp_path: Path) -> None:
    """If the rows are not committed, or a file is missing, nothing remains."""
    made = workflow(shared.api, tmp_path, "1", parameters="import pathlib\nx: pathlib.Path | None = None")
    before = shared.stored()
    new_directories = [
        NewRunDirectory(f"{number:032x}", {"id": number}, {}, {"a": "b"}) for number in range(20)
    ]
    with pytest.raises(QueueFullError), shared.files.create_runs(new_directories, "0" * 64):
        assert len(shared.stored("runs")) == 40
        raise QueueFullError("queue", "it is full")
    assert shared.stored() == before

    upload = shared.api.uploads.upload_file(group_of(made), io.BytesIO(b"uploaded"), "a.txt")
    shared.object_store.delete("uploads")
    with pytest.raises(UnknownFileError, match="was deleted"):
        shared.api.sweeps.start_sweep(group_of(made), [arguments(), arguments(x=file_argument(upload))])
    assert shared.stored() == before and shared.api.runs.list_runs(group_of(made)) == {"runs": []}


def test_deletions_leave_nothing(shared: SharedRoot, tmp_path: Path) -> None:
    """A run, a sweep, an upload, a group and a workflow are deleted."""
    made = workflow(shared.api, tmp_path, DOUBLE, parameters="x: int = 3")
    group_id = group_of(made)
    upload = shared.api.uploads.upload_file(group_id, io.BytesIO(b"1"), "what?[1].txt")
    kept = shared.api.uploads.upload_file(group_id, io.BytesIO(b"2"), "b.txt")
    run_id = shared.api.runs.start_run(group_id, [])["id"]
    shared.execute(run_id)
    sweep = shared.api.sweeps.start_sweep(group_id, [arguments(x=x) for x in range(3)])
    shared.api.sweeps.cancel_sweep(sweep["id"])

    shared.api.runs.delete_run(run_id)
    assert shared.run_keys(run_id) == [] and len(shared.stored("runs")) == 3
    shared.api.sweeps.delete_sweep(sweep["id"])
    assert shared.stored("runs") == []
    shared.api.uploads.delete_file(group_id, upload["id"])
    assert shared.stored("uploads") == [f"uploads/{group_id}/{kept['id']}/b.txt"]
    run_id = shared.api.runs.start_run(group_id, [])["id"]
    shared.api.runs.cancel_run(run_id)
    shared.api.workflows.delete_workflow(made["id"])
    assert shared.stored("runs") + shared.stored("uploads") == []


def test_an_upload_is_stored_unchanged(shared: SharedRoot, tmp_path: Path) -> None:
    """It is measured while it is sent, read in ranges, and refused without a trace if it is too large."""
    group_id = group_of(workflow(shared.api, tmp_path, "1"))
    content = bytes(range(256)) * 40_000
    upload = shared.api.uploads.upload_file(group_id, io.BytesIO(content), "large.bin")
    assert upload["size"] == len(content)
    with shared.api.uploads.get_uploaded_file(group_id, upload["id"]) as stream:
        assert stream.seek(-256, 2) and stream.read() == content[-256:]
        assert stream.seek(0) == 0 and stream.read() == content

    before = shared.stored()
    with pytest.raises(FileTooLargeError, match=r"a\.bin"):
        shared.files.store_upload(upload_key(group_id, "f" * 32, "a.bin"), io.BytesIO(content), 1000)
    assert shared.stored() == before
    shared.object_store.delete("uploads")
    with pytest.raises(UnknownFileError, match="deleted in the meantime"):
        shared.api.uploads.get_uploaded_file(group_id, upload["id"])


def test_a_run_keeps_its_upload_even_if_the_upload_is_deleted(shared: SharedRoot, tmp_path: Path) -> None:
    """It is copied inside the store when the run is accepted."""
    made = workflow(
        shared.api, tmp_path, "print(x.read_text())", parameters="import pathlib\nx: pathlib.Path"
    )
    upload = shared.api.uploads.upload_file(group_of(made), io.BytesIO(b"uploaded"), "a.txt")
    run_id = shared.api.runs.start_run(group_of(made), arguments(x=file_argument(upload)))["id"]
    shared.api.uploads.delete_file(group_of(made), upload["id"])
    assert shared.execute(run_id)["state"] == "SUCCESS" and read_log(shared, run_id) == "uploaded\n"
    assert f"uploads/{upload['id']}" not in shared.run_keys(run_id)


def test_the_results_of_a_sweep_are_the_files_of_a_run(shared: SharedRoot, tmp_path: Path) -> None:
    """They are copied inside the store."""
    made = workflow(shared.api, tmp_path, DOUBLE, parameters="x: int = 3")
    sweep = shared.api.sweeps.start_sweep(group_of(made), [arguments(x=x) for x in (1, 2)])
    for run in shared.api.runs.list_runs(group_of(made))["runs"]:
        shared.execute(run["id"])
    code = "import pathlib\nprint(sorted(p.read_text() for p in pathlib.Path(runs).rglob('x.csv')))"
    reader = workflow(shared.api, tmp_path, code, parameters="runs: str = ''")
    run_id = shared.api.runs.start_run(group_of(reader), [], {"results_of": sweep["id"]})["id"]
    assert shared.execute(run_id)["state"] == "SUCCESS"
    assert read_log(shared, run_id) == "['x\\n1\\n', 'x\\n2\\n']\n"


def test_secrets_of_runs_that_never_start_are_removed(shared: SharedRoot, tmp_path: Path) -> None:
    """A single run and the runs of a sweep are cancelled."""
    made = workflow(shared.api, tmp_path, "1", parameters="word: str", runwidgets=SECRET)
    run_id = shared.api.runs.start_run(group_of(made), arguments(word="psst"))["id"]
    points = [arguments(word=word) for word in ("one", "two")]
    sweep_id = shared.api.sweeps.start_sweep(group_of(made), points)["id"]
    assert len([key for key in shared.stored() if key.endswith("secrets.json")]) == 3
    shared.api.runs.cancel_run(run_id)
    shared.api.sweeps.cancel_sweep(sweep_id)
    assert [key for key in shared.stored() if key.endswith("secrets.json")] == []


def test_the_files_of_a_lost_run_are_read_and_corrected(shared: SharedRoot, tmp_path: Path) -> None:
    """They are read in a temporary folder; a changed notebook is stored again."""
    made = workflow(shared.api, tmp_path, DOUBLE, parameters="x: int = 3")
    run_id = shared.api.runs.start_run(group_of(made), [])["id"]
    shared.execute(run_id)
    with shared.files.view_run(run_id, "journal.jsonl", "run.json") as folder:
        assert {path.name for path in folder.iterdir()} == {"journal.jsonl", "run.json"}
    with shared.files.edit_notebook(run_id) as notebook:
        notebook.write_text("settled")
    assert read(shared.files.open_notebook(run_id)) == b"settled"
    assert not folder.exists() and not notebook.exists()


# -- what belongs to nobody, and what is wrong -----------------------------------------------------


def test_orphans_are_removed_once_no_instance_can_be_about_to_commit_them(
    shared: SharedRoot, tmp_path: Path
) -> None:
    """Runs, uploads and copies without rows are removed; recent ones and those with rows are kept."""
    made = workflow(shared.api, tmp_path, DOUBLE, parameters="x: int = 3")
    shared.api.uploads.upload_file(group_of(made), io.BytesIO(b"1"), "a.txt")
    shared.api.runs.start_run(group_of(made), [])
    kept = shared.stored()
    orphans = {
        "runs/0a": ["runs/0a/run.json", "runs/0a/workdir/x"],
        "uploads/g/f": ["uploads/g/f/a.txt"],
        f"uploads/{group_of(made)}/f": [f"uploads/{group_of(made)}/f/a.txt"],
        f"copies/ab/{'ab' * 32}": [f"copies/ab/{'ab' * 32}"],
    }
    shared.object_store.put({key: b"12345" for keys in orphans.values() for key in keys})
    assert list(clean_root(shared.url, shared.db_url)) == []

    found = list(find_orphaned_files(shared.files, shared.database, shared.files.clock() + LATER))
    assert {each.key: each.size for each in found} == {path: 5 * len(keys) for path, keys in orphans.items()}
    assert not shared.files.discard(replace(found[0], touched=found[0].touched - 1)), (
        "it was stored anew since"
    )
    assert all(shared.files.discard(each) for each in found)
    assert shared.stored() == kept and not shared.files.discard(found[0])


def test_old_runs_are_removed_with_all_their_objects(shared: SharedRoot, tmp_path: Path) -> None:
    """The command and the instance do the same, and report the freed bytes."""
    made = workflow(shared.api, tmp_path, DOUBLE, parameters="x: int = 3")
    for run_id in [shared.api.runs.start_run(group_of(made), [])["id"] for _ in range(2)]:
        shared.api.runs.cancel_run(run_id)
    size = shared.files.size_of_run(shared.api.runs.list_runs(group_of(made))["runs"][0]["id"])
    (removal,) = clean_root(shared.url, shared.db_url, 0, 1)
    assert removal.size == size > 100 and len(shared.stored("runs")) == 1


def test_the_doctor_names_missing_changed_and_orphaned_objects(
    shared: SharedRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results, copies, uploads and whole runs are checked, and nothing is changed."""
    made = workflow(shared.api, tmp_path, DOUBLE, parameters="x: int = 3")
    upload = shared.api.uploads.upload_file(group_of(made), io.BytesIO(b"1"), "a.txt")
    lost, changed, gone = (shared.api.runs.start_run(group_of(made), [])["id"] for _ in range(3))
    for run_id in (lost, changed):
        shared.execute(run_id)
    assert check(shared.url, shared.db_url, recheck_delay=0.0) == []

    (copy,) = shared.stored("copies")
    shared.object_store.remove([result_key(lost, "x.csv")])
    shared.object_store.delete(f"runs/{gone}", f"uploads/{group_of(made)}/{upload['id']}")
    shared.object_store.put({result_key(changed, "x.csv"): b"x\n7\n", copy: b"{}", "runs/0a/run.json": b"{}"})
    monkeypatch.setattr(doctor, "REPORT_AGES", MinimumAges(0.0, 0.0, 0.0))
    before = shared.stored()
    assert [str(each) for each in check(shared.url, shared.db_url, recheck_delay=0.0)] == sorted(
        [
            f"run {lost}: result file x.csv is missing (invariant 7)",
            f"run {changed}: result file x.csv has changed content (invariant 7)",
            f"run {gone}: it has a row, but no directory (invariant 11)",
            "runs/0a: it is an orphan (invariant 11)",
            f"uploads/{group_of(made)}/{upload['id']}/a.txt: it has a row, but it is missing (invariant 11)",
            *(
                f"run {each}: its template.ipynb is not the registered one (invariant 15)"
                for each in (lost, changed)
            ),
            f"{copy}: its content has changed (invariant 15)",
        ],
        key=lambda text: (int(text[:-1].rpartition(" ")[2]), text),
    )
    assert shared.stored() == before


# -- how such a root is opened ---------------------------------------------------------------------


def test_an_unavailable_store_is_named_and_nothing_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run, upload or workflow gets a row."""
    server = S3()
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    shared = open_shared_root(f"{server.bucket()}/instance", tmp_path)
    made = workflow(shared.api, tmp_path, "1")
    run_id = shared.api.runs.start_run(group_of(made), [])["id"]
    server.stop()

    with pytest.raises(ServiceUnavailableError, match=r"run\.json: s3://.* does not respond"):
        shared.api.runs.start_run(group_of(made), [])
    with pytest.raises(ServiceUnavailableError, match=r"a\.txt: s3://.* does not respond"):
        shared.api.uploads.upload_file(group_of(made), io.BytesIO(b"1"), "a.txt")
    with pytest.raises(ServiceUnavailableError, match=r"does not respond"):
        shared.api.runs.get_notebook(run_id)
    with pytest.raises(ServiceUnavailableError, match="does not respond"):
        open_store(shared.url, shared.db_url, cache=tmp_path / "two")
    assert [each["id"] for each in shared.api.runs.list_runs(group_of(made))["runs"]] == [run_id]
    assert shared.api.uploads.list_uploaded_files(group_of(made)) == {"files": []}
    shared.instance.close()


@pytest.mark.local
def test_a_root_that_is_a_url_needs_a_shared_database(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It also needs workers; its local files are in Jupyter's data folder."""
    with pytest.raises(ServiceUnavailableError, match=r"db_url: s3://.* cannot hold a database"):
        open_store(bucket)
    with pytest.raises(ServiceUnavailableError, match="root: runs on this machine cannot use s3://"):
        open_instance(bucket, db_url=f"sqlite:///{tmp_path}/rows.db")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    files, database = open_store(bucket, f"sqlite:///{tmp_path}/rows.db")
    name = hashlib.sha256(bucket.encode()).hexdigest()[:16]
    assert files.folder == tmp_path / "runwidgets-cache" / name
    database.close()


def test_all_servers_of_a_store_have_the_same_identifier(
    shared: SharedRoot, bucket: str, tmp_path: Path
) -> None:
    """Their local folders do not matter; another bucket is another store."""
    other = open_shared_root(shared.url, tmp_path, "two")
    assert shared.instance.store == other.instance.store
    elsewhere = open_shared_root(f"{bucket}/other", tmp_path, "three")
    assert shared.instance.store != elsewhere.instance.store
    for each in (other, elsewhere):
        each.instance.close()


def test_a_file_url_is_a_folder_of_this_machine(tmp_path: Path) -> None:
    """It has its own database, like any folder."""
    files, database = open_store(f"file://{tmp_path}/a%20root")
    assert files.folder == tmp_path / "a root" and (files.folder / "runwidgets.db").exists()
    database.close()


def test_the_settings_take_a_url() -> None:
    """A URL is accepted unchanged; a folder is still checked."""
    assert RunWidgetsApp(root="s3://bucket/instance").root == "s3://bucket/instance"
    assert RunWidgetsApp(root="file:///data/a%20root").root == "/data/a root"
    for setting in ({"root": "relative"}, {"cache": "relative"}):
        with pytest.raises(TraitError, match="is relative; give an absolute folder"):
            RunWidgetsApp(**setting)
