"""The form of a workflow."""

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import Any, cast

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.run import Run
from runwidgets.client.submit import default_group, open_workflow
from runwidgets.client.sweep import Sweep
from runwidgets.errors import InvalidArgumentError, UnknownParameterError
from runwidgets.limits import Limits
from runwidgets.report import ENTRY_LENGTH, escape, rows_html, value_text
from runwidgets.schema import JsonValue, SweepConfig
from runwidgets.service.contracts.api import Api
from runwidgets.spaces.distributions import list_values
from runwidgets.spaces.space import grid
from runwidgets.templates.arguments import coerce_mapping
from runwidgets.templates.casts import CastError, cast_value
from runwidgets.templates.parameters import Parameter, parse_parameters
from runwidgets.templates.texts import shorten
from runwidgets.widgets.view import View


class RunForm(View):
    """A field per parameter, with its problem beside it, and a button that starts the run.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    api : Api, optional
        None for the result of `connect`.
    group : str, optional
        Id of the group of the runs; None for the default group of the workflow.
    arguments : mapping of str to Any, or Run, optional
        Initial values, or an earlier run whose arguments are the initial values; without secret values.
    submit_on_enter : bool, optional
        Whether Enter in a text field starts the run; Ctrl+Enter always starts it.
    several : mapping of str to iterable, optional
        Initial lists of values for parameters that take several values; the form then starts a sweep.
    config : dict, optional
        Initial settings of the runs: ``timeout``, ``retries`` and so on, which are under *Options*.
    read_only : bool, optional
        Whether the form can only be read.

    Attributes
    ----------
    arguments : dict
        The values that differ from the defaults, as typed; set it to fill the form. Of Python's own types,
        dates, paths, ranges and NumPy's numbers are accepted. Secret values are never included.
    several : dict of list
        The values of parameters that are switched to several values; set it to switch them. The form starts
        a run for every combination of them.
    config : dict
        The settings of the runs that were given, as in `RunService.start_run`; set it to fill the form.
    errors : dict
        What is wrong, by parameter; empty if the run can be started. It can be observed, not set.
    run_id, sweep_id : str
        The run or sweep that was started last; empty before the first start.

    Raises
    ------
    InvalidTemplateError
        The notebook cannot be read as a template.
    UnknownWorkflowError
        There is no such workflow.
    UnknownParameterError
        `arguments` or `several` names an unknown parameter; setting the trait raises it as well.
    InvalidArgumentError
        A parameter in `several` is secret, has a value without a JSON form, or has no values; setting the
        trait raises it as well.

    Examples
    --------
    >>> rw.RunForm("train.ipynb", arguments={"epochs": 3})  # doctest: +SKIP
    >>> rw.RunForm("train.ipynb", several={"rate": rw.geomspace(1e-4, 1e-1, 4)})  # doctest: +SKIP
    """

    _bundle = "form"
    workflow_id = traitlets.Unicode(help="Id of the workflow.").tag(sync=True)
    group_id = traitlets.Unicode(help="Id of the group of the runs.").tag(sync=True)
    source = traitlets.Unicode(help="The notebook or workflow that a copied call names.").tag(sync=True)
    arguments = traitlets.Dict(help="The values that differ from the defaults.").tag(sync=True)
    several = traitlets.Dict(help="The values of parameters that have several.").tag(sync=True)
    config = traitlets.Dict(help="The settings of the runs that were given.").tag(sync=True)
    problems = traitlets.Dict(help="What the fields report as wrong, by parameter.").tag(sync=True)
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
        arguments: Mapping[str, object] | Run | None = None,
        several: Mapping[str, Iterable[object]] | None = None,
        **options: object,
    ) -> None:
        service = api or connect()
        workflow = open_workflow(service, source)
        self._name = workflow["name"]
        self._declared = {each["name"]: each for each in workflow["parameters"]}
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
        self._update_errors()

    def _is_secret(self, name: str) -> bool:
        return name in self._parameters and self._parameters[name].secret

    @traitlets.validate("arguments")
    def _check_arguments(self, proposal: Any) -> dict[str, JsonValue]:
        values: dict[str, JsonValue] = proposal["value"]
        self._check_names(values)
        return {each["name"]: each["value"] for each in coerce_mapping(values, self._declared)}

    @traitlets.validate("several")
    def _check_several(self, proposal: Any) -> dict[str, list[JsonValue]]:
        values: dict[str, object] = proposal["value"]
        self._check_names(values)
        return {name: self._plain_values(name, items) for name, items in values.items()}

    def _plain_values(self, name: str, values: object) -> list[JsonValue]:
        """Return several values of a parameter in their JSON form."""
        listed = list_values(name, values)
        return [coerce_mapping({name: each}, self._declared)[0]["value"] for each in listed]

    def _check_names(self, values: Mapping[str, object]) -> None:
        for name in values:
            if name not in self._parameters:
                problem, remedy = _unknown_parameter(str(name), self._parameters)
                raise UnknownParameterError(shorten(str(name)), problem, remedy)
            if self._is_secret(name):
                remedy = "type it into the form or pass it to submit(): traits are saved in notebooks"
                raise InvalidArgumentError(name, "it is secret", remedy)

    @traitlets.observe("arguments", "several", "problems")
    def _update_errors(self, _: Any = None) -> None:
        """Combine the problems that the service's rules find with those that only the fields can detect."""
        problems: dict[str, str] = {}
        for parameter in self._parameters.values():
            problem = _find_problem(parameter, self.arguments, self.several)
            if problem is not None and not parameter.secret:
                problems[parameter.name] = problem
        self.set_trait("errors", {**problems, **self.problems})

    @property
    def run(self) -> Run | None:
        """The run that was started last, or None."""
        return Run(self._api, self.run_id) if self.run_id else None

    @property
    def sweep(self) -> Sweep | None:
        """The sweep that was started last; None before that, and after a run was started."""
        return Sweep(self._api, self.sweep_id) if self.sweep_id else None

    def submit(self, secrets: Mapping[str, object] | None = None) -> Run | Sweep:
        """Start a run or sweep with the values of the form, from Python.

        Parameters
        ----------
        secrets : mapping of str to Any, optional
            Values of secret parameters, which the form does not contain.

        Returns
        -------
        Run or Sweep
            A sweep if `several` has values.

        Raises
        ------
        ConstraintViolationError
            An argument is invalid; see `RunService.start_run` and `SweepService.start_sweep`.
        """
        fixed = {**self.arguments, **(secrets or {})}
        if self.several:
            points = [coerce_mapping({**fixed, **point}, self._declared) for point in grid(**self.several)]
            sweep = Sweep(
                self._api, self._api.sweeps.start_sweep(self.group_id, points, self._given_config())
            )
            self.run_id = ""
            self.sweep_id = sweep.id
            return sweep
        arguments = coerce_mapping(fixed, self._declared)
        run = Run(self._api, self._api.runs.start_run(self.group_id, arguments, self._given_config()))
        self.sweep_id = ""
        self.run_id = run.id
        return run

    def _given_config(self) -> SweepConfig | None:
        return cast(SweepConfig, self.config) if self.config else None

    def __repr__(self) -> str:
        return f"RunForm({self._name!r})"

    def _static_html(self) -> str:
        rows = {each.label or each.name: self._value_html(each) for each in self._parameters.values()}
        return rows_html(f"<strong>Form</strong> {escape(self._name)}", rows)

    def _value_html(self, parameter: Parameter) -> str:
        """Return the value of a parameter's field, as HTML."""
        if parameter.name in self.several:
            return escape(", ".join(value_text(each) for each in self.several[parameter.name]), ENTRY_LENGTH)
        if parameter.name in self.arguments:
            return escape(value_text(self.arguments[parameter.name]), ENTRY_LENGTH)
        if parameter.is_required:
            return "(required)"
        return (
            ""
            if parameter.default is None
            else f"{escape(value_text(parameter.default), ENTRY_LENGTH)} (default)"
        )


def _unknown_parameter(name: str, parameters: Mapping[str, Parameter]) -> tuple[str, str]:
    """Return the problem with an unknown name, and the remedy."""
    near = difflib.get_close_matches(name, parameters, 1)
    known = f"there are {', '.join(parameters)}" if parameters else "the template has no parameters"
    return "there is no such parameter", f"did you mean '{near[0]}'? {known}" if near else known


def _find_problem(
    parameter: Parameter, arguments: Mapping[str, JsonValue], several: Mapping[str, list[JsonValue]]
) -> str | None:
    """Return what is wrong with the value of a parameter, or with the first invalid one of several."""
    name = parameter.name
    if name in several:
        problems = (_find_value_problem(parameter, value) for value in several[name])
        return next((f"item {index}: {each}" for index, each in enumerate(problems, 1) if each), None)
    if name not in arguments:
        return "no value was given" if parameter.is_required else None
    return _find_value_problem(parameter, arguments[name])


def _find_value_problem(parameter: Parameter, value: JsonValue) -> str | None:
    try:
        cast_value(parameter, value, Limits())
    except CastError as error:
        return f"{error.where}: {error.problem}" if error.where else error.problem
    return None
