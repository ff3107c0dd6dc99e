"""What becomes of what is old: one function for the command `clean`, and for the service every hour."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from runwidgets.errors import RunWidgetsError, StorageFullError, UnknownRunError
from runwidgets.store.database.database import Database
from runwidgets.store.database.integrity_queries import find_expired, find_orphaned_files
from runwidgets.store.database.runs import RunRow, Runs
from runwidgets.store.files.base import FileStore

HOUR = 3600.0
GOODBYE = 2.0
"""Seconds that the end waits for the folder that is being removed; it goes on by itself."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Removal:
    """Something that was removed."""

    subject: str
    """``run <id>``, or a key."""
    size: int
    """Bytes that it gave back."""
    is_run: bool = False
    """Whether it is a run, or else something that belongs to nobody."""


def clean(
    files: FileStore, database: Database, keep_days: int = 0, keep_runs: int = 0, *, is_dry: bool = False
) -> Iterator[Removal]:
    """Remove old runs, and whatever belongs to nobody.

    A run goes as soon as one of the two rules says so, through the same path as when a user deletes it:
    first its row, whose end every follower is told, then its folder. Active runs stay, and those whose
    processes still end. Several may clean one root at once. One thing is removed at each step, so that a
    caller can stop in between.

    Parameters
    ----------
    files : FileStore
        The root.
    database : Database
        Its index.
    keep_days : int, optional
        Days for which a run is kept after its end, 0 to `limits.MAX_DAYS`; 0 for ever.
    keep_runs : int, optional
        Newest runs of each group that are kept, at least 0; 0 for all.
    is_dry : bool, optional
        Whether it is only said what would be removed.

    Yields
    ------
    Removal
        What was removed, oldest run first.

    Raises
    ------
    ServiceUnavailableError
        The database went away or is damaged.
    """
    before = _days_ago(keep_days) if keep_days else None
    runs = Runs(database)
    for run_id in find_expired(database, before, keep_runs or None):
        removal = Removal(f"run {run_id}", files.size_of_run(run_id), is_run=True)
        if not is_dry:
            with suppress(UnknownRunError):  # somebody deletes it at the same time
                delete_row(runs, files, run_id)
            try:
                files.delete_run(run_id)
            except OSError as error:
                log.warning("runwidgets: run %s: its files could not be removed: %s", run_id, error.strerror)
                continue
        yield removal
    for orphan in find_orphaned_files(files, database, time.time() if is_dry else files.clock()):
        removal = Removal(orphan.key, orphan.size)
        if is_dry or files.discard(orphan):
            yield removal


class Retention:
    """Cleans a root at once and then again and again, in a thread of its own, until it is closed.

    Parameters
    ----------
    files : FileStore
        The root.
    database : Database
        Its index.
    keep_days, keep_runs : int
        See `clean`.
    pause : float, optional
        Seconds from the end of one time to the next.
    """

    def __init__(
        self, files: FileStore, database: Database, keep_days: int, keep_runs: int, *, pause: float = HOUR
    ) -> None:
        self._files = files
        self._database = database
        self._rules = keep_days, keep_runs
        self._pause = pause
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="runwidgets-retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, after what it removes right now. Twice is harmless."""
        self._closing.set()
        self._thread.join(GOODBYE)

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                self._clean()
            except (RunWidgetsError, OSError) as error:
                log.warning("runwidgets: not everything old was removed: %s; trying again later", error)
            except Exception:
                log.exception("runwidgets: the retention stumbled; it goes on later")
            self._closing.wait(self._pause)

    def _clean(self) -> None:
        for removal in clean(self._files, self._database, *self._rules):
            log.info("runwidgets: removed %s, %d bytes", removal.subject, removal.size)
            if self._closing.is_set():
                return


def delete_row(runs: Runs, files: FileStore, run_id: str) -> RunRow:
    """Remove a run from the database, also when the disk is full; return its row as it was."""
    try:
        return runs.delete(run_id)
    except StorageFullError:
        if not files.release_space():
            raise
        return runs.delete(run_id)


def _days_ago(days: int) -> str:
    """Return the time some days ago, as the tables keep it."""
    return (datetime.now(timezone.utc) - timedelta(days=days)).isoformat(timespec="microseconds")
