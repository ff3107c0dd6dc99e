"""The service contract of runs; `RunHandle`, `ResultFileHandle` and `Progress` describe what it returns."""

from abc import abstractmethod

from runwidgets.schema import Argument, RunConfig, RunHandle, RunList, TablePage
from runwidgets.service.contracts.run_outputs import RunOutputs


class RunService(RunOutputs):
    """Start, watch, stop and delete runs, and read what they produced."""

    @abstractmethod
    def start_run(
        self, group_id: str, arguments: list[Argument], config: RunConfig | None = None
    ) -> RunHandle:
        """Validate every argument, then accept the run.

        A refused call leaves no row, no directory and no process; an accepted run is on disk before the call
        returns. The order of checks: group, membership, shape, duplicates, unknown names, files, values,
        missing arguments, kernel.

        Parameters
        ----------
        group_id : str
            The group that the run belongs to.
        arguments : list of dict
            ``[{"name": "alpha", "value": 0.1}, …]``. A file is an upload of the group,
            ``{"type": "$file", "value": {"fileId": "…", "targetPath": "…"}}``. Without a target it lies under
            its own name, or in a folder named like its parameter if that is taken.
        config : dict, optional
            How to run; see `RunConfig`.

        Returns
        -------
        dict
            The run handle, PENDING or in a later state.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member of the group.
        InvalidArgumentError
            The shape is wrong, a value does not fit its parameter, or an upload would cover another file.
        DuplicateArgumentError
            A parameter got two arguments.
        UnknownParameterError
            An argument names a parameter that the template does not declare.
        UnknownFileError
            An argument names a file that was not uploaded to the group.
        MissingArgumentError
            A required parameter got no argument.
        UnknownKernelError
            The kernelspec is not installed, or damaged; on a Dask cluster, where the workers have the
            kernelspecs, only if neither the config nor the notebook names one.
        QueueFullError
            The maximum number of runs is waiting already.
        StorageFullError
            The disk is full.
        """

    @abstractmethod
    def get_run(self, run_id: str) -> RunHandle:
        """Return the handle of a run.

        Parameters
        ----------
        run_id : str
            The run.

        Returns
        -------
        dict
            The run handle.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        """

    @abstractmethod
    def list_runs(self, group_id: str, state: str | None = None) -> RunList:
        """List the runs of a group, oldest first.

        Both implementations also accept `limit` (at most 500) and `before` (the ``next`` of an earlier
        response) by name: a page of the newest runs, oldest first, with a ``next`` if there are older ones.

        Parameters
        ----------
        group_id : str
            The group.
        state : str, optional
            Only runs in this state; None for all.

        Returns
        -------
        dict
            ``{"runs": [descriptor, …]}``, and ``next`` if there are more.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user may not read the group.
        InvalidArgumentError
            The state, limit or cursor is invalid.
        """

    @abstractmethod
    def get_table(self, group_id: str, before: str | None = None, limit: int | None = None) -> TablePage:
        """Return the runs of a group as the rows of a table, newest first.

        Parameters
        ----------
        group_id : str
            The group.
        before : str, optional
            The ``next`` of an earlier response; None to begin with the newest run.
        limit : int, optional
            Rows in the response, 1 to 2,000; None for the maximum.

        Returns
        -------
        dict
            ``{"columns": [name, …], "rows": [[value, …], …]}``, and ``next`` if there are older runs.
            See `TablePage`; the message is the first of the run's messages.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user may not read the group.
        InvalidArgumentError
            The limit or cursor is invalid.
        """

    @abstractmethod
    def cancel_run(self, run_id: str, reason: str | None = None) -> RunHandle:
        """Stop an active run.

        The returned handle is CANCELED already; the processes end within the grace period.

        Parameters
        ----------
        run_id : str
            The run.
        reason : str, optional
            Kept in the handle's ``messages``.

        Returns
        -------
        dict
            The run handle, CANCELED.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user is not a member of the run's group.
        InvalidRunStateError
            The run has already ended.
        """

    @abstractmethod
    def prune_run(self, run_id: str, message: str | None = None) -> RunHandle:
        """Stop an active run because it is not promising, as a search does.

        As `cancel_run`, but the run's ``reason`` is ``pruned``.

        Parameters
        ----------
        run_id : str
            The run.
        message : str, optional
            Kept in the handle's ``messages``.

        Returns
        -------
        dict
            The run handle, CANCELED.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user is not a member of the run's group.
        InvalidRunStateError
            The run has already ended.
        InvalidArgumentError
            The message is not text, or too long.
        """

    @abstractmethod
    def rerun(self, run_id: str, latest: bool = False) -> RunHandle:
        """Start an earlier run again, as it was: with its version of the template, its values and its config.

        The notebook may have been changed or removed since, and uploads may have been deleted: they are kept
        as long as a run names them.

        Parameters
        ----------
        run_id : str
            The earlier run, in any state.
        latest : bool, optional
            Whether to take today's notebook, with the arguments and the config of the earlier run.

        Returns
        -------
        dict
            The handle of the new run.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user is not a member of the run's group.
        ConstraintViolationError
            An argument was secret and not stored, or the results of the sweep that the run read have changed.
            Also any error of `start_run`.
        """

    @abstractmethod
    def delete_run(self, run_id: str) -> RunHandle:
        """Remove a run and its files.

        Parameters
        ----------
        run_id : str
            The run.

        Returns
        -------
        dict
            Its last handle.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user is not a member of the run's group.
        InvalidRunStateError
            The run is active; cancel it first.
        """
