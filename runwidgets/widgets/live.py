"""The one background thread: it follows the events of a service and tells widgets.

A process has one follower per service, which lives while a widget listens. It hears of every event of
the runs that widgets show and keeps the last of each kind. A change of state is passed on at once, and
always; progress and the like at most four times a second. When the service goes away it asks again,
with growing pauses, from the last event that it saw.
"""

import logging
import threading
import time
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

from runwidgets.errors import RunWidgetsError, ServiceUnavailableError
from runwidgets.service.base_events import EventService

PAUSE = 0.25
"""Seconds between two messages to one widget."""
LONGEST_PAUSE = 30.0
"""Seconds between two tries to reach a service that is away."""
URGENT = {"state", "deleted"}
"""Kinds of events that nobody has to wait for."""

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
        self._news: dict[str, dict[str, Any]] = {}
        self._urgent: set[str] = set()
        self._bell = threading.Condition()
        self._stop: threading.Event | None = None

    def listen(self, run_id: str, listener: Any) -> None:
        """Call a bound method with every change of a run, until its object is gone or stops.

        Parameters
        ----------
        run_id : str
            The run.
        listener : bound method
            Takes ``{kind: data}``, the last event of each kind since the call before. Called from the
            follower's thread.
        """
        with self._bell:
            self._listeners.setdefault(run_id, []).append(WeakMethod(listener))
            if self._stop is None:
                self._stop = threading.Event()
                self._news.clear()
                for work, *given in ((self._read, self._events.last_event()), (self._tell,)):
                    threading.Thread(
                        target=work, args=(self._stop, *given), name="runwidgets-live", daemon=True
                    ).start()

    def ignore(self, run_id: str, listener: Any) -> None:
        """Stop calling a method."""
        with self._bell:
            kept = [each for each in self._listeners.get(run_id, []) if each() not in (None, listener)]
            if kept:
                self._listeners[run_id] = kept
            else:
                self._listeners.pop(run_id, None)
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

    def _take(self, event: dict[str, Any]) -> None:
        with self._bell:
            if event["runId"] in self._listeners:
                self._news.setdefault(event["runId"], {})[event["kind"]] = event["data"]
                if event["kind"] in URGENT:
                    self._urgent.add(event["runId"])
                    self._bell.notify_all()

    def _tell(self, stop: threading.Event) -> None:
        """Pass on what is new: at once where it is urgent, all of it four times a second."""
        next_round = time.monotonic() + PAUSE
        while not stop.is_set():
            with self._bell:
                pause = max(0.0, next_round - time.monotonic())
                self._bell.wait_for(lambda: self._urgent or stop.is_set(), pause)
                due = set(self._urgent)
                self._urgent.clear()
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + PAUSE
                    due |= self._news.keys()
                news = {run_id: self._news.pop(run_id) for run_id in due if run_id in self._news}
                calls = [
                    (each(), told)
                    for run_id, told in news.items()
                    for each in self._listeners.get(run_id, [])
                ]
            for listener, told in calls:
                if listener is not None:
                    listener(told)


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
