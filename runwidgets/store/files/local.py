"""Run directories, uploads and archives under the root.

Everything is made beside its place and renamed into it, so that what has its name is whole. Folders
are 0700, files 0600. Copies of notebooks and of the files beside them are stored under the SHA-256 of
their content and never change. Knows no database: the runner imports it.
"""

import hashlib
import logging
import os
import shutil
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
from runwidgets.store.files.disk import (
    hash_file,
    our_errors,
    remove_path,
    sync,
    write_atomically,
    write_stream,
)
from runwidgets.store.files.disk_reserve import release_space, reserve_space
from runwidgets.store.files.layout import (
    JOURNAL,
    LOCK,
    LOG,
    OUTPUT,
    RESERVE,
    RUN_FILE,
    RUNNER_LOG,
    SECRETS,
    TEMPLATE,
    UPLOADS,
    WORKDIR,
)
from runwidgets.store.files.orphans import (
    SWEEPER,
    Known,
    Orphan,
    Patience,
    find_copies,
    find_orphans,
    size_of,
)
from runwidgets.store.files.run_directories import NewRunDirectory, make_folders

__all__ = [
    "JOURNAL",
    "LOCK",
    "LOG",
    "OUTPUT",
    "RESERVE",
    "RUNNER_LOG",
    "RUN_FILE",
    "SECRETS",
    "TEMPLATE",
    "UPLOADS",
    "WORKDIR",
    "Files",
    "NewRunDirectory",
]

log = logging.getLogger(__name__)

