"""The contracts of workflows, groups and uploads."""

from abc import ABC, abstractmethod
from typing import IO


class WorkflowService(ABC):
    """Register notebooks as workflows.

    A workflow's handle is ``{id, name, description?, parameters, parameterGroups?, outputs?, groups}``.
    """

    @abstractmethod
    def create_workflow(
        self,
        source: str,
        name: str | None = None,
        description: str | None = None,
        identifier: str | None = None,
    ) -> dict:
        """Register a notebook, together with its default group.

        The same source again returns the same workflow, as a new version where the notebook changed.

        Parameters
        ----------
        source : str
            Path of the notebook: absolute, or relative to the folder that the service serves.
        name : str, optional
            Shown to people; None for the template's own.
        description : str, optional
            None for the template's own.
        identifier : str, optional
            Id of the new workflow: letters, digits, ``-`` and ``_``; None for a random one.

        Returns
        -------
        dict
            The workflow handle; the first of its ``groups`` is the default one.

        Raises
        ------
        InvalidTemplateError
            The notebook cannot be read as a template.
        InvalidParameterError
            A declaration in it is wrong.
        ConstraintViolationError
            The identifier is malformed, or taken by another source.
        """

    @abstractmethod
    def list_workflows(self) -> dict:
        """List the workflows.

        Returns
        -------
        dict
            ``{"workflows": [{id, name, description?, lastRunAt?, activeRuns}, …]}``, oldest first.
            ``lastRunAt`` (ISO 8601, UTC) says when the newest run was accepted, ``activeRuns`` how many
            are active; both among the runs that the user may read.
        """

    @abstractmethod
    def get_workflow(self, workflow_id: str) -> dict:
        """Return the handle of a workflow; its template is re-read when the notebook has changed.

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
    ) -> dict:
        """Rank the successful runs of a workflow by their metrics.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        order_by : list of str, optional
            Names of metrics, each may end in ``:asc`` or ``:desc`` (the default); None for the first
            metric of the schema.
        include_all : bool
            False for the best run of each group, True for every run, at most the best 10,000.

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
            `order_by` names no metric of the schema.
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
            The user is not a member of every group of it.
        InvalidRunStateError
            A run of it is active.
        """


class GroupService(ABC):
    """Keep together the runs that belong together.

    A group's handle is
    ``{id, name, workflow, members: [{id, username}], parameters, files, config, runs?}``.
    """

    @abstractmethod
    def create_group(
        self,
        workflow_id: str,
        name: str,
        members: list[str] | None = None,
        parameters: list[dict] | None = None,
        engine_config: dict | None = None,
        identifier: str | None = None,
    ) -> dict:
        """Add a group to a workflow.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        name : str
            Unlike that of every other group of the workflow.
        members : list of str, optional
            User names; who creates the group is always a member.
        parameters : list of dict, optional
            Declarations of parameters of this group beside those of the template.
        engine_config : dict, optional
            The `config` of the group's runs, where a run gives none.
        identifier : str, optional
            Id of the new group; None for a random one.

        Returns
        -------
        dict
            The group handle.

        Raises
        ------
        UnknownWorkflowError
            There is no such workflow.
        InvalidParameterError
            A declaration is wrong or names a parameter of the template.
        ConstraintViolationError
            The name or identifier is malformed or taken.
        """

    @abstractmethod
    def list_groups(self, workflow_id: str | None = None) -> dict:
        """List the groups that the user may read.

        Parameters
        ----------
        workflow_id : str, optional
            Only those of this workflow.

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
    def get_group(self, group_id: str) -> dict:
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
    def update_group(self, group_id: str, name: str | None = None, members: list[str] | None = None) -> dict:
        """Rename a group, or set its members.

        Parameters
        ----------
        group_id : str
            The group.
        name : str, optional
            None leaves it.
        members : list of str, optional
            All members from now on; None leaves them. The owner stays one.

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
            The name is malformed or taken.
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
            A run of it is active.
        ConstraintViolationError
            It is the workflow's default group.
        """


class UploadService(ABC):
    """Keep the files that runs take as arguments. A handle is ``{id, name, createdAt, size}``."""

    @abstractmethod
    def upload_file(self, group_id: str, file: IO, name: str) -> dict:
        """Store a file with a group.

        Parameters
        ----------
        group_id : str
            The group.
        file : IO
            A readable binary file, read to its end in pieces.
        name : str
            File name without a folder.

        Returns
        -------
        dict
            The upload's handle.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        InvalidArgumentError
            The name is no plain file name.
        FileTooLargeError
            The file passes the limit; nothing of it stays.
        StorageFullError
            The disk has no room; nothing of it stays.
        """

    @abstractmethod
    def take_file(self, group_id: str, path: str) -> dict:
        """Store a copy of a file that lies where the templates lie.

        Parameters
        ----------
        group_id : str
            The group.
        path : str
            Absolute, or relative to the folder of the templates (to the working folder, where any
            folder may have them); for a server that is the folder that Jupyter shows.

        Returns
        -------
        dict
            The upload's handle; its name is the last part of the path.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        InvalidArgumentError
            The path is hidden, lies outside the folder, also behind links, or cannot be read, or its
            last part is no plain file name.
        UnknownFileError
            There is no such file.
        FileTooLargeError
            The file passes the limit; nothing of it stays.
        StorageFullError
            The disk has no room; nothing of it stays.
        """

    @abstractmethod
    def list_uploaded_files(self, group_id: str) -> dict:
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
    def get_uploaded_file(self, group_id: str, file_id: str) -> IO:
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
        """Remove an upload; runs that used it keep their copies.

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
