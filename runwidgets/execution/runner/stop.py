"""The early end of an execution: the kernel is interrupted first, and killed if it does not end."""

import os
import signal
import threading
from collections.abc import Callable

from runwidgets.execution.run_outcome import Outcome


class Stop:
    """Ends an execution early; only the first request counts.

    Called from signal handlers and timers. The kernel is interrupted; processes that are alive after the
    grace period are killed.

    Parameters
    ----------
    grace : float
        Seconds between the interrupt and the kill.
    kill : callable
        Kills the kernel and all processes that it started.
    """

    def __init__(self, grace: float, kill: Callable[[], None]) -> None:
        self._grace = grace
        self._kill = kill
        self._kernel: int | None = None
        self._lock = threading.RLock()
        self.outcome: Outcome | None = None
        """The outcome of the run; None as long as no stop is requested."""

    @property
    def is_requested(self) -> bool:
        """Whether a stop is requested."""
        return self.outcome is not None

    def watch(self, kernel: int | None) -> None:
        """Set the process to interrupt; None if there is none left."""
        with self._lock:
            self._kernel = kernel
            if self.is_requested:
                self._interrupt()

    def request(self, outcome: Outcome) -> None:
        """Request the end of the execution.

        Parameters
        ----------
        outcome : Outcome
            The outcome of the run.
        """
        with self._lock:
            if self.is_requested:
                return
            self.outcome = outcome
            self._interrupt()
            timer = threading.Timer(self._grace, self._kill)
            timer.daemon = True
            timer.start()

    def _interrupt(self) -> None:
        if self._kernel is not None:
            try:
                os.kill(self._kernel, signal.SIGINT)
            except ProcessLookupError:
                self._kernel = None
