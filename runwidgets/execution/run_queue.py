"""What a backend says of runs, and what it is told: of the database, or of a worker that sends it home."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from runwidgets.schema import Progress, RunReason
from runwidgets.states import RunState
from runwidgets.store.database.columns import NewFile
from runwidgets.store.database.metrics import RecordedValue


class RunQueue(Protocol):
    """A queue of runs and what becomes of them; `store.runs.Runs` has what each sentence means."""

    def together(self) -> AbstractContextManager[Any]:
        """Return a context in which all that is said counts together or not at all."""

    def claim(self, host: str, instance: str, slots: int) -> Any:
        """Return a run with its ``id`` that is this instance's from now on; None when none waits."""

    def list_slot_holders(self) -> Sequence[Any]:
        """Return the runs that hold a slot: their ``id``, ``state``, ``instance`` and ``host``."""

    def take_over(self, run_id: str, previous: str, instance: str, host: str) -> bool:
        """Follow a run whose instance died; False if another was first."""

    def store_progress(
        self,
        run_id: str,
        progress: Progress | None = None,
        metrics: Sequence[RecordedValue] = (),
        log_size: int | None = None,
    ) -> None:
        """Keep what a run says on its way."""

    def move(
        self,
        run_id: str,
        target: RunState,
        reason: RunReason | None = None,
        messages: Sequence[str] = (),
        results: Iterable[NewFile] = (),
        holds_slot: bool = True,
    ) -> Any:
        """Bring a run into a terminal state."""

    def release(self, run_id: str) -> bool:
        """Give the slot of a run back, whose processes are gone; False if the run was deleted."""

    def never_started(self, sweep_id: str) -> Sequence[str]:
        """Return the ids of the runs of a sweep that were cancelled while they waited."""
