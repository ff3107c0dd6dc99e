"""The objectives of a search: metrics with directions, and which runs are the best in all of them."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from runwidgets.client.metrics import is_number
from runwidgets.errors import DuplicateArgumentError, InvalidArgumentError
from runwidgets.schema import Direction, JsonValue, Objective, PointRow
from runwidgets.states import RunState

Costs: TypeAlias = tuple[float, ...]
"""A value per objective; the lower, the better, whatever its direction."""


def read_objectives(
    objective: str | Sequence[str] | Mapping[str, Direction], direction: Direction | Sequence[Direction]
) -> list[Objective]:
    """Return the objectives that a caller names.

    Parameters
    ----------
    objective : str, list of str, or mapping
        Names of metrics; a mapping gives the direction of each.
    direction : {"minimize", "maximize"} or list of these
        One for all metrics, or one for each; not used with a mapping.

    Raises
    ------
    InvalidArgumentError
        There is no objective, a direction is unknown, or there are not as many directions as metrics.
    DuplicateArgumentError
        A metric is named twice.
    """
    names = [objective] if isinstance(objective, str) else list(objective)
    if isinstance(objective, Mapping):
        directions = list(objective.values())
    else:
        directions = [direction] * len(names) if isinstance(direction, str) else list(direction)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InvalidArgumentError("objective", f"{objective!r:.80} names no metric", "give its name")
    if len(directions) != len(names):
        raise InvalidArgumentError(
            "direction", f"there are {len(directions)} for {len(names)} metrics", "give one for each"
        )
    for each in directions:
        if each not in ("minimize", "maximize"):
            raise InvalidArgumentError("direction", f"{each!r:.80}", "use 'minimize' or 'maximize'")
    for name in names:
        if names.count(name) > 1:
            raise DuplicateArgumentError("objective", f"'{name}' is named twice")
    return [{"metric": name, "direction": each} for name, each in zip(names, directions, strict=True)]


def read_costs(metrics: Mapping[str, JsonValue], objectives: Sequence[Objective]) -> Costs | None:
    """Return the costs of a run; None unless it has a finite number for each objective."""
    costs = []
    for objective in objectives:
        value = metrics.get(objective["metric"])
        if not is_number(value):
            return None
        costs.append(float(value) if objective["direction"] == "minimize" else -float(value))
    return tuple(costs)


def read_values(costs: Costs, objectives: Sequence[Objective]) -> list[float]:
    """Return the metrics that costs stand for, in the order of the objectives."""
    pairs = zip(costs, objectives, strict=True)
    return [cost if objective["direction"] == "minimize" else -cost for cost, objective in pairs]


def is_gain(costs: Costs, front: Sequence[Costs]) -> bool:
    """Return whether costs are neither equal to others nor worse than them in every objective."""
    return not any(_is_covered(costs, other) for other in front)


def find_front(rows: Sequence[PointRow], objectives: Sequence[Objective]) -> list[PointRow]:
    """Return the best runs, in the given order: those to which no other run is preferable.

    A run is preferable to another if it is better in one objective and not worse in the others. With one
    objective, the best runs are those with the best value.

    Parameters
    ----------
    rows : sequence of dict
        Points of a sweep, in any state.
    objectives : sequence of dict
        At least one.
    """
    costs = {
        row["number"]: row_costs
        for row in rows
        if row["state"] == RunState.SUCCESS.value
        and (row_costs := read_costs(row["metrics"], objectives)) is not None
    }
    front: list[Costs] = []
    for candidate in sorted(set(costs.values())):  # none is preferable to one before it
        if is_gain(candidate, front):
            front.append(candidate)
    best = set(front)
    return [row for row in rows if costs.get(row["number"]) in best]


def _is_covered(costs: Costs, other: Costs) -> bool:
    return all(mine >= theirs for mine, theirs in zip(costs, other, strict=True))
