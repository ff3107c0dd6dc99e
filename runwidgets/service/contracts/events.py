"""The contract of what happens: events of runs, as a stream that misses nothing."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator


class EventService(ABC):
    """Tell what happens, as it happens.

    An event is ``{seq, runId, groupId, sweepId?, kind, data, at}``; ``seq`` grows, and a reader that
    asks for what came after the last one it saw misses nothing. The ``data`` by ``kind``:

    ============  ==============================================================
    ``state``     ``{state, startedAt?, finishedAt?, messages?}``
    ``progress``  the handle's ``progress``
    ``metric``    ``{name, value}``
    ``log``       ``{size}``: bytes of the log now
    ``deleted``   ``{}``
    ``paused``    ``{isPaused}`` of the sweep, told of the first run that waits
    ============  ==============================================================
    """

    @abstractmethod
    def last_event(self) -> int:
        """Return the ``seq`` of the newest event, 0 before the first.

        Returns
        -------
        int
            What to give as `after` to see only what comes from now on.
        """

    @abstractmethod
    def follow_events(
        self,
        after: int,
        group_id: str | None = None,
        run_id: str | None = None,
        stop: threading.Event | None = None,
        sweep_id: str | None = None,
    ) -> Iterator[dict]:
        """Yield events in order, waiting for new ones, until `stop` is set.

        Only events of runs that the user may read are seen.

        Parameters
        ----------
        after : int
            The ``seq`` of the last event already seen.
        group_id, run_id : str, optional
            Only events of this group, of this run.
        stop : threading.Event, optional
            Ends the iteration within a second once set.
        sweep_id : str, optional
            Only events of the runs that this sweep started.

        Yields
        ------
        dict
            The events.

        Raises
        ------
        UnknownRunError
            There is no such run.
        UnknownWorkflowGroupError
            There is no such group.
        UnknownSweepError
            There is no such sweep.
        UnauthorizedAccessError
            The user may not read it.
        ServiceUnavailableError
            The service went away; ask again with the last ``seq`` seen.
        """
