"""The messages between workers, the scheduler and an instance: plain values, sent as Dask's events.

The plugins are sent to machines by value, so they import this for types only.
"""

from typing_extensions import TypedDict

from runwidgets.execution.run_outcome import OutcomeRecord
from runwidgets.schema import JsonValue, Progress
from runwidgets.store.database.columns import NewFile


class NotedValue(TypedDict):
    """The fields of a `RecordedValue`."""

    name: str
    value: JsonValue
    step: float | None
    attempt: int


class ProgressNote(TypedDict):
    """A report on the progress of a run; see `RunQueue.store_progress`."""

    progress: Progress | None
    metrics: list[NotedValue]
    log_size: int | None
    is_new_attempt: bool


class ClusterMessage(TypedDict, total=False):
    """A message to the instance, about a run by its id (``run``) or by the key of its task."""

    run: str
    key: str
    notes: list[ProgressNote]
    """Its reports since the last message."""
    end: OutcomeRecord | None
    """How it ended; None if it was withdrawn before it began."""
    results: list[NewFile]
    """Its result files, with the end."""
    lost: str
    """The worker that was lost."""
    failed: str
    """Why Dask could not execute the task."""
    worker: str
    """The worker that has another version."""
    version: str | None
    """That version; None if it is not installed there."""


class ClusterState(TypedDict):
    """The states of tasks; see `RunSchedulerPlugin.describe_tasks`."""

    threads: int
    state: dict[str, str]
    """By key: ``gone``, ``waiting``, ``begun`` or ``lost``."""
