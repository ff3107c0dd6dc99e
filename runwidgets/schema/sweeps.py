"""Sweeps: runs that are started together."""

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.config import SweepConfig
from runwidgets.schema.runs import RunDescriptor


class StateCounts(TypedDict):
    """The number of points whose run is in each state."""

    PENDING: int
    RUNNING: int
    SUCCESS: int
    ERROR: int
    CANCELED: int


class SweepHandle(TypedDict):
    """A sweep."""

    id: str
    name: str
    """As it was given, or the names of what varies."""
    groupId: str
    workflowId: str
    createdAt: str
    createdBy: NotRequired[str]
    """Who started it; absent where access is open."""
    config: SweepConfig
    """As it was given."""
    total: int
    """Number of points: the sum of the counts."""
    counts: StateCounts
    varied: list[str]
    """Names of the parameters that take more than one value."""
    isDone: bool
    """Whether no run of it is active."""
    isPaused: bool
    """Whether the runs that wait are left waiting."""


class SweepList(TypedDict):
    """The sweeps of a group, oldest first."""

    sweeps: list[SweepHandle]


class AddedPoint(RunDescriptor):
    """The run of a new point."""

    number: int
    """The point's, from 1."""


class SweepAddition(TypedDict):
    """What became of points that were added."""

    sweep: SweepHandle
    runs: list[AddedPoint]
    """The new points, in their order."""
