"""The rows about one run with their JSON parsed: what an undamaged database has in them.

Only the columns that the rules read are named. A damaged row may lack a key or have a value of another type;
a rule that meets one raises, and the doctor reports that.
"""

import json
from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from runwidgets.schema import (
    Argument,
    Deletion,
    FileListing,
    JsonValue,
    LogGrowth,
    MetricRecord,
    ParameterHandle,
    PauseChange,
    Progress,
    ReasonName,
    ResultDisplay,
    RunConfig,
    StateChange,
    StateName,
    StoredTemplate,
)
from runwidgets.store.database.integrity_queries import StoredRow

RowKind: TypeAlias = Literal["run", "event", "file", "version", "group"]
"""What a row is about."""
JSON_COLUMNS: dict[RowKind, tuple[str, ...]] = {
    "run": ("arguments", "config", "messages", "progress", "metrics"),
    "event": ("data",),
    "file": ("display",),
    "version": ("template",),
    "group": ("parameters",),
}
"""Columns of each row that contain JSON; only a run's ``progress`` may be empty."""


class ParsedRun(TypedDict):
    """A row of the table `runs`."""

    id: str
    state: StateName
    arguments: list[Argument]
    config: RunConfig
    reason: ReasonName | None
    progress: Progress | None
    metrics: dict[str, JsonValue]
    fingerprint: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    host: str | None
    instance: str | None
    holds_slot: bool


class ParsedStateChange(TypedDict):
    """A row of the table `events`: the run moved to another state."""

    kind: Literal["state"]
    data: StateChange


class ParsedProgress(TypedDict):
    """A row of the table `events`: the run made progress."""

    kind: Literal["progress"]
    data: Progress


class ParsedMetric(TypedDict):
    """A row of the table `events`: the run recorded a metric."""

    kind: Literal["metric"]
    data: MetricRecord


class ParsedNotice(TypedDict):
    """A row of the table `events` of another kind."""

    kind: Literal["log", "files", "deleted", "paused"]
    data: LogGrowth | FileListing | Deletion | PauseChange


ParsedEvent: TypeAlias = ParsedStateChange | ParsedProgress | ParsedMetric | ParsedNotice
"""A row of the table `events`."""


class ParsedFile(TypedDict):
    """A row of the table `files`."""

    name: str
    size: int
    sha256: str | None
    display: ResultDisplay


class ParsedVersion(TypedDict):
    """A row of the table `versions`."""

    sha256: str
    notebook: str
    template: StoredTemplate


class ParsedGroup(TypedDict):
    """A row of the table `groups`."""

    parameters: list[ParameterHandle]


def parse_row(kind: RowKind, row: StoredRow, damage: list[str]) -> dict[str, JsonValue]:
    """Return a row with its JSON parsed.

    Parameters
    ----------
    kind : str
        What the row is about.
    row : dict
        The row as stored.
    damage : list of str
        Receives a sentence about each column that is not JSON; such a column keeps its text.

    Raises
    ------
    LookupError
        A column is missing.
    """
    parsed: dict[str, JsonValue] = {**row}
    for name in JSON_COLUMNS[kind]:
        text = row[name]
        try:
            parsed[name] = None if text is None else json.loads(str(text))
        except ValueError:
            damage.append(f"column {name} of its {kind} is not JSON")
    return parsed
