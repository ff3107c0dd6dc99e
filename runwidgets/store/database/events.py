"""The SQL statements about events."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from runwidgets.schema import EventData, EventKind
from runwidgets.store.database.database import Database, now
from runwidgets.store.database.tables import events


def emit(connection: Connection, run: Row[Any], kind: EventKind, data: EventData) -> None:
    """Write an event of a run, in the transaction that makes the change.

    Parameters
    ----------
    connection : Connection
        The open transaction.
    run : Row
        The run.
    kind : EventKind
        The kind of event.
    data : dict
        The data of the event.
    """
    emit_all(connection, kind, [(run, data)])


def emit_all(connection: Connection, kind: EventKind, runs: Iterable[tuple[Row[Any], EventData]]) -> None:
    """Write one event for each of several runs, in order; see `emit`.

    Parameters
    ----------
    connection : Connection
        The open transaction.
    kind : EventKind
        The kind of event.
    runs : iterable of (Row, dict)
        The runs, with the data of their events.
    """
    moment = now()
    rows = [
        {
            "run_id": run.id,
            "group_id": run.group_id,
            "sweep_id": run.sweep_id,
            "kind": kind.value,
            "data": data,
            "at": moment,
        }
        for run, data in runs
    ]
    if rows:
        connection.execute(insert(events), rows)


def last_event(database: Database) -> int:
    """Return the ``seq`` of the newest event, 0 before the first."""
    with database.read() as connection:
        return connection.execute(select(func.max(events.c.seq))).scalar() or 0


def events_after(
    database: Database,
    after: int,
    limit: int,
    group_id: str | None = None,
    run_id: str | None = None,
    sweep_id: str | None = None,
) -> Sequence[Row[Any]]:
    """Return the events after a ``seq``, in order, at most `limit` of them."""
    query = select(events).where(events.c.seq > after).order_by(events.c.seq).limit(limit)
    if group_id is not None:
        query = query.where(events.c.group_id == group_id)
    if run_id is not None:
        query = query.where(events.c.run_id == run_id)
    if sweep_id is not None:
        query = query.where(events.c.sweep_id == sweep_id)
    with database.read() as connection:
        return connection.execute(query).all()
