import hashlib
import json
from pathlib import Path

import pytest

from runwidgets.errors import ConstraintViolationError, InvalidRunStateError, UnknownRunError
from runwidgets.execution.journal import count_attempts
from runwidgets.store.files.layout import WORKDIR, copy_key, result_key
from runwidgets.store.files.object_store_staging import open_staging
from runwidgets.store.locks import hold_lock
from tests.builders import DOUBLE, Json, arguments, group_of, workflow
from tests.store.shared_root import SharedRoot, run_here

SECRET = {"parameters": [{"name": "word", "dtype": "string", "secret": True}]}


def accept(shared: SharedRoot, folder: Path, code: str = DOUBLE, config: Json | None = None) -> str:
    """Accept a run, and return its id."""
    made = workflow(shared.api, folder, code, parameters="x: int = 3")
    return str(shared.api.runs.start_run(group_of(made), [], config)["id"])


def test_a_run_is_fetched_and_published(shared: SharedRoot, tmp_path: Path) -> None:
    """It is complete, with the files beside its notebook; the worker keeps only what the next run needs."""
    (tmp_path / "beside.txt").write_text("beside the notebook")
    run_id = accept(shared, tmp_path, DOUBLE + "\nprint(open('beside.txt').read())")
    shared.staging.fetch(run_id, 0)
    folder = shared.staging.files.run_folder(run_id)
    template = json.loads((folder / "run.json").read_bytes())["template"]
    assert hashlib.sha256((folder / "template.ipynb").read_bytes()).hexdigest() == template["notebook"]

    results = run_here(shared.staging, run_id)
    shared.staging.publish(run_id, results)
    assert shared.run_keys(run_id) == [
        f"{WORKDIR}/x.csv",
        "journal.jsonl",
        "log.txt",
        "output.ipynb",
        "run.json",
    ]
    for name in shared.run_keys(run_id):
        assert shared.object_store.read(f"runs/{run_id}/{name}") == (folder / name).read_bytes()
    shared.staging.drop(run_id)
    assert list(shared.staging.files.runs.iterdir()) == []
    assert len([path for path in shared.staging.files.copies.rglob("*") if path.is_file()]) == 2


def test_a_run_that_is_not_stored_is_unknown(shared: SharedRoot, tmp_path: Path) -> None:
    """The root is a URL or a shared folder."""
    for place in (shared.staging, open_staging(str(tmp_path / "shared"), tmp_path / "scratch")):
        with pytest.raises(UnknownRunError, match="run nothing"):
            place.fetch("nothing", 0)
        assert list(place.files.runs.iterdir()) == []


def test_a_shared_folder_is_used_directly(tmp_path: Path) -> None:
    """Nothing is transferred or removed."""
    place = open_staging(f"file://{tmp_path}/root", tmp_path / "scratch")
    folder = place.files.run_folder("run")
    folder.mkdir()
    assert folder == tmp_path / "root" / "runs" / "run" and not (tmp_path / "scratch").exists()
    place.fetch("run", 3)
    place.save("run")
    place.publish("run", [])
    place.drop("run")
    assert list(folder.iterdir()) == []


def test_a_journal_records_attempts_whose_worker_saved_nothing(shared: SharedRoot, tmp_path: Path) -> None:
    """The records that an attempt saved are kept, and the next attempt follows them."""
    run_id = accept(shared, tmp_path, config={"retries": 3})
    shared.object_store.put(
        {
            f"runs/{run_id}/journal.jsonl": b'{"kind": "started", "pid": 7}\n',
            f"runs/{run_id}/log.txt": b"earlier\n",
        }
    )
    shared.staging.fetch(run_id, 3)
    folder = shared.staging.files.run_folder(run_id)
    assert count_attempts(folder / "journal.jsonl") == 3
    assert (folder / "journal.jsonl").read_text().splitlines()[1:] == [
        '{"kind": "started", "pid": 0, "format": 1}'
    ] * 2
    assert (folder / "log.txt").read_text() == "earlier\n"
    shared.staging.fetch(run_id, 1)
    assert count_attempts(folder / "journal.jsonl") == 4, (
        "the third had begun, and nothing more is known of it"
    )


def test_a_run_whose_runner_is_alive_here_is_not_fetched(shared: SharedRoot, tmp_path: Path) -> None:
    """The worker may get it a second time, but does not execute it twice at once."""
    run_id = accept(shared, tmp_path)
    shared.staging.fetch(run_id, 0)
    lock = hold_lock(shared.staging.files.run_folder(run_id) / "lock")
    assert lock is not None
    with open(lock), pytest.raises(InvalidRunStateError, match="still alive"):
        shared.staging.fetch(run_id, 0)
    shared.staging.fetch(run_id, 0)


