"""The row of a run, and the columns of new rows without those that the database fills in."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from typing_extensions import NotRequired, TypedDict

from runwidgets.schema import (
    Argument,
    ListedResult,
    ParameterHandle,
    RunConfig,
    StoredTemplate,
    SweepConfig,
)

RunRow = Row[Any]
"""A row of the table `runs`."""


class WorkflowChange(TypedDict, total=False):
    """The columns of a workflow that may change."""

    name: str
    is_named: bool
    """Whether the name was given by a user, and not by the template."""
    description: str | None
    is_described: bool
    """Whether the description was given by a user, and not by the template."""
    fingerprint: str
    """The fingerprint, which changes with the notebook."""


class NewWorkflow(WorkflowChange):
    """A workflow."""

    id: str
    source: str
    """Path of the notebook."""


class NewVersion(TypedDict):
    """A version of a template."""

    sha256: str
    """Hash of the notebook, the declarations and the files beside it."""
    notebook: str
    """SHA-256 of the stored copy."""
    template: StoredTemplate


class NewGroup(TypedDict):
    """A group."""

    id: str
    workflow_id: str
    name: str
    owner: str | None
    parameters: list[ParameterHandle]
    config: RunConfig


class NewUpload(TypedDict):
    """An upload."""

    id: str
    group_id: str
    name: str
    sha256: str
    size: int


class NewSweep(TypedDict):
    """A sweep."""

    id: str
    group_id: str
    name: str | None
    config: SweepConfig
    idempotency_key: str | None
    stops_on_error: bool
    parallel: int | None
    created_by: str | None


class SweepPlace(TypedDict, total=False):
    """The position of a run in a sweep."""

    sweep_id: str
    rank: int
    """The run with the lowest rank is claimed first."""


class NewRun(SweepPlace):
    """A run; the position is omitted if no sweep starts it."""

    id: str
    group_id: str
    workflow_id: str
    version_id: int
    arguments: list[Argument]
    """As shown to users, without secret values."""
    config: RunConfig
    fingerprint: str | None
    """Equal for runs with the same results."""
    idempotency_key: str | None
    created_by: str | None
    uploads: NotRequired[list[str]]
    """Ids of the uploads that its arguments name; not a column, but rows of `run_uploads`."""


class NewFile(ListedResult):
    """A result file."""

    id: str
    mime_type: str


@dataclass(frozen=True)
class Point:
    """A new point of a sweep."""

    run_id: str
    arguments: list[Argument]
    """As shown to users, without secret values."""
