"""The services over HTTP: each method sends the request of its route."""

from functools import lru_cache
from pathlib import Path
from typing import IO

import httpx

from runwidgets.errors import RunWidgetsError
from runwidgets.schema import (
    Argument,
    GroupHandle,
    GroupList,
    Leaderboard,
    LogPiece,
    ParameterDeclaration,
    RunConfig,
    RunHandle,
    RunList,
    RunSeries,
    SweepAddition,
    SweepConfig,
    SweepHandle,
    SweepList,
    TablePage,
    UploadHandle,
    UploadList,
    WorkflowHandle,
    WorkflowList,
)
from runwidgets.service.contracts.api import Api
from runwidgets.service.contracts.groups import GroupService
from runwidgets.service.contracts.runs import RunService
from runwidgets.service.contracts.sweeps import SweepService
from runwidgets.service.contracts.uploads import UploadService
from runwidgets.service.contracts.workflows import WorkflowService
from runwidgets.service.http.client import HttpClient
from runwidgets.service.http.events import RemoteEventService
from runwidgets.service.http.transport import Verify
from runwidgets.service.routes import catalog, runs, sweeps
from runwidgets.service.routes.routes import DESCRIBE_SERVICE


class RemoteRunService(RunService):
    """Runs on a server."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def start_run(
        self, group_id: str, arguments: list[Argument], config: RunConfig | None = None
    ) -> RunHandle:
        """Accept a run; see `RunService`."""
        return self._client.call(runs.START_RUN, group_id=group_id, arguments=arguments, config=config)

    def get_run(self, run_id: str) -> RunHandle:
        """Return the handle of a run; see `RunService`."""
        return self._client.call(runs.GET_RUN, run_id=run_id)

    def list_runs(
        self,
        group_id: str,
        state: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> RunList:
        """List the runs of a group, oldest first; see `RunService`."""
        return self._client.call(runs.LIST_RUNS, group_id=group_id, state=state, limit=limit, before=before)

    def get_table(self, group_id: str, before: str | None = None, limit: int | None = None) -> TablePage:
        """Return the runs of a group as rows, newest first; see `RunService`."""
        return self._client.call(runs.GET_TABLE, group_id=group_id, before=before, limit=limit)

    def cancel_run(self, run_id: str, reason: str | None = None) -> RunHandle:
        """Stop an active run; see `RunService`."""
        return self._client.call(runs.CANCEL_RUN, run_id=run_id, reason=reason)

    def prune_run(self, run_id: str, message: str | None = None) -> RunHandle:
        """Stop an active run because it is not promising; see `RunService`."""
        return self._client.call(runs.PRUNE_RUN, run_id=run_id, message=message)

    def rerun(self, run_id: str, latest: bool = False) -> RunHandle:
        """Start an earlier run again, as it was; see `RunService`."""
        return self._client.call(runs.RERUN, run_id=run_id, latest=latest)

    def delete_run(self, run_id: str) -> RunHandle:
        """Remove a run and its files; see `RunService`."""
        handle = self.get_run(run_id)
        self._client.call(runs.DELETE_RUN, run_id=run_id)
        return handle

    def get_result_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a result file of a SUCCESS run; see `RunService`."""
        return self._client.open(runs.GET_RESULT_FILE, run_id=run_id, file_id=file_id)

    def get_partial_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a partial file of a run without success; see `RunService`."""
        return self._client.open(runs.GET_PARTIAL_FILE, run_id=run_id, file_id=file_id)

    def get_result_archive(self, run_id: str) -> IO[bytes]:
        """Open an archive of all result files of a SUCCESS run; see `RunService`."""
        return self._client.open(runs.GET_RESULT_ARCHIVE, run_id=run_id)

    def get_log(self, run_id: str, offset: int | None = None) -> LogPiece:
        """Return a part of what the notebook printed; see `RunService`."""
        return self._client.call(runs.GET_LOG, run_id=run_id, offset=offset)

    def get_series(self, run_id: str, limit: int | None = None) -> RunSeries:
        """Return the series that a run recorded; see `RunService`."""
        return self._client.call(runs.GET_SERIES, run_id=run_id, limit=limit)

    def get_notebook(self, run_id: str) -> IO[bytes]:
        """Open the executed notebook; see `RunService`."""
        return self._client.open(runs.GET_NOTEBOOK, run_id=run_id)


class RemoteSweepService(SweepService):
    """Sweeps on a server."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def start_sweep(
        self,
        group_id: str,
        arguments: list[list[Argument]],
        config: SweepConfig | None = None,
        name: str | None = None,
    ) -> SweepHandle:
        """Accept a sweep; see `SweepService`."""
        return self._client.call(
            sweeps.START_SWEEP, group_id=group_id, arguments=arguments, config=config, name=name
        )

    def get_sweep(self, sweep_id: str) -> SweepHandle:
        """Return the handle of a sweep; see `SweepService`."""
        return self._client.call(sweeps.GET_SWEEP, sweep_id=sweep_id)

    def list_sweeps(self, group_id: str) -> SweepList:
        """List the sweeps of a group; see `SweepService`."""
        return self._client.call(sweeps.LIST_SWEEPS, group_id=group_id)

    def get_points(self, sweep_id: str, after: str | None = None, limit: int | None = None) -> TablePage:
        """Return the points of a sweep as rows; see `SweepService`."""
        return self._client.call(sweeps.GET_POINTS, sweep_id=sweep_id, after=after, limit=limit)

    def add_points(self, sweep_id: str, arguments: list[list[Argument]]) -> SweepAddition:
        """Add points to a sweep; see `SweepService`."""
        return self._client.call(sweeps.ADD_POINTS, sweep_id=sweep_id, arguments=arguments)

    def cancel_sweep(
        self,
        sweep_id: str,
        reason: str | None = None,
        pending_only: bool = False,
        interrupted: bool = False,
    ) -> SweepHandle:
        """Stop the active runs of a sweep; see `SweepService`."""
        return self._client.call(
            sweeps.CANCEL_SWEEP,
            sweep_id=sweep_id,
            reason=reason,
            pending_only=pending_only,
            interrupted=interrupted,
        )

    def pause_sweep(self, sweep_id: str, paused: bool = True) -> SweepHandle:
        """Hold back the waiting runs of a sweep, or release them; see `SweepService`."""
        return self._client.call(sweeps.PAUSE_SWEEP, sweep_id=sweep_id, paused=paused)

    def rerun_failed(
        self, sweep_id: str, numbers: list[int] | None = None, latest: bool = False
    ) -> SweepHandle:
        """Give each point that failed a new run; see `SweepService`."""
        return self._client.call(sweeps.RERUN_FAILED, sweep_id=sweep_id, numbers=numbers, latest=latest)

    def delete_sweep(self, sweep_id: str) -> SweepHandle:
        """Remove a sweep with the runs that it started; see `SweepService`."""
        handle = self.get_sweep(sweep_id)
        self._client.call(sweeps.DELETE_SWEEP, sweep_id=sweep_id)
        return handle


