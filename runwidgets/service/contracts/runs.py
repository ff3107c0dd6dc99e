"""The service contract of runs.

The handle of a **run** has these keys:

======================================================================  ==================================
key                                                                     when
======================================================================  ==================================
``id``, ``state``, ``createdAt`` (ISO 8601, UTC)                        always; these form the descriptor
``workflowId``, ``groupId``, ``arguments``, ``parameters``              always
``startedAt``                                                           once it is no longer PENDING: when it
                                                                        began, or when it ended if it never
                                                                        began
``finishedAt``, ``reason``, ``messages`` (list of str)                  ERROR and CANCELED
``finishedAt``, ``files`` (list of result files)                        SUCCESS
``partialFiles`` (list of partial files)                                ERROR and CANCELED
``isEnding``                                                            CANCELED, while its processes are
                                                                        being stopped, before its partial
                                                                        files are listed
``progress``, ``metrics``, ``sweepId``, ``config``, ``notebook``        in any state, if there is one
======================================================================  ==================================

A **result file** is ``{id, name, title?, caption?, widget?, format?, mimeType, size, sha256}``. A **partial
file** has the same keys, ``sha256`` only if it is not large, but is not a result: it lay in the working
folder when the run failed or was cancelled, or is its executed notebook. The **progress** is
``{cell, cells, fraction, text, source, heartbeatAt}``: ``cell`` counts code cells from 1 and is 0 before
the first one.
"""

from abc import ABC, abstractmethod
from typing import IO

from runwidgets.schema import Argument, LogPiece, RunConfig, RunHandle, RunList, RunSeries, TablePage


class RunService(ABC):
    """Start, watch, stop and delete runs."""

    @abstractmethod
    def start_run(
        self, group_id: str, arguments: list[Argument], config: RunConfig | None = None
    ) -> RunHandle:
        """Validate every argument, then accept the run.

        Acceptance is atomic: a refused call leaves no row, no directory and no process; an accepted run is on
        disk before the call returns. Checks are made in this order: group, membership, shape, duplicates,
        unknown names, files, values, missing arguments.

        Parameters
        ----------
        group_id : str
            The group that the run belongs to.
        arguments : list of dict
            ``[{"name": "alpha", "value": 0.1}, …]``. A file is
            ``{"type": "$file", "value": {"fileId": "…", "targetPath": "…"}}``, an upload of the group. It
            lies under its own name without a target, or in a folder named like its parameter if it is taken.
        config : dict, optional
            How to run: ``timeout`` and ``cell_timeout`` (seconds), ``cwd`` (``"run"`` or
            ``"notebook"``), ``isolation`` (``"auto"`` or ``"spawn"``), ``transport`` (``"auto"`` or
            ``"zmq"``), ``retries`` (further attempts after an error, 0 to 10), ``resources`` (what a worker
            of a Dask cluster must have: a number above 0 by name), ``results_of`` (id of a sweep: the result
            files of its successful runs are provided as ``<number>/<name>``, with a ``run.json`` each, in the
            folder that is passed to the template's parameter ``runs``), and ``key``, an idempotency key: the
            second call with the same key in the same group returns the run of the first.

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
            The shape is wrong, a value does not fit its parameter, or an uploaded file would lie where
            another one does, or cover a file beside the notebook that its target does not name.
        DuplicateArgumentError
            A parameter got two arguments.
        UnknownParameterError
            An argument names a parameter that the template does not declare.
        UnknownFileError
            An argument names a file that was not uploaded to the group.
        MissingArgumentError
            A required parameter got no argument.
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

        Both implementations accept two further keyword arguments: `limit`, the number of runs in the
        response (at most 500), and `before`, the ``next`` of an earlier response. With them the response is
        a page of the newest runs, still oldest first, with a ``next`` if there are older ones.

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
            The columns are ``id``, ``state``, ``createdAt``, ``startedAt``, ``finishedAt``, ``arguments``
            (``{name: value}``), ``metrics``, ``reason`` and ``message`` (the first of the run's messages).

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
            An argument was secret and therefore not stored; the results of the sweep that the run read are
            not what they were; or today's template does not accept the arguments. Also any other error of
            `start_run`.
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
            The last handle of the deleted run.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user is not a member of the run's group.
        InvalidRunStateError
            The run is active; cancel it first.
        """

    @abstractmethod
    def get_result_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a result file of a SUCCESS run.

        Parameters
        ----------
        run_id : str
            The run.
        file_id : str
            The ``id`` of an item in the handle's ``files``.

        Returns
        -------
        IO
            A readable binary file; the caller closes it.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        UnknownFileError
            The run has no such result file, or is not SUCCESS.
        """

    @abstractmethod
    def get_partial_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a partial file of an ERROR or CANCELED run.

        Parameters
        ----------
        run_id : str
            The run.
        file_id : str
            The ``id`` of an item in the handle's ``partialFiles``.

        Returns
        -------
        IO
            A readable binary file; the caller closes it.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        UnknownFileError
            The run has no such partial file, or is neither ERROR nor CANCELED.
        """

    @abstractmethod
    def get_result_archive(self, run_id: str) -> IO[bytes]:
        """Open a ``.tar.gz`` of all result files of a SUCCESS run, as one stream.

        Parameters
        ----------
        run_id : str
            The run.

        Returns
        -------
        IO
            A readable binary stream; the caller closes it.

        Raises
        ------
        UnknownRunError
            There is no such run, or it is not SUCCESS.
        UnauthorizedAccessError
            The user may not read the run's group.
        """

    @abstractmethod
    def get_log(self, run_id: str, offset: int = 0) -> LogPiece:
        """Return a part of what the notebook printed.

        Parameters
        ----------
        run_id : str
            The run, in any state.
        offset : int
            Byte of the log at which to begin; a negative number counts from the end.

        Returns
        -------
        dict
            ``{"text", "offset", "next", "size"}``: at most 256 KiB of whole characters from byte ``offset``,
            the offset of the next part, and the present size of the log in bytes.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        InvalidArgumentError
            The offset is not a whole number.
        """

    @abstractmethod
    def get_series(self, run_id: str, limit: int | None = None) -> RunSeries:
        """Return the series that a run recorded: values of metrics by step.

        Parameters
        ----------
        run_id : str
            The run, in any state.
        limit : int, optional
            Maximum number of points per series, at least 2, evenly spaced; None for all.

        Returns
        -------
        dict
            ``{"series": {name: {"steps", "values"}}}``, by ascending step; a value is a number, ``"NaN"``,
            ``"Infinity"`` or ``"-Infinity"``. After a retry, the series are those of the last attempt.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        InvalidArgumentError
            The limit is not a whole number, or is less than 2.
        """

    @abstractmethod
    def get_notebook(self, run_id: str) -> IO[bytes]:
        """Open the executed notebook, up to the cell that the run has reached.

        Parameters
        ----------
        run_id : str
            The run, in any state; before the first cell it is the template.

        Returns
        -------
        IO
            A readable binary file of valid notebook JSON; the caller closes it.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        """
