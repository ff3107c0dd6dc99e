"""Validation of what callers pass: numbers, texts, names, identifiers."""

import json
import re
import uuid
from pathlib import PurePath
from typing import Any

from runwidgets.errors import (
    ConstraintViolationError,
    InvalidArgumentError,
)
from runwidgets.limits import Limits
from runwidgets.schema import Objective, SearchConfig
from runwidgets.store.database.catalog import Catalog
from runwidgets.templates.texts import is_list_of_texts, text_problem

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def check_whole_number(name: str, value: Any, minimum: int, maximum: int) -> int:
    """Return a whole number, which may be given as text.

    Raises
    ------
    InvalidArgumentError
        The value is not a whole number, or is out of range.
    """
    text = str(value)
    digits = text[1:] if text.startswith("-") else text
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise InvalidArgumentError(name, f"{text!r:.80} is not a whole number")
    if not minimum <= int(text) <= maximum:
        raise InvalidArgumentError(name, f"must be {minimum:,} to {maximum:,}, got {int(text):,}")
    return int(text)


def check_text(name: str, value: Any, limit: int) -> str:
    """Return a text that can be stored, of at most `limit` bytes.

    Raises
    ------
    InvalidArgumentError
        The value is not a text, or is too long.
    """
    if not isinstance(value, str) or len(value.encode("utf-8", "replace")) > limit:
        raise InvalidArgumentError(name, f"it must be text of at most {limit:,} bytes")
    if problem := text_problem(value):
        raise InvalidArgumentError(name, problem)
    return value


def check_flag(name: str, value: Any) -> bool:
    """Return a boolean.

    Raises
    ------
    InvalidArgumentError
        The value is anything else.
    """
    if not isinstance(value, bool):
        raise InvalidArgumentError(name, "it must be true or false")
    return value


def check_texts(name: str, value: Any) -> list[str]:
    """Return a list of texts.

    Raises
    ------
    InvalidArgumentError
        The value is not a list, or not all items are text that can be stored.
    """
    if not is_list_of_texts(value):
        raise InvalidArgumentError(name, "it must be a list of strings")
    for problem in filter(None, map(text_problem, value)):
        raise InvalidArgumentError(name, problem)
    return list(value)


def check_name(name: str, limits: Limits) -> str:
    """Return a display name.

    Raises
    ------
    InvalidArgumentError
        The value is not a name, or is too long.
    """
    if not isinstance(name, str) or not 0 < len(name.strip()) <= limits.name_length:
        raise InvalidArgumentError("name", f"it must have 1 to {limits.name_length} characters")
    if problem := text_problem(name):
        raise InvalidArgumentError("name", problem)
    return name


def check_identifier(identifier: str | None) -> str | None:
    """Return the identifier that a caller wishes for a new workflow or group, or None for a random one.

    Raises
    ------
    InvalidArgumentError
        The value is not an identifier.
    """
    if identifier is not None and not (isinstance(identifier, str) and IDENTIFIER.fullmatch(identifier)):
        raise InvalidArgumentError(
            "identifier",
            f"{identifier!r:.80} is not an identifier",
            "use 1 to 64 letters, digits, '-' and '_'",
        )
    return identifier


def new_identifier(identifier: str | None, kind: str, catalog: Catalog) -> str:
    """Return the identifier of a new workflow or group: the given one, or a random one.

    Raises
    ------
    InvalidArgumentError
        The value is not an identifier.
    ConstraintViolationError
        It is already used.
    """
    wanted = check_identifier(identifier)
    if wanted is None:
        return uuid.uuid4().hex
    if catalog.is_taken(kind, wanted):
        raise ConstraintViolationError("identifier", f"'{wanted}' is already used by another {kind}")
    return wanted


def check_usernames(usernames: Any) -> list[str]:
    """Return user names; an empty list for None.

    Raises
    ------
    InvalidArgumentError
        The value is not a list of user names.
    """
    if usernames is None:
        return []
    names = check_texts("members", usernames)
    if "" in names:
        raise InvalidArgumentError("members", "one of the user names is empty")
    return names


def check_file_name(name: str, limits: Limits) -> None:
    """Check the name of an upload.

    Raises
    ------
    InvalidArgumentError
        The name has folders, begins with a dot, is too long, or is not printable.
    """
    is_plain = isinstance(name, str) and PurePath(name).name == name and name not in {"", ".", ".."}
    if not is_plain or any(character in name for character in "/\\\0") or name.startswith("."):
        raise InvalidArgumentError(
            "name", f"{name!r:.80} is not a plain file name", "omit folders and leading dots"
        )
    if len(name.encode("utf-8", "replace")) > limits.name_length or not name.isprintable():
        raise InvalidArgumentError(
            "name", f"it must have at most {limits.name_length} bytes of printable characters"
        )


def check_search(search: Any) -> None:
    """Check the description of a search that a sweep belongs to.

    Raises
    ------
    InvalidArgumentError
        The value is not a `SearchConfig`, or holds text that cannot be stored.
    """
    keys = set(SearchConfig.__annotations__)
    where = "config.search"
    if not isinstance(search, dict) or not set(search) - {"study"} == keys - {"study"}:
        raise InvalidArgumentError(where, f"it must be an object with {', '.join(sorted(keys))}")
    objectives = search["objectives"]
    if not isinstance(objectives, list) or not objectives or not all(map(_is_objective, objectives)):
        raise InvalidArgumentError(
            f"{where}.objectives", 'it must be a list such as [{"metric": "loss", "direction": "minimize"}]'
        )
    for name, kind in (("space", dict), ("seed", int), ("study", str)):
        if not isinstance(search.get(name, kind()), kind):
            raise InvalidArgumentError(f"{where}.{name}", f"it must be of type {kind.__name__}")
    if problem := text_problem(json.dumps(search, ensure_ascii=False).replace("\\u0000", "\0")):
        raise InvalidArgumentError(where, problem)


def _is_objective(value: Any) -> bool:
    is_whole = isinstance(value, dict) and set(value) == set(Objective.__annotations__)
    return is_whole and isinstance(value["metric"], str) and value["direction"] in ("minimize", "maximize")
