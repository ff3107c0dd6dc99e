"""A tracked run: what its journal contains, and which part of that is not stored yet."""

import json
import logging
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from typing_extensions import Unpack

from runwidgets.errors import (
    InvalidRunStateError,
    ServiceUnavailableError,
    StorageFullError,
    UnknownRunError,
)
from runwidgets.execution.journal import JOURNAL_FORMAT, JournalReader, JournalRecord
from runwidgets.execution.processes import watch_for_end
from runwidgets.execution.run_outcome import Outcome
from runwidgets.execution.run_queue import RunQueue
from runwidgets.execution.runner.files.partial_files import list_partial_files
from runwidgets.mixed_versions import check_format
from runwidgets.schema import RUN_FORMAT, FoundResult, Progress, ProgressReport, RunDescription
from runwidgets.states import RunState
from runwidgets.store.database.columns import NewFile
from runwidgets.store.database.database import now
from runwidgets.store.database.metrics import RecordedValue
from runwidgets.store.files.layout import JOURNAL, LOCK, LOG, RUN_FILE

STORE_INTERVAL = 0.2
"""Seconds between two stores of one run's progress; its end is never delayed."""
RETRY_DELAY = 1.0
"""Seconds before the second attempt; the delay doubles for each further one."""
MAX_RETRY_DELAY = 60.0

log = logging.getLogger(__name__)


