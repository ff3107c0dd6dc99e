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
    """The given name, or the names of the varied parameters."""
    groupId: str
    workflowId: str
    createdAt: str
    createdBy: NotRequired[str]
    """The user who started it; absent with the access policy `open`."""
    config: SweepConfig
    """The given config."""
    total: int
    """Number of points: the sum of the counts."""
    counts: StateCounts
    varied: list[str]
    """Names of the parameters that take more than one value."""
    isDone: bool
    """Whether none of its runs is active."""
    isPaused: bool
    """Whether its waiting runs are held back."""


class SweepList(TypedDict):
    """The sweeps of a group, oldest first."""

    sweeps: list[SweepHandle]


class AddedPoint(RunDescriptor):
    """The run of a new point."""

    number: int
    """Number of the point, from 1."""


class SweepAddition(TypedDict):
    """The result of adding points."""

    sweep: SweepHandle
    runs: list[AddedPoint]
    """The new points, in the given order."""
