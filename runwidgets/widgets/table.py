"""The runs of a group as a table, thousands of them."""

import os
from typing import TYPE_CHECKING, Any

import traitlets

from runwidgets.client import connect, default_group, open_workflow
from runwidgets.errors import RunWidgetsError
from runwidgets.handles import Run
from runwidgets.report import LEFT, LONGEST, escape, value_text
from runwidgets.service.base import Api
from runwidgets.widgets.view import View, read_static

if TYPE_CHECKING:
    import pandas

STATIC_ROWS = 20
"""Runs that are shown where nothing is live."""


class RunTable(View):
    """Runs, live: filtered, sorted and chosen; compared side by side; cancelled and deleted, many at once.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    api : Api, optional
        None for what `connect` finds.
    group : str, optional
        Id of the group whose runs are shown; None for the workflow's default one.
    filter : str, optional
        What the filter says at the beginning, such as ``"state:failed lr>0.01"``.

    Attributes
    ----------
    selected : list of str
        Ids of the runs that are selected; can be set and observed.
    filter : str
        Words that a run must fulfil: ``state:failed``, ``lr>0.01``, ``model=tree``, ``model:tre``, or any
        text that occurs in it. Can be set and observed.
    columns : list of str
        What is shown, such as ``["state", "argument:lr", "metric:loss"]``; empty for what tells runs apart.
    run_id : str
        The run that was opened last; empty before.

    Raises
    ------
    InvalidTemplateError
        The notebook cannot be read as a template.
    UnknownWorkflowError
        There is no such workflow.

    Examples
    --------
    >>> rw.RunTable("train.ipynb", filter="state:succeeded")  # doctest: +SKIP
    """

    _css = traitlets.Unicode().tag(sync=True)
    group_id = traitlets.Unicode(help="Id of the group whose runs are shown.").tag(sync=True)
    selected = traitlets.List(traitlets.Unicode(), help="Ids of the selected runs.").tag(sync=True)
    filter = traitlets.Unicode(help="What a run must fulfil to be shown.").tag(sync=True)
    columns = traitlets.List(traitlets.Unicode(), help="What is shown of each run.").tag(sync=True)
    run_id = traitlets.Unicode(help="Id of the run that was opened last.").tag(sync=True)

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        api: Api | None = None,
        group: str | None = None,
        filter: str = "",
        **options: Any,
    ) -> None:
        self._api = api or connect()
        workflow = open_workflow(self._api, source)
        self._name = workflow["name"]
        self._esm = read_static("table.js")
        super().__init__(
            group_id=group or default_group(workflow),
            filter=filter,
            is_served=self._api.url is not None,
            _css=read_static("style.css"),
            **options,
        )

    @property
    def value(self) -> list[Run]:
        """The selected runs, as handles."""
        return [Run(self._api, run_id) for run_id in self.selected]

    def to_frame(self) -> "pandas.DataFrame":
        """Return all runs of the group, newest first, whatever the filter says.

        Returns
        -------
        pandas.DataFrame
            Indexed by the run's id; columns ``state``, ``created``, ``started``, ``finished`` (UTC),
            ``duration`` (seconds), one per argument and one per metric (``metric.<name>`` where an argument
            has that name), and ``message``. Missing values are missing; numbers are numbers.

        Raises
        ------
        ImportError
            pandas is not installed.
        UnauthorizedAccessError
            The group may not be read.
        """
        import pandas

        rows = self._rows()
        names = {name for row in rows for name in row["arguments"]}
        records = [
            {
                "state": row["state"],
                **{part: row[f"{part}At"] for part in ("created", "started", "finished")},
                **row["arguments"],
                **{f"metric.{key}" if key in names else key: each for key, each in row["metrics"].items()},
                "message": row["message"],
            }
            for row in rows
        ]
        frame = pandas.DataFrame(records, index=pandas.Index([row["id"] for row in rows], name="run"))
        if frame.empty:
            return frame
        for part in ("created", "started", "finished"):
            frame[part] = pandas.to_datetime(frame[part], utc=True, format="ISO8601")
        frame.insert(4, "duration", (frame["finished"] - frame["started"]).dt.total_seconds())
        message = frame.pop("message")
        return frame.assign(message=message).infer_objects()

    def __repr__(self) -> str:
        return f"RunTable({self._name!r})"

    def _rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the rows of the table, or only the newest."""
        rows: list[dict[str, Any]] = []
        before = None
        while True:
            page = self._api.runs.get_table(self.group_id, before=before, limit=limit)
            rows += [dict(zip(page["columns"], row, strict=True)) for row in page["rows"]]
            before = page.get("next")
            if before is None or limit is not None:
                return rows

    def _static_html(self) -> str:
        try:
            rows = self._rows(STATIC_ROWS)
        except RunWidgetsError:
            return super()._static_html()
        cells = [
            [
                row["id"][:8],
                row["state"],
                row["createdAt"][:19].replace("T", " "),
                ", ".join(f"{name} = {value_text(value)}" for name, value in row["arguments"].items()),
                ", ".join(f"{name} = {value_text(value)}" for name, value in row["metrics"].items()),
            ]
            for row in rows
        ]
        head = "".join(
            f'<th style="{LEFT}">{name}</th>' for name in ("run", "state", "created", "arguments", "metrics")
        )
        body = "".join(
            "<tr>"
            + "".join(f'<td style="{LEFT}">{escape(text, 5 * LONGEST)}</td>' for text in line)
            + "</tr>"
            for line in cells
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
