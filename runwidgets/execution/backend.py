"""The interface of a place where runs execute."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

Cluster = str | Callable[[], Any]
"""The address of a scheduler, the path of a scheduler file, ``module:function``, or a function that returns
a cluster of Dask."""


class Backend(ABC):
    """Executes the runs that the database says are PENDING.

    The database is the queue: a backend claims a run there before it touches it, so that several
    backends may share one database. A backend brings every run that it claimed into a terminal state,
    whatever happens to the runner, and gives the slot back only when the processes of the run are
    gone. All methods may be called from any thread and return without waiting for a run.

    Attributes
    ----------
    has_resources : bool
        Whether machines have resources that a run can ask for (``config.resources``).
    """

    has_resources = False

    @abstractmethod
    def submit(self, run_id: str) -> None:
        """Say that a run waits.

        Called by the instance after the run's row and folder are on disk.

        Parameters
        ----------
        run_id : str
            A PENDING run.
        """

    @abstractmethod
    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Get ready for runs of a template that will come, where that saves time.

        Called by the instance when a workflow is created.

        Parameters
        ----------
        kernel_name : str
            The template's kernelspec.
        imports : iterable of str
            Modules that the template imports, by their absolute names.
        """

    @abstractmethod
    def cancel(self, run_id: str) -> None:
        """Stop the processes of a run, if there are any.

        Called by the instance after the row says CANCELED. The kernel is interrupted, so that
        ``finally`` blocks run; what lives after the grace period is killed, with all its children.

        Parameters
        ----------
        run_id : str
            A CANCELED run.
        """

    @abstractmethod
    def adopt(self, run_ids: Iterable[str]) -> None:
        """Take over runs whose instance died.

        A run whose journal has an end gets that end; one whose runner lives is followed; any other
        ends in ERROR, "the runner was lost".

        Parameters
        ----------
        run_ids : iterable of str
            Runs that hold a slot of this host.
        """

    @abstractmethod
    def drain(self, timeout: float) -> bool:
        """Wait until no run is followed; called when all of them were cancelled.

        Parameters
        ----------
        timeout : float
            Seconds to wait at most.

        Returns
        -------
        bool
            False when some are left.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop claiming and following; runs go on by themselves. Twice is harmless."""
