"""The form of a workflow."""

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.run import Run
from runwidgets.client.submit import default_group, open_workflow
from runwidgets.client.sweep import Sweep
from runwidgets.errors import InvalidArgumentError, UnknownParameterError
from runwidgets.report import LONGEST, escape, rows_html, value_text
from runwidgets.service.contracts.runs import Api
from runwidgets.spaces.distributions import list_values
from runwidgets.spaces.space import grid
from runwidgets.templates.parameters import Parameter, cast, coerce_mapping, parse_parameters
from runwidgets.templates.texts import shorten
from runwidgets.widgets.view import View


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
    arguments : mapping of str to Any, or Run, optional
        Values to begin with, or an earlier run whose arguments they are; secrets are not among them.
    submit_on_enter : bool, optional
        Whether Enter in a text field starts the run; Ctrl+Enter always does.
    several : mapping of str to iterable, optional
        Parameters that have several values to begin with, and these; the form then starts a sweep.
    read_only : bool, optional
        Whether the form only shows what it holds.

    Attributes
    ----------
    arguments : dict
        What differs from the defaults, as typed; set it to fill the form. Of Python's own values dates,
        paths, ranges and NumPy's numbers may be given. Secrets never are in it.
    several : dict of list
        The values of parameters that are switched to several; set it to switch them. Every combination of
        them is a run.
    errors : dict
        What is wrong, by parameter; empty where the run can start. It can be observed, not set.
    run_id, sweep_id : str
        The run or sweep that was started last; empty before.

    Raises
    ------
    InvalidTemplateError
        The notebook cannot be read as a template.
    UnknownWorkflowError
        There is no such workflow.
    UnknownParameterError
        `arguments` or `several` names what the template does not have; so does setting the trait.
    InvalidArgumentError
        One of them has a secret, a value without a JSON form, or no values; so does setting the trait.

    Examples
    --------
    >>> rw.RunForm("train.ipynb", arguments={"epochs": 3})  # doctest: +SKIP
    >>> rw.RunForm("train.ipynb", several={"rate": rw.geomspace(1e-4, 1e-1, 4)})  # doctest: +SKIP
    """

    _bundle = "form"
    workflow_id = traitlets.Unicode(help="Id of the workflow.").tag(sync=True)
    group_id = traitlets.Unicode(help="Id of the group of the runs.").tag(sync=True)
    source = traitlets.Unicode(help="What the code of a copied call names.").tag(sync=True)
    arguments = traitlets.Dict(help="What differs from the defaults.").tag(sync=True)
    several = traitlets.Dict(help="The values of parameters that have several.").tag(sync=True)
    problems = traitlets.Dict(help="What the fields found wrong, by parameter.").tag(sync=True)
    errors = traitlets.Dict(help="What is wrong, by parameter.", read_only=True)
    run_id = traitlets.Unicode(help="Id of the run that was started last.").tag(sync=True)
    sweep_id = traitlets.Unicode(help="Id of the sweep that was started last.").tag(sync=True)
    submit_on_enter = traitlets.Bool(False, help="Whether Enter starts the run.").tag(sync=True)
    read_only = traitlets.Bool(False, help="Whether nothing can be changed or started.").tag(sync=True)

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        api: Api | None = None,
        group: str | None = None,
        arguments: Mapping[str, Any] | Run | None = None,
        several: Mapping[str, Iterable[Any]] | None = None,
        **options: Any,
    ) -> None:
        service = api or connect()
        workflow = open_workflow(service, source)
        self._name = workflow["name"]
        self._parameters = {each.name: each for each in parse_parameters(workflow["parameters"])}
        if isinstance(arguments, Run):
            arguments = {
                name: value for name, value in arguments.arguments.items() if not self._is_secret(name)
            }
        super().__init__(
            service,
            workflow_id=workflow["id"],
            group_id=group or default_group(workflow),
            source=os.fspath(source),
            arguments=dict(arguments or {}),
            several=dict(several or {}),
            **options,
        )
        self._judge()

    def _is_secret(self, name: str) -> bool:
        return name in self._parameters and self._parameters[name].secret

    @traitlets.validate("arguments")
    def _check_arguments(self, proposal: Any) -> dict[str, Any]:
        given: dict[str, Any] = proposal["value"]
        self._check_names(given)
        return {each["name"]: each["value"] for each in coerce_mapping(given)}

    @traitlets.validate("several")
    def _check_several(self, proposal: Any) -> dict[str, list[Any]]:
        given: dict[str, Any] = proposal["value"]
        self._check_names(given)
        return {name: _plain_values(name, values) for name, values in given.items()}

    def _check_names(self, given: Mapping[str, Any]) -> None:
        for name in given:
            if name not in self._parameters:
                raise UnknownParameterError(shorten(str(name)), *_no_such(str(name), self._parameters))
            if self._is_secret(name):
                remedy = "type it in or give it to submit(): traits are saved in notebooks"
                raise InvalidArgumentError(name, "it is secret", remedy)

    @traitlets.observe("arguments", "several", "problems")
    def _judge(self, _: Any = None) -> None:
        """Say what is wrong by the service's own rules, and what only the fields can know."""
        found: dict[str, str] = {}
        for parameter in self._parameters.values():
            problem = _problem(parameter, self.arguments, self.several)
            if problem is not None and not parameter.secret:
                found[parameter.name] = problem
        self.set_trait("errors", {**found, **self.problems})

    @property
    def run(self) -> Run | None:
        """The run that was started last; None before."""
        return Run(self._api, self.run_id) if self.run_id else None

    @property
    def sweep(self) -> Sweep | None:
        """The sweep that was started last; None before, and after a run was started."""
        return Sweep(self._api, self.sweep_id) if self.sweep_id else None

    def submit(self, secrets: Mapping[str, Any] | None = None) -> Run | Sweep:
        """Start what the form holds, from Python.

        Parameters
        ----------
        secrets : mapping of str to Any, optional
            Values of secret parameters, which the form does not tell.

        Returns
        -------
        Run or Sweep
            The live handle: of a sweep where `several` has values.

        Raises
        ------
        ConstraintViolationError
            An argument is wrong; see `RunService.start_run` and `SweepService.start_sweep`.
        """
        fixed = {**self.arguments, **(secrets or {})}
        if self.several:
            points = [coerce_mapping({**fixed, **point}) for point in grid(**self.several)]
            sweep = Sweep(self._api, self._api.sweeps.start_sweep(self.group_id, points))
            self.run_id = ""
            self.sweep_id = sweep.id
            return sweep
        given = coerce_mapping(fixed)
        run = Run(self._api, self._api.runs.start_run(self.group_id, given))
        self.sweep_id = ""
        self.run_id = run.id
        return run

    def __repr__(self) -> str:
        return f"RunForm({self._name!r})"

    def _static_html(self) -> str:
        rows = {each.label or each.name: self._said(each) for each in self._parameters.values()}
        return rows_html(f"<strong>Form</strong> {escape(self._name)}", rows)

    def _said(self, parameter: Parameter) -> str:
        """Return what a parameter's field would hold, as HTML."""
        if parameter.name in self.several:
            return escape(", ".join(value_text(each) for each in self.several[parameter.name]), LONGEST)
        if parameter.name in self.arguments:
            return escape(value_text(self.arguments[parameter.name]), LONGEST)
        if parameter.is_required:
            return "(required)"
        return (
            "" if parameter.default is None else f"{escape(value_text(parameter.default), LONGEST)} (default)"
        )


