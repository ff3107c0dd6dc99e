"""The hub of the event stream: one reader of the events for all clients.

One thread follows the events of the instance and passes each to the loop, where the hub puts it into the
queue of every client that subscribed to it. A slow client delays nobody: a client whose queue is full is
disconnected, and resumes later from the last event that it saw.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from runwidgets.schema import RunEvent, StreamPosition

QUEUE_SIZE = 1_000
"""Events in the queue of a client before it is disconnected."""
READ_RETRY_DELAY = 1.0
"""Seconds before the reader tries again after an error."""


class EventSource(Protocol):
    """The events of the whole instance, without a check of permissions."""

    def last_event(self) -> int:
        """Return the number of the newest event."""

    def read_events(
        self,
        after: int,
        limit: int,
        group_id: str | None = None,
        run_id: str | None = None,
        sweep_id: str | None = None,
    ) -> list[RunEvent]:
        """Return the next events, at most `limit`, without waiting."""

    def follow_events(
        self,
        after: int,
        group_id: str | None = None,
        run_id: str | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[RunEvent]:
        """Yield events, waiting for new ones; see `EventService`."""


class Client:
    """One client and its queue. Used only in the loop."""

    def __init__(self, position: int, disconnect: Callable[[], None]) -> None:
        self.position = position
        """The queue contains every event after this one."""
        self.queue: asyncio.Queue[tuple[RunEvent, bytes] | None] = asyncio.Queue(QUEUE_SIZE)
        self._disconnect = disconnect

    def offer(self, event: RunEvent, text: bytes) -> None:
        """Queue an event, or disconnect a client that is too slow."""
        try:
            self.queue.put_nowait((event, text))
        except asyncio.QueueFull:
            self.end()
            self._disconnect()

    def end(self) -> None:
        """End the stream; the events in the queue are dropped."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Hub:
    """Reads the events of an instance once, for all clients.

    Parameters
    ----------
    source : EventSource
        The instance's events.
    emit : callable
        Called in the loop with every event, before it is passed to the clients.
    """

    def __init__(self, source: EventSource, emit: Callable[[RunEvent], None]) -> None:
        self.source = source
        self.position = 0
        self.clients: set[Client] = set()
        self._emit = emit
        self._stop = threading.Event()
        self._credit = threading.BoundedSemaphore(QUEUE_SIZE)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._read, name="runwidgets-events", daemon=True)

    def start(self) -> None:
        """Start reading, from the newest event on. Blocks for one query."""
        self.position = self.source.last_event()
        self._thread.start()

    def join(self, disconnect: Callable[[], None]) -> Client:
        """Return a new client, whose queue receives every event from now on.

        Parameters
        ----------
        disconnect : callable
            Closes the connection of the client if it is too slow.
        """
        client = Client(self.position, disconnect)
        self.clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Remove a client."""
        self.clients.discard(client)

    def stop(self) -> None:
        """End all streams. May be called twice."""
        self._stop.set()
        for client in self.clients:
            client.end()

    def wait(self, timeout: float) -> None:
        """Wait for the end of the reader, in seconds. Blocks."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _read(self) -> None:
        last_seq = self.position
        while not self._stop.is_set():
            try:
                for event in self.source.follow_events(last_seq, stop=self._stop):
                    last_seq = event["seq"]
                    while not self._credit.acquire(timeout=READ_RETRY_DELAY):
                        if self._stop.is_set():
                            return
                    self._loop.call_soon_threadsafe(self._publish, event)
            except Exception:
                if self._stop.is_set():
                    return
                logging.getLogger(__name__).warning("The events could not be read.", exc_info=True)
            self._stop.wait(READ_RETRY_DELAY)

    def _publish(self, event: RunEvent) -> None:
        self._credit.release()
        self.position = event["seq"]
        self._emit(event)
        if self.clients:
            text = encode("run", event["seq"], event)
            for client in list(self.clients):
                client.offer(event, text)


def encode(name: str, seq: int, data: StreamPosition | RunEvent) -> bytes:
    """Return a server-sent event.

    Parameters
    ----------
    name : str
        Type of the event: ``hello`` or ``run``.
    seq : int
        The id, which the client sends back when it resumes.
    data : dict
        The data.
    """
    return f"event: {name}\nid: {seq}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode()