class RemoteWorkflowService(WorkflowService):
    """Workflows on a server."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def create_workflow(
        self,
        source: str,
        name: str | None = None,
        description: str | None = None,
        identifier: str | None = None,
    ) -> WorkflowHandle:
        """Register a notebook; see `WorkflowService`."""
        return self._client.call(
            catalog.CREATE_WORKFLOW,
            source=source,
            name=name,
            description=description,
            identifier=identifier,
        )

    def list_workflows(self) -> WorkflowList:
        """List the workflows; see `WorkflowService`."""
        return self._client.call(catalog.LIST_WORKFLOWS)

    def get_workflow(self, workflow_id: str) -> WorkflowHandle:
        """Return the handle of a workflow; see `WorkflowService`."""
        return self._client.call(catalog.GET_WORKFLOW, workflow_id=workflow_id)

    def get_leaderboard(
        self, workflow_id: str, order_by: list[str] | None = None, include_all: bool = False
    ) -> Leaderboard:
        """Rank the successful runs of a workflow; see `WorkflowService`."""
        return self._client.call(
            catalog.GET_LEADERBOARD, workflow_id=workflow_id, order_by=order_by, include_all=include_all
        )

    def delete_workflow(self, workflow_id: str) -> None:
        """Remove a workflow with its groups, uploads and runs; see `WorkflowService`."""
        self._client.call(catalog.DELETE_WORKFLOW, workflow_id=workflow_id)


class RemoteGroupService(GroupService):
    """Groups on a server."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def create_group(
        self,
        workflow_id: str,
        name: str,
        members: list[str] | None = None,
        parameters: list[ParameterDeclaration] | None = None,
        engine_config: RunConfig | None = None,
        identifier: str | None = None,
        config: RunConfig | None = None,
    ) -> GroupHandle:
        """Add a group to a workflow; see `GroupService`."""
        return self._client.call(
            catalog.CREATE_GROUP,
            workflow_id=workflow_id,
            name=name,
            members=members,
            parameters=parameters,
            engine_config=engine_config,
            identifier=identifier,
            config=config,
        )

    def list_groups(self, workflow_id: str | None = None) -> GroupList:
        """List the groups that the user may read; see `GroupService`."""
        if workflow_id is None:
            return self._client.call(catalog.LIST_GROUPS)
        return self._client.call(catalog.LIST_GROUPS_OF_WORKFLOW, workflow_id=workflow_id)

    def get_group(self, group_id: str) -> GroupHandle:
        """Return the handle of a group; see `GroupService`."""
        return self._client.call(catalog.GET_GROUP, group_id=group_id)

    def update_group(
        self, group_id: str, name: str | None = None, members: list[str] | None = None
    ) -> GroupHandle:
        """Rename a group, or set its members; see `GroupService`."""
        return self._client.call(catalog.UPDATE_GROUP, group_id=group_id, name=name, members=members)

    def delete_group(self, group_id: str) -> None:
        """Remove a group with its uploads and runs; see `GroupService`."""
        self._client.call(catalog.DELETE_GROUP, group_id=group_id)


