"""Parameter spaces: the points of a sweep, evaluated lazily.

A space is a sequence of points, each a dict of values by parameter. It has a length, returns the same
points on every iteration, and can be combined: ``a + b`` concatenates, ``a * b`` forms all combinations, and
``a.where(…)`` selects the points that satisfy a condition.
"""

import builtins
import hashlib
import inspect
import math
import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from random import Random
from typing import Any, TypeAlias, overload

from runwidgets.errors import InvalidArgumentError
from runwidgets.spaces.distributions import Choice, Distribution, is_several, list_values, plain
from runwidgets.spaces.points import Frame, Point, list_points


class Space(Sequence[Point]):
    """A sequence of points of a parameter space; created by `grid`, `zip`, `sample` and `points`."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The parameters of the points, in order."""

    @abstractmethod
    def _point(self, index: int) -> Point:
        """Return the point at an index from 0 to ``len(self) - 1``."""

    @overload
    def __getitem__(self, index: int) -> Point: ...

    @overload
    def __getitem__(self, index: slice) -> list[Point]: ...

    def __getitem__(self, index: int | slice) -> Point | list[Point]:
        if isinstance(index, slice):
            return [self._point(each) for each in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"the space has {len(self):,} points, so index {index} is out of range")
        return self._point(index % len(self))

    def __iter__(self) -> Iterator[Point]:
        return (self._point(index) for index in range(len(self)))

    def __add__(self, other: "Space") -> "Space":
        return _Sum(self, as_space(other))

    def __mul__(self, other: "Space") -> "Space":
        return _Product(self, as_space(other))

    def where(self, condition: Callable[..., object]) -> "Space":
        """Return the points that satisfy a condition; evaluated once, when a point is requested.

        Parameters
        ----------
        condition : callable
            Takes parameters by name, as many as it needs, or ``**point`` for all.

        Returns
        -------
        Space
            The points for which the condition returns a true value.

        Raises
        ------
        InvalidArgumentError
            The condition needs a parameter that a point does not have.

        Examples
        --------
        >>> len(grid(lr=[0.1, 0.01], depth=range(2, 6)).where(lambda depth: depth > 3))
        4
        """
        return _Filter(self, condition)

    def __repr__(self) -> str:
        count = "1 point" if len(self) == 1 else f"{len(self):,} points"
        return f"<{count} over {', '.join(self.names) or 'no parameter'}>"


class _Grid(Space):
    """All combinations of values; the last parameter changes fastest."""

    def __init__(self, values: Mapping[str, Sequence[object]]) -> None:
        self._values = dict(values)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def __len__(self) -> int:
        return math.prod(len(each) for each in self._values.values())

    def _point(self, index: int) -> Point:
        digits = {}
        for name in reversed(self._values):
            index, digit = divmod(index, len(self._values[name]))
            digits[name] = self._values[name][digit]
        return {name: digits[name] for name in self._values}


