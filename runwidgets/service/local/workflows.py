"""The workflow service in this process: workflows and their leaderboards."""

import uuid
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from runwidgets.errors import (
    ConstraintViolationError,
)
from runwidgets.schema import (
    Leaderboard,
    TemplateHandle,
    WorkflowDescriptor,
    WorkflowGroup,
    WorkflowHandle,
    WorkflowList,
)
from runwidgets.service.contracts.workflows import WorkflowService
from runwidgets.service.local.components import Components
from runwidgets.service.local.leaderboard import make_leaderboard
from runwidgets.service.local.submission.kernel import find_kernel_warnings
from runwidgets.service.local.validation import (
    check_flag,
    check_identifier,
    check_name,
    check_text,
    check_texts,
    new_identifier,
)
from runwidgets.store.database.columns import NewGroup, NewWorkflow, WorkflowChange


class LocalWorkflowService(WorkflowService):
    """Workflows of the store, for one user."""

    def __init__(self, components: Components, user: str | None) -> None:
        self._components = components
        self._user = user

    def create_workflow(
        self,
        source: str,
        name: str | None = None,
        description: str | None = None,
        identifier: str | None = None,
    ) -> WorkflowHandle:
        """Register a notebook; see `WorkflowService`."""
        components = self._components
        if name is not None:
            check_name(name, components.limits)
        if description is not None:
            check_text("description", description, components.limits.string_size)
        check_identifier(identifier)
        path = components.templates.locate(check_text("source", source, components.limits.string_size))
        path = path.parent.resolve() / path.name  # a linked notebook works in the folder of the link
        template, version, new_fingerprint = components.templates.read(path)
        resolved = str(path)
        existing = components.catalog.find_workflow(resolved)
        if existing is None:
            workflow_id = new_identifier(identifier, "workflow", components.catalog)
            values: NewWorkflow = {
                "id": workflow_id,
                "source": resolved,
                "name": check_name(name or template.name, components.limits),
                "description": description or template.description,
                "is_named": name is not None,
                "is_described": description is not None,
                "fingerprint": new_fingerprint,
            }
            try:
                components.catalog.add_workflow(values, version, uuid.uuid4().hex, self._user)
            except IntegrityError:
                existing = components.catalog.find_workflow(resolved)  # a concurrent call came first
                if existing is None:
                    raise ConstraintViolationError(f"workflow {workflow_id}", "its id is used") from None
            else:
                return self.get_workflow(workflow_id)
        if identifier not in (None, existing.id):
            raise ConstraintViolationError(
                f"workflow {identifier}", f"the notebook is already registered as {existing.id}"
            )
        changes: WorkflowChange = {"fingerprint": new_fingerprint}
        if name is not None or not existing.is_named:
            changes |= {
                "name": check_name(name or template.name, components.limits),
                "is_named": name is not None,
            }
        if description is not None or not existing.is_described:
            changes |= {
                "description": description or template.description,
                "is_described": description is not None,
            }
        components.catalog.update_workflow(existing.id, changes, version)
        reader = components.policy.reader(self._user)
        if reader is not None and not components.catalog.list_groups(existing.id, reader):
            group: NewGroup = {
                "id": uuid.uuid4().hex,
                "workflow_id": existing.id,
                "name": reader,
                "owner": reader,
                "parameters": [],
                "config": {},
            }
            components.catalog.add_group(group, [reader])
        return self.get_workflow(existing.id)

    def list_workflows(self) -> WorkflowList:
        """List the workflows; see `WorkflowService`."""
        catalog = self._components.catalog
        activity = catalog.get_activity(self._components.policy.reader(self._user))
        return {
            "workflows": [
                _descriptor(row, *activity.get(row.id, (None, 0))) for row in catalog.list_workflows()
            ]
        }

    def get_workflow(self, workflow_id: str) -> WorkflowHandle:
        """Return the handle of a workflow; see `WorkflowService`."""
        components = self._components
        version = components.templates.current(components.catalog.get_workflow(workflow_id))
        row = components.catalog.get_workflow(workflow_id)
        groups = components.catalog.list_groups(workflow_id, components.policy.reader(self._user))
        template: TemplateHandle = version.template["handle"]
        warnings = [*template.get("warnings", []), *find_kernel_warnings(components, version.template)]
        handle: WorkflowHandle = {
            **template,
            "id": row.id,
            "version": version.sha256,
            "name": row.name,
            "groups": [_group_handle(group) for group in groups],
        }
        if row.description is not None:
            handle["description"] = row.description
        if warnings:
            handle["warnings"] = warnings
        return handle

    def get_leaderboard(
        self, workflow_id: str, order_by: list[str] | None = None, include_all: bool = False
    ) -> Leaderboard:
        """Rank the successful runs of a workflow; see `WorkflowService`."""
        components = self._components
        workflow = components.catalog.get_workflow(workflow_id)
        groups = components.catalog.list_groups(workflow_id, components.policy.reader(self._user))
        return make_leaderboard(
            components,
            workflow,
            groups,
            None if order_by is None else check_texts("orderBy", order_by),
            include_all=check_flag("includeAll", include_all),
        )

    def delete_workflow(self, workflow_id: str) -> None:
        """Remove a workflow; see `WorkflowService`."""
        components = self._components
        components.catalog.get_workflow(workflow_id)
        groups = components.catalog.list_groups(workflow_id, None)
        for group in groups:
            components.policy.check(self._user, group)
        components.remove_runs(
            [group.id for group in groups],
            f"workflow {workflow_id}",
            lambda: components.catalog.delete_workflow(workflow_id),
        )
        needed = components.catalog.needed_copies()
        if needed is not None:
            for orphan in components.files.find_copies(needed, components.files.clock()):
                components.files.discard(orphan)


def _descriptor(row: Row[Any], last_run_at: str | None, active_runs: int) -> WorkflowDescriptor:
    descriptor: WorkflowDescriptor = {"id": row.id, "name": row.name, "activeRuns": active_runs}
    if row.description is not None:
        descriptor["description"] = row.description
    if last_run_at is not None:
        descriptor["lastRunAt"] = last_run_at
    return descriptor


def _group_handle(group: Row[Any]) -> WorkflowGroup:
    handle: WorkflowGroup = {"id": group.id, "name": group.name}
    if group.config:
        handle["config"] = group.config
    return handle
