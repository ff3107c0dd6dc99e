"""Workflows, groups and uploads, over the store."""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from runwidgets.errors import (
    ConstraintViolationError,
    InvalidArgumentError,
    InvalidParameterError,
    InvalidRunStateError,
    UnknownWorkflowGroupError,
)
from runwidgets.limits import Limits
from runwidgets.service.answers import check_name
from runwidgets.service.base import GroupService, UploadService, WorkflowService
from runwidgets.service.policy import Policy
from runwidgets.service.templates import Templates
from runwidgets.store.catalog import Catalog
from runwidgets.store.files import Files
from runwidgets.store.runs import Runs
from runwidgets.store.sweeps import Sweeps
from runwidgets.templates.parameters import parse_parameters

BOARD = 10_000
"""Runs on a leaderboard that has more than the best of each group, at most."""
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
Json = dict[str, Any]


@dataclass(frozen=True)
class Parts:
    """What the local services are made of; one per house, shared by all users."""

    catalog: Catalog
    runs: Runs
    sweeps: Sweeps
    files: Files
    templates: Templates
    policy: Policy
    limits: Limits
    has_resources: bool
    """Whether there is anything that ``config.resources`` could ask for."""

    def group(self, user: str | None, group_id: str) -> Row[Any]:
        """Return a group that a user may act in."""
        group = self.catalog.get_group(group_id)
        self.policy.check(user, group)
        return group

    def remove_runs(self, group_ids: Sequence[str], subject: str, remove: Callable[[], None]) -> None:
        """Remove rows and then files of some groups, unless a run of them is active."""
        if self.runs.count_active(group_ids):
            raise InvalidRunStateError(subject, "a run of it is active", "cancel it first")
        run_ids = self.runs.ids(group_ids)
        remove()
        self.files.delete_runs(run_ids)
        for group_id in group_ids:
            self.files.delete_uploads(group_id)


