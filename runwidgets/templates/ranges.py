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

    least: int | float | None
    includes_least: bool
    most: int | float | None
    includes_most: bool

    def problem(self, value: float) -> str | None:
        """Return what is wrong with a number, or None if it is inside the range."""
        is_low = self.least is not None and (
            value < self.least or (value == self.least and not self.includes_least)
        )
        is_high = self.most is not None and (
            value > self.most or (value == self.most and not self.includes_most)
        )
        return f"must be {self}, got {show(value)}" if is_low or is_high else None

    def __str__(self) -> str:
        if self.least is not None and self.most is not None and self.includes_least and self.includes_most:
            return f"{show(self.least)} to {show(self.most)}"
        low = f"{'at least' if self.includes_least else 'above'} {show(self.least)}"
        high = f"{'at most' if self.includes_most else 'below'} {show(self.most)}"
        ends = [end for end, bound in ((low, self.least), (high, self.most)) if bound is not None]
        return " and ".join(ends)


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
        raise ValueError(f"range: {text!r:.80} is invalid, write for example '[0,1]', '(0,]' or '[1,100)'")
    least, most = ends
    if least is not None and most is not None and least > most:
        raise ValueError(f"range: {text!r:.80} is empty, its ends are in the wrong order")
    interval = Range(least, found[1] == "[", most, found[4] == "]")
    if least is not None and least == most and interval.problem(least):
        raise ValueError(
            f"range: {text!r:.80} is empty, write '[{show(least)},{show(least)}]' for one number"
        )
    return interval


def _bound(text: str) -> int | float | None:
    if not text:
        return None
    if INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS:
        return int(text)
    return float(text) if DECIMAL.fullmatch(text) else math.nan
