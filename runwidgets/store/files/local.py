"""Run directories, uploads and archives in a folder.

Everything is created under a temporary name and renamed, so a file with its final name is complete. Folders
have mode 0700, files 0600. Copies of notebooks and of the files beside them are stored under the SHA-256 of
their content and never change. This module uses no database, because the runner imports it.
"""

import hashlib
import logging
import os
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from runwidgets.errors import (
    ServiceUnavailableError,
    UnknownFileError,
    UnknownRunError,
)
from runwidgets.store.files.archives import open_archive
from runwidgets.store.files.base import FolderStore
from runwidgets.store.files.disk import (
    READ_ONLY,
    hash_file,
    make_writable,
    our_errors,
    remove_path,
    sync,
    write_atomically,
    write_stream,
)
from runwidgets.store.files.disk_reserve import release_space, reserve_space
from runwidgets.store.files.layout import (
    LOCK,
    LOG,
    OUTPUT,
    RESERVE,
    SECRETS,
    TEMPLATE,
    copy_key,
    result_key,
    run_key,
    upload_key,
)
from runwidgets.store.files.orphans import (
    REMOVAL_AGES,
    MinimumAges,
    Orphan,
    ReferencedFiles,
    find_copies,
    find_orphans,
    size_of,
)
from runwidgets.store.files.run_directories import NewRunDirectory, make_folders
from runwidgets.store.locks import is_locked

log = logging.getLogger(__name__)

RESERVE_SIZE = 4 << 20
"""Bytes that are reserved, if the disk has them."""


