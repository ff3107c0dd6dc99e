"""Retention: the removal of old runs and orphans, by the command `clean` and every hour by an instance."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from runwidgets.errors import RunWidgetsError, StorageFullError, UnknownRunError
from runwidgets.store.database.catalog import Catalog
from runwidgets.store.database.columns import RunRow
from runwidgets.store.database.database import Database
from runwidgets.store.database.integrity_queries import find_expired, find_orphaned_files
from runwidgets.store.database.runs.runs import Runs
from runwidgets.store.files.base import FileStore

HOUR = 3600.0
STOP_TIMEOUT = 2.0
"""Seconds that `close` waits for the directory that is being removed; its removal then continues alone."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Removal:
    """An item that was removed."""

    subject: str
    """``run <id>``, or a key."""
    size: int
    """Bytes that were freed."""
    is_run: bool = False
    """Whether it is a run, or else something that belongs to nobody."""


def clean(
    files: FileStore, database: Database, keep_days: int = 0, keep_runs: int = 0, *, is_dry: bool = False
) -> Iterator[Removal]:
    """Remove old runs, and orphans.

    A run is removed as soon as one of the two rules applies, in the same way as when a user deletes it: first
    its row, whose deletion is an event, then its directory. Active runs are kept, and so are those whose
    processes are still ending. Several processes may clean one root at once. Each step removes one item, so
    that a caller can stop in between.

    Parameters
    ----------
    files : FileStore
        The root.
    database : Database
        The database of the root.
    keep_days : int, optional
        Days for which a run is kept after its end, 0 to `limits.MAX_DAYS`; 0 for no limit.
    keep_runs : int, optional
        Newest runs of each group that are kept, at least 0; 0 for all of them.
    is_dry : bool, optional
        Whether to report what would be removed without removing it.

    Yields
    ------
    Removal
        The items that were removed, oldest run first.

    Raises
    ------
    ServiceUnavailableError
        The database became unavailable or is damaged.
    """
    before = _days_ago(keep_days) if keep_days else None
    runs = Runs(database)
    for run_id in find_expired(database, before, keep_runs or None):
        removal = Removal(f"run {run_id}", files.size_of_run(run_id), is_run=True)
        if not is_dry:
            with suppress(UnknownRunError):  # deleted by somebody else at the same time
                delete_row(runs, files, run_id)
            try:
                files.delete_run(run_id)
            except OSError as error:
                log.warning("runwidgets: run %s: its files could not be removed: %s", run_id, error.strerror)
                continue
        yield removal
    if not is_dry:
        for group_id, file_id in Catalog(database).remove_unused_uploads():
            files.delete_upload(group_id, file_id)
    for orphan in find_orphaned_files(files, database, time.time() if is_dry else files.clock()):
        removal = Removal(orphan.key, orphan.size)
        if is_dry or files.discard(orphan):
            yield removal


class Retention:
    """Cleans a root at once and then at intervals, in a thread of its own, until it is closed.

    Parameters
    ----------
    files : FileStore
        The root.
    database : Database
        The database of the root.
    keep_days, keep_runs : int
        See `clean`.
    pause : float, optional
        Seconds from the end of one pass to the start of the next.
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
        """End the thread after its present step. May be called twice."""
        self._closing.set()
        self._thread.join(STOP_TIMEOUT)

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                self._clean()
            except (RunWidgetsError, OSError) as error:
                log.warning("runwidgets: the retention could not finish: %s; trying again later", error)
            except Exception:
                log.exception("runwidgets: the retention failed and continues later")
            self._closing.wait(self._pause)

    def _clean(self) -> None:
        for removal in clean(self._files, self._database, *self._rules):
            log.info("runwidgets: removed %s, %d bytes", removal.subject, removal.size)
            if self._closing.is_set():
                return


def delete_row(runs: Runs, files: FileStore, run_id: str) -> RunRow:
    """Remove a run from the database, even if the disk is full, and return its former row.

    A run that was filling the disk may have taken the reserved space as well; then the space of its own files
    is used.

    Raises
    ------
    StorageFullError
        The disk is full, and the run still has processes.
    RunWidgetsError
        As in `Runs.delete`.
    """
    try:
        return runs.delete(run_id)
    except StorageFullError:
        if files.release_space():
            with suppress(StorageFullError):
                return runs.delete(run_id)
        if runs.get(run_id).holds_slot:  # its processes still write
            raise
        files.delete_run(run_id)
        return runs.delete(run_id)


def _days_ago(days: int) -> str:
    """Return the time some days ago, in the format of the tables."""
    return (datetime.now(timezone.utc) - timedelta(days=days)).isoformat(timespec="microseconds")
