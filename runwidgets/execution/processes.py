"""Processes of a run: finding them, and ending the whole tree.

Everything that a runner starts carries the run's id in its environment, and on Linux the runner is the
subreaper of its descendants, so that neither a new session nor a double fork hides a process from it.

Features that only Linux has are isolated here:

=====================  ================================  =====================================================
what                   Linux                             macOS and other Unix systems
=====================  ================================  =====================================================
the end of a process   a pidfd, which becomes readable   a thread waits (``kqueue``) and writes into a pipe
descendants            ``/proc``, and a subreaper        psutil: children, and processes with the run's id
the runner is killed   the kernel gets a death signal    ipykernel ends itself; the instance kills the others
out of memory          ``/proc/vmstat`` counts it        the message only mentions SIGKILL
=====================  ================================  =====================================================

Without a subreaper, a process is missed if it has lost its parent and does not show the run's id: because it
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
"""The value of a fork server in place of a run's id."""
ENV_START = 47
"""Position of ``env_start`` after the name in ``/proc/<pid>/stat``. **Source:** proc(5)."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
"""**Source:** ``linux/prctl.h``."""

KILL_TIMEOUT = 2.0
"""Seconds within which a killed process must end; one that does not cannot be killed now."""

POLL_DELAY = 0.02
"""Seconds between two checks of a process on systems that do not report its end."""

_is_linux = sys.platform == "linux"
_prctl = ctypes.CDLL(None).prctl if _is_linux else None


def _can_open_pidfds() -> bool:
    """Return whether the system has pidfds; a kernel before 5.3, or a sandbox, rejects them."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


HAS_PIDFD = _can_open_pidfds()
"""Whether the system has a descriptor for a process."""


def become(function: Callable[[], int]) -> NoReturn:
    """Call a function in a forked child, and exit with the code that it returns."""
    code = 1
    try:
        code = function()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def become_reaper() -> None:
    """Make orphaned descendants children of this process, if the system supports it."""
    if _prctl is not None:
        _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """Have this process killed when its parent dies, if the system supports it; called in a child.

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
    """Set the run's id in the environment of this process and its forks, visibly to others.

    The environment of a process in ``/proc`` is the memory with which it was started, which setting a
    variable does not change: the id is written over `UNMARKED` in that memory.

    Parameters
    ----------
    run_id : str
        As long as `UNMARKED`, with which this program, or the one that forked it, was started.
    """
    os.environ[RUN_VARIABLE] = run_id
    with open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    start, end = int(fields[ENV_START]), int(fields[ENV_START + 1])
    position = ctypes.string_at(start, end - start).index(f"{RUN_VARIABLE}={UNMARKED}".encode())
    ctypes.memmove(start + position + len(RUN_VARIABLE) + 1, run_id.encode(), len(UNMARKED))


def count_oom_kills() -> int:
    """Return the number of processes that the system killed for lack of memory; 0 if unknown."""
    try:
        with open("/proc/vmstat") as statistics:
            return sum(int(line.split()[1]) for line in statistics if line.startswith("oom_kill "))
    except FileNotFoundError:
        return 0


def signal_name(number: int) -> str:
    """Return the name of a signal, such as ``SIGKILL``; real-time signals have only numbers."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def find_processes(run_id: str) -> list[psutil.Process]:
    """Return the processes that carry a run's id, except this one."""
    return [process for process in psutil.process_iter() if _belongs(process, run_id)]


def kill_descendants() -> None:
    """Kill every descendant of this process and wait until they are dead.

    A process may start another one between the search and the kill: the search is repeated until it finds
    none, or only processes that cannot be killed, because they wait for a device or belong to another user.
    Safe in any thread; the dead are left to `reap_children`. If orphans do not become children of this
    process, those that carry the id of its run are killed too.
    """
    _kill_all(lambda: [pid for pid in _descendants(os.getpid()) if not _is_dead(pid)])
    if _prctl is None and RUN_VARIABLE in os.environ:
        kill_run(os.environ[RUN_VARIABLE])


def reap_children() -> None:
    """Reap the dead children of this process, including inherited ones."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def kill_run(run_id: str) -> None:
    """Kill every process of a run except this one, and wait until those that can be killed have ended."""
    _kill_all(lambda: [process.pid for process in find_processes(run_id)])


def send_signal(pid: int, run_id: str, number: signal.Signals) -> bool:
    """Send a signal to a process of a run, unless its process id was reused.

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
        False if the process has ended.
    """
    try:
        process = psutil.Process(pid)
        if not _belongs(process, run_id):
            return False
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _kill_all(find_pids: Callable[[], list[int]]) -> None:
    """Kill processes, and wait until each is dead, reaped or not, as long as new ones are found."""
    unkillable: set[int] = set()
    while targets := [pid for pid in find_pids() if pid not in unkillable]:
        for pid in targets:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:
                unkillable.add(pid)
        deadline = time.monotonic() + KILL_TIMEOUT
        for pid in targets:
            while pid not in unkillable and not _is_dead(pid):
                if time.monotonic() > deadline:
                    unkillable.add(pid)
                else:
                    wait_for_end(pid, deadline - time.monotonic())


def wait_for_end(pid: int, timeout: float | None = None) -> None:
    """Wait until a process has ended, reaped or not.

    Parameters
    ----------
    pid : int
        The process, which may have ended already.
    timeout : float, optional
        Maximum number of seconds to wait; None for no limit.
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
    """Return a descriptor that becomes readable once a process has ended, reaped or not.

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
    threading.Thread(target=_signal_end, args=[pid, writable], daemon=True).start()
    return readable


def _signal_end(pid: int, writable: int) -> None:
    wait_for_end(pid)
    with suppress(BrokenPipeError):  # the reader has closed its end
        os.write(writable, b"!")
    os.close(writable)


def _wait_without_pidfd(pid: int, timeout: float | None) -> None:
    """Wait for the end of a process without pidfds; does not reap it, so that the exit code remains."""
    if sys.platform != "linux":
        exits = select.kevent(
            pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD | select.KQ_EV_ONESHOT, select.KQ_NOTE_EXIT
        )
        with suppress(ProcessLookupError), closing(select.kqueue()) as queue:
            queue.control([exits], 1, None if timeout is None else max(0.0, timeout))
        return
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while not _is_dead(pid) and time.monotonic() < deadline:
        time.sleep(POLL_DELAY)


def _children(pid: int | str) -> list[int]:
    """Return the children of a process, from the kernel's list if there is one."""
    tasks = f"/proc/{pid}/task"
    if not os.path.isdir(tasks):
        return []
    found: list[int] = []
    for task in os.listdir(tasks):
        try:
            with open(f"{tasks}/{task}/children") as children:
                found += map(int, children.read().split())
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
    """Return whether a process has ended, reaped or not."""
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
