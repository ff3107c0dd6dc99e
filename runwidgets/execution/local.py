"""Runs on this machine, each in a detached runner process.

One thread does everything: it claims pending runs while slots are free, reads the journals of the
runs it follows, and brings each to its end. The database is the queue, so runs that another process
accepted are found too. Runners are in sessions of their own and outlive this process; a service that
starts later adopts them by their journals and locks.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runwidgets.errors import (
    InvalidRunStateError,
    ServiceUnavailableError,
    StorageFullError,
    UnknownRunError,
)
from runwidgets.execution.backend import Backend
from runwidgets.execution.journal import JournalReader
from runwidgets.execution.processes import RUN_VARIABLE, hold_lock, is_locked, kill_run, send_signal
from runwidgets.limits import Limits
from runwidgets.states import RunState
from runwidgets.store.database import now
from runwidgets.store.files import JOURNAL, LOCK, LOG, RUNNER_LOG, Files
from runwidgets.store.runs import Runs

BUSY_PAUSE = 0.05
"""Seconds between two looks at the journals while runs are followed."""
IDLE_PAUSE = 0.5
"""Seconds between two looks at the queue, which other processes may fill."""
PATROL_PAUSE = 1.0
"""Seconds between two looks for runs whose service died."""
KILL_PAUSE = 2.0
"""Seconds beyond the grace period after which a cancelled run's runner is killed too."""
NOTE_PAUSE = 0.2
"""Seconds between two notes of one run's progress and log; metrics and ends are never delayed."""

