"""A run that an instance brings to its end: what its journal said, and what of it is not stored yet."""

import json
import logging
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from typing_extensions import Unpack

from runwidgets.errors import (
    InvalidRunStateError,
    ServiceUnavailableError,
    StorageFullError,
    UnknownRunError,
)
from runwidgets.execution.journal import FORMAT, JournalReader, JournalRecord
from runwidgets.execution.processes import watch_for_end
from runwidgets.execution.run_outcome import Outcome, RunFailedError
from runwidgets.execution.run_queue import RunQueue
from runwidgets.schema import FoundResult, Progress, ProgressReport, RunDescription, RunReason
from runwidgets.states import RunState
from runwidgets.store.database.columns import NewFile
from runwidgets.store.database.database import now
from runwidgets.store.database.metrics import RecordedValue
from runwidgets.store.files.layout import JOURNAL, LOCK, LOG, RUN_FILE

NOTE_PAUSE = 0.2
"""Seconds between two notes of what one run says; its end is never delayed."""
RETRY_PAUSE = 1.0
"""Seconds before the second attempt; twice as many before each further one."""
RETRY_PAUSE_MAX = 60.0

log = logging.getLogger(__name__)


class TrackedRun:
    """A run, followed by its journal.

    Parameters
    ----------
    run_id : str
        The run.
    folder : Path
        Its directory.
    """

    def __init__(self, run_id: str, folder: Path) -> None:
        self.run_id = run_id
        self.lock = folder / LOCK
        self.description: RunDescription = json.loads((folder / RUN_FILE).read_text("utf-8"))
        self.runner: int | None = None
        """Process of the attempt that is under way, once its journal says so."""
        self.is_told = False
        """Whether that process was asked to end."""
        self.outcome: Outcome | None = None
        self.files: list[FoundResult] = []
        """Result files of a successful attempt, as the journal says."""
        self.attempts = 0
        """Attempts that began, as the journal says."""
        self.launches = 0
        """Attempts that this instance launched."""
        self.starts_at: float | None = None
        """When the next attempt is due (monotonic seconds); None while one is under way."""
        self.must_spawn = self.description["config"].get("isolation") == "spawn"
        self.stops: str | None = self.description.get("stops")
        """The sweep that an error of this run stops."""
        self.process: subprocess.Popen[bytes] | None = None
        self.exit_fd: int | None = None
        """Descriptor that is readable once a spawned runner has ended."""
        self.code: int | None = None
        self.failures = 0
        self.kill_at: float | None = None
        self.is_cancelled = False
        self.has_ended = False
        self._journal = JournalReader(folder / JOURNAL)
        self._log = folder / LOG
        self._log_size = 0
        self._next_note = time.monotonic() + NOTE_PAUSE
        self._progress = ProgressReport()
        self._is_changed = False
        self._metrics: list[RecordedValue] = []

    @property
    def may_retry(self) -> bool:
        """Whether an attempt that failed is followed by another."""
        return self.attempts <= self.description["config"].get("retries", 0) and not self.is_cancelled

    def retry(self) -> None:
        """Have the next attempt begin after a pause that doubles."""
        assert self.outcome is not None
        pause = min(RETRY_PAUSE * 2 ** (self.attempts - 1), RETRY_PAUSE_MAX)
        self.starts_at = time.monotonic() + pause
        retries = self.description["config"]["retries"]
        self._report(
            fraction=0.0,
            text=f"attempt {self.attempts + 1} of {retries + 1} follows: {self.outcome.messages[0]}",
        )

    def watch(self, process: "subprocess.Popen[bytes]") -> None:
        """Remember the runner that was spawned."""
        self.process = process
        self.exit_fd = watch_for_end(process.pid)

    def reap(self) -> None:
        """Take the exit code of a spawned runner that is gone."""
        if self.process is not None:
            self.code = self.process.wait()
            self.process = None
        self.unwatch()

    def unwatch(self) -> None:
        """Close what tells of the end of a spawned runner."""
        if self.exit_fd is not None:
            os.close(self.exit_fd)
            self.exit_fd = None

    def read(self) -> None:
        """Take what the journal says by now.

        Raises
        ------
        RunFailedError
            Its runner writes journals of another format.
        """
        for record in self._journal.read():
            self._take(record)

    def store_progress(self, runs: RunQueue, is_last: bool = False) -> None:
        """Store progress, metrics and the size of the log, if they changed, and not too often."""
        if not is_last and time.monotonic() < self._next_note:
            return
        grown = self._grown()
        if not self._is_changed and not self._metrics and grown is None:
            return
        progress: Progress = {"fraction": 0.0, "text": "", **self._progress, "heartbeatAt": now()}
        runs.store_progress(self.run_id, progress if self._is_changed else None, self._metrics, grown)
        self._is_changed, self._metrics = False, []
        self._log_size = self._log_size if grown is None else grown
        self._next_note = time.monotonic() + NOTE_PAUSE

    def has_news(self) -> bool:
        """Read on, where a note is due; say whether there is something to store."""
        if self.starts_at is not None or time.monotonic() < self._next_note:
            return False
        self.read()
        return self._is_changed or bool(self._metrics) or self._grown() is not None

    def _grown(self) -> int | None:
        """Return the size of the log; None where it is that of the last note."""
        size = self._log.stat().st_size if self._log.exists() else 0
        return size if size != self._log_size else None

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Have what `note` and `end` store count as stored only if the block ends well."""
        before = (self._is_changed, self._metrics, self._log_size, self._next_note)
        ended = (self.is_cancelled, self.has_ended)
        try:
            yield
        except BaseException:
            self._is_changed, self._metrics, self._log_size, self._next_note = before
            self.is_cancelled, self.has_ended = ended
            raise

    def end(self, runs: RunQueue, holds_slot: bool) -> bool:
        """Store the end, unless somebody cancelled the run before.

        Parameters
        ----------
        runs : RunQueue
            Where.
        holds_slot : bool
            Whether processes of it are left.

        Returns
        -------
        bool
            False when the run has its end already: the first writer won.
        """
        assert self.outcome is not None
        results: list[NewFile] = [
            {
                "id": each["id"],
                "name": each["name"],
                "mime_type": each["mimeType"],
                "size": each["size"],
                "sha256": each["sha256"],
                "display": each["display"],
            }
            for each in self.files
        ]
        messages = self.outcome.messages
        if self.attempts > 1 and self.outcome.state is RunState.ERROR:
            messages = [*messages, f"{self.attempts} attempts were made"]
        try:
            runs.move(self.run_id, self.outcome.state, self.outcome.reason, messages, results, holds_slot)
        except (InvalidRunStateError, UnknownRunError):
            self.is_cancelled = self.has_ended = True
            return False
        self.has_ended = True
        return True

    def _take(self, record: JournalRecord) -> None:
        if record["kind"] == "started":
            if record["format"] != FORMAT:
                message = (
                    f"its runner writes journals of format {record['format']}, and the server reads format "
                    f"{FORMAT}: they have different versions of runwidgets; install the same on both"
                )
                raise RunFailedError(Outcome.failed(RunReason.VERSION_MISMATCH, message))
            self.runner, self.is_told = record["pid"], False
            self.attempts += 1
            self.outcome = None
            if self.attempts > 1:
                self._progress = ProgressReport()
        elif record["kind"] == "cell":
            self._report(cell=record["cell"], cells=record["cells"], source=record["source"])
            if "text" not in self._progress:
                self._report(fraction=(record["cell"] - 1) / record["cells"])
        elif record["kind"] == "progress":
            self._report(fraction=record["fraction"], text=record["text"])
        elif record["kind"] == "metric":
            self._metrics.append(
                RecordedValue(record["name"], record["value"], record.get("step"), self.attempts)
            )
        elif record["kind"] == "finished":
            self.outcome, self.files = Outcome.from_json(record), record["files"]

    def _report(self, **values: Unpack[ProgressReport]) -> None:
        self._progress.update(values)
        self._is_changed = True


def store_all(followed: Iterable[TrackedRun], runs: RunQueue) -> None:
    """Store what runs say on their way, of all of them in one transaction.

    Fifty runs that print all the time would be two hundred and fifty commits a second, each of which waits
    for the disk. Where one of them says what cannot be stored, nothing is stored here: each is then noted by
    itself, and only that one failures.

    Parameters
    ----------
    followed : iterable of TrackedRun
        The runs; those that have nothing to say are left alone.
    runs : RunQueue
        Where.

    Raises
    ------
    ServiceUnavailableError
        The database went away.
    StorageFullError
        The disk is full.
    """
    try:
        telling = [each for each in followed if each.has_news()]
        if len(telling) < 2:
            return
        with ExitStack() as together:
            for each in telling:
                together.enter_context(each.all_or_nothing())
            together.enter_context(runs.together())
            for each in telling:
                each.store_progress(runs)
    except (ServiceUnavailableError, StorageFullError):
        raise
    except Exception:
        log.debug("runwidgets: runs cannot be noted together", exc_info=True)
