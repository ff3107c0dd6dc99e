"""The entry points for people: `connect`, `run`, `sweep` and `leaderboard`."""

import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs

from jupyter_core.paths import jupyter_data_dir

from runwidgets.client.dataframes import make_ranking_frame
from runwidgets.client.run import Run
from runwidgets.client.submit import default_group, make_arguments, open_workflow, start_notebook_run
from runwidgets.client.sweep import Sweep
from runwidgets.errors import InvalidArgumentError
from runwidgets.schema import RunConfig, SweepConfig
from runwidgets.service.contracts.api import Api
from runwidgets.service.http.services import is_responding, open_remote
from runwidgets.service.server_socket import server_socket
from runwidgets.spaces.space import SpaceLike, as_space, grid
from runwidgets.store.files.layout import folder_of, is_url

if TYPE_CHECKING:
    import pandas

    from runwidgets.execution.backend import Cluster
    from runwidgets.service.factory import Instance
    from runwidgets.service.http.transport import Verify

__all__ = ["Api", "Run", "Sweep", "connect", "default_root", "leaderboard", "run", "sweep"]

URL_VARIABLE = "RUNWIDGETS_URL"
TOKEN_VARIABLE = "RUNWIDGETS_TOKEN"
SOCKET_VARIABLE = "RUNWIDGETS_SOCKET"
PROBE_TIMEOUT = 2.0
"""Seconds within which a server listed by Jupyter must respond to be used."""


def default_root() -> Path:
    """Return the default folder in which runs are stored.

    Returns
    -------
    Path
        ``runwidgets/`` in Jupyter's data folder.
    """
    return Path(jupyter_data_dir()) / "runwidgets"


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    verify: "Verify" = True,
    root: str | os.PathLike[str] | None = None,
    db_url: str | None = None,
    cluster: "Cluster | None" = None,
    environment: Mapping[str, str] | None = None,
) -> Api:
    """Connect to the services.

    Without arguments, `connect` uses the server that this kernel belongs to; otherwise a running Jupyter
    server of this user that has the extension; otherwise it opens the default root in this process.

    Parameters
    ----------
    url : str, optional
        The URL of a Jupyter server, such as ``http://localhost:8888/``; a request checks it and the token.
    token : str, optional
        The token of that server; None for the one in the URL, if it has one (``?token=…``).
    verify : bool, path or ssl.SSLContext, optional
        Which certificates are trusted over HTTPS: the path of a file in PEM format, or of a folder of such
        files, for those in it; True for those that the variables ``SSL_CERT_FILE``, ``SSL_CERT_DIR`` and
        ``REQUESTS_CA_BUNDLE`` name, or without them the usual ones; False for any, also that of somebody who
        intercepts the connection. The server that this kernel belongs to needs none.
    root : path or str, optional
        Open this root in this process: a folder, created if missing, or a URL such as ``s3://bucket/prefix``,
        as in the setting ``root`` of a server. A relative path starts at the working directory.
    db_url : str, optional
        Open the root in this process, with this database, as in the setting ``db_url`` of a server; None for
        SQLite in the root.
    cluster : str or callable, optional
        Open the root in this process, and execute its runs on a Dask cluster: the address of its
        scheduler, the path of a scheduler file, ``module:function``, or a function that returns one of these.
    environment : mapping of str to str, optional
        Environment variables of the runs that are started through the result, in addition to those that
        this process had when it opened the root; recorded in the config of each run. Needs a `root` or a
        `cluster`.

    Returns
    -------
    Api
        The services; a context manager.

    Raises
    ------
    InvalidArgumentError
        The arguments exclude each other, one is neither a URL nor a path, or a variable cannot be set.
    ServiceUnavailableError
        The named server does not respond or does not have the extension, or the root or the database cannot
        be used.
    UnauthenticatedAccessError, UnauthorizedAccessError
        The server refuses the token.
    """
    is_embedded = root is not None or db_url is not None or cluster is not None
    if url is not None and is_embedded:
        raise InvalidArgumentError("url", "a server has its own root, database and cluster", "leave them out")
    if is_embedded and verify is not True:
        raise InvalidArgumentError("verify", "no server is asked for a root", "leave it out")
    if is_embedded:
        return _embedded(_location(root), db_url or None, cluster).api(environment=environment)
    if environment is not None:
        raise InvalidArgumentError(
            "environment", "a server has its own", "give a root, or each run config={'environment': {...}}"
        )
    if url is not None:
        if not isinstance(url, str):
            raise InvalidArgumentError("url", f"{url!r:.80} is not the URL of a server")
        given = parse_qs(url.partition("?")[2]).get("token", [None])[0]
        return open_remote(_routes(url), token or given, is_checked=True, verify=verify)
    if os.environ.get(URL_VARIABLE):
        own_socket = os.environ.get(SOCKET_VARIABLE)
        token = os.environ.get(TOKEN_VARIABLE)
        return _default(os.environ[URL_VARIABLE], token, Path(own_socket) if own_socket else None, verify)
    for server in _running_servers(verify):
        return server
    return _embedded(_location(None)).api()


