"""Runs on this machine, each in a detached runner process.

Each run is forked from a warm process (`pool`) or spawned; the thread follows the journals, and brings each
run to its end. Runners are in sessions of their own and outlive this process; an instance that starts later
adopts them by their journals and locks. A worker of a cluster has a backend of this kind too: there runners
end with the worker, since whoever sent the runs takes them for lost then.
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
from pathlib import Path
from typing import Any

from runwidgets.errors import InvalidRunStateError, UnknownRunError
from runwidgets.execution.dispatcher import Dispatcher
from runwidgets.execution.forkserver.pool import ForkServers
from runwidgets.execution.kernels.zmq import private_folder
from runwidgets.execution.processes import RUN_VARIABLE, kill_run, send_signal, signal_name
from runwidgets.execution.run_outcome import WORKER_LOST, Outcome
from runwidgets.execution.run_queue import RunQueue
from runwidgets.execution.runner.environment import run_environment
from runwidgets.execution.runner.recorder import settle
from runwidgets.execution.tracked_run import TrackedRun, store_all
from runwidgets.failpoints import reach
from runwidgets.limits import Limits
from runwidgets.schema import RunReason
from runwidgets.states import RunState
from runwidgets.store.files.base import FolderStore
from runwidgets.store.files.layout import JOURNAL, LOCK, OUTPUT, RUNNER_LOG
from runwidgets.store.liveness import Liveness, LockLiveness
from runwidgets.store.locks import hold_lock, is_locked

KILL_PAUSE = 2.0
"""Seconds beyond the grace period after which a cancelled run's runner is killed too."""
LAUNCHES = 3
"""Times that a runner is launched before it counts as one that cannot be started."""
UNREADABLE = "its run directory cannot be read"

log = logging.getLogger(__name__)


