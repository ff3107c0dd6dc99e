"""Processes of a run: how to find them, and the end of the whole tree.

Everything that a runner starts carries the run's id in its environment, and on Linux the runner is the
reaper of its orphans, so that neither a new session nor a double fork hides a process from it.

What only Linux has is asked for here and nowhere else on the way of a spawned run:

=====================  ================================  =====================================================
what                   Linux                             macOS and other Unix systems
=====================  ================================  =====================================================
the end of a process   a pidfd, which is readable then   a thread waits (``kqueue``) and writes into a pipe
descendants            ``/proc``, and a subreaper        psutil: children, and whoever carries the run's id
the runner is killed   the kernel gets a death signal    ipykernel ends itself; the instance kills the others
out of memory          ``/proc/vmstat`` counts it        the message only says SIGKILL
=====================  ================================  =====================================================

Without a subreaper a process escapes that has lost its parent and does not show the run's id: because it
cleared its environment, or because macOS hides the environment of the programs in ``/bin`` and ``/usr/bin``.
"""

import ctypes
import math
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from typing import NoReturn

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

LOOK_PAUSE = 0.02
"""Seconds between two looks at a process where the system does not tell of its end."""

_is_linux = sys.platform == "linux"
_prctl = ctypes.CDLL(None).prctl if _is_linux else None


def _can_open_pidfds() -> bool:
    """Say whether processes have descriptors here; a kernel before 5.3, or a sandbox, refuses them."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


HAS_PIDFD = _can_open_pidfds()
"""Whether the system has a descriptor for a process."""


def become(function: Callable[[], int]) -> NoReturn:
    """Call a function in a forked child, and end with the code that it returns."""
    code = 1
    try:
        code = function()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


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
    are left to `reap_children`. Where orphans do not become children of this process, those that carry the id
    of its run are killed too.
    """
    _kill_all(lambda: [pid for pid in _descendants(os.getpid()) if not _is_dead(pid)])
    if _prctl is None and RUN_VARIABLE in os.environ:
        kill_run(os.environ[RUN_VARIABLE])


def reap_children() -> None:
    """Let the dead children of this process go, also those that it inherited."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def kill_run(run_id: str) -> None:
    """Kill every process of a run but this one, and wait until those that can be killed are gone."""
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
    if not HAS_PIDFD:
        _wait_without_pidfd(pid, timeout)
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


def watch_for_end(pid: int) -> int:
    """Return a descriptor that is readable once a process has ended, reaped or not.

    Parameters
    ----------
    pid : int
        The process, a child that is not reaped yet.

    Returns
    -------
    int
        For `select` and event loops; the caller closes it.
    """
    if HAS_PIDFD:
        return os.pidfd_open(pid)
    readable, writable = os.pipe()
    threading.Thread(target=_tell_of_end, args=[pid, writable], daemon=True).start()
    return readable


def _tell_of_end(pid: int, writable: int) -> None:
    wait_for_end(pid)
    with suppress(BrokenPipeError):  # nobody watches any more
        os.write(writable, b"!")
    os.close(writable)


def _wait_without_pidfd(pid: int, timeout: float | None) -> None:
    """Wait for an end where processes have no descriptors; does not reap, so that the exit code stays."""
    if sys.platform != "linux":
        exits = select.kevent(
            pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD | select.KQ_EV_ONESHOT, select.KQ_NOTE_EXIT
        )
        with suppress(ProcessLookupError), closing(select.kqueue()) as queue:
            queue.control([exits], 1, None if timeout is None else max(0.0, timeout))
        return
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while not _is_dead(pid) and time.monotonic() < deadline:
        time.sleep(LOOK_PAUSE)


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
    if not _is_linux:
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
