"""What a request says becomes the arguments of a service method.

Nothing of the web framework is in here: text and bytes go in, keyword arguments come out, or an error
that names the field at fault. What a value *means* is for the service to judge; here it is only read,
strictly: no duplicate keys, no bare NaN, no unknown fields.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from runwidgets.errors import (
    InvalidArgumentError,
    UnknownFileError,
    UnknownObjectError,
    UnknownRunError,
    UnknownSweepError,
    UnknownWorkflowError,
    UnknownWorkflowGroupError,
    UnsupportedMediaTypeError,
)
from runwidgets.service.routes.routes import Argument, Route

NESTING = 100
"""Levels of a body; far above what arguments may have, far below what Python can walk."""
TOO_DEEP = f"it is nested more than {NESTING} levels deep"
SHOWN = 80
"""Characters of a wrong value that an error repeats."""
IDENTIFIER = re.compile(r"[A-Za-z0-9._~:@-]{1,255}")
WHOLE = re.compile(r"-?[0-9]{1,18}")
UNSTORABLE = re.compile("[\\0\\ud800-\\udfff]")
"""NUL, and halves of characters."""
FLAGS = {"true": True, "1": True, "false": False, "0": False}
UNKNOWN: dict[str, tuple[str, type[UnknownObjectError]]] = {
    "workflow_id": ("workflow", UnknownWorkflowError),
    "group_id": ("group", UnknownWorkflowGroupError),
    "run_id": ("run", UnknownRunError),
    "sweep_id": ("sweep", UnknownSweepError),
    "file_id": ("file", UnknownFileError),
}
"""What an identifier is called, and the error where it cannot exist."""


def read_path(route: Route, parts: tuple[str, ...]) -> dict[str, Any]:
    """Return the arguments that stand in the path.

    Parameters
    ----------
    route : Route
        The route.
    parts : tuple of str
        The parts of the path that matched, unescaped, in the pattern's order.

    Returns
    -------
    dict
        Identifiers by their Python names.

    Raises
    ------
    UnknownObjectError
        A part is no identifier, so nothing can have it.
    """
    return {each.name: _identifier(each, part) for each, part in zip(route.path, parts, strict=True)}


def read_query(route: Route, query: Mapping[str, list[bytes]]) -> dict[str, Any]:
    """Return the arguments that stand in the query.

    A value of ``None`` or nothing means that it was not given. Names that the route does not know are
    left alone: tokens and cache breakers travel there too.

    Parameters
    ----------
    route : Route
        The route.
    query : dict
        Values by name; the last one of a name counts.

    Returns
    -------
    dict
        Values by their Python names, only those that were given.

    Raises
    ------
    InvalidArgumentError
        A value is not what its name asks for.
    UnknownObjectError
        An identifier cannot exist.
    """
    given: dict[str, Any] = {}
    for each in route.query:
        try:
            text = query.get(each.wire, [b""])[-1].decode().strip()
        except UnicodeDecodeError:
            raise InvalidArgumentError(each.wire, "it is not UTF-8") from None
        if text in {"", "None"}:
            continue
        if each.kind == "id":
            given[each.name] = _identifier(each, text)
        elif each.kind == "whole":
            given[each.name] = read_whole(each.wire, text)
        elif each.kind == "flag":
            if text.lower() not in FLAGS:
                raise InvalidArgumentError(each.wire, f"{text!a:.{SHOWN}} is neither true nor false")
            given[each.name] = FLAGS[text.lower()]
        elif each.kind == "names":
            given[each.name] = [name.strip() for name in text.split(",") if name.strip()]
        else:
            given[each.name] = _storable(each, text)
    return given


def read_whole(wire: str, text: str) -> int:
    """Return a whole number of at most 18 digits.

    Raises
    ------
    InvalidArgumentError
        It is none.
    """
    if not WHOLE.fullmatch(text):
        raise InvalidArgumentError(wire, f"{text!a:.{SHOWN}} is not a whole number")
    return int(text)


def check_content_type(content_type: str) -> None:
    """Refuse a body that does not call itself JSON.

    Raises
    ------
    UnsupportedMediaTypeError
        It is something else.
    """
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaTypeError(
            "Content-Type", f"{content_type!a:.{SHOWN}} is not taken here", "send application/json"
        )


def read_body(route: Route, content: bytes) -> dict[str, Any]:
    """Return the arguments that stand in a JSON body.

    Parameters
    ----------
    route : Route
        The route.
    content : bytes
        The body; empty is the same as ``{}`` where no field is required.

    Returns
    -------
    dict
        Values by their Python names; null counts as not given.

    Raises
    ------
    InvalidArgumentError
        The body is no JSON object, or a field is unknown, missing or of the wrong type.
    """
    if not content.strip():
        if any(each.required for each in route.body):
            raise InvalidArgumentError("body", "it is empty", _remedy(route))
        return {}
    body = parse_json(content)
    if not isinstance(body, dict):
        raise InvalidArgumentError("body", "it is not a JSON object", _remedy(route))
    fields = {each.wire: each for each in route.body}
    for name in body:
        if name not in fields:
            raise InvalidArgumentError(f"{name!a:.{SHOWN}}", "this request has no such field", _remedy(route))
    for each in route.body:
        if each.required and body.get(each.wire) is None:
            raise InvalidArgumentError(each.wire, "it is missing from the body", _remedy(route))
    return {
        fields[name].name: _checked(fields[name], value) for name, value in body.items() if value is not None
    }


def parse_json(content: bytes) -> Any:
    """Parse strict JSON: UTF-8, no duplicate keys, finite numbers, few levels.

    Parameters
    ----------
    content : bytes
        The text.

    Returns
    -------
    object
        What it says.

    Raises
    ------
    InvalidArgumentError
        It is anything else.
    """
    try:
        parsed = json.loads(
            content.decode(), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
        )
    except UnicodeDecodeError:
        raise InvalidArgumentError("body", "it is not UTF-8") from None
    except json.JSONDecodeError as error:
        problem = f"it is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise InvalidArgumentError("body", problem) from None
    except RecursionError:
        raise InvalidArgumentError("body", TOO_DEEP) from None
    except InvalidArgumentError:
        raise
    except ValueError:  # Python refuses integers of more than 4,300 digits
        raise InvalidArgumentError("body", "a number in it has too many digits") from None
    level, depth = [parsed], 0
    while level:
        depth += 1
        if depth > NESTING:
            raise InvalidArgumentError("body", TOO_DEEP)
        level = [
            child
            for each in level
            if isinstance(each, (dict, list))
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, (dict, list))
        ]
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidArgumentError(f"{twice!a:.{SHOWN}}", "the body has this key twice in one object")
    return found


def _constant(text: str) -> float:
    raise InvalidArgumentError("body", f"{text} is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidArgumentError("body", f"{text:.{SHOWN}} is beyond what a number can hold")
    return number


def _checked(argument: Argument, value: Any) -> Any:
    if argument.kind == "any":
        return value
    if argument.kind == "names":
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise InvalidArgumentError(argument.wire, "it must be a list of strings")
        return [_storable(argument, each) for each in value]
    if argument.kind == "flag":
        if not isinstance(value, bool):
            raise InvalidArgumentError(argument.wire, "it must be true or false")
        return value
    if not isinstance(value, str):
        raise InvalidArgumentError(argument.wire, "it must be a string")
    return _storable(argument, value)


def _storable(argument: Argument, text: str) -> str:
    """Return a text that a database and a file system can hold."""
    if UNSTORABLE.search(text):
        raise InvalidArgumentError(argument.wire, "it holds a character that cannot be stored")
    return text


def _identifier(argument: Argument, text: str) -> str:
    if not IDENTIFIER.fullmatch(text):
        kind, error = UNKNOWN[argument.name]
        raise error(f"{kind} {text!a:.{SHOWN}}", "there is no such thing")
    return text


def _remedy(route: Route) -> str:
    fields = ", ".join(each.wire if each.required else f"{each.wire}?" for each in route.body)
    return f"send {{{fields}}}" if fields else "send no body"
