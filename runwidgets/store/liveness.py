"""Liveness of instances: the runs of a live instance may not be taken over.

Instances that share a folder each hold a lock in it, which the system releases when they end, in whatever
way. Instances that share only a database each increment a counter in it; an instance whose counter does not
change for long is dead. The time is measured with the monotonic clock of the observer, so no clocks are
compared.
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
    """The instances of a root, as one of them sees it; used from one thread.

    Attributes
    ----------
    instance_id : str
        Id of this instance.
    """

    instance_id: str

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
        self.instance_id = uuid.uuid4().hex

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
        self.instance_id, self._lock = announce(folder)

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
        (self._folder / self.instance_id).unlink(missing_ok=True)
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
        self.instance_id = uuid.uuid4().hex
        self._counters: dict[str, tuple[int, float]] = {}
        """Counter of each other instance, and when that value was first read (monotonic seconds)."""
        self._next = 0.0
        self._increment_counter()

    def is_alive(self, instance: str) -> bool:
        """Return whether the counter of an instance has changed recently; without a row, it has left."""
        if instance != self.instance_id and instance not in self._counters:
            self._read_counters()  # the instance may be new
        return instance == self.instance_id or instance in self._counters

    def refresh(self) -> None:
        """Increment the counter, and remove the rows of dead instances."""
        moment = time.monotonic()
        if moment < self._next:
            return
        self._next = moment + COUNTER_INTERVAL
        self._increment_counter()
        self._read_counters()
        dead = [each for each, (_, since) in self._counters.items() if moment - since > COUNTER_TIMEOUT]
        if dead:
            with self._database.write() as connection:
                for instance in dead:
                    beat, _ = self._counters.pop(instance)
                    statement = delete(instances).where(instances.c.id == instance, instances.c.beat == beat)
                    connection.execute(statement)

    def leave(self) -> None:
        """Remove the row."""
        with self._database.write() as connection:
            connection.execute(delete(instances).where(instances.c.id == self.instance_id))

    def _read_counters(self) -> None:
        with self._database.read() as connection:
            beats = {row.id: row.beat for row in connection.execute(select(instances))}
        known, moment = self._counters, time.monotonic()
        self._counters = {
            instance: known[instance] if known.get(instance, (None, 0.0))[0] == beat else (beat, moment)
            for instance, beat in beats.items()
        }

    def _increment_counter(self) -> None:
        with self._database.write() as connection:
            statement = (
                update(instances).where(instances.c.id == self.instance_id).values(beat=instances.c.beat + 1)
            )
            if not connection.execute(statement).rowcount:  # new, or declared dead while it could not write
                connection.execute(insert(instances).values(id=self.instance_id, beat=0))
