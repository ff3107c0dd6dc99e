"""A live sweep: many runs as one object in code, a card in a notebook."""

import asyncio
import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from runwidgets.client.as_completed import AsCompleted, read_points
from runwidgets.client.dataframes import make_frame
from runwidgets.client.metrics import is_number
from runwidgets.client.run import Run
from runwidgets.client.submit import start_notebook_run
from runwidgets.errors import InvalidArgumentError, RunWidgetsError, UnknownFileError
from runwidgets.report import Pictures, sweep_html
from runwidgets.schema import Direction, PointRow, RunConfig, StateCounts, SweepHandle
from runwidgets.service.contracts.api import Api
from runwidgets.states import RunState

if TYPE_CHECKING:
    import pandas

SWEEP_TYPE = "application/vnd.runwidgets.sweep+json"
MAX_PICTURES = 60
"""Maximum number of pictures in a grid."""


class Sweep:
    """A live sweep: its attributes show the current state of the sweep.

    Iteration yields a `Run` per point, in order; ``len`` is the number of points. Two objects are equal if
    they are the same sweep of the same store.

    Parameters
    ----------
    api : Api
        The services that know the sweep.
    handle : dict or str
        The sweep handle, or the id of the sweep.

    Raises
    ------
    UnknownSweepError
        There is no such sweep.
    """

    def __init__(self, api: Api, handle: SweepHandle | str) -> None:
        self.api = api
        self._handle = api.sweeps.get_sweep(handle) if isinstance(handle, str) else handle

    @property
    def id(self) -> str:
        """The id of the sweep."""
        return self._handle["id"]

    @property
    def name(self) -> str:
        """The name of the sweep."""
        return self._handle["name"]

    @property
    def handle(self) -> SweepHandle:
        """The sweep handle, requested anew each time."""
        self._handle = self.api.sweeps.get_sweep(self.id)
        return self._handle

    @property
    def counts(self) -> StateCounts:
        """The number of points by state."""
        return self.handle["counts"]

    @property
    def is_done(self) -> bool:
        """Whether no run of the sweep is active."""
        return self.handle["isDone"]

    def __len__(self) -> int:
        return self.handle["total"]

    def __iter__(self) -> Iterator[Run]:
        return (Run(self.api, row["id"]) for row in self.points())

    def points(self) -> list[PointRow]:
        """Return the state and results of each point, in order, without a request per run.

        Returns
        -------
        list of dict
            ``number``, ``id`` (of the run), ``state``, ``createdAt``, ``startedAt``, ``finishedAt``,
            ``arguments`` and ``metrics`` by name, ``message``.
        """
        return read_points(self.api, self.id)

    def as_completed(self, timeout: float | None = None) -> AsCompleted:
        """Iterate over the runs in the order in which they end; those that have ended already come first.

        Parameters
        ----------
        timeout : float, optional
            Maximum number of seconds to wait in total; None to wait without limit.

        Returns
        -------
        AsCompleted
            Supports ``for`` and ``async for``.

        Examples
        --------
        >>> for run in sweep.as_completed():  # doctest: +SKIP
        ...     print(run.arguments, run.metrics)
        """
        return AsCompleted(self.api, self.id, timeout)

    def wait(self, timeout: float | None = None) -> "Sweep":
        """Wait until all runs have ended; an interrupt of the kernel ends the wait, not the runs.

        Parameters
        ----------
        timeout : float, optional
            Maximum number of seconds to wait; None to wait without limit.

        Returns
        -------
        Sweep
            This sweep.

        Raises
        ------
        TimeoutError
            Runs are still active.
        UnknownSweepError
            The sweep was deleted.
        """
        for _ in self.as_completed(timeout).ids():
            pass
        return self

    def __await__(self) -> Generator[object, None, "Sweep"]:
        return asyncio.to_thread(self.wait).__await__()

    def cancel(self, reason: str | None = None, *, pending_only: bool = False) -> "Sweep":
        """Stop the active runs of the sweep.

        Parameters
        ----------
        reason : str, optional
            Stored in the messages of the runs.
        pending_only : bool, optional
            Whether to cancel only the waiting runs and let those that are RUNNING continue.

        Returns
        -------
        Sweep
            This sweep.

        Raises
        ------
        InvalidRunStateError
            All runs have already ended.
        """
        self._handle = self.api.sweeps.cancel_sweep(self.id, reason, pending_only)
        return self

    @property
    def is_paused(self) -> bool:
        """Whether the waiting runs are held back."""
        return self.handle["isPaused"]

    def pause(self) -> "Sweep":
        """Hold back the waiting runs; those that are RUNNING continue.

        Returns
        -------
        Sweep
            This sweep.

        Raises
        ------
        InvalidRunStateError
            No run is waiting.
        """
        self._handle = self.api.sweeps.pause_sweep(self.id)
        return self

    def resume(self) -> "Sweep":
        """Release the runs that `pause` holds back.

        Returns
        -------
        Sweep
            This sweep.
        """
        self._handle = self.api.sweeps.pause_sweep(self.id, paused=False)
        return self

    def rerun_failed(self, *, latest: bool = False) -> "Sweep":
        """Start each run that failed or was cancelled again, as it was.

        Parameters
        ----------
        latest : bool, optional
            Whether to take today's notebook instead of the version of the earlier runs.

        Returns
        -------
        Sweep
            This sweep.

        Raises
        ------
        InvalidRunStateError
            No run failed or was cancelled.
        """
        self._handle = self.api.sweeps.rerun_failed(self.id, latest=latest)
        return self

    def delete(self) -> None:
        """Remove the sweep with the runs that it started, and their files.

        Raises
        ------
        InvalidRunStateError
            A run of the sweep is active.
        """
        self.api.sweeps.delete_sweep(self.id)

    def best(self, metric: str, direction: Direction = "minimize") -> Run:
        """Return the run with the best value of a metric.

        Parameters
        ----------
        metric : str
            Name of the metric.
        direction : {"minimize", "maximize"}
            Whether the least or the greatest value is the best.

        Returns
        -------
        Run
            A successful run; the first of several with the same value.

        Raises
        ------
        InvalidArgumentError
            No successful run has a number under this name.
        """
        if direction not in ("minimize", "maximize"):
            raise InvalidArgumentError("direction", f"{direction!r}", "use 'minimize' or 'maximize'")
        rows = [row for row in self.points() if row["state"] == RunState.SUCCESS.value]
        recorded = [(row["id"], row["metrics"].get(metric)) for row in rows]
        values = {run_id: float(value) for run_id, value in recorded if is_number(value)}
        if not values:
            known = sorted({name for row in rows for name in row["metrics"]})
            remedy = f"they recorded {', '.join(known)}" if known else "record one with runwidgets.record"
            problem = "no successful run recorded it as a number" if rows else "no run has succeeded yet"
            raise InvalidArgumentError(metric, problem, remedy if rows else None)
        choose = min if direction == "minimize" else max
        return Run(self.api, choose(values, key=lambda run_id: values[run_id]))

    def to_frame(self) -> "pandas.DataFrame":
        """Return the results as a data frame with one row per point.

        Returns
        -------
        pandas.DataFrame
            Indexed by the number of the point; columns ``run``, ``state``, ``created``, ``started``,
            ``finished`` (UTC), ``duration`` (seconds), one per argument
            (``parameter.<name>`` if another column or the index has the same name) and one per metric
            (``metric.<name>`` likewise), and ``message``. Missing values are
            NaN or None; columns of numbers have a numeric dtype.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        return make_frame(self.points(), "number")

    def images(self, name: str) -> Pictures:
        """Return the picture of every successful run, side by side, each labelled with its varied arguments.

        Parameters
        ----------
        name : str
            Name of the picture among the result files.

        Returns
        -------
        Pictures
            An object that displays itself in a notebook.

        Raises
        ------
        UnknownFileError
            No successful run has such a file.
        """
        rows = [row for row in self.points() if row["state"] == RunState.SUCCESS.value]
        varied = self.handle["varied"]
        pictures: list[tuple[str, bytes, str]] = []
        for row in rows[:MAX_PICTURES]:
            file = Run(self.api, row["id"]).files.get(name)
            if file is None:
                continue
            arguments = {key: row["arguments"].get(key, "default") for key in varied}
            label = (
                ", ".join(f"{key} = {value}" for key, value in arguments.items()) or f"point {row['number']}"
            )
            pictures.append((label, file.read_bytes(), file.mime_type))
        if not pictures:
            raise UnknownFileError(name, "no successful run has such a file")
        return Pictures(pictures, max(0, len(rows) - MAX_PICTURES))

    def summarize(
        self,
        source: str | os.PathLike[str],
        /,
        *,
        group: str | None = None,
        config: RunConfig | None = None,
        **kwargs: object,
    ) -> Run:
        """Start a run of a notebook that reads the results of all successful runs.

        The argument of its parameter ``runs`` is a folder with a sub-folder per successful run, named by the
        number of its point. A sub-folder contains the result files of the run, and ``run.json`` with ``id``,
        ``number``, ``arguments``, ``metrics``, ``startedAt`` and ``finishedAt``.

        Parameters
        ----------
        source : str or path
            Path of the notebook, or the id of a workflow.
        group : str, optional
            Id of a group; None for the default group of the workflow.
        config : dict, optional
            How to run, as in `RunService.start_run`.
        **kwargs
            Arguments for the other parameters.

        Returns
        -------
        Run
            The run of the notebook.

        Raises
        ------
        InvalidTemplateError
            The notebook has no parameter ``runs``.
        InvalidArgumentError
            No run has succeeded.

        Examples
        --------
        >>> sweep.wait().summarize("report.ipynb").wait()  # doctest: +SKIP
        """
        settings: RunConfig = {**(config or {}), "results_of": self.id}
        return Run(self.api, start_notebook_run(self.api, source, kwargs, group, settings))

    def _last_known(self) -> SweepHandle:
        """Return the present handle, or the last known one if the sweep was deleted or cannot be reached."""
        try:
            return self.handle
        except RunWidgetsError:
            return self._handle

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sweep):
            return NotImplemented
        return self.id == other.id and self.api.shares_store(other.api)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        handle = self._last_known()
        counts = ", ".join(f"{count} {state}" for state, count in handle["counts"].items() if count)
        total = "1 point" if handle["total"] == 1 else f"{handle['total']} points"
        return f"Sweep({self.id!r}, {total}: {counts})"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        handle = self._last_known()
        saved = {"sweep_id": self.id, "name": handle["name"], "counts": handle["counts"]}
        return {SWEEP_TYPE: saved, "text/plain": repr(self), "text/html": sweep_html(handle)}
