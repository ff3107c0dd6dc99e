"""The service contract of events: what happens to runs, as a stream without gaps."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator

from typing_extensions import Self

from runwidgets.schema import RunEvent


class EventStream(Iterator[RunEvent]):
    """Events as they happen, in order.

    One thread iterates; any thread may close it, also while the other one waits. It is not a generator,
    because a generator cannot be closed while it executes. A stream that nothing refers to is closed.
    """

    def __iter__(self) -> Self:
        return self

    @abstractmethod
    def __next__(self) -> RunEvent:
        """Wait for the next event.

        Returns
        -------
        dict
            The event.

        Raises
        ------
        StopIteration
            The stream was closed, or `stop` is set.
        ServiceUnavailableError
            The service became unavailable.
        """

    @abstractmethod
    def close(self) -> None:
        """End the iteration within a second, and release what the stream holds. May be called twice."""


class EventService(ABC):
    """Report what happens to runs, as it happens.

    An event is ``{seq, runId, groupId, sweepId?, kind, data, at}``. ``seq`` increases, and a reader that asks
    for the events after the last one it saw misses none. The ``data`` by ``kind``:

    ============  ==============================================================
    ``state``     ``{state, startedAt?, finishedAt?, messages?}``
    ``progress``  the handle's ``progress``
    ``metric``    ``{name, value}``
    ``log``       ``{size}``: the current size of the log in bytes
    ``files``     ``{count}`` of the partial files of a cancelled run, once its
                  processes have ended
    ``deleted``   ``{}``
    ``paused``    ``{isPaused}`` of the sweep, with the ``runId`` of its first waiting run
    ============  ==============================================================
    """

    @abstractmethod
    def last_event(self) -> int:
        """Return the ``seq`` of the newest event, 0 before the first.

        Returns
        -------
        int
            Pass it as `after` to see only later events.
        """

    @abstractmethod
    def follow_events(
        self,
        after: int,
        group_id: str | None = None,
        run_id: str | None = None,
        stop: threading.Event | None = None,
        sweep_id: str | None = None,
    ) -> EventStream:
        """Return the events in order, waiting for new ones, until `stop` is set.

        Only events of runs that the user may read are among them.

        Parameters
        ----------
        after : int
            The ``seq`` of the last event already seen.
        group_id, run_id : str, optional
            Only events of this group or this run.
        stop : threading.Event, optional
            Ends the iteration within a second after it is set.
        sweep_id : str, optional
            Only events of the runs that this sweep started.

        Returns
        -------
        EventStream
            An iterator over the events.

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
            The service became unavailable; call again with the last ``seq`` seen.
        """
