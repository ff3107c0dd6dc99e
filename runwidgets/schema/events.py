"""What happens to runs, as the live stream tells it: a `RunEvent` has a shape by its ``kind``."""

from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.json_value import JsonValue
from runwidgets.schema.runs import Progress, ReasonName, StateName


class EventStem(TypedDict):
    """What every event has."""

    seq: int
    """Number of the event; it grows, and a reader that asks for what came after it misses nothing."""
    runId: str
    groupId: str
    sweepId: NotRequired[str]
    """The sweep that started the run, where one did."""
    at: str
    """When it happened: ISO 8601, UTC."""


class StateChange(TypedDict):
    """A run moved to another state."""

    state: StateName
    startedAt: NotRequired[str]
    """Once it has begun."""
    finishedAt: NotRequired[str]
    """Once it has ended."""
    reason: NotRequired[ReasonName]
    """Why it ended, where it is ERROR or CANCELED."""
    messages: NotRequired[list[str]]
    """The same, for people."""


class MetricRecord(TypedDict):
    """A run recorded a metric."""

    name: str
    value: JsonValue
    """The newest."""
    step: NotRequired[float]
    """Step of the value; absent, as the following two, where it is not of a series."""
    attempt: NotRequired[int]
    """Which attempt at the run recorded it, from 1."""
    points: NotRequired[list[list[JsonValue]]]
    """All that this event tells of the series: a step and a value each."""


class LogGrowth(TypedDict):
    """The log of a run has grown."""

    size: int
    """Bytes that it has now."""


class Deletion(TypedDict):
    """A run was deleted; there is nothing more to say."""


class PauseChange(TypedDict):
    """A sweep was paused or resumed."""

    isPaused: bool


class StateEvent(EventStem):
    """A run moved to another state."""

    kind: Literal["state"]
    data: StateChange


class ProgressEvent(EventStem):
    """A run came further."""

    kind: Literal["progress"]
    data: Progress


class MetricEvent(EventStem):
    """A run recorded a metric."""

    kind: Literal["metric"]
    data: MetricRecord


class LogEvent(EventStem):
    """The log of a run has grown."""

    kind: Literal["log"]
    data: LogGrowth


class DeletedEvent(EventStem):
    """A run was deleted."""

    kind: Literal["deleted"]
    data: Deletion


class PausedEvent(EventStem):
    """A sweep was paused or resumed; told of the first run of it that waits."""

    kind: Literal["paused"]
    data: PauseChange


RunEvent: TypeAlias = StateEvent | ProgressEvent | MetricEvent | LogEvent | DeletedEvent | PausedEvent
"""Any event; its ``kind`` is an `EventKind`."""
EventData: TypeAlias = StateChange | Progress | MetricRecord | LogGrowth | Deletion | PauseChange
"""What an event tells."""


class StreamPosition(TypedDict):
    """Where a live stream begins: its first message."""

    seq: int
    """Number of the newest event; what comes after it follows."""


class StateNotice(TypedDict):
    """A change of state as Jupyter's event system knows it; see ``server/schemas/run_state/v1.yaml``."""

    runId: str
    groupId: str
    seq: int
    state: StateName
    reason: NotRequired[ReasonName]
    """Why it ended, where it is ERROR or CANCELED."""
    at: str
