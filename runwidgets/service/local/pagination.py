"""Paginated tables of runs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from runwidgets.schema import JsonValue, TablePage
from runwidgets.service.local.validation import check_whole_number

TABLE_PAGE = 2_000
"""Rows of a table in one response at most."""
COLUMNS = ("id", "state", "createdAt", "startedAt", "finishedAt", "arguments", "metrics", "reason", "message")


def make_table(rows: Sequence[Row[Any]], following: int | None, *further: str) -> TablePage:
    """Convert runs into the rows of a table.

    Parameters
    ----------
    rows : sequence of Row
        Rows with the columns of `runs`, and the further ones.
    following : int or None
        Cursor of the next page; None if this is the last page.
    *further : str
        Columns before the usual ones.

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
    """Return the number of rows and the position that a caller asks for; `name` is the name of the cursor."""
    size = TABLE_PAGE if limit is None else check_whole_number("limit", limit, 1, TABLE_PAGE)
    return size, None if cursor is None else check_whole_number(name, cursor, 0, 2**62)


def _cells(row: Row[Any]) -> list[JsonValue]:
    given = {each["name"]: each["value"] for each in row.arguments}
    times = (row.created_at, row.started_at, row.finished_at)
    message = row.messages[0] if row.messages else None
    return [row.id, row.state, *times, given, row.metrics, row.reason, message]
