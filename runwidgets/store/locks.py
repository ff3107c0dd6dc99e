"""Locks that show whether a process lives, however it dies.

A runner holds the lock of its run as long as it lives, and so does an instance until the run that it
accepts has its row; an instance holds one of its own.

Whoever opens an instance imports this module, so here Windows is refused, which has no such locks and none of
the processes and signals of Unix; forms, widgets and `connect` to a server elsewhere work there.
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

_own: set[int] = set()


def _let_go() -> None:
    while _own:
        os.close(_own.pop())


os.register_at_fork(after_in_child=_let_go)


def hold_lock(path: Path) -> int | None:
    """Take a lock.

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


def hold_own_lock(path: Path) -> int | None:
    """Take a lock that shows whether this very process lives: forked children do not inherit it.

    Parameters
    ----------
    path : Path
        The lock file; made where it is missing.

    Returns
    -------
    int or None
        See `hold_lock`; for `release_own_lock`.
    """
    descriptor = hold_lock(path)
    if descriptor is not None:
        _own.add(descriptor)
    return descriptor


def announce(folder: Path) -> tuple[str, int]:
    """Say that an instance lives here, for as long as this process holds the lock of its file.

    Parameters
    ----------
    folder : Path
        Where the files of instances are.

    Returns
    -------
    (str, int)
        The instance's new id, which names its file, and the descriptor of its lock, for
        `release_own_lock`.
    """
    while True:
        instance = uuid.uuid4().hex
        lock = hold_own_lock(folder / instance)
        if lock is not None:
            if (folder / instance).exists():
                return instance, lock
            release_own_lock(lock)  # somebody took it for a dead one's before it was locked


def release_own_lock(descriptor: int) -> None:
    """Let a lock of `hold_own_lock` go; in a forked child nothing happens."""
    if descriptor in _own:
        _own.discard(descriptor)
        os.close(descriptor)


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
