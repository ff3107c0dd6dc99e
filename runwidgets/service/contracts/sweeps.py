"""The service contract of sweeps: runs that are started together, over the points of a parameter space."""

from abc import ABC, abstractmethod

from runwidgets.schema import Argument, SweepAddition, SweepConfig, SweepHandle, SweepList, TablePage


class SweepService(ABC):
    """Start, watch, stop and delete many runs as one object.

    A sweep has points, numbered from 1, and each point has a run: one that the sweep started or, with
    ``reuse``, an earlier successful run of the group. The handle of a sweep has these keys:

    ==========================  ==================================================================
    ``id``, ``name``            always, like the following ones
    ``groupId``                 the group that its runs belong to
    ``workflowId``              the workflow of the group
    ``createdAt``               ISO 8601, UTC
    ``createdBy``               if the user is known
    ``config``                  as given
    ``total``                   number of points
    ``counts``                  ``{state: number of points}``, with all five states
    ``varied``                  names of the parameters that take more than one value, in the order given
    ``isDone``                  whether none of its runs is active
    ``isPaused``                whether its waiting runs are held back
    ==========================  ==================================================================

    Deleting a run also removes its point, so ``total`` is always the sum of the ``counts``; the other points
    keep their numbers. A sweep is removed together with its last run.
    """

    @abstractmethod
    def start_sweep(
        self,
        group_id: str,
        arguments: list[list[Argument]],
        config: SweepConfig | None = None,
        name: str | None = None,
    ) -> SweepHandle:
        """Validate every point, then accept a run for each: all points or none.

        A refused call leaves nothing; an accepted one is on disk before the call returns. Points are
        checked as `RunService.start_run` checks its arguments. The error is that of the first invalid point,
        whose number is the attribute `point`.

        Parameters
        ----------
        group_id : str
            The group that the runs belong to.
        arguments : list of list of dict
            The arguments of each point, at least one point; runs are claimed in this order.
        config : dict, optional
            Settings of every run, as in `RunService.start_run` without ``key``, and of the sweep:
            ``on_error`` (``"continue"``, or ``"stop"``: the waiting runs are cancelled when a run ends in
            ERROR), ``reuse`` (True: a point uses an earlier successful run of this group with the same
            template and the same values, if there is one; not possible with secret values), ``parallel``
            (the number of runs of the sweep that may execute at once, at least 1), ``priority`` (-100 to
            100, default 0; higher is claimed first), and ``key``, an idempotency key: the second call with
            the same key in the same group returns the sweep of the first; ``search``, a `SearchConfig` that
            `runwidgets.optimize` stores.
        name : str, optional
            Display name; None to name the sweep after its varied parameters.

        Returns
        -------
        dict
            The sweep handle.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member of the group.
        InvalidArgumentError
            The shape is wrong, there is no point, a value does not fit its parameter, or a setting is
            invalid.
        ConstraintViolationError
            The name is malformed.
        DuplicateArgumentError
            A parameter got two arguments at one point.
        UnknownParameterError
            An argument names a parameter that the template does not declare.
        UnknownFileError
            An argument names a file that was not uploaded to the group.
        MissingArgumentError
            A required parameter got no argument.
        UnknownKernelError
            The kernelspec is not installed, or damaged; see `RunService.start_run`.
        InvalidRunStateError
            A run that was to be reused was deleted at the same time.
        QueueFullError
            More runs would wait than the limit allows.
        StorageFullError
            The disk is full.
        """

    @abstractmethod
    def get_sweep(self, sweep_id: str) -> SweepHandle:
        """Return the handle of a sweep.

        Parameters
        ----------
        sweep_id : str
            The sweep.

        Returns
        -------
        dict
            The sweep handle.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user may not read the sweep's group.
        """

    @abstractmethod
    def list_sweeps(self, group_id: str) -> SweepList:
        """List the sweeps of a group, oldest first.

        Parameters
        ----------
        group_id : str
            The group.

        Returns
        -------
        dict
            ``{"sweeps": [handle, …]}``.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user may not read the group.
        """

    @abstractmethod
    def get_points(self, sweep_id: str, after: str | None = None, limit: int | None = None) -> TablePage:
        """Return the points of a sweep as the rows of a table, in ascending order of their numbers.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        after : str, optional
            The ``next`` of an earlier response; None to begin with the first point.
        limit : int, optional
            Rows in the response, 1 to 2,000; None for the maximum.

        Returns
        -------
        dict
            ``{"columns": [name, …], "rows": [[value, …], …]}``, and ``next`` if there are more. The
            columns are ``number``, and those of `RunService.get_table` for the run of the point.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user may not read the sweep's group.
        InvalidArgumentError
            The limit or cursor is invalid.
        """

    @abstractmethod
    def add_points(self, sweep_id: str, arguments: list[list[Argument]]) -> SweepAddition:
        """Add points to a sweep, all of them or none, with the settings of the sweep.

        Parameters
        ----------
        sweep_id : str
            The sweep, in any state.
        arguments : list of list of dict
            As in `start_sweep`.

        Returns
        -------
        dict
            ``{"sweep": handle, "runs": [{number, id, state, createdAt}, …]}``: the new points, in the given
            order, each with its run.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        ConstraintViolationError
            Any error of this kind that `start_sweep` raises.
        UnknownParameterError
            An argument names a parameter that the template does not declare.
        UnknownFileError
            An argument names a file that was not uploaded to the group.
        UnknownKernelError
            The kernelspec is not installed, or damaged.
        QueueFullError
            More runs would wait than the limit allows.
        StorageFullError
            The disk is full.
        """

    @abstractmethod
    def cancel_sweep(
        self,
        sweep_id: str,
        reason: str | None = None,
        pending_only: bool = False,
        interrupted: bool = False,
    ) -> SweepHandle:
        """Stop the active runs of a sweep, all at once.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        reason : str, optional
            Kept in the ``messages`` of the runs.
        pending_only : bool, optional
            Whether to cancel only the waiting runs and let those that are RUNNING continue.
        interrupted : bool, optional
            Whether a search was interrupted, which executes the runs again when it is resumed; their
            ``reason`` is then ``search_interrupted``.

        Returns
        -------
        dict
            The sweep handle, in which the runs are CANCELED already.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        InvalidRunStateError
            All runs of the sweep have already ended.
        InvalidArgumentError
            The reason is not a string, or is too long.
        """

    @abstractmethod
    def pause_sweep(self, sweep_id: str, paused: bool = True) -> SweepHandle:
        """Hold back the waiting runs of a sweep, or release them; runs that are RUNNING continue.

        While a sweep is paused, other runs take the slots.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        paused : bool, optional
            False to resume.

        Returns
        -------
        dict
            The sweep handle.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        InvalidRunStateError
            The sweep is to be paused, but none of its runs waits.
        """

    @abstractmethod
    def rerun_failed(
        self, sweep_id: str, numbers: list[int] | None = None, latest: bool = False
    ) -> SweepHandle:
        """Give each point whose run ended in ERROR or CANCELED a new run, which repeats it as it was.

        The new run has the version of the template, the values, the uploads and the config of the earlier
        one, as with `RunService.rerun`. Either all such points get one, or none. The earlier runs stay in the
        group.

        Parameters
        ----------
        sweep_id : str
            The sweep; its active runs continue.
        numbers : list of int, optional
            Numbers of the points, at least one; None for all whose run failed or was cancelled.
        latest : bool, optional
            Whether to take today's notebook, with the arguments and the config of the earlier runs.

        Returns
        -------
        dict
            The sweep handle.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        InvalidRunStateError
            No run of the sweep failed or was cancelled, a named point has another run, or a concurrent call
            came first.
        InvalidArgumentError
            The numbers are not a list of whole numbers.
        ConstraintViolationError
            An argument was secret and not stored; the results of the sweep that the runs read are not what
            they were; or today's template does not accept the arguments.
        UnknownKernelError
            The kernelspec is not installed, or damaged.
        QueueFullError
            More runs would wait than the limit allows.
        StorageFullError
            The disk is full.
        """

    @abstractmethod
    def delete_sweep(self, sweep_id: str) -> SweepHandle:
        """Remove a sweep with the runs that it started, and their files.

        Runs that it reused are kept, and so are its own runs that another sweep reuses.

        Parameters
        ----------
        sweep_id : str
            The sweep.

        Returns
        -------
        dict
            The last handle of the deleted sweep.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        InvalidRunStateError
            A run of the sweep is active; cancel it first.
        """
