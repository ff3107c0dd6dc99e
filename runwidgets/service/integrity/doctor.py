"""Checks the invariants of a root, at rest or while instances use it.

Nothing is changed: the root and its database are opened for reading. What looks wrong is checked again after
a delay, because a change may be in progress between the directory and the row; only what is wrong both times
is reported. Damaged data is a violation too.
"""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from runwidgets.errors import RunWidgetsError
from runwidgets.execution.processes import RUN_VARIABLE
from runwidgets.service.factory import open_files, open_store
from runwidgets.service.integrity.invariants import PROCESS_GRACE, RULES
from runwidgets.service.integrity.run_state import ObservedRun, age
from runwidgets.store.database.catalog import Catalog
from runwidgets.store.database.database import Database
from runwidgets.store.database.integrity_queries import (
    Rows,
    find_broken_sweeps,
    find_damage,
    find_deleted,
    find_orphaned_files,
    find_orphans,
    read_run,
    read_run_ids,
    read_uploads,
)
from runwidgets.store.files.base import FileStore
from runwidgets.store.files.layout import copy_key, upload_key
from runwidgets.store.files.orphans import REPORT_AGES, children
from runwidgets.store.locks import is_locked

RECHECK_DELAY = 2.0
"""Seconds after which anything that looked wrong is checked again."""
CREATION_GRACE = 5.0
"""Seconds within which a new instance takes its lock; no other process may try the lock before."""
DAMAGE_ERRORS = (OSError, LookupError, TypeError, ValueError, AttributeError)
"""Exceptions that a rule raises for data that does not have its stored structure."""


