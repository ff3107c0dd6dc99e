"""The live handle of a sweep: many runs in a few words of code, a card in a notebook."""

import asyncio
import math
import os
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from runwidgets.client.as_completed import AsCompleted, read_points
from runwidgets.client.dataframes import Row, make_frame
from runwidgets.client.run import Run
from runwidgets.client.submit import start
from runwidgets.errors import InvalidArgumentError, RunWidgetsError, UnknownFileError
from runwidgets.report import Pictures, sweep_html
from runwidgets.service.contracts.runs import Api
from runwidgets.states import RunState

if TYPE_CHECKING:
    import pandas

SWEEP_TYPE = "application/vnd.runwidgets.sweep+json"
MOST_PICTURES = 60
"""Pictures that a grid shows."""

Direction = Literal["minimize", "maximize"]


class Sweep:
    """A sweep, live: what it says is what the service knows now.

    Iterating gives a `Run` per point, in order; ``len`` is the number of points.

    Parameters
    ----------
    api : Api
        Where the sweep is.
    handle : dict or str
        Its handle, or its id.

    Raises
    ------
    UnknownSweepError
        There is no such sweep.
    """

    def __init__(self, api: Api, handle: Mapping[str, Any] | str) -> None:
        self.api = api
        self._handle = dict(api.sweeps.get_sweep(handle) if isinstance(handle, str) else handle)

    @property
    def id(self) -> str:
        """Its id."""
        return str(self._handle["id"])

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self._handle["name"])

    @property
    def handle(self) -> dict[str, Any]:
        """Its handle, as it is now."""
        self._handle = self.api.sweeps.get_sweep(self.id)
        return self._handle

    @property
    def counts(self) -> dict[str, int]:
        """The number of points by state."""
        return dict(self.handle["counts"])

    @property
    def is_done(self) -> bool:
        """Whether no run of it is active."""
        return bool(self.handle["isDone"])

    def __len__(self) -> int:
        return int(self.handle["total"])

    def __iter__(self) -> Iterator[Run]:
        return (Run(self.api, row["id"]) for row in self.points())

    def points(self) -> list[Row]:
        """Return what is known of each point, in order, without a question per run.

        Returns
        -------
        list of dict
            ``number``, ``id`` (of the run), ``state``, ``createdAt``, ``startedAt``, ``finishedAt``,
            ``arguments`` and ``metrics`` by name, ``message``.
        """
        return read_points(self.api, self.id)

    def as_completed(self, timeout: float | None = None) -> AsCompleted:
        """Return the runs as they end, whichever comes first; those that have ended already at once.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most, all in all; None for as long as it takes.

        Returns
        -------
        AsCompleted
            For ``for`` and for ``async for``.

        Examples
        --------
        >>> for run in sweep.as_completed():  # doctest: +SKIP
        ...     print(run.arguments, run.metrics)
        """
        return AsCompleted(self.api, self.id, timeout)

    def wait(self, timeout: float | None = None) -> "Sweep":
        """Wait until all runs have ended; an interrupt of the kernel ends the waiting, not the runs.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; None for as long as it takes.

        Returns
        -------
        Sweep
            Itself.

        Raises
        ------
        TimeoutError
            Runs are still active.
        UnknownSweepError
            It was deleted.
        """
        for _ in self.as_completed(timeout).ids():
            pass
        return self

    def __await__(self) -> Generator[Any, None, "Sweep"]:
        return asyncio.to_thread(self.wait).__await__()

    def cancel(self, reason: str | None = None, *, pending_only: bool = False) -> "Sweep":
        """Stop its active runs.

        Parameters
        ----------
        reason : str, optional
            Kept in the messages of the runs.
        pending_only : bool, optional
            Whether those that are running go on.

        Returns
        -------
        Sweep
            Itself.

        Raises
        ------
        InvalidRunStateError
            All have ended already.
        """
        self._handle = self.api.sweeps.cancel_sweep(self.id, reason, pending_only)
        return self

    @property
    def is_paused(self) -> bool:
        """Whether the runs that wait are left waiting."""
        return bool(self.handle["isPaused"])

    def pause(self) -> "Sweep":
        """Leave the runs that wait waiting; those that are running go on.

        Returns
        -------
        Sweep
            Itself.

        Raises
        ------
        InvalidRunStateError
            None waits.
        """
        self._handle = self.api.sweeps.pause_sweep(self.id)
        return self

    def resume(self) -> "Sweep":
        """Let the runs go on that `pause` left waiting.

        Returns
        -------
        Sweep
            Itself.
        """
        self._handle = self.api.sweeps.pause_sweep(self.id, paused=False)
        return self

    def rerun_failed(self) -> "Sweep":
        """Start each run again that failed or was cancelled, on the template as it is now.

        Returns
        -------
        Sweep
            Itself.

        Raises
        ------
        InvalidRunStateError
            None did.
        """
        self._handle = self.api.sweeps.rerun_failed(self.id)
        return self

    def delete(self) -> None:
        """Remove it with the runs that it started, and their files.

        Raises
        ------
        InvalidRunStateError
            A run is active.
        """
        self.api.sweeps.delete_sweep(self.id)

    def best(self, metric: str, direction: Direction = "minimize") -> Run:
        """Return the run with the best value of a metric.

        Parameters
        ----------
        metric : str
            Its name.
        direction : {"minimize", "maximize"}
            Whether the least or the greatest value is the best.

        Returns
        -------
        Run
            A successful one; of several with the same value the first.

        Raises
        ------
        InvalidArgumentError
            No successful run has a number there.
        """
        if direction not in ("minimize", "maximize"):
            raise InvalidArgumentError("direction", f"{direction!r}", "use 'minimize' or 'maximize'")
        rows = [row for row in self.points() if row["state"] == RunState.SUCCESS.value]
        values = {row["id"]: row["metrics"][metric] for row in rows if is_number(row["metrics"].get(metric))}
        if not values:
            known = sorted({name for row in rows for name in row["metrics"]})
            remedy = f"they have {', '.join(known)}" if known else "record one with runwidgets.record"
            raise InvalidArgumentError(metric, f"none of {len(rows)} successful runs has a number", remedy)
        choose = min if direction == "minimize" else max
        return Run(self.api, choose(values, key=lambda run_id: float(values[run_id])))

    def to_frame(self) -> "pandas.DataFrame":
        """Return what came out, a row per point.

        Returns
        -------
        pandas.DataFrame
            Indexed by the point's number; columns ``run``, ``state``, ``created``, ``started``,
            ``finished`` (UTC), ``duration`` (seconds), one per argument and one per metric
            (``metric.<name>`` where an argument has that name), and ``message``. Missing values are
            missing; numbers are numbers.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        return make_frame(self.points(), "number")

    def images(self, name: str) -> Pictures:
        """Return a picture of every successful run, side by side, each with what tells it apart.

        Parameters
        ----------
        name : str
            The picture's name among the result files.

        Returns
        -------
        Pictures
            Shows itself in a notebook.

        Raises
        ------
        UnknownFileError
            No successful run has such a file.
        """
        rows = [row for row in self.points() if row["state"] == RunState.SUCCESS.value]
        varied = self.handle["varied"]
        shown: list[tuple[str, bytes, str]] = []
        for row in rows[:MOST_PICTURES]:
            found = Run(self.api, row["id"]).files.get(name)
            if found is None:
                continue
            given = {key: row["arguments"].get(key, "default") for key in varied}
            label = ", ".join(f"{key} = {value}" for key, value in given.items()) or f"point {row['number']}"
            shown.append((label, found.read_bytes(), found.mime_type))
        if not shown:
            raise UnknownFileError(name, f"none of {len(rows)} successful runs has such a file")
        return Pictures(shown, max(0, len(rows) - MOST_PICTURES))

    def summarize(
        self,
        source: str | os.PathLike[str],
        /,
        *,
        group: str | None = None,
        config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Run:
        """Start a run of a notebook over all that came out.

        Its parameter ``runs`` names a folder with a sub-folder per successful run, called by the number of
        its point: the run's result files, and ``run.json`` with ``id``, ``number``, ``arguments``,
        ``metrics``, ``startedAt`` and ``finishedAt``.

        Parameters
        ----------
        source : str or path
            Path of the notebook, or the id of a workflow.
        group : str, optional
            Id of a group; None for the workflow's default one.
        config : dict, optional
            How to run, as in `RunService.start_run`.
        **kwargs
            Arguments for the other parameters.

        Returns
        -------
        Run
            The live handle.

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
        settings = {**(config or {}), "results_of": self.id}
        return Run(self.api, start(self.api, source, kwargs, group, settings))

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self._handle["counts"].items() if count)
        return f"Sweep({self.id!r}, {self._handle['total']} points: {counts})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        try:
            handle = self.handle
        except RunWidgetsError:  # it was deleted, or its service is away: what was known last
            handle = self._handle
        saved = {"sweep_id": self.id, "name": handle["name"], "counts": handle["counts"]}
        return {SWEEP_TYPE: saved, "text/plain": repr(self), "text/html": sweep_html(handle)}


def is_number(value: Any) -> bool:
    """Say whether a metric is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