class TrackedRun:
    """A run that is tracked by its journal.

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
        self.description: RunDescription = json.loads((folder / RUN_FILE).read_bytes())
        self._format = self.description["format"]
        self.runner: int | None = None
        """Process of the current attempt, once its journal contains it."""
        self.is_stop_sent = False
        """Whether that process was asked to end."""
        self.outcome: Outcome | None = None
        self.files: list[FoundResult] | None = None
        """Result files of a successful attempt, or partial files of another one; None if not listed yet."""
        self.attempts = 0
        """Attempts that began, according to the journal."""
        self.launches = 0
        """Attempts that this instance launched."""
        self.starts_at: float | None = None
        """When the next attempt is due (monotonic seconds); None during an attempt."""
        self.cannot_fork = False
        """Whether no fork server could begin it."""
        self.process: subprocess.Popen[bytes] | None = None
        self.exit_fd: int | None = None
        """Descriptor that becomes readable once a spawned runner has ended."""
        self.code: int | None = None
        self.failures = 0
        self.kill_at: float | None = None
        self.is_cancelled = False
        self.has_ended = False
        self._journal = JournalReader(folder / JOURNAL)
        self._log = folder / LOG
        self._log_size = 0
        self._next_store = time.monotonic() + STORE_INTERVAL
        self._progress = ProgressReport()
        self._is_changed = False
        self._metrics: list[RecordedValue] = []
        self._is_new_attempt = False
        """Whether a further attempt began whose metrics replace those of the one before."""

    @property
    def must_spawn(self) -> bool:
        """Whether its next runner is not forked."""
        return self.cannot_fork or self.description["config"].get("isolation") == "spawn"

    @property
    def stops(self) -> str | None:
        """The sweep that a failure of this run stops."""
        return self.description.get("stops")

    @property
    def may_retry(self) -> bool:
        """Whether another attempt follows a failed one."""
        return self.attempts <= self.description["config"].get("retries", 0) and not self.is_cancelled

    def retry(self) -> None:
        """Schedule the next attempt after a delay that doubles each time."""
        assert self.outcome is not None
        pause = min(RETRY_DELAY * 2 ** (self.attempts - 1), MAX_RETRY_DELAY)
        self.starts_at = time.monotonic() + pause
        retries = self.description["config"]["retries"]
        self._report(
            fraction=0.0,
            text=f"attempt {self.attempts + 1} of {retries + 1} follows: {self.outcome.messages[0]}",
        )

    def watch(self, process: "subprocess.Popen[bytes]") -> None:
        """Watch a spawned runner."""
        self.process = process
        self.exit_fd = watch_for_end(process.pid)

    def reap(self) -> None:
        """Reap a spawned runner that has ended, and store its exit code."""
        if self.process is not None:
            self.code = self.process.wait()
            self.process = None
        self.unwatch()

    def unwatch(self) -> None:
        """Close the descriptor that reports the end of a spawned runner."""
        if self.exit_fd is not None:
            os.close(self.exit_fd)
            self.exit_fd = None

    def read(self) -> None:
        """Read the new records of the journal.

        Raises
        ------
        VersionMismatchError
            The run was described, or is executed, by a version of this software that writes other formats.
        """
        check_format(RUN_FILE, self._format, RUN_FORMAT)
        for record in self._journal.read():
            self._apply(record)

    def store_progress(self, runs: RunQueue, is_last: bool = False) -> None:
        """Store progress, metrics and the size of the log, if they have changed, at a limited rate."""
        if not is_last and time.monotonic() < self._next_store:
            return
        log_size = self._new_log_size()
        if not self._is_changed and not self._metrics and not self._is_new_attempt and log_size is None:
            return
        progress: Progress = {"fraction": 0.0, "text": "", **self._progress, "heartbeatAt": now()}
        runs.store_progress(
            self.run_id,
            progress if self._is_changed else None,
            self._metrics,
            log_size,
            is_new_attempt=self._is_new_attempt,
        )
        self._is_changed, self._metrics, self._is_new_attempt = False, [], False
        self._log_size = self._log_size if log_size is None else log_size
        self._next_store = time.monotonic() + STORE_INTERVAL

    def has_changes(self) -> bool:
        """Read on, if a store is due, and return whether there is anything to store."""
        if self.starts_at is not None or time.monotonic() < self._next_store:
            return False
        self.read()
        is_reported = self._is_changed or self._is_new_attempt or bool(self._metrics)
        return is_reported or self._new_log_size() is not None

    def _new_log_size(self) -> int | None:
        """Return the size of the log, or None if it has not changed since the last store."""
        size = self._log.stat().st_size if self._log.exists() else 0
        return size if size != self._log_size else None

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Treat the stores in the block as done only if the block succeeds."""
        before = (self._is_changed, self._metrics, self._is_new_attempt, self._log_size, self._next_store)
        ended = (self.is_cancelled, self.has_ended)
        try:
            yield
        except BaseException:
            self._is_changed, self._metrics, self._is_new_attempt, self._log_size, self._next_store = before
            self.is_cancelled, self.has_ended = ended
            raise

    def list_partial_files(self, folder: Path) -> None:
        """List the files that a run without success left in its directory, unless its runner did it."""
        if self.files is not None or self.outcome is None or self.outcome.state is RunState.SUCCESS:
            return
        if self._format == RUN_FORMAT:
            with suppress(OSError):  # the directory is damaged or missing
                self.files, _ = list_partial_files(folder, self.description)

    def new_files(self) -> list[NewFile]:
        """Return the rows of its files; empty if they were not listed."""
        return [
            {
                "id": each["id"],
                "name": each["name"],
                "mime_type": each["mimeType"],
                "size": each["size"],
                "sha256": each["sha256"],
                "display": each["display"],
            }
            for each in self.files or []
        ]

    def end(self, runs: RunQueue, holds_slot: bool) -> bool:
        """Store the end, unless the run was cancelled before.

        Parameters
        ----------
        runs : RunQueue
            The queue.
        holds_slot : bool
            Whether processes of the run are left.

        Returns
        -------
        bool
            False if the run has ended already: the first writer counts.
        """
        assert self.outcome is not None
        messages = self.outcome.messages
        if self.attempts > 1 and self.outcome.state is RunState.ERROR:
            messages = [*messages, f"{self.attempts} attempts were made"]
        try:
            runs.move(
                self.run_id, self.outcome.state, self.outcome.reason, messages, self.new_files(), holds_slot
            )
        except (InvalidRunStateError, UnknownRunError):
            self.is_cancelled = self.has_ended = True
            return False
        self.has_ended = True
        return True

    def _apply(self, record: JournalRecord) -> None:
        if record["kind"] == "started":
            check_format(JOURNAL, record["format"], JOURNAL_FORMAT)
            self.runner, self.is_stop_sent = record["pid"], False
            self.attempts += 1
            self.outcome = self.files = None
            if self.attempts > 1:
                self._progress, self._metrics, self._is_new_attempt = ProgressReport(), [], True
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
        elif record["kind"] == "error":
            self._report(errors=self._progress.get("errors", 0) + 1)
        elif record["kind"] == "exit":
            self._report(endedEarly=record["cell"])
        elif record["kind"] == "finished":
            self.outcome, self.files = Outcome.from_json(record), record.get("files")
            if self.outcome.state is RunState.SUCCESS:
                self._report(fraction=1.0)

    def _report(self, **values: Unpack[ProgressReport]) -> None:
        self._progress.update(values)
        self._is_changed = True


def store_all(tracked: Iterable[TrackedRun], runs: RunQueue) -> None:
    """Store the progress of several runs in one transaction.

    Fifty runs that print all the time would need two hundred and fifty commits a second, each of which waits
    for the disk. If one of them cannot be stored, nothing is stored here: each is then stored separately,
    and only that one fails.

    Parameters
    ----------
    tracked : iterable of TrackedRun
        The runs; those without changes are skipped.
    runs : RunQueue
        The queue.

    Raises
    ------
    ServiceUnavailableError
        The database became unavailable.
    StorageFullError
        The disk is full.
    """
    try:
        changed = [each for each in tracked if each.has_changes()]
        if len(changed) < 2:
            return
        with ExitStack() as stack:
            for each in changed:
                stack.enter_context(each.all_or_nothing())
            stack.enter_context(runs.transaction())
            for each in changed:
                each.store_progress(runs)
    except (ServiceUnavailableError, StorageFullError):
        raise
    except Exception:
        log.debug("runwidgets: the progress of several runs cannot be stored together", exc_info=True)
