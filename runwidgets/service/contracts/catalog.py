"""The service contracts of workflows, groups and uploads."""

from abc import ABC, abstractmethod
from typing import IO

from runwidgets.schema import (
    GroupHandle,
    GroupList,
    Leaderboard,
    ParameterDeclaration,
    RunConfig,
    UploadHandle,
    UploadList,
    WorkflowHandle,
    WorkflowList,
)


class WorkflowService(ABC):
    """Register notebooks as workflows.

    The handle of a workflow is ``{id, name, description?, parameters, parameterGroups?, outputs?, groups}``.
    """

    @abstractmethod
    def create_workflow(
        self,
        source: str,
        name: str | None = None,
        description: str | None = None,
        identifier: str | None = None,
    ) -> WorkflowHandle:
        """Register a notebook, together with its default group.

        Registering the same source again returns the same workflow, with a new version of its template if the
        notebook has changed.

        Parameters
        ----------
        source : str
            Path of the notebook: absolute, or relative to the folder that the service serves.
        name : str, optional
            Display name; None for the name in the template.
        description : str, optional
            Description; None for the one in the template.
        identifier : str, optional
            Id of the new workflow: letters, digits, ``-`` and ``_``; None for a random id.

        Returns
        -------
        dict
            The workflow handle; the first of its ``groups`` is the default group.

        Raises
        ------
        InvalidTemplateError
            The notebook cannot be read as a template.
        InvalidParameterError
            A parameter declaration in the notebook is invalid.
        ConstraintViolationError
            The identifier is malformed, or used by another source.
        """

    @abstractmethod
    def list_workflows(self) -> WorkflowList:
        """List the workflows.

        Returns
        -------
        dict
            ``{"workflows": [{id, name, description?, lastRunAt?, activeRuns}, …]}``, oldest first.
            ``lastRunAt`` (ISO 8601, UTC) is the time at which the newest run was accepted, ``activeRuns`` the
            number of active runs; both consider only runs that the user may read.
        """

    @abstractmethod
    def get_workflow(self, workflow_id: str) -> WorkflowHandle:
        """Return the handle of a workflow; its template is read again if the notebook has changed.

        Parameters
        ----------
        workflow_id : str
            The workflow.

        Returns
        -------
        dict
            The workflow handle.

        Raises
        ------
        UnknownWorkflowError
            There is no such workflow.
        """

    @abstractmethod
    def get_leaderboard(
        self, workflow_id: str, order_by: list[str] | None = None, include_all: bool = False
    ) -> Leaderboard:
        """Rank the successful runs of a workflow by their metrics.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        order_by : list of str, optional
            Names of metrics, each optionally followed by ``:asc`` or ``:desc`` (the default); None for the
            first metric of the schema.
        include_all : bool
            False for the best run of each group, True for all runs; at most the best 10,000.

        Returns
        -------
        dict
            ``{schema: [{name, label, dtype}], ranking: [{run, group, results: [{name, value}]}]}``,
            best first.

        Raises
        ------
        UnknownWorkflowError
            There is no such workflow.
        InvalidArgumentError
            `order_by` names a metric that is not in the schema.
        """

    @abstractmethod
    def delete_workflow(self, workflow_id: str) -> None:
        """Remove a workflow with its groups, uploads and runs.

        Parameters
        ----------
        workflow_id : str
            The workflow.

        Raises
        ------
        UnknownWorkflowError
            There is no such workflow.
        UnauthorizedAccessError
            The user is not a member of every group of the workflow.
        InvalidRunStateError
            A run of the workflow is active.
        """


