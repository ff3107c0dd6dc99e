"""What an execution leaves on its way: snapshots of the notebook, the log, lines of the journal.

Snapshots are replaced in one step and only so often; stored outputs and the log have a bound.
"""

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat.v4
from nbformat import NotebookNode

from runwidgets.execution.journal import JournalKind, JournalWriter
from runwidgets.execution.run_outcome import Outcome, reason_of
from runwidgets.execution.runner.stop import Stop
from runwidgets.limits import Limits
from runwidgets.store.files.disk import write_atomically

SNAPSHOT_PAUSE = 0.5
"""Seconds between two snapshots, at least."""
SNAPSHOT_SHARE = 20
"""A snapshot that took a second is followed by the next after this many, so they take 5 % of the time."""
PROGRESS_PAUSE = 0.25
"""Seconds between two reports of progress from one template; the last is always written."""
MASK = "***"


class Recorder:
    """Keeps what an execution says: its notebook, its log, and the journal's lines.

    Parameters
    ----------
    output : Path
        Where the executed notebook goes.
    log : Path
        Where the notebook's prints go.
    journal : JournalWriter
        Told of cells, metrics and progress.
    stop : Stop
        Asked before every cell.
    limits : Limits
        ``outputs`` and ``log`` (bytes), ``start_timeout`` (seconds).
    cell_timeout : float, optional
        Seconds that one cell may take.
    secrets : list of (str, str)
        Value of each secret parameter, masked wherever it is printed, and the code that assigns it.
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
        self.output = output
        self.journal = journal
        self.stop = stop
        self.limits = limits
        self.cell_timeout = cell_timeout
        self.secrets = secrets or []
        self.failure: Outcome | None = None
        """What failed, with a cell or between two."""
        self.cell = 0
        self.cells = 0
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._log_left = limits.log
        self._outputs_left = limits.outputs
        self._next_snapshot = 0.0
        self._next_report = 0.0
        self._report: dict[str, Any] | None = None

    def print(self, text: str) -> None:
        """Append to the log, as long as it has room."""
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

    def tell(self, kind: JournalKind, **values: Any) -> None:
        """Write a line into the journal."""
        with self._disk("the journal"):
            self.journal.write(kind, **values)

    def take(self, size: int) -> int:
        """Return how many bytes of an output may still be stored, at most `size`."""
        granted = min(size, self._outputs_left)
        self._outputs_left -= granted
        return granted

    def mask(self, value: Any, names: int = 2) -> Any:
        """Return a text, or what is made of texts, without secrets.

        Parameters
        ----------
        value : Any
            JSON: a text, or the content of a message.
        names : int
            Levels whose keys stay as they are: those of a message, and of its bundle of MIME types.

        Returns
        -------
        Any
            A copy; deep inside, also numbers that are a secret are masked.
        """
        if isinstance(value, str):
            for secret, _ in self.secrets:
                if secret:
                    value = value.replace(secret, MASK)
        elif isinstance(value, dict):
            keys = value if names > 0 else [self.mask(key) for key in value]
            return {key: self.mask(item, names - 1) for key, item in zip(keys, value.values(), strict=True)}
        elif isinstance(value, list):
            return [self.mask(item, names - 1) for item in value]
        elif names <= 0 and any(str(value) == secret for secret, _ in self.secrets):
            return MASK
        return value

    def report(self, fraction: float, text: str) -> None:
        """Write progress to the journal, at most four times a second and always the last."""
        self._report = {"fraction": fraction, "text": text}
        if time.monotonic() >= self._next_report:
            self.flush_report()

    def flush_report(self) -> None:
        """Write the progress that still waits."""
        if self._report is not None:
            self.tell("progress", **self._report)
            self._report = None
            self._next_report = time.monotonic() + PROGRESS_PAUSE

    def wait_for_snapshot(self) -> float:
        """Return the seconds until a snapshot is due."""
        return self._next_snapshot - time.monotonic()

    def snapshot(self, notebook: NotebookNode, is_last: bool = False) -> None:
        """Replace the stored notebook by what it is now.

        Parameters
        ----------
        notebook : NotebookNode
            The notebook.
        is_last : bool
            Whether this is how it stays: then it is on disk when this returns.
        """
        began = time.monotonic()
        with self._disk("the notebook"):
            write_atomically(self.output, serialise(notebook, is_draft=not is_last), is_durable=is_last)
        ended = time.monotonic()
        self._next_snapshot = ended + max(SNAPSHOT_PAUSE, SNAPSHOT_SHARE * (ended - began))

    def close(self) -> None:
        """Close the log."""
        self.flush_report()
        os.close(self._log)

    @contextmanager
    def _disk(self, subject: str) -> Iterator[None]:
        """End the run when the disk does not take what is written; what was written before stays."""
        try:
            yield
        except OSError as error:
            message = f"{subject} of the run could not be written: {error.strerror}"
            self.stop.request(Outcome.failed(reason_of(error), message))


def settle(output: Path) -> None:
    """Have the stored notebook of a runner that was lost say the truth: no cell of it runs any more.

    Parameters
    ----------
    output : Path
        The notebook; there need not be one.
    """
    if not output.exists():
        return
    notebook = nbformat.v4.reads(output.read_text("utf-8"))
    for cell in notebook.cells:
        if cell.metadata.get("runwidgets", {}).get("status") == "running":
            cell.metadata["runwidgets"]["status"] = "error"
    write_atomically(output, serialise(notebook))


def serialise(notebook: NotebookNode, is_draft: bool = False) -> bytes:
    """Return a notebook as strict JSON: no NaN, no lone surrogates.

    Parameters
    ----------
    notebook : NotebookNode
        Any notebook of format 4.
    is_draft : bool
        Whether it is replaced soon: then it is not laid out for people.

    Returns
    -------
    bytes
        UTF-8.
    """
    write: Any = json.dumps if is_draft else nbformat.v4.writes
    try:
        text: str = write(notebook, allow_nan=False)
    except ValueError:
        text = write(nbformat.from_dict(strict(notebook)), allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def strict(value: Any) -> Any:
    """Return a copy in which NaN and infinity are text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return value
