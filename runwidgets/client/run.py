"""A live run: an object in code, a card in a notebook."""

import asyncio
import os
import threading
from collections.abc import Callable, Generator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, overload

from runwidgets.client.metrics import read_metrics
from runwidgets.client.run_files import PartialFile, ResultFile
from runwidgets.errors import InvalidArgumentError, RunWidgetsError, UnknownRunError
from runwidgets.mixed_versions import read_member
from runwidgets.report import card_html
from runwidgets.report.formatting import remarks_text
from runwidgets.schema import JsonValue, Progress, RunHandle, RunReason
from runwidgets.service.contracts.api import Api
from runwidgets.states import TERMINAL, RunState
from runwidgets.templates.arguments import tag_values
from runwidgets.templates.parameters import parse_parameters
from runwidgets.templates.scalars import untag_floats

if TYPE_CHECKING:
    from nbformat import NotebookNode

RUN_TYPE = "application/vnd.runwidgets.run+json"
ENDING_TIMEOUT = 60.0
"""Seconds to wait at most for the partial files of a cancelled run, whose processes are being stopped."""


def read_state(value: str) -> RunState:
    """Return the state that a service names.

    Raises
    ------
    VersionMismatchError
        The server has a state that this version does not know.
    """
    return read_member(RunState, "state", value)


