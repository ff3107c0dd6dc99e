"""The SQL statements that inspect the whole database, for the doctor and the retention.

The doctor reads data that may be damaged, so its statements return JSON as the stored text.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import JSON, Row, Select, Table, Text, cast, func, or_, select

from runwidgets.states import ACTIVE, TERMINAL, RunState
from runwidgets.store.database.catalog import Catalog
from runwidgets.store.database.database import Database
from runwidgets.store.database.runs.run_batches import has_runs
from runwidgets.store.database.tables import events, groups, points, runs, sweeps, uploads, versions
from runwidgets.store.database.tables import files as results
from runwidgets.store.files.base import FileStore
from runwidgets.store.files.orphans import REMOVAL_AGES, MinimumAges, Orphan, ReferencedFiles

StoredRow: TypeAlias = dict[str, str | int | None]
"""A row as stored, by column: JSON as text, and flags as numbers or bools."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """All rows about one run, from one transaction; missing ones are empty."""

    run: StoredRow
    events: list[StoredRow]
    files: list[StoredRow]
    version: StoredRow
    group: StoredRow


def read_referenced_files(database: Database) -> ReferencedFiles:
    """Return the files under the root to which rows refer."""
    may_change = or_(runs.c.holds_slot, runs.c.state.in_([state.value for state in ACTIVE]))
    with database.read() as connection:
        return ReferencedFiles(
            runs={row[0]: bool(row[1]) for row in connection.execute(select(runs.c.id, may_change))},
            uploads={
                (row[0], row[1]) for row in connection.execute(select(uploads.c.group_id, uploads.c.id))
            },
            groups=set(connection.execute(select(groups.c.id)).scalars()),
            copies=Catalog(database).needed_copies(),
            instances=set(connection.execute(select(runs.c.instance).where(runs.c.holds_slot)).scalars()),
        )


def find_orphaned_files(
    files: FileStore, database: Database, moment: float, ages: MinimumAges = REMOVAL_AGES
) -> Iterator[Orphan]:
    """Find orphans: files without a row, and without an instance that is about to commit one.

    The rows are read twice: a file whose row is committed between the first read and the scan is not an
    orphan.

    Parameters
    ----------
    files : FileStore
        The files; only read.
    database : Database
        The database; only read.
    moment : float
        The current time, in seconds of the file system's clock.
    ages : MinimumAges, optional
        The minimum ages of orphans.

    Yields
    ------
    Orphan
        A file or a whole directory.
    """
    first = {orphan.key for orphan in files.find_orphans(read_referenced_files(database), moment, ages)}
    if first:
        for orphan in files.find_orphans(read_referenced_files(database), moment, ages):
            if orphan.key in first:
                yield orphan


def read_run_ids(database: Database) -> Sequence[str]:
    """Return the ids of all runs."""
    with database.read() as connection:
        return connection.execute(select(runs.c.id)).scalars().all()


def read_run(database: Database, run_id: str) -> Rows | None:
    """Return all rows about a run, or None if there is no such run."""
    with database.read() as connection:
        row = connection.execute(_raw(runs).where(runs.c.id == run_id)).one_or_none()
        if row is None:
            return None
        event_query = _raw(events).where(events.c.run_id == run_id).order_by(events.c.seq)
        file_query = _raw(results).where(results.c.run_id == run_id).order_by(results.c.position)
        version = connection.execute(_raw(versions).where(versions.c.id == row.version_id)).first()
        group = connection.execute(_raw(groups).where(groups.c.id == row.group_id)).first()
        return Rows(
            run=row._asdict(),
            events=[each._asdict() for each in connection.execute(event_query)],
            files=[each._asdict() for each in connection.execute(file_query)],
            version=version._asdict() if version else {},
            group=group._asdict() if group else {},
        )


def read_uploads(database: Database) -> Sequence[Row[Any]]:
    """Return all uploads."""
    with database.read() as connection:
        return connection.execute(select(uploads).order_by(uploads.c.seq)).all()


def find_orphans(database: Database) -> Sequence[str]:
    """Return the ids of deleted runs that the database still contains, apart from their deletion event."""
    existing = select(runs.c.id)
    orphaned_events = select(events.c.run_id).where(
        events.c.kind != "deleted", events.c.run_id.not_in(existing)
    )
    with database.read() as connection:
        query = orphaned_events.union(select(results.c.run_id).where(results.c.run_id.not_in(existing)))
        return sorted(connection.execute(query).scalars())


def find_deleted(database: Database) -> dict[str, str]:
    """Return the times at which runs were deleted, by id."""
    with database.read() as connection:
        query = select(events.c.run_id, events.c.at).where(events.c.kind == "deleted")
        return {row.run_id: row.at for row in connection.execute(query)}


def find_damage(database: Database) -> str | None:
    """Return the damage that SQLite reports for its file; None if there is none, or on other databases."""
    if not database.is_sqlite:
        return None
    with database.read() as connection:
        result = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return None if result == "ok" else result


def find_broken_sweeps(database: Database) -> list[tuple[int, str, str]]:
    """Return the violations of sweeps: number of the invariant, id of the sweep, and problem."""
    existing = select(sweeps.c.id)
    has_no_run = points.c.run_id.not_in(select(runs.c.id))
    joined = points.join(runs, runs.c.id == points.c.run_id).join(sweeps, sweeps.c.id == points.c.sweep_id)
    is_reused = func.coalesce(runs.c.sweep_id, "") != points.c.sweep_id
    is_early = is_reused & (runs.c.state != RunState.SUCCESS.value)
    is_foreign = or_(runs.c.group_id != sweeps.c.group_id, is_early)
    executing = select(func.count()).where(runs.c.sweep_id == sweeps.c.id, runs.c.holds_slot)
    point_key = (points.c.sweep_id, points.c.number)
    rules: list[tuple[int, str, Select[Any]]] = [
        (
            12,
            "the run of its point {1} was deleted, but the point was not",
            select(*point_key).where(has_no_run),
        ),
        (
            12,
            "it was deleted, but its points were not",
            select(points.c.sweep_id).where(points.c.sweep_id.not_in(existing)).distinct(),
        ),
        (
            12,
            "it was deleted, but its runs were not",
            select(runs.c.sweep_id)
            .where(runs.c.sweep_id.is_not(None), runs.c.sweep_id.not_in(existing))
            .distinct(),
        ),
        (12, "all of its runs were deleted, but it was not", existing.where(~has_runs())),
        (
            14,
            "more of its runs execute at once than allowed",
            existing.where(executing.scalar_subquery() > sweeps.c.parallel),
        ),
        (
            15,
            "its point {1} has a run that is neither its own nor a successful one of its group",
            select(*point_key).select_from(joined).where(is_foreign),
        ),
    ]
    with database.read() as connection:
        broken = [
            (invariant, row[0], problem.format(*row))
            for invariant, problem, query in rules
            for row in connection.execute(query)
        ]
        damaged = [
            (1, row.id, f"its column {name} is not JSON")
            for row in connection.execute(_raw(sweeps))
            for name in ("config", "varied", "constants")
            if not _is_json(getattr(row, name))
        ]
    return broken + damaged


def find_expired(database: Database, before: str | None, newest: int | None) -> Sequence[str]:
    """Return the ids of ended runs without processes that the retention may remove, oldest first.

    Parameters
    ----------
    database : Database
        The database.
    before : str, optional
        Runs that ended before this time; None for no such limit.
    newest : int, optional
        Runs that are not among this many newest of their group; None for no such limit.
    """
    position = func.row_number().over(partition_by=runs.c.group_id, order_by=runs.c.seq.desc())
    ranked = select(runs, position.label("position")).subquery()
    conditions = []
    if before is not None:
        conditions.append(ranked.c.finished_at < before)
    if newest is not None:
        conditions.append(ranked.c.position > newest)
    if not conditions:
        return []
    has_ended = ranked.c.state.in_([state.value for state in TERMINAL])
    with database.read() as connection:
        query = select(ranked.c.id).where(has_ended, ~ranked.c.holds_slot, or_(*conditions))
        return connection.execute(query.order_by(ranked.c.seq)).scalars().all()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _raw(table: Table) -> Select[Any]:
    """Select all columns of a table, with JSON as text."""
    return select(
        *(
            cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
            for column in table.columns
        )
    )