def _no_such(name: str, parameters: Mapping[str, Parameter]) -> tuple[str, str]:
    """Return what is wrong with an unknown name, and what would be right."""
    near = difflib.get_close_matches(name, parameters, 1)
    known = f"there are {', '.join(parameters)}" if parameters else "the template takes none"
    return "there is no such parameter", f"did you mean '{near[0]}'? {known}" if near else known


def _plain_values(name: str, values: Any) -> list[Any]:
    """Return several values of a parameter in their JSON forms."""
    return [coerce_mapping({name: each})[0]["value"] for each in list_values(name, values)]


def _problem(parameter: Parameter, given: Mapping[str, Any], several: Mapping[str, list[Any]]) -> str | None:
    """Say what is wrong with the value of a parameter, or with the first of several."""
    name = parameter.name
    if name in several:
        problems = (_fault(parameter, value) for value in several[name])
        return next((f"item {at}: {each}" for at, each in enumerate(problems, 1) if each), None)
    if name not in given:
        return "no value was given" if parameter.is_required else None
    return _fault(parameter, given[name])


def _fault(parameter: Parameter, value: Any) -> str | None:
    try:
        cast(parameter, value)
    except InvalidArgumentError as error:
        where = error.subject.removeprefix(parameter.name)
        return f"{where}: {error.problem}" if where else error.problem
    return None