class LocalBackend(Dispatcher[TrackedRun]):
    """Executes runs in processes of this machine.

    Parameters
    ----------
    runs : RunQueue
        The queue.
    files : FolderStore
        Where run directories are.
    limits : Limits
        ``cancel_grace`` (seconds).
    slots : int, optional
        Runs that this machine executes at once; None for its CPUs.
    environment : iterable of str
        Names of environment variables that runs inherit beside the usual ones.
    is_keeper : bool, optional
        Whether runs end with this process, instead of going on by themselves.
    liveness : Liveness, optional
        Who else has runs; None for those that share the root's folder.
    """

    _files: FolderStore

    def __init__(
        self,
        runs: RunQueue,
        files: FolderStore,
        limits: Limits,
        slots: int | None = None,
        *,
        environment: Iterable[str] = (),
        is_keeper: bool = False,
        liveness: Liveness | None = None,
    ) -> None:
        super().__init__(
            runs,
            files,
            limits,
            liveness=liveness or LockLiveness(files.instances),
            host=socket.gethostname(),
        )
        self._count = slots or os.cpu_count() or 1
        self._keeper = os.getpid() if is_keeper else None
        self._environment = run_environment(os.environ, environment)
        self._servers = ForkServers(self._environment)
        self._wanted: list[tuple[str, list[str]]] = []
        self._is_abandoned = threading.Event()
        self._begin()

    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Have a process warmed up for a template."""
        self._wanted.append((kernel_name, list(imports)))
        self._wake()

    def adopt(self, run_ids: Iterable[str]) -> None:
        """Follow runs whose instance died; those that another instance took meanwhile are left to it."""
        wanted = set(run_ids)
        for row in self._runs.list_slot_holders() if wanted else ():
            folder = self._files.run_folder(row.id)
            if row.host != self._host and is_locked(folder / LOCK):
                continue  # it lives on another machine, whose next instance will find it
            if row.id in wanted and self._runs.take_over(row.id, row.instance, self._instance, self._host):
                has_begun = (folder / JOURNAL).exists() or is_locked(folder / LOCK)
                self._watch(row.id, starts_at=None if has_begun else 0.0)

    def abandon(self) -> None:
        """End all runs, and any that comes: whoever keeps them is about to end."""
        self._is_abandoned.set()
        self._wake()

    def _leave(self) -> None:
        self._servers.close()
        for followed in self._followed.values():
            if followed.process is not None:  # goes on by itself; somebody must reap it while we live
                threading.Thread(target=followed.process.wait, daemon=True).start()
            followed.unwatch()

    # -- the thread ----------------------------------------------------------------------------------

    @property
    def _slots(self) -> int:
        return self._count

    def _listen(self) -> None:
        while self._wanted:
            self._servers.prepare(*self._wanted.pop())
        for run_id, code in self._servers.read():
            if run_id in self._followed:
                self._followed[run_id].code = code

    def _waitables(self) -> list[Any]:
        """Return what is readable when a fork server speaks or a spawned runner has ended."""
        exits = [followed.exit_fd for followed in self._followed.values() if followed.exit_fd is not None]
        return [*self._servers.sockets(), *exits]

    def _note_all(self) -> None:
        store_all(self._followed.values(), self._runs)

    def _follow(self, row: Any) -> None:
        self._watch(row.id, starts_at=0.0)

    def _watch(self, run_id: str, starts_at: float | None) -> None:
        """Follow a run; None when it has begun."""
        try:
            followed = TrackedRun(run_id, self._files.run_folder(run_id))
        except (FileNotFoundError, KeyError, ValueError) as error:
            log.warning("runwidgets: run %s: %s", run_id, error)
            with suppress(InvalidRunStateError, UnknownRunError):
                self._runs.move(run_id, RunState.ERROR, RunReason.FILE_ERROR, [UNREADABLE])
            self._runs.release(run_id)
        else:
            followed.starts_at = starts_at
            self._followed[run_id] = followed

    def _start(self, followed: TrackedRun) -> None:
        """Launch the runner; it is given the lock."""
        if followed.launches == LAUNCHES + followed.attempts:
            message = "the runner could not be started"
            followed.outcome = Outcome.failed(RunReason.RUNNER_NOT_STARTED, message)
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
        request: dict[str, Any] = {
            "run": followed.run_id,
            "folder": str(folder),
            "copies": str(self._files.copies),
        }
        if self._keeper is not None:
            request["keeper"] = self._keeper
        try:
            if followed.must_spawn or not self._servers.fork(
                request, template["kernelName"], template["imports"], lock
            ):
                followed.watch(self._spawn(folder, followed.run_id, lock))
            reach("launched")
        except OSError as error:
            message = f"the runner could not be started: {error.strerror}"
            followed.outcome = Outcome.failed(RunReason.RUNNER_NOT_STARTED, message)
            self._let_go(followed)
        finally:
            os.close(lock)

    def _spawn(self, folder: Path, run_id: str, lock: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "runwidgets.execution.runner", str(folder)]
        command += [str(self._files.copies), str(lock)]
        command += [] if self._keeper is None else [str(self._keeper)]
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

    def _advance(self, followed: TrackedRun) -> None:
        """Bring one run forward by what its journal, its processes and the clock say."""
        if followed.starts_at is not None:
            if self._is_abandoned.is_set():
                followed.outcome = WORKER_LOST
            if self._is_to_end(followed):
                self._let_go(followed)
            elif time.monotonic() >= followed.starts_at:
                self._start(followed)
            return
        is_gone = not is_locked(followed.lock)  # first, so that the journal is read to its end
        followed.read()
        if not is_gone:
            followed.store_progress(self._runs, is_last=followed.outcome is not None)
        if is_gone:
            self._discard(followed)
        elif followed.is_cancelled:
            self._stop(followed, signal.SIGTERM)
        elif self._is_abandoned.is_set():
            self._stop(followed, signal.SIGHUP)
        elif followed.outcome is not None and not followed.has_ended and not self._is_to_retry(followed):
            followed.end(self._runs, holds_slot=True)

    def _give_up(self, followed: TrackedRun, outcome: Outcome) -> None:
        kill_run(followed.run_id)
        followed.outcome = outcome
        self._let_go(followed)

    def _is_to_end(self, followed: TrackedRun) -> bool:
        return followed.is_cancelled or self._is_abandoned.is_set()

    def _is_to_retry(self, followed: TrackedRun) -> bool:
        assert followed.outcome is not None
        is_allowed = followed.may_retry and not self._is_abandoned.is_set()
        return followed.outcome.state is RunState.ERROR and is_allowed

    def _stop(self, followed: TrackedRun, number: signal.Signals) -> None:
        """Ask the runner to end; kill it when it does not."""
        if followed.kill_at is None:
            followed.kill_at = time.monotonic() + self._limits.cancel_grace + KILL_PAUSE
        if followed.runner is not None and not followed.is_told:
            followed.is_told = send_signal(followed.runner, followed.run_id, number)
        elif time.monotonic() > followed.kill_at:
            self._servers.withdraw(followed.run_id)
            kill_run(followed.run_id)

    def _discard(self, followed: TrackedRun) -> None:
        """Let go of an attempt whose runner is gone, or have the next one begin."""
        followed.reap()
        if followed.outcome is None and followed.code is None and self._servers.has(followed.run_id):
            return  # how it ended will be told in a moment
        if followed.outcome is None:
            kill_run(followed.run_id)  # the runner did not see to it, nor to its sockets
            shutil.rmtree(private_folder(followed.run_id), ignore_errors=True)
            with suppress(OSError, ValueError):  # what a full disk, or nobody's folder, does not allow
                settle(self._files.run_folder(followed.run_id) / OUTPUT)
            if followed.launches > followed.attempts and not self._is_to_end(followed):
                followed.starts_at = 0.0  # it never began
                if self._servers.may_fork_again(followed.run_id):
                    followed.launches -= 1
                else:
                    followed.must_spawn = True
                return
            followed.outcome = Outcome.failed(RunReason.RUNNER_DIED, _last_words(followed.code))
        if self._is_to_retry(followed) and not followed.has_ended:
            followed.retry()
            followed.store_progress(self._runs, is_last=True)
        else:
            self._let_go(followed)

    def _let_go(self, followed: TrackedRun) -> None:
        """Store the end of a run that has no processes any more, and give its slot back."""
        reach("ending")
        with followed.all_or_nothing(), self._runs.together():
            followed.store_progress(self._runs, is_last=True)
            is_released = False
            if followed.outcome is not None and not followed.has_ended:
                is_released = followed.end(self._runs, holds_slot=False)
            is_known = is_released or self._runs.release(followed.run_id)
        reach("ended")
        self._forget_secrets(followed.run_id, followed.stops if followed.outcome is not None else None)
        if not is_known:
            self._files.delete_run(followed.run_id)  # it was deleted while its processes ended
        del self._followed[followed.run_id]
        self._wake()


def _last_words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the runner was lost: killed by {signal_name(-code)}"
    return "the runner was lost"
