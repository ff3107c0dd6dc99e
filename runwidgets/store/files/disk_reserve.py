"""Room on a disk that is kept for the moment when it is full: an end can be written, a run deleted."""

import errno
import os
from pathlib import Path

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the operating system says when there is no room: the disk, the quota, or the file is full."""


def reserve_space(path: Path, size: int) -> None:
    """Fill a file, so that its room is there when it is given up; where there is none, nothing happens.

    Parameters
    ----------
    path : Path
        The file; one that is there already stays as it is.
    size : int
        Bytes.

    Raises
    ------
    OSError
        The file cannot be written, though there is space.
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
    """Remove the file; False when there was none."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
