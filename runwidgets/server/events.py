"""The live stream: server-sent events, one reader for all clients.

One thread follows the events of the instance and hands each to the loop, where the hub puts it into the
queue of every client that asked for it. A client that resumes is first given what it missed, read from
the database in pieces, and then what its queue has gathered since; numbers that it has seen already are
left out, so that nothing is missing and nothing comes twice. Nobody waits for a slow client: one whose
queue is full is cut off, and resumes later from the number it saw last.

A stream begins with ``event: hello``, whose number is where the client stands; then comes
``event: run`` for each event, and a comment every 15 seconds while nothing happens.

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

HEARTBEAT = 15.0
"""Seconds without an event after which a comment is sent; proxies cut streams that are silent for 60."""
BOUND = 1_000
"""Events that wait for a client before it is cut off."""
PIECE = 200
"""Events that are read or written at once."""
RIGHTS = 2.0
"""Seconds for which it is remembered whether a user may read a group."""
BACK_OFF = 1.0
"""Seconds before the reader tries again after a failure."""


class EventSource(Protocol):
    """The events of the whole instance, whoever may read them."""

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
    """One listener and what waits for it. Lives in the loop."""

    def __init__(self, position: int, cut: Callable[[], None]) -> None:
        self.position = position
        """Number after which the queue has everything."""
        self.queue: asyncio.Queue[tuple[dict[str, Any], bytes] | None] = asyncio.Queue(BOUND)
        self._cut = cut

    def offer(self, event: dict[str, Any], text: bytes) -> None:
        """Queue an event, or end the stream of a client that is too slow."""
        try:
            self.queue.put_nowait((event, text))
        except asyncio.QueueFull:
            self.end()
            self._cut()

    def end(self) -> None:
        """Let the stream end; what waits is forgotten."""
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
        Called in the loop with every event, before the clients get it.
    """

    def __init__(self, source: EventSource, emit: Callable[[dict[str, Any]], None]) -> None:
        self.source = source
        self.position = 0
        self.clients: set[Client] = set()
        self._emit = emit
        self._stop = threading.Event()
        self._credit = threading.BoundedSemaphore(BOUND)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._read, name="runwidgets-events", daemon=True)

    def start(self) -> None:
        """Begin to read, from now on. Blocks for one query."""
        self.position = self.source.last_event()
        self._thread.start()

    def join(self, cut: Callable[[], None]) -> Client:
        """Return a new client, whose queue gathers every event from now on.

        Parameters
        ----------
        cut : callable
            Closes the connection of a client that is too slow.
        """
        client = Client(self.position, cut)
        self.clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self.clients.discard(client)

    def stop(self) -> None:
        """End all streams. Twice is harmless."""
        self._stop.set()
        for client in self.clients:
            client.end()

    def wait(self, timeout: float) -> None:
        """Wait for the reader's end, in seconds. Blocks."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _read(self) -> None:
        seen = self.position
        while not self._stop.is_set():
            try:
                for event in self.source.follow_events(seen, stop=self._stop):
                    seen = event["seq"]
                    while not self._credit.acquire(timeout=BACK_OFF):
                        if self._stop.is_set():
                            return
                    self._loop.call_soon_threadsafe(self._publish, event)
            except Exception:
                if self._stop.is_set():
                    return
                logging.getLogger(__name__).warning("The events could not be read.", exc_info=True)
            self._stop.wait(BACK_OFF)

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
        Its type: ``hello`` or ``run``.
    seq : int
        Its number, which the client sends back when it resumes.
    data : dict
        Its content.
    """
    return f"event: {name}\nid: {seq}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode()


class EventsHandler(RestHandler):
    """Serves the live stream to one client."""

    _track_activity = False  # a stream that reconnects is nobody at work

    async def answer(self, route: Route, parts: tuple[str, ...]) -> None:
        """Send what the client missed, then what happens, until either side goes away."""
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
            raise ServiceUnavailableError("events", "the server is starting or stopping")
        self._rights: dict[str, tuple[float, bool]] = {}
        self._filter = (group_id, run_id, sweep_id)
        self._client = hub.join(self.request.connection.close)  # type: ignore[union-attr]
        try:
            self._transforms = []  # no gzip: it would hold events back
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
            self.log.debug("A listener went away.")
        finally:
            hub.leave(self._client)

    async def _catch_up(self, hub: Hub, seen: int) -> int:
        while seen < self._client.position:
            events = await self.app.in_thread(hub.source.read_events, seen, PIECE, *self._filter)
            if not events:
                break
            await self._write([(event, encode("run", event["seq"], event)) for event in events])
            seen = events[-1]["seq"]
        return seen

    async def _follow(self, hub: Hub, seen: int) -> None:
        queue = self._client.queue
        while True:
            try:
                waiting = [await asyncio.wait_for(queue.get(), HEARTBEAT)]
            except asyncio.TimeoutError:
                self.write(b":\n\n")
                await self.flush()
                continue
            while not queue.empty() and len(waiting) < PIECE:
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
            self._rights[group_id] = (time.monotonic() + RIGHTS, may_read)
        return may_read

    def on_connection_close(self) -> None:
        """Stop when the client goes away."""
        super().on_connection_close()
        if hasattr(self, "_client"):
            self._client.end()


def state_change(event: dict[str, Any]) -> dict[str, Any] | None:
    """Return an event as Jupyter's event system knows it, None where it is no change of state.

    Parameters
    ----------
    event : dict
        As `EventService` gives it.

    Returns
    -------
    dict or None
        ``{runId, groupId, seq, state, at}``, as ``schemas/run_state/v1.yaml`` says.
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
