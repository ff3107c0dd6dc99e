"""Operations on the disk: atomic, and durable where it matters."""

import ctypes
import errno
import hashlib
import os
import shutil
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from runwidgets.errors import FileTooLargeError, ServiceUnavailableError, StorageFullError
from runwidgets.failpoints import reach
from runwidgets.store.files.disk_reserve import DISK_FULL

if sys.platform == "linux":
    import fcntl

CHUNK = 1 << 20
"""Bytes that are read or written at once."""
READ_ONLY = 0o400
"""Mode of stored copies and uploads, which nobody should edit by accident; runs get copies of them."""
MAX_SINGLE_SYNCS = 12
"""Number of paths up to which each is synchronised separately."""
CLONE = 0x40049409
"""The request that makes two files share their blocks. **Source:** ``FICLONE``, ``ioctl_ficlone(2)``."""
NO_CLONE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM}
"""Error numbers of file systems on which files cannot share blocks."""
_sync_file_system = ctypes.CDLL(None, use_errno=True).syncfs if sys.platform == "linux" else None
"""**Source:** ``syncfs(2)``."""


def open_new(path: Path) -> IO[bytes]:
    """Open a new file with mode 0600 for writing."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def write_file(path: Path, content: bytes, is_durable: bool = True) -> None:
    """Write a new file with mode 0600, and by default wait until it is on disk."""
    with open_new(path) as stream:
        stream.write(content)
        stream.flush()
        if is_durable:
            os.fsync(stream.fileno())


def write_atomically(
    path: Path, content: bytes, is_durable: bool = True, *, is_read_only: bool = False
) -> None:
    """Replace a file atomically: readers see the old content or the new one."""
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write_file(staged, content, is_durable)
        if is_read_only:
            staged.chmod(READ_ONLY)
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the content of a file, or the entries of a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_together(paths: Sequence[Path]) -> None:
    """Wait until many files and folders of one file system are on disk.

    If the system supports it, the whole file system is synchronised at once: a thousand single calls would
    wait for a write each.

    Raises
    ------
    OSError
        A file or folder could not be written.
    """
    if len(paths) <= MAX_SINGLE_SYNCS or _sync_file_system is None:
        for path in paths:
            sync(path)
        return
    descriptor = os.open(paths[-1], os.O_RDONLY)
    try:
        if _sync_file_system(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def hash_file(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def write_stream(path: Path, stream: IO[bytes], limit: int | None = None) -> tuple[str, int]:
    """Write a stream to a new, durable file with mode 0600, and return its SHA-256 and its size in bytes.

    Raises
    ------
    FileTooLargeError
        The stream has more than `limit` bytes.
    """
    digest, size = hashlib.sha256(), 0
    with open_new(path) as target:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if limit is not None and size > limit:
                raise FileTooLargeError(
                    path.name, f"it has more than {limit:,} bytes, the limit for one file"
                )
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest(), size


def clone_file(source: Path, target: Path) -> bool:
    """Create a file with mode 0600 that shares its blocks with another, until either is changed.

    Returns
    -------
    bool
        False if the file system cannot share blocks; then nothing is created.

    Raises
    ------
    OSError
        The file could not be created.
    """
    if sys.platform != "linux":
        return False
    with source.open("rb") as given, open_new(target) as made:
        try:
            fcntl.ioctl(made, CLONE, given.fileno())
        except OSError as error:
            if error.errno not in NO_CLONE:
                raise
        else:
            return True
    target.unlink()
    return False


def copy_file(source: Path, target: Path, is_durable: bool = False) -> str:
    """Copy a file to a new one with mode 0600, and return the SHA-256 of the copy."""
    digest = hashlib.sha256()
    with source.open("rb") as stream, open_new(target) as copy:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            copy.write(chunk)
        if is_durable:
            copy.flush()
            os.fsync(copy.fileno())
    return digest.hexdigest()


def link_file(source: Path, target: Path) -> None:
    """Create a hard link to a file, or a copy if the file system has no links."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}:
            raise
        shutil.copyfile(source, target)


def remove_path(path: Path, touched: float | None = None) -> bool:
    """Rename a path first, then remove it: observers see all of it or nothing.

    If `touched`, the time of the last change, is given, and the path was changed since, it is kept.
    """
    renamed = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        os.replace(path, renamed)
        if touched not in (None, renamed.lstat().st_mtime):
            os.replace(renamed, path)
            return False
    except FileNotFoundError:  # removed by somebody else
        return False
    reach("folder renamed")
    remove_tree(renamed)
    return True


def remove_tree(path: Path) -> None:
    """Remove a file, or a folder with its content; others may do the same concurrently."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    while path.exists():
        with suppress(FileNotFoundError):
            try:
                shutil.rmtree(path)
            except PermissionError:
                _open_folders(path)
                shutil.rmtree(path)


def _open_folders(path: Path) -> None:
    """Make every folder below a folder writable for the owner: a notebook may have copied read-only ones."""
    path.chmod(0o700)
    for folder, names, _ in os.walk(path):
        for name in names:
            if not os.path.islink(os.path.join(folder, name)):
                os.chmod(os.path.join(folder, name), 0o700)


@contextmanager
def our_errors(subject: str) -> Iterator[None]:
    """Convert errors of the operating system about the disk into errors of runwidgets."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StorageFullError(subject, "the disk is full") from error
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise ServiceUnavailableError(subject, "the folder is not writable") from error
        raise


def make_writable(subject: str, *folders: Path) -> None:
    """Create folders if they are missing, and check that they are writable.

    Parameters
    ----------
    subject : str
        The setting that names the folders.
    *folders : Path
        The folders; their parents are created, too.

    Raises
    ------
    ServiceUnavailableError
        One of them cannot be created or written, or a file is in its place or above it.
    StorageFullError
        The disk is full.
    """
    for folder in folders:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            obstacles = [path for path in (folder, *folder.parents) if os.path.lexists(path)]
            raise ServiceUnavailableError(
                subject, f"{obstacles[0]} is not a folder", "choose another place"
            ) from error
        except OSError as error:
            if error.errno in DISK_FULL:
                raise StorageFullError(subject, "the disk is full") from error
            problem = f"{folder} cannot be created ({error.strerror})"
            raise ServiceUnavailableError(subject, problem, "choose a writable folder") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ServiceUnavailableError(subject, f"{folder} is not writable", "choose a writable folder")
