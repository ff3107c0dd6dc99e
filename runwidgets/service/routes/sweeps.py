"""The routes of sweeps."""

from runwidgets.service.routes.route import GROUP, SWEEP, Route, RouteArgument

START_SWEEP = Route(
    "sweeps:start",
    "POST",
    "groups/{userGroupId}/sweeps",
    lambda api: api.sweeps.start_sweep,
    action="execute",
    path=(GROUP,),
    body=(
        RouteArgument("arguments", "arguments", "any", required=True),
        RouteArgument("config", "config", "any"),
        RouteArgument("name", "name"),
    ),
    status=201,
)

LIST_SWEEPS = Route(
    "sweeps:list",
    "GET",
    "groups/{userGroupId}/sweeps",
    lambda api: api.sweeps.list_sweeps,
    action="read",
    path=(GROUP,),
)

GET_SWEEP = Route(
    "sweeps:get", "GET", "sweeps/{sweepId}", lambda api: api.sweeps.get_sweep, action="read", path=(SWEEP,)
)

CANCEL_SWEEP = Route(
    "sweeps:cancel",
    "PUT",
    "sweeps/{sweepId}",
    lambda api: api.sweeps.cancel_sweep,
    action="execute",
    path=(SWEEP,),
    body=(
        RouteArgument("reason", "reason"),
        RouteArgument("pendingOnly", "pending_only", "flag"),
        RouteArgument("interrupted", "interrupted", "flag"),
    ),
)

DELETE_SWEEP = Route(
    "sweeps:delete",
    "DELETE",
    "sweeps/{sweepId}",
    lambda api: api.sweeps.delete_sweep,
    action="write",
    path=(SWEEP,),
    status=204,
    response="nothing",
)

GET_POINTS = Route(
    "sweeps:points",
    "GET",
    "sweeps/{sweepId}/points",
    lambda api: api.sweeps.get_points,
    action="read",
    path=(SWEEP,),
    query=(
        RouteArgument("after", "after"),
        RouteArgument("limit", "limit", "whole"),
    ),
)

ADD_POINTS = Route(
    "sweeps:add",
    "POST",
    "sweeps/{sweepId}/points",
    lambda api: api.sweeps.add_points,
    action="execute",
    path=(SWEEP,),
    body=(RouteArgument("arguments", "arguments", "any", required=True),),
    status=201,
)

PAUSE_SWEEP = Route(
    "sweeps:pause",
    "POST",
    "sweeps/{sweepId}/pause",
    lambda api: api.sweeps.pause_sweep,
    action="execute",
    path=(SWEEP,),
    body=(RouteArgument("paused", "paused", "flag"),),
)

RERUN_FAILED = Route(
    "sweeps:rerun",
    "POST",
    "sweeps/{sweepId}/rerun",
    lambda api: api.sweeps.rerun_failed,
    action="execute",
    path=(SWEEP,),
    body=(RouteArgument("numbers", "numbers", "any"), RouteArgument("latest", "latest", "flag")),
    status=201,
)
