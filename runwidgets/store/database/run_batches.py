"""Operations on many runs at once, inside a transaction that the caller opened.

A state changes by one ``UPDATE … WHERE state IN (…)`` whose list comes from the state machine, and each
change writes its event in the same transaction. A sweep is removed together with its last run.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from runwidgets.errors import QueueFullError
from runwidgets.schema import EventKind, RunReason, StateChange
from runwidgets.states import RunState, sources
from runwidgets.store.database.columns import NewRun
from runwidgets.store.database.database import now
from runwidgets.store.database.events import emit_all
from runwidgets.store.database.tables import events, points, runs, sweeps

RunRow = Row[Any]
"""A row of the table `runs`."""
BATCH_SIZE = 500
"""Ids in one statement at most."""
PENDING: ColumnElement[str] = literal_column(f"'{RunState.PENDING.value}'")
"""The state in the same form as in the partial index: SQLite uses such an index only for the same literal."""


def not_before(earlier: ColumnElement[str]) -> ColumnElement[str]:
    """Return the present time, but never one before another time, in case the clock was changed."""
    moment = now()
    return case((earlier > moment, earlier), else_=moment)


def check_queue_limit(connection: Connection, count: int, waiting: int) -> None:
    """Raise an error if the queue would exceed its limit.

    Raises
    ------
    QueueFullError
        With `count` further runs, more than `waiting` would be PENDING.
    """
    pending = select(func.count()).select_from(runs).where(runs.c.state == PENDING)
    if connection.execute(pending).scalar_one() + count > waiting:
        raise QueueFullError("queue", f"at most {waiting} runs may wait", "try again later")


@cache
def next_to_claim(*, is_taken: bool = False) -> ScalarSelect[int]:
    """Return the run that is claimed next, from one index; with `is_taken` it is locked for others.

    The statement is cached, because copying the columns of a table twice takes longer than the query.
    """
    waiting, busy = runs.alias("waiting"), runs.alias("busy")
    full = (
        select(busy.c.sweep_id)
        .join(sweeps, sweeps.c.id == busy.c.sweep_id)
        .where(busy.c.holds_slot, sweeps.c.parallel.is_not(None))
        .group_by(busy.c.sweep_id, sweeps.c.parallel)
        .having(func.count() >= sweeps.c.parallel)
    )
    paused = select(sweeps.c.id).where(sweeps.c.is_paused)
    is_free = waiting.c.sweep_id.not_in(full) & waiting.c.sweep_id.not_in(paused)
    chosen = (
        select(waiting.c.seq)
        .where(waiting.c.state == PENDING)
        .where(or_(waiting.c.sweep_id.is_(None), is_free))
        .order_by(waiting.c.rank, waiting.c.seq)
        .limit(1)
    )
    if is_taken:
        chosen = chosen.with_for_update(of=waiting, skip_locked=True)
    return chosen.scalar_subquery()


def accept_runs(connection: Connection, values: Sequence[NewRun], waiting: int) -> Sequence[RunRow]:
    """Add PENDING runs; see `Runs.accept`."""
    check_queue_limit(connection, len(values), waiting)
    born = {
        "state": RunState.PENDING.value,
        "messages": [],
        "metrics": {},
        "holds_slot": False,
        "created_at": now(),
    }
    if not values:
        return []
    adding = insert(runs).returning(runs, sort_by_parameter_order=True)
    rows = connection.execute(adding, [{**born, **each} for each in values]).all()
    emit_all(connection, EventKind.STATE, [(row, {"state": row.state}) for row in rows])
    return rows


def cancel_runs(
    connection: Connection, chosen: ColumnElement[bool], reason: RunReason, message: str
) -> Sequence[RunRow]:
    """Cancel all active runs among those selected, and return their new rows."""
    legal = [state.value for state in sources(RunState.CANCELED)]
    began = func.coalesce(runs.c.started_at, runs.c.created_at)
    ended = {"state": RunState.CANCELED.value, "reason": reason.value, "messages": [message]}
    rows = connection.execute(
        update(runs)
        .where(chosen, runs.c.state.in_(legal))
        .values(**ended, finished_at=not_before(began))
        .returning(runs)
    ).all()
    emit_all(
        connection, EventKind.STATE, [(row, end_of(row)) for row in sorted(rows, key=lambda row: row.seq)]
    )
    return rows


def end_of(row: RunRow) -> StateChange:
    """Return the event data for the end of a run."""
    told: StateChange = {"state": row.state, "finishedAt": row.finished_at}
    if row.started_at:
        told["startedAt"] = row.started_at
    if row.reason is not None:
        told["reason"] = row.reason
    if row.messages:
        told["messages"] = row.messages
    return told


def stop_sweep(connection: Connection, failed: RunRow) -> None:
    """Cancel the waiting runs of the sweep of a run that ended in ERROR, if the sweep is configured so."""
    if failed.sweep_id is None:
        return
    stops = select(sweeps.c.stops_on_error).where(sweeps.c.id == failed.sweep_id)
    if connection.execute(stops).scalar():
        waiting = (runs.c.sweep_id == failed.sweep_id) & (runs.c.state == RunState.PENDING.value)
        message = f"run {failed.id} of the sweep ended in ERROR"
        cancel_runs(connection, waiting, RunReason.SWEEP_STOPPED, message)


def remove_runs(connection: Connection, rows: Sequence[RunRow]) -> None:
    """Remove runs with their points, and sweeps whose last run is removed."""
    touched = {row.sweep_id for row in rows} - {None}
    for begin in range(0, len(rows), BATCH_SIZE):
        gone = [row.id for row in rows[begin : begin + BATCH_SIZE]]
        its = select(points.c.sweep_id).where(points.c.run_id.in_(gone)).distinct()
        touched.update(connection.execute(its).scalars())
        connection.execute(delete(runs).where(runs.c.id.in_(gone)))
        connection.execute(delete(events).where(events.c.run_id.in_(gone)))
    emit_all(connection, EventKind.DELETED, [(row, {}) for row in rows])
    connection.execute(delete(sweeps).where(sweeps.c.id.in_(touched), ~has_runs()))


def has_runs() -> ColumnElement[bool]:
    """Return the condition that a sweep has a point, or that a run it started exists."""
    return or_(
        exists().where(points.c.sweep_id == sweeps.c.id), exists().where(runs.c.sweep_id == sweeps.c.id)
    )
