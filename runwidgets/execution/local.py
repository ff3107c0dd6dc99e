"""Runs on this machine, each in a detached runner process.

One thread does everything: it claims pending runs while slots are free, has each forked from a warm
process (`pool`) or spawned, follows the journals, and brings each run to its end. The database is the queue,
so runs that another process accepted are found too. Runners are in sessions of their own and outlive this
process; a service that starts later adopts them by their journals and locks.
"""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path

from runwidgets.crashpoints import reach
from runwidgets.errors import InvalidRunStateError, ServiceUnavailableError, StorageFullError, UnknownRunError
from runwidgets.execution.backend import Backend
from runwidgets.execution.environment import run_environment
from runwidgets.execution.followed import Followed, Outcome, note_all
from runwidgets.execution.kernels import private_folder
from runwidgets.execution.pool import ForkServers
from runwidgets.execution.processes import RUN_VARIABLE, kill_run, send_signal, signal_name
from runwidgets.execution.recorder import settle
from runwidgets.limits import Limits
from runwidgets.states import RunState
from runwidgets.store.files import JOURNAL, LOCK, OUTPUT, RUNNER_LOG, Files
from runwidgets.store.locks import announce, hold_lock, is_locked, release_own_lock
from runwidgets.store.runs import Runs

BUSY_PAUSE = 0.05
"""Seconds between two looks at the journals while runs are followed."""
IDLE_PAUSE = 0.5
"""Seconds between two looks at the queue, which other processes may fill, and at what others cancelled."""
KILL_PAUSE = 2.0
"""Seconds beyond the grace period after which a cancelled run's runner is killed too."""
STUMBLES = 20
"""Times in a row that a run may go wrong in a way that nobody foresaw, before it is ended."""
LAUNCHES = 3
"""Times that a runner is launched before it counts as one that cannot be started."""

log = logging.getLogger(__name__)


