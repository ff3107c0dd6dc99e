"""The services over HTTP: the route table in, requests out."""

from functools import lru_cache
from typing import IO, Any, cast

from runwidgets.service.contracts.runs import (
    Api,
    GroupService,
    RunService,
    SweepService,
    UploadService,
    WorkflowService,
)
from runwidgets.service.http.client import Wire
from runwidgets.service.http.events import RemoteEventService

Json = dict[str, Any]


class RemoteRunService(RunService):
    """Runs at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def start_run(self, group_id: str, arguments: list[Json], config: Json | None = None) -> Json:
        """Accept a run; see `RunService`."""
        return cast(
            Json, self._wire.call("runs:start", group_id=group_id, arguments=arguments, config=config)
        )

    def get_run(self, run_id: str) -> Json:
        """Return the handle of a run; see `RunService`."""
        return cast(Json, self._wire.call("runs:get", run_id=run_id))

    def list_runs(
        self,
        group_id: str,
        state: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> Json:
        """List the runs of a group, oldest first; see `RunService`."""
        return cast(
            Json,
            self._wire.call("groups:runs", group_id=group_id, state=state, limit=limit, before=before),
        )

    def get_table(self, group_id: str, before: str | None = None, limit: int | None = None) -> Json:
        """Return the runs of a group as rows, newest first; see `RunService`."""
        return cast(Json, self._wire.call("groups:table", group_id=group_id, before=before, limit=limit))

    def cancel_run(self, run_id: str, reason: str | None = None) -> Json:
        """Stop an active run; see `RunService`."""
        return cast(Json, self._wire.call("runs:cancel", run_id=run_id, reason=reason))

    def rerun(self, run_id: str) -> Json:
        """Start a run with the arguments and settings of an earlier one; see `RunService`."""
        return cast(Json, self._wire.call("runs:rerun", run_id=run_id))

    def delete_run(self, run_id: str) -> Json:
        """Remove a run and its files; see `RunService`."""
        handle = self.get_run(run_id)
        self._wire.call("runs:delete", run_id=run_id)
        return handle

    def get_result_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a result file of a SUCCESS run; see `RunService`."""
        return self._wire.open("runs:download:file", run_id=run_id, file_id=file_id)

    def get_result_archive(self, run_id: str) -> IO[bytes]:
        """Open an archive of all result files of a SUCCESS run; see `RunService`."""
        return self._wire.open("runs:download:archive", run_id=run_id)

    def get_log(self, run_id: str, offset: int = 0) -> Json:
        """Return a piece of what the notebook printed; see `RunService`."""
        return cast(Json, self._wire.call("runs:log", run_id=run_id, offset=offset))

    def get_series(self, run_id: str, limit: int | None = None) -> Json:
        """Return the series that a run recorded; see `RunService`."""
        return cast(Json, self._wire.call("runs:series", run_id=run_id, limit=limit))

    def get_notebook(self, run_id: str) -> IO[bytes]:
        """Open the executed notebook, as far as the run has come; see `RunService`."""
        return self._wire.open("runs:notebook", run_id=run_id)


class RemoteSweepService(SweepService):
    """Sweeps at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def start_sweep(
        self,
        group_id: str,
        arguments: list[list[Json]],
        config: Json | None = None,
        name: str | None = None,
    ) -> Json:
        """Accept a sweep; see `SweepService`."""
        sent = {"arguments": arguments, "config": config, "name": name}
        return cast(Json, self._wire.call("sweeps:start", group_id=group_id, **sent))

    def get_sweep(self, sweep_id: str) -> Json:
        """Return the handle of a sweep; see `SweepService`."""
        return cast(Json, self._wire.call("sweeps:get", sweep_id=sweep_id))

    def list_sweeps(self, group_id: str) -> Json:
        """List the sweeps of a group; see `SweepService`."""
        return cast(Json, self._wire.call("sweeps:list", group_id=group_id))

    def get_points(self, sweep_id: str, after: str | None = None, limit: int | None = None) -> Json:
        """Return the points of a sweep as rows; see `SweepService`."""
        return cast(Json, self._wire.call("sweeps:points", sweep_id=sweep_id, after=after, limit=limit))

    def add_points(self, sweep_id: str, arguments: list[list[Json]]) -> Json:
        """Add points to a sweep; see `SweepService`."""
        return cast(Json, self._wire.call("sweeps:add", sweep_id=sweep_id, arguments=arguments))

    def cancel_sweep(self, sweep_id: str, reason: str | None = None, pending_only: bool = False) -> Json:
        """Stop the active runs of a sweep; see `SweepService`."""
        sent = {"reason": reason, "pending_only": pending_only}
        return cast(Json, self._wire.call("sweeps:cancel", sweep_id=sweep_id, **sent))

    def pause_sweep(self, sweep_id: str, paused: bool = True) -> Json:
        """Leave what waits of a sweep waiting, or let it go on; see `SweepService`."""
        return cast(Json, self._wire.call("sweeps:pause", sweep_id=sweep_id, paused=paused))

    def rerun_failed(self, sweep_id: str) -> Json:
        """Give each point that failed a new run; see `SweepService`."""
        return cast(Json, self._wire.call("sweeps:rerun", sweep_id=sweep_id))

    def delete_sweep(self, sweep_id: str) -> Json:
        """Remove a sweep with the runs that it started; see `SweepService`."""
        handle = self.get_sweep(sweep_id)
        self._wire.call("sweeps:delete", sweep_id=sweep_id)
        return handle


class RemoteWorkflowService(WorkflowService):
    """Workflows at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def create_workflow(
        self,
        source: str,
        name: str | None = None,
        description: str | None = None,
        identifier: str | None = None,
    ) -> Json:
        """Register a notebook; see `WorkflowService`."""
        return cast(
            Json,
            self._wire.call(
                "workflows:create",
                source=source,
                name=name,
                description=description,
                identifier=identifier,
            ),
        )

    def list_workflows(self) -> Json:
        """List the workflows; see `WorkflowService`."""
        return cast(Json, self._wire.call("workflows:list"))

    def get_workflow(self, workflow_id: str) -> Json:
        """Return the handle of a workflow; see `WorkflowService`."""
        return cast(Json, self._wire.call("workflows:get", workflow_id=workflow_id))

    def get_leaderboard(
        self, workflow_id: str, order_by: list[str] | None = None, include_all: bool = False
    ) -> Json:
        """Rank the successful runs of a workflow; see `WorkflowService`."""
        return cast(
            Json,
            self._wire.call(
                "leaderboard", workflow_id=workflow_id, order_by=order_by, include_all=include_all
            ),
        )

    def delete_workflow(self, workflow_id: str) -> None:
        """Remove a workflow with all that belongs to it; see `WorkflowService`."""
        self._wire.call("workflows:delete", workflow_id=workflow_id)


