"""The list of arguments of a run: built from Python values, parsed from untrusted input, and checked."""

import difflib
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from runwidgets.errors import (
    DuplicateArgumentError,
    InvalidArgumentError,
    MissingArgumentError,
    UnknownFileError,
    UnknownParameterError,
)
from runwidgets.limits import Limits
from runwidgets.schema import Argument, FileArgument, FileReference, JsonValue
from runwidgets.templates.parameters import Parameter, cast
from runwidgets.templates.texts import shorten

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
    for index, each in enumerate(arguments):
        if not isinstance(each, dict) or set(each) != {"name", "value"} or not isinstance(each["name"], str):
            raise InvalidArgumentError(
                f"arguments[{index}]", "it is not an object with name and value", shape
            )
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
        return [_plain(f"{name}[{index}]", item, level + 1) for index, item in enumerate(value)]
    raise InvalidArgumentError(
        name, f"a {type(value).__name__} has no JSON form", "use numbers, text and lists"
    )


def _convert_times(name: str, value: Any) -> Any:
    """Convert NumPy's times to Python's; NumPy's own `tolist` returns nanoseconds as bare numbers."""
    short = value.astype("datetime64[us]")
    if not bool((short == value).all()):
        raise InvalidArgumentError(name, "it is not a time, or is finer than microseconds")
    return short.tolist()


def check_arguments(
    parameters: Iterable[Parameter],
    arguments: Any,
    is_file: Callable[[str], bool],
    limits: Limits | None = None,
) -> dict[str, JsonValue | FileArgument]:
    """Check the arguments of a run, in this order: shape, duplicates, names, files, values, missing ones.

    Parameters
    ----------
    parameters : iterable of Parameter
        The parameters of the template.
    arguments : list of dict
        Untrusted input of the form ``[{"name", "value"}, …]``.
    is_file : callable
        Returns whether a file id is known.
    limits : Limits, optional
        Limits of the values.

    Returns
    -------
    dict
        Cast values by name, of the given arguments only, in their order. A file remains
        ``{"type": "$file", "value": {"fileId", "targetPath"?}}``.

    Raises
    ------
    InvalidArgumentError
        The shape is wrong, or a value does not fit its parameter.
    DuplicateArgumentError
        A parameter has two arguments.
    UnknownParameterError
        There is no such parameter.
    UnknownFileError
        There is no such file.
    MissingArgumentError
        A required parameter has no argument.
    """
    declared = {parameter.name: parameter for parameter in parameters}
    pairs = read_pairs(arguments)
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise DuplicateArgumentError(shorten(name), "it was given twice")
        seen.add(name)
    for name, _ in pairs:
        if name not in declared:
            raise UnknownParameterError(shorten(name), "there is no such parameter", _suggest(name, declared))
    bound_arguments = [(declared[name], value) for name, value in pairs]
    for parameter, value in bound_arguments:
        if parameter.dtype == "file" and (file_id := _file_id(value)) is not None and not is_file(file_id):
            raise UnknownFileError(parameter.name, f"no file '{shorten(file_id)}' was uploaded to this group")
    values = {parameter.name: cast(parameter, value, limits) for parameter, value in bound_arguments}
    targets: set[str] = set()
    for parameter, _ in bound_arguments:
        reference = file_reference(values[parameter.name]) if parameter.dtype == "file" else None
        if reference is not None:
            _resolve_target(parameter, reference, targets)
    for name, parameter in declared.items():
        if parameter.is_required and name not in values:
            raise MissingArgumentError(name, "it is required, but no value was given")
    return values


def file_reference(value: JsonValue | FileArgument) -> FileReference | None:
    """Return the reference to an upload in a checked value, or None if the value is not a file."""
    is_file = isinstance(value, dict) and value.get("type") == "$file"
    return typing.cast(FileArgument, value)["value"] if is_file else None


def _resolve_target(parameter: Parameter, file: FileReference, occupied: set[str]) -> None:
    target = file.get("targetPath") or parameter.target
    if target is None:
        return
    file["targetPath"] = target
    if not target.endswith("/"):
        path = PurePosixPath(target).as_posix()
        if path in occupied:
            raise InvalidArgumentError(parameter.name, f"another file is placed at '{shorten(path)}' already")
        occupied.add(path)


def _suggest(name: str, declared: Mapping[str, Parameter]) -> str:
    close = difflib.get_close_matches(name, declared, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(declared)}" if declared else "this template has no parameters"


def _file_id(value: Any) -> str | None:
    if isinstance(value, dict) and isinstance(value.get("value"), dict):
        file_id = value["value"].get("fileId")
        return file_id if isinstance(file_id, str) else None
    return None
