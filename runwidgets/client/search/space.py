"""The space of a search: a distribution for each searched parameter, in our words and in Optuna's."""

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from runwidgets.client.metrics import is_number
from runwidgets.errors import InvalidArgumentError
from runwidgets.schema import JsonValue
from runwidgets.spaces.distributions import (
    Choice,
    Distribution,
    Integers,
    LogUniform,
    Uniform,
    is_several,
    list_values,
    plain,
)
from runwidgets.templates.arguments import coerce_mapping

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Choosable: TypeAlias = bool | int | float | str | None
"""What Optuna can choose."""
PointKey: TypeAlias = tuple[str, ...]
"""Equal for equal points."""
MAX_DRAWS = 1000
"""Random points that are drawn at most to find one that has not been tried."""


class SearchSpace:
    """The parameters that are searched, each with its distribution.

    Parameters
    ----------
    values : mapping
        By parameter: a distribution, or several values to choose from.

    Attributes
    ----------
    size : int or None
        Number of points; None if a parameter has infinitely many values.

    Raises
    ------
    InvalidArgumentError
        A value has no JSON form.

    Notes
    -----
    Optuna chooses scalars, and takes equal ones such as 1 and True for one. Of any other values it chooses
    their labels, which are their JSON.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self._given = {name: _as_distribution(name, values[name]) for name in sorted(values)}
        self._labelled = {
            name: {_label(name, value): value for value in each.values}
            for name, each in self._given.items()
            if isinstance(each, Choice) and not _are_choosable(each.values)
        }
        self._parameters = {
            name: Choice(tuple(self._labelled[name])) if name in self._labelled else each
            for name, each in self._given.items()
        }
        values_of = {name: _list_values(each) for name, each in self._parameters.items()}
        self._finite = {name: each for name, each in values_of.items() if each is not None}
        is_finite = len(self._finite) == len(self._parameters)
        self.size = math.prod(len(each) for each in self._finite.values()) if is_finite else None
        self.distributions = {name: _to_optuna(each) for name, each in self._parameters.items()}

    def describe(self) -> dict[str, JsonValue]:
        """Return the distributions as JSON, to be stored with the sweep and compared when it is resumed."""
        return {name: _describe(name, each) for name, each in self._given.items()}

    def arguments(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a point that Optuna has chosen."""
        return {
            name: self._labelled[name][value] if name in self._labelled else value
            for name, value in point.items()
        }

    def key(self, point: Mapping[str, object]) -> PointKey:
        """Return a key that is equal for equal points of this space."""
        return tuple(repr(point.get(name)) for name in self._parameters)

    def read(self, point: Mapping[str, object], subject: str) -> dict[str, Any]:
        """Return the values of searched parameters in a point, in the form in which Optuna chooses them.

        Parameters
        ----------
        point : mapping
            Values by parameter, as a user or a run handle gives them.
        subject : str
            Name of the point in error messages.

        Raises
        ------
        InvalidArgumentError
            A value is not in the space.
        """
        return {name: self._read(name, point[name], subject) for name in self._parameters if name in point}

    def fixed_value(self, name: str) -> list[Choosable]:
        """Return the only value of a parameter in a list, or an empty list if it has several."""
        values = self._finite.get(name, [])
        return list(values) if len(values) == 1 else []

    def find_untried(
        self, tried: Collection[PointKey], fixed: Mapping[str, Any], source: Random
    ) -> dict[str, Any] | None:
        """Return a random point with some fixed values that has not been tried; None if there is none.

        Parameters
        ----------
        tried : collection of tuple
            Keys of the points that are excluded.
        fixed : mapping
            Values by parameter.
        source : Random
            The source of randomness.
        """
        finite = {**self._finite, **{name: [value] for name, value in fixed.items()}}
        if len(finite) == len(self._parameters):
            size = math.prod(len(each) for each in finite.values())
            first = source.randrange(size)
            points = (self._point(finite, (first + step) % size) for step in range(size))
        else:
            points = (
                {**{name: each.draw(source) for name, each in self._parameters.items()}, **fixed}
                for _ in range(MAX_DRAWS)
            )
        return next((point for point in points if self.key(point) not in tried), None)

    def _point(self, finite: Mapping[str, Sequence[Any]], index: int) -> dict[str, Any]:
        point = {}
        for name in self._parameters:
            index, at = divmod(index, len(finite[name]))
            point[name] = finite[name][at]
        return point

    def _read(self, name: str, value: object, subject: str) -> Any:
        distribution = self._given[name]
        for known in _find_values(name, distribution, plain(value)):
            return _label(name, known) if name in self._labelled else known
        text = json.dumps(_describe(name, distribution))
        raise InvalidArgumentError(name, f"{subject} has {value!r:.80}, which is not in {text:.200}")


