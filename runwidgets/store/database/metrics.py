"""Metrics as a run records them: single values, and series of values by step.

A series is stored in the events that report it, some points in each event, so that a live view and a later
read show the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from runwidgets.schema import EventKind, JsonValue, MetricRecord, Series, SeriesValue
from runwidgets.store.database.columns import RunRow
from runwidgets.store.database.database import Database
from runwidgets.store.database.events import emit_all
from runwidgets.store.database.tables import events


@dataclass(frozen=True)
class RecordedValue:
    """A recorded value, with its step if it belongs to a series."""

    name: str
    value: JsonValue
    step: float | None = None
    attempt: int = 1


def metric_events(recorded: Sequence[RecordedValue]) -> list[MetricRecord]:
    """Return the events for recorded values, in order; consecutive values of a series share an event.

    Parameters
    ----------
    recorded : sequence of RecordedValue
        The values in the order in which they were recorded.

    Returns
    -------
    list of dict
        ``name`` and the last ``value``; for a series also its ``step``, the ``attempt``, and ``points``, a
        list of ``[step, value]``.
    """
    records: list[MetricRecord] = []
    latest: dict[str, MetricRecord] = {}
    for each in recorded:
        last = latest.get(each.name)
        if last is not None and each.step is not None and last.get("attempt") == each.attempt:
            last["value"], last["step"] = each.value, each.step
            last["points"].append([each.step, each.value])
            continue
        record: MetricRecord = {"name": each.name, "value": each.value}
        if each.step is not None:
            record |= {"step": each.step, "attempt": each.attempt, "points": [[each.step, each.value]]}
        records.append(record)
        latest[each.name] = record
    return records


def store_metrics(
    connection: Connection, run: RunRow, recorded: Sequence[RecordedValue]
) -> dict[str, JsonValue]:
    """Store recorded values as events of a run; return the last one of each name."""
    emit_all(connection, EventKind.METRIC, [(run, each) for each in metric_events(recorded)])
    return {each.name: each.value for each in recorded}


def read_series(database: Database, run_id: str, max_points: int | None = None) -> dict[str, Series]:
    """Return the series of a run by step, from its last attempt that recorded any.

    Parameters
    ----------
    database : Database
        The database.
    run_id : str
        The run.
    max_points : int, optional
        Maximum number of points per series, evenly spaced, including the first and the last; None for all.

    Returns
    -------
    dict
        By name: ``steps`` in ascending order, and ``values``.
    """
    query = select(events.c.data).where(events.c.run_id == run_id, events.c.kind == "metric")
    with database.read() as connection:
        records = connection.execute(query.order_by(events.c.seq)).scalars().all()
    attempt = max((each.get("attempt", 0) for each in records), default=0)
    series: dict[str, dict[float, SeriesValue]] = {}
    for each in records:
        if each.get("attempt") == attempt:
            series.setdefault(each["name"], {}).update((step, value) for step, value in each["points"])
    return {name: _to_series(points.items(), max_points) for name, points in series.items()}


def _to_series(points: Iterable[tuple[float, SeriesValue]], max_points: int | None) -> Series:
    ordered = sorted(points, key=lambda point: point[0])
    if max_points is not None and len(ordered) > max_points:
        last = len(ordered) - 1
        ordered = [ordered[round(index * last / (max_points - 1))] for index in range(max_points)]
    return {"steps": [step for step, _ in ordered], "values": [value for _, value in ordered]}
