"""Ranges of numbers, such as ``"[0,1)"``."""

import math
import re
from typing import NamedTuple

from runwidgets.templates.texts import MAX_DIGITS, show

RANGE = re.compile(r"\s*([\[(])\s*([^,\s]*)\s*,\s*([^,\s]*)\s*([\])])\s*")
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Range(NamedTuple):
    """An interval of numbers."""

    minimum: int | float | None
    includes_minimum: bool
    maximum: int | float | None
    includes_maximum: bool

    def problem(self, value: float) -> str | None:
        """Return what is wrong with a number, or None if it is inside the range."""
        is_low = self.minimum is not None and (
            value < self.minimum or (value == self.minimum and not self.includes_minimum)
        )
        is_high = self.maximum is not None and (
            value > self.maximum or (value == self.maximum and not self.includes_maximum)
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
        limits = [limit for limit, bound in ((low, self.minimum), (high, self.maximum)) if bound is not None]
        return " and ".join(limits)


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
    match = RANGE.fullmatch(text)
    ends: list[int | float | None] = [None, None]
    if match:
        ends = [_bound(match[2]), _bound(match[3])]
    if not match or any(end is not None and not math.isfinite(end) for end in ends):
        raise ValueError(f"range: {text!r:.80} is invalid; write for example '[0,1]', '(0,]' or '[1,100)'")
    minimum, maximum = ends
    if minimum is not None and maximum is not None and minimum > maximum:
        raise ValueError(f"range: {text!r:.80} is empty: its ends are in the wrong order")
    interval = Range(minimum, match[1] == "[", maximum, match[4] == "]")
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
