"""Metrics as Python values: JSON has no NaN and no infinity, so on the wire they are strings."""

import math
from collections.abc import Mapping
from typing import TypeGuard

from runwidgets.schema import JsonValue

NUMBER_OF_TEXT = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""NaN and the infinities by their form on the wire."""


def read_metrics(metrics: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return metrics as they were recorded: with floats for NaN and infinity, also within lists and objects.

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


def read_value(value: JsonValue) -> JsonValue:
    """Return one value of a metric; see `read_metrics`."""
    if isinstance(value, str):
        return NUMBER_OF_TEXT.get(value, value)
    if isinstance(value, list):
        return [read_value(each) for each in value]
    if isinstance(value, dict):
        return {name: read_value(each) for name, each in value.items()}
    return value


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a metric is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
