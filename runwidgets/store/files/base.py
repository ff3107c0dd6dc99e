"""The files of an instance, in a folder or below a URL.

Files are identified by keys (`layout`). Copies of notebooks and of the files beside them are stored under the
SHA-256 of their content and never change.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from runwidgets.store.files.orphans import REMOVAL_AGES, MinimumAges, Orphan, ReferencedFiles
from runwidgets.store.files.run_directories import NewRunDirectory


class FileStore(ABC):
    """The files of an instance; thread-safe.

    Attributes
    ----------
    folder : Path
        The instance's folder on this machine: the root itself, or the server's own folder if the root is a
        URL.
    """

    folder: Path

    @property
    @abstractmethod
    def address(self) -> str:
        """The root, in a form that workers on other machines can use."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """An identifier of the root, which differs from that of every other root on any machine."""

    @property
    def local(self) -> "FolderStore | None":
        """The same store if runs on this machine can execute in it, else None."""
        return None

    @abstractmethod
    def clock(self) -> float:
        """Return the current time of the store, in seconds; another machine may serve it."""

    @abstractmethod
    def free_space(self) -> int:
        """Return the free space in bytes, without the reserved space."""

    @abstractmethod
    def reserve_space(self, floor: int) -> None:
        """Reserve some space for a full disk, if more than a number of bytes is free."""

    @abstractmethod
    def release_space(self) -> bool:
        """Release the reserved space; return False if there is none."""

    # -- content-addressed copies ------------------------------------------------------------------

    @abstractmethod
    def keep(self, content: bytes) -> str:
        """Store bytes, even if they are stored already, and return their SHA-256.

        Storing a copy again renews its age, because it is about to be used.
        """

    @abstractmethod
    def keep_file(self, source: Path) -> tuple[str, int]:
        """Store a copy of a file, and return its SHA-256 and its size in bytes."""

    @abstractmethod
    def find_hash(self, key: str) -> str | None:
        """Compute the SHA-256 of a copy or an upload, or return None if it does not exist."""

    # -- runs --------------------------------------------------------------------------------------

    @abstractmethod
    def create_runs(
        self, new_directories: Sequence[NewRunDirectory], notebook: str
    ) -> AbstractContextManager[None]:
        """Store the initial files of runs; they exist in the block, and are removed if the block fails.

        The caller commits the rows of the runs in the block. Until then the files do not count as orphans.

        Parameters
        ----------
        new_directories : sequence of NewRunDirectory
            The runs.
        notebook : str
            SHA-256 of the template's stored notebook.

        Raises
        ------
        UnknownFileError
            A file that the arguments name was deleted in the meantime.
        StorageFullError
            The disk is full; nothing is kept.
        """

    @abstractmethod
    def is_locked(self, run_id: str) -> bool:
        """Return whether a runner of a run is alive, on any machine, as far as the store can tell."""

    @abstractmethod
    def forget_secrets(self, *run_ids: str) -> None:
        """Remove the secret values of runs whose kernels no longer need them."""

    @abstractmethod
    def delete_run(self, run_id: str) -> None:
        """Remove the files of a run; nothing remains, even after a crash in the middle and a restart."""

    @abstractmethod
    def delete_runs(self, run_ids: Iterable[str]) -> None:
        """Remove the files of runs."""

    @abstractmethod
    def size_of_run(self, run_id: str) -> int:
        """Return the number of bytes that the removal of a run frees."""

    @abstractmethod
    def view_run(self, run_id: str, *names: str) -> AbstractContextManager[Path]:
        """Provide the directory of a run for reading: complete for an ended run, missing if there is none.

        Parameters
        ----------
        run_id : str
            The run.
        *names : str
            The files that are needed; all of them if none is named.

        Returns
        -------
        context manager of Path
            The directory, which may only be read, and only in the block.
        """

    @abstractmethod
    def edit_notebook(self, run_id: str) -> AbstractContextManager[Path]:
        """Provide the executed notebook of a run without processes for a change.

        Returns
        -------
        context manager of Path
            The notebook, which may be missing; its content at the end of the block is stored.
        """

    # -- results -----------------------------------------------------------------------------------

    @abstractmethod
    def open_result(self, run_id: str, name: str | None) -> IO[bytes]:
        """Open a file of the working folder, or the executed notebook if the name is None.

        Raises
        ------
        UnknownFileError
            The file no longer exists.
        """

    @abstractmethod
    def open_notebook(self, run_id: str) -> IO[bytes]:
        """Open the current executed notebook, or the template before the first snapshot.

        Raises
        ------
        UnknownRunError
            The files of the run no longer exist.
        """

    @abstractmethod
    def read_log(self, run_id: str, offset: int, limit: int) -> tuple[bytes, int, int]:
        """Return a part of the log, its offset, and the size of the log.

        Parameters
        ----------
        run_id : str
            The run.
        offset : int
            Offset in bytes; a negative one counts from the end.
        limit : int
            Maximum number of bytes to return.
        """

    @abstractmethod
    def open_archive(self, run_id: str, names: Iterable[tuple[str, str | None]]) -> IO[bytes]:
        """Return a ``.tar.gz`` of result files as a stream that is created while it is read.

        Parameters
        ----------
        run_id : str
            The run.
        names : iterable of (str, str or None)
            Name in the archive, and name in the working folder (None for the executed notebook).

        Raises
        ------
        UnknownFileError
            One of the files no longer exists.
        """

    # -- uploads -----------------------------------------------------------------------------------

    @abstractmethod
    def open_upload(self, group_id: str, file_id: str, name: str) -> IO[bytes]:
        """Open an upload.

        Raises
        ------
        UnknownFileError
            The upload was deleted in the meantime.
        """

    @abstractmethod
    def store_upload(self, key: str, stream: IO[bytes], limit: int) -> tuple[str, int]:
        """Store an upload, and return its SHA-256 and its size in bytes.

        Parameters
        ----------
        key : str
            The key; see `layout.upload_key`.
        stream : IO
            Read to its end.
        limit : int
            Maximum size in bytes.

        Raises
        ------
        FileTooLargeError
            It has more than `limit` bytes; nothing of it is kept.
        StorageFullError
            The disk is full; nothing of it is kept.
        """

    @abstractmethod
    def delete_upload(self, group_id: str, file_id: str) -> None:
        """Remove an upload."""

    @abstractmethod
    def delete_uploads(self, group_id: str) -> None:
        """Remove all uploads of a group."""

    # -- orphans ---------------------------------------------------------------------------------

    @abstractmethod
    def find_orphans(
        self, referenced: ReferencedFiles, moment: float, ages: MinimumAges = REMOVAL_AGES
    ) -> Iterator[Orphan]:
        """Find orphans that no instance is about to use.

        Parameters
        ----------
        referenced : ReferencedFiles
            The files to which rows refer; rows that are committed later are not considered.
        moment : float
            The current time, in seconds of the store's clock.
        ages : MinimumAges, optional
            The minimum ages of orphans.

        Yields
        ------
        Orphan
            A file, or all files below a key.
        """

    @abstractmethod
    def find_copies(self, needed: Set[str], moment: float) -> Iterator[Orphan]:
        """Find the copies that no template still needs; `needed` contains the SHA-256 of the others."""

    @abstractmethod
    def discard(self, orphan: Orphan) -> bool:
        """Remove an orphan.

        Returns False if it was touched since, was removed by somebody else, or cannot be removed, which is
        logged.
        """


class FolderStore(FileStore):
    """Files in a folder on this machine, in which runs can execute.

    Attributes
    ----------
    copies : Path
        Folder of the copies, named by their SHA-256.
    instances : Path
        Folder with the locks of live instances.
    """

    copies: Path
    instances: Path

    @property
    def local(self) -> "FolderStore":
        """The store itself."""
        return self

    @abstractmethod
    def run_folder(self, run_id: str) -> Path:
        """Return the directory of a run, which may not exist."""
