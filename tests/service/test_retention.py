import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runwidgets.errors import ServiceUnavailableError
from runwidgets.service import retention
from runwidgets.service.factory import clean_root, open_instance, open_store
from runwidgets.service.integrity.doctor import check
from runwidgets.service.retention import Retention
from runwidgets.store.database.integrity_queries import find_orphaned_files
from runwidgets.store.files.orphans import Orphan
from runwidgets.store.locks import hold_lock
from tests.builders import SLEEP, ended, finished, group_of, running, wait_until, workflow
from tests.service.damage import LONG_AGO, YEARS_AGO, Root

pytestmark = [pytest.mark.sqlite]

COMMAND = str(Path(sys.executable).with_name("jupyter-runwidgets"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Finish three runs of one group on a root, the second one years ago, and then one of another group."""
    folder = tmp_path_factory.mktemp("notebooks")
    path = folder.parent / f"{folder.name}-root"
    instance = open_instance(path, slots=2)
    api = instance.api()
    group_id = group_of(workflow(api, folder, "open('x.txt', 'w').write('x' * 100_000)"))
    run_ids = [ended(api, api.runs.start_run(group_id, [])["id"])["id"] for _ in range(3)]
    run_ids.append(finished(api, folder, "1 / 0")["id"])
    wait_until(lambda: not check(path, recheck_delay=0.1))
    instance.close()
    names = "created_at = ?, started_at = ?, finished_at = ?"
    Root(path).sql(f"UPDATE runs SET {names} WHERE id = ?", *[YEARS_AGO] * 3, run_ids[1])
    return path, run_ids


@pytest.fixture
def root(filled: tuple[Path, list[str]], tmp_path: Path) -> Root:
    """Copy the root, so that it can be cleaned."""
    shutil.copytree(filled[0], tmp_path / "root")
    return Root(tmp_path / "root")


def left(root: Root) -> set[str]:
    """Return the runs that have a directory, and check that they have rows."""
    assert check(root.path, recheck_delay=0.0) == []
    return {path.name for path in (root.path / "runs").iterdir()}


@pytest.mark.parametrize(
    ("keep_days", "keep_runs", "going"),
    [(0, 0, []), (30, 0, [1]), (0, 2, [0]), (0, 1, [0, 1]), (30, 2, [0, 1]), (36_500, 9, [])],
)
def test_old_runs_go_and_nothing_of_them_remains(
    root: Root, filled: tuple[Path, list[str]], keep_days: int, keep_runs: int, going: list[int]
) -> None:
    """A run is removed by its age or by its position in its group, as soon as one rule applies."""
    run_ids = filled[1]
    gone = [run_ids[at] for at in going]

    removed = list(clean_root(root.path, None, keep_days, keep_runs))

    assert [each.subject for each in removed] == [f"run {run_id}" for run_id in gone]
    assert all(each.size > 100_000 for each in removed)
    assert left(root) == set(run_ids) - set(gone)


def test_a_dry_run_changes_nothing(root: Root) -> None:
    """The dry run lists the runs and orphans that would be removed."""
    orphan = root.orphan("copies/ab/abcd")
    before = {path: path.stat().st_mtime for path in root.path.rglob("*")}

    said = list(clean_root(root.path, None, 30, is_dry=True))

    assert len(said) == 2 and said[-1].subject == "copies/ab/abcd" and said[-1].size == 1
    assert {path: path.stat().st_mtime for path in root.path.rglob("*")} == before and orphan.exists()


@pytest.mark.parametrize(
    ("name", "is_folder"),
    [
        ("copies/ab/abcd", False),
        ("copies/.abcd", False),
        ("runs/.0123", True),
        ("uploads/gone", True),
        ("instances/dead", False),
    ],
)
def test_old_orphans_are_removed(root: Root, name: str, is_folder: bool) -> None:
    """A recent file may be about to get its row, and is kept."""
    path = root.orphan(name, is_folder=is_folder)
    os.utime(path)
    assert list(clean_root(root.path)) == [] and path.exists()
    os.utime(path, (LONG_AGO, LONG_AGO))

    (removed,) = clean_root(root.path)

    assert removed.subject == name and not path.exists()
    assert len(left(root)) == 4


def test_a_folder_without_a_row_is_removed_unless_its_lock_is_held(root: Root) -> None:
    """An instance that accepts runs holds a lock, stored with their ids, until their rows are committed."""
    folders = [root.path / "runs" / name for name in ("accepted", "lost", ".0123.doomed")]
    for folder in folders:
        folder.mkdir()
    lock = hold_lock(folders[0] / "lock")
    assert lock is not None
    (folders[0] / "members").write_text("together\nothers")
    (root.path / "runs" / "together").mkdir()

    removed = list(clean_root(root.path))

    os.close(lock)
    assert {each.subject for each in removed} == {"runs/lost", "runs/.0123.doomed"}
    assert [folder.exists() for folder in folders] == [True, False, False]
    assert (root.path / "runs" / "together").exists()


def test_unfinished_files_of_a_runner_are_removed_after_its_end(
    root: Root, filled: tuple[Path, list[str]]
) -> None:
    """The files are an incomplete snapshot, and a secret that was never read."""
    names = [f"runs/{filled[1][0]}/{name}" for name in (".output.ipynb.x", "secrets.json")]
    for name in names:
        root.orphan(name)

    assert [each.subject for each in clean_root(root.path)] == names
    assert len(left(root)) == 4


def test_copies_are_removed_with_the_last_template_that_needs_them(tmp_path: Path) -> None:
    """Of two workflows that use one file, the deletion of the first removes only its notebook."""
    (tmp_path / "shared.txt").write_text("shared")
    instance = open_instance(tmp_path / "root")
    api = instance.api()
    made = [workflow(api, tmp_path, f"{at}; open('shared.txt')")["id"] for at in range(2)]
    counted = []

    for workflow_id in made:
        for path in (tmp_path / "root" / "copies").glob("*/*"):
            os.utime(path, (LONG_AGO, LONG_AGO))
        api.workflows.delete_workflow(workflow_id)
        counted.append(len(list((tmp_path / "root" / "copies").glob("*/*"))))

    instance.close()
    assert counted == [2, 0]


def test_an_active_run_is_always_kept(tmp_path: Path) -> None:
    """It is kept even if it is the oldest of its group."""
    instance = open_instance(tmp_path / "root", slots=1, on_shutdown="cancel")
    api = instance.api()
    run_id = running(api, tmp_path, SLEEP)["id"]
    group_id = api.runs.get_run(run_id)["groupId"]
    waiting = [api.runs.start_run(group_id, [])["id"] for _ in range(2)]

    removed = list(clean_root(tmp_path / "root", None, 0, 1))

    states = {api.runs.get_run(each)["state"] for each in [run_id, *waiting]}
    instance.close()
    assert removed == [] and states == {"RUNNING", "PENDING"}


def test_a_run_is_kept_until_its_processes_have_ended(root: Root, filled: tuple[Path, list[str]]) -> None:
    """Its age does not matter."""
    root.sql("UPDATE runs SET holds_slot = 1 WHERE id = ?", filled[1][1])

    assert list(clean_root(root.path, None, 30)) == []


def test_two_processes_may_clean_one_root(root: Root) -> None:
    """Neither fails because the other removed something first."""
    problems: list[BaseException] = []

    def work() -> None:
        try:
            list(clean_root(root.path, None, 30, 1))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == [] and len(left(root)) == 2


def test_the_command_prints_what_it_removed(
    root: Root, filled: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """It prints a line for each item, and the total; a missing root is reported and not created."""
    options = ["--keep-runs=1", f"--root={root.path}"]
    dry, done, again = (
        subprocess.run([COMMAND, "clean", *options, *more], capture_output=True, text=True, check=True).stdout
        for more in (["--dry-run"], [], [])
    )
    nowhere = [COMMAND, "clean", f"--root={tmp_path / 'nowhere'}"]
    refused = subprocess.run(nowhere, capture_output=True, text=True, check=False)

    head = f"root: {root.path}\n"
    assert done.startswith(f"{head}removed run {filled[1][0]}, 1")
    assert dry.replace("would remove", "removed") == done and len(done.splitlines()) == 4
    assert again == f"{head}removed 0 runs and 0 orphans, 0 bytes\n"
    assert refused.returncode == 1 and "there is no folder" in refused.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_root_without_a_database_is_left_alone(root: Root) -> None:
    """Without rows, orphans cannot be recognised."""
    for path in root.path.glob("runwidgets.db*"):
        path.unlink()

    with pytest.raises(ServiceUnavailableError, match="it is missing"):
        list(clean_root(root.path, None, 1))

    assert len(list((root.path / "runs").iterdir())) == 4


def test_an_instance_removes_old_runs_when_it_starts(root: Root, filled: tuple[Path, list[str]]) -> None:
    """It applies its settings, and its followers receive the events."""
    run_ids = filled[1]
    instance = open_instance(root.path, keep_days=30, keep_runs=1)
    api = instance.api()

    def told() -> set[str]:
        events = instance.events.read_events(0, 500)
        return {event["runId"] for event in events if event["kind"] == "deleted"}

    wait_until(told, lambda seen: seen == set(run_ids[:2]))
    group_id = api.runs.get_run(run_ids[2])["groupId"]
    kept = [run["id"] for run in api.runs.list_runs(group_id)["runs"]]
    instance.close()
    assert kept == [run_ids[2]] and left(root) == set(run_ids[2:])


def test_an_instance_without_settings_keeps_all_runs(root: Root) -> None:
    """The defaults of both settings keep everything."""
    orphan = root.orphan("copies/ab/abcd")

    instance = open_instance(root.path)

    wait_until(lambda: not orphan.exists())
    instance.close()
    assert len(left(root)) == 4


def test_an_instance_responds_before_its_retention_has_finished(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a million runs the retention takes minutes, and no request waits for it."""
    has_answered = threading.Event()
    orphan = root.orphan("copies/ab/abcd")

    def look(*given: Any) -> Iterator[Orphan]:
        has_answered.wait()
        yield from find_orphaned_files(*given)

    monkeypatch.setattr(retention, "find_orphaned_files", look)
    instance = open_instance(root.path)
    assert instance.api().workflows.list_workflows()["workflows"] and orphan.exists()
    has_answered.set()
    wait_until(lambda: not orphan.exists())
    instance.close()


def test_the_retention_is_repeated_until_the_instance_is_closed(
    root: Root, filled: tuple[Path, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """It is repeated even after a failure, which is logged; `close` ends it."""
    root.sql("ALTER TABLE uploads RENAME TO elsewhere")
    files, database = open_store(root.path)
    cleaner = Retention(files, database, 30, 0, pause=0.01)
    wait_until(lambda: "trying again later" in caplog.text)
    root.sql("ALTER TABLE elsewhere RENAME TO uploads")
    orphan = root.orphan("copies/ab/abcd")
    root.sql("UPDATE runs SET created_at = ?, started_at = ?, finished_at = ?", *[YEARS_AGO] * 3)

    wait_until(lambda: not orphan.exists() and not list((root.path / "runs").iterdir()))

    cleaner.close()
    database.close()
    assert not cleaner._thread.is_alive()