class GroupService(ABC):
    """Create, change and delete groups: runs that belong together, with members and uploaded files.

    The handle of a group is
    ``{id, name, workflow, members: [{id, username}], parameters, files, config, runs?}``.
    """

    @abstractmethod
    def create_group(
        self,
        workflow_id: str,
        name: str,
        members: list[str] | None = None,
        parameters: list[ParameterDeclaration] | None = None,
        engine_config: RunConfig | None = None,
        identifier: str | None = None,
    ) -> GroupHandle:
        """Add a group to a workflow.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        name : str
            Must differ from the name of every other group of the workflow.
        members : list of str, optional
            User names; the creator of the group is always a member.
        parameters : list of dict, optional
            Declarations of parameters that this group has in addition to those of the template.
        engine_config : dict, optional
            The default `config` of the group's runs.
        identifier : str, optional
            Id of the new group; None for a random id.

        Returns
        -------
        dict
            The group handle.

        Raises
        ------
        UnknownWorkflowError
            There is no such workflow.
        InvalidParameterError
            A declaration is invalid, or names a parameter of the template.
        ConstraintViolationError
            The name or identifier is malformed or already used.
        """

    @abstractmethod
    def list_groups(self, workflow_id: str | None = None) -> GroupList:
        """List the groups that the user may read.

        Parameters
        ----------
        workflow_id : str, optional
            Only groups of this workflow.

        Returns
        -------
        dict
            ``{"groups": [{id, name, workflow}, …]}``, oldest first.

        Raises
        ------
        UnknownWorkflowError
            There is no such workflow.
        """

    @abstractmethod
    def get_group(self, group_id: str) -> GroupHandle:
        """Return the handle of a group.

        Parameters
        ----------
        group_id : str
            The group.

        Returns
        -------
        dict
            The group handle.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user may not read it.
        """

    @abstractmethod
    def update_group(
        self, group_id: str, name: str | None = None, members: list[str] | None = None
    ) -> GroupHandle:
        """Rename a group, or set its members.

        Parameters
        ----------
        group_id : str
            The group.
        name : str, optional
            None keeps the name.
        members : list of str, optional
            The new list of members; None keeps the members. The owner is always a member.

        Returns
        -------
        dict
            The group handle.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        ConstraintViolationError
            The name is malformed or already used.
        """

    @abstractmethod
    def delete_group(self, group_id: str) -> None:
        """Remove a group with its uploads and runs.

        Parameters
        ----------
        group_id : str
            The group.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        InvalidRunStateError
            A run of the group is active.
        ConstraintViolationError
            The group is the default group of its workflow.
        """


class UploadService(ABC):
    """Store the files that runs take as arguments; an upload's handle is ``{id, name, createdAt, size}``."""

    @abstractmethod
    def upload_file(self, group_id: str, file: IO[bytes], name: str) -> UploadHandle:
        """Store a file with a group.

        Parameters
        ----------
        group_id : str
            The group.
        file : IO
            A readable binary file, which is read to its end in chunks.
        name : str
            File name without folders.

        Returns
        -------
        dict
            The handle of the upload.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        InvalidArgumentError
            The name is not a plain file name.
        FileTooLargeError
            The file exceeds the limit; nothing of it is kept.
        StorageFullError
            The disk is full; nothing of the file is kept.
        """

    @abstractmethod
    def take_file(self, group_id: str, path: str) -> UploadHandle:
        """Store a copy of a file from the folder that holds the templates.

        Parameters
        ----------
        group_id : str
            The group.
        path : str
            Absolute, or relative to the folder of the templates (to the working directory, if templates may
            be in any folder); for a server that is the folder that Jupyter serves.

        Returns
        -------
        dict
            The handle of the upload; its name is the last part of the path.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        InvalidArgumentError
            The path is hidden, is outside the folder (after symbolic links are resolved) or cannot be read,
            or its last part is not a plain file name.
        UnknownFileError
            There is no such file.
        FileTooLargeError
            The file exceeds the limit; nothing of it is kept.
        StorageFullError
            The disk is full; nothing of the file is kept.
        """

    @abstractmethod
    def list_uploaded_files(self, group_id: str) -> UploadList:
        """List the uploads of a group.

        Parameters
        ----------
        group_id : str
            The group.

        Returns
        -------
        dict
            ``{"files": [handle, …]}``, oldest first.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user may not read it.
        """

    @abstractmethod
    def get_uploaded_file(self, group_id: str, file_id: str) -> IO[bytes]:
        """Open an upload.

        Parameters
        ----------
        group_id : str
            The group.
        file_id : str
            The upload.

        Returns
        -------
        IO
            A readable binary file; the caller closes it.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user may not read it.
        UnknownFileError
            The group has no such upload.
        """

    @abstractmethod
    def delete_file(self, group_id: str, file_id: str) -> None:
        """Remove an upload; runs that used it keep their own copies.

        Parameters
        ----------
        group_id : str
            The group.
        file_id : str
            The upload.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        UnknownFileError
            The group has no such upload.
        """
