"""Run directories, uploads and archives under the root.

Everything is made beside its place and renamed into it, so that what has its name is whole. Folders
are 0700, files 0600. Copies of notebooks and of the files beside them are stored under the SHA-256 of
their content and never change. Knows no database: the runner imports it.
"""

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from runwidgets.crashpoints import reach
from runwidgets.errors import (
    FileTooLargeError,
    ServiceUnavailableError,
    StorageFullError,
    UnknownFileError,
    UnknownRunError,
)
from runwidgets.store.archives import open_archive
from runwidgets.store.locks import hold_lock
from runwidgets.store.reserve import DISK_FULL, give_up_room, hold_room

RESERVED = 4 << 20
"""Bytes that are kept free, where the disk has them."""
CHUNK = 1 << 20
"""Bytes read or written at once."""
RUN_FILE = "run.json"
TEMPLATE = "template.ipynb"
OUTPUT = "output.ipynb"
JOURNAL = "journal.jsonl"
LOCK = "lock"
LOG = "log.txt"
RUNNER_LOG = "runner.log"
SECRETS = "secrets.json"
RESERVE = "reserve"
UPLOADS = "uploads"
WORKDIR = "workdir"


class Files:
    """What lies under a root.

    Parameters
    ----------
    root : Path
        The root; made where it is missing.
    is_read_only : bool, optional
        Whether it is only looked at: then nothing is made.

    Attributes
    ----------
    runs, uploads, copies, services : Path
        The folders in it: run directories, uploads by group, copies by their SHA-256, and the locks of
        the services that live.

    Raises
    ------
    ServiceUnavailableError
        It cannot be made or written, or is missing and only to be looked at.
    StorageFullError
        The disk is full.
    """

    def __init__(self, root: Path, *, is_read_only: bool = False) -> None:
        self.root = root.expanduser().resolve()
        self.runs = self.root / "runs"
        self.uploads = self.root / "uploads"
        self.copies = self.root / "copies"
        self.services = self.root / "services"
        if is_read_only:
            if not self.root.is_dir():
                raise ServiceUnavailableError("root", f"there is no folder {self.root}")
            return
        with _our_errors("root"):
            for folder in (self.root, self.runs, self.uploads, self.copies, self.services):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def is_empty(self) -> bool:
        """Say whether no run was ever stored here."""
        return not any(self.runs.iterdir())

    def clock(self) -> float:
        """Return what time it is for the root's file system, in seconds; another machine may serve it."""
        probe = self.root / f".{uuid.uuid4().hex}"
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink()

    def free_space(self) -> int:
        """Return the bytes that are free on the root's disk, beside the room that is kept."""
        with _our_errors("root"):
            missing = 0 if (self.root / RESERVE).exists() else RESERVED
            return shutil.disk_usage(self.root).free - missing

    def hold_room(self, floor: int) -> None:
        """Keep some room for when the disk is full, where it has more than a number of bytes."""
        reserve = self.root / RESERVE
        if not reserve.exists() and self.free_space() > floor:
            hold_room(reserve, RESERVED)

    def give_up_room(self) -> bool:
        """Free the room that was kept; False when there is none."""
        return give_up_room(self.root / RESERVE)

    # -- content-addressed copies ------------------------------------------------------------------

    def keep(self, content: bytes) -> str:
        """Store bytes, also where they are stored already: a copy is young when it is about to be used."""
        digest = hashlib.sha256(content).hexdigest()
        with _our_errors("copy of the notebook"):
            path = self.copy(digest)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_atomically(path, content)
        return digest

    def keep_file(self, source: Path) -> tuple[str, int]:
        """Store a copy of a file; return its SHA-256 and its size in bytes."""
        with _our_errors(source.name):
            staged = self.copies / f".{uuid.uuid4().hex}"
            try:
                with source.open("rb") as stream:
                    digest, size = _write(staged, stream)
                path = self.copy(digest)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                os.replace(staged, path)
            finally:
                staged.unlink(missing_ok=True)
            return digest, size

    def copy(self, digest: str) -> Path:
        """Return where the stored copy with a SHA-256 lies."""
        return self.copies / digest[:2] / digest

    # -- runs --------------------------------------------------------------------------------------

    def run_folder(self, run_id: str) -> Path:
        """Return the folder of a run, which may not exist."""
        return self.runs / run_id

    def create_run(
        self,
        run_id: str,
        description: dict[str, Any],
        notebook: str,
        uploads: Mapping[str, Path],
        secrets: dict[str, Any],
    ) -> int:
        """Make the folder of a run; afterwards it is on disk, whole.

        Parameters
        ----------
        run_id : str
            The run.
        description : dict
            Content of ``run.json``.
        notebook : str
            SHA-256 of the template's stored notebook.
        uploads : mapping of str to Path
            Uploads that its arguments name, by id; the run keeps them though they be deleted.
        secrets : dict
            Values that only the kernel may see; the runner removes them when it has read them.

        Returns
        -------
        int
            The descriptor that holds the run's lock; the caller closes it when the row is committed.

        Raises
        ------
        StorageFullError
            The disk is full; nothing stays.
        """
        lock: int | None = None
        staged = self.runs / f".{run_id}"
        try:
            with _our_errors(f"run {run_id}"):
                staged.mkdir(mode=0o700)
                lock = hold_lock(staged / LOCK)
                assert lock is not None
                (staged / WORKDIR).mkdir(mode=0o700)
                about = json.dumps(description, ensure_ascii=False).encode()
                write_file(staged / RUN_FILE, about, is_durable=False)
                _link(self.copy(notebook), staged / TEMPLATE)
                if secrets:
                    write_file(staged / SECRETS, json.dumps(secrets).encode())
                if uploads:
                    (staged / UPLOADS).mkdir(mode=0o700)
                for file_id, path in uploads.items():
                    _link(path, staged / UPLOADS / file_id)
                folder = self.run_folder(run_id)
                os.replace(staged, folder)
                for path in (folder / RUN_FILE, folder, self.runs):  # in one go: most is done with the first
                    sync(path)
                return lock
        except BaseException:
            if self.run_folder(run_id).exists():
                self.delete_run(run_id)
            if lock is not None:
                os.close(lock)
            raise
        finally:
            if staged.exists():
                shutil.rmtree(staged)

    def forget_secrets(self, run_id: str) -> None:
        """Remove the secret values of a run that no kernel will be given any more."""
        (self.run_folder(run_id) / SECRETS).unlink(missing_ok=True)

    def delete_run(self, run_id: str) -> None:
        """Remove the folder of a run; nothing remains, also after a crash half-way and a restart."""
        _remove(self.run_folder(run_id))

    def discard(self, path: Path, touched: float) -> bool:
        """Remove what belongs to nobody; False where it was touched since, or somebody was first."""
        return _remove(path, touched)

    def open_result(self, run_id: str, name: str | None) -> IO[bytes]:
        """Open a file of the working folder, or the executed notebook where the name is None.

        Raises
        ------
        UnknownFileError
            It is not there any more.
        """
        folder = self.run_folder(run_id)
        path = folder / OUTPUT if name is None else folder / WORKDIR / name
        try:
            return path.open("rb")
        except FileNotFoundError as error:
            raise UnknownFileError(
                f"file {name or OUTPUT}", f"run {run_id} has no such file any more"
            ) from error

    def open_notebook(self, run_id: str) -> IO[bytes]:
        """Open the executed notebook as it is now, or the template before the first snapshot.

        Raises
        ------
        UnknownRunError
            The folder is gone.
        """
        folder = self.run_folder(run_id)
        for path in (folder / OUTPUT, folder / TEMPLATE):
            if path.exists():
                return path.open("rb")
        raise UnknownRunError(f"run {run_id}", "its folder is gone")

    def read_log(self, run_id: str, offset: int, limit: int) -> tuple[bytes, int, int]:
        """Return bytes of the log, where they begin, and how many the log has."""
        path = self.run_folder(run_id) / LOG
        if not path.exists():
            return b"", 0, 0
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            begin = max(0, size + offset) if offset < 0 else min(offset, size)
            stream.seek(begin)
            return stream.read(limit), begin, size

    def open_archive(self, run_id: str, names: Iterable[tuple[str, str | None]]) -> IO[bytes]:
        """Return a ``.tar.gz`` of result files as a stream that is made while it is read.

        Parameters
        ----------
        run_id : str
            The run.
        names : iterable of (str, str or None)
            Name in the archive, and name in the working folder (None: the executed notebook).
        """
        members = [(inside, self.open_result(run_id, name)) for inside, name in names]
        return open_archive(members)

    # -- uploads -----------------------------------------------------------------------------------

    def upload(self, group_id: str, file_id: str, name: str) -> Path:
        """Return where an upload lies."""
        return self.uploads / group_id / file_id / name

    def store_upload(
        self, group_id: str, file_id: str, name: str, stream: IO[bytes], limit: int
    ) -> tuple[str, int]:
        """Store an upload; return its SHA-256 and size in bytes.

        Raises
        ------
        FileTooLargeError
            It has more than `limit` bytes; nothing of it stays.
        StorageFullError
            The disk is full; nothing of it stays.
        """
        path = self.upload(group_id, file_id, name)
        try:
            with _our_errors(name):
                path.parent.mkdir(mode=0o700, parents=True)
                digest = _write(path, stream, limit)
                sync(path.parent)
                return digest
        except BaseException:
            self.delete_upload(group_id, file_id)
            raise

    def delete_upload(self, group_id: str, file_id: str) -> None:
        """Remove an upload."""
        _remove(self.uploads / group_id / file_id)

    def delete_uploads(self, group_id: str) -> None:
        """Remove all uploads of a group."""
        _remove(self.uploads / group_id)


