"""Workflows, groups, uploads and leaderboards."""

from typing import TypeAlias

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.config import Direction, RunConfig
from runwidgets.schema.json_value import JsonValue
from runwidgets.schema.parameters import Dtype, ParameterHandle
from runwidgets.schema.runs import FileDisplay


class WorkflowDescriptor(TypedDict):
    """A workflow in a list."""

    id: str
    name: str
    description: NotRequired[str]
    lastRunAt: NotRequired[str]
    """Time at which the newest run was accepted; absent if there is none."""
    activeRuns: int
    """Number of its active runs."""


class WorkflowList(TypedDict):
    """The workflows, oldest first."""

    workflows: list[WorkflowDescriptor]


class ParameterGroup(TypedDict):
    """Parameters that are shown together."""

    name: str
    """The value of ``group`` in the parameters."""
    title: NotRequired[str]
    """Display name."""
    index: NotRequired[int]
    """Position among the other groups."""


class OutputDeclaration(FileDisplay):
    """Files that every successful run writes."""

    source: str
    """A path or glob, relative to the working folder."""


class MetricDeclaration(TypedDict):
    """A metric by which runs are ranked, as a template declares it."""

    name: str
    label: NotRequired[str]
    """Display name."""
    dtype: NotRequired[Dtype]
    """``float`` if it is omitted."""
    direction: NotRequired[Direction]
    """Whether the least or the greatest value is the best; required to rank by it without asking."""


class ResultsDeclaration(TypedDict):
    """The metrics by which runs are ranked."""

    schema: NotRequired[list[MetricDeclaration]]
    orderBy: NotRequired[list[str]]
    """As in `WorkflowService.get_leaderboard`; the first metric with a direction if it is omitted."""


Declared: TypeAlias = dict[str, JsonValue]
"""Keys of a `ParameterDeclaration` as written by its author: not checked yet, and not complete."""


class TemplateSection(TypedDict, total=False):
    """The template section of a sidecar or of a notebook's metadata; everything may be omitted."""

    name: str
    """Replaces the first heading of the notebook."""
    description: str
    parameters: list[Declared]
    """They complete and override the declarations of the parameters cell."""
    parameterGroups: list[ParameterGroup]
    outputs: list[OutputDeclaration]
    results: ResultsDeclaration
    files: list[str]
    """Static files: paths or globs, relative to the notebook."""
    config: RunConfig
    """Default settings of its runs."""


class TemplateHandle(TypedDict):
    """The parameters and outputs of a workflow."""

    name: str
    description: NotRequired[str]
    parameters: list[ParameterHandle]
    parameterGroups: NotRequired[list[ParameterGroup]]
    """Absent, like the following three, if it declares none."""
    outputs: NotRequired[list[OutputDeclaration]]
    results: NotRequired[ResultsDeclaration]
    config: NotRequired[RunConfig]
    """The default settings of its runs."""
    warnings: NotRequired[list[str]]
    """What could not be understood or will not work, in sentences; absent if there is nothing."""


class GroupReference(TypedDict):
    """A group, as named by its workflow or a leaderboard."""

    id: str
    name: str


class WorkflowGroup(GroupReference):
    """A group of a workflow."""

    config: NotRequired[RunConfig]
    """The default config of its runs, which precedes that of the template; absent if it is empty."""


class WorkflowHandle(TemplateHandle):
    """A registered template."""

    id: str
    version: str
    """SHA-256 of the current version of the template: notebook, declarations and static files."""
    groups: list[WorkflowGroup]
    """The groups in which the user may act, the default group first."""


class GroupDescriptor(GroupReference):
    """A group in a list."""

    workflow: str
    """Id of its workflow."""


class GroupList(TypedDict):
    """The groups that the user may read, oldest first."""

    groups: list[GroupDescriptor]


class Member(TypedDict):
    """A user who may act in a group."""

    id: str
    """Equal to the name."""
    username: str


class UploadHandle(TypedDict):
    """An uploaded file."""

    id: str
    name: str
    createdAt: str
    size: int
    """Size in bytes."""


class UploadList(TypedDict):
    """The uploads of a group, oldest first."""

    files: list[UploadHandle]


class GroupHandle(GroupDescriptor):
    """A group: runs that belong together."""

    members: list[Member]
    parameters: list[ParameterHandle]
    """The parameters of the template, followed by the group's own."""
    files: list[UploadHandle]
    config: RunConfig
    """The default config of its runs."""
    warnings: NotRequired[list[str]]
    """The warnings about the template and the group's own parameters; absent if there is nothing."""


class LeaderboardMetric(TypedDict):
    """A metric of a leaderboard."""

    name: str
    label: str
    """Display name."""
    dtype: Dtype
    direction: NotRequired[Direction]
    """Present if it is declared, or ranks the runs."""


class RankedRun(TypedDict):
    """A run on a leaderboard."""

    id: str
    createdAt: str
    startedAt: str
    finishedAt: str
    values: dict[str, JsonValue]
    """Its arguments and the defaults of its template, by name; secret arguments are masked."""


class RankedResult(TypedDict):
    """A metric of a ranked run."""

    name: str
    value: JsonValue


class LeaderboardEntry(TypedDict):
    """An entry of a leaderboard."""

    run: RankedRun
    group: GroupReference
    results: list[RankedResult]
    """The metrics that the run recorded, in the order of the leaderboard's schema."""


class Leaderboard(TypedDict):
    """The successful runs of a workflow: best first, or newest first if no order is known."""

    schema: list[LeaderboardMetric]
    """The declared metrics, and those that were asked for; all recorded metrics if none is declared."""
    ranking: list[LeaderboardEntry]
