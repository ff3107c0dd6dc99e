"""The group service in this process."""

from runwidgets.errors import (
    ConstraintViolationError,
    InvalidArgumentError,
    InvalidParameterError,
)
from runwidgets.schema import GroupHandle, GroupList, ParameterDeclaration, RunConfig
from runwidgets.service.contracts.groups import GroupService
from runwidgets.service.local.components import Components
from runwidgets.service.local.run_config import check_config
from runwidgets.service.local.uploads import upload_handle
from runwidgets.service.local.validation import check_name, check_usernames, new_identifier
from runwidgets.store.database.columns import NewGroup
from runwidgets.templates.parameters import check_names, parse_parameters


class LocalGroupService(GroupService):
    """Groups of the store, for one user."""

    def __init__(self, components: Components, user: str | None) -> None:
        self._components = components
        self._user = user

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
        components = self._components
        version = components.templates.current(components.catalog.get_workflow(workflow_id))
        if engine_config is not None and config is not None:
            raise InvalidArgumentError("config", "it is another name of engineConfig", "give one of them")
        declared = parse_parameters([] if parameters is None else parameters, components.limits)
        check_names(declared, version.template["language"])
        template_names = {each["name"] for each in version.template["handle"]["parameters"]}
        for parameter in declared:
            if parameter.name in template_names:
                raise InvalidParameterError(parameter.name, "the template already declares it")
        self._check_name(workflow_id, check_name(name, components.limits))
        group_id = new_identifier(identifier, "group", components.catalog)
        values: NewGroup = {
            "id": group_id,
            "workflow_id": workflow_id,
            "name": name,
            "owner": self._user,
            "parameters": [parameter.to_json() for parameter in declared],
            "config": check_config(engine_config, "engineConfig") | check_config(config, "config"),
        }
        components.catalog.add_group(
            values, sorted({*check_usernames(members), *([self._user] if self._user else [])})
        )
        return self.get_group(group_id)

    def list_groups(self, workflow_id: str | None = None) -> GroupList:
        """List the groups that the user may read; see `GroupService`."""
        components = self._components
        if workflow_id is not None:
            components.catalog.get_workflow(workflow_id)
        rows = components.catalog.list_groups(workflow_id, components.policy.reader(self._user))
        return {"groups": [{"id": row.id, "name": row.name, "workflow": row.workflow_id} for row in rows]}

    def get_group(self, group_id: str) -> GroupHandle:
        """Return the handle of a group; see `GroupService`."""
        components = self._components
        row = components.group(self._user, group_id)
        version = components.templates.current(components.catalog.get_workflow(row.workflow_id))
        members = components.catalog.get_members(group_id)
        handle: GroupHandle = {
            "id": row.id,
            "name": row.name,
            "workflow": row.workflow_id,
            "members": [{"id": username, "username": username} for username in members],
            "parameters": [*version.template["handle"]["parameters"], *row.parameters],
            "files": [upload_handle(each) for each in components.catalog.list_uploads(group_id)],
            "config": row.config,
        }
        if warnings := components.templates.list_warnings(version, row):
            handle["warnings"] = warnings
        return handle

    def update_group(
        self, group_id: str, name: str | None = None, members: list[str] | None = None
    ) -> GroupHandle:
        """Rename a group, or set its members; see `GroupService`."""
        components = self._components
        row = components.group(self._user, group_id)
        if name is not None and name != row.name:
            self._check_name(row.workflow_id, check_name(name, components.limits))
        usernames = None
        if members is not None:
            usernames = sorted({*check_usernames(members), *([row.owner] if row.owner else [])})
        components.catalog.update_group(group_id, name, usernames)
        return self.get_group(group_id)

    def delete_group(self, group_id: str) -> None:
        """Remove a group; see `GroupService`."""
        components = self._components
        row = components.group(self._user, group_id)
        if row.is_default:
            raise ConstraintViolationError(
                f"group {group_id}", "it is the default group", "delete its workflow instead"
            )
        components.remove_runs(
            [group_id], f"group {group_id}", lambda: components.catalog.delete_group(group_id)
        )

    def _check_name(self, workflow_id: str, name: str) -> None:
        if self._components.catalog.find_group(workflow_id, name) is not None:
            raise ConstraintViolationError("name", f"the workflow already has a group '{name}'")
