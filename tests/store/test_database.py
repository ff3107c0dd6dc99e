import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, update
from sqlalchemy.exc import IntegrityError

from runwidgets.errors import SchemaTooNewError, ServiceUnavailableError
from runwidgets.schema import RunReason
from runwidgets.service.factory import open_instance
from runwidgets.states import MOVES, TERMINAL, RunState
from runwidgets.store.database.database import Database
from runwidgets.store.database.events import events_after
from runwidgets.store.database.runs.runs import Runs
from runwidgets.store.database.tables import metadata, runs
from tests.builders import wait_until
from tests.conftest import url_of
from tests.store.conftest import NOW, run_row

REASONS = {RunState.ERROR: RunReason.TIMEOUT, RunState.CANCELED: RunReason.CANCELED}


def bring(queue: Runs, run_id: str, state: RunState) -> None:
    """Accept a run and move it into a state."""
    queue.accept([run_row(run_id)], 100)
    if state in {RunState.RUNNING, RunState.SUCCESS}:
        queue.claim("host", "instance", 100)
    if state in TERMINAL:
        queue.move(run_id, state, REASONS.get(state))


def test_the_migrations_create_the_tables(database: Database) -> None:
    """The schema that Alembic creates is that of the code."""
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_migrations_create_the_constraints(database: Database, tmp_path: Path) -> None:
    """The constraints are those of the code; Alembic does not compare them."""
    plain = create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    metadata.create_all(plain)

    def checks(connection: Connection) -> dict[str, dict[str, str]]:
        inspector = inspect(connection)
        return {
            table: {each["name"]: each["sqltext"] for each in inspector.get_check_constraints(table)}
            for table in ("runs", "sweeps")
        }

    with plain.connect() as connection:
        expected = checks(connection)
    with database.read() as connection:
        assert {table: each.keys() for table, each in expected.items()} == {
            table: each.keys() for table, each in checks(connection).items()
        }
        if connection.dialect.name == "sqlite":
            assert checks(connection) == expected
    plain.dispose()