class LocalWorkflowService(WorkflowService):
    """Workflows of the store, for one user."""

    def __init__(self, parts: Parts, user: str | None) -> None:
        self._parts = parts
        self._user = user

    def create_workflow(
        self,
        source: str,
        name: str | None = None,
        description: str | None = None,
        identifier: str | None = None,
    ) -> Json:
        """Register a notebook; see `WorkflowService`."""
        parts = self._parts
        path = parts.templates.locate(source)
        template, version, seen = parts.templates.read(path)
        where = str(path.resolve())
        found = parts.catalog.find_workflow(where)
        if found is None:
            workflow_id = _identifier(identifier, "workflow", parts.catalog)
            values = {
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
                found = parts.catalog.find_workflow(where)  # another caller was first
                if found is None:
                    raise ConstraintViolationError(f"workflow {workflow_id}", "its id is taken") from None
            else:
                return self.get_workflow(workflow_id)
        if identifier not in (None, found.id):
            raise ConstraintViolationError(
                f"workflow {identifier}", f"the notebook is registered already, as {found.id}"
            )
        changes: Json = {"fingerprint": seen}
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
            own = {"id": uuid.uuid4().hex, "workflow_id": found.id, "name": reader, "owner": reader}
            parts.catalog.add_group({**own, "parameters": [], "config": {}}, [reader])
        return self.get_workflow(found.id)

    def list_workflows(self) -> Json:
        """List the workflows; see `WorkflowService`."""
        catalog = self._parts.catalog
        busy = catalog.get_activity(self._parts.policy.reader(self._user))
        keys = ("id", "name", "description", "lastRunAt", "activeRuns")
        rows = [(r.id, r.name, r.description, *busy.get(r.id, (None, 0))) for r in catalog.list_workflows()]
        return {"workflows": [_without_none(**dict(zip(keys, row, strict=True))) for row in rows]}

    def get_workflow(self, workflow_id: str) -> Json:
        """Return the handle of a workflow; see `WorkflowService`."""
        parts = self._parts
        version = parts.templates.current(parts.catalog.get_workflow(workflow_id))
        row = parts.catalog.get_workflow(workflow_id)
        groups = parts.catalog.list_groups(workflow_id, parts.policy.reader(self._user))
        return {
            **version.template["handle"],
            **_without_none(id=row.id, name=row.name, description=row.description),
            "groups": [{"id": group.id, "name": group.name} for group in groups],
        }

    def get_leaderboard(
        self, workflow_id: str, order_by: list[str] | None = None, include_all: bool = False
    ) -> Json:
        """Rank the successful runs of a workflow; see `WorkflowService`."""
        parts = self._parts
        workflow = parts.catalog.get_workflow(workflow_id)
        declared = parts.catalog.get_version(workflow.version_id).template["results"].get("schema", [])
        schema = [
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
        rows = list(parts.runs.best(list(known), order, BOARD if include_all else None))
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
                for row in rows[: BOARD if include_all else None]
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
            for stray in parts.files.find_copies(needed, parts.files.clock()):
                parts.files.discard(stray.path, stray.touched)


class LocalGroupService(GroupService):
    """Groups of the store, for one user."""

    def __init__(self, parts: Parts, user: str | None, check_config: Callable[[Any, str], Json]) -> None:
        self._parts = parts
        self._user = user
        self._check_config = check_config

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
        parts = self._parts
        version = parts.templates.current(parts.catalog.get_workflow(workflow_id))
        declared = parse_parameters(parameters or [], parts.limits)
        taken = {each["name"] for each in version.template["handle"]["parameters"]}
        for parameter in declared:
            if parameter.name in taken:
                raise InvalidParameterError(parameter.name, "the template declares it already")
        self._check_name(workflow_id, name)
        group_id = _identifier(identifier, "group", parts.catalog)
        values = {
            "id": group_id,
            "workflow_id": workflow_id,
            "name": check_name(name, parts.limits),
            "owner": self._user,
            "parameters": [parameter.to_json() for parameter in declared],
            "config": self._check_config(engine_config, "engineConfig"),
        }
        parts.catalog.add_group(values, sorted({*_usernames(members), *([self._user] if self._user else [])}))
        return self.get_group(group_id)

    def list_groups(self, workflow_id: str | None = None) -> Json:
        """List the groups that the user may read; see `GroupService`."""
        parts = self._parts
        if workflow_id is not None:
            parts.catalog.get_workflow(workflow_id)
        rows = parts.catalog.list_groups(workflow_id, parts.policy.reader(self._user))
        return {"groups": [{"id": row.id, "name": row.name, "workflow": row.workflow_id} for row in rows]}

    def get_group(self, group_id: str) -> Json:
        """Return the handle of a group; see `GroupService`."""
        parts = self._parts
        row = parts.group(self._user, group_id)
        version = parts.templates.current(parts.catalog.get_workflow(row.workflow_id))
        members = parts.catalog.get_members(group_id)
        return {
            "id": row.id,
            "name": row.name,
            "workflow": row.workflow_id,
            "members": [{"id": username, "username": username} for username in members],
            "parameters": [*version.template["handle"]["parameters"], *row.parameters],
            "files": [upload_handle(each) for each in parts.catalog.list_uploads(group_id)],
            "config": row.config,
        }

    def update_group(self, group_id: str, name: str | None = None, members: list[str] | None = None) -> Json:
        """Rename a group, or set its members; see `GroupService`."""
        parts = self._parts
        row = parts.group(self._user, group_id)
        if name is not None and name != row.name:
            self._check_name(row.workflow_id, check_name(name, parts.limits))
        usernames = None
        if members is not None:
            usernames = sorted({*_usernames(members), *([row.owner] if row.owner else [])})
        parts.catalog.update_group(group_id, name, usernames)
        return self.get_group(group_id)

    def delete_group(self, group_id: str) -> None:
        """Remove a group; see `GroupService`."""
        parts = self._parts
        row = parts.group(self._user, group_id)
        if row.is_default:
            raise ConstraintViolationError(
                f"group {group_id}", "it is the default group", "delete its workflow instead"
            )
        parts.remove_runs([group_id], f"group {group_id}", lambda: parts.catalog.delete_group(group_id))

    def _check_name(self, workflow_id: str, name: str) -> None:
        if self._parts.catalog.find_group(workflow_id, name) is not None:
            raise ConstraintViolationError("name", f"the workflow has a group '{name}' already")


class LocalUploadService(UploadService):
    """Uploads of the store, for one user."""

    def __init__(self, parts: Parts, user: str | None) -> None:
        self._parts = parts
        self._user = user

    def upload_file(self, group_id: str, file: IO[bytes], name: str) -> Json:
        """Store a file with a group; see `UploadService`."""
        parts = self._parts
        parts.group(self._user, group_id)
        _check_file_name(name, parts.limits)
        file_id = uuid.uuid4().hex
        digest, size = parts.files.store_upload(group_id, file_id, name, file, parts.limits.upload)
        values = {"id": file_id, "group_id": group_id, "name": name, "size": size, "sha256": digest}
        try:
            return upload_handle(parts.catalog.add_upload(values))
        except IntegrityError:
            parts.files.delete_upload(group_id, file_id)
            raise UnknownWorkflowGroupError(f"group {group_id}", "it was deleted meanwhile") from None
        except BaseException:
            parts.files.delete_upload(group_id, file_id)
            raise

    def take_file(self, group_id: str, path: str) -> Json:
        """Store a copy of a file of the server; see `UploadService`."""
        self._parts.group(self._user, group_id)
        with self._parts.templates.open_file(path, self._parts.files.root) as stream:
            return self.upload_file(group_id, stream, PurePath(path).name)

    def list_uploaded_files(self, group_id: str) -> Json:
        """List the uploads of a group; see `UploadService`."""
        self._parts.group(self._user, group_id)
        return {"files": [upload_handle(row) for row in self._parts.catalog.list_uploads(group_id)]}

    def get_uploaded_file(self, group_id: str, file_id: str) -> IO[bytes]:
        """Open an upload; see `UploadService`."""
        self._parts.group(self._user, group_id)
        row = self._parts.catalog.get_upload(group_id, file_id)
        return self._parts.files.open_upload(group_id, file_id, row.name)

    def delete_file(self, group_id: str, file_id: str) -> None:
        """Remove an upload; see `UploadService`."""
        self._parts.group(self._user, group_id)
        self._parts.catalog.get_upload(group_id, file_id)
        self._parts.catalog.delete_upload(file_id)
        self._parts.files.delete_upload(group_id, file_id)


def upload_handle(row: Row[Any]) -> Json:
    """Return the handle of an upload."""
    return {"id": row.id, "name": row.name, "createdAt": row.created_at, "size": row.size}


def _without_none(**values: Any) -> Json:
    return {key: value for key, value in values.items() if value is not None}


def _identifier(given: str | None, kind: str, catalog: Catalog) -> str:
    if given is None:
        return uuid.uuid4().hex
    if not isinstance(given, str) or not IDENTIFIER.fullmatch(given):
        raise ConstraintViolationError(
            "identifier", f"{given!r:.80} is none", "use 1 to 64 letters, digits, '-' and '_'"
        )
    if catalog.is_taken(kind, given):
        raise ConstraintViolationError("identifier", f"'{given}' is taken by another {kind}")
    return given


def _usernames(given: Any) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
        raise ConstraintViolationError("members", "it must be a list of user names")
    return given


def _check_file_name(name: str, limits: Limits) -> None:
    is_plain = isinstance(name, str) and PurePath(name).name == name and name not in {"", ".", ".."}
    if not is_plain or any(sign in name for sign in "/\\\0") or name.startswith("."):
        raise InvalidArgumentError(
            "name", f"{name!r:.80} is no plain file name", "leave folders and dots away"
        )
    if len(name.encode("utf-8", "replace")) > limits.name_length or not name.isprintable():
        raise InvalidArgumentError(
            "name", f"it must have at most {limits.name_length} bytes of printable characters"
        )


def _order(given: str, names: list[str]) -> tuple[str, bool]:
    name, _, direction = given.partition(":")
    if name not in names or direction not in {"", "asc", "desc"}:
        raise InvalidArgumentError(
            "orderBy", f"'{given}' is none of {', '.join(names) or 'no metrics'}", "add ':asc' or ':desc'"
        )
    return name, direction != "asc"


def _rank(value: Any, is_descending: bool) -> tuple[int, float]:
    """Sort numbers as asked, and what is no number last."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 1, 0.0
    return 0, -value if is_descending else value