RESERVED = 4 << 20
"""Bytes that are kept free, where the disk has them."""


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
    runs, uploads, copies, instances : Path
        The folders in it: run directories, uploads by group, copies by their SHA-256, and the locks of
        the instances that live.

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
        self.instances = self.root / "instances"
        if is_read_only:
            if not self.root.is_dir():
                raise ServiceUnavailableError("root", f"there is no folder {self.root}")
            return
        with our_errors("root"):
            for folder in (self.root, self.runs, self.uploads, self.copies, self.instances):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def address(self) -> str:
        """The root, as workers on other machines know it."""
        return str(self.root)

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
        with our_errors("root"):
            missing = 0 if (self.root / RESERVE).exists() else RESERVED
            return shutil.disk_usage(self.root).free - missing

    def reserve_space(self, floor: int) -> None:
        """Keep some room for when the disk is full, where it has more than a number of bytes."""
        reserve = self.root / RESERVE
        if not reserve.exists() and self.free_space() > floor:
            reserve_space(reserve, RESERVED)

    def release_space(self) -> bool:
        """Free the room that was kept; False when there is none."""
        return release_space(self.root / RESERVE)

    # -- content-addressed copies ------------------------------------------------------------------

    def keep(self, content: bytes) -> str:
        """Store bytes, also where they are stored already: a copy is young when it is about to be used."""
        digest = hashlib.sha256(content).hexdigest()
        with our_errors("copy of the notebook"):
            path = self.copy(digest)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_atomically(path, content)
        return digest

    def keep_file(self, source: Path) -> tuple[str, int]:
        """Store a copy of a file; return its SHA-256 and its size in bytes."""
        with our_errors(source.name):
            staged = self.copies / f".{uuid.uuid4().hex}"
            try:
                with source.open("rb") as stream:
                    digest, size = write_stream(staged, stream)
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

    @contextmanager
    def create_runs(self, new_directories: Sequence[NewRunDirectory], notebook: str) -> Iterator[None]:
        """Make the folders of runs; in the block they are on disk, whole, and if it fails they go again.

        In the block the caller commits their rows. Until then nobody takes the folders for orphans:
        a folder whose lock is held says which they are.

        Parameters
        ----------
        new_directories : sequence of NewRunDirectory
            The runs.
        notebook : str
            SHA-256 of the template's stored notebook.

        Yields
        ------
        None
            Once all is on disk.

        Raises
        ------
        StorageFullError
            The disk is full; nothing stays.
        """
        with make_folders(self.runs, new_directories, self.copy(notebook)):
            yield

    def forget_secrets(self, *run_ids: str) -> None:
        """Remove the secret values of runs that no kernel will be given any more."""
        for run_id in run_ids:
            (self.run_folder(run_id) / SECRETS).unlink(missing_ok=True)

    def delete_run(self, run_id: str) -> None:
        """Remove the folder of a run; nothing remains, also after a crash half-way and a restart."""
        remove_path(self.run_folder(run_id))

    def delete_runs(self, run_ids: Iterable[str]) -> None:
        """Remove the folders of runs."""
        for run_id in run_ids:
            self.delete_run(run_id)

    def size_of_run(self, run_id: str) -> int:
        """Return the bytes that become free when a run is removed."""
        return size_of(self.run_folder(run_id))

    @contextmanager
    def look_at(self, run_id: str, *names: str) -> Iterator[Path]:
        """Have the folder of a run to look at: whole where the run is at rest, missing where it has none.

        Parameters
        ----------
        run_id : str
            The run.
        *names : str
            Files that are enough; without any, all of them.

        Yields
        ------
        Path
            Only for reading.
        """
        yield self.run_folder(run_id)

    @contextmanager
    def edit_notebook(self, run_id: str) -> Iterator[Path]:
        """Change the executed notebook of a run that has no processes any more.

        Yields
        ------
        Path
            The notebook, which may be missing; how it is at the end of the block is stored.
        """
        yield self.run_folder(run_id) / OUTPUT

    # -- orphans ---------------------------------------------------------------------------------

    def find_orphans(self, known: Known, moment: float, patience: Patience = SWEEPER) -> Iterator[Orphan]:
        """Find what belongs to nobody and is not on its way to somebody; see `orphans.find_orphans`."""
        return find_orphans(self.root, known, moment, patience)

    def find_copies(self, needed: Set[str], moment: float) -> Iterator[Orphan]:
        """Find the copies that no template needs any more; see `orphans.find_orphans`."""
        return find_copies(self.root, needed, moment)

    def discard(self, path: Path, touched: float) -> bool:
        """Remove what belongs to nobody.

        False where it was touched since, somebody was first, or it cannot be removed, which is logged.
        """
        try:
            return remove_path(path, touched)
        except OSError as error:
            log.warning("runwidgets: %s could not be removed: %s", path, error.strerror)
            return False

    def find_hash(self, path: Path) -> str | None:
        """Return the SHA-256 of a copy or an upload, by where it lies; None where there is none."""
        return hash_file(path)[0] if path.is_file() else None

    # -- what runs leave -----------------------------------------------------------------------------

    def result(self, run_id: str, name: str) -> Path:
        """Return where a file of the working folder lies."""
        return self.run_folder(run_id) / WORKDIR / name

    def open_result(self, run_id: str, name: str | None) -> IO[bytes]:
        """Open a file of the working folder, or the executed notebook where the name is None.

        Raises
        ------
        UnknownFileError
            It is not there any more.
        """
        folder = self.run_folder(run_id)
        path = folder / OUTPUT if name is None else self.result(run_id, name)
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
        return open_archive([(inside, partial(self.open_result, run_id, name)) for inside, name in names])

    # -- uploads -----------------------------------------------------------------------------------

    def upload(self, group_id: str, file_id: str, name: str) -> Path:
        """Return where an upload lies."""
        return self.uploads / group_id / file_id / name

    def open_upload(self, group_id: str, file_id: str, name: str) -> IO[bytes]:
        """Open an upload.

        Raises
        ------
        UnknownFileError
            It was deleted meanwhile.
        """
        try:
            return self.upload(group_id, file_id, name).open("rb")
        except FileNotFoundError as error:
            raise UnknownFileError(f"file {file_id}", "it was deleted meanwhile") from error

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
            with our_errors(name):
                path.parent.mkdir(mode=0o700, parents=True)
                digest = write_stream(path, stream, limit)
                sync(path.parent)
                return digest
        except BaseException:
            self.delete_upload(group_id, file_id)
            raise

    def delete_upload(self, group_id: str, file_id: str) -> None:
        """Remove an upload."""
        remove_path(self.uploads / group_id / file_id)

    def delete_uploads(self, group_id: str) -> None:
        """Remove all uploads of a group."""
        remove_path(self.uploads / group_id)
