"""Runs as a pandas data frame."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from runwidgets.schema import TablePage, TableRow

if TYPE_CHECKING:
    import pandas

TIMES = ("created", "started", "finished")


def read_rows(fetch_page: Callable[[str | None], TablePage]) -> Iterator[TableRow]:
    """Yield the rows of a paginated table as dicts.

    Parameters
    ----------
    fetch_page : callable
        Takes the ``next`` of the previous page, or None for the first page.

    Yields
    ------
    dict
        Values by column.
    """
    cursor = None
    while True:
        page = fetch_page(cursor)
        yield from list_rows(page)
        cursor = page.get("next")
        if cursor is None:
            return


def list_rows(page: TablePage) -> list[TableRow]:
    """Return the rows of one page of a table as dicts."""
    return [cast(TableRow, dict(zip(page["columns"], row, strict=True))) for row in page["rows"]]


def make_frame(rows: Sequence[TableRow], index: Literal["id", "number"]) -> "pandas.DataFrame":
    """Return runs as a data frame.

    Parameters
    ----------
    rows : sequence of dict
        Rows of `RunService.get_table` or `SweepService.get_points`.
    index : str
        The column that becomes the index: ``id`` or ``number``.

    Returns
    -------
    pandas.DataFrame
        ``run`` unless that is the index, ``state``, ``created``, ``started``, ``finished`` (UTC),
        ``duration`` (seconds), one column per argument and one per metric (``metric.<name>`` if an
        argument has the same name), and ``message``. Missing values are NaN or None; columns of numbers
        have a numeric dtype.

    Raises
    ------
    ImportError
        pandas is not installed.
    """
    import pandas

    names = {name for row in rows for name in row["arguments"]}
    records = [
        {
            **({} if index == "id" else {"run": row["id"]}),
            "state": row["state"],
            "created": row["createdAt"],
            "started": row["startedAt"],
            "finished": row["finishedAt"],
            "duration": None,
            **row["arguments"],
            **{f"metric.{key}" if key in names else key: each for key, each in row["metrics"].items()},
        }
        for row in rows
    ]
    label = "run" if index == "id" else index
    frame = pandas.DataFrame(records, index=pandas.Index([row.get(index) for row in rows], name=label))
    if frame.empty:
        return frame
    for column in TIMES:
        frame[column] = pandas.to_datetime(frame[column], utc=True, format="ISO8601")
    frame["duration"] = (frame["finished"] - frame["started"]).dt.total_seconds()
    for name in frame.columns.difference(["run", "state", "duration", *TIMES]):
        frame[name] = _to_numeric(frame[name])
    return frame.assign(message=[row["message"] for row in rows])


def _to_numeric(column: Any) -> Any:
    """Return a column as numbers if all of its values are numbers, including "NaN" and "Infinity"."""
    import pandas

    special = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
    converted = column.map(lambda cell: special.get(cell, cell) if isinstance(cell, str) else cell)
    is_number = converted.map(
        lambda cell: cell is None or (isinstance(cell, (int, float)) and not isinstance(cell, bool))
    )
    return pandas.to_numeric(converted) if is_number.all() else column.infer_objects()