def write_file(path: Path, content: bytes, is_durable: bool = True) -> None:
    """Write a new file, 0600, and wait until it is on disk, unless that does not matter."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        if is_durable:
            os.fsync(stream.fileno())


def write_atomically(path: Path, content: bytes, is_durable: bool = True) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never a part."""
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write_file(staged, content, is_durable)
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
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


def _write(path: Path, stream: IO[bytes], limit: int | None = None) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
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


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}:
            raise
        shutil.copyfile(source, target)


def _remove(path: Path, touched: float | None = None) -> bool:
    """Take the name away first, then the content: who looks sees all or nothing.

    Where it is said when the path was touched last, and somebody touched it since, it stays.
    """
    doomed = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        os.replace(path, doomed)
        if touched not in (None, doomed.lstat().st_mtime):
            os.replace(doomed, path)
            return False
    except FileNotFoundError:  # somebody else is at it
        return False
    reach("folder renamed")
    _destroy(doomed)
    return True


def _destroy(path: Path) -> None:
    """Remove a file or folder; somebody else may be at it."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    while path.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(path)


@contextmanager
def _our_errors(subject: str) -> Iterator[None]:
    """Turn what the operating system says of the disk into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StorageFullError(subject, "the disk is full") from error
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise ServiceUnavailableError(subject, "the folder may not be written") from error
        raise
