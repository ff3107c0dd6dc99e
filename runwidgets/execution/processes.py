"""Processes of a run: the lock that shows a runner's life, and the end of its whole tree.

A runner holds an exclusive lock on a file as long as it lives, however it dies. Everything it starts
carries the run's id in its environment, and on Linux the runner is the reaper of its orphans, so that
neither a new session nor a double fork hides a process from it.
"""

import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

RUN_VARIABLE = "RUNWIDGETS_RUN_ID"
"""Environment variable that every process of a run carries."""

PR_SET_CHILD_SUBREAPER = 36
"""**Source:** ``linux/prctl.h``."""

KILL_TIMEOUT = 2.0
"""Seconds in which a killed process must be gone."""


def hold_lock(path: Path) -> int | None:
    """Take the lock of a run.

    The lock belongs to the descriptor and whoever inherits it, and ends with the last of them.

    Parameters
    ----------
    path : Path
        The lock file; made where it is missing.

    Returns
    -------
    int or None
        The descriptor that holds the lock; None when somebody else holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Say whether somebody holds a lock.

    Parameters
    ----------
    path : Path
        The lock file; a missing one is not held.

    Returns
    -------
    bool
        True while a process that holds it lives.
    """
    if not path.exists():
        return False
    descriptor = hold_lock(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def become_reaper() -> None:
    """Make orphaned descendants children of this process, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def find_processes(run_id: str) -> list[psutil.Process]:
    """Return the processes that carry a run's id, without this one."""
    return [process for process in psutil.process_iter() if _belongs(process, run_id)]


def kill_descendants() -> None:
    """Kill every descendant of this process and wait until they are gone.

    A process may start another between the look and the kill: looked for until there is none.
    """
    while alive := psutil.Process().children(recursive=True):
        _kill(alive)


def kill_run(run_id: str) -> None:
    """Kill every process of a run whose runner died, and wait until they are gone."""
    while alive := find_processes(run_id):
        _kill(alive)


def send_signal(pid: int, created: float, number: signal.Signals) -> bool:
    """Send a signal to a process, unless its number went to another one meanwhile.

    Parameters
    ----------
    pid : int
        The process.
    created : float
        When it began, in seconds since the epoch, as psutil says.
    number : signal.Signals
        The signal.

    Returns
    -------
    bool
        False when the process is gone.
    """
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - created) > 1:
            return False
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _kill(processes: Iterable[psutil.Process]) -> None:
    targets = list(processes)
    for process in targets:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(targets, timeout=KILL_TIMEOUT)


def _belongs(process: psutil.Process, run_id: str) -> bool:
    try:
        return (
            process.pid != os.getpid()
            and process.status() != psutil.STATUS_ZOMBIE
            and process.environ().get(RUN_VARIABLE) == run_id
        )
    except psutil.Error:
        return False
