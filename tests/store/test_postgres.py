"""A real PostgreSQL server: what SQLite guarantees on one machine, it guarantees for several."""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, event, insert

import runwidgets as rw
from runwidgets.errors import SchemaTooNewError, ServiceUnavailableError
from runwidgets.service.factory import open_instance
from runwidgets.service.integrity.doctor import check
from runwidgets.service.local.events import InstanceEvents
from runwidgets.states import RunState
from runwidgets.store.database.database import Database, now
from runwidgets.store.database.events import events_after, last_event
from runwidgets.store.database.pg_notify import MIN_CALL_INTERVAL
from runwidgets.store.database.runs.runs import Runs
from runwidgets.store.database.tables import events, metadata
from tests.benchmarks.bulk_insert import fill
from tests.builders import group_of, wait_until, workflow, write_notebook
from tests.postgres import Postgres

WRITERS, EACH = 6, 60


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Start a server for this module, which its tests may stop."""
    server = Postgres()
    yield server
    server.remove()


def write_events(url: str, count: int) -> None:
    """Write events, each in its own transaction."""
    database = Database(url)
    for number in range(count):
        row = {"run_id": "r", "group_id": "g", "kind": "log", "data": {"size": number}, "at": now()}
        with database.write() as connection:
            connection.execute(insert(events).values(row))
    database.close()


def test_events_of_many_writers_become_visible_in_order(postgres: Postgres, tmp_path: Path) -> None:
    """A reader that continues after the last event seen misses none: none is committed before it later."""
    url = postgres.url(tmp_path)
    reader = Database(url)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_events, args=(url, EACH)) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    seen: list[int] = []

    def read() -> int:
        mark = reader.changes
        seen.extend(row.seq for row in events_after(reader, seen[-1] if seen else 0, 1000))
        if len(seen) < WRITERS * EACH:
            reader.wait_for_change(mark, 60)
        return len(seen)

    wait_until(read, lambda count: count == WRITERS * EACH, within=60)
    for writer in writers:
        writer.join()
    assert seen == sorted(seen) and last_event(reader) == seen[-1]
    reader.close()


def test_a_commit_of_another_process_wakes_waiting_threads(postgres: Postgres, tmp_path: Path) -> None:
    """They wake at once, not at their timeout; also after the server was unavailable."""
    database, other = Database(postgres.url(tmp_path)), Database(postgres.url(tmp_path))

    for is_again in (False, True):
        if is_again:
            postgres.stop()
            with pytest.raises(ServiceUnavailableError, match="database"), database.read():
                pass
            mark = database.changes  # before the start, because it may listen again at once
            postgres.start()
            assert database.wait_for_change(mark, 60) != mark  # it listens again
        mark = database.changes
        write_events_by(other)
        assert database.wait_for_change(mark, 60) != mark
    database.close()
    other.close()


def test_an_idle_stream_sends_no_queries_and_misses_nothing(postgres: Postgres, tmp_path: Path) -> None:
    """A thousand waiting servers cost the database nothing; a burst of commits wakes them a few times."""
    database, other = Database(postgres.url(tmp_path)), Database(postgres.url(tmp_path))
    stop, asked, seen = threading.Event(), 0, []

    def count(*said: object) -> None:
        nonlocal asked
        asked += "FROM events" in str(said[2])

    def follow() -> None:
        for each in InstanceEvents(database).follow_events(0, stop=stop):
            seen.append(each["seq"])

    event.listen(Engine, "before_cursor_execute", count)
    reader = threading.Thread(target=follow)
    reader.start()
    wait_until(lambda: asked)
    stop.wait(1)  # in which it would have looked five times
    at_rest, asked = asked, 0
    begin = time.monotonic()
    for _ in range(100):
        write_events_by(other)
    wait_until(lambda: len(seen), lambda count: count == 100)
    most = (time.monotonic() - begin) / MIN_CALL_INTERVAL + 5
    burst = asked
    stop.set()
    reader.join(1)
    event.remove(Engine, "before_cursor_execute", count)

    assert at_rest <= 3 and burst <= most and not reader.is_alive()
    database.close()
    other.close()


def test_a_claim_skips_locked_runs(postgres: Postgres, tmp_path: Path) -> None:
    """It takes the next run without waiting: FOR UPDATE SKIP LOCKED."""
    instance = open_instance(tmp_path / "root", db_url=postgres.url(tmp_path), slots=1)
    group = group_of(workflow(instance.api(), tmp_path, "1"))
    instance.close()
    database = Database(postgres.url(tmp_path))
    fill(database, [group], 2, RunState.PENDING)
    queue = Runs(database)
    with psycopg.connect(str(postgres.url(tmp_path)).replace("+psycopg", "")) as holder:
        held = holder.execute("SELECT id FROM runs ORDER BY seq LIMIT 1 FOR UPDATE").fetchone()

        claimed = queue.claim("here", "me", 5)

        assert claimed is not None and held is not None and claimed.id != held[0]
        assert queue.claim("here", "me", 5) is None
    assert queue.claim("here", "me", 5).id == held[0]  # type: ignore[union-attr]
    database.close()


def test_a_newer_schema_is_refused_here_too(postgres: Postgres, tmp_path: Path) -> None:
    """The error contains the remedy, and nothing is changed."""
    Database(postgres.url(tmp_path)).close()
    with psycopg.connect(str(postgres.url(tmp_path)).replace("+psycopg", "")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'future'")

    with pytest.raises(SchemaTooNewError, match=r"newer release.*upgrade runwidgets"):
        Database(postgres.url(tmp_path))

    with psycopg.connect(str(postgres.url(tmp_path)).replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("future",)]


def test_the_migrations_create_the_tables_here_too(postgres: Postgres, tmp_path: Path) -> None:
    """The schema is that of the code; concurrent first starts create it once."""
    url = postgres.url(tmp_path)
    opened: list[Database] = []
    threads = [threading.Thread(target=lambda: opened.append(Database(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(opened) == 4
    with opened[0].read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    for database in opened:
        database.close()


def write_events_by(database: Database) -> None:
    """Write one event."""
    row = {"run_id": "r", "group_id": "g", "kind": "log", "data": {}, "at": now()}
    with database.write() as connection:
        connection.execute(insert(events).values(row))


def test_two_instances_share_the_work_of_a_sweep(postgres: Postgres, tmp_path: Path) -> None:
    """Each run is executed once, both instances know all of them, and the doctor reports nothing."""
    url, root, ran = postgres.url(tmp_path), tmp_path / "root", tmp_path / "ran.txt"
    code = f"open({str(ran)!r}, 'a').write(f'{{x}}\\n')\nimport runwidgets\nrunwidgets.record('y', x)"
    notebook = write_notebook(tmp_path / "shared.ipynb", code, parameters="x: int = 0")
    services = [open_instance(root, db_url=url, slots=1) for _ in range(2)]
    mine, other = (instance.api() for instance in services)

    sweep = rw.sweep(notebook, x=range(30), api=mine)
    frame = rw.Sweep(other, sweep.id).wait().to_frame()

    assert frame["y"].tolist() == list(range(30))
    assert sorted(map(int, ran.read_text().split())) == list(range(30))
    for instance in services:
        instance.close()
    wait_until(lambda: not check(root, url), within=20)


def test_runs_continue_while_the_database_is_unavailable(postgres: Postgres, tmp_path: Path) -> None:
    """Requests fail with a reason; ended runs have their true end once the server is back."""
    url = postgres.url(tmp_path)
    code = "import time, runwidgets\nprint('begun', flush=True)\ntime.sleep(2)\nrunwidgets.record('y', 1)"
    notebook = write_notebook(tmp_path / "away.ipynb", code)
    instance = open_instance(tmp_path / "root", db_url=url, slots=1)
    run = rw.run(notebook, api=instance.api())
    wait_until(lambda: "begun" in run.log)

    postgres.stop()
    with pytest.raises(ServiceUnavailableError, match="it does not respond"):
        assert run.state
    postgres.start()

    done = wait_until(lambda: rw.Run(instance.api(), run.id), lambda each: each.state == "SUCCESS", within=60)
    assert done.metrics == {"y": 1}
    instance.close()


def test_many_threads_write_at_once(postgres: Postgres, tmp_path: Path) -> None:
    """Their transactions are serialised, and none fails."""
    database = Database(postgres.url(tmp_path))
    threads = [threading.Thread(target=write_events_by, args=(database,)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(events_after(database, 0, 1000)) == 40
    database.close()
