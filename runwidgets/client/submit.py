"""Submission of runs: a notebook and values become a workflow, its group, and arguments."""

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from runwidgets.errors import UnknownFileError, UnknownWorkflowGroupError
from runwidgets.schema import (
    Argument,
    Dtype,
    FileArgument,
    ParameterHandle,
    RunConfig,
    RunHandle,
    WorkflowHandle,
)
from runwidgets.service.contracts.api import Api
from runwidgets.templates.arguments import coerce_mapping


def open_workflow(api: Api, source: str | os.PathLike[str]) -> WorkflowHandle:
    """Return the handle of a workflow; the path of a notebook is registered as a workflow first.

    Parameters
    ----------
    api : Api
        The services.
    source : str or path
        Path of a notebook, or the id of a workflow.

    Returns
    -------
    dict
        The workflow handle.
    """
    text = os.fspath(source)
    if isinstance(source, os.PathLike) or text.endswith(".ipynb") or os.sep in text:
        return api.workflows.create_workflow(str(Path(text).expanduser().absolute()))
    return api.workflows.get_workflow(text)


def default_group(workflow: WorkflowHandle) -> str:
    """Return the id of the default group of a workflow.

    Parameters
    ----------
    workflow : mapping
        The workflow handle.

    Returns
    -------
    str
        The first group in which the user is a member.

    Raises
    ------
    UnknownWorkflowGroupError
        The user is a member of no group of the workflow.
    """
    for group in workflow["groups"]:
        return str(group["id"])
    raise UnknownWorkflowGroupError(
        f"workflow {workflow['id']}",
        "you are not a member of any of its groups",
        "create one with api.groups.create_group",
    )


def make_arguments(
    api: Api, group_id: str, workflow: WorkflowHandle, points: Iterable[Mapping[str, object]]
) -> list[list[Argument]]:
    """Return the arguments of each point in the form of the services, and upload each local file once.

    Parameters
    ----------
    api : Api
        The services.
    group_id : str
        The group to which files are uploaded.
    workflow : mapping
        The workflow handle.
    points : iterable of mapping
        Values by parameter.

    Returns
    -------
    list of list of dict
        As `SweepService.start_sweep` expects them.

    Raises
    ------
    InvalidArgumentError
        A value has no JSON form, or would arrive as another value.
    UnknownFileError
        There is no such local file.
    """
    parameters = {each["name"]: each for each in workflow["parameters"]}
    references: dict[str, FileArgument] = {}

    def refer(name: str, value: object) -> object:
        if isinstance(value, (list, tuple, set, frozenset)):
            return [refer(name, item) for item in value]
        if not isinstance(value, (str, os.PathLike)):
            return value
        path = os.fspath(value)
        if path not in references:
            references[path] = _upload(api, group_id, name, Path(path))
        return references[path]

    @functools.cache
    def find_all() -> dict[str, ParameterHandle]:
        return {each["name"]: each for each in api.groups.get_group(group_id)["parameters"]}

    def make(point: Mapping[str, object]) -> list[Argument]:
        known = parameters if point.keys() <= parameters.keys() else find_all()  # a group may have more
        files = {name for name in point if name in known and "file" in _dtypes(known[name])}
        values = {name: refer(name, value) if name in files else value for name, value in point.items()}
        return coerce_mapping(values, known)

    return [make(point) for point in points]


def _dtypes(parameter: ParameterHandle) -> list[Dtype]:
    """Return the dtype of a parameter, and that of its items."""
    return [parameter["dtype"], *([parameter["para"]["dtype"]] if "para" in parameter else [])]


def start_notebook_run(
    api: Api,
    source: str | os.PathLike[str],
    values: Mapping[str, object],
    group: str | None,
    config: RunConfig | None,
) -> RunHandle:
    """Start a run of a notebook; see `runwidgets.run`.

    Returns
    -------
    dict
        The run handle.
    """
    workflow = open_workflow(api, source)
    group_id = group or default_group(workflow)
    (arguments,) = make_arguments(api, group_id, workflow, [values])
    return api.runs.start_run(group_id, arguments, config)


def _upload(api: Api, group_id: str, name: str, path: Path) -> FileArgument:
    try:
        with path.expanduser().open("rb") as stream:
            uploaded = api.uploads.upload_file(group_id, stream, path.name)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UnknownFileError(name, f"there is no file {path}") from error
    return {"type": "$file", "value": {"fileId": uploaded["id"]}}
