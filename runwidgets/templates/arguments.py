"""The list of arguments of a run: built from Python values, parsed from untrusted input, and checked."""

import difflib
import math
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from runwidgets.templates.scalars import FILE_TAG, SPECIAL_FLOATS, tag_float
from runwidgets.templates.texts import is_identifier, shorten

MAX_NESTING = 100
"""Levels after which a value is assumed to contain itself; the limit for arguments is far below."""


def coerce_mapping(values: Mapping[str, Any]) -> list[Argument]:
    """Convert Python values into a list of arguments.

    Parameters
    ----------
    values : mapping of str to Any
        NumPy scalars and arrays, dates, paths, ranges, tuples and sets are converted to their JSON
        equivalents; NaN and infinity to a `runwidgets.schema.FloatArgument`.

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
        return tag_float(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__fspath__"):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{name}.{key}", item, level + 1) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)
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
    *,
    is_open: bool = False,
) -> dict[str, JsonValue]:
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
    is_open : bool
        Whether any identifier names a parameter of dtype ``any``.

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
        if name not in declared and is_open and is_identifier(name):
            declared[name] = Parameter(name=name, dtype="any", is_required=False)
        elif name not in declared:
            raise UnknownParameterError(shorten(name), "there is no such parameter", _suggest(name, declared))
    bound_arguments = [(declared[name], value) for name, value in pairs]
    for parameter, value in bound_arguments:
        for file_id in _file_ids(value) if parameter.holds_files else ():
            if not is_file(file_id):
                raise UnknownFileError(
                    parameter.name, f"no file '{shorten(file_id)}' was uploaded to this group"
                )
    values = {parameter.name: cast(parameter, value, limits) for parameter, value in bound_arguments}
    for parameter, _ in bound_arguments:
        for reference in file_references(values[parameter.name]):
            if parameter.target is not None:
                reference.setdefault("targetPath", parameter.target)
    for name, parameter in declared.items():
        if parameter.is_required and name not in values:
            raise MissingArgumentError(name, "it is required, but no value was given")
    return values


def file_references(value: JsonValue) -> list[FileReference]:
    """Return the references to uploads in a checked value: a file, or a list of files."""
    if isinstance(value, list):
        return [reference for item in value for reference in file_references(item)]
    is_file = isinstance(value, dict) and value.get("type") == FILE_TAG
    return [typing.cast(FileArgument, value)["value"]] if is_file else []


def replace_files(value: JsonValue, paths: Iterator[str]) -> JsonValue:
    """Return a checked value with the next of some paths in place of each of its `file_references`."""
    if isinstance(value, list):
        return [replace_files(item, paths) for item in value]
    return next(paths) if file_references(value) else value


def tag_values(parameters: Iterable[Parameter], values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return values as runs store them: NaN and infinity cannot be mistaken for texts."""
    declared = {parameter.name: parameter for parameter in parameters}
    return {
        name: _tagged(declared[name], value) if name in declared else value for name, value in values.items()
    }


def _tagged(parameter: Parameter, value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return tag_float(SPECIAL_FLOATS[value]) if parameter.dtype == "float" else value
    if isinstance(value, list) and parameter.items is not None:
        return [_tagged(part, item) for part, item in zip(parameter.items, value, strict=True)]
    if isinstance(value, list) and parameter.para is not None:
        return [_tagged(parameter.para, item) for item in value]
    if isinstance(value, dict) and parameter.fields is not None:
        fields = {each.name: each for each in parameter.fields}
        return {name: _tagged(fields[name], item) for name, item in value.items()}
    return value


def _suggest(name: str, declared: Mapping[str, Parameter]) -> str:
    close = difflib.get_close_matches(name, declared, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(declared)}" if declared else "this template has no parameters"


def _file_ids(value: Any) -> list[str]:
    """Return the ids in an untrusted value, as far as it has the shape of files."""
    if isinstance(value, (list, tuple)):
        return [file_id for item in value for file_id in _file_ids(item)]
    about = value.get("value") if isinstance(value, dict) else None
    file_id = about.get("fileId") if isinstance(about, dict) else None
    return [file_id] if isinstance(file_id, str) else []
