"""Reserved disk space, released when the disk is full, so that an end can be written or a run deleted."""

import errno
import os
from pathlib import Path

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""The error numbers for a full disk, an exceeded quota, and a file that is too large."""


def reserve_space(path: Path, size: int) -> None:
    """Fill a file to reserve disk space; do nothing if there is not enough.

    Parameters
    ----------
    path : Path
        The file; an existing one is kept as it is.
    size : int
        Size in bytes.

    Raises
    ------
    OSError
        The file cannot be written, although there is enough space.
    """
    if path.exists():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, b"\0" * size)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        release_space(path)
    finally:
        os.close(descriptor)


def release_space(path: Path) -> bool:
    """Remove the file; return False if there is none."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
