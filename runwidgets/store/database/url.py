"""The URL of a database: which ones can be used, and what is said about the others."""

from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import ArgumentError

from runwidgets.errors import ServiceUnavailableError

EXAMPLE = "postgresql+psycopg://user@host/runs"
POSTGRESQL = "postgresql+psycopg"
SQLITE = ("sqlite", "sqlite+pysqlite")


def parse_url(url: str) -> sqlalchemy.URL:
    """Return the parsed URL of a database; nothing is opened.

    Parameters
    ----------
    url : str
        An SQLAlchemy URL of SQLite or PostgreSQL; without a driver, PostgreSQL is used with psycopg.

    Returns
    -------
    sqlalchemy.URL
        The URL with its driver.

    Raises
    ------
    ServiceUnavailableError
        It is not a URL, its database is not supported, or its driver is not installed.
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except (ArgumentError, ValueError) as error:  # its text may contain a password
        raise ServiceUnavailableError(
            "db_url", "it is not an SQLAlchemy URL", f"give one such as {EXAMPLE}"
        ) from error
    if parsed.drivername in SQLITE:
        _check_file(parsed)
        return parsed
    if parsed.drivername not in ("postgresql", POSTGRESQL):
        remedy = f"give the URL of a PostgreSQL database, such as {EXAMPLE}, or none for SQLite in the root"
        raise ServiceUnavailableError("db_url", f"{parsed.drivername}:// is not supported", remedy)
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise ServiceUnavailableError(
            "db_url", "the driver psycopg is not installed here", 'pip install "runwidgets[postgres]"'
        ) from error
    return parsed.set(drivername=POSTGRESQL)


def _check_file(url: sqlalchemy.URL) -> None:
    """Refuse an SQLite database that several processes cannot find: one in memory, or a relative path."""
    if not url.database or not Path(url.database).is_absolute():
        raise ServiceUnavailableError(
            "db_url",
            f"{url.database or 'memory'} is not an absolute path",
            "write four slashes, as in sqlite:////data/runs.db",
        )
