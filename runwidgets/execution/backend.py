"""The interface of a backend, which executes runs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TypeAlias

Cluster: TypeAlias = str | Callable[[], object]
"""The address of a scheduler, the path of a scheduler file, ``module:function``, or a function that returns a
Dask cluster."""


class Backend(ABC):
    """Executes the PENDING runs of a database.

    The database is the queue: a backend claims a run there before it uses it, so several backends may share
    one database. A backend brings every run that it claimed into a terminal state, whatever happens to the
    runner, and releases the slot only when the processes of the run have ended. All methods may be called
    from any thread, and return without waiting for a run.

    Attributes
    ----------
    has_resources : bool
        Whether ``config.resources`` is supported: whether machines have resources that a run can ask for.
    """

    has_resources = False

    @abstractmethod
    def submit(self, run_id: str) -> None:
        """Notify the backend of a waiting run.

        Called by the instance after the row and the directory of the run are on disk.

        Parameters
        ----------
        run_id : str
            A PENDING run.
        """

    @abstractmethod
    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Prepare for future runs of a template, if that saves time.

        Called by the instance when a workflow is created.

        Parameters
        ----------
        kernel_name : str
            The template's kernelspec.
        imports : iterable of str
            Modules that the template imports, by their absolute names.
        """

    @abstractmethod
    def check_kernel(self, kernel_name: str, language: str) -> str | None:
        """Check that runs can use a kernelspec, if that is known before they execute.

        Called by the instance when a run is started, and when the handle of a workflow is read.

        Parameters
        ----------
        kernel_name : str
            The kernelspec; empty if the notebook does not name one.
        language : str
            Language of the notebook, whose kernelspecs an error proposes.

        Returns
        -------
        str or None
            Language of the kernelspec; None if it is not known where the run will execute.

        Raises
        ------
        UnknownKernelError
            It is not named, not installed, or damaged.
        """

    @abstractmethod
    def cancel(self, run_id: str) -> None:
        """Stop the processes of a run, if it has any.

        Called by the instance after the row is CANCELED. The kernel is interrupted, so that ``finally``
        blocks execute; processes that are alive after the grace period are killed, with all their children.

        Parameters
        ----------
        run_id : str
            A CANCELED run.
        """

    @abstractmethod
    def adopt(self, run_ids: Iterable[str]) -> None:
        """Take over runs of a dead instance.

        A run whose journal has an end gets that end; a run whose runner is alive is tracked; any other run
        ends in ERROR, "the runner was lost".

        Parameters
        ----------
        run_ids : iterable of str
            Runs that hold a slot of this host.
        """

    @abstractmethod
    def drain(self, timeout: float) -> bool:
        """Wait until no run is tracked; called after all of them were cancelled.

        Parameters
        ----------
        timeout : float
            Maximum number of seconds to wait.

        Returns
        -------
        bool
            False if some are left.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop claiming and tracking; runs continue on their own. May be called twice."""
