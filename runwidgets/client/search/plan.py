"""The plan of a search: what a caller asks for, checked, and compared with the search that is resumed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from runwidgets.client.search.space import SearchSpace, is_searched
from runwidgets.errors import InvalidArgumentError
from runwidgets.schema import JsonValue, Objective, PointRow, SearchConfig
from runwidgets.templates.arguments import coerce_mapping, file_references

SAME_OR_NEW = "give the same, or start another search"


@dataclass(frozen=True)
class SearchPlan:
    """What is searched for, and where."""

    space: SearchSpace
    fixed: Mapping[str, object]
    """The arguments of all runs."""
    objectives: Sequence[Objective]
    first: Sequence[Mapping[str, Any]]
    """Points to try first."""

    def describe(self, seed: int, study: str) -> SearchConfig:
        """Return what is stored with the sweep."""
        return {
            "objectives": list(self.objectives),
            "space": self.space.describe(),
            "seed": seed,
            "study": study,
        }

    def check_unchanged(self, earlier: SearchConfig) -> None:
        """Check that a search that is resumed had the same space and objectives.

        Raises
        ------
        InvalidArgumentError
            Something differs; the message names it.
        """
        if earlier["objectives"] != self.objectives:
            text = ", ".join(f"{each['metric']}: {each['direction']}" for each in earlier["objectives"])
            raise InvalidArgumentError("objective", f"the search that is resumed has {text}", SAME_OR_NEW)
        now, before = self.space.describe(), earlier["space"]
        for name in dict.fromkeys([*before, *now]):
            if name not in before:
                _refuse(name, "did not search it")
            if before[name] != now.get(name):
                _refuse(name, f"searched {before[name]}")

    def check_point(self, row: PointRow) -> None:
        """Check that the point of a search that is resumed is in the space, and has the fixed arguments.

        Raises
        ------
        InvalidArgumentError
            It is not, or has others; the message names the parameter.
        """
        self.space.read(row["arguments"], f"point {row['number']} of the search that is resumed")
        for argument in coerce_mapping(self.fixed):
            stored = row["arguments"].get(argument["name"])
            if _differs(argument["value"], stored):
                _refuse(argument["name"], f"has {stored!r:.80}")


def read_plan(
    values: Mapping[str, object], objectives: Sequence[Objective], enqueue: Sequence[Mapping[str, object]]
) -> SearchPlan:
    """Return the plan for what a caller gives.

    Parameters
    ----------
    values : mapping
        Distributions, several values, or a fixed value, by parameter.
    objectives : sequence of dict
        What is optimised.
    enqueue : sequence of mapping
        Points to try first.

    Raises
    ------
    InvalidArgumentError
        No parameter is to be searched, or a value is not valid.
    """
    space = SearchSpace({name: each for name, each in values.items() if is_searched(each)})
    if not space.distributions:
        problem = "no parameter is to be searched"
        raise InvalidArgumentError("space", problem, "give one such as lr=rw.uniform(0, 1)")
    first = []
    for number, point in enumerate(enqueue, 1):
        if not isinstance(point, Mapping) or not point:
            raise InvalidArgumentError(
                "enqueue", f"point {number} is {point!r:.80}", "give values by parameter"
            )
        for name in point:
            if name not in space.distributions:
                raise InvalidArgumentError(
                    "enqueue", f"point {number} has {name!r:.80}, which is not searched"
                )
        first.append(space.read(point, f"point {number} of enqueue"))
    fixed = {name: each for name, each in values.items() if not is_searched(each)}
    return SearchPlan(space, fixed, objectives, first)


def _refuse(name: str, problem: str) -> NoReturn:
    raise InvalidArgumentError(name, f"the search that is resumed {problem}", SAME_OR_NEW)


def _differs(value: JsonValue, stored: JsonValue) -> bool:
    """Return whether two values differ; a text may be another value after its cast, or a path to upload."""
    is_cast = isinstance(value, str) and not isinstance(stored, str)
    return not is_cast and not file_references(stored) and value != stored
