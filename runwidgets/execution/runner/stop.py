"""How an execution ends before its time: interrupted first, killed when it does not listen."""

import os
import signal
import threading
from collections.abc import Callable

from runwidgets.execution.run_outcome import Outcome


class Stop:
    """Ends an execution before its time: the first reason counts.

    Called from signal handlers and timers. The kernel is interrupted; what lives after the grace
    period is killed.

    Parameters
    ----------
    grace : float
        Seconds between the interrupt and the kill.
    kill : callable
        Kills the kernel and all that it started.
    """

    def __init__(self, grace: float, kill: Callable[[], None]) -> None:
        self._grace = grace
        self._kill = kill
        self._kernel: int | None = None
        self._lock = threading.RLock()
        self.outcome: Outcome | None = None
        """How the run then ends; None as long as nobody asked."""

    @property
    def is_requested(self) -> bool:
        """Whether somebody asked."""
        return self.outcome is not None

    def watch(self, kernel: int | None) -> None:
        """Name the process to interrupt; None when there is none any more."""
        with self._lock:
            self._kernel = kernel
            if self.is_requested:
                self._interrupt()

    def request(self, outcome: Outcome) -> None:
        """Ask for the end.

        Parameters
        ----------
        outcome : Outcome
            How the run then ends.
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
