"""Bulk inserts of the rows of small runs, in the fastest way of each database."""

import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, delete, func, insert, literal, select, update

from runwidgets.schema import RunReason
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import DATABASE_FILE
from runwidgets.states import TERMINAL, RunState
from runwidgets.store.database.database import Database, now
from runwidgets.store.database.tables import groups, points, runs, scores, sweeps, workflows
from tests.builders import arguments

PIECE = 20_000
"""Runs that are inserted in one transaction."""
RUN = [
    "id",
    "group_id",
    "workflow_id",
    "version_id",
    "sweep_id",
    "rank",
    "fingerprint",
    "state",
    "reason",
    "arguments",
    "config",
    "messages",
    "progress",
    "metrics",
    "created_at",
    "started_at",
    "finished_at",
    "host",
    "instance",
    "holds_slot",
]
EVENT = ("run_id", "group_id", "sweep_id", "kind", "data", "at")
FILE = ("run_id", "id", "position", "name", "mime_type", "size", "sha256", "display")
PROGRESS = {
    "fraction": 0.6666666666666666,
    "text": "",
    "cell": 3,
    "cells": 3,
    "source": "y = x * 2",
    "heartbeatAt": "2026-01-01T00:00:00.000000+00:00",
}
FAILED = {"state": RunState.ERROR.value, "reason": RunReason.CELL_ERROR.value}
HASH = "0" * 64
CACHE = -500_000
"""Kilobytes, negative as SQLite counts them; of connections that only fill."""


def insert_runs(
    root: Path,
    group: str,
    count: int,
    state: RunState = RunState.SUCCESS,
    columns: dict[str, Any] | None = None,
) -> None:
    """Insert runs straight into the table of a root on SQLite; see `fill`."""
    database = Database(f"sqlite:///{root / DATABASE_FILE}")
    try:
        fill(database, [group], count, state, columns)
    finally:
        database.close()


def insert_sweep(root: Path, group: str, api: Api, count: int) -> str:
    """Start a sweep of one point on a root on SQLite, and insert the other points; see `fill_sweep`."""
    started = str(api.sweeps.start_sweep(group, [arguments(x=-1)])["id"])
    database = Database(f"sqlite:///{root / DATABASE_FILE}")
    try:
        fill_sweep(database, group, started, count)
    finally:
        database.close()
    return started


def fill_sweep(database: Database, group: str, sweep: str, count: int) -> None:
    """Add finished runs to a sweep of one run, and make them its points."""
    fill(database, [group], count - 1, columns={"sweep_id": sweep})
    with database.write() as connection:
        numbers = func.row_number().over(order_by=runs.c.seq)
        chosen = select(runs.c.sweep_id, numbers, runs.c.id).where(runs.c.sweep_id == sweep)
        connection.execute(delete(points).where(points.c.sweep_id == sweep))
        connection.execute(insert(points).from_select(["sweep_id", "number", "run_id"], chosen))
        changed = update(sweeps).where(sweeps.c.id == sweep)
        connection.execute(changed.values(last_number=count, varied=["x"]))


def fill(
    database: Database,
    names: Sequence[str],
    count: int,
    state: RunState = RunState.SUCCESS,
    columns: dict[str, Any] | None = None,
    errors: int = 0,
    *,
    whole: int = 0,
) -> None:
    """Insert runs directly into the tables; they have no run directories.

    Parameters
    ----------
    database : Database
        The database.
    names : sequence of str
        Ids of groups of one workflow; a tenth of the runs is spread over all groups but the first.
    count : int
        Number of runs.
    state : RunState, optional
        Their state.
    columns : dict, optional
        Further columns of the runs.
    errors : int, optional
        One in this number of runs is an ERROR; 0 for none.
    whole : int, optional
        Events and result files are inserted for one in this number of runs; 0 for none.
    """
    with database.read() as connection:
        version, workflow = connection.execute(
            select(workflows.c.version_id, workflows.c.id).join(groups).where(groups.c.id == names[0])
        ).one()
    shared = {"workflow_id": workflow, "version_id": version, "state": state.value, **(columns or {})}
    for begin in range(0, count, PIECE):
        rows = []
        for x in range(begin, min(begin + PIECE, count)):
            group = names[1 + x // 10 % (len(names) - 1)] if x % 10 == 9 and len(names) > 1 else names[0]
            changed = FAILED if errors and x % errors == 7 else {}
            rows.append(_run(x, group, {**shared, **changed}))
        with database.write() as connection:
            last = connection.execute(select(func.max(runs.c.seq))).scalar() or 0
            _insert(connection, "runs", RUN, ([row[name] for name in RUN] for row in rows))
            if whole:
                told = rows[::whole]
                _insert(connection, "events", EVENT, (event for row in told for event in _events(row)))
                _insert(connection, "files", FILE, (_file(row) for row in told))
            value = runs.c.metrics["loss"].as_float()
            chosen = select(runs.c.group_id, literal("loss"), value, runs.c.seq)
            chosen = chosen.where(runs.c.seq > last, runs.c.state == RunState.SUCCESS.value)
            connection.execute(insert(scores).from_select(["group_id", "name", "value", "run_seq"], chosen))


def _run(x: int, group: str, columns: dict[str, Any]) -> dict[str, Any]:
    moment, state = now(), RunState(columns["state"])
    has_ended = state in TERMINAL
    return {
        "id": uuid.uuid4().hex,
        "group_id": group,
        "sweep_id": None,
        "rank": 0,
        "fingerprint": HASH,
        "arguments": json.dumps(arguments(x=x)),
        "config": "{}",
        "reason": None,
        "messages": "[]",
        "progress": json.dumps(PROGRESS) if has_ended else None,
        "metrics": json.dumps({"loss": (x * 7919 % 1_000_003) / 1_000_003} if has_ended else {}),
        "created_at": moment,
        "started_at": moment if has_ended else None,
        "finished_at": moment if has_ended else None,
        "host": "hub-0123456789" if has_ended else None,
        "instance": uuid.uuid4().hex if has_ended else None,
        "holds_slot": False,
        **columns,
    }


def _events(row: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    moment = row["created_at"]
    begun = {"state": "RUNNING", "startedAt": moment}
    ended = {"state": row["state"], "finishedAt": moment, "startedAt": moment}
    ended |= {"reason": row["reason"]} if row["reason"] is not None else {}
    told = [("state", {"state": "PENDING"}), ("state", begun), ("progress", PROGRESS)]
    told += [("metric", {"name": "loss", "value": 0.123456789}), ("log", {"size": 14}), ("state", ended)]
    for kind, data in told:
        yield row["id"], row["group_id"], row["sweep_id"], kind, json.dumps(data), moment


def _file(row: dict[str, Any]) -> tuple[Any, ...]:
    shown = json.dumps({"title": "Executed notebook", "isNotebook": True})
    mime_type = "application/x-ipynb+json"
    return row["id"], uuid.uuid4().hex, 0, "work.ipynb", mime_type, 3802, HASH, shown


def _insert(connection: Connection, table: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    driver = connection.connection.driver_connection
    listed = ", ".join(names)
    if isinstance(driver, sqlite3.Connection):
        signs = ", ".join("?" for _ in names)
        driver.execute(f"PRAGMA cache_size = {CACHE}")
        driver.executemany(f"INSERT INTO {table} ({listed}) VALUES ({signs})", rows)
    elif isinstance(driver, psycopg.Connection):
        copying = f"COPY {table} ({listed}) FROM STDIN"
        with driver.cursor() as cursor, cursor.copy(copying) as copy:  # type: ignore[call-overload]
            for row in rows:
                copy.write_row(row)