class LocalBackend(Backend):
    """Executes runs in processes of this machine.

    Parameters
    ----------
    runs : Runs
        The queue.
    files : Files
        Where run directories are.
    limits : Limits
        ``cancel_grace`` (seconds).
    slots : int, optional
        Runs that this machine executes at once; None for its CPUs.
    environment : iterable of str
        Names of environment variables that runs inherit beside the usual ones.
    """

    def __init__(
        self,
        runs: Runs,
        files: Files,
        limits: Limits,
        slots: int | None = None,
        environment: Iterable[str] = (),
    ) -> None:
        self._runs = runs
        self._files = files
        self._limits = limits
        self._slots = slots or os.cpu_count() or 1
        self._environment = run_environment(os.environ, environment)
        self._host = socket.gethostname()
        self._service, self._alive = announce(files.services)
        self._servers = ForkServers(self._environment)
        self._followed: dict[str, Followed] = {}
        self._cancelled: set[str] = set()
        self._wanted: list[tuple[str, list[str]]] = []
        self._waker, self._bell = socket.socketpair()
        for end in (self._waker, self._bell):
            end.setblocking(False)
        self._closing = threading.Event()
        self._is_idle = threading.Event()
        self._next_patrol = 0.0
        self._thread = threading.Thread(target=self._work, name="runwidgets-backend", daemon=True)
        self._thread.start()

    def submit(self, run_id: str) -> None:
        """Wake the thread; it finds the run in the database."""
        self._ring()

    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Have a process warmed up for a template."""
        self._wanted.append((kernel_name, list(imports)))
        self._ring()

    def cancel(self, run_id: str) -> None:
        """Tell the thread; what another service cancelled it sees in the database."""
        self._cancelled.add(run_id)
        self._ring()

    def adopt(self, run_ids: Iterable[str]) -> None:
        """Follow runs whose service died; those that another service took meanwhile are left to it."""
        wanted = set(run_ids)
        for row in self._runs.holding() if wanted else ():
            folder = self._files.run_folder(row.id)
            if row.host != self._host and is_locked(folder / LOCK):
                continue  # it lives on another machine, whose next service will find it
            if row.id in wanted and self._runs.take_over(row.id, row.service, self._service, self._host):
                has_begun = (folder / JOURNAL).exists() or is_locked(folder / LOCK)
                self._follow(row.id, starts_at=None if has_begun else 0.0)

    def drain(self, timeout: float) -> bool:
        """Wait until no run is followed; called when all of them were cancelled.

        Parameters
        ----------
        timeout : float
            Seconds to wait at most.

        Returns
        -------
        bool
            False when some are left.
        """
        self._next_patrol = 0.0
        self._ring()
        return self._is_idle.wait(timeout)

    def close(self) -> None:
        """Stop the thread; runs go on by themselves."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._ring()
        self._thread.join()
        self._servers.close()
        for followed in self._followed.values():
            if followed.process is not None:  # goes on by itself; somebody must reap it while we live
                threading.Thread(target=followed.process.wait, daemon=True).start()
            followed.unwatch()
        (self._files.services / self._service).unlink(missing_ok=True)
        release_own_lock(self._alive)
        self._waker.close()
        self._bell.close()

    # -- the thread ----------------------------------------------------------------------------------

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # full: it is awake anyway
            self._bell.send(b"!")

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
                self._patrol()
                self._claim()
                note_all(self._followed.values(), self._runs)
                for followed in list(self._followed.values()):
                    self._advance_or_give_up(followed)
                pause = BUSY_PAUSE if self._followed else IDLE_PAUSE
            except ServiceUnavailableError as error:
                log.warning("runwidgets: %s; trying again", error)
                pause = IDLE_PAUSE  # everything is on disk, so nothing is lost meanwhile
            except StorageFullError as error:
                log.warning("runwidgets: %s; trying again with the room that was kept", error)
                pause = BUSY_PAUSE if self._files.give_up_room() else IDLE_PAUSE
            except Exception:
                log.exception("runwidgets: the backend stumbled; it goes on")
                pause = IDLE_PAUSE
            if self._followed:
                self._is_idle.clear()
            else:
                self._is_idle.set()
            wait([self._waker, *self._servers.sockets(), *self._exits()], pause)

    def _listen(self) -> None:
        """Take what was asked of the thread, and what the fork servers say."""
        with suppress(BlockingIOError):
            self._waker.recv(4096)
        while self._wanted:
            self._servers.prepare(*self._wanted.pop())
        for run_id, code in self._servers.read():
            if run_id in self._followed:
                self._followed[run_id].code = code
        while self._cancelled:
            run_id = self._cancelled.pop()
            if run_id in self._followed:
                self._followed[run_id].is_cancelled = True

    def _exits(self) -> list[int]:
        """Return descriptors that are readable when a spawned runner has ended."""
        return [followed.pidfd for followed in self._followed.values() if followed.pidfd is not None]

    def _patrol(self) -> None:
        """Adopt the runs of dead services, and learn what other services cancelled."""
        if time.monotonic() < self._next_patrol:
            return
        self._next_patrol = time.monotonic() + IDLE_PAUSE
        self._files.hold_room(self._limits.disk_floor)
        rows = {row.id: row for row in self._runs.holding()}
        lost = [row.id for row in rows.values() if row.service == self._service]
        self.adopt(set(lost) - set(self._followed))  # claimed, but then something went wrong
        others = {row.service for row in rows.values()} - {self._service}
        dead = {service for service in others if not is_locked(self._files.services / service)}
        self.adopt([row.id for row in rows.values() if row.service in dead])
        for path in self._files.services.iterdir():
            lock = None if is_locked(path) else hold_lock(path)
            if lock is not None:
                path.unlink(missing_ok=True)
                os.close(lock)
        for run_id, followed in self._followed.items():
            if run_id not in rows or rows[run_id].state == RunState.CANCELED.value:
                followed.is_cancelled = True  # cancelled, or even deleted since

    def _claim(self) -> None:
        while len(self._followed) < self._slots:
            row = self._runs.claim(self._host, self._service, self._slots)
            if row is None:
                return
            reach("claimed")
            self._follow(row.id, starts_at=0.0)

    def _follow(self, run_id: str, starts_at: float | None) -> None:
        """Follow a run; None when it has begun."""
        try:
            followed = Followed(run_id, self._files.run_folder(run_id))
        except (FileNotFoundError, KeyError, ValueError) as error:
            log.warning("runwidgets: run %s: %s", run_id, error)
            with suppress(InvalidRunStateError, UnknownRunError):
                self._runs.move(run_id, RunState.ERROR, ["its run directory cannot be read"])
            self._runs.release(run_id)
        else:
            followed.starts_at = starts_at
            self._followed[run_id] = followed

    def _start(self, followed: Followed) -> None:
        """Launch the runner; it is given the lock."""
        if followed.launches == LAUNCHES + followed.attempts:
            followed.outcome = Outcome(RunState.ERROR, ["the runner could not be started"])
            self._let_go(followed)
            return
        lock = hold_lock(followed.lock)
        if lock is None:
            return  # somebody looks at it: the next round will do
        attempts = followed.attempts
        followed.read()
        if followed.attempts > attempts:  # somebody else launched it meanwhile
            os.close(lock)
            followed.starts_at = None
            return
        followed.starts_at = followed.code = followed.runner = None
        followed.launches += 1
        template = followed.description["template"]
        folder = self._files.run_folder(followed.run_id)
        request = {"run": followed.run_id, "folder": str(folder), "copies": str(self._files.copies)}
        try:
            if followed.must_spawn or not self._servers.fork(
                request, template["kernelName"], template["imports"], lock
            ):
                followed.watch(self._spawn(folder, followed.run_id, lock))
            reach("launched")
        except OSError as error:
            followed.outcome = Outcome(RunState.ERROR, [f"the runner could not be started: {error.strerror}"])
            self._let_go(followed)
        finally:
            os.close(lock)

    def _spawn(self, folder: Path, run_id: str, lock: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "runwidgets.execution", str(folder)]
        command += [str(self._files.copies), str(lock)]
        private = os.open(folder / RUNNER_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(private, "wb") as said:
            return subprocess.Popen(
                command,
                cwd=folder,
                env={**self._environment, RUN_VARIABLE: run_id},
                pass_fds=[lock],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def _advance(self, followed: Followed) -> None:
        """Bring one run forward by what its journal, its processes and the clock say."""
        if followed.starts_at is not None:
            if followed.is_cancelled:
                self._let_go(followed)
            elif time.monotonic() >= followed.starts_at:
                self._start(followed)
            return
        is_gone = not is_locked(followed.lock)  # first, so that the journal is read to its end
        followed.read()
        if not is_gone:
            followed.note(self._runs, is_last=followed.outcome is not None)
        if is_gone:
            self._bury(followed)
        elif followed.is_cancelled:
            self._stop(followed)
        elif followed.outcome is not None and not followed.has_ended and not self._is_to_retry(followed):
            followed.end(self._runs, holds_slot=True)

    def _advance_or_give_up(self, followed: Followed) -> None:
        """Bring one run forward; one that goes wrong again and again does not hold up the others for ever."""
        try:
            self._advance(followed)
        except (ServiceUnavailableError, StorageFullError):
            raise
        except Exception as error:
            followed.stumbles += 1
            log.exception("runwidgets: run %s: the backend stumbled; it goes on", followed.run_id)
            if followed.stumbles >= STUMBLES:
                kill_run(followed.run_id)
                reason = f"the run could not be followed: {type(error).__name__}: {error}"
                followed.outcome = Outcome(RunState.ERROR, [reason])
                self._let_go(followed)
        else:
            followed.stumbles = 0

    def _is_to_retry(self, followed: Followed) -> bool:
        assert followed.outcome is not None
        return followed.outcome.state is RunState.ERROR and followed.may_retry

    def _stop(self, followed: Followed) -> None:
        """Ask the runner to end; kill it when it does not."""
        if followed.kill_at is None:
            followed.kill_at = time.monotonic() + self._limits.cancel_grace + KILL_PAUSE
        if followed.runner is not None and not followed.is_told:
            followed.is_told = send_signal(followed.runner, followed.run_id, signal.SIGTERM)
        elif time.monotonic() > followed.kill_at:
            self._servers.withdraw(followed.run_id)
            kill_run(followed.run_id)

    def _bury(self, followed: Followed) -> None:
        """Let go of an attempt whose runner is gone, or have the next one begin."""
        followed.reap()
        if followed.outcome is None and followed.code is None and self._servers.has(followed.run_id):
            return  # how it ended will be told in a moment
        if followed.outcome is None:
            kill_run(followed.run_id)  # the runner did not see to it, nor to its sockets
            shutil.rmtree(private_folder(followed.run_id), ignore_errors=True)
            with suppress(OSError, ValueError):  # what a full disk, or nobody's folder, does not allow
                settle(self._files.run_folder(followed.run_id) / OUTPUT)
            if followed.launches > followed.attempts and not followed.is_cancelled:
                followed.starts_at = 0.0  # it never began
                if self._servers.may_fork_again(followed.run_id):
                    followed.launches -= 1
                else:
                    followed.must_spawn = True
                return
            followed.outcome = Outcome(RunState.ERROR, [_last_words(followed.code)])
        if self._is_to_retry(followed) and not followed.has_ended:
            followed.retry()
            followed.note(self._runs, is_last=True)
        else:
            self._let_go(followed)

    def _let_go(self, followed: Followed) -> None:
        """Store the end of a run that has no processes any more, and give its slot back."""
        reach("ending")
        with followed.all_or_nothing(), self._runs.together():
            followed.note(self._runs, is_last=True)
            is_released = False
            if followed.outcome is not None and not followed.has_ended:
                is_released = followed.end(self._runs, holds_slot=False)
            is_known = is_released or self._runs.release(followed.run_id)
        reach("ended")
        self._forget_secrets(followed)
        if not is_known:
            self._files.delete_run(followed.run_id)  # it was deleted while its processes ended
        del self._followed[followed.run_id]
        self._ring()

    def _forget_secrets(self, followed: Followed) -> None:
        """Remove what no kernel will be given any more, also of runs that were stopped with this one."""
        self._files.forget_secrets(followed.run_id)
        if followed.stops is not None and followed.outcome is not None:
            for run_id in self._runs.never_started(followed.stops):
                self._files.forget_secrets(run_id)


def _last_words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the runner was lost: killed by {signal_name(-code)}"
    return "the runner was lost"