class RemoteUploadService(UploadService):
    """Uploads on a server."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def upload_file(self, group_id: str, file: IO[bytes], name: str) -> UploadHandle:
        """Store a file with a group; see `UploadService`."""
        return self._client.upload(group_id, file, name)

    def take_file(self, group_id: str, path: str) -> UploadHandle:
        """Store a copy of a file of the server with a group; see `UploadService`."""
        return self._client.call(catalog.TAKE_FILE, group_id=group_id, path=path)

    def list_uploaded_files(self, group_id: str) -> UploadList:
        """List the uploads of a group; see `UploadService`."""
        return self._client.call(catalog.LIST_UPLOADED_FILES, group_id=group_id)

    def get_uploaded_file(self, group_id: str, file_id: str) -> IO[bytes]:
        """Open an upload; see `UploadService`."""
        return self._client.open(catalog.GET_UPLOADED_FILE, group_id=group_id, file_id=file_id)

    def delete_file(self, group_id: str, file_id: str) -> None:
        """Remove an upload; see `UploadService`."""
        self._client.call(catalog.DELETE_FILE, group_id=group_id, file_id=file_id)


def open_remote(
    url: str,
    token: str | None,
    *,
    is_checked: bool = False,
    verify: Verify = True,
    socket: Path | None = None,
) -> Api:
    """Connect to the routes of a server.

    Parameters
    ----------
    url : str
        Base URL of the routes, such as ``http://127.0.0.1:8888/runwidgets/api/``.
    token : str or None
        A token that the server accepts.
    is_checked : bool, optional
        Whether a first request checks the address and the token; otherwise none is sent yet.
    verify : bool, str, path or ssl.SSLContext, optional
        Which certificates are trusted; see `trusted_certificates`.
    socket : Path, optional
        A Unix socket of the server, which is used instead of the URL if it is there.

    Returns
    -------
    Api
        The services; their `close` closes the connections.

    Raises
    ------
    RunWidgetsError
        As in `HttpClient.check`.
    """
    client = HttpClient(url, token, verify=verify, socket=socket)
    if is_checked:
        try:
            client.check()
        except BaseException:
            client.close()
            raise
    return Api(
        workflows=RemoteWorkflowService(client),
        groups=RemoteGroupService(client),
        uploads=RemoteUploadService(client),
        runs=RemoteRunService(client),
        sweeps=RemoteSweepService(client),
        events=RemoteEventService(client),
        url=client.url,
        store=lru_cache(lambda: client.call(DESCRIBE_SERVICE)["store"]),
        close=client.close,
    )


def is_responding(
    url: str, token: str | None, *, verify: Verify, socket: Path | None, timeout: float
) -> bool:
    """Return whether a server has the routes and accepts a token, as it says within some seconds."""
    client = HttpClient(url, token, verify=verify, socket=socket, timeout=httpx.Timeout(timeout))
    try:
        client.check()
    except RunWidgetsError:
        return False
    finally:
        client.close()
    return True
