"""Points that a caller lists: mappings of name to value, or the rows of a data frame."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from runwidgets.errors import InvalidArgumentError
from runwidgets.spaces.distributions import plain

Point: TypeAlias = dict[str, object]
"""Values by parameter."""


class Frame(Protocol):
    """A data frame of pandas or polars."""

    @property
    def columns(self) -> Iterable[str]:
        """The names of its columns."""


def list_points(points: Iterable[Mapping[str, object]] | Frame) -> list[Point]:
    """Return listed points as dicts of plain values.

    Parameters
    ----------
    points : iterable of mapping, or data frame
        As for `space.points`.

    Raises
    ------
    InvalidArgumentError
        An item is not a mapping of name to value, or two columns have one name.
    """
    is_frame = hasattr(points, "columns")
    rows: Any = points
    if is_frame and (twice := [name for name, count in Counter(map(str, rows.columns)).items() if count > 1]):
        raise InvalidArgumentError(twice[0], "two columns of the data frame have this name")
    if is_frame:
        rows = rows.to_dicts() if hasattr(rows, "to_dicts") else rows.to_dict("records")
    listed: list[Point] = []
    for number, point in enumerate(rows):
        if not isinstance(point, Mapping) or not all(isinstance(name, str) for name in point):
            raise InvalidArgumentError(f"point {number}", f"{point!r:.80} is not a mapping of name to value")
        kept = {name: value for name, value in point.items() if not (is_frame and _is_missing(value))}
        listed.append({name: plain(value) for name, value in kept.items()})
    return listed


def _is_missing(value: object) -> bool:
    """Return whether a value of a data frame is missing: None, NaN, or pandas' `NA`."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, float) and math.isnan(value)
