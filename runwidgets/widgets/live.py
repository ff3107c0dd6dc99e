"""The one background thread: it follows the events of a service and tells widgets.

A process has one follower per service, which lives while a widget listens. It hears of every event of
the runs that widgets show, keeps the last of each, and passes it on at most four times a second;
the end of a run is passed on at once, and always. When the service goes away it asks again, with
growing pauses, from the last event that it saw.
"""

import logging
import threading
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

from runwidgets.errors import RunWidgetsError, ServiceUnavailableError
from runwidgets.service.base_events import EventService

PAUSE = 0.25
"""Seconds between two messages to one widget."""
LONGEST_PAUSE = 30.0
"""Seconds between two tries to reach a service that is away."""

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
        self._lock = threading.Lock()
        self._listeners: dict[str, list[WeakMethod[Any]]] = {}
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
        with self._lock:
            self._listeners.setdefault(run_id, []).append(WeakMethod(listener))
            if self._stop is None:
                self._stop = threading.Event()
                arguments = (self._stop, self._events.last_event())
                threading.Thread(
                    target=self._work, args=arguments, name="runwidgets-live", daemon=True
                ).start()

    def ignore(self, run_id: str, listener: Any) -> None:
        """Stop calling a method."""
        with self._lock:
            kept = [each for each in self._listeners.get(run_id, []) if each() not in (None, listener)]
            if kept:
                self._listeners[run_id] = kept
            else:
                self._listeners.pop(run_id, None)
            if not self._listeners and self._stop is not None:
                self._stop.set()
                self._stop = None

    def _work(self, stop: threading.Event, after: int) -> None:
        pause = PAUSE
        waiting: dict[str, dict[str, Any]] = {}
        flusher = threading.Thread(target=self._flush, args=(stop, waiting), daemon=True)
        flusher.start()
        while not stop.is_set():
            try:
                for event in self._events.follow_events(after, stop=stop):
                    after, pause = event["seq"], PAUSE
                    with self._lock:
                        if event["runId"] in self._listeners:
                            waiting.setdefault(event["runId"], {})[event["kind"]] = event["data"]
            except ServiceUnavailableError:
                stop.wait(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
            except RunWidgetsError as error:
                log.warning("runwidgets: live views stopped: %s", error)
                return

    def _flush(self, stop: threading.Event, waiting: dict[str, dict[str, Any]]) -> None:
        """Pass on what waits, four times a second."""
        while not stop.wait(PAUSE):
            with self._lock:
                due = [(run_id, waiting.pop(run_id)) for run_id in list(waiting)]
                calls = [(each(), news) for run_id, news in due for each in self._listeners.get(run_id, [])]
            for listener, news in calls:
                if listener is not None:
                    listener(news)


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
