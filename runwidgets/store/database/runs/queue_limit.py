"""The limit of the queue: how many runs may wait."""

from sqlalchemy import ColumnElement, Connection, func, literal_column, select

from runwidgets.errors import QueueFullError
from runwidgets.states import RunState
from runwidgets.store.database.tables import runs

PENDING: ColumnElement[str] = literal_column(f"'{RunState.PENDING.value}'")
"""The state in the same form as in the partial index: SQLite uses such an index only for the same literal."""


def check_queue_limit(connection: Connection, count: int, queue_limit: int) -> None:
    """Raise an error if the queue would exceed its limit.

    Raises
    ------
    QueueFullError
        With `count` further runs, more than `queue_limit` would be PENDING.
    """
    pending = select(func.count()).select_from(runs).where(runs.c.state == PENDING)
    if connection.execute(pending).scalar_one() + count > queue_limit:
        raise QueueFullError("queue", f"at most {queue_limit} runs may wait", "try again later")
