"""Runs and their results."""

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
    "no_reply",
    "timeout",
    "outputs_missing",
    "results_too_large",
    "storage_full",
    "file_error",
    "input_changed",
    "runner_not_started",
    "runner_died",
    "worker_failed",
    "worker_lost",
    "version_mismatch",
    "canceled",
    "shutdown",
    "sweep_stopped",
    "pruned",
    "search_interrupted",
    "internal_error",
]
"""A `RunReason` as text."""


class RunDescriptor(TypedDict):
    """A run in a list: its descriptor."""

    id: str
    state: StateName
    createdAt: str
    """Time of acceptance: ISO 8601, UTC, like all times."""


class FileDisplay(TypedDict, total=False):
    """Display options of a file from the template."""

    title: str
    caption: str
    widget: str
    """The widget that displays it."""
    format: JsonValue
    """Options of the widget."""


class FileHandle(FileDisplay):
    """A file that a run left."""

    id: str
    name: str
    """Path relative to the working folder."""
    mimeType: str
    size: int
    """Size in bytes."""


class ResultFileHandle(FileHandle):
    """A result file of a run."""

    sha256: str


class PartialFileHandle(FileHandle):
    """A partial file: one that a run without success left, which is not a result."""

    sha256: NotRequired[str]
    """Absent if the file was not hashed: a run's partial files are hashed up to 64 MB in total."""


class CellProgress(TypedDict, total=False):
    """The code cell that a run executes; empty before the first one begins."""

    cell: int
    """Number of the cell, from 1."""
    cells: int
    """Number of code cells."""
    source: str
    """First line of the cell."""


class ProgressReport(CellProgress, total=False):
    """What has been reported of the progress of a run."""

    fraction: float
    """Between 0 and 1."""
    text: str
    """The text that the notebook reported."""
    endedEarly: int
    """Number of the code cell that ended the run."""
    errors: int
    """Number of cells that raised an exception which the config allows."""


class Progress(CellProgress):
    """The progress of a run."""

    fraction: float
    """Between 0 and 1: as reported by the notebook, or the share of the cells that have ended; 1 if the run
    is SUCCESS."""
    text: str
    """The text that the notebook reported; empty if there is none."""
    heartbeatAt: str
    """Time of this report."""
    endedEarly: NotRequired[int]
    """Number of the code cell that ended the run successfully, as ``sys.exit()`` does; absent if none did."""
    errors: NotRequired[int]
    """Number of cells that raised an exception, after which the run went on because of its config
    (``allow_errors``); absent if none did."""


class RunHandle(RunDescriptor):
    """A run."""

    workflowId: str
    groupId: str
    arguments: list[Argument]
    """The given arguments, without defaults; secret ones are masked."""
    parameters: list[ParameterHandle]
    """The parameters of its template."""
    metrics: dict[str, JsonValue]
    """The last value of each metric, by name."""
    config: RunConfig
    """The config of the run, including that of its group."""
    notebook: str
    """File name of the template."""
    version: str
    """SHA-256 of its version of the template: notebook, declarations and static files."""
    warnings: NotRequired[list[str]]
    """The warnings about its template and its group's parameters; absent if there is nothing."""
    sweepId: NotRequired[str]
    """The sweep that started it, if there is one."""
    progress: NotRequired[Progress]
    """Present once progress was reported."""
    startedAt: NotRequired[str]
    """Present once the run is no longer PENDING; of one that never began, the moment of its end."""
    finishedAt: NotRequired[str]
    """Present once the run has ended."""
    reason: NotRequired[ReasonName]
    """The reason of an ERROR or CANCELED run."""
    messages: NotRequired[list[str]]
    """Messages for people about an ERROR or CANCELED run."""
    files: NotRequired[list[ResultFileHandle]]
    """The result files of a SUCCESS run."""
    partialFiles: NotRequired[list[PartialFileHandle]]
    """What an ERROR or CANCELED run left: the files of its working folder, and its executed notebook."""
    isEnding: NotRequired[bool]
    """True while the processes of a CANCELED run are being stopped, before its partial files are listed."""


class RunList(TypedDict):
    """A page of the runs of a group, oldest first."""

    runs: list[RunDescriptor]
    next: NotRequired[str]
    """The `before` of the next page; absent on the last page."""


class TablePage(TypedDict):
    """A page of runs as the rows of a table."""

    columns: list[str]
    """``id``, ``state``, ``createdAt``, ``startedAt``, ``finishedAt``, ``arguments`` and ``metrics`` (objects
    by name), ``reason``, ``cell``, ``message``; of the points of a sweep ``number`` before them."""
    rows: list[list[JsonValue]]
    """The cells of each run, in the order of the columns; null for a missing value."""
    next: NotRequired[str]
    """The `before` or `after` of the next page; absent on the last page."""


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
    cell: int | None
    """Number of the code cell that began last, as in `CellProgress`: the one that failed, if one did."""
    message: str | None
    """The first message."""


class PointRow(TableRow):
    """A row of the points of a sweep, by column."""

    number: int
    """Number of the point, from 1."""


class LogPiece(TypedDict):
    """A part of what a notebook printed."""

    text: str
    """The text, in whole characters."""
    offset: int
    """Offset of the text in the log, in bytes."""
    next: int
    """Offset of the next part, in bytes."""
    size: int
    """Current size of the log in bytes."""


SeriesValue: TypeAlias = float | Literal["NaN", "Infinity", "-Infinity"]
"""A number; special values that JSON cannot express are text."""


class Series(TypedDict):
    """The values of a metric by step; both lists have the same length."""

    steps: list[float]
    """Steps in ascending order."""
    values: list[SeriesValue]


class RunSeries(TypedDict):
    """All series of a run."""

    series: dict[str, Series]
    """By name of the metric."""
