"""The leaderboard of a workflow: its successful runs, ranked by metrics."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from runwidgets.errors import InvalidArgumentError
from runwidgets.record import read_value
from runwidgets.schema import (
    Dtype,
    JsonValue,
    Leaderboard,
    LeaderboardEntry,
    LeaderboardMetric,
    ResultsDeclaration,
)
from runwidgets.service.local.components import Components
from runwidgets.store.database.leaderboard import read_score
from runwidgets.templates.ranking import MetricOrder, declared_directions, declared_order, parse_order

LEADERBOARD_SIZE = 10_000
"""Maximum number of runs on a leaderboard of all runs."""
METRIC_DTYPES: dict[type, Dtype] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    list: "list",
    dict: "record",
}
"""Types of recorded metrics."""


def make_leaderboard(
    components: Components,
    workflow: Row[Any],
    groups: Sequence[Row[Any]],
    order_by: list[str] | None,
    *,
    include_all: bool,
) -> Leaderboard:
    """Rank the successful runs of a workflow; see `WorkflowService.get_leaderboard`.

    Parameters
    ----------
    components : Components
        The instance.
    workflow : Row
        The workflow.
    groups : sequence of Row
        The groups whose runs are ranked.
    order_by : list of str or None
        The metrics; None for the order that the template declares.
    include_all : bool
        Whether all runs are ranked, not only the best one of each group.

    Raises
    ------
    InvalidArgumentError
        A metric has no direction, or no run has recorded it as a number.
    """
    declared = components.catalog.get_version(workflow.version_id).template["results"]
    order = _find_order(components, groups, declared, order_by)
    ranking = [(name, direction == "maximize") for name, direction in order]
    limit = LEADERBOARD_SIZE if include_all else None
    rows = list(components.runs.best([group.id for group in groups], ranking, limit))
    if not order:
        rows.reverse()  # newest first
    for name, is_descending in reversed(ranking):
        rows.sort(key=lambda row: _sort_key(row.metrics.get(name), is_descending))
    schema = _make_schema(declared, order, [row.metrics for row in rows[:limit]])
    versions = {row.version_id for row in rows[:limit]}
    defaults = {version_id: _read_defaults(components, version_id) for version_id in versions}
    names = {group.id: group.name for group in groups}
    entries = [_entry(row, names[row.group_id], schema, defaults[row.version_id]) for row in rows[:limit]]
    return {"schema": schema, "ranking": entries}


def _find_order(
    components: Components,
    groups: Sequence[Row[Any]],
    declared: ResultsDeclaration,
    order_by: list[str] | None,
) -> list[MetricOrder]:
    """Return the order that is asked for, or declared.

    Raises
    ------
    InvalidArgumentError
        A metric has no direction; or it is not declared, and there are runs, but none has recorded it.
    """
    if not order_by:
        return declared_order(declared)
    order = [parse_order(text, declared_directions(declared)) for text in order_by]
    names = [name for name, _ in order]
    group_ids = [group.id for group in groups]
    known = {each["name"] for each in declared.get("schema", [])}
    known |= components.runs.find_ranked(group_ids, names)
    unknown = [name for name in names if name not in known]
    newest = components.runs.best(group_ids, [], 1)
    if unknown and newest:
        recorded = ", ".join(sorted(max(newest, key=lambda row: row.created_at).metrics)) or "nothing"
        problem = f"no run has recorded '{unknown[0]:.60}' as a number"
        raise InvalidArgumentError("orderBy", problem, f"the newest run recorded {recorded:.200}")
    return order


def _make_schema(
    declared: ResultsDeclaration, order: Sequence[MetricOrder], metrics: Sequence[dict[str, JsonValue]]
) -> list[LeaderboardMetric]:
    """Return the declared metrics, and those of the order; all recorded ones if none is declared."""
    schema: dict[str, LeaderboardMetric] = {
        each["name"]: {
            **each,
            "label": each.get("label", each["name"]),
            "dtype": each.get("dtype", "float"),
        }
        for each in declared.get("schema", [])
    }
    recorded = [] if schema else [name for each in metrics for name in each]
    for name in dict.fromkeys([*(name for name, _ in order), *recorded]):
        if name not in schema:
            dtype = _find_dtype(each[name] for each in metrics if name in each)
            schema[name] = {"name": name, "label": name, "dtype": dtype}
    for name, direction in order:
        schema[name]["direction"] = direction
    return list(schema.values())


def _find_dtype(values: Iterable[JsonValue]) -> Dtype:
    """Return the type of recorded values; `any` if they have several."""
    kinds = {type(read_value(value)) for value in values} - {type(None)}
    if kinds == {int, float}:
        return "float"
    return METRIC_DTYPES[kinds.pop()] if len(kinds) == 1 else "any"


def _read_defaults(components: Components, version_id: int) -> dict[str, JsonValue]:
    parameters = components.catalog.get_version(version_id).template["handle"]["parameters"]
    return {each["name"]: each["defaultValue"] for each in parameters if "defaultValue" in each}


def _entry(
    row: Row[Any], group_name: str, schema: Sequence[LeaderboardMetric], defaults: dict[str, JsonValue]
) -> LeaderboardEntry:
    return {
        "run": {
            "id": row.id,
            "createdAt": row.created_at,
            "startedAt": row.started_at,
            "finishedAt": row.finished_at,
            "values": {**defaults, **{each["name"]: each["value"] for each in row.arguments}},
        },
        "group": {"id": row.group_id, "name": group_name},
        "results": [
            {"name": each["name"], "value": row.metrics[each["name"]]}
            for each in schema
            if each["name"] in row.metrics
        ],
    }


def _sort_key(value: JsonValue, is_descending: bool) -> tuple[int, float]:
    """Sort numbers in the given order, followed by NaN and values that are not numbers."""
    score = read_score(value)
    if score is None:
        return 1, 0.0
    return 0, -score if is_descending else score
