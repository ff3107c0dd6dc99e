"""Runs as a pandas data frame."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from runwidgets.client.extras import importing
from runwidgets.client.metrics import read_metrics
from runwidgets.record import read_value
from runwidgets.schema import Leaderboard, TablePage, TableRow
from runwidgets.templates.scalars import untag_floats

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
    """Return the rows of one page as dicts; NaN and infinity are floats where their type is known."""
    rows = [cast(TableRow, dict(zip(page["columns"], row, strict=True))) for row in page["rows"]]
    for row in rows:
        row["metrics"] = read_metrics(row["metrics"])
        row["arguments"] = {name: untag_floats(value) for name, value in row["arguments"].items()}
    return rows


def make_frame(
    rows: Sequence[TableRow], index: Literal["id", "number"], reserved: Iterable[str] = ()
) -> "pandas.DataFrame":
    """Return runs as a data frame.

    Parameters
    ----------
    rows : sequence of dict
        Rows of `RunService.get_table` or `SweepService.get_points`.
    index : str
        The column that becomes the index: ``id`` or ``number``.
    reserved : iterable of str
        Names of columns that the caller adds.

    Returns
    -------
    pandas.DataFrame
        ``run`` unless that is the index, ``state``, ``created``, ``started``, ``finished`` (UTC),
        ``duration`` (seconds), one column per argument (``parameter.<name>`` if another column or the
        index has the same name) and one per metric (``metric.<name>`` likewise), and ``message``. Missing
        values are NaN or None; columns of numbers have a numeric dtype.

    Raises
    ------
    ImportError
        pandas is not installed.
    """
    with importing("pandas"):
        import pandas

    label = "run" if index == "id" else index
    own = [label, "run", "state", *TIMES, "duration", "message", *reserved]
    parameters, metrics = _name_columns(
        own,
        dict.fromkeys(name for row in rows for name in row["arguments"]),
        dict.fromkeys(name for row in rows for name in row["metrics"]),
    )
    records = [
        {
            **({} if index == "id" else {"run": row["id"]}),
            "state": row["state"],
            "created": row["createdAt"],
            "started": row["startedAt"],
            "finished": row["finishedAt"],
            "duration": None,
            **{parameters[name]: value for name, value in row["arguments"].items()},
            **{metrics[name]: value for name, value in row["metrics"].items()},
        }
        for row in rows
    ]
    frame = pandas.DataFrame(records, index=pandas.Index([row.get(index) for row in rows], name=label))
    if frame.empty:
        return frame
    frame = _convert_columns(frame, [*parameters.values(), *metrics.values()])
    return frame.assign(message=[row["message"] for row in rows])


def make_ranking_frame(board: Leaderboard) -> "pandas.DataFrame":
    """Return a leaderboard as a data frame; see `runwidgets.leaderboard`.

    Parameters
    ----------
    board : dict
        The response of `WorkflowService.get_leaderboard`.

    Raises
    ------
    ImportError
        pandas is not installed.
    """
    with importing("pandas"):
        import pandas

    own = ["group", "run", *TIMES, "duration"]
    parameters, metrics = _name_columns(
        own,
        dict.fromkeys(name for each in board["ranking"] for name in each["run"]["values"]),
        dict.fromkeys(each["name"] for each in board["schema"]),
    )
    records = [
        {
            "group": each["group"]["name"],
            "run": each["run"]["id"],
            "created": each["run"]["createdAt"],
            "started": each["run"]["startedAt"],
            "finished": each["run"]["finishedAt"],
            **{parameters[name]: untag_floats(value) for name, value in each["run"]["values"].items()},
            **{metrics[result["name"]]: read_value(result["value"]) for result in each["results"]},
        }
        for each in board["ranking"]
    ]
    names = [*parameters.values(), *metrics.values()]
    return _convert_columns(pandas.DataFrame(records, columns=[*own, *names]), names)


def _name_columns(
    own: Iterable[str], parameters: Iterable[str], metrics: Iterable[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the columns of parameters and of metrics; no two columns of a frame have one name."""
    taken = set(own)
    columns: list[dict[str, str]] = []
    for kind, names in (("parameter", list(parameters)), ("metric", list(metrics))):
        labels = {name: name for name in names if name not in taken}
        for name in names:
            if name not in labels:
                label = f"{kind}.{name}"
                while label in taken or label in labels.values():
                    label = f"{kind}.{label}"
                labels[name] = label
        taken.update(labels.values())
        columns.append(labels)
    return columns[0], columns[1]


def _convert_columns(frame: "pandas.DataFrame", names: Iterable[str]) -> "pandas.DataFrame":
    """Return a frame with times, durations and, in some columns, numbers."""
    import pandas

    for column in TIMES:
        frame[column] = pandas.to_datetime(frame[column], utc=True, format="ISO8601")
    frame["duration"] = (frame["finished"] - frame["started"]).dt.total_seconds()
    for name in names:
        frame[name] = _to_numeric(frame[name])
    return frame


def _to_numeric(column: Any) -> Any:
    """Return a column as numbers if all of its values are numbers, including "NaN" and "Infinity"."""
    import pandas

    special = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
    converted = column.map(lambda cell: special.get(cell, cell) if isinstance(cell, str) else cell)
    is_number = converted.map(
        lambda cell: cell is None or (isinstance(cell, (int, float)) and not isinstance(cell, bool))
    )
    return pandas.to_numeric(converted) if is_number.all() else column.infer_objects()
