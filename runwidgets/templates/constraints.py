"""Constraints of values beyond their type: ranges such as ``"[0,1)"``, multiples, lengths, patterns."""

import functools
import math
import re
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, NamedTuple

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

from runwidgets.templates.texts import MAX_DIGITS, show

RANGE = re.compile(r"\s*([\[(])\s*([^,\s]*)\s*,\s*([^,\s]*)\s*([\])])\s*")
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
RELATIVE_ERROR = 1e-9
"""**Source:** pydantic-core 2, ``src/validators/float.rs``."""
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Range(NamedTuple):
    """An interval of numbers."""

    minimum: int | float | None
    includes_minimum: bool
    maximum: int | float | None
    includes_maximum: bool

    def problem(self, value: float) -> str | None:
        """Return what is wrong with a number, or None if it is inside the range; NaN is inside no range."""
        is_low = self.minimum is not None and not (
            value > self.minimum or (value == self.minimum and self.includes_minimum)
        )
        is_high = self.maximum is not None and not (
            value < self.maximum or (value == self.maximum and self.includes_maximum)
        )
        return f"must be {self}, got {show(value)}" if is_low or is_high else None

    def __str__(self) -> str:
        if (
            self.minimum is not None
            and self.maximum is not None
            and self.includes_minimum
            and self.includes_maximum
        ):
            return f"{show(self.minimum)} to {show(self.maximum)}"
        low = f"{'at least' if self.includes_minimum else 'above'} {show(self.minimum)}"
        high = f"{'at most' if self.includes_maximum else 'below'} {show(self.maximum)}"
        ends = [end for end, bound in ((low, self.minimum), (high, self.maximum)) if bound is not None]
        return " and ".join(ends)


@dataclass(frozen=True)
class Constraints:
    """What the values of a parameter have to fulfil in addition to its type.

    Attributes
    ----------
    bounds : Range
        Of a number.
    multiple_of : float or None
        The number of which a number is a multiple.
    min_length, max_length : int or None
        Of a text (characters) or a list (items).
    pattern : str or None
        Regular expression that a text contains.
    """

    bounds: Range
    _: KW_ONLY
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def number_problem(self, value: float) -> str | None:
        """Return what is wrong with a number, or None."""
        if problem := self.bounds.problem(value):
            return problem
        if self.multiple_of is None or _is_multiple(value, self.multiple_of):
            return None
        return f"must be a multiple of {show(self.multiple_of)}, got {show(value)}"

    def text_problem(self, value: str) -> str | None:
        """Return what is wrong with a text, or None."""
        if problem := self.length_problem(len(value), "character"):
            return problem
        if self.pattern is None or _contains(self.pattern, value):
            return None
        return f"{show(value)} does not match the pattern {self.pattern}"

    def length_problem(self, length: int, part: str) -> str | None:
        """Return what is wrong with a number of characters or items, or None."""
        minimum, maximum = self.min_length or 0, self.max_length
        if minimum <= length and (maximum is None or length <= maximum):
            return None
        if minimum == maximum:
            needed = str(minimum)
        elif maximum is None:
            needed = f"at least {minimum}"
        else:
            needed = f"{minimum} to {maximum}" if minimum else f"at most {maximum}"
        unit = part if needed.split()[-1] == "1" else f"{part}s"
        return f"must have {needed} {unit}, has {length}"


def pattern_problem(pattern: str) -> str | None:
    """Return what is wrong with a regular expression, or None.

    Patterns are matched by pydantic's engine, whose time grows with the length of the text only.
    """
    try:
        _matcher(pattern)
    except SchemaError:
        return f"{show(pattern)} is not a regular expression without look-around and back-references"
    return None


@functools.lru_cache(maxsize=256)
def _matcher(pattern: str) -> TypeAdapter[str]:
    return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])


def _contains(pattern: str, text: str) -> bool:
    try:
        _matcher(pattern).validate_python(text)
    except ValidationError:
        return False
    return True


def _is_multiple(value: float, unit: float) -> bool:
    """Return whether a number is a multiple of another one, apart from the rounding of floats."""
    if isinstance(value, int) and unit.is_integer():
        return value % int(unit) == 0
    if not math.isfinite(value):
        return False
    rest = value % unit
    tolerance = abs(value) * RELATIVE_ERROR
    return rest <= tolerance or unit - rest <= tolerance


def parse_range(text: str) -> Range:
    """Parse a range such as ``"[0,1)"``.

    Parameters
    ----------
    text : str
        Brackets include, parentheses exclude, either end may be omitted.

    Returns
    -------
    Range
        The interval.

    Raises
    ------
    ValueError
        The text is malformed, or the range is empty.
    """
    found = RANGE.fullmatch(text)
    ends: list[int | float | None] = [None, None]
    if found:
        ends = [_bound(found[2]), _bound(found[3])]
    if not found or any(end is not None and not math.isfinite(end) for end in ends):
        raise ValueError(f"range: {text!r:.80} is invalid; write for example '[0,1]', '(0,]' or '[1,100)'")
    minimum, maximum = ends
    if minimum is not None and maximum is not None and minimum > maximum:
        raise ValueError(f"range: {text!r:.80} is empty: its ends are in the wrong order")
    interval = Range(minimum, found[1] == "[", maximum, found[4] == "]")
    if minimum is not None and minimum == maximum and interval.problem(minimum):
        raise ValueError(
            f"range: {text!r:.80} is empty, write '[{show(minimum)},{show(minimum)}]' for one number"
        )
    return interval


def _bound(text: str) -> int | float | None:
    if not text:
        return None
    if INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS:
        return int(text)
    return float(text) if DECIMAL.fullmatch(text) else math.nan
