"""Metrics as Python values."""

import math
from collections.abc import Mapping
from typing import TypeGuard

from runwidgets.record import read_value
from runwidgets.schema import JsonValue


def read_metrics(metrics: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return metrics as they were recorded, with floats for NaN and infinity.

    Parameters
    ----------
    metrics : mapping of str to JSON value
        As in a run handle.

    Examples
    --------
    >>> read_metrics({"loss": "Infinity", "curve": [1, "NaN"]})
    {'loss': inf, 'curve': [1, nan]}
    """
    return {name: read_value(value) for name, value in metrics.items()}


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a metric is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
