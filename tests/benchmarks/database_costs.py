"""Unit costs of a run on PostgreSQL, for the README: ``python -m tests.benchmarks.database_costs``.

They are the statements of a small run, its rows and files, the statements of an idle server, and the number
of transactions that writers in several processes commit.
"""

import argparse
import multiprocessing
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from runwidgets.service.factory import open_instance
from runwidgets.store.database import database as turns
from runwidgets.store.database.database import Database
from runwidgets.store.database.metrics import RecordedValue
from runwidgets.store.database.runs.runs import Runs
from tests.benchmarks.bulk_insert import PROGRESS, fill
from tests.benchmarks.scale import ERRORS, open_quiet, settle
from tests.benchmarks.table import machine_facts
from tests.benchmarks.workload import SLOTS
from tests.builders import arguments, group_of, wait_until, write_notebook
from tests.postgres import Postgres

RUNS = 50
REST = 20.0
"""Seconds for which a server is watched that does nothing."""
ROWS = 100_000
SPELL = 5.0
"""Seconds for which writers write."""
CELL = "import runwidgets\ny = x * 2\nprint('twice x is', y)\nrunwidgets.record('loss', y)"


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count statements, and transactions by kind, of all threads of this process."""
    seen: Counter[str] = Counter()

    def statement(connection: Any, _cursor: Any, said: str, *_: Any) -> None:
        if "advisory" in said:
            seen["writing transactions"] += 1
        seen["statements"] += 1

    def begin(*_: Any) -> None:
        seen["transactions"] += 1

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "begin", begin)
    yield seen
    event.remove(Engine, "before_cursor_execute", statement)
    event.remove(Engine, "begin", begin)


def per_run(postgres: Postgres, place: Path) -> Iterator[str]:
    """Run a small notebook often; then measure an idle server."""
    notebook = write_notebook(place / "work.ipynb", CELL, parameters="x = 1")
    url = postgres.url(place)
    instance = open_instance(place / "root", db_url=url, slots=SLOTS, on_shutdown="cancel")
    plain = url.replace("+psycopg", "")
    try:
        api = instance.api()
        group = group_of(api.workflows.create_workflow(str(notebook)))
        with psycopg.connect(plain, autocommit=True) as looking:

            def ask(question: str) -> tuple[Any, ...]:
                found = looking.execute(question).fetchone()  # type: ignore[arg-type]
                assert found is not None
                return found

            def finished(count: int) -> None:
                done = "SELECT count(*) FROM runs WHERE state = 'SUCCESS' AND NOT holds_slot"
                wait_until(lambda: ask(done)[0], lambda found: found == count, within=600)

            for x in range(SLOTS):
                api.runs.start_run(group, arguments(x=x))
            finished(SLOTS)
            wal = "SELECT wal_bytes, wal_sync FROM pg_stat_wal"
            before, events = ask(wal), ask("SELECT count(*) FROM events")[0]
            with counted() as seen:
                for x in range(RUNS):
                    api.runs.start_run(group, arguments(x=x))
                finished(SLOTS + RUNS)
            time.sleep(1)
            after = ask(wal)
            events = ask("SELECT count(*) FROM events")[0] - events
            for name, count in {**seen, "events": events, "syncs of its log": after[1] - before[1]}.items():
                yield f"{name} per run: {count / RUNS:.1f}"
            yield f"bytes of its log per run: {float(after[0] - before[0]) / RUNS:,.0f}"
            folders = [folder for folder in (place / "root" / "runs").iterdir()]
            files = [file for folder in folders for file in folder.rglob("*")]
            used = sum(file.lstat().st_blocks * 512 for file in [*folders, *files]) / len(folders)
            said = sum(file.lstat().st_size for file in files if file.is_file()) / len(folders)
            count = len(files) / len(folders) + 1
            yield f"run directory: {count:.0f} inodes, {said:,.0f} bytes, {used:,.0f} on disk"
            yield from at_rest(instance.events.follow_events, ask, url)
    finally:
        instance.close()


def at_rest(follow: Callable[..., Any], ask: Callable[[str], Any], url: str) -> Iterator[str]:
    """Count the statements of an unused server, including its event stream."""
    stop = threading.Event()
    begin = ask("SELECT coalesce(max(seq), 0) FROM events")[0]
    stream = threading.Thread(target=lambda: list(follow(begin, stop=stop)))
    stream.start()
    time.sleep(1)
    with counted() as seen:
        time.sleep(REST)
    yield f"statements per second of a server at rest: {seen['statements'] / REST:.1f}"
    mine = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
    )
    yield f"connections of a server: {ask(mine)[0]}"
    stop.set()
    stream.join()


def sizes(postgres: Postgres, place: Path) -> Iterator[str]:
    """Measure what runs leave in the tables of both databases."""
    for kind, url in (("PostgreSQL", postgres.url(place)), ("SQLite", None)):
        inner = place / kind
        inner.mkdir()
        instance = open_quiet(inner, url)
        fill(instance.database, instance.groups, ROWS, errors=ERRORS, whole=1)
        settle(instance.database)
        if url is None:
            instance.database.close()
            yield from _sqlite_sizes(inner / "root" / "runwidgets.db")
            continue
        with instance.database.read() as connection:
            for name, table, indexes in connection.exec_driver_sql(
                "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class "
                "WHERE relkind = 'r' AND relname IN ('runs', 'events', 'files', 'scores') ORDER BY 2 DESC"
            ):
                yield f"{kind}, bytes per run: {name} {table / ROWS:,.0f}, its indexes {indexes / ROWS:,.0f}"
        instance.database.close()


def _sqlite_sizes(path: Path) -> Iterator[str]:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        question = (
            "SELECT m.tbl_name, sum((m.type = 'table') * d.pgsize), sum((m.type = 'index') * d.pgsize) "
            "FROM dbstat d JOIN sqlite_master m ON m.name = d.name "
            "WHERE m.tbl_name IN ('runs', 'events', 'files', 'scores') GROUP BY 1 ORDER BY 2 DESC"
        )
        for name, table, indexes in connection.execute(question):
            yield f"SQLite, bytes per run: {name} {table / ROWS:,.0f}, its indexes {indexes / ROWS:,.0f}"
    connection.close()


def writers(postgres: Postgres, place: Path) -> Iterator[str]:
    """Let writers store progress, a metric and a log of a run each, with and without serialisation."""
    url = postgres.url(place)
    instance = open_quiet(place, url)
    fill(instance.database, instance.groups[:1], 100)
    ids = [row.id for row in instance.runs.list(instance.groups[0])[0]]
    for takes_turns in (True, False):
        for count in (1, 2, 4, 8):
            rate = _rate(url, ids[:count], takes_turns)
            yield f"{'in turns' if takes_turns else 'without turns'}, {count} writers: {rate:,.0f} commits/s"
    instance.database.close()
    testing = max(Path("/usr/lib/postgresql").glob("*/bin/pg_test_fsync"))
    said = subprocess.run([testing, "-s", "1", "-f", place / "sync"], capture_output=True, text=True).stdout
    yield next(line.strip() for line in said.splitlines() if line.strip().startswith("fdatasync"))


def _rate(url: str, ids: list[str], takes_turns: bool) -> float:
    context = multiprocessing.get_context("spawn")
    told, go = context.Queue(), context.Event()
    given = [(url, run_id, takes_turns, told, go) for run_id in ids]
    processes = [context.Process(target=_write, args=each) for each in given]
    for process in processes:
        process.start()
    for _ in processes:
        told.get()
    go.set()
    total = sum(told.get() for _ in processes)
    for process in processes:
        process.join()
    return total / SPELL


def _write(url: str, run_id: str, takes_turns: bool, told: Any, go: Any) -> None:
    database = Database(url)
    if not takes_turns:
        event.remove(database._engine, "begin", turns._begin_postgresql)
    runs = Runs(database)
    runs.store_progress(run_id, PROGRESS, [RecordedValue("loss", 1.0)], 14)
    told.put(0)
    go.wait()
    count, end = 0, time.monotonic() + SPELL
    while time.monotonic() < end:
        runs.store_progress(run_id, PROGRESS, [RecordedValue("loss", float(count))], count)
        count += 1
    told.put(count)
    database.close()


PARTS = {"run": per_run, "sizes": sizes, "writers": writers}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.database_costs", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    chosen = parser.parse_args().only
    print(machine_facts(), flush=True)
    postgres = Postgres()
    try:
        for name in chosen:
            with tempfile.TemporaryDirectory(prefix="runwidgets-hub-", ignore_cleanup_errors=True) as folder:
                for line in PARTS[name](postgres, Path(folder)):
                    print(f"- {line}", flush=True)
    finally:
        postgres.remove()


if __name__ == "__main__":
    main()
