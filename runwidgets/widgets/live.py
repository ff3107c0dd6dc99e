"""The one background thread: it follows the events of a service and tells widgets.

A process has one follower per service, which lives while a widget listens. It hears of every event of
the runs, groups and sweeps that widgets show and keeps the last of each kind. A change of state is passed
on at once, and always; progress and the like at most four times a second. When the service goes away it asks
again, with growing pauses, from the last event that it saw.
"""

import logging
import threading
import time
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

from runwidgets.errors import RunWidgetsError, ServiceUnavailableError
from runwidgets.service.contracts.events import EventService

PAUSE = 0.25
"""Seconds between two messages to one widget."""
LONGEST_PAUSE = 30.0
"""Seconds between two tries to reach a service that is away."""
BEAT = 15.0
"""Seconds between two signs of life to each listener."""
URGENT = {"state", "deleted"}
"""Kinds of events that nobody has to wait for."""
EVERYTHING = ""
"""What one listens to who wants to hear of all runs."""

Json = dict[str, Any]

log = logging.getLogger(__name__)


class Follower:
    """Follows the events of one service for all who listen.

    Parameters
    ----------
    events : EventService
        The service.
    """

    def __init__(self, events: EventService) -> None:
        self._events = events
        self._listeners: dict[str, list[WeakMethod[Any]]] = {}
        self._news: dict[str, dict[tuple[str, str], Json]] = {}
        self._urgent: set[str] = set()
        self._bell = threading.Condition()
        self._stop: threading.Event | None = None

    def listen(self, subject: str, listener: Any) -> None:
        """Call a bound method with what happens, until its object is gone or stops.

        Parameters
        ----------
        subject : str
            Id of a run, a group or a sweep, or `EVERYTHING`.
        listener : bound method
            Takes the last event of each kind since the call before, oldest first; none as a sign of life.
            Called from the follower's thread, once however many of its subjects an event is about.
        """
        with self._bell:
            if self._stop is None:
                after = self._events.last_event()
                self._stop = threading.Event()
                self._news.clear()
                for work, *given in ((self._read, after), (self._tell,)):
                    threading.Thread(
                        target=work, args=(self._stop, *given), name="runwidgets-live", daemon=True
                    ).start()
            self._listeners.setdefault(subject, []).append(WeakMethod(listener))

    def ignore(self, subject: str, listener: Any) -> None:
        """Stop calling a method about a subject."""
        with self._bell:
            kept = [each for each in self._listeners.get(subject, []) if each() not in (None, listener)]
            if kept:
                self._listeners[subject] = kept
            else:
                self._listeners.pop(subject, None)
            if not self._listeners and self._stop is not None:
                self._stop.set()
                self._stop = None
                self._bell.notify_all()

    def _read(self, stop: threading.Event, after: int) -> None:
        """Take what the service tells, of the runs for which somebody listens."""
        pause = PAUSE
        while not stop.is_set():
            try:
                for event in self._events.follow_events(after, stop=stop):
                    after, pause = event["seq"], PAUSE
                    self._take(event)
            except ServiceUnavailableError:
                stop.wait(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
            except RunWidgetsError as error:
                log.warning("runwidgets: live views stopped: %s", error)
                return

    def _take(self, event: Json) -> None:
        with self._bell:
            if any(subject in self._listeners for subject in _subjects(event)):
                kind = event["kind"], event["data"].get("name", "")
                self._news.setdefault(event["runId"], {})[kind] = event
                if event["kind"] in URGENT:
                    self._urgent.add(event["runId"])
                    self._bell.notify_all()

    def _tell(self, stop: threading.Event) -> None:
        """Pass on what is new: at once where it is urgent, all of it four times a second."""
        next_round = time.monotonic() + PAUSE
        next_beat = time.monotonic() + BEAT
        while not stop.is_set():
            with self._bell:
                pause = max(0.0, next_round - time.monotonic())
                self._bell.wait_for(lambda: self._urgent or stop.is_set(), pause)
                due = set(self._urgent)
                self._urgent.clear()
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + PAUSE
                    due |= self._news.keys()
                calls: dict[Any, list[Json]] = {}
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + BEAT
                    calls = {each(): [] for heard in self._listeners.values() for each in heard}
                news = [event for run_id in due for event in self._news.pop(run_id, {}).values()]
                for event in sorted(news, key=lambda event: int(event["seq"])):
                    heard = [each for key in _subjects(event) for each in self._listeners.get(key, [])]
                    for listener in {each() for each in heard}:
                        calls.setdefault(listener, []).append(event)
            for listener, events in calls.items():
                try:
                    if listener is not None:
                        listener(events)
                except Exception:
                    log.exception("runwidgets: a live view failed")


def _subjects(event: Json) -> tuple[str, ...]:
    """Return what an event is about, as listeners name it."""
    about = event["runId"], event["groupId"], EVERYTHING
    return (*about, event["sweepId"]) if "sweepId" in event else about


_followers: "WeakKeyDictionary[EventService, Follower]" = WeakKeyDictionary()
_lock = threading.Lock()


def follower(events: EventService) -> Follower:
    """Return the follower of a service; there is one.

    Parameters
    ----------
    events : EventService
        The service.

    Returns
    -------
    Follower
        Its follower.
    """
    with _lock:
        return _followers.setdefault(events, Follower(events))
