"""The part of the service contract of runs that reads what a run produced: files, log, series, notebook."""

from abc import ABC, abstractmethod
from typing import IO

from runwidgets.schema import LogPiece, RunSeries


class RunOutputs(ABC):
    """Read what a run produced, also while it executes."""

    @abstractmethod
    def get_result_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a result file of a SUCCESS run.

        Parameters
        ----------
        run_id : str
            The run.
        file_id : str
            The ``id`` of an item in the handle's ``files``.

        Returns
        -------
        IO
            A readable binary file; the caller closes it.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        UnknownFileError
            The run has no such result file, or is not SUCCESS.
        """

    @abstractmethod
    def get_partial_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a partial file of an ERROR or CANCELED run.

        Parameters
        ----------
        run_id : str
            The run.
        file_id : str
            The ``id`` of an item in the handle's ``partialFiles``.

        Returns
        -------
        IO
            A readable binary file; the caller closes it.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        UnknownFileError
            The run has no such partial file, or is neither ERROR nor CANCELED.
        """

    @abstractmethod
    def get_result_archive(self, run_id: str) -> IO[bytes]:
        """Open a ``.tar.gz`` of all result files of a SUCCESS run, as one stream.

        Parameters
        ----------
        run_id : str
            The run.

        Returns
        -------
        IO
            A readable binary stream; the caller closes it.

        Raises
        ------
        UnknownRunError
            There is no such run, or it is not SUCCESS.
        UnauthorizedAccessError
            The user may not read the run's group.
        """

    @abstractmethod
    def get_log(self, run_id: str, offset: int | None = None) -> LogPiece:
        """Return a part of what the notebook printed, in whole characters.

        Parameters
        ----------
        run_id : str
            The run, in any state.
        offset : int, optional
            Byte of the log at which to begin; a negative number counts from the end, None is the beginning.

        Returns
        -------
        dict
            At most 256 KiB; see `LogPiece`.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        InvalidArgumentError
            The offset is not a whole number.
        """

    @abstractmethod
    def get_series(self, run_id: str, limit: int | None = None) -> RunSeries:
        """Return the series that a run recorded: values of metrics by step.

        Parameters
        ----------
        run_id : str
            The run, in any state.
        limit : int, optional
            Maximum number of points per series, at least 2, evenly spaced; None for all.

        Returns
        -------
        dict
            The series by name, each by ascending step. After a retry, they are those of the last attempt.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        InvalidArgumentError
            The limit is not a whole number, or is less than 2.
        """

    @abstractmethod
    def get_notebook(self, run_id: str) -> IO[bytes]:
        """Open the executed notebook, up to the cell that the run has reached, as valid JSON.

        Parameters
        ----------
        run_id : str
            The run, in any state; before the first cell it is the template.

        Returns
        -------
        IO
            A readable binary file; the caller closes it.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnauthorizedAccessError
            The user may not read the run's group.
        """
