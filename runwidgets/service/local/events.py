"""The event service in this process."""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from sqlalchemy import Row

from runwidgets.schema import RunEvent
from runwidgets.service.contracts.events import EventService, EventStream
from runwidgets.service.local.components import Components
from runwidgets.service.local.validation import check_whole_number
from runwidgets.store.database.database import Database
from runwidgets.store.database.events import events_after, last_event

EVENT_BATCH = 500
"""Events that are read at once."""
POLL_INTERVAL = 0.2
"""Seconds after which events of other processes are seen, if the database does not notify."""
NOTIFY_TIMEOUT = 5.0
"""Seconds after which events are read even without a notification."""


class InstanceEvents:
    """The events of the whole instance, without a check of permissions.

    Parameters
    ----------
    database : Database
        The database with the events.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def last_event(self) -> int:
        """Return the ``seq`` of the newest event, 0 before the first."""
        return last_event(self._database)

    def read_events(
        self,
        after: int,
        limit: int,
        group_id: str | None = None,
        run_id: str | None = None,
        sweep_id: str | None = None,
    ) -> list[RunEvent]:
        """Return the next events, at most `limit`, without waiting."""
        rows = events_after(self._database, after, limit, group_id, run_id, sweep_id)
        return [event_json(row) for row in rows]

    def follow_events(
        self,
        after: int,
        group_id: str | None = None,
        run_id: str | None = None,
        stop: threading.Event | None = None,
        sweep_id: str | None = None,
        is_allowed: Callable[[RunEvent], bool] = lambda _: True,
    ) -> EventStream:
        """Return the allowed events, waiting for new ones; see `EventService`."""
        read = partial(
            self.read_events, limit=EVENT_BATCH, group_id=group_id, run_id=run_id, sweep_id=sweep_id
        )
        stop = stop or threading.Event()
        return LocalEventStream(self._database, read, after, stop=stop, is_allowed=is_allowed)


class LocalEventStream(EventStream):
    """The events of a database, as they are stored.

    Parameters
    ----------
    database : Database
        The database, which tells of changes.
    read : callable
        Returns the next events after a ``seq``, at most `EVENT_BATCH`.
    after : int
        The ``seq`` of the last event already seen.
    stop : threading.Event
        Ends the iteration.
    is_allowed : callable
        Whether an event is among them.
    """

    def __init__(
        self,
        database: Database,
        read: Callable[[int], list[RunEvent]],
        after: int,
        *,
        stop: threading.Event,
        is_allowed: Callable[[RunEvent], bool],
    ) -> None:
        self._database = database
        self._read = read
        self._after = after
        self._stop = stop
        self._is_allowed = is_allowed
        self._events: deque[RunEvent] = deque()
        self._is_closed = False
        self._changes: int | None = None
        """Changes of the database before the last events were read; None while there may be more at once."""

    def __next__(self) -> RunEvent:
        """Wait for the next event; see `EventStream`."""
        while not self._is_over:
            if self._events:
                event = self._events.popleft()
                self._after = event["seq"]
                if self._is_allowed(event):
                    return event
            else:
                self._wait()
                changes = self._database.changes
                self._events.extend(self._read(self._after))
                self._changes = changes if len(self._events) < EVENT_BATCH else None
        raise StopIteration

    def close(self) -> None:
        """End the iteration; see `EventStream`."""
        self._is_closed = True

    @property
    def _is_over(self) -> bool:
        return self._is_closed or self._stop.is_set()

    def _wait(self) -> None:
        """Wait until there may be events: of this process, or of others, which only PostgreSQL notifies."""
        if self._changes is None:
            return
        deadline = time.monotonic() + (0.0 if self._database.is_sqlite else NOTIFY_TIMEOUT)
        while not self._is_over:
            changes = self._database.wait_for_change(self._changes, POLL_INTERVAL)
            if changes != self._changes or time.monotonic() >= deadline:
                return


class LocalEventService(EventService):
    """Events of the store, for one user."""

    def __init__(self, components: Components, events: InstanceEvents, user: str | None) -> None:
        self._components = components
        self._events = events
        self._user = user

    def last_event(self) -> int:
        """Return the ``seq`` of the newest event; see `EventService`."""
        return self._events.last_event()

    def follow_events(
        self,
        after: int,
        group_id: str | None = None,
        run_id: str | None = None,
        stop: threading.Event | None = None,
        sweep_id: str | None = None,
    ) -> EventStream:
        """Return the events in order; see `EventService`."""
        components = self._components
        if run_id is not None:
            components.policy.check(
                self._user, components.catalog.get_group(components.runs.get(run_id).group_id)
            )
        if group_id is not None:
            components.group(self._user, group_id)
        if sweep_id is not None:
            components.group(self._user, components.sweeps.get(sweep_id).group_id)
        begin = check_whole_number("after", after, -(2**62), 2**62)
        return self._events.follow_events(begin, group_id, run_id, stop, sweep_id, self._is_allowed)

    def _is_allowed(self, event: RunEvent) -> bool:
        if self._components.policy.reader(self._user) is None:
            return True
        groups = self._components.catalog.list_groups(None, self._user or "")
        return any(group.id == event["groupId"] for group in groups)


def event_json(row: Row[Any]) -> RunEvent:
    """Convert the row of an event to JSON."""
    sweep = {} if row.sweep_id is None else {"sweepId": row.sweep_id}
    event = {"seq": row.seq, "runId": row.run_id, "groupId": row.group_id, **sweep}
    return cast(RunEvent, {**event, "kind": row.kind, "data": row.data, "at": row.at})
