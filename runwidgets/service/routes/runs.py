"""The routes of runs."""

from typing import Protocol, cast

from runwidgets.schema import RunList
from runwidgets.service.routes.route import FILE, GROUP, RUN, Route, RouteArgument


class PagedRuns(Protocol):
    """`RunService.list_runs` as both implementations have it: a page at a time."""

    def __call__(
        self,
        group_id: str,
        state: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> RunList:
        """List the runs of a group, oldest first; see `RunService.list_runs`."""


START_RUN = Route(
    "runs:start",
    "POST",
    "groups/{userGroupId}/runs",
    lambda api: api.runs.start_run,
    action="execute",
    path=(GROUP,),
    body=(
        RouteArgument("arguments", "arguments", "any", required=True),
        RouteArgument("config", "config", "any"),
    ),
    status=201,
)

LIST_RUNS = Route(
    "groups:runs",
    "GET",
    "groups/{userGroupId}/runs",
    lambda api: cast(PagedRuns, api.runs.list_runs),
    action="read",
    path=(GROUP,),
    query=(
        RouteArgument("state", "state"),
        RouteArgument("limit", "limit", "whole"),
        RouteArgument("before", "before"),
    ),
    advertised=("state",),
)

GET_TABLE = Route(
    "groups:table",
    "GET",
    "groups/{userGroupId}/table",
    lambda api: api.runs.get_table,
    action="read",
    path=(GROUP,),
    query=(
        RouteArgument("before", "before"),
        RouteArgument("limit", "limit", "whole"),
    ),
)

GET_RUN = Route("runs:get", "GET", "runs/{runId}", lambda api: api.runs.get_run, action="read", path=(RUN,))

CANCEL_RUN = Route(
    "runs:cancel",
    "PUT",
    "runs/{runId}",
    lambda api: api.runs.cancel_run,
    action="execute",
    path=(RUN,),
    body=(RouteArgument("reason", "reason"),),
)

PRUNE_RUN = Route(
    "runs:prune",
    "POST",
    "runs/{runId}/prune",
    lambda api: api.runs.prune_run,
    action="execute",
    path=(RUN,),
    body=(RouteArgument("message", "message"),),
)

RERUN = Route(
    "runs:rerun",
    "POST",
    "runs/{runId}/rerun",
    lambda api: api.runs.rerun,
    action="execute",
    path=(RUN,),
    body=(RouteArgument("latest", "latest", "flag"),),
    status=201,
)

DELETE_RUN = Route(
    "runs:delete",
    "DELETE",
    "runs/{runId}",
    lambda api: api.runs.delete_run,
    action="write",
    path=(RUN,),
    status=204,
    response="nothing",
)

GET_RESULT_ARCHIVE = Route(
    "runs:download:archive",
    "GET",
    "runs/{runId}/downloads/archive",
    lambda api: api.runs.get_result_archive,
    action="read",
    path=(RUN,),
    response="file",
)

GET_RESULT_FILE = Route(
    "runs:download:file",
    "GET",
    "runs/{runId}/downloads/files/{fileId}",
    lambda api: api.runs.get_result_file,
    action="read",
    path=(
        RUN,
        FILE,
    ),
    response="file",
)

GET_PARTIAL_FILE = Route(
    "runs:download:partial",
    "GET",
    "runs/{runId}/downloads/partial/{fileId}",
    lambda api: api.runs.get_partial_file,
    action="read",
    path=(
        RUN,
        FILE,
    ),
    response="file",
)

GET_LOG = Route(
    "runs:log",
    "GET",
    "runs/{runId}/log",
    lambda api: api.runs.get_log,
    action="read",
    path=(RUN,),
    query=(RouteArgument("offset", "offset", "whole"),),
)

GET_SERIES = Route(
    "runs:series",
    "GET",
    "runs/{runId}/series",
    lambda api: api.runs.get_series,
    action="read",
    path=(RUN,),
    query=(RouteArgument("limit", "limit", "whole"),),
)

GET_NOTEBOOK = Route(
    "runs:notebook",
    "GET",
    "runs/{runId}/notebook",
    lambda api: api.runs.get_notebook,
    action="read",
    path=(RUN,),
    response="file",
)
