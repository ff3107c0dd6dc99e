"""The SQL statements about workflows, groups and uploads."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, func, insert, or_, select, update

from runwidgets.errors import UnknownFileError, UnknownWorkflowError, UnknownWorkflowGroupError
from runwidgets.states import ACTIVE
from runwidgets.store.database.columns import NewGroup, NewUpload, NewVersion, NewWorkflow, WorkflowChange
from runwidgets.store.database.database import Database, now
from runwidgets.store.database.tables import (
    events,
    groups,
    members,
    run_uploads,
    runs,
    uploads,
    versions,
    workflows,
)
from runwidgets.store.identifiers import check_id


class Catalog:
    """The workflows, groups and uploads of one database.

    Parameters
    ----------
    database : Database
        The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- workflows ---------------------------------------------------------------------------------

    def add_workflow(
        self, values: NewWorkflow, version: NewVersion, group_id: str, username: str | None
    ) -> None:
        """Add a workflow with its first version and its default group.

        Parameters
        ----------
        values : dict
            Columns of `workflows`, without those that the database fills in.
        version : dict
            Its first version.
        group_id : str
            Id of its default group.
        username : str or None
            Its owner.
        """
        moment = now()
        with self._database.write() as connection:
            connection.execute(insert(workflows).values(owner=username, created_at=moment, **values))
            row = {"workflow_id": values["id"], "created_at": moment, **version}
            new_id = connection.execute(insert(versions).values(**row).returning(versions.c.id)).scalar_one()
            connection.execute(
                update(workflows).where(workflows.c.id == values["id"]).values(version_id=new_id)
            )
            connection.execute(
                insert(groups).values(
                    id=group_id,
                    workflow_id=values["id"],
                    name="default",
                    owner=username,
                    parameters=[],
                    config={},
                    is_default=True,
                    created_at=moment,
                )
            )
            if username is not None:
                connection.execute(insert(members).values(group_id=group_id, username=username))

    def update_workflow(self, workflow_id: str, values: WorkflowChange, version: NewVersion) -> None:
        """Make a version the current one of a workflow, and add it if it is new.

        What is read again of a known one may differ in what does not count for its hash: times of files, and
        folders in which files may appear.
        """
        with self._database.write() as connection:
            existing = select(versions.c.id).where(
                versions.c.workflow_id == workflow_id, versions.c.sha256 == version["sha256"]
            )
            current_id = connection.execute(existing).scalar_one_or_none()
            if current_id is None:
                row = {"workflow_id": workflow_id, "created_at": now(), **version}
                current_id = connection.execute(
                    insert(versions).values(**row).returning(versions.c.id)
                ).scalar_one()
            else:
                known = update(versions).where(versions.c.id == current_id)
                connection.execute(known.values(template=version["template"]))
            connection.execute(
                update(workflows).where(workflows.c.id == workflow_id).values(version_id=current_id, **values)
            )

    def find_workflow(self, source: str) -> Row[Any] | None:
        """Return the workflow of a notebook."""
        with self._database.read() as connection:
            return connection.execute(select(workflows).where(workflows.c.source == source)).one_or_none()

    def get_workflow(self, workflow_id: str) -> Row[Any]:
        """Return a workflow.

        Raises
        ------
        UnknownWorkflowError
            There is no such workflow.
        """
        chosen = select(workflows).where(workflows.c.id == check_id("workflow", workflow_id))
        with self._database.read() as connection:
            row = connection.execute(chosen).one_or_none()
        if row is None:
            raise UnknownWorkflowError(f"workflow {workflow_id}", "there is no such workflow")
        return row

    def get_version(self, version_id: int) -> Row[Any]:
        """Return a version of a template."""
        with self._database.read() as connection:
            return connection.execute(select(versions).where(versions.c.id == version_id)).one()

    def needed_copies(self) -> set[str] | None:
        """Return the SHA-256 of all copies that versions need, or None if a version is damaged."""
        needed = set()
        with self._database.read() as connection:
            try:
                for row in connection.execute(select(versions.c.notebook, versions.c.template)):
                    needed |= {row.notebook, *(each["sha256"] for each in row.template["inputs"])}
            except (ValueError, LookupError, TypeError):
                return None
        return needed

    def list_workflows(self) -> Sequence[Row[Any]]:
        """Return all workflows, oldest first."""
        with self._database.read() as connection:
            return connection.execute(select(workflows).order_by(workflows.c.seq)).all()

    def get_activity(self, username: str | None) -> dict[str, tuple[str | None, int]]:
        """Return the activity of all workflows, in one statement that two indexes of `runs` serve.

        Parameters
        ----------
        username : str or None
            None for the runs of all groups; a name for the runs of groups that the user owns or is a member
            of.

        Returns
        -------
        dict of str to tuple of str or None and int
            By workflow: the time at which the newest run was accepted, and the number of active runs.
        """
        is_in_group = runs.c.group_id == groups.c.id
        newest = select(runs.c.created_at).where(is_in_group).order_by(runs.c.seq.desc()).limit(1)
        active = select(func.count()).select_from(runs).where(is_in_group, runs.c.state.in_(ACTIVE))
        query = select(groups.c.workflow_id, newest.scalar_subquery(), active.scalar_subquery())
        if username is not None:
            query = query.where(_is_accessible_to(username))
        activity: dict[str, tuple[str | None, int]] = {}
        with self._database.read() as connection:
            for workflow_id, last, count in connection.execute(query):
                newest_so_far, active_so_far = activity.get(workflow_id, (None, 0))
                activity[workflow_id] = (
                    max(filter(None, (newest_so_far, last)), default=None),
                    active_so_far + count,
                )
        return activity

    def delete_workflow(self, workflow_id: str) -> None:
        """Remove a workflow with its groups, uploads and runs."""
        with self._database.write() as connection:
            group_ids = select(groups.c.id).where(groups.c.workflow_id == workflow_id)
            connection.execute(delete(events).where(events.c.group_id.in_(group_ids)))
            connection.execute(delete(workflows).where(workflows.c.id == workflow_id))

    # -- groups ------------------------------------------------------------------------------------

    def add_group(self, values: NewGroup, usernames: Sequence[str]) -> None:
        """Add a group with its members."""
        with self._database.write() as connection:
            connection.execute(insert(groups).values(is_default=False, created_at=now(), **values))
            rows = [{"group_id": values["id"], "username": username} for username in usernames]
            if rows:
                connection.execute(insert(members), rows)

    def get_group(self, group_id: str) -> Row[Any]:
        """Return a group.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        """
        chosen = select(groups).where(groups.c.id == check_id("group", group_id))
        with self._database.read() as connection:
            row = connection.execute(chosen).one_or_none()
        if row is None:
            raise UnknownWorkflowGroupError(f"group {group_id}", "there is no such group")
        return row

    def is_taken(self, table: str, identifier: str) -> bool:
        """Return whether a workflow or group with an id exists."""
        selected_table = {"workflow": workflows, "group": groups}[table]
        with self._database.read() as connection:
            return (
                connection.execute(
                    select(selected_table.c.id).where(selected_table.c.id == identifier)
                ).first()
                is not None
            )

    def find_group(self, workflow_id: str, name: str) -> Row[Any] | None:
        """Return the group of a workflow with a name."""
        with self._database.read() as connection:
            query = select(groups).where(groups.c.workflow_id == workflow_id, groups.c.name == name)
            return connection.execute(query).one_or_none()

    def list_groups(self, workflow_id: str | None, username: str | None) -> Sequence[Row[Any]]:
        """Return groups, the default group of a workflow first, then oldest first.

        Parameters
        ----------
        workflow_id : str, optional
            Only groups of this workflow.
        username : str, optional
            Only groups that this user owns or is a member of.
        """
        query = select(groups).order_by(groups.c.is_default.desc(), groups.c.seq)
        if workflow_id is not None:
            query = query.where(groups.c.workflow_id == workflow_id)
        if username is not None:
            query = query.where(_is_accessible_to(username))
        with self._database.read() as connection:
            return connection.execute(query).all()

    def get_members(self, group_id: str) -> Sequence[str]:
        """Return the names of a group's members, sorted."""
        with self._database.read() as connection:
            query = select(members.c.username).where(members.c.group_id == group_id)
            return connection.execute(query.order_by(members.c.username)).scalars().all()

    def update_group(self, group_id: str, name: str | None, usernames: Sequence[str] | None) -> None:
        """Rename a group or replace its members."""
        with self._database.write() as connection:
            if name is not None:
                connection.execute(update(groups).where(groups.c.id == group_id).values(name=name))
            if usernames is not None:
                connection.execute(delete(members).where(members.c.group_id == group_id))
                rows = [{"group_id": group_id, "username": username} for username in usernames]
                if rows:
                    connection.execute(insert(members), rows)

    def delete_group(self, group_id: str) -> None:
        """Remove a group with its uploads and runs."""
        with self._database.write() as connection:
            connection.execute(delete(events).where(events.c.group_id == group_id))
            connection.execute(delete(groups).where(groups.c.id == group_id))

    # -- uploads -----------------------------------------------------------------------------------

    def add_upload(self, values: NewUpload) -> Row[Any]:
        """Add an upload, and return its row."""
        with self._database.write() as connection:
            return connection.execute(
                insert(uploads).values(created_at=now(), **values).returning(uploads)
            ).one()

    def list_uploads(self, group_id: str, *, with_deleted: bool = False) -> Sequence[Row[Any]]:
        """Return the uploads of a group, oldest first, and optionally the deleted ones that runs name."""
        query = select(uploads).where(uploads.c.group_id == group_id)
        if not with_deleted:
            query = query.where(~uploads.c.is_deleted)
        with self._database.read() as connection:
            return connection.execute(query.order_by(uploads.c.seq)).all()

    def get_upload(self, group_id: str, file_id: str) -> Row[Any]:
        """Return an upload of a group.

        Raises
        ------
        UnknownFileError
            The group has no such upload.
        """
        chosen = select(uploads).where(
            uploads.c.group_id == group_id, uploads.c.id == check_id("file", file_id), ~uploads.c.is_deleted
        )
        with self._database.read() as connection:
            row = connection.execute(chosen).one_or_none()
        if row is None:
            raise UnknownFileError(f"file {file_id}", "the group has no such upload")
        return row

    def delete_upload(self, file_id: str) -> bool:
        """Remove an upload, or hide it as long as a run names it; return whether it was removed."""
        with self._database.write() as connection:
            removed = delete(uploads).where(uploads.c.id == file_id, ~_is_named())
            if connection.execute(removed).rowcount:
                return True
            connection.execute(update(uploads).where(uploads.c.id == file_id).values(is_deleted=True))
            return False

    def remove_unused_uploads(self) -> list[tuple[str, str]]:
        """Remove the deleted uploads that no run still names, and return their groups and ids."""
        unused = uploads.c.is_deleted & ~_is_named()
        with self._database.read() as connection:
            if connection.execute(select(uploads.c.id).where(unused).limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            removed = delete(uploads).where(unused).returning(uploads.c.group_id, uploads.c.id)
            return [(row.group_id, row.id) for row in connection.execute(removed)]


def _is_named() -> ColumnElement[bool]:
    """Return the condition that a run names an upload."""
    return exists().where(run_uploads.c.upload_id == uploads.c.id)


def _is_accessible_to(username: str) -> ColumnElement[bool]:
    """Return the condition that a user owns a group or is a member of it."""
    memberships = select(members.c.group_id).where(members.c.username == username)
    return or_(groups.c.owner == username, groups.c.id.in_(memberships))
