"""The event stream: server-sent events.

A client that resumes first receives the events that it missed, read from the database in batches, and then
the content of the queue that the `Hub` fills; events that it has seen already are skipped, so that no event
is lost and none is sent twice.

A stream begins with ``event: hello``, whose id is the position of the client; it continues with one
``event: run`` per event, and a comment every 15 seconds without an event.

Notes
-----
**Source:** the HTML standard, "Server-sent events".
"""

import asyncio
import time
from typing import cast

from tornado.iostream import StreamClosedError

from runwidgets.errors import ServiceUnavailableError
from runwidgets.schema import RunEvent
from runwidgets.server.arguments import read_query, read_whole
from runwidgets.server.events.event_hub import Hub, encode
from runwidgets.server.handlers import RestHandler
from runwidgets.service.routes.route import Route

HEARTBEAT_INTERVAL = 15.0
"""Seconds without an event after which a comment is sent; proxies cut streams that are silent for 60."""
READ_BATCH = 200
"""Events that are read or written at once."""
PERMISSION_CACHE_TIME = 2.0
"""Seconds for which the permission of a user to read a group is cached."""


class EventsHandler(RestHandler):
    """Serves the event stream to one client."""

    _track_activity = False  # a stream that reconnects is not user activity

    async def serve(self, route: Route, parts: tuple[str, ...]) -> None:
        """Send the events that the client missed, then new ones, until either side disconnects."""
        arguments = read_query(route, self.request.query_arguments)
        group_id, run_id, sweep_id = (
            cast("str | None", arguments.get(name)) for name in ("group_id", "run_id", "sweep_id")
        )
        after = cast("int | None", arguments.get("after"))
        if resumed := self.request.headers.get("Last-Event-ID", "").strip():
            after = read_whole("Last-Event-ID", resumed)
        api = self.api
        if run_id is not None:
            await self.context.in_thread(api.runs.get_run, run_id)
        if group_id is not None:
            await self.context.in_thread(api.groups.get_group, group_id)
        if sweep_id is not None:
            await self.context.in_thread(api.sweeps.get_sweep, sweep_id)
        hub = self.context.hub
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
            last_seq = self._client.position
            if after is not None:
                last_seq = max(0, min(after, last_seq))
            self.write(encode("hello", last_seq, {"seq": last_seq}))
            await self.flush()
            await self._follow(hub, await self._catch_up(hub, last_seq))
        except StreamClosedError:
            self.log.debug("The client of an event stream disconnected.")
        finally:
            hub.leave(self._client)

    async def _catch_up(self, hub: Hub, last_seq: int) -> int:
        while last_seq < self._client.position:
            events = await self.context.in_thread(hub.source.read_events, last_seq, READ_BATCH, *self._filter)
            if not events:
                break
            await self._write([(event, encode("run", event["seq"], event)) for event in events])
            last_seq = events[-1]["seq"]
        return last_seq

    async def _follow(self, hub: Hub, last_seq: int) -> None:
        queue = self._client.queue
        while True:
            try:
                items = [await asyncio.wait_for(queue.get(), HEARTBEAT_INTERVAL)]
            except asyncio.TimeoutError:
                self.write(b":\n\n")
                await self.flush()
                continue
            while not queue.empty() and len(items) < READ_BATCH:
                items.append(queue.get_nowait())
            events = [item for item in items if item is not None]
            await self._write([item for item in events if item[0]["seq"] > last_seq])
            if len(events) < len(items):
                return
            last_seq = max(last_seq, events[-1][0]["seq"])

    async def _write(self, events: list[tuple[RunEvent, bytes]]) -> None:
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
        if self.context.user_of(self.current_user) is None:
            return True
        until, may_read = self._rights.get(group_id, (0.0, False))
        if time.monotonic() > until:
            listed = await self.context.in_thread(self.api.groups.list_groups)
            may_read = group_id in {group["id"] for group in listed["groups"]}
            self._rights[group_id] = (time.monotonic() + PERMISSION_CACHE_TIME, may_read)
        return may_read

    def on_connection_close(self) -> None:
        """Stop when the client disconnects."""
        super().on_connection_close()
        if hasattr(self, "_client"):
            self._client.end()