class Run:
    """A live run: its attributes show the current state of the run.

    Two objects are equal if they are the same run of the same store.

    Parameters
    ----------
    api : Api
        The services that know the run.
    handle : dict or str
        The run handle, or the id of the run.

    Raises
    ------
    UnknownRunError
        There is no such run.
    """

    def __init__(self, api: Api, handle: RunHandle | str) -> None:
        self.api = api
        self._handle = api.runs.get_run(handle) if isinstance(handle, str) else handle
        self._is_deleted = False

    @property
    def id(self) -> str:
        """The id of the run."""
        return self._handle["id"]

    @property
    def handle(self) -> RunHandle:
        """The run handle; requested again until the run and all of its processes have ended.

        Raises
        ------
        UnknownRunError
            The run was deleted; this is so for each attribute that shows its state, too.
        """
        if self._is_deleted:
            raise UnknownRunError(f"run {self.id}", "it was deleted")
        if read_state(self._handle["state"]) not in TERMINAL or self._handle.get("isEnding"):
            self._handle = self.api.runs.get_run(self.id)
        return self._handle

    @property
    def state(self) -> RunState:
        """The state of the run."""
        return read_state(self.handle["state"])

    @property
    def arguments(self) -> dict[str, JsonValue]:
        """The arguments that the run was started with, by name; NaN and infinity are floats."""
        given = {each["name"]: each["value"] for each in self._handle["arguments"]}
        parameters = parse_parameters(self._handle["parameters"])
        return {name: untag_floats(value) for name, value in tag_values(parameters, given).items()}

    @property
    def metrics(self) -> dict[str, JsonValue]:
        """The recorded metrics, by name; NaN and infinity are floats."""
        return read_metrics(self.handle["metrics"])

    @property
    def progress(self) -> Progress:
        """The progress of the run: ``cell`` of ``cells``, ``fraction`` (0 to 1), ``text``."""
        handle = self.handle
        nothing: Progress = {"fraction": 0.0, "text": "", "heartbeatAt": handle["createdAt"]}
        return handle.get("progress", nothing)

    def series(self, name: str) -> list[tuple[float, float]]:
        """Return the values of a metric that the run has recorded by step so far.

        Parameters
        ----------
        name : str
            Name of the metric.

        Returns
        -------
        list of (float, float)
            Steps, in ascending order, and values, which may be NaN or infinite.

        Raises
        ------
        InvalidArgumentError
            The run recorded no such series.

        Examples
        --------
        >>> steps, losses = zip(*run.series("loss"))  # doctest: +SKIP
        """
        recorded = self.api.runs.get_series(self.id)["series"]
        if name not in recorded:
            available = ", ".join(sorted(recorded)) or "none"
            raise InvalidArgumentError(name, f"run {self.id} has no such series", f"it has {available}")
        return [
            (step, float(value))
            for step, value in zip(recorded[name]["steps"], recorded[name]["values"], strict=True)
        ]

    @property
    def reason(self) -> RunReason | None:
        """Why the run ended in ERROR or CANCELED; None in any other state."""
        reason = self.handle.get("reason")
        return None if reason is None else read_member(RunReason, "reason", reason)

    @property
    def messages(self) -> list[str]:
        """Why the run ended in ERROR or CANCELED, in words."""
        return list(self.handle.get("messages", []))

    @property
    def files(self) -> dict[str, ResultFile]:
        """The result files by name; empty unless the run is SUCCESS."""
        return {each["name"]: ResultFile(self.api, self.id, each) for each in self.handle.get("files", [])}

    @property
    def partial_files(self) -> dict[str, PartialFile]:
        """What the run left by name if it ended in ERROR or CANCELED: its files and its executed notebook.

        They are not results: the run may have been writing them when it ended. While the processes of a
        cancelled run are being stopped, this waits for their end.
        """
        if self.handle.get("isEnding"):
            self._wait_for(lambda: not self.handle.get("isEnding"), ENDING_TIMEOUT)
        files = self.handle.get("partialFiles", [])
        return {each["name"]: PartialFile(self.api, self.id, each) for each in files}

    @property
    def notebook(self) -> "NotebookNode":
        """The executed notebook, up to the cell that the run has reached."""
        import nbformat  # importing it takes a second, and few users need it

        with self.api.runs.get_notebook(self.id) as stream:
            executed: NotebookNode = nbformat.reads(stream.read().decode(), as_version=4)
        return executed

    @property
    def log(self) -> str:
        """Everything that the notebook printed."""
        pieces: list[str] = []
        offset = 0
        while True:
            piece = self.api.runs.get_log(self.id, offset)
            if piece["next"] == offset or not piece["text"]:
                return "".join(pieces)
            pieces.append(piece["text"])
            offset = piece["next"]

    def wait(self, timeout: float | None = None) -> "Run":
        """Wait until the run has ended; an interrupt of the kernel ends the wait, not the run.

        Parameters
        ----------
        timeout : float, optional
            Maximum number of seconds to wait; None to wait without limit.

        Returns
        -------
        Run
            This run.

        Raises
        ------
        TimeoutError
            The run is still active.
        UnknownRunError
            The run was deleted.
        """
        if not self._is_deleted:
            self._handle = self.api.runs.get_run(self.id)  # it may have been deleted elsewhere
        if not self._wait_for(lambda: self.state in TERMINAL, timeout):
            raise TimeoutError(f"run {self.id} is still {self.state} after {timeout:g} s")
        return self

    def _wait_for(self, is_so: Callable[[], bool], timeout: float | None) -> bool:
        """Wait for a condition that changes with the state or the files; return False after the timeout."""
        stop = threading.Event()
        timer = threading.Timer(timeout or 0, stop.set)
        timer.daemon = True
        if timeout is not None:
            timer.start()
        try:
            last_seq = self.api.events.last_event()
            if is_so():
                return True
            for event in self.api.events.follow_events(last_seq, run_id=self.id, stop=stop):
                if event["kind"] == "deleted":
                    raise UnknownRunError(f"run {self.id}", "it was deleted")
                if event["kind"] in {"state", "files"} and is_so():
                    return True
        finally:
            timer.cancel()
        return False

    def __await__(self) -> Generator[object, None, "Run"]:
        return asyncio.to_thread(self.wait).__await__()

    def cancel(self, reason: str | None = None) -> "Run":
        """Stop the run.

        Parameters
        ----------
        reason : str, optional
            Stored in the messages of the run.

        Returns
        -------
        Run
            This run, CANCELED.

        Raises
        ------
        InvalidRunStateError
            The run has already ended.
        """
        self._handle = self.api.runs.cancel_run(self.id, reason)
        return self

    def rerun(self, *, latest: bool = False) -> "Run":
        """Start the run again as it was: with its notebook, values, uploads and config.

        Parameters
        ----------
        latest : bool, optional
            Whether to take the notebook as it is today.

        Returns
        -------
        Run
            The new run.

        Raises
        ------
        ConstraintViolationError
            An argument was secret and therefore not stored, or today's template does not accept the
            arguments; see `RunService.rerun`.
        """
        return Run(self.api, self.api.runs.rerun(self.id, latest))

    def delete(self) -> None:
        """Remove the run and its files.

        Raises
        ------
        InvalidRunStateError
            The run is active.
        UnknownRunError
            The run was deleted before.
        """
        self.api.runs.delete_run(self.id)
        self._is_deleted = True

    @overload
    def to_html(self) -> str: ...

    @overload
    def to_html(self, path: str | os.PathLike[str]) -> Path: ...

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str | Path:
        """Write a report of the run: one HTML document to keep, to mail or to print.

        The document needs no server and no network: it contains the pictures, up to sizes that it states,
        and the executed notebook. It contains no script, and no content of the run can add one.

        Parameters
        ----------
        path : str or path, optional
            The file to write, or a folder, in which the file is named ``run-<id>.html``; None to return the
            document.

        Returns
        -------
        str or Path
            The document, or the path of the file.

        Raises
        ------
        UnknownRunError
            The run was deleted.

        Examples
        --------
        >>> run.to_html("report.html")  # doctest: +SKIP
        PosixPath('report.html')
        """
        from runwidgets.report.document import report_html

        document = report_html(self.api, self.handle)
        if path is None:
            return document
        target = Path(path)
        if target.is_dir():
            target = target / f"run-{self.id}.html"
        target.write_text(document, "utf-8")
        return target

    def _last_known(self) -> RunHandle:
        """Return the present handle, or the last known one if the run was deleted or cannot be reached."""
        try:
            return self.handle
        except RunWidgetsError:
            return self._handle

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Run):
            return NotImplemented
        return self.id == other.id and self.api.shares_store(other.api)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        handle = self._last_known()
        state = [handle["state"], remarks_text(handle)]
        return f"Run({self.id!r}, {', '.join(filter(None, state))})"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        handle = self._last_known()
        seen = datetime.now(timezone.utc).isoformat(timespec="seconds")
        saved = {
            "run_id": self.id,
            "notebook": handle.get("notebook"),
            "state": handle["state"],
            "seen": seen,
        }
        return {RUN_TYPE: saved, "text/plain": repr(self), "text/html": card_html(handle)}


def static_bundle(run: Run) -> dict[str, str]:
    """Return a static representation of a run: one plain line, and a small table.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    dict
        ``text/plain`` and ``text/html``; all text in them is escaped.
    """
    return {"text/plain": repr(run), "text/html": card_html(run.handle)}