class _Listed(Space):
    """Points in the given order."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for point in self._points for name in point))

    def __len__(self) -> int:
        return len(self._points)

    def _point(self, index: int) -> Point:
        return dict(self._points[index])


class _Sample(Space):
    """Random points: a value depends only on seed, name and index, so each point can be drawn separately."""

    def __init__(self, count: int, seed: int | str, sources: Mapping[str, object]) -> None:
        self._count = count
        self._seed = seed
        self._sources = dict(sources)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._sources)

    def __len__(self) -> int:
        return self._count

    def _point(self, index: int) -> Point:
        return {name: self._draw(name, source, index) for name, source in self._sources.items()}

    def _draw(self, name: str, source: Any, index: int) -> object:
        seed = hashlib.sha256(f"{self._seed} {index} {name}".encode()).digest()
        if isinstance(source, Distribution):
            return source.draw(Random(seed))
        return plain(source.rvs(random_state=int.from_bytes(seed[:4], "big")))

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, seed {self._seed!r}>"


class _Sum(Space):
    """The points of one space, followed by those of another."""

    def __init__(self, first: Space, second: Space) -> None:
        self._first, self._second = first, second

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._first.names, *self._second.names]))

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def _point(self, index: int) -> Point:
        index_in_second = index - len(self._first)
        return self._second[index_in_second] if index_in_second >= 0 else self._first[index]


class _Product(Space):
    """All combinations of the points of two spaces; the second changes fastest."""

    def __init__(self, first: Space, second: Space) -> None:
        shared = [name for name in first.names if name in second.names]
        if shared:
            raise InvalidArgumentError(
                shared[0], "both spaces have it", "a product needs different parameters"
            )
        self._first, self._second = first, second

    @property
    def names(self) -> tuple[str, ...]:
        return (*self._first.names, *self._second.names)

    def __len__(self) -> int:
        return len(self._first) * len(self._second)

    def _point(self, index: int) -> Point:
        first_index, second_index = divmod(index, len(self._second))
        return {**self._first[first_index], **self._second[second_index]}


class _Filter(Space):
    """The points of a space that satisfy a condition."""

    def __init__(self, base: Space, condition: Callable[..., object]) -> None:
        self._base = base
        self._condition = condition
        parameters = inspect.signature(condition).parameters.values()
        self._accepts_all = any(each.kind is each.VAR_KEYWORD for each in parameters)
        self._required = [
            each.name
            for each in parameters
            if each.default is each.empty and each.kind is not each.VAR_KEYWORD
        ]
        self._accepted = {each.name for each in parameters}

    @property
    def names(self) -> tuple[str, ...]:
        return self._base.names

    @cached_property
    def _indices(self) -> list[int]:
        return [index for index, point in enumerate(self._base) if self._is_included(index, point)]

    def _is_included(self, index: int, point: Point) -> bool:
        for name in self._required:
            if name not in point:
                raise InvalidArgumentError(
                    "where", f"its condition asks for {name!r}, which point {index} does not have"
                )
        arguments = {
            name: value for name, value in point.items() if self._accepts_all or name in self._accepted
        }
        return bool(self._condition(**arguments))

    def __len__(self) -> int:
        return len(self._indices)

    def _point(self, index: int) -> Point:
        return self._base[self._indices[index]]


def grid(**values: object) -> Space:
    """Return all combinations of values; the last parameter changes fastest.

    Parameters
    ----------
    **values
        By parameter: a list, range, array or other iterable of values, or one value. A value that is itself
        a list, a tuple or a set must be put into a list.

    Returns
    -------
    Space
        A space of as many points as the product of the lengths.

    Raises
    ------
    InvalidArgumentError
        A parameter has no values.

    Examples
    --------
    >>> grid(lr=[0.1, 0.01], depth=range(2, 6))
    <8 points over lr, depth>
    """
    return _Grid({name: list_values(name, each) for name, each in values.items()})


def zip(**values: object) -> Space:
    """Combine the first values of all parameters, then the second values, and so on.

    Parameters
    ----------
    **values
        By parameter, as for `grid`; a single value is used for all points.

    Returns
    -------
    Space
        A space of as many points as there are values of each parameter.

    Raises
    ------
    InvalidArgumentError
        Two parameters have different numbers of values.

    Examples
    --------
    >>> list(zip(lr=[0.1, 0.01], depth=[2, 3], model="tree"))
    [{'lr': 0.1, 'depth': 2, 'model': 'tree'}, {'lr': 0.01, 'depth': 3, 'model': 'tree'}]
    """
    columns = {name: list_values(name, each) for name, each in values.items()}
    longest = max(columns, key=lambda name: len(columns[name]), default="")
    count = len(columns[longest]) if columns else 0
    for name, column in columns.items():
        if is_several(values[name]) and len(column) != count:
            noun = "value" if len(column) == 1 else "values"
            raise InvalidArgumentError(
                name,
                f"it has {len(column):,} {noun}, and {longest} has {count:,}",
                "give the same number of each",
            )
    filled = [each if len(each) == count else [*each] * count for each in columns.values()]
    return _Listed(
        [dict(builtins.zip(columns, row, strict=True)) for row in builtins.zip(*filled, strict=True)]
    )


def sample(n: int, *, seed: int | str | None = None, **distributions: object) -> Space:
    """Return points drawn at random.

    A value depends only on the seed, the name of its parameter and the index of the point: adding a parameter
    or more points does not change existing values.

    Parameters
    ----------
    n : int
        Number of points.
    seed : int or str, optional
        The same seed gives the same points; None for a random seed, which ``repr`` shows.
    **distributions
        By parameter: `uniform`, `loguniform`, `integers`, `choice`, a distribution of scipy.stats, a list or
        range of equally likely values, or one value.

    Returns
    -------
    Space
        A space of `n` points.

    Raises
    ------
    InvalidArgumentError
        `n` is not a whole number, or a parameter has no values.

    Examples
    --------
    >>> from runwidgets.spaces.distributions import loguniform
    >>> sample(20, seed=1, lr=loguniform(1e-4, 1e-1), depth=range(2, 6))
    <20 points over lr, depth, seed 1>
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise InvalidArgumentError("n", f"{n!r} points cannot be drawn", "give a whole number")
    sources = {
        name: each
        if isinstance(each, Distribution) or hasattr(each, "rvs")
        else Choice(tuple(list_values(name, each)))
        for name, each in distributions.items()
    }
    return _Sample(n, secrets.randbits(32) if seed is None else seed, sources)


def points(given: Iterable[Mapping[str, object]] | Frame) -> Space:
    """Return given points as a space.

    Parameters
    ----------
    given : iterable of mapping, or data frame
        Values by parameter; each row of a pandas or polars data frame is a point, and a missing value leaves
        its parameter at the default.

    Returns
    -------
    Space
        The points, in order.

    Raises
    ------
    InvalidArgumentError
        An item is not a mapping of name to value.

    Examples
    --------
    >>> points([{"lr": 0.1}, {"lr": 0.01, "depth": 3}])
    <2 points over lr, depth>
    """
    return _Listed(list_points(given))


SpaceLike: TypeAlias = Space | Mapping[str, object] | Iterable[Mapping[str, object]] | Frame
"""Representations of a space; see `as_space`."""


def as_space(space: SpaceLike) -> Space:
    """Convert a representation of a space to a space.

    Parameters
    ----------
    space : Space, mapping, iterable of mapping, or data frame
        A mapping gives values by parameter, as for `grid`; other types as for `points`.

    Raises
    ------
    InvalidArgumentError
        The argument does not represent a space.
    """
    if isinstance(space, Space):
        return space
    if isinstance(space, Mapping):
        return grid(**space)
    if isinstance(space, str) or not isinstance(space, Iterable):
        raise InvalidArgumentError(
            "space", f"{space!r:.80} is not a space", "give a space, a mapping, or a list of points"
        )
    return points(space)