class LocalFiles(FolderStore):
    """The files below a folder.

    Parameters
    ----------
    root : Path
        The root; created if missing.
    is_read_only : bool, optional
        Whether to read only: then nothing is created.

    Attributes
    ----------
    runs : Path
        Folder with the run directories.

    Raises
    ------
    ServiceUnavailableError
        The root cannot be created or written, or is missing and opened for reading only.
    StorageFullError
        The disk is full.
    """

    def __init__(self, root: Path, *, is_read_only: bool = False) -> None:
        self.folder = root.expanduser().resolve()
        self.runs = self.folder / "runs"
        self.copies = self.folder / "copies"
        self.instances = self.folder / "instances"
        if not is_read_only:
            make_writable(
                "root", self.folder, self.runs, self.folder / "uploads", self.copies, self.instances
            )
        elif not self.folder.is_dir():
            is_file = self.folder.exists()
            problem = f"{self.folder} is not a folder" if is_file else f"there is no folder {self.folder}"
            raise ServiceUnavailableError("root", problem, "give a folder that a server uses as its root")

    @property
    def address(self) -> str:
        """The folder, which workers on other machines may share."""
        return str(self.folder)

    @property
    def identity(self) -> str:
        """The folder and the machine: a folder with the same name on another machine is another root."""
        return f"{socket.gethostname()} {self.folder}"

    def is_empty(self) -> bool:
        """Return whether no run was ever stored here."""
        return not self.runs.is_dir() or not any(self.runs.iterdir())

    def clock(self) -> float:
        """Return the current time of the root's file system, in seconds; another machine may serve it."""
        probe = self.folder / f".{uuid.uuid4().hex}"
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink()

    def free_space(self) -> int:
        """Return the free space on the root's disk in bytes, without the reserved space."""
        with our_errors("root"):
            missing = 0 if (self.folder / RESERVE).exists() else RESERVE_SIZE
            return shutil.disk_usage(self.folder).free - missing

    def reserve_space(self, floor: int) -> None:
        """Reserve some space for a full disk, if more than a number of bytes is free."""
        reserve = self.folder / RESERVE
        if not reserve.exists() and self.free_space() > floor:
            reserve_space(reserve, RESERVE_SIZE)

    def release_space(self) -> bool:
        """Release the reserved space; return False if there is none."""
        return release_space(self.folder / RESERVE)

    # -- content-addressed copies ------------------------------------------------------------------

    def keep(self, content: bytes) -> str:
        """Store bytes, even if they are stored already, which renews the age of the copy."""
        digest = hashlib.sha256(content).hexdigest()
        with our_errors("copy of the notebook"):
            path = self.copy(digest)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_atomically(path, content, is_read_only=True)
        return digest

    def keep_file(self, source: Path) -> tuple[str, int]:
        """Store a copy of a file, and return its SHA-256 and its size in bytes."""
        with our_errors(source.name):
            staged = self.copies / f".{uuid.uuid4().hex}"
            try:
                with source.open("rb") as stream:
                    digest, size = write_stream(staged, stream)
                staged.chmod(READ_ONLY)
                path = self.copy(digest)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                os.replace(staged, path)
            finally:
                staged.unlink(missing_ok=True)
            return digest, size

    def copy(self, digest: str) -> Path:
        """Return the path of the stored copy with a SHA-256."""
        return self.folder / copy_key(digest)

    # -- runs --------------------------------------------------------------------------------------

    def run_folder(self, run_id: str) -> Path:
        """Return the directory of a run, which may not exist."""
        return self.folder / run_key(run_id)

    @contextmanager
    def create_runs(self, new_directories: Sequence[NewRunDirectory], notebook: str) -> Iterator[None]:
        """Create the directories of runs; see `FileStore`."""
        with make_folders(self.folder, new_directories, notebook):
            yield

    def is_locked(self, run_id: str) -> bool:
        """Return whether a runner of a run is alive; machines that share the folder share the locks."""
        return is_locked(self.run_folder(run_id) / LOCK)

    def forget_secrets(self, *run_ids: str) -> None:
        """Remove the secret values of runs whose kernels no longer need them."""
        for run_id in run_ids:
            (self.run_folder(run_id) / SECRETS).unlink(missing_ok=True)

    def delete_run(self, run_id: str) -> None:
        """Remove the directory of a run; nothing remains, even after a crash in the middle and a restart."""
        remove_path(self.run_folder(run_id))

    def delete_runs(self, run_ids: Iterable[str]) -> None:
        """Remove the directories of runs."""
        for run_id in run_ids:
            self.delete_run(run_id)

    def size_of_run(self, run_id: str) -> int:
        """Return the number of bytes that the removal of a run frees."""
        return size_of(self.run_folder(run_id))

    @contextmanager
    def view_run(self, run_id: str, *names: str) -> Iterator[Path]:
        """Provide the directory of a run for reading, in its usual location; see `FileStore`."""
        yield self.run_folder(run_id)

    @contextmanager
    def edit_notebook(self, run_id: str) -> Iterator[Path]:
        """Provide the executed notebook for a change, in its usual location; see `FileStore`."""
        yield self.run_folder(run_id) / OUTPUT

    # -- orphans ---------------------------------------------------------------------------------

    def find_orphans(
        self, referenced: ReferencedFiles, moment: float, ages: MinimumAges = REMOVAL_AGES
    ) -> Iterator[Orphan]:
        """Find orphans; see `FileStore`."""
        return find_orphans(self.folder, referenced, moment, ages)

    def find_copies(self, needed: Set[str], moment: float) -> Iterator[Orphan]:
        """Find the copies that no template still needs; see `FileStore`."""
        return find_copies(self.folder, needed, moment)

    def discard(self, orphan: Orphan) -> bool:
        """Remove an orphan; see `FileStore`."""
        path = self.folder / orphan.key
        try:
            return remove_path(path, orphan.touched)
        except OSError as error:
            log.warning("runwidgets: %s could not be removed: %s", path, error.strerror)
            return False

    def find_hash(self, key: str) -> str | None:
        """Return the SHA-256 of a copy or an upload; see `FileStore`."""
        path = self.folder / key
        return hash_file(path)[0] if path.is_file() else None

    # -- results -----------------------------------------------------------------------------------

    def open_result(self, run_id: str, name: str | None) -> IO[bytes]:
        """Open a file of the working folder, or the executed notebook; see `FileStore`."""
        try:
            return (self.folder / result_key(run_id, name)).open("rb")
        except FileNotFoundError as error:
            raise UnknownFileError(
                f"file {name or OUTPUT}", f"this file of run {run_id} no longer exists"
            ) from error

    def open_notebook(self, run_id: str) -> IO[bytes]:
        """Open the current executed notebook, or the template; see `FileStore`."""
        folder = self.run_folder(run_id)
        for path in (folder / OUTPUT, folder / TEMPLATE):
            if path.exists():
                return path.open("rb")
        raise UnknownRunError(f"run {run_id}", "its directory no longer exists")

    def read_log(self, run_id: str, offset: int, limit: int) -> tuple[bytes, int, int]:
        """Return a part of the log, its offset, and the size of the log."""
        path = self.run_folder(run_id) / LOG
        if not path.exists():
            return b"", 0, 0
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            begin = max(0, size + offset) if offset < 0 else min(offset, size)
            stream.seek(begin)
            return stream.read(limit), begin, size

    def open_archive(self, run_id: str, names: Iterable[tuple[str, str | None]]) -> IO[bytes]:
        """Return a ``.tar.gz`` of result files as a stream that is created while it is read."""
        return open_archive(
            [(archive_name, partial(self.open_result, run_id, name)) for archive_name, name in names]
        )

    # -- uploads -----------------------------------------------------------------------------------

    def open_upload(self, group_id: str, file_id: str, name: str) -> IO[bytes]:
        """Open an upload; see `FileStore`."""
        try:
            return (self.folder / upload_key(group_id, file_id, name)).open("rb")
        except FileNotFoundError as error:
            raise UnknownFileError(f"file {file_id}", "it was deleted in the meantime") from error

    def store_upload(self, key: str, stream: IO[bytes], limit: int) -> tuple[str, int]:
        """Store an upload; see `FileStore`."""
        path = self.folder / key
        try:
            with our_errors(path.name):
                path.parent.mkdir(mode=0o700, parents=True)
                digest = write_stream(path, stream, limit)
                path.chmod(READ_ONLY)
                sync(path.parent)
                return digest
        except BaseException:
            remove_path(path.parent)
            raise

    def delete_upload(self, group_id: str, file_id: str) -> None:
        """Remove an upload."""
        remove_path(self.folder / upload_key(group_id, file_id))

    def delete_uploads(self, group_id: str) -> None:
        """Remove all uploads of a group."""
        remove_path(self.folder / upload_key(group_id))
