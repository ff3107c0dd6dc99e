"""The base class of backends: one thread that claims runs and brings each of them to its end.

The database is the queue, so runs accepted by other processes are found too. The thread sleeps until it gets
a request, a run has news, or the next check is due: for runs of dead instances, and for runs that other
instances cancelled.
"""

import logging
import socket
import threading
import time
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any, Generic, Protocol, TypeVar

from runwidgets.errors import ServiceUnavailableError, StorageFullError, VersionMismatchError, describe
from runwidgets.execution.backend import Backend
from runwidgets.execution.run_outcome import Outcome
from runwidgets.execution.run_queue import RunQueue
from runwidgets.failpoints import reach
from runwidgets.limits import Limits
from runwidgets.schema import RunReason
from runwidgets.states import RunState
from runwidgets.store.files.base import FileStore
from runwidgets.store.liveness import Liveness

BUSY_INTERVAL = 0.05
"""Seconds between two checks of runs while some are tracked."""
IDLE_INTERVAL = 0.5
"""Seconds between two checks of the queue, which other processes may fill, and of cancelled runs."""
MAX_FAILURES = 20
"""Consecutive unexpected errors of a run after which it is ended."""

log = logging.getLogger(__name__)


class RunInProgress(Protocol):
    """A run in progress, as every backend sees it."""

    run_id: str
    is_cancelled: bool
    failures: int


Tracked = TypeVar("Tracked", bound=RunInProgress)


