"""PostgreSQL notifications about the transactions of other processes."""

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

CHANNEL = "runwidgets"
"""The channel on which every writing transaction notifies of its commit."""
WAKE_INTERVAL = 1.0
"""Seconds after which the thread checks whether it must end, or reconnects."""
MIN_CALL_INTERVAL = 0.05
"""Minimum seconds between two calls: the first of many commits is reported at once, the others together."""


class Listener:
    """A thread that calls a function when any process has committed a transaction, at a limited rate.

    If the server is unavailable, the thread reconnects; threads that wait for changes also poll at times.

    Parameters
    ----------
    engine : Engine
        The engine of a PostgreSQL database, with psycopg.
    on_commit : callable
        Called after commits, and after every connection is made.
    """

    def __init__(self, engine: Engine, on_commit: Callable[[], None]) -> None:
        self._engine = engine
        self._on_commit = on_commit
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="runwidgets-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._is_closed.set()
        self._thread.join()

    def _listen(self) -> None:
        while not self._is_closed.is_set():
            try:
                with self._engine.connect() as connection:
                    listening = connection.execution_options(isolation_level="AUTOCOMMIT")
                    listening.exec_driver_sql(f"LISTEN {CHANNEL}")
                    try:
                        self._follow(listening.connection.driver_connection)
                    finally:
                        listening.invalidate()  # a listening connection must not return to the pool
            except DBAPIError:
                self._is_closed.wait(WAKE_INTERVAL)

    def _follow(self, driver: Any) -> None:
        import psycopg

        self._on_commit()
        try:
            while not self._is_closed.is_set():
                if list(driver.notifies(timeout=WAKE_INTERVAL, stop_after=1)):
                    self._on_commit()
                    self._is_closed.wait(MIN_CALL_INTERVAL)
        except psycopg.Error:
            self._is_closed.wait(WAKE_INTERVAL)