def is_searched(value: object) -> bool:
    """Return whether an argument of a search is a distribution or several values, not one fixed value."""
    return isinstance(value, Distribution) or is_several(value)


def _as_distribution(name: str, values: object) -> Distribution:
    if isinstance(values, (Uniform, LogUniform, Integers)):
        return values
    unique: dict[str, object] = {}
    for value in values.values if isinstance(values, Choice) else list_values(name, values):
        unique.setdefault(_label(name, value), value)
    return Choice(tuple(unique.values()))


def _are_choosable(values: Sequence[object]) -> bool:
    """Return whether Optuna can choose from values: scalars, all of them different."""
    are_scalars = all(each is None or isinstance(each, (bool, int, float, str)) for each in values)
    is_finite = not any(isinstance(each, float) and not math.isfinite(each) for each in values)
    return are_scalars and is_finite and len(set(values)) == len(values)


def _label(name: str, value: object) -> str:
    return json.dumps(_plain(name, value), ensure_ascii=False)


def _find_values(name: str, distribution: Distribution, value: Any) -> Iterator[Any]:
    """Yield the values of a distribution that are equal to one as a user or a run handle gives it."""
    if isinstance(distribution, Choice):
        key, label = (isinstance(value, bool), _plain(name, value)), _label(name, value)
        same = [each for each in distribution.values if (isinstance(each, bool), _plain(name, each)) == key]
        yield from sorted(same, key=lambda each: _label(name, each) != label)
    elif is_number(value) and distribution.low <= value <= distribution.high:
        if not isinstance(distribution, Integers):
            yield float(value)
        elif (value - distribution.low) % distribution.step == 0:
            yield int(value)


def _list_values(distribution: Distribution) -> Sequence[Any] | None:
    """Return all values of a distribution; None if there are infinitely many."""
    if isinstance(distribution, Choice):
        return distribution.values
    if isinstance(distribution, Integers):
        return range(distribution.low, distribution.high + 1, distribution.step)
    return None


def _to_optuna(distribution: Distribution) -> "BaseDistribution":
    from optuna import distributions

    if isinstance(distribution, Choice):
        return distributions.CategoricalDistribution(distribution.values)  # type: ignore[arg-type]
    if isinstance(distribution, Integers):
        numbers = range(distribution.low, distribution.high + 1, distribution.step)
        log, step = distribution.log, distribution.step
        return distributions.IntDistribution(numbers[0], numbers[-1], log=log, step=step)
    is_log = isinstance(distribution, LogUniform)
    return distributions.FloatDistribution(distribution.low, distribution.high, log=is_log)


def _describe(name: str, distribution: Distribution) -> JsonValue:
    described: dict[str, JsonValue] = {
        key: _plain(name, value) for key, value in asdict(distribution).items()
    }
    return {"distribution": type(distribution).__name__.lower(), **described}


def _plain(name: str, value: object) -> JsonValue:
    (argument,) = coerce_mapping({name: value})
    return argument["value"]
