"""The routes of workflows, groups and uploads."""

from runwidgets.service.routes.route import FILE, GROUP, WORKFLOW, Route, RouteArgument

LIST_WORKFLOWS = Route(
    "workflows:list", "GET", "workflows", lambda api: api.workflows.list_workflows, action="read"
)

CREATE_WORKFLOW = Route(
    "workflows:create",
    "POST",
    "workflows",
    lambda api: api.workflows.create_workflow,
    action="write",
    body=(
        RouteArgument("source", "source", required=True),
        RouteArgument("name", "name"),
        RouteArgument("description", "description"),
        RouteArgument("id", "identifier"),
    ),
    status=201,
)

GET_WORKFLOW = Route(
    "workflows:get",
    "GET",
    "workflows/{workflowId}",
    lambda api: api.workflows.get_workflow,
    action="read",
    path=(WORKFLOW,),
)

DELETE_WORKFLOW = Route(
    "workflows:delete",
    "DELETE",
    "workflows/{workflowId}",
    lambda api: api.workflows.delete_workflow,
    action="write",
    path=(WORKFLOW,),
    status=204,
    response="nothing",
)

GET_LEADERBOARD = Route(
    "leaderboard",
    "GET",
    "workflows/{workflowId}/leaderboard",
    lambda api: api.workflows.get_leaderboard,
    action="read",
    path=(WORKFLOW,),
    query=(
        RouteArgument("orderBy", "order_by", "names"),
        RouteArgument("includeAll", "include_all", "flag"),
    ),
    advertised=("orderBy", "includeAll"),
)

LIST_GROUPS_OF_WORKFLOW = Route(
    "workflows:groups",
    "GET",
    "workflows/{workflowId}/groups",
    lambda api: api.groups.list_groups,
    action="read",
    path=(WORKFLOW,),
)

CREATE_GROUP = Route(
    "groups:create",
    "POST",
    "workflows/{workflowId}/groups",
    lambda api: api.groups.create_group,
    action="write",
    path=(WORKFLOW,),
    body=(
        RouteArgument("name", "name", required=True),
        RouteArgument("members", "members", "names"),
        RouteArgument("parameters", "parameters", "any"),
        RouteArgument("engineConfig", "engine_config", "any"),
        RouteArgument("id", "identifier"),
        RouteArgument("config", "config", "any"),
    ),
    status=201,
)

LIST_GROUPS = Route("groups:list", "GET", "groups", lambda api: api.groups.list_groups, action="read")

GET_GROUP = Route(
    "groups:get",
    "GET",
    "groups/{userGroupId}",
    lambda api: api.groups.get_group,
    action="read",
    path=(GROUP,),
)

UPDATE_GROUP = Route(
    "groups:update",
    "PUT",
    "groups/{userGroupId}",
    lambda api: api.groups.update_group,
    action="write",
    path=(GROUP,),
    body=(
        RouteArgument("name", "name"),
        RouteArgument("members", "members", "names"),
    ),
    aliases=("POST",),
)

DELETE_GROUP = Route(
    "groups:delete",
    "DELETE",
    "groups/{userGroupId}",
    lambda api: api.groups.delete_group,
    action="write",
    path=(GROUP,),
    status=204,
    response="nothing",
)

LIST_UPLOADED_FILES = Route(
    "files:list",
    "GET",
    "uploads/{userGroupId}/files",
    lambda api: api.uploads.list_uploaded_files,
    action="read",
    path=(GROUP,),
)

TAKE_FILE = Route(
    "files:upload",
    "POST",
    "uploads/{userGroupId}/files",
    lambda api: api.uploads.take_file,
    action="write",
    path=(GROUP,),
    body=(RouteArgument("path", "path", required=True),),
    status=201,
)

GET_UPLOADED_FILE = Route(
    "files:download",
    "GET",
    "uploads/{userGroupId}/files/{fileId}",
    lambda api: api.uploads.get_uploaded_file,
    action="read",
    path=(
        GROUP,
        FILE,
    ),
    response="file",
)

DELETE_FILE = Route(
    "files:delete",
    "DELETE",
    "uploads/{userGroupId}/files/{fileId}",
    lambda api: api.uploads.delete_file,
    action="write",
    path=(
        GROUP,
        FILE,
    ),
    status=204,
    response="nothing",
)
