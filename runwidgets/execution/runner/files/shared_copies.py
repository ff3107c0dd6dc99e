"""Copies of large inputs that runs share, where the file system cannot clone files.

A run may change what it is given, and a link would let it change the stored copy. Therefore a link leads to a
second copy, made from the stored one when a run first needs it. A record beside this shared
copy says how it looked when its content was last known to be right: inode, size and times. A run takes no
shared copy that looks different, and checks at its end that the one it used still looks the same; if not, the
content decides. What was changed loses its record, and the next run gets a new copy. This holds however a run
ends: the next run compares the record with the file.

Each run holds a shared lock on its copies as long as it is alive, so that the retention removes only those
that no run uses.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runwidgets.store.files.disk import copy_file, hash_file, write_atomically
from runwidgets.store.files.layout import USERS
from runwidgets.store.locks import wait_for_lock

CHOICE = "choice"
"""Lock of those who choose or make a shared copy of one content."""
RECORD = "record.json"

Looks = list[int]
"""Inode, size in bytes, and times of the last change of content and of inode, in nanoseconds."""


class DamagedCopyError(Exception):
    """The content of a stored copy is not what its SHA-256 says."""


@dataclass
class SharedCopy:
    """A shared copy that a run uses."""

    path: Path
    digest: str
    looks: Looks
    """How it looked when its content was last known to be right."""

    def is_unchanged(self) -> bool:
        """Return whether its content has not changed; if it has, no other run will be given it."""
        looks = _look(self.path)
        if looks == self.looks:
            return True
        if looks is not None and looks[0] == self.looks[0] and hash_file(self.path)[0] == self.digest:
            _write_record(self.path.parent, looks)
            self.looks = looks
            return True
        self.withdraw()
        return False

    def withdraw(self) -> None:
        """Give the copy to no other run, unless it looks as before."""
        if _look(self.path) != self.looks:
            (self.path.parent / RECORD).unlink(missing_ok=True)


def share(source: Path, digest: str, name: str, root: Path) -> SharedCopy:
    """Return a shared copy, for use until this process ends; it is made if there is none.

    Parameters
    ----------
    source : Path
        The stored copy; only read.
    digest : str
        SHA-256 of its content.
    name : str
        File name of the shared copy.
    root : Path
        Folder of the shared copies; created if missing.

    Raises
    ------
    DamagedCopyError
        The stored copy has another SHA-256.
    """
    folder = root / digest
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.utime(folder)  # the retention removes no folder that was touched lately
    with _choice(folder):
        for place in sorted(folder.iterdir()):
            looks = _read_record(place)
            if looks is not None and _look(place / name) == looks:
                return _use(SharedCopy(place / name, digest, looks))
        return _use(_make(source, digest, name, folder / uuid.uuid4().hex))


def _make(source: Path, digest: str, name: str, place: Path) -> SharedCopy:
    place.mkdir(mode=0o700)
    try:
        if copy_file(source, place / name, is_durable=True) != digest:
            raise DamagedCopyError(digest)
    except BaseException:
        shutil.rmtree(place)
        raise
    looks = _look(place / name)
    assert looks is not None
    _write_record(place, looks)
    return SharedCopy(place / name, digest, looks)


def _use(copy: SharedCopy) -> SharedCopy:
    wait_for_lock(copy.path.parent / USERS, is_shared=True)
    return copy


@contextmanager
def _choice(folder: Path) -> Iterator[None]:
    lock = wait_for_lock(folder / CHOICE)
    try:
        yield
    finally:
        os.close(lock)


def _look(path: Path) -> Looks | None:
    """Return how a file looks, or None; a network file system asks its server when the file is opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        about = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return [about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]


def _read_record(place: Path) -> Looks | None:
    try:
        looks: Looks = json.loads((place / RECORD).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return looks


def _write_record(place: Path, looks: Looks) -> None:
    write_atomically(place / RECORD, json.dumps(looks).encode(), is_durable=False)