@lru_cache(maxsize=16)
def _default(url: str, token: str | None, socket: Path | None, verify: Hashable) -> Api:
    return open_remote(_routes(url), token, verify=cast("Verify", verify), socket=socket)


@lru_cache(maxsize=16)
def _embedded(root: str, db_url: str | None = None, cluster: "Cluster | None" = None) -> "Instance":
    from runwidgets.service.factory import open_instance

    return open_instance(root, db_url=db_url, cluster=cluster)


def _location(root: str | os.PathLike[str] | None) -> str:
    """Return a root as it is given to an instance: a URL as it is, a folder absolute."""
    if root is None or root == "":
        return str(default_root())
    text = os.fspath(root) if isinstance(root, str | os.PathLike) else root
    if not isinstance(text, str):
        raise InvalidArgumentError("root", f"{root!r:.80} is neither a path nor a URL")
    return text if is_url(text) else str(folder_of(text).resolve())


def _routes(url: str) -> str:
    base = url.split("?")[0].rstrip("/")
    return f"{base}/" if base.endswith("/runwidgets/api") else f"{base}/runwidgets/api/"


def _running_servers(verify: "Verify") -> Iterator[Api]:
    """Yield a connection to each running Jupyter server of this user that has the extension."""
    from jupyter_server.serverapp import list_running_servers

    for server in list_running_servers():
        url = f"http://localhost{server['base_url']}" if server.get("sock") else server["url"]
        token, socket = server.get("token") or None, server_socket(server["pid"])
        if is_responding(_routes(url), token, verify=verify, socket=socket, timeout=PROBE_TIMEOUT):
            yield _default(url, token, socket, verify)


def run(
    source: str | os.PathLike[str],
    arguments: Mapping[str, object] | None = None,
    /,
    *,
    api: Api | None = None,
    group: str | None = None,
    config: RunConfig | None = None,
    **kwargs: object,
) -> Run:
    """Start a run of a notebook.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    arguments : mapping of str to Any, optional
        Values by parameter; for a file parameter, the path of a local file, which is uploaded.
    api : Api, optional
        None for the result of `connect`.
    group : str, optional
        Id of a group; None for the default group of the workflow.
    config : dict, optional
        How to run, as in `RunService.start_run`.
    **kwargs
        Further arguments, as keywords.

    Returns
    -------
    Run
        The run; it continues without this object.

    Raises
    ------
    InvalidArgumentError
        The arguments are not a mapping.
    RunWidgetsError
        As in `RunService.start_run` and `WorkflowService.create_workflow`.

    Examples
    --------
    >>> rw.run("train.ipynb", epochs=3).wait().metrics  # doctest: +SKIP
    {'loss': 0.12}
    """
    if arguments is not None and not isinstance(arguments, Mapping):
        remedy = 'give a dict such as {"alpha": 0.1}, or keyword arguments'
        problem = f"{arguments!r:.80} is not a mapping of names to values"
        raise InvalidArgumentError("arguments", problem, remedy)
    service = api or connect()
    return Run(service, start_notebook_run(service, source, {**(arguments or {}), **kwargs}, group, config))