@pytest.mark.sqlite
def test_a_database_is_durable_and_enforces_foreign_keys(database: Database) -> None:
    """The pragmas are WAL, FULL and foreign keys."""
    with database.read() as connection:
        said = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert said == ["wal", 2, 1]


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The error contains the remedy; nothing is changed."""
    path = tmp_path / "x.db"
    Database(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'future'")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(SchemaTooNewError, match=r"newer release.*upgrade runwidgets"):
        Database(f"sqlite:///{path}")

    assert path.read_bytes() == before


@pytest.mark.sqlite
def test_a_damaged_or_missing_database_is_refused_and_not_created(tmp_path: Path) -> None:
    """A root with runs but without a database needs a decision by a person."""
    (tmp_path / "bad.db").write_bytes(b"this is not a database" * 1000)
    with pytest.raises(ServiceUnavailableError, match="damaged"):
        Database(f"sqlite:///{tmp_path / 'bad.db'}")

    root = tmp_path / "root"
    open_instance(root).close()
    (root / "runs" / "some-run").mkdir()
    for file in root.glob("runwidgets.db*"):
        file.unlink()
    with pytest.raises(ServiceUnavailableError, match="has runs, but no database"):
        open_instance(root)
    assert not (root / "runwidgets.db").exists()


@pytest.mark.parametrize("target", [RunState.SUCCESS, RunState.ERROR, RunState.CANCELED])
@pytest.mark.parametrize("source", list(RunState))
def test_only_moves_of_the_state_machine_are_allowed(queue: Runs, source: RunState, target: RunState) -> None:
    """All states are combined with all ends; a refused move changes nothing."""
    bring(queue, "r", source)
    before = queue.get("r")

    if target in MOVES[source]:
        assert queue.move("r", target, REASONS.get(target)).state == target.value
    else:
        with pytest.raises(ValueError, match=f"{source}; only .* can become {target}"):
            queue.move("r", target, REASONS.get(target))
        assert queue.get("r") == before


@pytest.mark.parametrize(
    "values",
    [
        {"state": "DONE"},
        {"state": "SUCCESS"},
        {"state": "RUNNING"},
        {"finished_at": NOW},
        {"started_at": NOW},
        {"reason": "timeout"},
        {"state": "ERROR", "started_at": NOW, "finished_at": NOW},
        {"state": "CANCELED", "started_at": NOW, "finished_at": NOW},
        {"state": "ERROR", "finished_at": NOW, "reason": "timeout"},
        {"state": "ERROR", "started_at": NOW, "finished_at": NOW, "reason": "tired"},
        {"state": "ERROR", "started_at": NOW, "finished_at": NOW, "reason": "canceled"},
        {"state": "CANCELED", "started_at": NOW, "finished_at": NOW, "reason": "timeout"},
    ],
)
def test_the_database_refuses_invalid_rows(database: Database, queue: Runs, values: dict[str, str]) -> None:
    """They have an unknown state or reason, an end without a state, or a state without times or reason."""
    bring(queue, "r", RunState.PENDING)

    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(update(runs).where(runs.c.id == "r").values(**values))


def test_times_never_go_backwards(database: Database, queue: Runs) -> None:
    """The wall clock may change between acceptance, claim and end."""
    bring(queue, "r", RunState.PENDING)
    with database.write() as connection:
        connection.execute(update(runs).values(created_at="2999-01-01T00:00:00.000000+00:00"))

    queue.claim("host", "instance", 1)
    row = queue.move("r", RunState.SUCCESS)

    assert row.created_at == row.started_at == row.finished_at


@pytest.mark.parametrize("end", [RunState.ERROR, RunState.CANCELED, None])
def test_a_run_that_ends_before_it_is_claimed_begins_when_it_ends(
    database: Database, queue: Runs, end: RunState | None
) -> None:
    """Alone or with all others; the event says the same, and a run that began keeps its beginning."""
    bring(queue, "claimed", RunState.RUNNING)
    bring(queue, "waiting", RunState.PENDING)
    began = queue.get("claimed").started_at

    if end is None:
        queue.cancel_all(RunReason.SHUTDOWN, "the server stopped")
    for run_id in ("claimed", "waiting") if end is not None else ():
        queue.move(run_id, end, REASONS[end])

    claimed, waiting = queue.get("claimed"), queue.get("waiting")
    assert waiting.started_at == waiting.finished_at >= waiting.created_at
    assert claimed.started_at == began < claimed.finished_at
    last = events_after(database, 0, 100, run_id="waiting")[-1]
    assert last.data["startedAt"] == last.data["finishedAt"] == waiting.finished_at


def test_concurrent_claims_get_different_runs_and_respect_the_slots(tmp_path: Path, queue: Runs) -> None:
    """Two hundred runs are claimed by four claimants with their own connections, for three slots."""
    queue.accept([run_row(f"r{at}") for at in range(200)], 1000)
    claimed: list[str] = []
    most = 0

    def claim() -> None:
        nonlocal most
        own = Database(url_of(tmp_path))
        claimer_runs = Runs(own)
        while len(claimed) < 200:
            row = claimer_runs.claim("host", "instance", 3)
            if row is not None:
                claimed.append(row.id)
                most = max(most, len(claimer_runs.list_slot_holders()))
                claimer_runs.move(row.id, RunState.ERROR, RunReason.CELL_ERROR)
                claimer_runs.release(row.id)
        own.close()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: not any(thread.is_alive() for thread in threads))

    assert sorted(claimed) == sorted(f"r{at}" for at in range(200))
    assert most <= 3


def test_a_queue_has_a_limit(queue: Runs) -> None:
    """A batch is accepted as a whole or not at all."""
    queue.accept([run_row("a")], 2)

    with pytest.raises(Exception, match="2 runs may wait"):
        queue.accept([run_row("b"), run_row("c")], 2)

    assert [row.id for row in queue.list("g")[0]] == ["a"]
