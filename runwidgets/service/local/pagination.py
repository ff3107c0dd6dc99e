"""Paginated tables of runs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from runwidgets.schema import JsonValue, TablePage
from runwidgets.service.local.validation import check_whole_number

TABLE_PAGE = 2_000
"""Maximum number of rows of a table in one response."""
COLUMNS = (
    "id",
    "state",
    "createdAt",
    "startedAt",
    "finishedAt",
    "arguments",
    "metrics",
    "reason",
    "cell",
    "message",
)


def make_table(rows: Sequence[Row[Any]], next_cursor: int | None, *leading_columns: str) -> TablePage:
    """Convert runs into the rows of a table.

    Parameters
    ----------
    rows : sequence of Row
        Rows with the columns of `runs`, and the leading columns.
    next_cursor : int or None
        Cursor of the next page; None if this is the last page.
    *leading_columns : str
        Further columns, which come before the usual ones.

    Returns
    -------
    dict
        ``{columns, rows, next?}``.
    """
    cells = [[*(getattr(row, name) for name in leading_columns), *_cells(row)] for row in rows]
    page: TablePage = {"columns": [*leading_columns, *COLUMNS], "rows": cells}
    if next_cursor is not None:
        page["next"] = str(next_cursor)
    return page


def read_page(limit: int | None, cursor: str | None, name: str) -> tuple[int, int | None]:
    """Return the number of rows and the position that a caller asks for; `name` is the name of the cursor."""
    size = TABLE_PAGE if limit is None else check_whole_number("limit", limit, 1, TABLE_PAGE)
    return size, None if cursor is None else check_whole_number(name, cursor, 0, 2**62)


def _cells(row: Row[Any]) -> list[JsonValue]:
    arguments = {each["name"]: each["value"] for each in row.arguments}
    times = (row.created_at, row.started_at, row.finished_at)
    cell = None if row.progress is None else row.progress.get("cell")
    message = row.messages[0] if row.messages else None
    return [row.id, row.state, *times, arguments, row.metrics, row.reason, cell, message]