class RemoteGroupService(GroupService):
    """Groups at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def create_group(
        self,
        workflow_id: str,
        name: str,
        members: list[str] | None = None,
        parameters: list[Json] | None = None,
        engine_config: Json | None = None,
        identifier: str | None = None,
    ) -> Json:
        """Add a group to a workflow; see `GroupService`."""
        return cast(
            Json,
            self._wire.call(
                "groups:create",
                workflow_id=workflow_id,
                name=name,
                members=members,
                parameters=parameters,
                engine_config=engine_config,
                identifier=identifier,
            ),
        )

    def list_groups(self, workflow_id: str | None = None) -> Json:
        """List the groups that the user may read; see `GroupService`."""
        if workflow_id is None:
            return cast(Json, self._wire.call("groups:list"))
        return cast(Json, self._wire.call("workflows:groups", workflow_id=workflow_id))

    def get_group(self, group_id: str) -> Json:
        """Return the handle of a group; see `GroupService`."""
        return cast(Json, self._wire.call("groups:get", group_id=group_id))

    def update_group(self, group_id: str, name: str | None = None, members: list[str] | None = None) -> Json:
        """Rename a group, or set its members; see `GroupService`."""
        return cast(Json, self._wire.call("groups:update", group_id=group_id, name=name, members=members))

    def delete_group(self, group_id: str) -> None:
        """Remove a group with its uploads and runs; see `GroupService`."""
        self._wire.call("groups:delete", group_id=group_id)


class RemoteUploadService(UploadService):
    """Uploads at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def upload_file(self, group_id: str, file: IO[bytes], name: str) -> Json:
        """Store a file with a group; see `UploadService`."""
        return cast(Json, self._wire.upload("files:upload", file, name, group_id=group_id))

    def take_file(self, group_id: str, path: str) -> Json:
        """Store a copy of a file of the server with a group; see `UploadService`."""
        return cast(Json, self._wire.call("files:upload", group_id=group_id, path=path))

    def list_uploaded_files(self, group_id: str) -> Json:
        """List the uploads of a group; see `UploadService`."""
        return cast(Json, self._wire.call("files:list", group_id=group_id))

    def get_uploaded_file(self, group_id: str, file_id: str) -> IO[bytes]:
        """Open an upload; see `UploadService`."""
        return self._wire.open("files:download", group_id=group_id, file_id=file_id)

    def delete_file(self, group_id: str, file_id: str) -> None:
        """Remove an upload; see `UploadService`."""
        self._wire.call("files:delete", group_id=group_id, file_id=file_id)


def open_remote(url: str, token: str | None) -> Api:
    """Connect to the routes of a server. Nothing is sent before it is needed.

    Parameters
    ----------
    url : str
        Base of the routes, such as ``http://127.0.0.1:8888/runwidgets/api/``.
    token : str or None
        A token that the server takes.

    Returns
    -------
    Api
        Its `close` lets go of the connections.
    """
    wire = Wire(url, token)
    return Api(
        workflows=RemoteWorkflowService(wire),
        groups=RemoteGroupService(wire),
        uploads=RemoteUploadService(wire),
        runs=RemoteRunService(wire),
        sweeps=RemoteSweepService(wire),
        events=RemoteEventService(wire),
        url=wire.url,
        store=lru_cache(lambda: str(wire.call("service")["store"])),
        close=wire.close,
    )
