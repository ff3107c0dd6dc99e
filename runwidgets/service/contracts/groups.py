"""The service contract of groups."""

from abc import ABC, abstractmethod

from runwidgets.schema import GroupHandle, GroupList, ParameterDeclaration, RunConfig


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
        config: RunConfig | None = None,
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
        config : dict, optional
            Another name of `engine_config`; only one of them may be given.

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
        InvalidArgumentError
            A config key is invalid, or both `engine_config` and `config` are given.
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
