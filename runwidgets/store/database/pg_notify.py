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
    told : callable
        Called after commits, and after every connection is made.
    """

    def __init__(self, engine: Engine, told: Callable[[], None]) -> None:
        self._engine = engine
        self._told = told
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
                    own = connection.execution_options(isolation_level="AUTOCOMMIT")
                    own.exec_driver_sql(f"LISTEN {CHANNEL}")
                    try:
                        self._follow(own.connection.driver_connection)
                    finally:
                        own.invalidate()  # a listening connection must not return to the pool
            except DBAPIError:
                self._is_closed.wait(WAKE_INTERVAL)

    def _follow(self, driver: Any) -> None:
        import psycopg

        self._told()
        try:
            while not self._is_closed.is_set():
                if list(driver.notifies(timeout=WAKE_INTERVAL, stop_after=1)):
                    self._told()
                    self._is_closed.wait(MIN_CALL_INTERVAL)
        except psycopg.Error:
            self._is_closed.wait(WAKE_INTERVAL)
