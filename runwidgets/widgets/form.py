"""The form of a workflow."""

import os
from collections.abc import Mapping
from typing import Any

import traitlets

from runwidgets.client import connect, default_group, open_workflow
from runwidgets.errors import UnknownParameterError
from runwidgets.handles import Run
from runwidgets.service.base import Api
from runwidgets.templates.parameters import coerce_mapping
from runwidgets.widgets.view import View, read_static


class RunForm(View):
    """A field per parameter, what is wrong beside each, and a button that starts the run.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    api : Api, optional
        None for what `connect` finds.
    group : str, optional
        Id of the group of the runs; None for the workflow's default one.
    arguments : mapping of str to Any, optional
        Values to begin with; secrets are not among them.

    Attributes
    ----------
    arguments : dict
        What differs from the defaults, as typed; set it to fill the form.
    errors : dict
        What is wrong, by parameter.
    run_id : str
        The run that was started last; empty before.

    Raises
    ------
    InvalidTemplateError
        The notebook cannot be read as a template.
    UnknownWorkflowError
        There is no such workflow.
    UnknownParameterError
        `arguments` names what the template does not have.

    Examples
    --------
    >>> rw.RunForm("train.ipynb", arguments={"epochs": 3})  # doctest: +SKIP
    """

    _css = traitlets.Unicode().tag(sync=True)
    workflow_id = traitlets.Unicode(help="Id of the workflow.").tag(sync=True)
    group_id = traitlets.Unicode(help="Id of the group of the runs.").tag(sync=True)
    source = traitlets.Unicode(help="What the code of a copied call names.").tag(sync=True)
    arguments = traitlets.Dict(help="What differs from the defaults.").tag(sync=True)
    errors = traitlets.Dict(help="What is wrong, by parameter.").tag(sync=True)
    run_id = traitlets.Unicode(help="Id of the run that was started last.").tag(sync=True)

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        api: Api | None = None,
        group: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._api = api or connect()
        workflow = open_workflow(self._api, source)
        self._esm = read_static("form.js")
        self._name = workflow["name"]
        names = [each["name"] for each in workflow["parameters"]]
        for name in arguments or {}:
            if name not in names:
                raise UnknownParameterError(
                    str(name), "there is no such parameter", f"there are {', '.join(names)}"
                )
        super().__init__(
            workflow_id=workflow["id"],
            group_id=group or default_group(workflow),
            source=os.fspath(source),
            arguments={each["name"]: each["value"] for each in coerce_mapping(arguments or {})},
            is_served=self._api.url is not None,
            _css=read_static("style.css"),
            **options,
        )

    @property
    def run(self) -> Run | None:
        """The run that was started last; None before."""
        return Run(self._api, self.run_id) if self.run_id else None

    def submit(self) -> Run:
        """Start a run of what the form holds, from Python.

        Returns
        -------
        Run
            The live handle.

        Raises
        ------
        ConstraintViolationError
            An argument is wrong; see `RunService.start_run`.
        """
        given = [{"name": name, "value": value} for name, value in self.arguments.items()]
        run = Run(self._api, self._api.runs.start_run(self.group_id, given))
        self.run_id = run.id
        return run

    def __repr__(self) -> str:
        return f"RunForm({self._name!r})"