class Dispatcher(Backend, Generic[Tracked]):
    """The thread of a backend.

    A subclass calls `_begin` after its construction, and implements the steps of a run.

    Parameters
    ----------
    runs : RunQueue
        The queue.
    files : FileStore
        The files of the instance.
    limits : Limits
        ``disk_floor`` (bytes).
    liveness : Liveness
        The other instances; left when the backend is closed.
    host : str
        The host on which runs execute; slots are counted per host.
    """

    busy_pause = BUSY_INTERVAL

    def __init__(
        self, runs: RunQueue, files: FileStore, limits: Limits, *, liveness: Liveness, host: str
    ) -> None:
        self._runs = runs
        self._files = files
        self._limits = limits
        self._host = host
        self._liveness = liveness
        self._instance = liveness.instance_id
        self._tracked: dict[str, Tracked] = {}
        self._cancelled: set[str] = set()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        for wake_socket in (self._wake_receiver, self._wake_sender):
            wake_socket.setblocking(False)
        self._closing = threading.Event()
        self._is_idle = threading.Event()
        self._next_check = 0.0
        self._thread = threading.Thread(target=self._work, name="runwidgets-backend", daemon=True)

    def _begin(self) -> None:
        self._thread.start()

    def submit(self, run_id: str) -> None:
        """Wake the thread; it finds the run in the database."""
        self._wake()

    def cancel(self, run_id: str) -> None:
        """Notify the thread; it finds runs that other instances cancelled in the database."""
        self._cancelled.add(run_id)
        self._wake()

    def drain(self, timeout: float) -> bool:
        """Check at once, and wait; see `Backend`."""
        self._next_check = 0.0
        self._wake()
        return self._is_idle.wait(timeout)

    def close(self) -> None:
        """Stop the thread; runs continue on their own."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake()
        self._thread.join()
        self._leave()
        self._liveness.leave()
        self._wake_receiver.close()
        self._wake_sender.close()

    # -- the thread ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        with suppress(BlockingIOError, OSError):  # full, so the thread is awake anyway; or closed
            self._wake_sender.send(b"!")

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                self._receive()
                self._check_others()
                self._claim()
                self._store_all()
                for tracked in list(self._tracked.values()):
                    self._advance_or_give_up(tracked)
                pause = self.busy_pause if self._tracked else IDLE_INTERVAL
            except ServiceUnavailableError as error:
                log.warning("runwidgets: %s; trying again", error)
                pause = IDLE_INTERVAL  # everything is on disk, so nothing is lost in the meantime
            except StorageFullError as error:
                log.warning("runwidgets: %s; trying again with the reserved space", error)
                pause = BUSY_INTERVAL if self._files.release_space() else IDLE_INTERVAL
            except Exception:
                log.exception("runwidgets: the backend failed and continues")
                pause = IDLE_INTERVAL
            if self._tracked:
                self._is_idle.clear()
            else:
                self._is_idle.set()
            wait([self._wake_receiver, *self._waitables()], pause)

    def _receive(self) -> None:
        """Receive the requests to the thread, and the messages of its runs."""
        with suppress(BlockingIOError):
            self._wake_receiver.recv(4096)
        self._listen()
        while self._cancelled:
            run_id = self._cancelled.pop()
            if run_id in self._tracked:
                self._tracked[run_id].is_cancelled = True

    def _check_others(self) -> None:
        """Adopt the runs of dead instances, and find runs that other instances cancelled."""
        if time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + IDLE_INTERVAL
        self._files.reserve_space(self._limits.disk_floor)
        self._liveness.refresh()
        self._maintain()
        rows = {row.id: row for row in self._runs.list_slot_holders()}
        lost = [row.id for row in rows.values() if row.instance == self._instance]
        self.adopt(set(lost) - set(self._tracked))  # claimed, but not tracked because of an error
        others = {row.instance for row in rows.values()} - {self._instance}
        dead = {instance for instance in others if not self._liveness.is_alive(instance)}
        self.adopt([row.id for row in rows.values() if row.instance in dead])
        for run_id, tracked in self._tracked.items():
            if run_id not in rows or rows[run_id].state == RunState.CANCELED.value:
                tracked.is_cancelled = True  # cancelled, or deleted since

    def _claim(self) -> None:
        while len(self._tracked) < self._slots:
            row = self._runs.claim(self._host, self._instance, self._slots)
            if row is None:
                return
            reach("claimed")
            self._follow(row)

    def _advance_or_give_up(self, tracked: Tracked) -> None:
        """Advance one run; a run that fails repeatedly does not block the others."""
        try:
            self._advance(tracked)
        except (ServiceUnavailableError, StorageFullError):
            raise
        except VersionMismatchError as error:
            self._give_up(tracked, Outcome.failed(RunReason.VERSION_MISMATCH, error.message))
        except Exception as error:
            tracked.failures += 1
            log.exception("runwidgets: run %s: the backend failed and continues", tracked.run_id)
            if tracked.failures >= MAX_FAILURES:
                message = f"the run could not be tracked: {describe(error)}"
                self._give_up(tracked, Outcome.failed(RunReason.INTERNAL_ERROR, message))
        else:
            tracked.failures = 0

    def _forget_secrets(self, run_id: str, stopped_sweep: str | None) -> None:
        """Remove secrets that no kernel still needs, also of runs that were stopped with this one."""
        self._files.forget_secrets(run_id)
        for each in self._runs.never_started(stopped_sweep) if stopped_sweep is not None else ():
            self._files.forget_secrets(each)

    # -- steps that differ between backends ----------------------------------------------------------

    @property
    @abstractmethod
    def _slots(self) -> int:
        """Runs that may execute at once."""

    @abstractmethod
    def _follow(self, row: Any) -> None:
        """Track a run that was just claimed."""

    @abstractmethod
    def _advance(self, tracked: Tracked) -> None:
        """Advance one run."""

    @abstractmethod
    def _give_up(self, tracked: Tracked, outcome: Outcome) -> None:
        """End a run that cannot be tracked."""

    @abstractmethod
    def _leave(self) -> None:
        """Release all resources; called once, after the thread has ended."""

    def _listen(self) -> None:
        """Receive messages of the runs."""

    def _maintain(self) -> None:
        """Maintain what the backend has in addition to its runs."""

    def _store_all(self) -> None:
        """Store the progress of the runs, as far as possible in one transaction."""

    def _waitables(self) -> Sequence[Any]:
        """Return objects that are readable when there is a message."""
        return ()

    @abstractmethod
    def adopt(self, run_ids: Iterable[str]) -> None:
        """Take over runs of a dead instance; see `Backend`."""
