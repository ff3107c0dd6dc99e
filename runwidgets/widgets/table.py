"""The runs of a group as a table, which may have thousands of rows."""

import os
from typing import TYPE_CHECKING

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.dataframes import list_rows, make_frame, read_rows
from runwidgets.client.run import Run
from runwidgets.client.submit import default_group, open_workflow
from runwidgets.errors import RunWidgetsError
from runwidgets.report import CELL_STYLE, ENTRY_LENGTH, escape, value_text
from runwidgets.schema import TableRow
from runwidgets.service.contracts.api import Api
from runwidgets.widgets.view import View

if TYPE_CHECKING:
    import pandas

STATIC_ROWS = 20
"""Rows of the static representation."""


class RunTable(View):
    """A live table of runs: filter, sort and select them; compare, cancel and delete many at once.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    api : Api, optional
        None for the result of `connect`.
    group : str, optional
        Id of the group whose runs are shown; None for the default group of the workflow.
    filter : str, optional
        The initial filter, such as ``"state:failed lr>0.01"``.

    Attributes
    ----------
    selected : list of str
        Ids of the runs that are selected; can be set and observed.
    filter : str
        Conditions that a run must meet: ``state:failed``, ``lr>0.01``, ``model=tree``, ``model:tre``, or any
        text that occurs in the row. Can be set and observed.
    columns : list of str
        The columns, in order, such as ``["state", "argument:lr", "metric:loss"]``; empty for the columns in
        which runs differ.
    widths : dict of str to float
        Width in pixels of each column whose width was changed.
    order_by : str
        The sort key, such as ``"metric:loss:asc"`` or ``"argument:lr:desc"``; empty for newest first.
    run_id : str
        The run that was opened last; empty before the first.

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
    filter = traitlets.Unicode(help="Conditions that a run must meet to be shown.").tag(sync=True)
    columns = traitlets.List(traitlets.Unicode(), help="The columns that are shown.").tag(sync=True)
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
        **options: object,
    ) -> None:
        service = api or connect()
        workflow = open_workflow(service, source)
        self._name = workflow["name"]
        super().__init__(service, group_id=group or default_group(workflow), filter=filter, **options)

    @property
    def value(self) -> list[Run]:
        """The selected runs."""
        return [Run(self._api, run_id) for run_id in self.selected]

    def to_frame(self) -> "pandas.DataFrame":
        """Return all runs of the group, newest first, regardless of the filter.

        Returns
        -------
        pandas.DataFrame
            Indexed by the id of the run; columns ``state``, ``created``, ``started``, ``finished`` (UTC),
            ``duration`` (seconds), one per argument (``parameter.<name>`` if another column or the
            index has the same name) and one per metric (``metric.<name>`` likewise), and ``message``.
            Missing values are NaN or None; columns of numbers have a numeric dtype.

        Raises
        ------
        ImportError
            pandas is not installed.
        UnauthorizedAccessError
            The user may not read the group.
        """
        return make_frame(self._rows(), "id")

    def __repr__(self) -> str:
        return f"RunTable({self._name!r})"

    def _rows(self, limit: int | None = None) -> list[TableRow]:
        """Return the rows of the table, or only the newest ones."""
        if limit is not None:
            page = self._api.runs.get_table(self.group_id, limit=limit)
            return list_rows(page)
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
            f'<th style="{CELL_STYLE}">{name}</th>'
            for name in ("run", "state", "created", "arguments", "metrics")
        )
        body = "".join(
            "<tr>"
            + "".join(f'<td style="{CELL_STYLE}">{escape(text, 5 * ENTRY_LENGTH)}</td>' for text in line)
            + "</tr>"
            for line in cells
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
