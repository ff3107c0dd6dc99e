"""Liveness of instances: the runs of a live instance may not be taken over.

Instances that share a folder each hold a lock in it, which the system releases however they die. Instances
that share only a database each increment a counter in it, and an instance whose counter stands still for long
is dead. The time is measured with the monotonic clock of the observer, so no clocks are compared.
"""

import os
import time
import uuid
from abc import ABC, abstractmethod
from pathlib import Path

from sqlalchemy import delete, insert, select, update

from runwidgets.store.database.database import Database
from runwidgets.store.database.tables import instances
from runwidgets.store.locks import announce, hold_lock, is_locked, release_own_lock

COUNTER_INTERVAL = 2.0
"""Seconds between two increments of the counter."""
COUNTER_TIMEOUT = 20.0
"""Seconds without an increment after which an instance is dead."""


class Liveness(ABC):
    """The instances of a root, from the view of one of them; used from one thread.

    Attributes
    ----------
    own : str
        Id of this instance.
    """

    own: str

    @abstractmethod
    def is_alive(self, instance: str) -> bool:
        """Return whether an instance is alive."""

    @abstractmethod
    def refresh(self) -> None:
        """Show that this instance is alive, and remove dead ones; called about twice a second."""

    @abstractmethod
    def leave(self) -> None:
        """Leave; the runs of this instance may be taken over at once."""


class AlwaysAlive(Liveness):
    """The liveness of an instance that shares its root with no other."""

    def __init__(self) -> None:
        self.own = uuid.uuid4().hex

    def is_alive(self, instance: str) -> bool:
        """Return True."""
        return True

    def refresh(self) -> None:
        """Do nothing: there is no other instance."""

    def leave(self) -> None:
        """Do nothing: there is no other instance."""


class LockLiveness(Liveness):
    """The liveness of instances that share a folder.

    Parameters
    ----------
    folder : Path
        Folder with a file for each instance.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.own, self._lock = announce(folder)

    def is_alive(self, instance: str) -> bool:
        """Return whether the lock of an instance is held."""
        return is_locked(self._folder / instance)

    def refresh(self) -> None:
        """Remove the files of dead instances."""
        for path in self._folder.iterdir():
            lock = None if is_locked(path) else hold_lock(path)
            if lock is not None:
                path.unlink(missing_ok=True)
                os.close(lock)

    def leave(self) -> None:
        """Release the lock."""
        (self._folder / self.own).unlink(missing_ok=True)
        release_own_lock(self._lock)


class HeartbeatLiveness(Liveness):
    """The liveness of instances that share a database.

    Parameters
    ----------
    database : Database
        The database with a row for each instance.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.own = uuid.uuid4().hex
        self._seen: dict[str, tuple[int, float]] = {}
        """Counter of each other instance, and when that value was first seen (monotonic seconds)."""
        self._next = 0.0
        self._beat()

    def is_alive(self, instance: str) -> bool:
        """Return whether the counter of an instance has changed recently; without a row, it has left."""
        if instance != self.own and instance not in self._seen:
            self._look()  # the instance may be new
        return instance == self.own or instance in self._seen

    def refresh(self) -> None:
        """Increment the counter, and remove the rows of dead instances."""
        moment = time.monotonic()
        if moment < self._next:
            return
        self._next = moment + COUNTER_INTERVAL
        self._beat()
        self._look()
        silent = [each for each, (_, since) in self._seen.items() if moment - since > COUNTER_TIMEOUT]
        if silent:
            with self._database.write() as connection:
                for instance in silent:
                    beat, _ = self._seen.pop(instance)
                    gone = delete(instances).where(instances.c.id == instance, instances.c.beat == beat)
                    connection.execute(gone)

    def leave(self) -> None:
        """Remove the row."""
        with self._database.write() as connection:
            connection.execute(delete(instances).where(instances.c.id == self.own))

    def _look(self) -> None:
        with self._database.read() as connection:
            beats = {row.id: row.beat for row in connection.execute(select(instances))}
        known, moment = self._seen, time.monotonic()
        self._seen = {
            instance: known[instance] if known.get(instance, (None, 0.0))[0] == beat else (beat, moment)
            for instance, beat in beats.items()
        }

    def _beat(self) -> None:
        with self._database.write() as connection:
            counted = update(instances).where(instances.c.id == self.own).values(beat=instances.c.beat + 1)
            if not connection.execute(counted).rowcount:  # new, or declared dead while it could not write
                connection.execute(insert(instances).values(id=self.own, beat=0))
