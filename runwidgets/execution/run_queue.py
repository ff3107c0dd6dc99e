"""The queue of a backend: a database, or a worker that sends changes to its instance."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from runwidgets.schema import Progress, RunReason
from runwidgets.states import RunState
from runwidgets.store.database.columns import NewFile
from runwidgets.store.database.metrics import RecordedValue


class RunQueue(Protocol):
    """A queue of runs, with the changes of their state; see `store.database.runs.runs.Runs`."""

    def transaction(self) -> AbstractContextManager[Any]:
        """Return a context in which all changes are stored together or not at all."""

    def claim(self, host: str, instance: str, slots: int) -> Any:
        """Claim a run for this instance, with its ``id``, or return None if no run is waiting."""

    def list_slot_holders(self) -> Sequence[Any]:
        """Return the runs that hold a slot: their ``id``, ``state``, ``instance`` and ``host``."""

    def take_over(self, run_id: str, previous: str, instance: str, host: str) -> bool:
        """Take over a run of a dead instance; return False if another instance was first."""

    def store_progress(
        self,
        run_id: str,
        progress: Progress | None = None,
        metrics: Sequence[RecordedValue] = (),
        log_size: int | None = None,
        *,
        is_new_attempt: bool = False,
    ) -> None:
        """Store what an executing run reports."""

    def move(
        self,
        run_id: str,
        target: RunState,
        reason: RunReason | None = None,
        messages: Sequence[str] = (),
        results: Iterable[NewFile] = (),
        holds_slot: bool = True,
    ) -> Any:
        """Move a run into a terminal state."""

    def release(self, run_id: str, partial_files: Iterable[NewFile] = ()) -> bool:
        """Release the slot of a run without processes, and store the partial files of a cancelled one.

        Returns False if the run was deleted.
        """

    def never_started(self, sweep_id: str) -> Sequence[str]:
        """Return the ids of the runs of a sweep that were cancelled while they were waiting."""
