"""Runs on this machine, each in a detached runner process.

Each run is forked from a warm process (`pool`) or spawned; the thread follows the journals, and brings each
run to its end. Runners have sessions of their own and outlive this process; an instance that starts later
adopts them by their journals and locks. The worker of a cluster also has a backend of this kind: there
runners end with the worker, because the instance then considers its runs lost.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from runwidgets.errors import InvalidRunStateError, UnknownRunError, describe
from runwidgets.execution.dispatcher import Dispatcher
from runwidgets.execution.forkserver.messages import ForkRequest
from runwidgets.execution.forkserver.pool import ForkServers
from runwidgets.execution.kernels.kernelspecs import check_kernelspec, select_kernel
from runwidgets.execution.lost_runner import clean_up, lost_outcome
from runwidgets.execution.processes import RUN_VARIABLE, kill_run, send_signal
from runwidgets.execution.run_outcome import WORKER_LOST, Outcome
from runwidgets.execution.run_queue import RunQueue
from runwidgets.execution.runner.environment import run_environment
from runwidgets.execution.tracked_run import TrackedRun, store_all
from runwidgets.failpoints import reach
from runwidgets.limits import Limits
from runwidgets.schema import RunReason
from runwidgets.states import RunState
from runwidgets.store.files.base import FolderStore
from runwidgets.store.files.layout import JOURNAL, LOCK, RUNNER_LOG
from runwidgets.store.liveness import Liveness, LockLiveness
from runwidgets.store.locks import hold_lock, is_locked

KILL_DELAY = 2.0
"""Seconds after the grace period after which the runner of a cancelled run is killed too."""
MAX_LAUNCHES = 3
"""Attempts to launch a runner before the run fails."""
UNREADABLE = "its run directory cannot be read"

log = logging.getLogger(__name__)


class LocalBackend(Dispatcher[TrackedRun]):
    """Executes runs in processes of this machine.

    Parameters
    ----------
    runs : RunQueue
        The queue.
    files : FolderStore
        The files of the instance.
    limits : Limits
        ``cancel_grace`` (seconds).
    slots : int, optional
        Runs that this machine executes at once; None for the number of its CPUs.
    environment : iterable of str
        Names of the only environment variables that runs inherit; see `run_environment`.
    is_keeper : bool, optional
        Whether runs end with this process instead of continuing on their own.
    liveness : Liveness, optional
        The other instances; None for those that share the root's folder.
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
        self._servers = ForkServers()
        self._preparations: list[tuple[str, list[str]]] = []
        self._is_abandoned = threading.Event()
        self._begin()

    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Start a fork server for a template."""
        self._preparations.append((kernel_name, list(imports)))
        self._wake()

    def check_kernel(self, kernel_name: str, language: str) -> str | None:
        """Return the language of a kernelspec of this machine."""
        return check_kernelspec(kernel_name, language).language

    def adopt(self, run_ids: Iterable[str]) -> None:
        """Track runs of a dead instance, except those that another instance has taken over."""
        wanted = set(run_ids)
        for row in self._runs.list_slot_holders() if wanted else ():
            folder = self._files.run_folder(row.id)
            if row.host != self._host and is_locked(folder / LOCK):
                continue  # it runs on another machine, whose next instance will adopt it
            if row.id in wanted and self._runs.take_over(row.id, row.instance, self._instance, self._host):
                has_begun = (folder / JOURNAL).exists() or is_locked(folder / LOCK)
                self._watch(row.id, starts_at=None if has_begun else 0.0)

    def abandon(self) -> None:
        """End all runs, present and future: their keeper is about to end."""
        self._is_abandoned.set()
        self._wake()

    def _leave(self) -> None:
        self._servers.close()
        for tracked in self._tracked.values():
            if tracked.process is not None:  # it continues, but this process must reap it
                threading.Thread(target=tracked.process.wait, daemon=True).start()
            tracked.unwatch()

    # -- the thread ----------------------------------------------------------------------------------

    @property
    def _slots(self) -> int:
        return self._count

    def _listen(self) -> None:
        while self._preparations:
            self._servers.prepare(*self._preparations.pop(), self._environment)
        for run_id, code in self._servers.read():
            if run_id in self._tracked:
                self._tracked[run_id].code = code

    def _waitables(self) -> list[Any]:
        """Return objects that are readable when a fork server has a message or a spawned runner has ended."""
        exits = [tracked.exit_fd for tracked in self._tracked.values() if tracked.exit_fd is not None]
        return [*self._servers.sockets(), *exits]

    def _store_all(self) -> None:
        store_all(self._tracked.values(), self._runs)

    def _follow(self, row: Any) -> None:
        self._watch(row.id, starts_at=0.0)

    def _watch(self, run_id: str, starts_at: float | None) -> None:
        """Track a run; `starts_at` is None if it has begun."""
        try:
            tracked = TrackedRun(run_id, self._files.run_folder(run_id))
        except (FileNotFoundError, KeyError, ValueError) as error:
            log.warning("runwidgets: run %s: %s", run_id, error)
            with suppress(InvalidRunStateError, UnknownRunError):
                self._runs.move(run_id, RunState.ERROR, RunReason.FILE_ERROR, [UNREADABLE])
            self._runs.release(run_id)
        else:
            tracked.starts_at = starts_at
            self._tracked[run_id] = tracked

    def _start(self, tracked: TrackedRun) -> None:
        """Launch the runner, which inherits the lock."""
        if tracked.launches == MAX_LAUNCHES + tracked.attempts:
            message = "the runner could not be started"
            tracked.outcome = Outcome.failed(RunReason.RUNNER_NOT_STARTED, message)
            self._finish(tracked)
            return
        lock = hold_lock(tracked.lock)
        if lock is None:
            return  # another process is checking the lock: try again in the next round
        try:
            attempts = tracked.attempts
            tracked.read()
            if tracked.attempts > attempts:  # another process has launched it in the meantime
                tracked.starts_at = None
            else:
                self._launch(tracked, lock)
        finally:
            os.close(lock)

    def _launch(self, tracked: TrackedRun, lock: int) -> None:
        tracked.starts_at = tracked.code = tracked.runner = None
        tracked.launches += 1
        template = tracked.description["template"]
        environment = self._environment | tracked.description["config"].get("environment", {})
        kernel_name = select_kernel(template, tracked.description["config"])
        folder = self._files.run_folder(tracked.run_id)
        request: ForkRequest = {
            "run": tracked.run_id,
            "folder": str(folder),
            "copies": str(self._files.copies),
        }
        if self._keeper is not None:
            request["keeper"] = self._keeper
        try:
            if tracked.must_spawn or not self._servers.fork(
                request, kernel_name, template["imports"], environment, lock
            ):
                tracked.watch(self._spawn(folder, tracked.run_id, environment, lock))
            reach("launched")
        except OSError as error:
            message = f"the runner could not be started: {error.strerror or describe(error)}"
            tracked.outcome = Outcome.failed(RunReason.RUNNER_NOT_STARTED, message)
            self._finish(tracked)

    def _spawn(
        self, folder: Path, run_id: str, environment: Mapping[str, str], lock: int
    ) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "runwidgets.execution.runner", str(folder)]
        command += [str(self._files.copies), str(lock)]
        command += [] if self._keeper is None else [str(self._keeper)]
        log_descriptor = os.open(folder / RUNNER_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(log_descriptor, "wb") as runner_log:
            return subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, RUN_VARIABLE: run_id},
                pass_fds=[lock],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=runner_log,
                stderr=runner_log,
            )

    def _advance(self, tracked: TrackedRun) -> None:
        """Advance one run according to its journal, its processes and the time."""
        if tracked.starts_at is not None:
            if self._is_abandoned.is_set():
                tracked.outcome = WORKER_LOST
            if self._must_end(tracked):
                self._finish(tracked)
            elif time.monotonic() >= tracked.starts_at:
                self._start(tracked)
            return
        is_gone = not is_locked(tracked.lock)  # first, so that the journal is read to its end
        tracked.read()
        if not is_gone:
            tracked.store_progress(self._runs, is_last=tracked.outcome is not None)
        if is_gone:
            self._discard(tracked)
        elif tracked.is_cancelled:
            self._stop(tracked, signal.SIGTERM)
        elif self._is_abandoned.is_set():
            self._stop(tracked, signal.SIGHUP)
        elif tracked.outcome is not None and not tracked.has_ended and not self._must_retry(tracked):
            tracked.list_partial_files(self._files.run_folder(tracked.run_id))
            tracked.end(self._runs, holds_slot=True)

    def _give_up(self, tracked: TrackedRun, outcome: Outcome) -> None:
        kill_run(tracked.run_id)
        tracked.outcome = outcome
        self._finish(tracked)

    def _must_end(self, tracked: TrackedRun) -> bool:
        return tracked.is_cancelled or self._is_abandoned.is_set()

    def _must_retry(self, tracked: TrackedRun) -> bool:
        assert tracked.outcome is not None
        is_allowed = tracked.may_retry and not self._is_abandoned.is_set()
        return tracked.outcome.state is RunState.ERROR and is_allowed

    def _stop(self, tracked: TrackedRun, number: signal.Signals) -> None:
        """Ask the runner to end, and kill it if it does not."""
        if tracked.kill_at is None:
            tracked.kill_at = time.monotonic() + self._limits.cancel_grace + KILL_DELAY
        if tracked.runner is not None and not tracked.is_stop_sent:
            tracked.is_stop_sent = send_signal(tracked.runner, tracked.run_id, number)
        elif time.monotonic() > tracked.kill_at:
            self._servers.withdraw(tracked.run_id)
            kill_run(tracked.run_id)

    def _discard(self, tracked: TrackedRun) -> None:
        """Clean up an attempt whose runner has ended, or schedule the next one."""
        tracked.reap()
        if tracked.outcome is None and tracked.code is None and self._servers.has(tracked.run_id):
            return  # how it ended will be reported in a moment
        if tracked.outcome is None:
            clean_up(tracked.run_id, self._files.run_folder(tracked.run_id))
            if tracked.launches > tracked.attempts and not self._must_end(tracked):
                tracked.starts_at = 0.0  # it never began
                if self._servers.may_fork_again(tracked.run_id):
                    tracked.launches -= 1
                else:
                    tracked.cannot_fork = True
                return
            tracked.outcome = lost_outcome(tracked.code)
        if self._must_retry(tracked) and not tracked.has_ended:
            tracked.retry()
            tracked.store_progress(self._runs, is_last=True)
        else:
            self._finish(tracked)

    def _finish(self, tracked: TrackedRun) -> None:
        """Store the end of a run without processes, and release its slot."""
        tracked.list_partial_files(self._files.run_folder(tracked.run_id))
        reach("ending")
        with tracked.all_or_nothing(), self._runs.transaction():
            tracked.store_progress(self._runs, is_last=True)
            is_released = False
            if tracked.outcome is not None and not tracked.has_ended:
                is_released = tracked.end(self._runs, holds_slot=False)
            is_known = is_released or self._runs.release(tracked.run_id, tracked.new_files())
        reach("ended")
        self._forget_secrets(tracked.run_id, tracked.stops if tracked.outcome is not None else None)
        if not is_known:
            self._files.delete_run(tracked.run_id)  # it was deleted while its processes were ending
        del self._tracked[tracked.run_id]
        self._wake()