ENVIRONMENT = {"HOME", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER", "LANG", "LANGUAGE", "VIRTUAL_ENV"}
ENVIRONMENT_PREFIXES = (
    "CONDA_",
    "CUDA_",
    "DYLD_",
    "IPYTHON",
    "JULIA_",
    "LC_",
    "LD_",
    "MKL_",
    "MPL",
    "NUMBA_",
    "NVIDIA_",
    "OMP_",
    "OPENBLAS_",
    "PYTHON",
    "R_",
    "SSL_",
    "XDG_",
)
JUPYTER_NAMES = {"JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH"}


log = logging.getLogger(__name__)


@dataclass
class _Followed:
    """A run that this service brings to its end."""

    run_id: str
    journal: JournalReader
    process: "subprocess.Popen[bytes] | None" = None
    runner: tuple[int, float] | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    is_changed: bool = False
    log_size: int = 0
    next_note: float = 0.0
    kill_at: float | None = None
    is_cancelled: bool = False
    is_ended: bool = False


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
        self._extra = frozenset(environment)
        self._host = socket.gethostname()
        self._service = uuid.uuid4().hex
        self._alive = hold_lock(files.services / self._service)
        self._followed: dict[str, _Followed] = {}
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._is_idle = threading.Event()
        self._next_patrol = 0.0
        self._thread = threading.Thread(target=self._work, name="runwidgets-backend", daemon=True)
        self._thread.start()

    def submit(self, run_id: str) -> None:
        """Wake the thread; it finds the run in the database."""
        self._bell.set()

    def cancel(self, run_id: str) -> None:
        """Wake the thread; it sees the state, also when another service wrote it."""
        self._bell.set()

    def adopt(self, run_ids: Iterable[str]) -> None:
        """Follow runs whose service died; those that another service took meanwhile are left to it."""
        wanted = set(run_ids)
        for row in self._runs.holding() if wanted else ():
            folder = self._files.run_folder(row.id)
            if row.host != self._host and is_locked(folder / LOCK):
                continue  # it lives on another machine, whose next service will find it
            if row.id in wanted and self._runs.take_over(row.id, row.service, self._service, self._host):
                followed = self._follow(row.id)
                if not (folder / JOURNAL).exists() and not is_locked(folder / LOCK):
                    self._start(followed)  # claimed by a service that died before the runner began

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
        self._bell.set()
        return self._is_idle.wait(timeout)

    def close(self) -> None:
        """Stop the thread; runs go on by themselves."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._bell.set()
        self._thread.join()
        for followed in self._followed.values():
            if followed.process is not None:  # goes on by itself; somebody must reap it while we live
                threading.Thread(target=followed.process.wait, daemon=True).start()
        if self._alive is not None:
            (self._files.services / self._service).unlink(missing_ok=True)
            os.close(self._alive)
            self._alive = None

    # -- the thread ----------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._closing.is_set():
            self._bell.clear()
            try:
                self._patrol()
                self._claim()
                for followed in list(self._followed.values()):
                    self._advance(followed)
                pause = BUSY_PAUSE if self._followed else IDLE_PAUSE
            except (ServiceUnavailableError, StorageFullError) as error:
                log.warning("runwidgets: %s; trying again", error)
                pause = IDLE_PAUSE  # everything is on disk, so nothing is lost meanwhile
            except Exception:
                log.exception("runwidgets: the backend stumbled; it goes on")
                pause = IDLE_PAUSE
            if self._followed:
                self._is_idle.clear()
            else:
                self._is_idle.set()
            self._bell.wait(pause)

    def _patrol(self) -> None:
        """Adopt the runs of dead services, and learn which of ours were cancelled."""
        if not self._followed and not self._is_time():
            return
        rows = {row.id: row for row in self._runs.holding()}
        others = {row.service for row in rows.values()} - {self._service}
        dead = {service for service in others if not is_locked(self._files.services / service)}
        self.adopt([row.id for row in rows.values() if row.service in dead])
        for service in dead:
            (self._files.services / service).unlink(missing_ok=True)
        for run_id, followed in self._followed.items():
            if run_id not in rows or rows[run_id].state == RunState.CANCELED.value:
                followed.is_cancelled = True  # cancelled, or even deleted since

    def _is_time(self) -> bool:
        if time.monotonic() < self._next_patrol:
            return False
        self._next_patrol = time.monotonic() + PATROL_PAUSE
        return True

    def _claim(self) -> None:
        while row := self._runs.claim(self._host, self._service, self._slots):
            self._start(self._follow(row.id))

    def _start(self, followed: _Followed) -> None:
        try:
            followed.process = self._spawn(followed.run_id)
        except OSError as error:
            self._end(followed, RunState.ERROR, [f"the runner could not be started: {error.strerror}"])
            self._runs.release(followed.run_id)
            del self._followed[followed.run_id]

    def _follow(self, run_id: str) -> _Followed:
        journal = JournalReader(self._files.run_folder(run_id) / JOURNAL)
        self._followed[run_id] = followed = _Followed(run_id, journal)
        return followed

    def _spawn(self, run_id: str) -> "subprocess.Popen[bytes]":
        """Start the runner, detached; it inherits the lock."""
        folder = self._files.run_folder(run_id)
        lock = hold_lock(folder / LOCK)
        if lock is None:
            raise BlockingIOError(0, "its lock is held")
        os.set_inheritable(lock, True)
        command = [sys.executable, "-m", "runwidgets.execution", str(folder)]
        command += [str(self._files.copies), str(lock)]
        try:
            private = os.open(folder / RUNNER_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with open(private, "wb") as log:
                return subprocess.Popen(
                    command,
                    cwd=folder,
                    env=self._environment(os.environ, run_id),
                    pass_fds=[lock],
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
        finally:
            os.close(lock)

    def _environment(self, inherited: Mapping[str, str], run_id: str) -> dict[str, str]:
        """Return what a run may know of the environment of the server: no token, no secret of it."""
        allowed = {
            name: value
            for name, value in inherited.items()
            if name in ENVIRONMENT | JUPYTER_NAMES | self._extra or name.startswith(ENVIRONMENT_PREFIXES)
        }
        return {**allowed, RUN_VARIABLE: run_id}

    def _advance(self, followed: _Followed) -> None:
        """Bring one run forward by what its journal, its processes and the clock say."""
        is_gone = not is_locked(self._files.run_folder(followed.run_id) / LOCK)
        for record in followed.journal.read():
            self._take(followed, record)
        self._note(followed, is_last=is_gone)
        if is_gone:
            self._bury(followed)
        elif followed.is_cancelled:
            self._stop(followed)

    def _take(self, followed: _Followed, record: dict[str, Any]) -> None:
        kind = record.pop("kind")
        if kind == "started":
            followed.runner = (record["pid"], record["created"])
        elif kind == "cell":
            done = (record["cell"] - 1) / record["cells"]
            followed.progress.update(record)
            if "text" not in followed.progress:
                followed.progress["fraction"] = done
            followed.is_changed = True
        elif kind == "progress":
            followed.progress.update(record)
            followed.is_changed = True
        elif kind == "metric":
            self._runs.note(followed.run_id, metrics={record["name"]: record["value"]})
        elif kind == "finished":
            self._note(followed, is_last=True)
            self._end(followed, RunState(record["state"]), record["messages"], record["files"])

    def _note(self, followed: _Followed, is_last: bool = False) -> None:
        """Keep progress and the size of the log, if they changed and not too often."""
        if not is_last and time.monotonic() < followed.next_note:
            return
        log = self._files.run_folder(followed.run_id) / LOG
        size = log.stat().st_size if log.exists() else 0
        grown = size if size != followed.log_size else None
        if not followed.is_changed and grown is None:
            return
        progress = {"fraction": 0.0, "text": "", **followed.progress, "heartbeatAt": now()}
        self._runs.note(followed.run_id, progress if followed.is_changed else None, log_size=grown)
        followed.is_changed, followed.log_size = False, size
        followed.next_note = time.monotonic() + NOTE_PAUSE

    def _end(
        self, followed: _Followed, state: RunState, messages: list[str], files: Iterable[dict[str, Any]] = ()
    ) -> None:
        """Write the end of a run, unless somebody cancelled it before."""
        results = [
            {
                "id": each["id"],
                "name": each["name"],
                "mime_type": each["mimeType"],
                "size": each["size"],
                "sha256": each["sha256"],
                "display": each["display"],
            }
            for each in files
        ]
        try:
            self._runs.move(followed.run_id, state, messages, results)
        except (InvalidRunStateError, UnknownRunError):
            followed.is_cancelled = True  # the row has its end already; the first writer won
        followed.is_ended = True

    def _stop(self, followed: _Followed) -> None:
        """Ask the runner to end; kill it when it does not."""
        if followed.kill_at is None and followed.runner is not None:
            send_signal(*followed.runner, signal.SIGTERM)
            followed.kill_at = time.monotonic() + self._limits.cancel_grace + KILL_PAUSE
        elif followed.kill_at is not None and time.monotonic() > followed.kill_at:
            kill_run(followed.run_id)

    def _bury(self, followed: _Followed) -> None:
        """Let go of a run whose runner is gone."""
        if followed.process is not None:
            followed.process.wait()
        for record in followed.journal.read():
            self._take(followed, record)
        kill_run(followed.run_id)
        if not followed.is_ended:
            self._end(followed, RunState.ERROR, [self._last_words(followed)])
        if not self._runs.release(followed.run_id):
            self._files.delete_run(followed.run_id)  # it was deleted while its processes ended
        del self._followed[followed.run_id]
        self._bell.set()

    def _last_words(self, followed: _Followed) -> str:
        code = followed.process.returncode if followed.process else None
        if code is not None and code < 0:
            return f"the runner was lost: killed by {signal.Signals(-code).name}"
        return "the runner was lost"
