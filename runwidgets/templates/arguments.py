"""The list of arguments of a run: built from Python values, parsed from untrusted input, and checked."""

import datetime
import difflib
import math
import os
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
from runwidgets.schema import Argument, FileArgument, FileReference, JsonValue, ParameterHandle
from runwidgets.templates.parameters import Parameter, cast
from runwidgets.templates.scalars import FILE_TAG, SPECIAL_FLOATS, tag_float
from runwidgets.templates.texts import is_identifier, shorten

MAX_NESTING = 100
"""Levels after which a value is assumed to contain itself; the limit for arguments is far below."""


def coerce_mapping(
    values: Mapping[str, Any], parameters: Mapping[str, ParameterHandle] | None = None
) -> list[Argument]:
    """Convert Python values into a list of arguments.

    Parameters
    ----------
    values : mapping of str to Any
        NumPy scalars and arrays, dates, paths, ranges, tuples and sets are converted to their JSON
        equivalents; NaN and infinity to a `runwidgets.schema.FloatArgument`.
    parameters : mapping of str to dict, optional
        The handle of each parameter, whose type says what a notebook makes of JSON: a value that it would get
        as a value of another type is refused. None to convert for a comparison only.

    Returns
    -------
    list of dict
        ``[{"name", "value"}, …]``.

    Raises
    ------
    InvalidArgumentError
        A value has no JSON form, or would arrive as another value.
    """
    if parameters is not None:
        for name in parameters.keys() & values.keys():
            _check_arrival(name, values[name], parameters[name])
    return [{"name": str(name), "value": _plain(str(name), value)} for name, value in values.items()]


def _check_arrival(name: str, value: Any, declared: ParameterHandle | None, level: int = 0) -> None:
    """Refuse a value of which the notebook would get another one, because nothing declares its type."""
    if level > MAX_NESTING:
        return  # the conversion refuses it
    dtype = "any" if declared is None else declared["dtype"]
    parts: ParameterHandle = {} if declared is None else declared  # type: ignore[typeddict-item]
    if isinstance(value, Mapping) and dtype in {"record", "any"}:
        fields = {each["name"]: each for each in parts.get("fields", [])}
        for key, item in value.items():
            _check_arrival(f"{name}.{key}", item, fields.get(key), level + 1)
    elif dtype == "list" and isinstance(items := _unpacked(value), (list, tuple, set, frozenset, range)):
        own = dict(enumerate(parts.get("items", [])))
        for index, item in enumerate(items):
            _check_arrival(f"{name}[{index}]", item, own.get(index, parts.get("para")), level + 1)
    elif dtype == "any" and isinstance(value, list):
        for index, item in enumerate(value):
            _check_arrival(f"{name}[{index}]", item, None, level + 1)
    elif dtype == "any" and (other := _other_type(value)) is not None:
        raise InvalidArgumentError(
            name,
            f"a {type(value).__name__} would arrive as {other}",
            f"give {other}, or declare the type in the parameters cell",
        )


def _unpacked(value: Any) -> Any:
    """Return the list in an array."""
    return value.tolist() if hasattr(value, "tolist") else value


def _other_type(value: Any) -> str | None:
    """Return what a notebook gets for a value whose type nothing declares, if that differs from it."""
    if isinstance(value, (tuple, set, frozenset, range)) or isinstance(_unpacked(value), list):
        return "a list"
    is_time = getattr(getattr(value, "dtype", None), "kind", "") == "M"
    return "a text" if is_time or isinstance(value, (datetime.date, os.PathLike)) else None


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
    elif kind != "m":
        value = _unpacked(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return _scalar(value)
    if isinstance(value, datetime.date) and value == value:  # pandas' NaT is no time
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return str(value)
    if isinstance(value, Mapping):
        for key in value:
            _check_key(name, key)
        return {_scalar(key): _plain(f"{name}.{key}", item, level + 1) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)
    if isinstance(value, (list, tuple, range)):
        return [_plain(f"{name}[{index}]", item, level + 1) for index, item in enumerate(value)]
    raise InvalidArgumentError(
        name, f"a {type(value).__name__} has no JSON form", "use numbers, text and lists"
    )


def _scalar(value: bool | float | str | None) -> JsonValue:
    """Return a scalar as one of Python's own types, of which members of enumerations are subclasses."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else tag_float(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_key(name: str, key: object) -> None:
    if not isinstance(key, str):
        raise InvalidArgumentError(
            name[:80], f"its key {key!r:.40} is not a text", "JSON has no other keys; give a list of pairs"
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


def find_group_defaults(parameters: Iterable[Parameter]) -> dict[str, JsonValue]:
    """Return the values of a group's parameters that are not given; no cell of the notebook assigns them."""
    return {
        each.name: each.default
        for each in parameters
        if not (each.is_required or each.computed or each.secret)
    }


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
