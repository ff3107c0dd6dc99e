"""Operations on many runs at once, inside a transaction that the caller opened.

A state changes by one ``UPDATE … WHERE state IN (…)`` whose list comes from the state machine, and each
change writes its event in the same transaction. A sweep is removed together with its last run.
"""

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from runwidgets.schema import EventKind, RunReason, StateChange
from runwidgets.states import RunState, sources
from runwidgets.store.database.columns import NewRun, RunRow
from runwidgets.store.database.database import BATCH_SIZE, not_before, now
from runwidgets.store.database.events import emit_all
from runwidgets.store.database.runs.queue_limit import check_queue_limit
from runwidgets.store.database.tables import events, points, run_uploads, runs, sweeps


def accept_runs(connection: Connection, values: Sequence[NewRun], queue_limit: int) -> Sequence[RunRow]:
    """Add PENDING runs; see `Runs.accept`."""
    check_queue_limit(connection, len(values), queue_limit)
    defaults = {
        "state": RunState.PENDING.value,
        "messages": [],
        "metrics": {},
        "holds_slot": False,
        "created_at": now(),
    }
    if not values:
        return []
    statement = insert(runs).returning(runs, sort_by_parameter_order=True)
    columns = [{key: value for key, value in each.items() if key != "uploads"} for each in values]
    rows = connection.execute(statement, [{**defaults, **each} for each in columns]).all()
    named = [{"run_id": each["id"], "upload_id": id_} for each in values for id_ in each.get("uploads", [])]
    if named:
        connection.execute(insert(run_uploads), named)
    emit_all(connection, EventKind.STATE, [(row, {"state": row.state}) for row in rows])
    return rows


def cancel_runs(
    connection: Connection, condition: ColumnElement[bool], reason: RunReason, message: str
) -> Sequence[RunRow]:
    """Cancel all active runs among those selected, and return their new rows."""
    legal = [state.value for state in sources(RunState.CANCELED)]
    outcome = {"state": RunState.CANCELED.value, "reason": reason.value, "messages": [message]}
    rows = connection.execute(
        update(runs)
        .where(condition, runs.c.state.in_(legal))
        .values(**outcome, **end_times())
        .returning(runs)
    ).all()
    emit_all(
        connection, EventKind.STATE, [(row, end_of(row)) for row in sorted(rows, key=lambda row: row.seq)]
    )
    return rows


def end_times() -> dict[str, ColumnElement[str]]:
    """Return the times of a run that ends now; one that was never claimed begins when it ends."""
    moment = not_before(func.coalesce(runs.c.started_at, runs.c.created_at))
    return {"started_at": func.coalesce(runs.c.started_at, moment), "finished_at": moment}


def end_of(row: RunRow) -> StateChange:
    """Return the event data for the end of a run."""
    change: StateChange = {
        "state": row.state,
        "startedAt": row.started_at,
        "finishedAt": row.finished_at,
    }
    if row.reason is not None:
        change["reason"] = row.reason
    if row.messages:
        change["messages"] = row.messages
    return change


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
    sweep_ids = {row.sweep_id for row in rows} - {None}
    for begin in range(0, len(rows), BATCH_SIZE):
        run_ids = [row.id for row in rows[begin : begin + BATCH_SIZE]]
        affected_sweeps = select(points.c.sweep_id).where(points.c.run_id.in_(run_ids)).distinct()
        sweep_ids.update(connection.execute(affected_sweeps).scalars())
        connection.execute(delete(runs).where(runs.c.id.in_(run_ids)))
        connection.execute(delete(events).where(events.c.run_id.in_(run_ids)))
    emit_all(connection, EventKind.DELETED, [(row, {}) for row in rows])
    connection.execute(delete(sweeps).where(sweeps.c.id.in_(sweep_ids), ~has_runs()))


def has_runs() -> ColumnElement[bool]:
    """Return the condition that a sweep has a point, or that a run it started exists."""
    return or_(
        exists().where(points.c.sweep_id == sweeps.c.id), exists().where(runs.c.sweep_id == sweeps.c.id)
    )
