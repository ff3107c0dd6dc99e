"""The record of an execution in progress: the notebook, the log, and lines of the journal, within limits."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from runwidgets.errors import describe
from runwidgets.execution.journal import JournalKind, JournalWriter
from runwidgets.execution.run_outcome import Outcome, reason_of
from runwidgets.execution.runner.secret_values import mask
from runwidgets.execution.runner.snapshots import SnapshotWriter
from runwidgets.execution.runner.stop import Stop
from runwidgets.limits import Limits
from runwidgets.schema import ProgressReport

PROGRESS_INTERVAL = 0.25
"""Seconds between two progress reports of one template; the last report is always written."""


class Recorder:
    """Writes what an execution produces: its notebook, its log, and the lines of the journal.

    Parameters
    ----------
    output : Path
        Path of the executed notebook.
    log : Path
        Path of the log.
    journal : JournalWriter
        Receives cells, metrics and progress.
    stop : Stop
        Checked before every cell.
    limits : Limits
        ``outputs`` and ``log`` (bytes), ``start_timeout`` (seconds).
    cell_timeout : float, optional
        Time limit of one cell in seconds.
    secrets : list of (str, str)
        Value of each secret parameter, masked in all output, and the code that assigns it.
    """

    def __init__(
        self,
        output: Path,
        log: Path,
        journal: JournalWriter,
        stop: Stop,
        *,
        limits: Limits,
        cell_timeout: float | None = None,
        secrets: list[tuple[str, str]] | None = None,
    ) -> None:
        self.snapshots = SnapshotWriter(output)
        self.journal = journal
        self.stop = stop
        self.limits = limits
        self.cell_timeout = cell_timeout
        self.secrets = secrets or []
        self.failure: Outcome | None = None
        """What failed, in a cell or between two."""
        self.has_exited = False
        """Whether the notebook ended its run before its last cell."""
        self.cell = 0
        self.cells = 0
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._log_left = limits.log
        self._outputs_left = limits.outputs
        self._next_report = 0.0
        self._report: ProgressReport | None = None

    def print(self, text: str) -> None:
        """Append to the log, within its limit."""
        content = text.encode("utf-8", "backslashreplace")
        if len(content) > self._log_left > 0:
            content = content[: self._log_left] + b"\n[log cut here: it is full]\n"
            self._log_left = 0
        elif self._log_left:
            self._log_left -= len(content)
        else:
            return
        with self._disk("the log"):
            os.write(self._log, content)

    def write(self, kind: JournalKind, **values: Any) -> None:
        """Write a record into the journal."""
        with self._disk("the journal"):
            self.journal.write(kind, **values)

    @property
    def is_over(self) -> bool:
        """Whether no further cell is executed."""
        return self.failure is not None or self.has_exited or self.stop.is_requested

    def end_early(self) -> None:
        """Record that the current cell ended the run successfully."""
        self.has_exited = True
        self.write("exit", cell=self.cell)

    def reserve_output(self, size: int) -> int:
        """Reserve bytes for an output; return how many of them may be stored, at most `size`."""
        granted = min(size, self._outputs_left)
        self._outputs_left -= granted
        return granted

    def mask(self, value: Any) -> Any:
        """Return a string, or a structure of strings, without secrets."""
        return mask(value, [secret for secret, _ in self.secrets])

    def report(self, fraction: float, text: str) -> None:
        """Write progress to the journal, at most four times a second and always the last report."""
        self._report = {"fraction": fraction, "text": text}
        if time.monotonic() >= self._next_report:
            self.flush_report()

    def flush_report(self) -> None:
        """Write the pending progress report."""
        if self._report is not None:
            self.write("progress", **self._report)
            self._report = None
            self._next_report = time.monotonic() + PROGRESS_INTERVAL

    def snapshot(self, notebook: NotebookNode, is_last: bool = False) -> None:
        """Replace the stored notebook by its current state; see `SnapshotWriter.write`."""
        with self._disk("the notebook"):
            self.snapshots.write(notebook, is_last)

    def close(self) -> None:
        """Close the log."""
        self.flush_report()
        os.close(self._log)

    @contextmanager
    def _disk(self, subject: str) -> Iterator[None]:
        """End the run if the disk rejects a write; earlier writes remain."""
        try:
            yield
        except OSError as error:
            message = f"{subject} of the run could not be written: {error.strerror or describe(error)}"
            self.stop.request(Outcome.failed(reason_of(error), message))
