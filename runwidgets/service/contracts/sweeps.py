"""The contract of sweeps: runs that are started together, over the points of a parameter space."""

from abc import ABC, abstractmethod


class SweepService(ABC):
    """Start, watch, stop and delete many runs as one.

    A sweep has points, numbered from 1, and each point has a run: one that the sweep started or, where it
    reuses, one of its group that had succeeded before. The handle of a sweep has these keys:

    ==========================  ==================================================================
    ``id``, ``name``            always, as the following
    ``groupId``, ``workflowId``
    ``createdAt``               ISO 8601, UTC
    ``createdBy``               where somebody is known to have asked
    ``config``                  as it was given
    ``total``                   number of points
    ``counts``                  ``{state: number of points}``, with all five states
    ``varied``                  names of the parameters that take more than one value, as given
    ``isDone``                  whether no run of it is active
    ``isPaused``                whether those that wait are left waiting
    ==========================  ==================================================================

    When a run is deleted, its point goes with it, so that ``total`` is always the sum of the ``counts``;
    the numbers of the other points stay. A sweep goes with the last run that it has or had.
    """

    @abstractmethod
    def start_sweep(
        self,
        group_id: str,
        arguments: list[list[dict]],
        config: dict | None = None,
        name: str | None = None,
    ) -> dict:
        """Validate every point, then accept a run for each: all of them or none.

        A refused call leaves nothing; an accepted one is on disk before the call returns. Points are
        checked as `RunService.start_run` checks its arguments; the error is that of the first bad one, and
        its subject names it: ``point 3: lr``.

        Parameters
        ----------
        group_id : str
            The group that the runs belong to.
        arguments : list of list of dict
            The arguments of each point, at least one; claimed in this order.
        config : dict, optional
            Settings of every run, as in `RunService.start_run` without ``key``, and of the sweep:
            ``on_error`` (``"continue"``, or ``"stop"``: what still waits is cancelled when a run ends in
            ERROR), ``reuse`` (True: a point whose run already succeeded in this group, with the same
            template and the same values, takes that run; not where a secret is given), ``parallel`` (runs of
            it that may be under way at once, at least 1), ``priority`` (-100 to 100, 0 where it is not
            given; higher is claimed first), and ``key``: of two calls with one idempotency key in one group
            the second returns the sweep of the first.
        name : str, optional
            Shown to people; None for the names of what varies.

        Returns
        -------
        dict
            The sweep's handle.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member of the group.
        InvalidArgumentError
            The shape is wrong, there is no point, a value does not fit its parameter, or a setting makes
            no sense.
        ConstraintViolationError
            The name is malformed.
        DuplicateArgumentError
            A parameter got two arguments at one point.
        UnknownParameterError
            An argument names no parameter of the template.
        UnknownFileError
            An argument names a file that was not uploaded to the group.
        MissingArgumentError
            A required parameter got no argument.
        InvalidRunStateError
            A run that would be reused was deleted at the same time.
        QueueFullError
            More runs would wait than may wait.
        StorageFullError
            The disk has no room.
        """

    @abstractmethod
    def get_sweep(self, sweep_id: str) -> dict:
        """Return the handle of a sweep.

        Parameters
        ----------
        sweep_id : str
            The sweep.

        Returns
        -------
        dict
            The sweep's handle.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user may not read the sweep's group.
        """

    @abstractmethod
    def list_sweeps(self, group_id: str) -> dict:
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
    def get_points(self, sweep_id: str, after: str | None = None, limit: int | None = None) -> dict:
        """Return the points of a sweep as the rows of a table, by ascending number.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        after : str, optional
            The ``next`` of an earlier answer; None to begin with the first.
        limit : int, optional
            Rows in the answer, 1 to 2,000; None for as many as there may be.

        Returns
        -------
        dict
            ``{"columns": [name, …], "rows": [[value, …], …]}``, and ``next`` where there are more. The
            columns are ``number``, and those of `RunService.get_table` for the run of the point.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user may not read the sweep's group.
        InvalidArgumentError
            The limit or cursor makes no sense.
        """

    @abstractmethod
    def add_points(self, sweep_id: str, arguments: list[list[dict]]) -> dict:
        """Add points to a sweep, all of them or none, with its settings.

        Parameters
        ----------
        sweep_id : str
            The sweep, in any state.
        arguments : list of list of dict
            As in `start_sweep`.

        Returns
        -------
        dict
            ``{"sweep": handle, "runs": [{number, id, state, createdAt}, …]}``: the new points, in their
            order, each with its run.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        ConstraintViolationError
            Whatever `start_sweep` raises of this kind.
        UnknownParameterError
            An argument names no parameter of the template.
        UnknownFileError
            An argument names a file that was not uploaded to the group.
        QueueFullError
            More runs would wait than may wait.
        StorageFullError
            The disk has no room.
        """

    @abstractmethod
    def cancel_sweep(self, sweep_id: str, reason: str | None = None, pending_only: bool = False) -> dict:
        """Stop the active runs of a sweep, all at once.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        reason : str, optional
            Kept in the ``messages`` of the runs.
        pending_only : bool, optional
            Whether those that are RUNNING go on.

        Returns
        -------
        dict
            The sweep's handle; the runs are CANCELED in it.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        InvalidRunStateError
            All of its runs have ended already.
        InvalidArgumentError
            The reason is no text, or too long.
        """

    @abstractmethod
    def pause_sweep(self, sweep_id: str, paused: bool = True) -> dict:
        """Leave what waits of a sweep waiting, or let it go on; what is under way is not touched.

        Runs of other sweeps, and single ones, take the slots meanwhile.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        paused : bool, optional
            False to go on.

        Returns
        -------
        dict
            The sweep's handle.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        InvalidRunStateError
            It is to be paused, and no run of it waits.
        """

    @abstractmethod
    def rerun_failed(self, sweep_id: str) -> dict:
        """Give each point whose run ended in ERROR or CANCELED a new run, on the template as it is now.

        All of them or none. The runs of before stay in the group.

        Parameters
        ----------
        sweep_id : str
            The sweep; what of it is active goes on.

        Returns
        -------
        dict
            The sweep's handle.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        InvalidRunStateError
            No run of it failed or was cancelled, or somebody else was first.
        ConstraintViolationError
            The template has changed and refuses the arguments, or one was secret and not kept.
        QueueFullError
            More runs would wait than may wait.
        StorageFullError
            The disk has no room.
        """

    @abstractmethod
    def delete_sweep(self, sweep_id: str) -> dict:
        """Remove a sweep with the runs that it started, and their files.

        What it reused stays, and so does a run of it that another sweep reuses.

        Parameters
        ----------
        sweep_id : str
            The sweep.

        Returns
        -------
        dict
            The last handle of the sweep.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user is not a member of the sweep's group.
        InvalidRunStateError
            A run of it is active; cancel it first.
        """
