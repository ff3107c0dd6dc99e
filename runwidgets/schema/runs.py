"""Runs, and what they leave behind."""

from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.config import RunConfig
from runwidgets.schema.json_value import JsonValue
from runwidgets.schema.parameters import Argument, ParameterHandle

StateName: TypeAlias = Literal["PENDING", "RUNNING", "SUCCESS", "ERROR", "CANCELED"]
"""A `RunState` as text."""
ReasonName: TypeAlias = Literal[
    "cell_error",
    "kernel_died",
    "out_of_memory",
    "kernel_not_started",
    "timeout",
    "outputs_missing",
    "results_too_large",
    "storage_full",
    "file_error",
    "runner_not_started",
    "runner_died",
    "worker_failed",
    "worker_lost",
    "version_mismatch",
    "canceled",
    "shutdown",
    "sweep_stopped",
    "pruned",
    "internal_error",
]
"""A `RunReason` as text."""


class RunDescriptor(TypedDict):
    """What lists say of a run."""

    id: str
    state: StateName
    createdAt: str
    """When it was accepted: ISO 8601, UTC, as all times are."""


class FileDisplay(TypedDict, total=False):
    """How a file is shown, as far as the template says so."""

    title: str
    caption: str
    widget: str
    """What shows it."""
    format: JsonValue
    """Settings of what shows it."""


class ResultFileHandle(FileDisplay):
    """A file that a run left behind."""

    id: str
    name: str
    """Relative to the working folder."""
    mimeType: str
    size: int
    """Bytes."""
    sha256: str


class CellProgress(TypedDict, total=False):
    """The code cell that a run is on; nothing before the first begins."""

    cell: int
    """Its number, from 1."""
    cells: int
    """Number of code cells."""
    source: str
    """First line of the cell."""


class ProgressReport(CellProgress, total=False):
    """What has been said of how far a run is."""

    fraction: float
    """Between 0 and 1."""
    text: str
    """What the notebook reported."""


class Progress(CellProgress):
    """How far a run is."""

    fraction: float
    """Between 0 and 1: what the notebook reported, or the share of the cells that have ended."""
    text: str
    """What the notebook reported; empty where it reported nothing."""
    heartbeatAt: str
    """When this was noted."""


class RunHandle(RunDescriptor):
    """A run."""

    workflowId: str
    groupId: str
    arguments: list[Argument]
    """As they were given, without defaults; a secret one is masked."""
    parameters: list[ParameterHandle]
    """What its template asked for."""
    metrics: dict[str, JsonValue]
    """The last value of each, by name."""
    config: RunConfig
    """Its settings; those of its group are among them."""
    notebook: str
    """File name of the template."""
    sweepId: NotRequired[str]
    """The sweep that started it, where one did."""
    progress: NotRequired[Progress]
    """Once it has said how far it is."""
    startedAt: NotRequired[str]
    """Once it has begun."""
    finishedAt: NotRequired[str]
    """Once it has ended."""
    reason: NotRequired[ReasonName]
    """Of ERROR and CANCELED: why."""
    messages: NotRequired[list[str]]
    """Of ERROR and CANCELED: the same, for people."""
    files: NotRequired[list[ResultFileHandle]]
    """Of SUCCESS."""


class RunList(TypedDict):
    """A page of the runs of a group, oldest first."""

    runs: list[RunDescriptor]
    next: NotRequired[str]
    """The `before` of the next page; absent on the last."""


class TablePage(TypedDict):
    """A page of runs as the rows of a table."""

    columns: list[str]
    """``id``, ``state``, ``createdAt``, ``startedAt``, ``finishedAt``, ``arguments`` and ``metrics`` (objects
    by name), ``reason``, ``message``; of the points of a sweep ``number`` before them."""
    rows: list[list[JsonValue]]
    """The cells of each run, in the order of the columns; null where a run has nothing there."""
    next: NotRequired[str]
    """The `before` or `after` of the next page; absent on the last."""


class TableRow(TypedDict):
    """A row of a table, by column."""

    id: str
    state: StateName
    createdAt: str
    startedAt: str | None
    finishedAt: str | None
    arguments: dict[str, JsonValue]
    """By name."""
    metrics: dict[str, JsonValue]
    """By name."""
    reason: ReasonName | None
    message: str | None
    """The first of its messages."""


class PointRow(TableRow):
    """A row of the points of a sweep, by column."""

    number: int
    """The point's, from 1."""


class LogPiece(TypedDict):
    """A piece of what a notebook printed."""

    text: str
    """Whole characters."""
    offset: int
    """Byte of the log at which the text begins."""
    next: int
    """Byte at which the following piece begins."""
    size: int
    """Bytes that the log has now."""


SeriesValue: TypeAlias = float | Literal["NaN", "Infinity", "-Infinity"]
"""A number; what JSON has no number for is text."""


class Series(TypedDict):
    """The values of a metric by step; both lists are equally long."""

    steps: list[float]
    """They grow."""
    values: list[SeriesValue]


class RunSeries(TypedDict):
    """All series of a run."""

    series: dict[str, Series]
    """By name of the metric."""
