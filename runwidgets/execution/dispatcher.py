"""What backends have in common: one thread that claims runs and brings each of them to its end.

The database is the queue, so runs that another process accepted are found too. The thread sleeps until
something is said to it, a run has news, or it is time to look around: for runs whose instance died, and for
what other instances cancelled.
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

from runwidgets.errors import ServiceUnavailableError, StorageFullError
from runwidgets.execution.backend import Backend
from runwidgets.execution.run_outcome import Outcome, RunFailedError
from runwidgets.execution.run_queue import RunQueue
from runwidgets.failpoints import reach
from runwidgets.limits import Limits
from runwidgets.schema import RunReason
from runwidgets.states import RunState
from runwidgets.store.files.base import FileStore
from runwidgets.store.liveness import Liveness

BUSY_PAUSE = 0.05
"""Seconds between two looks at runs while some are followed."""
IDLE_PAUSE = 0.5
"""Seconds between two looks at the queue, which other processes may fill, and at what others cancelled."""
MAX_FAILURES = 20
"""Times in a row that a run may go wrong in a way that nobody foresaw, before it is ended."""

log = logging.getLogger(__name__)


class Watched(Protocol):
    """A run that is on its way, as every backend sees it."""

    run_id: str
    is_cancelled: bool
    failures: int


W = TypeVar("W", bound=Watched)


class Dispatcher(Backend, Generic[W]):
    """The thread of a backend.

    A subclass calls `_begin` when it is made, and says what a run's way is.

    Parameters
    ----------
    runs : RunQueue
        The queue.
    files : FileStore
        Where run directories are.
    limits : Limits
        ``disk_floor`` (bytes).
    liveness : Liveness
        Who else has runs; left when the backend is closed.
    host : str
        Where runs execute; slots are counted by it.
    """

    busy_pause = BUSY_PAUSE

    def __init__(
        self, runs: RunQueue, files: FileStore, limits: Limits, *, liveness: Liveness, host: str
    ) -> None:
        self._runs = runs
        self._files = files
        self._limits = limits
        self._host = host
        self._liveness = liveness
        self._instance = liveness.own
        self._followed: dict[str, W] = {}
        self._cancelled: set[str] = set()
        self._waker, self._bell = socket.socketpair()
        for end in (self._waker, self._bell):
            end.setblocking(False)
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
        """Tell the thread; what another instance cancelled it sees in the database."""
        self._cancelled.add(run_id)
        self._wake()

    def drain(self, timeout: float) -> bool:
        """Look around at once, and wait; see `Backend`."""
        self._next_check = 0.0
        self._wake()
        return self._is_idle.wait(timeout)

    def close(self) -> None:
        """Stop the thread; runs go on by themselves."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake()
        self._thread.join()
        self._leave()
        self._liveness.leave()
        self._waker.close()
        self._bell.close()

    # -- the thread ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        with suppress(BlockingIOError, OSError):  # full, so that it is awake anyway; or closed
            self._bell.send(b"!")

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                self._hear()
                self._check_others()
                self._claim()
                self._note_all()
                for followed in list(self._followed.values()):
                    self._advance_or_give_up(followed)
                pause = self.busy_pause if self._followed else IDLE_PAUSE
            except ServiceUnavailableError as error:
                log.warning("runwidgets: %s; trying again", error)
                pause = IDLE_PAUSE  # everything is on disk, so nothing is lost meanwhile
            except StorageFullError as error:
                log.warning("runwidgets: %s; trying again with the room that was kept", error)
                pause = BUSY_PAUSE if self._files.release_space() else IDLE_PAUSE
            except Exception:
                log.exception("runwidgets: the backend stumbled; it goes on")
                pause = IDLE_PAUSE
            if self._followed:
                self._is_idle.clear()
            else:
                self._is_idle.set()
            wait([self._waker, *self._waitables()], pause)

    def _hear(self) -> None:
        """Take what was asked of the thread, and what is said of its runs."""
        with suppress(BlockingIOError):
            self._waker.recv(4096)
        self._listen()
        while self._cancelled:
            run_id = self._cancelled.pop()
            if run_id in self._followed:
                self._followed[run_id].is_cancelled = True

    def _check_others(self) -> None:
        """Adopt the runs of dead instances, and learn what other instances cancelled."""
        if time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + IDLE_PAUSE
        self._files.reserve_space(self._limits.disk_floor)
        self._liveness.refresh()
        self._look_around()
        rows = {row.id: row for row in self._runs.list_slot_holders()}
        lost = [row.id for row in rows.values() if row.instance == self._instance]
        self.adopt(set(lost) - set(self._followed))  # claimed, but then something went wrong
        others = {row.instance for row in rows.values()} - {self._instance}
        dead = {instance for instance in others if not self._liveness.is_alive(instance)}
        self.adopt([row.id for row in rows.values() if row.instance in dead])
        for run_id, followed in self._followed.items():
            if run_id not in rows or rows[run_id].state == RunState.CANCELED.value:
                followed.is_cancelled = True  # cancelled, or even deleted since

    def _claim(self) -> None:
        while len(self._followed) < self._slots:
            row = self._runs.claim(self._host, self._instance, self._slots)
            if row is None:
                return
            reach("claimed")
            self._follow(row)

    def _advance_or_give_up(self, followed: W) -> None:
        """Bring one run forward; one that goes wrong again and again does not hold up the others for ever."""
        try:
            self._advance(followed)
        except (ServiceUnavailableError, StorageFullError):
            raise
        except RunFailedError as failure:
            self._give_up(followed, failure.outcome)
        except Exception as error:
            followed.failures += 1
            log.exception("runwidgets: run %s: the backend stumbled; it goes on", followed.run_id)
            if followed.failures >= MAX_FAILURES:
                message = f"the run could not be followed: {type(error).__name__}: {error}"
                self._give_up(followed, Outcome.failed(RunReason.INTERNAL_ERROR, message))
        else:
            followed.failures = 0

    def _forget_secrets(self, run_id: str, stopped: str | None) -> None:
        """Remove what no kernel will be given any more, also of runs that were stopped with this one."""
        self._files.forget_secrets(run_id)
        for each in self._runs.never_started(stopped) if stopped is not None else ():
            self._files.forget_secrets(each)

    # -- what is different from backend to backend -----------------------------------------------------

    @property
    @abstractmethod
    def _slots(self) -> int:
        """Runs that may be under way at once."""

    @abstractmethod
    def _follow(self, row: Any) -> None:
        """Begin to follow a run that was claimed just now."""

    @abstractmethod
    def _advance(self, followed: W) -> None:
        """Bring one run forward."""

    @abstractmethod
    def _give_up(self, followed: W, outcome: Outcome) -> None:
        """End a run that cannot be followed."""

    @abstractmethod
    def _leave(self) -> None:
        """Let go of everything; called once, after the thread has ended."""

    def _listen(self) -> None:
        """Take what is said of the runs."""

    def _look_around(self) -> None:
        """Look after what the backend has beside its runs."""

    def _note_all(self) -> None:
        """Store what runs say on their way, as far as that goes in one transaction."""

    def _waitables(self) -> Sequence[Any]:
        """Return what is readable when there is something to hear."""
        return ()

    @abstractmethod
    def adopt(self, run_ids: Iterable[str]) -> None:
        """Take over runs whose instance died; see `Backend`."""
