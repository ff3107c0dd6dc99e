"""The list of arguments of a run: built from Python values, and parsed from untrusted input."""

import math
from collections.abc import Mapping
from typing import Any

from runwidgets.errors import InvalidArgumentError
from runwidgets.schema import Argument

MAX_NESTING = 100
"""Levels after which a value is assumed to contain itself; the limit for arguments is far below."""


def coerce_mapping(values: Mapping[str, Any]) -> list[Argument]:
    """Convert Python values into a list of arguments.

    Parameters
    ----------
    values : mapping of str to Any
        NumPy scalars and arrays, dates, paths, ranges and tuples are converted to their JSON equivalents.

    Returns
    -------
    list of dict
        ``[{"name", "value"}, …]``.

    Raises
    ------
    InvalidArgumentError
        A value has no JSON form.
    """
    return [{"name": str(name), "value": _plain(str(name), value)} for name, value in values.items()]


def read_pairs(arguments: Any) -> list[tuple[str, Any]]:
    """Return the names and values of a list of arguments.

    Parameters
    ----------
    arguments : Any
        Untrusted input.

    Returns
    -------
    list of tuple
        Name and value, in the given order.

    Raises
    ------
    InvalidArgumentError
        The input is not of the form ``[{"name", "value"}, …]``.
    """
    shape = 'give a list such as [{"name": "alpha", "value": 0.1}]'
    if not isinstance(arguments, list):
        raise InvalidArgumentError("arguments", "they are not a list", shape)
    for at, each in enumerate(arguments):
        if not isinstance(each, dict) or set(each) != {"name", "value"} or not isinstance(each["name"], str):
            raise InvalidArgumentError(f"arguments[{at}]", "it is not an object with name and value", shape)
    return [(each["name"], each["value"]) for each in arguments]


def _plain(name: str, value: Any, level: int = 0) -> Any:
    if level > MAX_NESTING:
        raise InvalidArgumentError(name[:80], f"it is nested deeper than {MAX_NESTING} levels")
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "M" and not hasattr(value, "isoformat"):
        value = _convert_times(name, value)
    elif hasattr(value, "tolist") and kind != "m":
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArgumentError(name, f"{value} is not a JSON number", "omit the argument, or use text")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__fspath__"):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{name}.{key}", item, level + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [_plain(f"{name}[{at}]", item, level + 1) for at, item in enumerate(value)]
    raise InvalidArgumentError(
        name, f"a {type(value).__name__} has no JSON form", "use numbers, text and lists"
    )


def _convert_times(name: str, value: Any) -> Any:
    """Convert NumPy's times to Python's; NumPy's own `tolist` returns nanoseconds as bare numbers."""
    short = value.astype("datetime64[us]")
    if not bool((short == value).all()):
        raise InvalidArgumentError(name, "it is not a time, or is finer than microseconds")
    return short.tolist()
