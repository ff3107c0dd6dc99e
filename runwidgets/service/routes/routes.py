"""The route table, as data.

One row per thing that can be asked for over HTTP: its pattern, its verb, the service method behind it,
and where the method's arguments come from. The server makes its handlers of the table, `Remote…` its
requests, ``GET /`` its descriptor; the tests of permissions, bad input and ``openapi.yaml`` walk
through it, so that a new route cannot be forgotten. The patterns are those of flowserv, whose clients
work here unchanged.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from runwidgets.errors import UnknownObjectError
from runwidgets.service.routes.route import Argument, Route

__all__ = ["BY_ID", "ROUTES", "Argument", "Route", "by_pattern"]

WORKFLOW = Argument("workflowId", "workflow_id", "id", True)
GROUP = Argument("userGroupId", "group_id", "id", True)
RUN = Argument("runId", "run_id", "id", True)
FILE = Argument("fileId", "file_id", "id", True)
SWEEP = Argument("sweepId", "sweep_id", "id", True)

ROUTES: tuple[Route, ...] = (
    Route("service", "GET", "", "", "", "read"),
    Route("workflows:list", "GET", "workflows", "workflows", "list_workflows", "read"),
    Route(
        "workflows:create",
        "POST",
        "workflows",
        "workflows",
        "create_workflow",
        "write",
        body=(
            Argument("source", "source", required=True),
            Argument("name", "name"),
            Argument("description", "description"),
            Argument("id", "identifier"),
        ),
        status=201,
    ),
    Route("workflows:get", "GET", "workflows/{workflowId}", "workflows", "get_workflow", "read", (WORKFLOW,)),
    Route(
        "workflows:delete",
        "DELETE",
        "workflows/{workflowId}",
        "workflows",
        "delete_workflow",
        "write",
        (WORKFLOW,),
        status=204,
        answer="nothing",
    ),
    Route(
        "leaderboard",
        "GET",
        "workflows/{workflowId}/leaderboard",
        "workflows",
        "get_leaderboard",
        "read",
        (WORKFLOW,),
        query=(Argument("orderBy", "order_by", "names"), Argument("includeAll", "include_all", "flag")),
        advertised=("orderBy", "includeAll"),
    ),
    Route(
        "workflows:groups",
        "GET",
        "workflows/{workflowId}/groups",
        "groups",
        "list_groups",
        "read",
        (WORKFLOW,),
    ),
    Route(
        "groups:create",
        "POST",
        "workflows/{workflowId}/groups",
        "groups",
        "create_group",
        "write",
        (WORKFLOW,),
        body=(
            Argument("name", "name", required=True),
            Argument("members", "members", "names"),
            Argument("parameters", "parameters", "any"),
            Argument("engineConfig", "engine_config", "any"),
            Argument("id", "identifier"),
        ),
        status=201,
    ),
    Route("groups:list", "GET", "groups", "groups", "list_groups", "read"),
    Route("groups:get", "GET", "groups/{userGroupId}", "groups", "get_group", "read", (GROUP,)),
    Route(
        "groups:update",
        "PUT",
        "groups/{userGroupId}",
        "groups",
        "update_group",
        "write",
        (GROUP,),
        body=(Argument("name", "name"), Argument("members", "members", "names")),
        aliases=("POST",),
    ),
    Route(
        "groups:delete",
        "DELETE",
        "groups/{userGroupId}",
        "groups",
        "delete_group",
        "write",
        (GROUP,),
        status=204,
        answer="nothing",
    ),
    Route(
        "runs:start",
        "POST",
        "groups/{userGroupId}/runs",
        "runs",
        "start_run",
        "execute",
        (GROUP,),
        body=(Argument("arguments", "arguments", "any", True), Argument("config", "config", "any")),
        status=201,
    ),
    Route(
        "groups:runs",
        "GET",
        "groups/{userGroupId}/runs",
        "runs",
        "list_runs",
        "read",
        (GROUP,),
        query=(Argument("state", "state"), Argument("limit", "limit", "whole"), Argument("before", "before")),
        advertised=("state",),
    ),
    Route(
        "groups:table",
        "GET",
        "groups/{userGroupId}/table",
        "runs",
        "get_table",
        "read",
        (GROUP,),
        query=(Argument("before", "before"), Argument("limit", "limit", "whole")),
    ),
    Route("runs:get", "GET", "runs/{runId}", "runs", "get_run", "read", (RUN,)),
    Route(
        "runs:cancel",
        "PUT",
        "runs/{runId}",
        "runs",
        "cancel_run",
        "execute",
        (RUN,),
        body=(Argument("reason", "reason"),),
    ),
    Route(
        "runs:rerun",
        "POST",
        "runs/{runId}/rerun",
        "runs",
        "rerun",
        "execute",
        (RUN,),
        status=201,
    ),
    Route(
        "runs:delete",
        "DELETE",
        "runs/{runId}",
        "runs",
        "delete_run",
        "write",
        (RUN,),
        status=204,
        answer="nothing",
    ),
    Route(
        "runs:download:archive",
        "GET",
        "runs/{runId}/downloads/archive",
        "runs",
        "get_result_archive",
        "read",
        (RUN,),
        answer="file",
    ),
    Route(
        "runs:download:file",
        "GET",
        "runs/{runId}/downloads/files/{fileId}",
        "runs",
        "get_result_file",
        "read",
        (RUN, FILE),
        answer="file",
    ),
    Route(
        "runs:log",
        "GET",
        "runs/{runId}/log",
        "runs",
        "get_log",
        "read",
        (RUN,),
        query=(Argument("offset", "offset", "whole"),),
    ),
    Route(
        "runs:series",
        "GET",
        "runs/{runId}/series",
        "runs",
        "get_series",
        "read",
        (RUN,),
        query=(Argument("limit", "limit", "whole"),),
    ),
    Route(
        "runs:notebook",
        "GET",
        "runs/{runId}/notebook",
        "runs",
        "get_notebook",
        "read",
        (RUN,),
        answer="file",
    ),
    Route(
        "sweeps:start",
        "POST",
        "groups/{userGroupId}/sweeps",
        "sweeps",
        "start_sweep",
        "execute",
        (GROUP,),
        body=(
            Argument("arguments", "arguments", "any", True),
            Argument("config", "config", "any"),
            Argument("name", "name"),
        ),
        status=201,
    ),
    Route(
        "sweeps:list",
        "GET",
        "groups/{userGroupId}/sweeps",
        "sweeps",
        "list_sweeps",
        "read",
        (GROUP,),
    ),
    Route("sweeps:get", "GET", "sweeps/{sweepId}", "sweeps", "get_sweep", "read", (SWEEP,)),
    Route(
        "sweeps:cancel",
        "PUT",
        "sweeps/{sweepId}",
        "sweeps",
        "cancel_sweep",
        "execute",
        (SWEEP,),
        body=(Argument("reason", "reason"), Argument("pendingOnly", "pending_only", "flag")),
    ),
    Route(
        "sweeps:delete",
        "DELETE",
        "sweeps/{sweepId}",
        "sweeps",
        "delete_sweep",
        "write",
        (SWEEP,),
        status=204,
        answer="nothing",
    ),
    Route(
        "sweeps:points",
        "GET",
        "sweeps/{sweepId}/points",
        "sweeps",
        "get_points",
        "read",
        (SWEEP,),
        query=(Argument("after", "after"), Argument("limit", "limit", "whole")),
    ),
    Route(
        "sweeps:add",
        "POST",
        "sweeps/{sweepId}/points",
        "sweeps",
        "add_points",
        "execute",
        (SWEEP,),
        body=(Argument("arguments", "arguments", "any", True),),
        status=201,
    ),
    Route(
        "sweeps:pause",
        "POST",
        "sweeps/{sweepId}/pause",
        "sweeps",
        "pause_sweep",
        "execute",
        (SWEEP,),
        body=(Argument("paused", "paused", "flag"),),
    ),
    Route(
        "sweeps:rerun",
        "POST",
        "sweeps/{sweepId}/rerun",
        "sweeps",
        "rerun_failed",
        "execute",
        (SWEEP,),
        status=201,
    ),
    Route(
        "files:list",
        "GET",
        "uploads/{userGroupId}/files",
        "uploads",
        "list_uploaded_files",
        "read",
        (GROUP,),
    ),
    Route(
        "files:upload",
        "POST",
        "uploads/{userGroupId}/files",
        "uploads",
        "upload_file",
        "write",
        (GROUP,),
        body=(Argument("path", "path", required=True),),  # as JSON: `take_file`; as a form: the file
        status=201,
    ),
    Route(
        "files:download",
        "GET",
        "uploads/{userGroupId}/files/{fileId}",
        "uploads",
        "get_uploaded_file",
        "read",
        (GROUP, FILE),
        answer="file",
    ),
    Route(
        "files:delete",
        "DELETE",
        "uploads/{userGroupId}/files/{fileId}",
        "uploads",
        "delete_file",
        "write",
        (GROUP, FILE),
        status=204,
        answer="nothing",
    ),
    Route(
        "events",
        "GET",
        "events",
        "events",
        "follow_events",
        "read",
        query=(
            Argument("group", "group_id", "id"),
            Argument("run", "run_id", "id"),
            Argument("sweep", "sweep_id", "id"),
            Argument("after", "after", "whole"),
        ),
        answer="stream",
    ),
)
"""Every route."""

BY_ID: dict[str, Route] = {route.id: route for route in ROUTES}
"""The same, by id."""


def by_pattern() -> Iterator[tuple[str, list[Route]]]:
    """Group the table by pattern.

    Yields
    ------
    pattern : str
        A pattern.
    routes : list of Route
        Its routes, one per verb and alias.
    """
    for pattern in dict.fromkeys(route.pattern for route in ROUTES):
        yield pattern, [route for route in ROUTES if route.pattern == pattern]


def expression(pattern: str) -> str:
    """Return a pattern as a regular expression, with a group per ``{name}`` part."""
    return re.sub(r"\{\w+\}", "([^/]+)", pattern)


def find_route(verb: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """Return the route of a path, and what stands for the ``{name}`` parts of its pattern, unescaped.

    Parameters
    ----------
    verb : str
        GET, POST, PUT or DELETE.
    path : str
        Relative to the base, without a query.

    Raises
    ------
    UnknownObjectError
        There is none.
    """
    for route in ROUTES:
        found = re.fullmatch(expression(route.pattern), path)
        if found and verb in {route.verb, *route.aliases}:
            return route, tuple(unquote(part) for part in found.groups())
    raise UnknownObjectError("path", "there is no such route", "GET the base for a list")
