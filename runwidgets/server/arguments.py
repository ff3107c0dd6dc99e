"""Parsing of requests into the arguments of a service method.

This module does not depend on the web framework: it turns text and bytes into keyword arguments, or raises
an error that names the invalid field. The service decides what a value *means*; the parser is strict:
no duplicate keys, no bare NaN, no unknown fields.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from runwidgets.errors import InvalidArgumentError, UnsupportedMediaTypeError
from runwidgets.schema import JsonValue
from runwidgets.service.routes.route import NOT_GIVEN, Route, RouteArgument
from runwidgets.templates.texts import is_list_of_texts

Arguments: TypeAlias = dict[str, object]
"""Arguments of a service method from a request, by their Python names."""

MAX_NESTING = 100
"""Maximum nesting of a body; far above the limit of arguments, and far below Python's recursion limit."""
TOO_DEEP = f"it is nested more than {MAX_NESTING} levels deep"
EXCERPT_LENGTH = 80
"""Maximum number of characters of an invalid value that an error message repeats."""
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
UNSTORABLE = re.compile("[\\0\\ud800-\\udfff]")
"""NUL, and unpaired surrogates."""
FLAGS = {"true": True, "1": True, "false": False, "0": False}


def read_path(route: Route, parts: tuple[str, ...]) -> dict[str, str]:
    """Return the arguments in the path.

    Parameters
    ----------
    route : Route
        The route.
    parts : tuple of str
        The parts of the path that matched, unescaped, in the order of the pattern.

    Returns
    -------
    dict
        Identifiers by parameter name.

    Raises
    ------
    UnknownObjectError
        A part is not a valid identifier, so no object can have it.
    """
    return {each.name: each.check_id(part) for each, part in zip(route.path, parts, strict=True)}


def read_query(route: Route, query: Mapping[str, list[bytes]]) -> Arguments:
    """Return the arguments in the query.

    A value of ``None`` or an empty value means that the argument is not given. Unknown names are ignored,
    because tokens and cache breakers are sent in the query too; a known name must not be repeated.

    Parameters
    ----------
    route : Route
        The route.
    query : dict
        Values by name.

    Returns
    -------
    dict
        Values by parameter name, without those that are not given.

    Raises
    ------
    InvalidArgumentError
        A value has the wrong type, or a name has several values.
    UnknownObjectError
        An identifier is not valid, so no object can have it.
    """
    arguments: Arguments = {}
    for each in route.query:
        text = read_text(query, each.wire_name)
        if text in NOT_GIVEN:
            continue
        if each.kind == "id":
            arguments[each.name] = each.check_id(text)
        elif each.kind == "whole":
            arguments[each.name] = read_whole(each.wire_name, text)
        elif each.kind == "flag":
            if text.lower() not in FLAGS:
                raise InvalidArgumentError(
                    each.wire_name, f"{text!a:.{EXCERPT_LENGTH}} is neither true nor false"
                )
            arguments[each.name] = FLAGS[text.lower()]
        elif each.kind == "names":
            arguments[each.name] = split_names(text)
        else:
            arguments[each.name] = _storable(each, text)
    return arguments


def read_text(query: Mapping[str, list[bytes]], wire_name: str) -> str:
    """Return the text of a name in the query, empty if there is none.

    Raises
    ------
    InvalidArgumentError
        The name is repeated, or its value is not UTF-8.
    """
    values = query.get(wire_name, [b""])
    if len(values) > 1:
        raise InvalidArgumentError(wire_name, f"the query has it {len(values)} times", "give it once")
    try:
        return values[0].decode()
    except UnicodeDecodeError:
        raise InvalidArgumentError(wire_name, "it is not UTF-8") from None


def split_names(text: str) -> list[str]:
    """Return the names in a query: a JSON list of texts, or names separated by commas."""
    if text.startswith("["):
        try:
            names = json.loads(text)
        except (ValueError, RecursionError):
            names = None  # a name that begins with a bracket
        if is_list_of_texts(names):
            return names
    return [name.strip() for name in text.split(",") if name.strip()]


