"""The possible values of one parameter: lists of numbers, and distributions.

The same distributions serve random samples and searches.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeGuard

from runwidgets.errors import InvalidArgumentError


@dataclass(frozen=True)
class Uniform:
    """Uniform distribution of numbers between two bounds."""

    low: float
    high: float

    def draw(self, source: Random) -> float:
        """Return a number drawn from a random source."""
        return source.uniform(self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """Distribution of numbers between two bounds whose logarithms are uniform."""

    low: float
    high: float

    def draw(self, source: Random) -> float:
        """Return a number drawn from a random source."""
        drawn = math.exp(source.uniform(math.log(self.low), math.log(self.high)))
        return min(max(drawn, self.low), self.high)


@dataclass(frozen=True)
class Integers:
    """Whole numbers from `low` to `high`, both included, with a `step`; log-uniform if `log` is set."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def draw(self, source: Random) -> int:
        """Return a number drawn from a random source."""
        if not self.log:
            return source.randrange(self.low, self.high + 1, self.step)
        drawn = math.exp(source.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5)))
        return min(max(round(drawn), self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """Uniform distribution over given values."""

    values: tuple[object, ...]

    def draw(self, source: Random) -> object:
        """Return a value drawn from a random source."""
        return source.choice(self.values)


Distribution = Uniform | LogUniform | Integers | Choice


def uniform(low: float, high: float) -> Uniform:
    """Return a distribution of numbers between two bounds.

    Parameters
    ----------
    low, high : float
        Finite; `low` is less than `high`.

    Raises
    ------
    InvalidArgumentError
        The bounds are not finite, or `low` is not less than `high`.

    Examples
    --------
    >>> uniform(0, 1)
    Uniform(low=0, high=1)
    """
    _check("uniform", low, high)
    return Uniform(low, high)


def loguniform(low: float, high: float) -> LogUniform:
    """Return a distribution of numbers between two bounds, with the same probability for each decade.

    Parameters
    ----------
    low, high : float
        Finite and positive; `low` is less than `high`.

    Raises
    ------
    InvalidArgumentError
        The bounds are not finite and positive, or `low` is not less than `high`.

    Examples
    --------
    >>> loguniform(1e-4, 1e-1)
    LogUniform(low=0.0001, high=0.1)
    """
    _check("loguniform", low, high)
    if low <= 0:
        raise InvalidArgumentError("loguniform", f"low is {low}", "it must be above 0")
    return LogUniform(low, high)


def integers(low: int, high: int, step: int = 1, *, log: bool = False) -> Integers:
    """Return a distribution of whole numbers.

    Parameters
    ----------
    low, high : int
        The smallest and the largest number; both can be drawn, `high` if the steps reach it.
    step : int, optional
        Difference between neighbouring numbers, at least 1.
    log : bool, optional
        Whether each decade has the same probability; requires `low` of at least 1 and `step` 1.

    Raises
    ------
    InvalidArgumentError
        The numbers are not whole numbers, or do not fit together.

    Examples
    --------
    >>> integers(2, 6)
    Integers(low=2, high=6, step=1, log=False)
    """
    for name, number in {"low": low, "high": high, "step": step}.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise InvalidArgumentError("integers", f"{name} is {number!r}", "it must be a whole number")
    _check("integers", low, high)
    if step < 1:
        raise InvalidArgumentError("integers", f"step is {step}", "it must be at least 1")
    if log and (low < 1 or step != 1):
        raise InvalidArgumentError("integers", "log=True requires low of at least 1 and step 1")
    return Integers(low, high, step, log)


def choice(values: Sequence[object]) -> Choice:
    """Return a distribution of given values.

    Parameters
    ----------
    values : sequence
        At least one.

    Raises
    ------
    InvalidArgumentError
        There are no values.

    Examples
    --------
    >>> choice(["linear", "tree"])
    Choice(values=('linear', 'tree'))
    """
    if isinstance(values, str) or not len(values):
        raise InvalidArgumentError(
            "choice", f"{values!r} is not a list of values", "give at least one in a list"
        )
    return Choice(tuple(values))


def _check(name: str, low: float, high: float) -> None:
    for bound in (low, high):
        if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
            raise InvalidArgumentError(name, f"{bound!r} is not a bound", "give finite numbers")
    if not low < high:
        raise InvalidArgumentError(name, f"low is {low} and high is {high}", "low must be less than high")


def linspace(first: float, last: float, count: int) -> list[float]:
    """Return evenly spaced numbers, including both ends; integers if all of them are whole.

    Parameters
    ----------
    first, last : float
        The first and the last number.
    count : int
        Number of values, at least 2.

    Raises
    ------
    InvalidArgumentError
        The bounds are not finite, or the count is invalid.

    Examples
    --------
    >>> linspace(0, 10, 3)
    [0, 5, 10]
    """
    return _spaced("linspace", first, last, count, lambda share: first + (last - first) * share)


def geomspace(first: float, last: float, count: int) -> list[float]:
    """Return numbers with constant ratios, including both ends; integers if all of them are whole.

    Parameters
    ----------
    first, last : float
        The first and the last number, both positive.
    count : int
        Number of values, at least 2.

    Raises
    ------
    InvalidArgumentError
        The bounds are not finite and positive, or the count is invalid.

    Examples
    --------
    >>> geomspace(1, 1000, 4)
    [1, 10, 100, 1000]
    """
    if not (first > 0 and last > 0):
        raise InvalidArgumentError("geomspace", f"it goes from {first} to {last}", "both must be above 0")
    return _spaced("geomspace", first, last, count, lambda share: first * (last / first) ** share)


def _spaced(
    name: str, first: float, last: float, count: int, value_at: Callable[[float], float]
) -> list[float]:
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise InvalidArgumentError(name, f"{count!r} is not a valid count", "give a whole number, at least 2")
    if not (math.isfinite(first) and math.isfinite(last)):
        raise InvalidArgumentError(name, f"it goes from {first} to {last}", "both must be finite")
    inner_values = [float(f"{value_at(step / (count - 1)):.12g}") for step in range(1, count - 1)]
    values = [first, *inner_values, last]
    is_whole = (
        isinstance(first, int) and isinstance(last, int) and all(each == int(each) for each in inner_values)
    )
    return [int(each) for each in values] if is_whole else values


def is_several(value: object) -> TypeGuard[Iterable[object]]:
    """Return whether an argument is several values; strings and mappings are one value."""
    return not isinstance(value, (str, bytes, Mapping)) and isinstance(value, Iterable)


def list_values(name: str, values: object) -> Sequence[object]:
    """Return the values given for a parameter as a sequence of plain values."""
    if isinstance(values, (set, frozenset)):
        remedy = "give a list, with the set in it if that is one value"
        raise InvalidArgumentError(name, "a set has no order", remedy)
    if isinstance(values, Distribution):
        remedy = f"draw some by rw.sample(10, {name}=…), or search with rw.optimize"
        raise InvalidArgumentError(name, f"{values} is a distribution, not a list of values", remedy)
    if isinstance(values, range):
        listed: Sequence[object] = values
    else:
        listed = [plain(each) for each in values] if is_several(values) else [plain(values)]
    if not len(listed):
        raise InvalidArgumentError(name, "it has no values", "give at least one")
    return listed


def plain(value: Any) -> Any:
    """Convert a NumPy number to a Python number."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
