"""The event stream: server-sent events, with one reader for all clients.

One thread follows the events of the instance and passes each to the loop, where the hub puts it into the
queue of every client that subscribed to it. A client that resumes first receives the events that it missed,
read from the database in batches, and then the content of its queue; events that it has seen already are
skipped, so that no event is lost and none is sent twice. A slow client delays nobody: a client whose queue
is full is disconnected, and resumes later from the last event that it saw.

A stream begins with ``event: hello``, whose id is the position of the client; it continues with one
``event: run`` per event, and a comment every 15 seconds without an event.

Notes
-----
**Source:** the HTML standard, "Server-sent events".
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from tornado.iostream import StreamClosedError

from runwidgets.errors import ServiceUnavailableError
from runwidgets.server.arguments import read_query, read_whole
from runwidgets.server.handlers import RestHandler
from runwidgets.service.routes.routes import Route

HEARTBEAT_INTERVAL = 15.0
"""Seconds without an event after which a comment is sent; proxies cut streams that are silent for 60."""
QUEUE_SIZE = 1_000
"""Events in the queue of a client before it is disconnected."""
READ_BATCH = 200
"""Events that are read or written at once."""
PERMISSION_CACHE_TIME = 2.0
"""Seconds for which the permission of a user to read a group is cached."""
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
    ) -> list[dict[str, Any]]:
        """Return the next events, at most `limit`, without waiting."""

    def follow_events(
        self,
        after: int,
        group_id: str | None = None,
        run_id: str | None = None,
        stop: threading.Event | None = None,
    ) -> Any:
        """Yield events, waiting for new ones; see `EventService`."""


class Client:
    """One client and its queue. Used only in the loop."""

    def __init__(self, position: int, cut: Callable[[], None]) -> None:
        self.position = position
        """The queue contains every event after this one."""
        self.queue: asyncio.Queue[tuple[dict[str, Any], bytes] | None] = asyncio.Queue(QUEUE_SIZE)
        self._cut = cut

    def offer(self, event: dict[str, Any], text: bytes) -> None:
        """Queue an event, or disconnect a client that is too slow."""
        try:
            self.queue.put_nowait((event, text))
        except asyncio.QueueFull:
            self.end()
            self._cut()

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

    def __init__(self, source: EventSource, emit: Callable[[dict[str, Any]], None]) -> None:
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

    def join(self, cut: Callable[[], None]) -> Client:
        """Return a new client, whose queue receives every event from now on.

        Parameters
        ----------
        cut : callable
            Closes the connection of the client if it is too slow.
        """
        client = Client(self.position, cut)
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
        seen = self.position
        while not self._stop.is_set():
            try:
                for event in self.source.follow_events(seen, stop=self._stop):
                    seen = event["seq"]
                    while not self._credit.acquire(timeout=READ_RETRY_DELAY):
                        if self._stop.is_set():
                            return
                    self._loop.call_soon_threadsafe(self._publish, event)
            except Exception:
                if self._stop.is_set():
                    return
                logging.getLogger(__name__).warning("The events could not be read.", exc_info=True)
            self._stop.wait(READ_RETRY_DELAY)

    def _publish(self, event: dict[str, Any]) -> None:
        self._credit.release()
        self.position = event["seq"]
        self._emit(event)
        if self.clients:
            text = encode("run", event["seq"], event)
            for client in list(self.clients):
                client.offer(event, text)


def encode(name: str, seq: int, data: dict[str, Any]) -> bytes:
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


class EventsHandler(RestHandler):
    """Serves the event stream to one client."""

    _track_activity = False  # a stream that reconnects is not user activity

    async def answer(self, route: Route, parts: tuple[str, ...]) -> None:
        """Send the events that the client missed, then new ones, until either side disconnects."""
        given = read_query(route, self.request.query_arguments)
        group_id, run_id, sweep_id = (given.get(name) for name in ("group_id", "run_id", "sweep_id"))
        after = given.get("after")
        if resumed := self.request.headers.get("Last-Event-ID", "").strip():
            after = read_whole("Last-Event-ID", resumed)
        api = self.api
        if run_id is not None:
            await self.app.in_thread(api.runs.get_run, run_id)
        if group_id is not None:
            await self.app.in_thread(api.groups.get_group, group_id)
        if sweep_id is not None:
            await self.app.in_thread(api.sweeps.get_sweep, sweep_id)
        hub = self.app.hub
        if hub is None:
            raise ServiceUnavailableError("events", "the server is not ready, or is stopping")
        self._rights: dict[str, tuple[float, bool]] = {}
        self._filter = (group_id, run_id, sweep_id)
        self._client = hub.join(self.request.connection.close)  # type: ignore[union-attr]
        try:
            self._transforms = []  # no gzip: it would delay events
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("Cache-Control", "no-cache")
            self.set_header("X-Accel-Buffering", "no")
            seen = self._client.position
            if after is not None:
                seen = max(0, min(after, seen))
            self.write(encode("hello", seen, {"seq": seen}))
            await self.flush()
            await self._follow(hub, await self._catch_up(hub, seen))
        except StreamClosedError:
            self.log.debug("The client of an event stream disconnected.")
        finally:
            hub.leave(self._client)

    async def _catch_up(self, hub: Hub, seen: int) -> int:
        while seen < self._client.position:
            events = await self.app.in_thread(hub.source.read_events, seen, READ_BATCH, *self._filter)
            if not events:
                break
            await self._write([(event, encode("run", event["seq"], event)) for event in events])
            seen = events[-1]["seq"]
        return seen

    async def _follow(self, hub: Hub, seen: int) -> None:
        queue = self._client.queue
        while True:
            try:
                waiting = [await asyncio.wait_for(queue.get(), HEARTBEAT_INTERVAL)]
            except asyncio.TimeoutError:
                self.write(b":\n\n")
                await self.flush()
                continue
            while not queue.empty() and len(waiting) < READ_BATCH:
                waiting.append(queue.get_nowait())
            events = [item for item in waiting if item is not None]
            await self._write([item for item in events if item[0]["seq"] > seen])
            if len(events) < len(waiting):
                return
            seen = max(seen, events[-1][0]["seq"])

    async def _write(self, events: list[tuple[dict[str, Any], bytes]]) -> None:
        group_id, run_id, sweep_id = self._filter
        wanted = [
            (event, text)
            for event, text in events
            if group_id in {None, event["groupId"]}
            and run_id in {None, event["runId"]}
            and sweep_id in {None, event.get("sweepId")}
        ]
        texts = [text for event, text in wanted if await self._may_read(event["groupId"])]
        if texts:
            self.write(b"".join(texts))
            await self.flush()

    async def _may_read(self, group_id: str) -> bool:
        if self.app.user_of(self.current_user) is None:
            return True
        until, may_read = self._rights.get(group_id, (0.0, False))
        if time.monotonic() > until:
            listed = await self.app.in_thread(self.api.groups.list_groups)
            may_read = group_id in {group["id"] for group in listed["groups"]}
            self._rights[group_id] = (time.monotonic() + PERMISSION_CACHE_TIME, may_read)
        return may_read

    def on_connection_close(self) -> None:
        """Stop when the client disconnects."""
        super().on_connection_close()
        if hasattr(self, "_client"):
            self._client.end()


def state_change(event: dict[str, Any]) -> dict[str, Any] | None:
    """Return an event in the schema of Jupyter's event system, or None if it is not a change of state.

    Parameters
    ----------
    event : dict
        An event of `EventService`.

    Returns
    -------
    dict or None
        ``{runId, groupId, seq, state, at}``, as in ``schemas/run_state/v1.yaml``.
    """
    if event["kind"] != "state":
        return None
    return {
        "runId": event["runId"],
        "groupId": event["groupId"],
        "seq": event["seq"],
        "state": event["data"]["state"],
        "at": event["at"],
    }
