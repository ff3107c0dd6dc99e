import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runwidgets.errors import ServiceUnavailableError
from runwidgets.execution.processes import RUN_VARIABLE
from runwidgets.service.factory import open_instance
from runwidgets.service.integrity.doctor import Violation, check, examine
from runwidgets.service.integrity.invariants import INVARIANTS, REMEDIES
from runwidgets.store.locks import hold_lock
from tests.builders import SLEEP, arguments, ended, finished, group_of, running, wait_until, workflow
from tests.service.damage import DAMAGE, YEARS_AGO, EndedRoot

pytestmark = [pytest.mark.sqlite]

CELL = (
    "import runwidgets\nrunwidgets.record('double', x * 2)\nrunwidgets.progress(0.5, 'half')\n"
    "print(beside.read_text(), len(open('data.txt').read()))\nopen('plot.txt', 'w').write(str(x))\n"
)
DECLARED = (
    "import datetime\nimport pathlib\nx: int = 3\nday: datetime.date = datetime.date(2026, 1, 1)\n"
    "beside: pathlib.Path | None = None"
)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> EndedRoot:
    """Execute, fail, cancel and delete runs on a root, and wait until it is at rest."""
    folder = tmp_path_factory.mktemp("notebooks")
    path = folder.parent / f"{folder.name}-root"
    (folder / "data.txt").write_text("beside the notebook")
    instance = open_instance(path, slots=2)
    api = instance.api()
    outputs = {"outputs": [{"source": "plot.*"}]}
    made = workflow(api, folder, CELL, parameters=DECLARED, runwidgets=outputs)
    upload = api.uploads.upload_file(group_of(made), io.BytesIO(b"uploaded"), "a.txt")
    file = {"type": "$file", "value": {"fileId": upload["id"], "targetPath": "given/a.txt"}}
    sent = arguments(x="7", day="2026-02-03", beside=file)
    success = ended(api, api.runs.start_run(group_of(made), sent)["id"])
    error = finished(api, folder, "print('before')", "1 / 0", "print('after')")
    canceled = api.runs.cancel_run(running(api, folder, SLEEP)["id"])
    deleted = api.runs.delete_run(finished(api, folder, "1")["id"])
    api.workflows.delete_workflow(finished(api, folder, "2")["workflowId"])
    sweep = api.sweeps.start_sweep(group_of(made), [arguments(x=x, beside=file) for x in (1, 2)])["id"]
    wait_until(lambda: api.sweeps.get_sweep(sweep)["isDone"])
    states = [each["state"] for each in (success, error, canceled)]
    assert states == ["SUCCESS", "ERROR", "CANCELED"], success["messages"]
    root = EndedRoot(path, success["id"], error["id"], canceled["id"], deleted["id"], sweep)
    wait_until(lambda: not check(path, recheck_delay=0.1))
    instance.close()
    return root


@pytest.fixture
def root(healthy: EndedRoot, tmp_path: Path) -> EndedRoot:
    """Copy the root, so that it can be damaged."""
    shutil.copytree(healthy.path, tmp_path / "root", symlinks=True)
    return EndedRoot(
        tmp_path / "root", healthy.success, healthy.error, healthy.canceled, healthy.deleted, healthy.sweep
    )


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return all files of a folder with their content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def check_once(root: EndedRoot) -> list[Violation]:
    """Check once, without a delay."""
    return check(root.path, recheck_delay=0.0)


def test_a_healthy_root_has_no_violation_and_is_not_changed(root: EndedRoot) -> None:
    """Five runs and seven files are checked, and no byte is changed."""
    before = contents(root.path)

    report = examine(root.path, recheck_delay=0.0)

    assert report.violations == [] and report.runs == 5 and report.files >= 7
    assert contents(root.path) == before


@pytest.fixture
def idle_service(root: EndedRoot) -> Iterator[None]:
    """Hold the lock of an instance that does nothing."""
    path = root.path / "instances" / "idle"
    lock = hold_lock(path)
    assert lock is not None
    yield
    os.close(lock)


