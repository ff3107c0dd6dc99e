"""The runs of a group as a table, thousands of them."""

import os
from typing import TYPE_CHECKING, Any

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.dataframes import make_frame, read_rows
from runwidgets.client.run import Run
from runwidgets.client.submit import default_group, open_workflow
from runwidgets.errors import RunWidgetsError
from runwidgets.report import LEFT, LONGEST, escape, value_text
from runwidgets.service.contracts.runs import Api
from runwidgets.widgets.view import View

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
        What is shown, in this order, such as ``["state", "argument:lr", "metric:loss"]``; empty for what
        tells runs apart.
    widths : dict of str to float
        Width in pixels of each column that was made wider or narrower than its cells.
    order_by : str
        What the rows are sorted by, such as ``"metric:loss:asc"`` or ``"argument:lr:desc"``; empty for the
        newest first.
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

    _bundle = "table"
    group_id = traitlets.Unicode(help="Id of the group whose runs are shown.").tag(sync=True)
    selected = traitlets.List(traitlets.Unicode(), help="Ids of the selected runs.").tag(sync=True)
    filter = traitlets.Unicode(help="What a run must fulfil to be shown.").tag(sync=True)
    columns = traitlets.List(traitlets.Unicode(), help="What is shown of each run.").tag(sync=True)
    widths = traitlets.Dict(
        key_trait=traitlets.Unicode(), value_trait=traitlets.Float(), help="Widths of columns in pixels."
    ).tag(sync=True)
    order_by = traitlets.Unicode(help="The column that the rows are sorted by.").tag(sync=True)
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
        service = api or connect()
        workflow = open_workflow(service, source)
        self._name = workflow["name"]
        super().__init__(service, group_id=group or default_group(workflow), filter=filter, **options)

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
        return make_frame(self._rows(), "id")

    def __repr__(self) -> str:
        return f"RunTable({self._name!r})"

    def _rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the rows of the table, or only the newest."""
        if limit is not None:
            page = self._api.runs.get_table(self.group_id, limit=limit)
            return [dict(zip(page["columns"], row, strict=True)) for row in page["rows"]]
        return list(read_rows(lambda before: self._api.runs.get_table(self.group_id, before=before)))

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
