"""The event stream of a server, read by a thread that reconnects from the last event when it is cut."""

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import cast

import httpx

from runwidgets.errors import RunWidgetsError, ServiceUnavailableError
from runwidgets.schema import RunEvent, StreamPosition
from runwidgets.service.contracts.events import EventService, EventStream
from runwidgets.service.http.client import HttpClient
from runwidgets.service.routes.routes import FOLLOW_EVENTS

RECONNECT_DELAYS = (0.1, 5.0)
"""Seconds before a reconnect: the first delay, and the largest."""
SILENCE_TIMEOUT = 60.0
"""Seconds without a response after which the event stream is given up."""
BUFFERED_EVENTS = 1_000
"""Events that are buffered before the caller takes them."""
STOP_CHECK_INTERVAL = 0.25
"""Seconds between two checks of the caller's `stop`."""


class RemoteEventService(EventService):
    """Events of a server."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def last_event(self) -> int:
        """Return the ``seq`` of the newest event; see `EventService`."""
        response = self._client.stream(FOLLOW_EVENTS.pattern, {"Accept": "text/event-stream"})
        with contextlib.closing(response), self._client.our_errors():
            for name, data in read_stream(response):
                if name == "hello":
                    return int(data["seq"])
        raise ServiceUnavailableError("events", "the stream ended before its first event", "try again")

    def follow_events(
        self,
        after: int,
        group_id: str | None = None,
        run_id: str | None = None,
        stop: threading.Event | None = None,
        sweep_id: str | None = None,
    ) -> EventStream:
        """Return the events in order, waiting for new ones; see `EventService`.

        A stream that is cut is reconnected from the last event seen, until the server has not responded
        for a minute.
        """
        arguments = {"group_id": group_id, "run_id": run_id, "sweep_id": sweep_id, "after": after}
        query = self._client.query(FOLLOW_EVENTS, arguments)
        path = str(httpx.URL(FOLLOW_EVENTS.pattern, params=query))
        listener = _Listener(self._client, path, after)
        # The first connection is made here, so that an unknown group raises at once.
        listener.connect()
        return RemoteEventStream(listener, stop or threading.Event())


class RemoteEventStream(EventStream):
    """The events that a listener has read.

    Parameters
    ----------
    listener : _Listener
        Connected; started and stopped by the stream.
    stop : threading.Event
        Ends the iteration.
    """

    def __init__(self, listener: "_Listener", stop: threading.Event) -> None:
        self._listener = listener
        self._stop = stop
        self._is_closed = False
        listener.start()

    def __next__(self) -> RunEvent:
        """Wait for the next event; see `EventStream`."""
        while not self._is_closed and not self._stop.is_set():
            try:
                item = self._listener.items.get(timeout=STOP_CHECK_INTERVAL)
            except queue.Empty:
                if not self._listener.is_stopped:
                    continue
                item = ServiceUnavailableError("events", "the connection was closed", "connect again")
            if self._is_closed:
                break
            if isinstance(item, RunWidgetsError):
                self.close()
                raise item
            return item
        self.close()
        raise StopIteration

    def close(self) -> None:
        """End the iteration, and the thread that reads; see `EventStream`."""
        self._is_closed = True
        self._listener.stop()

    def __del__(self) -> None:
        self.close()


class _Listener:
    """A thread that reads the event stream into a queue, and reconnects when the stream is cut."""

    def __init__(self, client: HttpClient, path: str, after: int) -> None:
        self.items: queue.Queue[RunEvent | RunWidgetsError] = queue.Queue(BUFFERED_EVENTS)
        self._client = client
        self._path = path
        self._after = after
        self._stop = threading.Event()
        self._response: httpx.Response | None = None
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._read, name="runwidgets-listener", daemon=True)
        client.listeners.add(self)

    @property
    def is_stopped(self) -> bool:
        """Whether no further event will arrive."""
        return self._stop.is_set()

    def connect(self) -> None:
        """Open the stream at the last event seen."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self._after)}
        response = self._client.stream(self._path, headers)
        with self._lock:
            self._response = response

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, even while it waits for the server."""
        self._stop.set()
        with self._lock:
            if self._response is not None:
                _shut_down(self._response)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(STOP_CHECK_INTERVAL)  # the collection of an iterator may run in any thread

    def _read(self) -> None:
        pause, last_contact = RECONNECT_DELAYS[0], time.monotonic()
        while not self._stop.is_set():
            try:
                if self._response is None:
                    self.connect()
                response = self._response
                if response is not None and not self._stop.is_set():
                    for name, data in read_stream(response):
                        pause = RECONNECT_DELAYS[0]
                        self._pass_on(name, data)
            except ServiceUnavailableError as error:
                if self._client.client.is_closed or time.monotonic() - last_contact > SILENCE_TIMEOUT:
                    self._put(error)
                    return
            except RunWidgetsError as error:
                self._put(error)
                return
            except (httpx.HTTPError, httpx.StreamError, OSError):
                pass  # cut; reconnected below
            finally:
                with self._lock:
                    if self._response is not None:
                        last_contact = time.monotonic()
                        self._response.close()
                    self._response = None
            self._stop.wait(pause)
            pause = min(2 * pause, RECONNECT_DELAYS[1])

    def _pass_on(self, name: str, data: StreamPosition | RunEvent) -> None:
        self._after = data["seq"]
        if name == "run":
            self._put(cast(RunEvent, data))

    def _put(self, item: RunEvent | RunWidgetsError) -> None:
        while not self._stop.is_set():
            try:
                self.items.put(item, timeout=STOP_CHECK_INTERVAL)
            except queue.Full:
                continue
            return


def read_stream(response: httpx.Response) -> Iterator[tuple[str, StreamPosition | RunEvent]]:
    """Split a stream of server-sent events into its events.

    Parameters
    ----------
    response : httpx.Response
        Not read yet.

    Yields
    ------
    name : str
        Type of the event; heartbeats are skipped.
    data : dict
        Its data.
    """
    name, lines = "", []
    for line in response.iter_lines():
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            lines.append(line[5:])
        elif not line and lines:
            yield name, json.loads("\n".join(lines))
            name, lines = "", []


def _shut_down(response: httpx.Response) -> None:
    # A read in another thread ends when the socket is shut down, not when it is closed.
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if isinstance(connection, socket.socket):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
