"""Processes of a run: how to find them, and the end of the whole tree.

Everything that a runner starts carries the run's id in its environment, and on Linux the runner is the
reaper of its orphans, so that neither a new session nor a double fork hides a process from it.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

RUN_VARIABLE = "RUNWIDGETS_RUN_ID"
"""Environment variable that every process of a run carries."""

UNMARKED = "0" * 32
"""What a fork server carries in place of a run's id."""
ENV_START = 47
"""Staging of ``env_start`` behind the name in ``/proc/<pid>/stat``. **Source:** proc(5)."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
"""**Source:** ``linux/prctl.h``."""

KILL_TIMEOUT = 2.0
"""Seconds in which a killed process must be gone; one that is not cannot be killed now."""

_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def become_reaper() -> None:
    """Make orphaned descendants children of this process, where the system can."""
    if _prctl is not None:
        _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """Have this process killed when its parent dies, where the system can; called in a child.

    Parameters
    ----------
    parent : int
        The parent, which may have died already.
    """
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def mark_process(run_id: str) -> None:
    """Have this process, and those that it forks, carry a run's id where others can see it.

    What a process shows of its environment in ``/proc`` is the memory that it was started with, which
    setting a variable does not change: the id is written over `UNMARKED` in that memory.

    Parameters
    ----------
    run_id : str
        As long as `UNMARKED`, with which this program, or the one that it was forked from, was started.
    """
    os.environ[RUN_VARIABLE] = run_id
    with open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    start, end = int(fields[ENV_START]), int(fields[ENV_START + 1])
    at = ctypes.string_at(start, end - start).index(f"{RUN_VARIABLE}={UNMARKED}".encode())
    ctypes.memmove(start + at + len(RUN_VARIABLE) + 1, run_id.encode(), len(UNMARKED))


def count_oom_kills() -> int:
    """Return how many processes the system has killed because memory ran out; 0 where it does not say."""
    try:
        with open("/proc/vmstat") as statistics:
            return sum(int(line.split()[1]) for line in statistics if line.startswith("oom_kill "))
    except FileNotFoundError:
        return 0


def signal_name(number: int) -> str:
    """Return the name of a signal, such as ``SIGKILL``; those of real time have only numbers."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def find_processes(run_id: str) -> list[psutil.Process]:
    """Return the processes that carry a run's id, without this one."""
    return [process for process in psutil.process_iter() if _belongs(process, run_id)]


def kill_descendants() -> None:
    """Kill every descendant of this process and wait until they are dead.

    A process may start another between the look and the kill: looked for until there is none, or those
    left can't be killed: they wait for a device, or belong to somebody else. Safe in any thread; the dead
    are left to `reap_children`.
    """
    _kill_all(lambda: [pid for pid in _descendants(os.getpid()) if not _is_dead(pid)])


def reap_children() -> None:
    """Let the dead children of this process go, also those that it inherited."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def kill_run(run_id: str) -> None:
    """Kill every process of a run whose runner died, and wait until those that can be killed are gone."""
    _kill_all(lambda: [process.pid for process in find_processes(run_id)])


def send_signal(pid: int, run_id: str, number: signal.Signals) -> bool:
    """Send a signal to a process of a run, unless its number went to another one meanwhile.

    Parameters
    ----------
    pid : int
        The process.
    run_id : str
        The run whose id it carries.
    number : signal.Signals
        The signal.

    Returns
    -------
    bool
        False when the process is gone.
    """
    try:
        process = psutil.Process(pid)
        if not _belongs(process, run_id):
            return False
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _kill_all(look: Callable[[], list[int]]) -> None:
    """Kill processes, and wait until each is dead, if not yet reaped, as long as new ones are found."""
    immortal: set[int] = set()
    while targets := [pid for pid in look() if pid not in immortal]:
        for pid in targets:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:
                immortal.add(pid)
        deadline = time.monotonic() + KILL_TIMEOUT
        for pid in targets:
            while pid not in immortal and not _is_dead(pid):
                if time.monotonic() > deadline:
                    immortal.add(pid)
                else:
                    wait_for_end(pid, deadline - time.monotonic())


def wait_for_end(pid: int, timeout: float | None = None) -> None:
    """Wait until a process has ended, reaped or not.

    Parameters
    ----------
    pid : int
        The process, which may have ended already.
    timeout : float, optional
        Seconds to wait at most; None for ever.
    """
    if not hasattr(os, "pidfd_open"):
        with suppress(psutil.NoSuchProcess):
            psutil.wait_procs([psutil.Process(pid)], timeout=timeout)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(None if timeout is None else max(0.0, timeout) * 1000)
    finally:
        os.close(descriptor)


def _children(pid: int | str) -> list[int]:
    """Return the children of a process; from what the kernel lists, where it does."""
    tasks = f"/proc/{pid}/task"
    if not os.path.isdir(tasks):
        return []
    found: list[int] = []
    for task in os.listdir(tasks):
        try:
            with open(f"{tasks}/{task}/children") as listed:
                found += map(int, listed.read().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread ended
    return found


def _descendants(pid: int) -> list[int]:
    if not os.path.isdir("/proc/self/task"):
        return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    waiting, found = _children(pid), []
    while waiting:
        found.append(waiting.pop())
        try:
            waiting += _children(found[-1])
        except FileNotFoundError:
            continue  # the process ended
    return found


def _is_dead(pid: int) -> bool:
    """Say whether a process is gone, or only waits to be reaped."""
    try:
        return psutil.Process(pid).status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return True


def _belongs(process: psutil.Process, run_id: str) -> bool:
    try:
        return (
            process.pid != os.getpid()
            and process.status() != psutil.STATUS_ZOMBIE
            and process.environ().get(RUN_VARIABLE) == run_id
        )
    except psutil.Error:
        return False
