"""A browser of workflows, with their forms, runs and results."""

import html
import os

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.run import Run
from runwidgets.client.submit import default_group, open_workflow
from runwidgets.errors import RunWidgetsError
from runwidgets.service.contracts.api import Api
from runwidgets.widgets.view import View


class RunBrowser(View):
    """All workflows: choose one or add a notebook, start runs, watch them, look at their results.

    It also makes a page for Voilà: a notebook whose only cell is ``rw.RunBrowser()``.

    Parameters
    ----------
    source : str or path, optional
        Path of a notebook or id of the workflow that is selected first; None for none.
    api : Api, optional
        None for the result of `connect`.

    Attributes
    ----------
    workflow_id : str
        The selected workflow; empty for none. Can be set and observed.
    group_id : str
        The group of that workflow whose runs are shown. Can be set and observed.
    run_id : str
        The run that is open; empty while the table of runs is shown. Can be observed and set; setting it
        also selects the workflow of the run.
    selected : list of str
        Ids of the runs that are selected in the table; can be set and observed.

    Raises
    ------
    InvalidTemplateError
        The notebook cannot be read as a template.
    UnknownWorkflowError
        There is no such workflow.

    Examples
    --------
    >>> rw.RunBrowser()  # doctest: +SKIP
    """

    _bundle = "browser"
    workflow_id = traitlets.Unicode(help="Id of the selected workflow.").tag(sync=True)
    group_id = traitlets.Unicode(help="Id of the group whose runs are shown.").tag(sync=True)
    run_id = traitlets.Unicode(help="Id of the run that is open.").tag(sync=True)
    selected = traitlets.List(traitlets.Unicode(), help="Ids of the selected runs.").tag(sync=True)

    def __init__(
        self, source: str | os.PathLike[str] | None = None, *, api: Api | None = None, **options: object
    ) -> None:
        service = api or connect()
        if source is not None:
            workflow = open_workflow(service, source)
            options = {"workflow_id": workflow["id"], "group_id": default_group(workflow), **options}
        super().__init__(service, **options)

    @property
    def run(self) -> Run | None:
        """The run that is open, or None."""
        return Run(self._api, self.run_id) if self.run_id else None

    @property
    def value(self) -> list[Run]:
        """The selected runs."""
        return [Run(self._api, run_id) for run_id in self.selected]

    def __repr__(self) -> str:
        return f"RunBrowser({self.workflow_id!r})" if self.workflow_id else "RunBrowser()"

    def _static_html(self) -> str:
        try:
            workflows = self._api.workflows.list_workflows()["workflows"]
        except RunWidgetsError:
            return super()._static_html()
        lines = [
            (each["name"], each.get("description", ""), each.get("lastRunAt", "")[:19].replace("T", " "))
            for each in workflows
        ]
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in line)}</tr>" for line in lines
        )
        head = "<tr><th>workflow</th><th>description</th><th>last run</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
