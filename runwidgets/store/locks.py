"""Locks that show whether a process is alive; the system releases them when it ends, in whatever way.

A runner holds the lock of its run as long as it is alive, and an instance holds the lock of a run that it
accepts until its row is committed; an instance also holds a lock of its own.

Opening an instance imports this module, so Windows is rejected here, which has no such locks and none of the
processes and signals of Unix; forms, widgets and `connect` to a server elsewhere work there.
"""

import os
import sys
import uuid
from pathlib import Path

from runwidgets.errors import ServiceUnavailableError

if sys.platform == "win32":
    raise ServiceUnavailableError(
        "Windows",
        "runs cannot be stored or executed here",
        "use Linux, macOS or the Windows Subsystem for Linux, or connect to a server there by its URL",
    )

import fcntl

_held: set[int] = set()


def _close_inherited() -> None:
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_close_inherited)


def hold_lock(path: Path) -> int | None:
    """Take a lock.

    The lock belongs to the descriptor and all processes that inherit it, and ends with the last of them.

    Parameters
    ----------
    path : Path
        The lock file; created if missing.

    Returns
    -------
    int or None
        The descriptor that holds the lock; None if another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def wait_for_lock(path: Path, *, is_shared: bool = False) -> int:
    """Wait until a lock can be taken.

    Parameters
    ----------
    path : Path
        The lock file; created if missing.
    is_shared : bool, optional
        Whether others may share it; to `is_locked` it is held all the same.

    Returns
    -------
    int
        The descriptor that holds the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def hold_own_lock(path: Path) -> int | None:
    """Take a lock that shows whether this very process is alive: forked children do not inherit it.

    Parameters
    ----------
    path : Path
        The lock file; created if missing.

    Returns
    -------
    int or None
        As in `hold_lock`; for `release_own_lock`.
    """
    descriptor = hold_lock(path)
    if descriptor is not None:
        _held.add(descriptor)
    return descriptor


def announce(folder: Path) -> tuple[str, int]:
    """Create the lock file of an instance, which is alive for as long as this process holds the lock.

    Parameters
    ----------
    folder : Path
        Folder with the files of instances.

    Returns
    -------
    (str, int)
        The new id of the instance, which is the name of its file, and the descriptor of its lock, for
        `release_own_lock`.
    """
    while True:
        instance = uuid.uuid4().hex
        lock = hold_own_lock(folder / instance)
        if lock is not None:
            if (folder / instance).exists():
                return instance, lock
            release_own_lock(lock)  # another instance removed it as dead before it was locked


def release_own_lock(descriptor: int) -> None:
    """Release a lock of `hold_own_lock`; does nothing in a forked child."""
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock.

    Parameters
    ----------
    path : Path
        The lock file; a missing one counts as not held.

    Returns
    -------
    bool
        True while a process that holds it is alive.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
