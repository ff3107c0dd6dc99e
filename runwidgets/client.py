"""What people hold in their hands: `connect` and `run`."""

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
from jupyter_core.paths import jupyter_data_dir

from runwidgets.errors import UnknownFileError, UnknownWorkflowGroupError
from runwidgets.handles import Run
from runwidgets.service.base import Api
from runwidgets.service.remote import open_remote
from runwidgets.service.wiring import Service, open_service
from runwidgets.templates.parameters import coerce_mapping

__all__ = ["Api", "Run", "connect", "default_root", "open_workflow", "run"]

URL_VARIABLE = "RUNWIDGETS_URL"
TOKEN_VARIABLE = "RUNWIDGETS_TOKEN"
PROBE_TIMEOUT = 2.0
"""Seconds in which a server that Jupyter lists must answer to be taken."""


def default_root() -> Path:
    """Return where runs are stored when nobody says otherwise.

    Returns
    -------
    Path
        ``runwidgets/`` in Jupyter's data folder.
    """
    return Path(jupyter_data_dir()) / "runwidgets"


def connect(
    url: str | None = None, *, token: str | None = None, root: str | os.PathLike[str] | None = None
) -> Api:
    """Connect to the services.

    With no argument it is the server that this kernel belongs to; else a running Jupyter server of this
    user that has the extension; else the service is opened in this process, on the default root.

    Parameters
    ----------
    url : str, optional
        A Jupyter server, such as ``http://localhost:8888/``.
    token : str, optional
        Its token.
    root : path, optional
        Open the service in this process, on this folder.

    Returns
    -------
    Api
        The services; a context manager.

    Raises
    ------
    ServiceUnavailableError
        The server named does not answer, or the root cannot be used.
    UnauthenticatedAccessError
        The token is wrong.
    """
    if root is not None:
        return _embedded(Path(root).expanduser().resolve()).api()
    if url is not None:
        return open_remote(_routes(url), token)
    if os.environ.get(URL_VARIABLE):
        return _default(os.environ[URL_VARIABLE], os.environ.get(TOKEN_VARIABLE))
    for server_url, server_token in _running_servers():
        return _default(server_url, server_token)
    return _embedded(default_root()).api()


@lru_cache(maxsize=16)
def _default(url: str, token: str | None) -> Api:
    return open_remote(_routes(url), token)


@lru_cache(maxsize=16)
def _embedded(root: Path) -> Service:
    return open_service(root)


def _routes(url: str) -> str:
    base = url.split("?")[0].rstrip("/")
    return f"{base}/" if base.endswith("/runwidgets/api") else f"{base}/runwidgets/api/"


def _running_servers() -> Iterator[tuple[str, str | None]]:
    """Yield the servers that Jupyter lists and that have the extension."""
    from jupyter_server.serverapp import list_running_servers

    for server in list_running_servers():
        token = server.get("token") or None
        headers = {"Authorization": f"token {token}"} if token else {}
        try:
            answer = httpx.get(_routes(server["url"]), headers=headers, timeout=PROBE_TIMEOUT)
        except httpx.HTTPError:
            continue
        if answer.is_success:
            yield server["url"], token


def open_workflow(api: Api, source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the handle of a workflow, registering a notebook where a path is given.

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


def default_group(workflow: Mapping[str, Any]) -> str:
    """Return the id of the group that runs of a workflow belong to when nobody says otherwise.

    Parameters
    ----------
    workflow : mapping
        The workflow handle.

    Returns
    -------
    str
        Of the first group that the user may act in.

    Raises
    ------
    UnknownWorkflowGroupError
        There is none.
    """
    for group in workflow["groups"]:
        return str(group["id"])
    raise UnknownWorkflowGroupError(
        f"workflow {workflow['id']}", "you are in no group of it", "create one with api.groups.create_group"
    )


def run(
    source: str | os.PathLike[str],
    arguments: Mapping[str, Any] | None = None,
    /,
    *,
    api: Api | None = None,
    group: str | None = None,
    config: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Run:
    """Start a run of a notebook.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    arguments : mapping of str to Any, optional
        Values by parameter; the path of a local file is uploaded for a file parameter.
    api : Api, optional
        None for what `connect` finds.
    group : str, optional
        Id of a group; None for the workflow's default one.
    config : dict, optional
        How to run, as in `RunService.start_run`.
    **kwargs
        Arguments as keywords.

    Returns
    -------
    Run
        The live handle; the run goes on without it.

    Raises
    ------
    RunWidgetsError
        As in `RunService.start_run` and `WorkflowService.create_workflow`.

    Examples
    --------
    >>> rw.run("train.ipynb", epochs=3).wait().metrics  # doctest: +SKIP
    {'loss': 0.12}
    """
    service = api or connect()
    workflow = open_workflow(service, source)
    group_id = group or default_group(workflow)
    files = {each["name"] for each in workflow["parameters"] if each["dtype"] == "file"}
    values = {**(arguments or {}), **kwargs}
    for name in files & set(values):
        if isinstance(values[name], (str, os.PathLike)):
            values[name] = _upload(service, group_id, name, Path(values[name]))
    return Run(service, service.runs.start_run(group_id, coerce_mapping(values), config))


def _upload(api: Api, group_id: str, name: str, path: Path) -> dict[str, Any]:
    try:
        with path.expanduser().open("rb") as stream:
            uploaded = api.uploads.upload_file(group_id, stream, path.name)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UnknownFileError(name, f"there is no file {path}") from error
    return {"type": "$file", "value": {"fileId": uploaded["id"]}}
