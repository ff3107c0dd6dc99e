"""Live updates: a background thread follows the events of a service and notifies widgets.

A process has one follower per service, which exists while a widget listens. It receives every
event of the runs, groups and sweeps that widgets show, and keeps the last one of each kind. Changes of state
are never dropped and are passed on at once; progress and other kinds at most four times a second. When the
service is unavailable, the follower reconnects after increasing delays, from the last event that it saw.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

from runwidgets.errors import RunWidgetsError, ServiceUnavailableError
from runwidgets.schema import RunEvent
from runwidgets.service.contracts.events import EventService

UPDATE_INTERVAL = 0.25
"""Seconds between two messages to one widget."""
MAX_RECONNECT_DELAY = 30.0
"""Maximum number of seconds between two attempts to reconnect."""
HEARTBEAT_INTERVAL = 15.0
"""Seconds between two heartbeats to each listener."""
URGENT_KINDS = {"state", "deleted"}
"""Kinds of events that are passed on without delay."""
ALL_RUNS = ""
"""Subscription to the events of all runs."""

log = logging.getLogger(__name__)


class Follower:
    """Follows the events of one service on behalf of all listeners.

    Parameters
    ----------
    events : EventService
        The service.
    """

    def __init__(self, events: EventService) -> None:
        self._events = events
        self._listeners: dict[str, list[WeakMethod[Any]]] = {}
        self._pending: dict[str, dict[tuple[str, str], RunEvent]] = {}
        self._urgent: set[str] = set()
        self._condition = threading.Condition()
        self._stop: threading.Event | None = None

    def listen(self, subject: str, listener: Callable[[list[RunEvent]], None]) -> None:
        """Call a bound method on events of a subject, until its object is deleted or `ignore` is called.

        Parameters
        ----------
        subject : str
            Id of a run, a group or a sweep, or `ALL_RUNS`.
        listener : bound method
            Takes the last event of each kind since the previous call, oldest first; an empty list is a
            heartbeat. Called from the thread of the follower, once per event even if several of its
            subjects match.
        """
        with self._condition:
            if self._stop is None:
                after = self._events.last_event()
                self._stop = threading.Event()
                self._pending.clear()
                for work, *arguments in ((self._read, after), (self._notify,)):
                    threading.Thread(
                        target=work, args=(self._stop, *arguments), name="runwidgets-live", daemon=True
                    ).start()
            self._listeners.setdefault(subject, []).append(WeakMethod(listener))

    def ignore(self, subject: str, listener: Callable[[list[RunEvent]], None]) -> None:
        """Stop calling a method on events of a subject."""
        with self._condition:
            remaining = [each for each in self._listeners.get(subject, []) if each() not in (None, listener)]
            if remaining:
                self._listeners[subject] = remaining
            else:
                self._listeners.pop(subject, None)
            if not self._listeners and self._stop is not None:
                self._stop.set()
                self._stop = None
                self._condition.notify_all()

    def _read(self, stop: threading.Event, after: int) -> None:
        """Read the events of the service, and keep those that have a listener."""
        pause = UPDATE_INTERVAL
        while not stop.is_set():
            try:
                for event in self._events.follow_events(after, stop=stop):
                    after, pause = event["seq"], UPDATE_INTERVAL
                    self._on_event(event)
            except ServiceUnavailableError:
                stop.wait(pause)
                pause = min(MAX_RECONNECT_DELAY, 2 * pause)
            except RunWidgetsError as error:
                log.warning("runwidgets: live updates stopped: %s", error)
                return

    def _on_event(self, event: RunEvent) -> None:
        with self._condition:
            if any(subject in self._listeners for subject in _subjects(event)):
                kind = event["kind"], event["data"]["name"] if event["kind"] == "metric" else ""
                self._pending.setdefault(event["runId"], {})[kind] = event
                if event["kind"] in URGENT_KINDS:
                    self._urgent.add(event["runId"])
                    self._condition.notify_all()

    def _notify(self, stop: threading.Event) -> None:
        """Pass on new events: urgent ones at once, others four times a second."""
        next_round = time.monotonic() + UPDATE_INTERVAL
        next_heartbeat = time.monotonic() + HEARTBEAT_INTERVAL
        while not stop.is_set():
            with self._condition:
                pause = max(0.0, next_round - time.monotonic())
                self._condition.wait_for(lambda: self._urgent or stop.is_set(), pause)
                due = set(self._urgent)
                self._urgent.clear()
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + UPDATE_INTERVAL
                    due |= self._pending.keys()
                calls: dict[Any, list[RunEvent]] = {}
                if time.monotonic() >= next_heartbeat:
                    next_heartbeat = time.monotonic() + HEARTBEAT_INTERVAL
                    calls = {each(): [] for listeners in self._listeners.values() for each in listeners}
                new_events = [event for run_id in due for event in self._pending.pop(run_id, {}).values()]
                for event in sorted(new_events, key=lambda event: int(event["seq"])):
                    listeners = [each for key in _subjects(event) for each in self._listeners.get(key, [])]
                    for listener in {each() for each in listeners}:
                        calls.setdefault(listener, []).append(event)
            for listener, events in calls.items():
                try:
                    if listener is not None:
                        listener(events)
                except Exception:
                    log.exception("runwidgets: a listener of live updates failed")


def _subjects(event: RunEvent) -> tuple[str, ...]:
    """Return the subjects of an event under which listeners may be registered."""
    subjects = event["runId"], event["groupId"], ALL_RUNS
    return (*subjects, event["sweepId"]) if "sweepId" in event else subjects


_followers: "WeakKeyDictionary[EventService, Follower]" = WeakKeyDictionary()
_lock = threading.Lock()


def get_follower(events: EventService) -> Follower:
    """Return the follower of a service; each service has exactly one.

    Parameters
    ----------
    events : EventService
        The service.

    Returns
    -------
    Follower
        The follower of the service.
    """
    with _lock:
        return _followers.setdefault(events, Follower(events))
