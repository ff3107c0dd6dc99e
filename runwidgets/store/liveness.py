"""Which instances live: those whose runs nobody else may take over.

Where instances share a folder, each holds a lock in it, which the system takes back however it dies. Where
they share only a database, each counts up a number there, and one whose number stands still for long is
dead. How long is measured by the clock of who looks, which never jumps: no clocks are compared.
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

BEAT_PAUSE = 2.0
"""Seconds between two signs of life."""
SILENCE = 20.0
"""Seconds without a sign of life after which an instance is dead."""


class Liveness(ABC):
    """The instances of a root, as one of them sees it; used from one thread.

    Attributes
    ----------
    own : str
        Id of the instance that looks.
    """

    own: str

    @abstractmethod
    def is_alive(self, instance: str) -> bool:
        """Say whether an instance lives."""

    @abstractmethod
    def tend(self) -> None:
        """Give a sign of life, and forget those who are dead; called twice a second or so."""

    @abstractmethod
    def leave(self) -> None:
        """End; the runs of this instance may be taken over at once."""


class AlwaysAlive(Liveness):
    """An instance that shares nothing with another."""

    def __init__(self) -> None:
        self.own = uuid.uuid4().hex

    def is_alive(self, instance: str) -> bool:
        """Say that it does."""
        return True

    def tend(self) -> None:
        """Do nothing: nobody looks."""

    def leave(self) -> None:
        """Do nothing: nobody looks."""


class LockLiveness(Liveness):
    """Liveness that share a folder.

    Parameters
    ----------
    folder : Path
        Where each has a file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.own, self._lock = announce(folder)

    def is_alive(self, instance: str) -> bool:
        """Say whether somebody holds the lock of an instance."""
        return is_locked(self._folder / instance)

    def tend(self) -> None:
        """Remove the files of the dead."""
        for path in self._folder.iterdir():
            lock = None if is_locked(path) else hold_lock(path)
            if lock is not None:
                path.unlink(missing_ok=True)
                os.close(lock)

    def leave(self) -> None:
        """Let the lock go."""
        (self._folder / self.own).unlink(missing_ok=True)
        release_own_lock(self._lock)


class HeartbeatLiveness(Liveness):
    """Liveness that share a database.

    Parameters
    ----------
    database : Database
        Where each has a row.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.own = uuid.uuid4().hex
        self._seen: dict[str, tuple[int, float]] = {}
        """Number of each other instance, and when it was first seen to be that (monotonic seconds)."""
        self._next = 0.0
        self._beat()

    def is_alive(self, instance: str) -> bool:
        """Say whether the number of an instance has changed lately; one that has no row has left."""
        if instance != self.own and instance not in self._seen:
            self._look()  # it may be new
        return instance == self.own or instance in self._seen

    def tend(self) -> None:
        """Count up, and remove the rows of the dead."""
        moment = time.monotonic()
        if moment < self._next:
            return
        self._next = moment + BEAT_PAUSE
        self._beat()
        self._look()
        silent = [each for each, (_, since) in self._seen.items() if moment - since > SILENCE]
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
            if not connection.execute(counted).rowcount:  # new, or taken for dead while it could not write
                connection.execute(insert(instances).values(id=self.own, beat=0))
