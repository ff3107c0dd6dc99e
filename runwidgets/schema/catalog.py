"""Workflows, groups, uploads and leaderboards."""

from typing import TypeAlias

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.config import RunConfig
from runwidgets.schema.json_value import JsonValue
from runwidgets.schema.parameters import Dtype, ParameterHandle
from runwidgets.schema.runs import FileDisplay


class WorkflowDescriptor(TypedDict):
    """What lists say of a workflow."""

    id: str
    name: str
    description: NotRequired[str]
    lastRunAt: NotRequired[str]
    """When the newest run was accepted; absent where there is none."""
    activeRuns: int
    """Number of its runs that are active."""


class WorkflowList(TypedDict):
    """The workflows, oldest first."""

    workflows: list[WorkflowDescriptor]


class ParameterGroup(TypedDict):
    """Parameters that are shown together."""

    name: str
    """What the parameters name in ``group``."""
    title: NotRequired[str]
    """Shown to people instead of the name."""
    index: NotRequired[int]
    """Where it stands among the others."""


class OutputDeclaration(FileDisplay):
    """Files that every successful run writes."""

    source: str
    """A path or glob, relative to the working folder."""


class MetricDeclaration(TypedDict):
    """A metric by which runs are ranked, as a template declares it."""

    name: str
    label: NotRequired[str]
    """Shown to people instead of the name."""
    dtype: NotRequired[Dtype]
    """``float`` where it is omitted."""


class ResultsDeclaration(TypedDict):
    """What runs are ranked by."""

    schema: NotRequired[list[MetricDeclaration]]


Declared: TypeAlias = dict[str, JsonValue]
"""Keys of a `ParameterDeclaration`, as somebody wrote them down: not checked yet, and not complete."""


class TemplateSection(TypedDict, total=False):
    """What a sidecar, or the metadata of a notebook, says of a template; everything may be omitted."""

    name: str
    """Instead of the first heading of the notebook."""
    description: str
    parameters: list[Declared]
    """They complete, and correct, what the cell of parameters says."""
    parameterGroups: list[ParameterGroup]
    outputs: list[OutputDeclaration]
    results: ResultsDeclaration
    files: list[str]
    """Static files: paths or globs, relative to the notebook."""


class TemplateHandle(TypedDict):
    """What a template asks for and gives."""

    name: str
    description: NotRequired[str]
    parameters: list[ParameterHandle]
    parameterGroups: NotRequired[list[ParameterGroup]]
    """Absent, as the following two, where it declares none."""
    outputs: NotRequired[list[OutputDeclaration]]
    results: NotRequired[ResultsDeclaration]


class GroupReference(TypedDict):
    """A group, as its workflow or a leaderboard names it."""

    id: str
    name: str


class WorkflowHandle(TemplateHandle):
    """A registered template."""

    id: str
    groups: list[GroupReference]
    """Those that the user may act in, the default one first."""


class GroupDescriptor(GroupReference):
    """What lists say of a group."""

    workflow: str
    """Id of its workflow."""


class GroupList(TypedDict):
    """The groups that the user may read, oldest first."""

    groups: list[GroupDescriptor]


class Member(TypedDict):
    """A user who may act in a group."""

    id: str
    """The same as the name."""
    username: str


class UploadHandle(TypedDict):
    """An uploaded file."""

    id: str
    name: str
    createdAt: str
    size: int
    """Bytes."""


class UploadList(TypedDict):
    """The uploads of a group, oldest first."""

    files: list[UploadHandle]


class GroupHandle(GroupDescriptor):
    """A group: runs that belong together."""

    members: list[Member]
    parameters: list[ParameterHandle]
    """Those of the template, and the group's own after them."""
    files: list[UploadHandle]
    config: RunConfig
    """Settings of its runs, where a run gives none."""


class LeaderboardMetric(TypedDict):
    """A metric of a leaderboard."""

    name: str
    label: str
    """Shown to people."""
    dtype: Dtype


class RankedRun(TypedDict):
    """A run on a leaderboard."""

    id: str
    createdAt: str
    finishedAt: str


class RankedResult(TypedDict):
    """A metric of a ranked run."""

    name: str
    value: JsonValue


class LeaderboardEntry(TypedDict):
    """A place on a leaderboard."""

    run: RankedRun
    group: GroupReference
    results: list[RankedResult]
    """Those of the schema's metrics that the run recorded, in the order of the schema."""


class Leaderboard(TypedDict):
    """The successful runs of a workflow, best first."""

    schema: list[LeaderboardMetric]
    ranking: list[LeaderboardEntry]
