"""The service contract of workflows."""

from abc import ABC, abstractmethod

from runwidgets.schema import Leaderboard, WorkflowHandle, WorkflowList


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
            Names of metrics, each followed by ``:asc`` if its least value is the best, or ``:desc`` if its
            greatest value is; not needed for a metric whose direction the template declares. None for the
            order that the template declares: ``results.orderBy``, or else the first metric with a
            ``direction``. Without one the runs are not ranked, and the newest comes first.
        include_all : bool
            False for the best run of each group, True for all runs; at most the best 10,000.

        Returns
        -------
        dict
            ``{schema: [{name, label, dtype, direction?}], ranking: [{run, group, results}]}``, best first. A
            ``run`` has its times and its ``values``, ``results`` is a list of ``{name, value}``: of the
            declared metrics and those in `order_by`; of all metrics if the template declares none. Runs with
            NaN or without a number come last.

        Raises
        ------
        UnknownWorkflowError
            There is no such workflow.
        InvalidArgumentError
            A metric in `order_by` has no direction, or no run has recorded it as a number.
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
