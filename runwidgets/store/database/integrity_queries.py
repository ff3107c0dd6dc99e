"""Sentences said to the database about everything at once, for the checker and the sweeper.

The checker reads what may be damaged, so its sentences give JSON as the text that is stored.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Row, Select, Table, Text, cast, func, or_, select

from runwidgets.states import ACTIVE, TERMINAL, RunState
from runwidgets.store.database.catalog import Catalog
from runwidgets.store.database.database import Database
from runwidgets.store.database.run_batches import has_runs
from runwidgets.store.database.tables import events, groups, points, runs, sweeps, uploads, versions
from runwidgets.store.database.tables import files as results
from runwidgets.store.files.base import FileStore
from runwidgets.store.files.orphans import SWEEPER, Known, Orphan, Patience

JsonRow = dict[str, Any]
"""A row; columns with JSON hold its text."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """All that the database says about one run, at one moment; what is missing is empty."""

    run: JsonRow
    events: list[JsonRow]
    files: list[JsonRow]
    version: JsonRow
    group: JsonRow


def read_known(database: Database) -> Known:
    """Return what the rows know of the files under the root."""
    may_change = or_(runs.c.holds_slot, runs.c.state.in_([state.value for state in ACTIVE]))
    with database.read() as connection:
        return Known(
            runs={row[0]: bool(row[1]) for row in connection.execute(select(runs.c.id, may_change))},
            uploads={
                (row[0], row[1]) for row in connection.execute(select(uploads.c.group_id, uploads.c.id))
            },
            groups=set(connection.execute(select(groups.c.id)).scalars()),
            copies=Catalog(database).needed_copies(),
            instances=set(connection.execute(select(runs.c.instance).where(runs.c.holds_slot)).scalars()),
        )


def find_orphaned_files(
    files: FileStore, database: Database, moment: float, patience: Patience = SWEEPER
) -> Iterator[Orphan]:
    """Find what belongs to no row, to nobody who lives, and to nobody who is about to commit.

    Looked at twice: what got its row between the first look at the rows and at the folders is none.

    Parameters
    ----------
    files : FileStore
        The root; only looked at.
    database : Database
        Its index; only read.
    moment : float
        What time it is, in seconds of the file system's clock.
    patience : Patience, optional
        How old it must be.

    Yields
    ------
    Orphan
        A file or a whole folder.
    """
    first = {orphan.key for orphan in files.find_orphans(read_known(database), moment, patience)}
    if first:
        for orphan in files.find_orphans(read_known(database), moment, patience):
            if orphan.key in first:
                yield orphan


def read_run_ids(database: Database) -> Sequence[str]:
    """Return the ids of all runs."""
    with database.read() as connection:
        return connection.execute(select(runs.c.id)).scalars().all()


def read_run(database: Database, run_id: str) -> Rows | None:
    """Return all rows about a run; None where there is no such run."""
    with database.read() as connection:
        row = connection.execute(_raw(runs).where(runs.c.id == run_id)).one_or_none()
        if row is None:
            return None
        its_events = _raw(events).where(events.c.run_id == run_id).order_by(events.c.seq)
        its_files = _raw(results).where(results.c.run_id == run_id).order_by(results.c.position)
        version = connection.execute(_raw(versions).where(versions.c.id == row.version_id)).first()
        group = connection.execute(_raw(groups).where(groups.c.id == row.group_id)).first()
        return Rows(
            run=row._asdict(),
            events=[each._asdict() for each in connection.execute(its_events)],
            files=[each._asdict() for each in connection.execute(its_files)],
            version=version._asdict() if version else {},
            group=group._asdict() if group else {},
        )


def read_uploads(database: Database) -> Sequence[Row[Any]]:
    """Return all uploads."""
    with database.read() as connection:
        return connection.execute(select(uploads).order_by(uploads.c.seq)).all()


def find_orphans(database: Database) -> Sequence[str]:
    """Return the ids of runs that are gone, but of which the database still has more than their end."""
    every = select(runs.c.id)
    left = select(events.c.run_id).where(events.c.kind != "deleted", events.c.run_id.not_in(every))
    with database.read() as connection:
        found = left.union(select(results.c.run_id).where(results.c.run_id.not_in(every)))
        return sorted(connection.execute(found).scalars())


def find_deleted(database: Database) -> dict[str, str]:
    """Return when runs were deleted, by id."""
    with database.read() as connection:
        chosen = select(events.c.run_id, events.c.at).where(events.c.kind == "deleted")
        return {row.run_id: row.at for row in connection.execute(chosen)}


def find_damage(database: Database) -> str | None:
    """Return what SQLite finds wrong with its file; None where nothing is, or where there is none."""
    if not database.is_sqlite:
        return None
    with database.read() as connection:
        said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return None if said == "ok" else said


def find_broken_sweeps(database: Database) -> list[tuple[int, str, str]]:
    """Return what is wrong with sweeps: the number of the invariant, the sweep, and the problem."""
    known = select(sweeps.c.id)
    lost = points.c.run_id.not_in(select(runs.c.id))
    its = points.join(runs, runs.c.id == points.c.run_id).join(sweeps, sweeps.c.id == points.c.sweep_id)
    is_reused = func.coalesce(runs.c.sweep_id, "") != points.c.sweep_id
    is_early = is_reused & (runs.c.state != RunState.SUCCESS.value)
    strange = or_(runs.c.group_id != sweeps.c.group_id, is_early)
    under_way = select(func.count()).where(runs.c.sweep_id == sweeps.c.id, runs.c.holds_slot)
    place = (points.c.sweep_id, points.c.number)
    rules: list[tuple[int, str, Select[Any]]] = [
        (12, "the run of its point {1} is gone, but the point is not", select(*place).where(lost)),
        (
            12,
            "it is gone, but its points are not",
            select(points.c.sweep_id).where(points.c.sweep_id.not_in(known)).distinct(),
        ),
        (
            12,
            "it is gone, but its runs are not",
            select(runs.c.sweep_id)
            .where(runs.c.sweep_id.is_not(None), runs.c.sweep_id.not_in(known))
            .distinct(),
        ),
        (12, "all of its runs are gone, but it is not", known.where(~has_runs())),
        (
            14,
            "more of its runs are under way than may be",
            known.where(under_way.scalar_subquery() > sweeps.c.parallel),
        ),
        (
            15,
            "its point {1} has a run that is none of its own and no success of its group",
            select(*place).select_from(its).where(strange),
        ),
    ]
    with database.read() as connection:
        broken = [
            (invariant, row[0], problem.format(*row))
            for invariant, problem, chosen in rules
            for row in connection.execute(chosen)
        ]
        damaged = [
            (1, row.id, f"column {name} of it is no JSON")
            for row in connection.execute(_raw(sweeps))
            for name in ("config", "varied", "constants")
            if not _is_json(getattr(row, name))
        ]
    return broken + damaged


def find_expired(database: Database, before: str | None, newest: int | None) -> Sequence[str]:
    """Return the ids of runs that have ended, whose processes are gone and that may go, oldest first.

    Parameters
    ----------
    database : Database
        Where the runs are.
    before : str, optional
        Those that ended before this time; None for none.
    newest : int, optional
        Those that are not among this many newest of their group; None for none.
    """
    place = func.row_number().over(partition_by=runs.c.group_id, order_by=runs.c.seq.desc())
    placed = select(runs, place.label("place")).subquery()
    asked = []
    if before is not None:
        asked.append(placed.c.finished_at < before)
    if newest is not None:
        asked.append(placed.c.place > newest)
    if not asked:
        return []
    has_ended = placed.c.state.in_([state.value for state in TERMINAL])
    with database.read() as connection:
        chosen = select(placed.c.id).where(has_ended, ~placed.c.holds_slot, or_(*asked))
        return connection.execute(chosen.order_by(placed.c.seq)).scalars().all()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _raw(table: Table) -> Select[Any]:
    """Select all columns of a table, JSON as text."""
    return select(
        *(
            cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
            for column in table.columns
        )
    )
