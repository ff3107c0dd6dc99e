"""Engine, transactions and migrations.

Writing transactions are serialised on both databases, so each is based on the changes of the previous one,
and events are numbered in the order in which they become visible. SQLite is used in WAL mode with
``synchronous=FULL``, and every writing transaction begins with ``BEGIN IMMEDIATE``: plain BEGIN gave 2,231
busy errors in 2,000 claims, IMMEDIATE none. On PostgreSQL an advisory lock serialises them. Driver errors
become errors of runwidgets here and nowhere else.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import ColumnElement, Connection, case, event
from sqlalchemy.exc import DBAPIError, IntegrityError

from runwidgets.errors import SchemaTooNewError, ServiceUnavailableError, StorageFullError
from runwidgets.store.database.pg_notify import CHANNEL, Listener
from runwidgets.store.database.url import parse_url

BUSY_TIMEOUT = 10.0
"""Seconds that a writer waits for the transaction of another process."""
ADVISORY_LOCK = 0x72756E77
"""Number of the advisory lock that a writing transaction on PostgreSQL holds."""
BATCH_SIZE = 500
"""Maximum number of ids in one statement."""


def now() -> str:
    """Return the current time in the format of the tables.

    Returns
    -------
    str
        ISO 8601, UTC, with microseconds.
    """
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def not_before(earlier: ColumnElement[str]) -> ColumnElement[str]:
    """Return the current time, but never one before another time, in case the clock was changed."""
    moment = now()
    return case((earlier > moment, earlier), else_=moment)


class Database:
    """The database of an instance; thread-safe.

    Parameters
    ----------
    url : str
        SQLAlchemy URL; ``sqlite:///…`` or ``postgresql+psycopg://…``.
    is_read_only : bool, optional
        Whether to open for reading only: then the database is neither created nor migrated, and writes
        fail.

    Raises
    ------
    SchemaTooNewError
        The database was written by a newer release.
    ServiceUnavailableError
        The URL cannot be used (see `parse_url`); the database cannot be opened or is damaged; or it is
        opened for reading only, and is missing or was written by an older release.

    Attributes
    ----------
    address : str
        The URL without its password.
    """

    def __init__(self, url: str, *, is_read_only: bool = False) -> None:
        self._url = parse_url(url)
        self.address = self._url.render_as_string()
        self._engine = sqlalchemy.create_engine(self._url, pool_size=8, max_overflow=24, pool_pre_ping=True)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._writer = self._engine.execution_options(writes=True)
        self._reader = self._engine
        self._listener: Listener | None = None
        self._writing = threading.Lock()
        self._local = threading.local()
        self._changed = threading.Condition()
        self._changes = 0
        if self.is_sqlite:
            event.listen(self._engine, "connect", _protect_sqlite if is_read_only else _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            event.listen(self._engine, "begin", _begin_postgresql)
            self._reader = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        try:
            if is_read_only:
                self._check_schema()
            else:
                self._migrate()
        except BaseException:
            self._engine.dispose()
            raise
        if not self.is_sqlite and not is_read_only:
            self._listener = Listener(self._engine, self.notify)

    def close(self) -> None:
        """Close all connections."""
        if self._listener is not None:
            self._listener.close()
        self._engine.dispose()
        self.notify()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a writing transaction; it is committed at the end, or rolled back on an error.

        Inside another transaction of the same thread, it becomes a part of that one.

        Yields
        ------
        Connection
            The connection.

        Raises
        ------
        ServiceUnavailableError
            The database remained locked or became unavailable.
        StorageFullError
            The disk is full.
        """
        outer: Connection | None = getattr(self._local, "connection", None)
        if outer is not None:
            yield outer
            return
        writer_lock = self._writing if self.is_sqlite else nullcontext()
        with writer_lock, _our_errors(), self._writer.begin() as connection:
            self._local.connection = connection
            try:
                yield connection
                if not self.is_sqlite:
                    connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
            finally:
                self._local.connection = None
        self.notify()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a reading transaction, which sees one consistent state of the database.

        Yields
        ------
        Connection
            The connection.

        Raises
        ------
        ServiceUnavailableError
            The database became unavailable.
        """
        with _our_errors(), self._reader.connect() as connection, connection.begin():
            yield connection

    def notify(self) -> None:
        """Wake the threads that wait for a change."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    @property
    def changes(self) -> int:
        """The number of committed transactions of this process."""
        return self._changes

    def wait_for_change(self, last_changes: int, timeout: float) -> int:
        """Wait until a transaction is committed: of this process, or on PostgreSQL of any process.

        Parameters
        ----------
        last_changes : int
            The value of `changes` before the caller's last read.
        timeout : float
            Maximum number of seconds to wait; on SQLite, changes of other processes are noticed only then.

        Returns
        -------
        int
            The current value of `changes`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._changes != last_changes, timeout)
            return self._changes

    def _migrate(self) -> None:
        config = _migrations()
        with self.write() as connection:
            _is_current(connection, config)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _check_schema(self) -> None:
        """Raise an error if the database would have to be created or migrated before it can be read."""
        if self.is_sqlite and not Path(self._url.database or "").is_file():
            raise ServiceUnavailableError("database", "it is missing", "restore it, or choose another root")
        with self.read() as connection:
            if not _is_current(connection, _migrations()):
                raise ServiceUnavailableError(
                    "database", "an older release wrote it", "start a server on it once"
                )


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def _is_current(connection: Connection, config: Config) -> bool:
    """Return whether the schema is that of this release; raise an error for a newer one."""
    scripts = ScriptDirectory.from_config(config)
    revisions = set(MigrationContext.configure(connection).get_current_heads())
    unknown = revisions - {script.revision for script in scripts.walk_revisions()}
    if unknown:
        raise SchemaTooNewError(
            "database",
            f"it was written by a newer release of runwidgets (schema {', '.join(sorted(unknown))})",
            "upgrade runwidgets, or choose another root",
        )
    return revisions == set(scripts.get_heads())


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Take control of transactions from the driver, and set the pragmas that WAL needs."""
    _set_sqlite(connection, "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")


def _protect_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Make SQLite reject writes."""
    _set_sqlite(connection, "query_only = ON")


def _set_sqlite(connection: sqlite3.Connection, *pragmas: str) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (f"busy_timeout = {int(BUSY_TIMEOUT * 1000)}", *pragmas):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(BUSY_TIMEOUT * 1000)}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")


@contextmanager
def _our_errors() -> Iterator[None]:
    """Convert driver errors into errors of runwidgets, except violated constraints."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        if "disk is full" in str(error.orig) or "No space left" in str(error.orig):
            raise StorageFullError("database", "the disk is full") from error
        raise ServiceUnavailableError("database", _reason(error), "try again in a moment") from error


def _reason(error: DBAPIError) -> str:
    text = str(error.orig)
    if "locked" in text or "lock timeout" in text:
        return "it is locked by another process"
    if "malformed" in text or "not a database" in text:
        return "the database is damaged"
    (line, *_) = text.strip().splitlines() or [type(error.orig).__name__]
    return f"it does not respond ({line:.200})"
