"""What lies under a root, whether that is a folder or a URL.

Things have keys (`layout`). Copies of notebooks and of the files beside them are stored under the SHA-256 of
their content and never change.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from runwidgets.store.files.orphans import SWEEPER, Known, Orphan, Patience
from runwidgets.store.files.run_directories import NewRunDirectory


class FileStore(ABC):
    """The files of an instance. All methods may be called from any thread.

    Attributes
    ----------
    folder : Path
        The instance's folder on this machine: the root itself, or the server's own folder beside a URL.
    """

    folder: Path

    @property
    @abstractmethod
    def address(self) -> str:
        """The root, as workers on other machines know it."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """What tells the root from every other root, from wherever it is looked at."""

    @property
    def local(self) -> "FolderStore | None":
        """The same store, if it is a folder in which runs of this machine can execute; None if it is not."""
        return None

    @abstractmethod
    def clock(self) -> float:
        """Return what time it is for the store, in seconds; another machine may serve it."""

    @abstractmethod
    def free_space(self) -> int:
        """Return the bytes that are free, beside the room that is kept."""

    @abstractmethod
    def reserve_space(self, floor: int) -> None:
        """Keep some room for when the disk is full, where it has more than a number of bytes."""

    @abstractmethod
    def release_space(self) -> bool:
        """Free the room that was kept; False when there is none."""

    # -- content-addressed copies ------------------------------------------------------------------

    @abstractmethod
    def keep(self, content: bytes) -> str:
        """Store bytes, also where they are stored already; return their SHA-256.

        A copy is young when it is about to be used.
        """

    @abstractmethod
    def keep_file(self, source: Path) -> tuple[str, int]:
        """Store a copy of a file; return its SHA-256 and its size in bytes."""

    @abstractmethod
    def find_hash(self, key: str) -> str | None:
        """Return the SHA-256 of a copy or an upload, read anew; None where there is none."""

    # -- runs --------------------------------------------------------------------------------------

    @abstractmethod
    def create_runs(
        self, new_directories: Sequence[NewRunDirectory], notebook: str
    ) -> AbstractContextManager[None]:
        """Store what runs begin with; in the block all of it is there, and if it fails it goes again.

        In the block the caller commits their rows. Until then nobody takes what is stored for orphans.

        Parameters
        ----------
        new_directories : sequence of NewRunDirectory
            The runs.
        notebook : str
            SHA-256 of the template's stored notebook.

        Raises
        ------
        UnknownFileError
            A file that the arguments name was deleted meanwhile.
        StorageFullError
            The disk is full; nothing stays.
        """

    @abstractmethod
    def is_locked(self, run_id: str) -> bool:
        """Say whether a runner of a run lives, on whichever machine, as far as the store can tell."""

    @abstractmethod
    def forget_secrets(self, *run_ids: str) -> None:
        """Remove the secret values of runs that no kernel will be given any more."""

    @abstractmethod
    def delete_run(self, run_id: str) -> None:
        """Remove the files of a run; nothing remains, also after a crash half-way and a restart."""

    @abstractmethod
    def delete_runs(self, run_ids: Iterable[str]) -> None:
        """Remove the files of runs."""

    @abstractmethod
    def size_of_run(self, run_id: str) -> int:
        """Return the bytes that become free when a run is removed."""

    @abstractmethod
    def look_at(self, run_id: str, *names: str) -> AbstractContextManager[Path]:
        """Have the folder of a run to look at: whole where the run is at rest, missing where it has none.

        Parameters
        ----------
        run_id : str
            The run.
        *names : str
            Files that are enough; without any, all of them.

        Returns
        -------
        context manager of Path
            The folder, only for reading and only in the block.
        """

    @abstractmethod
    def edit_notebook(self, run_id: str) -> AbstractContextManager[Path]:
        """Change the executed notebook of a run that has no processes any more.

        Returns
        -------
        context manager of Path
            The notebook, which may be missing; how it is at the end of the block is stored.
        """

    # -- what runs leave -----------------------------------------------------------------------------

    @abstractmethod
    def open_result(self, run_id: str, name: str | None) -> IO[bytes]:
        """Open a file of the working folder, or the executed notebook where the name is None.

        Raises
        ------
        UnknownFileError
            It is not there any more.
        """

    @abstractmethod
    def open_notebook(self, run_id: str) -> IO[bytes]:
        """Open the executed notebook as it is now, or the template before the first snapshot.

        Raises
        ------
        UnknownRunError
            The files of the run are gone.
        """

    @abstractmethod
    def read_log(self, run_id: str, offset: int, limit: int) -> tuple[bytes, int, int]:
        """Return bytes of the log, where they begin, and how many the log has.

        Parameters
        ----------
        run_id : str
            The run.
        offset : int
            Where to begin, in bytes; a negative one counts from the end.
        limit : int
            Bytes that are returned at most.
        """

    @abstractmethod
    def open_archive(self, run_id: str, names: Iterable[tuple[str, str | None]]) -> IO[bytes]:
        """Return a ``.tar.gz`` of result files as a stream that is made while it is read.

        Parameters
        ----------
        run_id : str
            The run.
        names : iterable of (str, str or None)
            Name in the archive, and name in the working folder (None: the executed notebook).

        Raises
        ------
        UnknownFileError
            One of them is not there any more.
        """

    # -- uploads -----------------------------------------------------------------------------------

    @abstractmethod
    def open_upload(self, group_id: str, file_id: str, name: str) -> IO[bytes]:
        """Open an upload.

        Raises
        ------
        UnknownFileError
            It was deleted meanwhile.
        """

    @abstractmethod
    def store_upload(self, key: str, stream: IO[bytes], limit: int) -> tuple[str, int]:
        """Store an upload; return its SHA-256 and size in bytes.

        Parameters
        ----------
        key : str
            Where it is stored; see `layout.upload_key`.
        stream : IO
            Read to its end.
        limit : int
            Bytes that it may have.

        Raises
        ------
        FileTooLargeError
            It has more than `limit` bytes; nothing of it stays.
        StorageFullError
            The disk is full; nothing of it stays.
        """

    @abstractmethod
    def delete_upload(self, group_id: str, file_id: str) -> None:
        """Remove an upload."""

    @abstractmethod
    def delete_uploads(self, group_id: str) -> None:
        """Remove all uploads of a group."""

    # -- orphans ---------------------------------------------------------------------------------

    @abstractmethod
    def find_orphans(self, known: Known, moment: float, patience: Patience = SWEEPER) -> Iterator[Orphan]:
        """Find what belongs to nobody and is not on its way to somebody.

        Parameters
        ----------
        known : Known
            What the rows know; what they learn meanwhile is not seen here.
        moment : float
            What time it is, in seconds of the store's clock.
        patience : Patience, optional
            How old it must be.

        Yields
        ------
        Orphan
            A file, or all below a key.
        """

    @abstractmethod
    def find_copies(self, needed: Set[str], moment: float) -> Iterator[Orphan]:
        """Find the copies that no template needs any more; `needed` holds the SHA-256 of the others."""

    @abstractmethod
    def discard(self, orphan: Orphan) -> bool:
        """Remove what belongs to nobody.

        False where it was touched since, somebody was first, or it cannot be removed, which is logged.
        """


class FolderStore(FileStore):
    """Files in a folder that this machine has, so that runs can execute there.

    Attributes
    ----------
    copies : Path
        Folder of the copies by their SHA-256.
    instances : Path
        Folder with the locks of the instances that live.
    """

    copies: Path
    instances: Path

    @property
    def local(self) -> "FolderStore":
        """The store itself."""
        return self

    @abstractmethod
    def run_folder(self, run_id: str) -> Path:
        """Return the folder of a run, which may not exist."""
