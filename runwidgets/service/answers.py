"""What questions and answers of several services have in common: numbers, texts, rows of a table."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from runwidgets.errors import ConstraintViolationError, InvalidArgumentError
from runwidgets.limits import Limits

Json = dict[str, Any]

TABLE_PAGE = 2_000
"""Rows of a table in one answer, at most."""
COLUMNS = ("id", "state", "createdAt", "startedAt", "finishedAt", "arguments", "metrics", "message")


def make_table(rows: Sequence[Row[Any]], following: int | None, *further: str) -> Json:
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
    answer: Json = {"columns": [*further, *COLUMNS], "rows": found}
    if following is not None:
        answer["next"] = str(following)
    return answer


def read_page(limit: Any, cursor: Any, name: str) -> tuple[int, int | None]:
    """Return how many rows of a table are asked for, and from where on; `name` is the cursor's."""
    size = TABLE_PAGE if limit is None else whole("limit", limit, 1, TABLE_PAGE)
    return size, None if cursor is None else whole(name, cursor, 0, 2**62)


def _cells(row: Row[Any]) -> list[Any]:
    given = {each["name"]: each["value"] for each in row.arguments}
    times = (row.created_at, row.started_at, row.finished_at)
    message = row.messages[0] if row.messages else None
    return [row.id, row.state, *times, given, row.metrics, message]


def whole(name: str, given: Any, least: int, most: int) -> int:
    """Return a whole number out of what was given, which may be text.

    Raises
    ------
    InvalidArgumentError
        It is none, or lies outside its bounds.
    """
    said = str(given)
    digits = said[1:] if said.startswith("-") else said
    if isinstance(given, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise InvalidArgumentError(name, f"{said!r:.80} is not a whole number")
    if not least <= int(said) <= most:
        raise InvalidArgumentError(name, f"must be {least:,} to {most:,}, got {int(said):,}")
    return int(said)


def text(name: str, given: Any, limit: int) -> str:
    """Return a text that can be stored, of at most `limit` bytes.

    Raises
    ------
    InvalidArgumentError
        It is none, or too long.
    """
    if not isinstance(given, str) or len(given.encode("utf-8", "replace")) > limit:
        raise InvalidArgumentError(name, f"it must be text of at most {limit:,} bytes")
    return given.encode("utf-8", "backslashreplace").decode()


def check_name(given: str, limits: Limits) -> str:
    """Return a name for people.

    Raises
    ------
    ConstraintViolationError
        It is none, or too long.
    """
    if not isinstance(given, str) or not 0 < len(given.strip()) <= limits.name_length or "\0" in given:
        raise ConstraintViolationError("name", f"it must have 1 to {limits.name_length} characters")
    return given
