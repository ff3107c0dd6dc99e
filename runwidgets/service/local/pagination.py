"""Tables of runs, a page at a time."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from runwidgets.schema import JsonValue, TablePage
from runwidgets.service.local.validation import whole

TABLE_PAGE = 2_000
"""Rows of a table in one answer, at most."""
COLUMNS = ("id", "state", "createdAt", "startedAt", "finishedAt", "arguments", "metrics", "reason", "message")


def make_table(rows: Sequence[Row[Any]], following: int | None, *further: str) -> TablePage:
    """Return runs as the rows of a table.

    Parameters
    ----------
    rows : sequence of Row
        Columns of `runs`, and the further ones.
    following : int or None
        Where the next page begins; None where there is none.
    *further : str
        Columns that stand before the usual ones.

    Returns
    -------
    dict
        ``{columns, rows, next?}``.
    """
    found = [[*(getattr(row, name) for name in further), *_cells(row)] for row in rows]
    answer: TablePage = {"columns": [*further, *COLUMNS], "rows": found}
    if following is not None:
        answer["next"] = str(following)
    return answer


def read_page(limit: int | None, cursor: str | None, name: str) -> tuple[int, int | None]:
    """Return how many rows of a table are asked for, and from where on; `name` is the cursor's."""
    size = TABLE_PAGE if limit is None else whole("limit", limit, 1, TABLE_PAGE)
    return size, None if cursor is None else whole(name, cursor, 0, 2**62)


def _cells(row: Row[Any]) -> list[JsonValue]:
    given = {each["name"]: each["value"] for each in row.arguments}
    times = (row.created_at, row.started_at, row.finished_at)
    message = row.messages[0] if row.messages else None
    return [row.id, row.state, *times, given, row.metrics, row.reason, message]
