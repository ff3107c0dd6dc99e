"""Where a worker finds the files of a run, and where it leaves them; it knows no row and no database.

The runner works in a folder. Where the root is a folder that the worker shares, that is the run's own, and
there is nothing to bring.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from runwidgets.errors import UnknownRunError
from runwidgets.schema import ListedResult
from runwidgets.store.files.base import FolderStore


class Staging(ABC):
    """Where a worker has the runs that it executes. All methods may be called from any thread.

    Attributes
    ----------
    files : FolderStore
        On this machine; runners work in its run directories.
    """

    files: FolderStore

    @abstractmethod
    def fetch(self, run_id: str, attempts: int) -> None:
        """Have the run directory whole, with the copies of the static files that it needs.

        Called before a runner is launched. What an earlier attempt left here is replaced by what is stored.

        Parameters
        ----------
        run_id : str
            The run.
        attempts : int
            Attempts that began before, at least 0; the journal will tell of as many.

        Raises
        ------
        UnknownRunError
            It is not stored, or not any more.
        InvalidRunStateError
            A runner of it still lives here.
        ConstraintViolationError
            One of its files is missing, or has another content than it had.
        ServiceUnavailableError
            The store does not answer.
        StorageFullError
            The disk of this machine is full.
        """

    @abstractmethod
    def save(self, run_id: str) -> None:
        """Store the notebook, the log and the journal as they are now, where they changed.

        Called now and then while the run is under way.

        Parameters
        ----------
        run_id : str
            A run that was fetched.

        Raises
        ------
        ServiceUnavailableError
            The store does not answer; the next call makes up for it.
        """

    @abstractmethod
    def publish(self, run_id: str, results: Sequence[ListedResult]) -> None:
        """Store what the run left; when this returns, all of it is there as it was listed.

        Called when the processes of the run are gone, before its end is told to anybody.

        Parameters
        ----------
        run_id : str
            A run that was fetched.
        results : sequence of dict
            ``name``, ``size`` (bytes), ``sha256`` and ``display`` of each result file, as the journal
            lists them; none where the run did not succeed.

        Raises
        ------
        ConstraintViolationError
            A file is not what was listed.
        ServiceUnavailableError
            The store does not answer, or has not all of a file.
        """

    @abstractmethod
    def drop(self, run_id: str) -> None:
        """Remove what only this machine has of a run.

        Parameters
        ----------
        run_id : str
            Any run.
        """


class SharedStaging(Staging):
    """The root itself, which this machine shares.

    Parameters
    ----------
    files : FolderStore
        The root.
    """

    def __init__(self, files: FolderStore) -> None:
        self.files = files

    def fetch(self, run_id: str, attempts: int) -> None:
        """Look whether the run directory is there; see `Staging`."""
        if not self.files.run_folder(run_id).is_dir():
            raise UnknownRunError(f"run {run_id}", "its folder is gone, or this machine does not share it")

    def save(self, run_id: str) -> None:
        """Do nothing: it is where it belongs."""

    def publish(self, run_id: str, results: Sequence[ListedResult]) -> None:
        """Do nothing: it is where it belongs."""

    def drop(self, run_id: str) -> None:
        """Do nothing: it is where it belongs."""
