"""Events of runs, as in the event stream: the ``kind`` of a `RunEvent` determines its structure."""

from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.json_value import JsonValue
from runwidgets.schema.runs import Progress, ReasonName, StateName


class EventStem(TypedDict):
    """The fields of every event."""

    seq: int
    """Number of the event; numbers increase, and a reader that asks for the events after one misses none."""
    runId: str
    groupId: str
    sweepId: NotRequired[str]
    """The sweep that started the run, if there is one."""
    at: str
    """Time of the event: ISO 8601, UTC."""


class StateChange(TypedDict):
    """A run moved to another state."""

    state: StateName
    startedAt: NotRequired[str]
    """Present once the run is no longer PENDING; of one that never began, the moment of its end."""
    finishedAt: NotRequired[str]
    """Present once the run has ended."""
    reason: NotRequired[ReasonName]
    """The reason of an ERROR or CANCELED run."""
    messages: NotRequired[list[str]]
    """The messages for people."""


class MetricRecord(TypedDict):
    """A run recorded a metric."""

    name: str
    value: JsonValue
    """The newest value."""
    step: NotRequired[float]
    """Step of the value; absent, like the following two, if it does not belong to a series."""
    attempt: NotRequired[int]
    """The attempt that recorded it, from 1."""
    points: NotRequired[list[list[JsonValue]]]
    """The points of the series in this event, each a step and a value."""


class LogGrowth(TypedDict):
    """The log of a run has grown."""

    size: int
    """Current size in bytes."""


class FileListing(TypedDict):
    """The processes of a cancelled run have ended, and its partial files are listed."""

    count: int
    """Number of partial files."""


class Deletion(TypedDict):
    """A run was deleted; there is no further data."""


class PauseChange(TypedDict):
    """A sweep was paused or resumed."""

    isPaused: bool


class StateEvent(EventStem):
    """A run moved to another state."""

    kind: Literal["state"]
    data: StateChange


class ProgressEvent(EventStem):
    """A run made progress."""

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


class FilesEvent(EventStem):
    """The processes of a cancelled run have ended, and its partial files are listed."""

    kind: Literal["files"]
    data: FileListing


class DeletedEvent(EventStem):
    """A run was deleted."""

    kind: Literal["deleted"]
    data: Deletion


class PausedEvent(EventStem):
    """A sweep was paused or resumed; the event names its first waiting run."""

    kind: Literal["paused"]
    data: PauseChange


RunEvent: TypeAlias = (
    StateEvent | ProgressEvent | MetricEvent | LogEvent | FilesEvent | DeletedEvent | PausedEvent
)
"""Any event; its ``kind`` is an `EventKind`."""
EventData: TypeAlias = (
    StateChange | Progress | MetricRecord | LogGrowth | FileListing | Deletion | PauseChange
)
"""The data of an event."""


class StreamPosition(TypedDict):
    """The first message of an event stream, with its position."""

    seq: int
    """Number of the newest event; later events follow."""


class StateNotice(TypedDict):
    """A change of state in Jupyter's event system; see ``server/events/schemas/run_state/v1.yaml``."""

    runId: str
    groupId: str
    seq: int
    state: StateName
    reason: NotRequired[ReasonName]
    """The reason of an ERROR or CANCELED run."""
    at: str
