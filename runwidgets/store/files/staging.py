"""Staging: provides the files of a run on a worker, and collects its results, without a database.

The runner works in a folder. If the root is a folder that the worker shares, that is the run directory
itself, and nothing is transferred.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from runwidgets.errors import UnknownRunError
from runwidgets.schema import ListedResult
from runwidgets.store.files.base import FolderStore


class Staging(ABC):
    """The run directories on a worker; thread-safe.

    Attributes
    ----------
    files : FolderStore
        The files on this machine; runners work in their run directories.
    """

    files: FolderStore

    @abstractmethod
    def fetch(self, run_id: str, attempts: int) -> None:
        """Provide the complete run directory, with the copies of the static files that it needs.

        Called before a runner is launched. Files that an earlier attempt left here are replaced by the
        stored ones.

        Parameters
        ----------
        run_id : str
            The run.
        attempts : int
            Attempts that began before, at least 0; the journal will record as many.

        Raises
        ------
        UnknownRunError
            The run is not stored, or was deleted.
        InvalidRunStateError
            A runner of the run is still alive here.
        ConstraintViolationError
            A file of the run is missing, or its content has changed.
        ServiceUnavailableError
            The store does not respond.
        StorageFullError
            The disk of this machine is full.
        """

    @abstractmethod
    def save(self, run_id: str) -> None:
        """Store the current notebook, log and journal, if they have changed.

        Called at intervals while the run executes.

        Parameters
        ----------
        run_id : str
            A run that was fetched.

        Raises
        ------
        ServiceUnavailableError
            The store does not respond; the next call makes up for it.
        """

    @abstractmethod
    def publish(self, run_id: str, results: Sequence[ListedResult]) -> None:
        """Store the results of a run; on return, all of them are stored as listed.

        Called after the processes of the run have ended, before its end is reported.

        Parameters
        ----------
        run_id : str
            A run that was fetched.
        results : sequence of dict
            ``name``, ``size`` (bytes), ``sha256`` and ``display`` of each result file, as the journal
            lists them; empty if the run did not succeed.

        Raises
        ------
        ConstraintViolationError
            A file differs from the list.
        ServiceUnavailableError
            The store does not respond, or stored a file incompletely.
        """

    @abstractmethod
    def drop(self, run_id: str) -> None:
        """Remove the local files of a run.

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
        """Check that the run directory exists; see `Staging`."""
        if not self.files.run_folder(run_id).is_dir():
            raise UnknownRunError(f"run {run_id}", "its directory does not exist or is not shared")

    def save(self, run_id: str) -> None:
        """Do nothing: the files are in the root already."""

    def publish(self, run_id: str, results: Sequence[ListedResult]) -> None:
        """Do nothing: the files are in the root already."""

    def drop(self, run_id: str) -> None:
        """Do nothing: the files are in the root already."""
