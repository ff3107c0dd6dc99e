"""What is inserted into the tables, by column; what the database knows itself is left out."""

from typing_extensions import TypedDict

from runwidgets.schema import (
    Argument,
    ListedResult,
    ParameterHandle,
    RunConfig,
    StoredTemplate,
    SweepConfig,
)


class WorkflowChange(TypedDict, total=False):
    """What may change of a workflow."""

    name: str
    is_named: bool
    """Whether a user gave the name, and not the template."""
    description: str | None
    is_described: bool
    """Whether a user gave the description, and not the template."""
    fingerprint: str
    """Changes when the notebook does."""


class NewWorkflow(WorkflowChange):
    """A workflow."""

    id: str
    source: str
    """Path of the notebook."""


class NewVersion(TypedDict):
    """A version of a template."""

    sha256: str
    """Of the notebook, the declarations and the files beside it."""
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
    """Where a run stands in a sweep."""

    sweep_id: str
    rank: int
    """The lowest is claimed first."""


class NewRun(SweepPlace):
    """A run; of one that no sweep starts the place is absent."""

    id: str
    group_id: str
    workflow_id: str
    version_id: int
    arguments: list[Argument]
    """As they are shown."""
    config: RunConfig
    fingerprint: str | None
    """Equal for runs that must come to the same."""
    idempotency_key: str | None
    created_by: str | None


class NewFile(ListedResult):
    """A result file."""

    id: str
    mime_type: str