@dataclass(frozen=True, order=True)
class Violation:
    """A violation of an invariant."""

    invariant: int
    """The number of the invariant that is violated; `invariants.INVARIANTS` has its sentence."""
    subject: str
    """What it is about: ``run <id>``, a key, or ``database``."""
    problem: str
    """What is wrong."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem} (invariant {self.invariant})"


@dataclass(frozen=True)
class Report:
    """The result of an examination."""

    violations: list[Violation]
    """Violations, sorted."""
    runs: int
    """Runs that were checked."""
    files: int
    """Result files, uploads and copies that were checked."""


def check(
    root: Path | str, db_url: str | None = None, *, recheck_delay: float = RECHECK_DELAY
) -> list[Violation]:
    """Return the violations of a root; see `examine`."""
    return examine(root, db_url, recheck_delay=recheck_delay).violations


def examine(
    root: Path | str,
    db_url: str | None = None,
    *,
    cache: Path | None = None,
    recheck_delay: float = RECHECK_DELAY,
) -> Report:
    """Check every invariant that can be observed from outside.

    Parameters
    ----------
    root : path or str
        The root, a folder or a URL; it and its database are only read.
    db_url : str, optional
        SQLAlchemy URL of the database; None for SQLite in the root, if the root is a folder.
    cache : Path, optional
        See `open_store`.
    recheck_delay : float, optional
        Seconds after which anything that looked wrong is checked again.

    Returns
    -------
    Report
        The violations, and how much was checked; damaged data never raises.

    Raises
    ------
    RunWidgetsError
        There is nothing to check: the root does not exist or is not one, one of the URLs cannot be used, or
        the database that `db_url` names does not respond.
    """
    open_files(root, db_url, cache=cache, is_read_only=True)
    try:
        files, database = open_store(root, db_url, cache=cache, is_read_only=True)
        try:
            return _examine(files, database, recheck_delay)
        finally:
            database.close()
    except RunWidgetsError as error:
        if db_url is not None:  # the database is not a part of the root
            raise
        return Report([Violation(1, error.subject, error.problem)], 0, 0)
    except OSError as error:
        return Report([Violation(1, "root", f"it cannot be read: {error}")], 0, 0)


def _examine(files: FileStore, database: Database, recheck_delay: float) -> Report:
    damage = find_damage(database)
    if damage is not None:
        return Report([Violation(1, "database", f"it is damaged: {damage}")], 0, 0)
    run_ids = read_run_ids(database)
    inspection = _Inspection(files, database)
    violations = {*inspection.check_runs(run_ids), *inspection.check_root()}
    if violations:
        threading.Event().wait(recheck_delay)
        reported = {(each.invariant, each.subject) for each in violations}
        subjects = {each.subject for each in violations}
        second_inspection = _Inspection(files, database)
        rechecked = [
            *second_inspection.check_runs(each for each in run_ids if f"run {each}" in subjects),
            *second_inspection.check_root(),
        ]
        violations = {each for each in rechecked if (each.invariant, each.subject) in reported}
    return Report(sorted(violations), len(run_ids), inspection.files)


class _Inspection:
    """One inspection of a root."""

    def __init__(self, files: FileStore, database: Database) -> None:
        self._files = files
        self._database = database
        self._processes = _processes_by_run()
        locks = children(files.local.instances) if files.local is not None else []
        self._instances = {path.name for path in locks if is_alive(path)}
        self.files = 0
        """Number of files checked so far."""

    def check_runs(self, run_ids: Iterable[str]) -> Iterator[Violation]:
        """Check runs against every rule."""
        for run_id in run_ids:
            rows = read_run(self._database, run_id)
            if rows is not None:  # else the run was deleted in the meantime
                self.files += len(rows.files)
                with self._files.view_run(run_id) as folder:
                    yield from self._check_run(run_id, rows, folder)

    def _check_run(self, run_id: str, rows: Rows, folder: Path) -> Iterator[Violation]:
        invariant, subject = 1, f"run {run_id}"
        try:
            run = ObservedRun(rows, folder, self._processes[run_id], self._instances)
            rules = RULES if not run.damage else {1: RULES[1]}
        except DAMAGE_ERRORS as error:
            yield Violation(invariant, subject, f"its rows are damaged: {error!r}")
            return
        for invariant, rule in rules.items():
            try:
                yield from [Violation(invariant, subject, problem) for problem in rule(run)]
            except DAMAGE_ERRORS as error:
                yield Violation(invariant, subject, f"its files are damaged: {error!r}")

    def check_root(self) -> Iterator[Violation]:
        """Check the directories against the rows, and the rows against the directories."""
        for orphan in find_orphaned_files(self._files, self._database, time.time(), REPORT_AGES):
            yield Violation(11, orphan.key, "it is an orphan")
        needed = Catalog(self._database).needed_copies()
        if needed is None:
            yield Violation(1, "database", "a template in it cannot be read")
        for digest in sorted(needed or ()):
            yield from self._check_file(copy_key(digest), digest)
        for row in read_uploads(self._database):
            yield from self._check_file(upload_key(row.group_id, row.id, row.name), row.sha256)
        for invariant, sweep_id, problem in find_broken_sweeps(self._database):
            yield Violation(invariant, f"sweep {sweep_id}", problem)
        for run_id in find_orphans(self._database):
            yield Violation(12, f"run {run_id}", "it was deleted, but its rows were not")
        for run_id, moment in find_deleted(self._database).items():
            if self._processes[run_id] and age(moment) > PROCESS_GRACE:
                alive = ", ".join(map(str, sorted(self._processes[run_id])))
                yield Violation(12, f"run {run_id}", f"it was deleted, but its processes {alive} are alive")

    def _check_file(self, key: str, sha256: str) -> Iterator[Violation]:
        self.files += 1
        found = self._files.find_hash(key)
        if found is None:
            yield Violation(11, key, "it has a row, but it is missing")
        elif found != sha256:
            yield Violation(15, key, "its content has changed")


def is_alive(path: Path) -> bool:
    """Return whether an instance is alive, from its lock, without disturbing one that is taking it."""
    try:
        return time.time() - path.stat().st_mtime < CREATION_GRACE or is_locked(path)
    except FileNotFoundError:
        return False


def _processes_by_run() -> "defaultdict[str, set[int]]":
    """Return the process ids of each run, from the run ids in the environments of all processes."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for process in psutil.process_iter():
        try:
            run_id = process.environ().get(RUN_VARIABLE)
        except psutil.Error:  # it has ended, is a zombie, or belongs to another user
            continue
        if run_id is not None and process.pid != os.getpid():
            found[run_id].add(process.pid)
    return found
