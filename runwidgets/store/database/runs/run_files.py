"""The SQL statements about the files of runs: results of a successful one, partial files of any other."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert

from runwidgets.store.database.columns import NewFile
from runwidgets.store.database.tables import files


def add_files(connection: Connection, run_id: str, listed: Iterable[NewFile]) -> int:
    """Add the files of a run that has none yet, in order, and return their number."""
    rows = [{"run_id": run_id, "position": at, **each} for at, each in enumerate(listed)]
    if rows:
        connection.execute(insert(files), rows)
    return len(rows)