def read_whole(wire_name: str, text: str) -> int:
    """Return a whole number of at most 18 digits.

    Raises
    ------
    InvalidArgumentError
        The text is not such a number.
    """
    if not WHOLE_NUMBER.fullmatch(text):
        raise InvalidArgumentError(wire_name, f"{text!a:.{EXCERPT_LENGTH}} is not a whole number")
    return int(text)


def check_content_type(content_type: str) -> None:
    """Reject a body whose content type is not JSON.

    Raises
    ------
    UnsupportedMediaTypeError
        The content type is another one.
    """
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaTypeError(
            "Content-Type",
            f"{content_type!a:.{EXCERPT_LENGTH}} is not accepted here",
            "send application/json",
        )


def read_body(route: Route, content: bytes) -> Arguments:
    """Return the arguments in a JSON body.

    Parameters
    ----------
    route : Route
        The route.
    content : bytes
        The body; an empty body equals ``{}`` if no field is required.

    Returns
    -------
    dict
        Values by parameter name; null means that a value is not given.

    Raises
    ------
    InvalidArgumentError
        The body is not a JSON object, or a field is unknown, missing or of the wrong type.
    """
    if not content.strip():
        if any(each.required for each in route.body):
            raise InvalidArgumentError("body", "it is empty", _remedy(route))
        return {}
    body = parse_json(content)
    if not isinstance(body, dict):
        raise InvalidArgumentError("body", "it is not a JSON object", _remedy(route))
    fields = {each.wire_name: each for each in route.body}
    for name in body:
        if name not in fields:
            raise InvalidArgumentError(
                f"{name!a:.{EXCERPT_LENGTH}}", "this request has no such field", _remedy(route)
            )
    for each in route.body:
        if each.required and body.get(each.wire_name) is None:
            raise InvalidArgumentError(each.wire_name, "it is missing from the body", _remedy(route))
    return {
        fields[name].name: _checked(fields[name], value) for name, value in body.items() if value is not None
    }


def parse_json(content: bytes) -> JsonValue:
    """Parse strict JSON: UTF-8, no duplicate keys, finite numbers, limited nesting.

    Parameters
    ----------
    content : bytes
        The text.

    Returns
    -------
    object
        The parsed value.

    Raises
    ------
    InvalidArgumentError
        The text is not strict JSON.
    """
    try:
        parsed: JsonValue = json.loads(
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
    except ValueError:  # Python rejects integers of more than 4,300 digits
        raise InvalidArgumentError("body", "a number in it has too many digits") from None
    level, depth = [parsed], 0
    while level:
        depth += 1
        if depth > MAX_NESTING:
            raise InvalidArgumentError("body", TOO_DEEP)
        level = [
            child
            for each in level
            if isinstance(each, (dict, list))
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, (dict, list))
        ]
    return parsed


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        duplicate = next(name for name, count in counts.items() if count > 1)
        raise InvalidArgumentError(
            f"{duplicate!a:.{EXCERPT_LENGTH}}", "the body has this key twice in one object"
        )
    return parsed


def _constant(text: str) -> float:
    raise InvalidArgumentError("body", f"{text} is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidArgumentError("body", f"{text:.{EXCERPT_LENGTH}} is too large for a number")
    return number


def _checked(argument: RouteArgument, value: JsonValue) -> object:
    if argument.kind == "any":
        return value
    if argument.kind == "names":
        if not is_list_of_texts(value):
            raise InvalidArgumentError(argument.wire_name, "it must be a list of strings")
        return [_storable(argument, each) for each in value]
    if argument.kind == "flag":
        if not isinstance(value, bool):
            raise InvalidArgumentError(argument.wire_name, "it must be true or false")
        return value
    if not isinstance(value, str):
        raise InvalidArgumentError(argument.wire_name, "it must be a string")
    return _storable(argument, value)


def _storable(argument: RouteArgument, text: str) -> str:
    """Return the text, if a database and a file system can store it."""
    if UNSTORABLE.search(text):
        raise InvalidArgumentError(argument.wire_name, "it holds a character that cannot be stored")
    return text


def _remedy(route: Route) -> str:
    fields = ", ".join(each.wire_name if each.required else f"{each.wire_name}?" for each in route.body)
    return f"send {{{fields}}}" if fields else "send no body"
