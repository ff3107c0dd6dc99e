"""The workflow service in this process: workflows and their leaderboards."""

import uuid
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from runwidgets.errors import (
    ConstraintViolationError,
    InvalidArgumentError,
)
from runwidgets.schema import (
    JsonValue,
    Leaderboard,
    LeaderboardMetric,
    TemplateHandle,
    WorkflowDescriptor,
    WorkflowHandle,
    WorkflowList,
)
from runwidgets.service.contracts.workflows import WorkflowService
from runwidgets.service.local.components import Components
from runwidgets.service.local.validation import check_identifier, check_name
from runwidgets.store.database.columns import NewGroup, NewWorkflow, WorkflowChange

LEADERBOARD_SIZE = 10_000
"""Runs on a leaderboard of all runs at most."""


class LocalWorkflowService(WorkflowService):
    """Workflows of the store, for one user."""

    def __init__(self, parts: Components, user: str | None) -> None:
        self._parts = parts
        self._user = user

    def create_workflow(
        self,
        source: str,
        name: str | None = None,
        description: str | None = None,
        identifier: str | None = None,
    ) -> WorkflowHandle:
        """Register a notebook; see `WorkflowService`."""
        parts = self._parts
        path = parts.templates.locate(source)
        template, version, seen = parts.templates.read(path)
        where = str(path.resolve())
        found = parts.catalog.find_workflow(where)
        if found is None:
            workflow_id = check_identifier(identifier, "workflow", parts.catalog)
            values: NewWorkflow = {
                "id": workflow_id,
                "source": where,
                "name": check_name(name or template.name, parts.limits),
                "description": description or template.description,
                "is_named": name is not None,
                "is_described": description is not None,
                "fingerprint": seen,
            }
            try:
                parts.catalog.add_workflow(values, version, uuid.uuid4().hex, self._user)
            except IntegrityError:
                found = parts.catalog.find_workflow(where)  # a concurrent call came first
                if found is None:
                    raise ConstraintViolationError(f"workflow {workflow_id}", "its id is used") from None
            else:
                return self.get_workflow(workflow_id)
        if identifier not in (None, found.id):
            raise ConstraintViolationError(
                f"workflow {identifier}", f"the notebook is already registered as {found.id}"
            )
        changes: WorkflowChange = {"fingerprint": seen}
        if name is not None or not found.is_named:
            changes |= {"name": check_name(name or template.name, parts.limits), "is_named": name is not None}
        if description is not None or not found.is_described:
            changes |= {
                "description": description or template.description,
                "is_described": description is not None,
            }
        parts.catalog.update_workflow(found.id, changes, version)
        reader = parts.policy.reader(self._user)
        if reader is not None and not parts.catalog.list_groups(found.id, reader):
            own: NewGroup = {
                "id": uuid.uuid4().hex,
                "workflow_id": found.id,
                "name": reader,
                "owner": reader,
                "parameters": [],
                "config": {},
            }
            parts.catalog.add_group(own, [reader])
        return self.get_workflow(found.id)

    def list_workflows(self) -> WorkflowList:
        """List the workflows; see `WorkflowService`."""
        catalog = self._parts.catalog
        busy = catalog.get_activity(self._parts.policy.reader(self._user))
        return {
            "workflows": [_descriptor(row, *busy.get(row.id, (None, 0))) for row in catalog.list_workflows()]
        }

    def get_workflow(self, workflow_id: str) -> WorkflowHandle:
        """Return the handle of a workflow; see `WorkflowService`."""
        parts = self._parts
        version = parts.templates.current(parts.catalog.get_workflow(workflow_id))
        row = parts.catalog.get_workflow(workflow_id)
        groups = parts.catalog.list_groups(workflow_id, parts.policy.reader(self._user))
        template: TemplateHandle = version.template["handle"]
        handle: WorkflowHandle = {
            **template,
            "id": row.id,
            "name": row.name,
            "groups": [{"id": group.id, "name": group.name} for group in groups],
        }
        if row.description is not None:
            handle["description"] = row.description
        return handle

    def get_leaderboard(
        self, workflow_id: str, order_by: list[str] | None = None, include_all: bool = False
    ) -> Leaderboard:
        """Rank the successful runs of a workflow; see `WorkflowService`."""
        parts = self._parts
        workflow = parts.catalog.get_workflow(workflow_id)
        declared = parts.catalog.get_version(workflow.version_id).template["results"].get("schema", [])
        schema: list[LeaderboardMetric] = [
            {
                "name": each["name"],
                "label": each.get("label", each["name"]),
                "dtype": each.get("dtype", "float"),
            }
            for each in declared
        ]
        names = [each["name"] for each in schema]
        order = [_order(each, names) for each in (order_by or names[:1])]
        groups = parts.catalog.list_groups(workflow_id, parts.policy.reader(self._user))
        known = {group.id: group for group in groups}
        rows = list(parts.runs.best(list(known), order, LEADERBOARD_SIZE if include_all else None))
        for name, is_descending in reversed(order):
            rows.sort(key=lambda row: _rank(row.metrics.get(name), is_descending))
        return {
            "schema": schema,
            "ranking": [
                {
                    "run": {"id": row.id, "createdAt": row.created_at, "finishedAt": row.finished_at},
                    "group": {"id": row.group_id, "name": known[row.group_id].name},
                    "results": [
                        {"name": name, "value": row.metrics[name]} for name in names if name in row.metrics
                    ],
                }
                for row in rows[: LEADERBOARD_SIZE if include_all else None]
            ],
        }

    def delete_workflow(self, workflow_id: str) -> None:
        """Remove a workflow; see `WorkflowService`."""
        parts = self._parts
        parts.catalog.get_workflow(workflow_id)
        groups = parts.catalog.list_groups(workflow_id, None)
        for group in groups:
            parts.policy.check(self._user, group)
        parts.remove_runs(
            [group.id for group in groups],
            f"workflow {workflow_id}",
            lambda: parts.catalog.delete_workflow(workflow_id),
        )
        needed = parts.catalog.needed_copies()
        if needed is not None:
            for orphan in parts.files.find_copies(needed, parts.files.clock()):
                parts.files.discard(orphan)


def _descriptor(row: Row[Any], last_run_at: str | None, active_runs: int) -> WorkflowDescriptor:
    shown: WorkflowDescriptor = {"id": row.id, "name": row.name, "activeRuns": active_runs}
    if row.description is not None:
        shown["description"] = row.description
    if last_run_at is not None:
        shown["lastRunAt"] = last_run_at
    return shown


def _order(given: str, names: list[str]) -> tuple[str, bool]:
    name, _, direction = given.partition(":")
    if name not in names or direction not in {"", "asc", "desc"}:
        raise InvalidArgumentError(
            "orderBy", f"'{given}' is not one of {', '.join(names) or 'no metrics'}", "add ':asc' or ':desc'"
        )
    return name, direction != "asc"


def _rank(value: JsonValue, is_descending: bool) -> tuple[int, float]:
    """Sort numbers in the given order, followed by values that are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 1, 0.0
    return 0, -value if is_descending else value