@pytest.mark.parametrize("case", DAMAGE)
@pytest.mark.usefixtures("idle_service")
def test_each_damage_is_found_and_nothing_else(root: EndedRoot, case: str) -> None:
    """One thing is damaged on a healthy root, and exactly one invariant is reported."""
    damage, invariant, sentence = DAMAGE[case]
    damage(root)

    violations = check_once(root)

    assert {violation.invariant for violation in violations} == {invariant}, violations
    assert any(re.search(sentence, violation.problem) for violation in violations), violations


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_surviving_process_is_found(root: EndedRoot, is_deleted: bool) -> None:
    """The process belongs to a run that ended, or that was deleted."""
    root.sql("UPDATE runs SET created_at = ?, started_at = ?, finished_at = ?", *[YEARS_AGO] * 3)
    root.sql("UPDATE events SET at = ?", YEARS_AGO)
    run_id = root.deleted if is_deleted else root.success
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, env={**os.environ, RUN_VARIABLE: run_id}
    ) as process:
        found = wait_until(lambda: check_once(root))
        process.kill()

    (violation,) = found
    assert (violation.invariant, violation.subject) == (12 if is_deleted else 6, f"run {run_id}")
    assert str(process.pid) in violation.problem


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE alembic_version SET version_num = 'future'", "a newer release"),
        ("DELETE FROM alembic_version", "an older release wrote it"),
        ("UPDATE versions SET template = '{'", "a template in it cannot be read"),
    ],
)
def test_a_foreign_database_is_a_violation(root: EndedRoot, damage: str, sentence: str) -> None:
    """The database is neither migrated nor repaired."""
    root.sql(damage)
    before = contents(root.path)

    violations = check_once(root)

    assert any(sentence in violation.problem for violation in violations)
    assert {violation.invariant for violation in violations} == {1}
    assert contents(root.path) == before


@pytest.mark.parametrize("name", ["nowhere", "file", "file/below", "empty"])
def test_what_is_no_root_is_no_violation_and_is_not_changed(tmp_path: Path, name: str) -> None:
    """A wrong root is refused by name, instead of being called damaged."""
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    before = contents(tmp_path)

    with pytest.raises(ServiceUnavailableError, match=f"root: .*{name}.*; give a folder"):
        check(tmp_path / name)

    assert contents(tmp_path) == before


def test_a_missing_database_is_a_violation_and_is_not_created(root: EndedRoot) -> None:
    """The database is missing, or is not one."""
    database = root.path / "runwidgets.db"
    database.write_bytes(b"this is not a database" * 1000)
    assert check_once(root) == [Violation(1, "database", "the database is damaged")]
    database.unlink()
    assert check_once(root) == [Violation(1, "database", "it is missing")]
    assert not database.exists()


def test_a_root_in_use_has_no_violation(tmp_path: Path) -> None:
    """While runs are accepted, executed, cancelled and deleted, nothing is wrong in both checks."""
    instance = open_instance(tmp_path / "root", slots=2)
    api = instance.api()
    group_id = group_of(workflow(api, tmp_path, "print(1)", "open('x', 'w').write('y')"))
    started = [api.runs.start_run(group_id, [])["id"] for _ in range(8)]
    api.runs.cancel_run(started[-1])

    violations = check(tmp_path / "root")
    for run_id in started[:-1]:
        ended(api, run_id)
        api.runs.delete_run(run_id)
    violations += check(tmp_path / "root")

    instance.close()
    assert violations == []


def test_the_command_prints_the_violations(root: EndedRoot) -> None:
    """The command exits with 0 and one line if nothing is wrong, else with 1 and one line per violation."""
    command = [str(Path(sys.executable).with_name("jupyter-runwidgets")), "doctor", f"--root={root.path}"]
    well = subprocess.run(command, capture_output=True, text=True, check=False)
    root.run(root.error, "log.txt").unlink()

    wrong = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (well.returncode, wrong.returncode) == (0, 1), well.stderr + wrong.stderr
    head = f"root: {root.path}\n"
    assert re.fullmatch(rf"{head}no problem found: 5 runs, \d+ files checked\n", well.stdout)
    assert wrong.stdout == f"{head}run {root.error}: its log.txt is missing (invariant 8)\n"
    assert wrong.stderr == f"invariant 8: {INVARIANTS[8]} {REMEDIES[8]}\n"


@pytest.mark.parametrize("cwd", ["run", "notebook"])
def test_a_run_that_reads_the_results_of_a_sweep_has_no_violation(tmp_path: Path, cwd: str) -> None:
    """Its value for the folder of the results is not an argument."""
    instance = open_instance(tmp_path / "root")
    api = instance.api()
    group_id = group_of(workflow(api, tmp_path, "open('x.txt', 'w').write(str(x))", parameters="x: int = 1"))
    sweep_id = api.sweeps.start_sweep(group_id, [arguments(x=1), arguments(x=2)])["id"]
    wait_until(lambda: api.sweeps.get_sweep(sweep_id)["isDone"])
    cell, declared = "print(sorted(runs.iterdir()), k)", "from pathlib import Path\nruns: Path\nk: int = 1"
    reader = group_of(workflow(api, tmp_path, cell, parameters=declared))

    handle = api.runs.start_run(reader, [], {"results_of": sweep_id, "cwd": cwd})

    assert ended(api, handle["id"])["state"] == "SUCCESS"
    wait_until(lambda: not check(tmp_path / "root", recheck_delay=0.1))
    instance.close()


def test_every_invariant_that_is_checked_has_a_remedy() -> None:
    """Number 16 is checked by the tests only."""
    assert INVARIANTS.keys() - REMEDIES.keys() == {16}
