"""What a PostgreSQL server tells of other processes' transactions."""

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

CHANNEL = "runwidgets"
"""On it every writing transaction says that it was committed."""
BEAT = 1.0
"""Seconds after which the thread looks whether it is to end, and after which it connects anew."""
GAP = 0.05
"""Seconds between two calls at least: of many commits the first is told at once, the others together."""


class Listener:
    """A thread that calls when any process has committed a transaction, but not for each of very many.

    Where the server is away it connects again; whoever waits for changes looks for them now and then
    anyway.

    Parameters
    ----------
    engine : Engine
        Of a PostgreSQL database, by psycopg.
    told : callable
        Called on every commit, and after every connection was made.
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
                        own.invalidate()  # nobody else is to get a connection that listens
            except DBAPIError:
                self._is_closed.wait(BEAT)

    def _follow(self, driver: Any) -> None:
        import psycopg

        self._told()
        try:
            while not self._is_closed.is_set():
                if list(driver.notifies(timeout=BEAT, stop_after=1)):
                    self._told()
                    self._is_closed.wait(GAP)
        except psycopg.Error:
            self._is_closed.wait(BEAT)