def test_secrets_are_removed_from_the_store_at_the_last_attempt(shared: SharedRoot, tmp_path: Path) -> None:
    """Earlier attempts keep them for the next one."""
    made = workflow(shared.api, tmp_path, "1", parameters="word: str", runwidgets=SECRET)
    sent = arguments(word="psst")
    run_id = shared.api.runs.start_run(group_of(made), sent, {"retries": 1})["id"]
    shared.staging.fetch(run_id, 0)
    assert "secrets.json" in shared.run_keys(run_id)
    shared.staging.fetch(run_id, 1)
    assert "secrets.json" not in shared.run_keys(run_id)
    assert json.loads((shared.staging.files.run_folder(run_id) / "secrets.json").read_bytes()) == {
        "word": "psst"
    }


def test_a_damaged_copy_is_refused(shared: SharedRoot, tmp_path: Path) -> None:
    """A copy in the store is refused by name; one that a notebook damaged on the worker is fetched again."""
    (tmp_path / "beside.txt").write_text("beside the notebook")
    first, second = (accept(shared, tmp_path, f"print(open('beside.txt').read(), {n})") for n in range(2))
    shared.staging.fetch(first, 0)
    digest = hashlib.sha256(b"beside the notebook").hexdigest()
    shared.staging.files.copy(digest).write_text("damaged")
    shared.staging.fetch(second, 0)
    assert shared.staging.files.copy(digest).read_text() == "beside the notebook"

    shared.object_store.put({copy_key(digest): b"damaged"})
    shared.staging.files.copy(digest).unlink()
    with pytest.raises(ConstraintViolationError, match=r"file beside\.txt: its stored content is damaged"):
        shared.staging.fetch(first, 0)
    assert not shared.staging.files.copy(digest).exists()
    shared.object_store.remove([copy_key(digest)])
    with pytest.raises(ConstraintViolationError, match="missing in the store"):
        shared.staging.fetch(first, 0)
    assert [path.name for path in shared.staging.files.copies.iterdir() if path.name.startswith(".")] == []


def test_a_result_that_changed_after_it_was_listed_is_not_published(
    shared: SharedRoot, tmp_path: Path
) -> None:
    """Neither is a deleted one; the journal does not record the end of the run."""
    run_id = accept(shared, tmp_path)
    shared.staging.fetch(run_id, 0)
    results = run_here(shared.staging, run_id)
    path = shared.staging.files.run_folder(run_id) / WORKDIR / "x.csv"
    for change, problem in ((lambda: path.write_text("changed"), "SHA-256"), (path.unlink, "it was deleted")):
        change()
        with pytest.raises(ConstraintViolationError, match=rf"x\.csv: .*{problem}"):
            shared.staging.publish(run_id, results)
    assert b"finished" not in shared.object_store.read(f"runs/{run_id}/journal.jsonl")


def test_only_changed_files_are_saved(shared: SharedRoot, tmp_path: Path) -> None:
    """During a run, these are the complete lines of the journal, the log and the notebook."""
    run_id = accept(shared, tmp_path)
    shared.staging.fetch(run_id, 0)
    folder = shared.staging.files.run_folder(run_id)
    shared.staging.save(run_id)
    before = shared.run_keys(run_id)
    assert before == ["journal.jsonl", "run.json"], "that an attempt begins is said at once"

    (folder / "journal.jsonl").write_bytes(b'{"kind": "started", "pid": 7}\n{"kind": "ce')
    (folder / "log.txt").write_text("a line\n")
    shared.staging.save(run_id)
    assert shared.run_keys(run_id) == ["journal.jsonl", "log.txt", "run.json"]
    assert shared.object_store.read(f"runs/{run_id}/journal.jsonl") == b'{"kind": "started", "pid": 7}\n'

    shared.object_store.remove([f"runs/{run_id}/journal.jsonl", f"runs/{run_id}/log.txt"])
    (folder / "output.ipynb").write_text("{}")
    shared.staging.save(run_id)
    assert shared.run_keys(run_id) == ["output.ipynb", "run.json"]


def test_the_end_of_a_run_is_stored_with_its_files(shared: SharedRoot, tmp_path: Path) -> None:
    """If the worker is lost in between, the run is lost, and nothing is listed that is not stored."""
    run_id = accept(shared, tmp_path)
    shared.staging.fetch(run_id, 0)
    results = run_here(shared.staging, run_id)

    shared.staging.save(run_id)
    assert b'"kind": "cell"' in shared.object_store.read(f"runs/{run_id}/journal.jsonl")
    assert b"finished" not in shared.object_store.read(f"runs/{run_id}/journal.jsonl")
    shared.staging.publish(run_id, results)
    assert b"finished" in shared.object_store.read(f"runs/{run_id}/journal.jsonl")


def test_results_of_an_earlier_attempt_are_removed(shared: SharedRoot, tmp_path: Path) -> None:
    """The results of a run are those of its last attempt."""
    run_id = accept(shared, tmp_path)
    shared.object_store.put({result_key(run_id, "old.csv"): b"1"})
    shared.staging.fetch(run_id, 0)
    shared.staging.publish(run_id, run_here(shared.staging, run_id))
    assert [name for name in shared.run_keys(run_id) if name.startswith(WORKDIR)] == [f"{WORKDIR}/x.csv"]