def sweep(
    source: str | os.PathLike[str],
    space: SpaceLike | None = None,
    /,
    *,
    api: Api | None = None,
    group: str | None = None,
    name: str | None = None,
    config: SweepConfig | None = None,
    **kwargs: object,
) -> Sweep:
    """Start a run of a notebook at every point of a parameter space: at all points, or at none.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    space : Space, mapping, list of mapping, or data frame, optional
        The points; see `grid`, `zip`, `sample` and `points`.
    api : Api, optional
        None for the result of `connect`.
    group : str, optional
        Id of a group; None for the default group of the workflow.
    name : str, optional
        Display name; None to name the sweep after its varied parameters.
    config : dict, optional
        How to run, as in `SweepService.start_sweep`: ``on_error``, ``reuse``, ``parallel``, ``priority`` of
        the sweep, and ``timeout``, ``retries`` and so on of its runs.
    **kwargs
        Values by parameter, as for `grid`; together with a space, all combinations of both. For a file
        parameter, the path of a local file, which is uploaded.

    Returns
    -------
    Sweep
        The sweep; its runs continue without this object.

    Raises
    ------
    RunWidgetsError
        As in `SweepService.start_sweep` and `WorkflowService.create_workflow`; the message names the first
        invalid point.

    Examples
    --------
    >>> sweep = rw.sweep("train.ipynb", lr=[0.1, 0.01], depth=range(2, 6))  # doctest: +SKIP
    >>> sweep.wait().to_frame()  # doctest: +SKIP
    """
    service = api or connect()
    points = grid(**kwargs) if space is None else as_space(space)
    if space is not None and kwargs:
        points = points * grid(**kwargs)
    workflow = open_workflow(service, source)
    group_id = group or default_group(workflow)
    point_arguments = make_arguments(service, group_id, workflow, points)
    return Sweep(service, service.sweeps.start_sweep(group_id, point_arguments, config, name))


def leaderboard(
    source: str | os.PathLike[str],
    *,
    order_by: str | Sequence[str] | None = None,
    include_all: bool = False,
    api: Api | None = None,
) -> "pandas.DataFrame":
    """Rank the successful runs of a notebook by metrics that they recorded.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    order_by : str or list of str, optional
        Names of metrics, each followed by ``:asc`` if its least value is the best, or ``:desc`` if its
        greatest value is; not needed for a metric whose ``direction`` the template declares. None for the
        order that ``results`` of the template declares; without one the runs are not ranked, and the newest
        comes first.
    include_all : bool, optional
        False for the best run of each group, True for all runs; at most the best 10,000.
    api : Api, optional
        None for the result of `connect`.

    Returns
    -------
    pandas.DataFrame
        Best first, runs with NaN or without a number last: ``group``, ``run``, ``created``, ``started``,
        ``finished`` (UTC), ``duration`` (seconds), a column per parameter
        (``parameter.<name>`` if another column has the same name), and one per metric (``metric.<name>``
        likewise): those of ``results.schema`` and of `order_by`, or all recorded ones if the template
        declares none.

    Raises
    ------
    InvalidArgumentError
        A metric in `order_by` has no direction, or no run has recorded it as a number.
    RunWidgetsError
        As in `WorkflowService.create_workflow`.

    Examples
    --------
    >>> rw.leaderboard("train.ipynb", order_by="loss:asc")  # doctest: +SKIP
    """
    service = api or connect()
    names = [order_by] if isinstance(order_by, str) else None if order_by is None else list(order_by)
    workflow = open_workflow(service, source)
    return make_ranking_frame(service.workflows.get_leaderboard(workflow["id"], names, include_all))
