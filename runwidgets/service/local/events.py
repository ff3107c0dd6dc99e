"""The event service in this process."""

import threading
import time
from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Row

from runwidgets.schema import RunEvent
from runwidgets.service.contracts.events import EventService
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
    ) -> Iterator[RunEvent]:
        """Yield events, waiting for new ones; see `EventService`."""
        while stop is None or not stop.is_set():
            changes = self._database.changes
            events = self.read_events(after, EVENT_BATCH, group_id, run_id, sweep_id)
            for event in events:
                after = event["seq"]
                yield event
            if len(events) < EVENT_BATCH:
                self._wait(changes, stop)

    def _wait(self, changes: int, stop: threading.Event | None) -> None:
        """Wait until there may be events: of this process, or of others, which only PostgreSQL notifies."""
        deadline = time.monotonic() + (0.0 if self._database.is_sqlite else NOTIFY_TIMEOUT)
        while (
            self._database.wait_for_change(changes, POLL_INTERVAL) == changes and time.monotonic() < deadline
        ):
            if stop is not None and stop.is_set():
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
    ) -> Iterator[RunEvent]:
        """Yield events in order; see `EventService`."""
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
        events = self._events.follow_events(begin, group_id, run_id, stop, sweep_id)
        return (event for event in events if self._is_allowed(event["groupId"]))

    def _is_allowed(self, group_id: str) -> bool:
        if self._components.policy.reader(self._user) is None:
            return True
        groups = self._components.catalog.list_groups(None, self._user or "")
        return any(group.id == group_id for group in groups)


def event_json(row: Row[Any]) -> RunEvent:
    """Convert the row of an event to JSON."""
    sweep = {} if row.sweep_id is None else {"sweepId": row.sweep_id}
    event = {"seq": row.seq, "runId": row.run_id, "groupId": row.group_id, **sweep}
    return cast(RunEvent, {**event, "kind": row.kind, "data": row.data, "at": row.at})
