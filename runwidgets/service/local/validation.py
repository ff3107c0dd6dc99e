"""Validation of what callers pass: numbers, texts, names, identifiers."""

import re
import uuid
from pathlib import PurePath
from typing import Any

from runwidgets.errors import (
    ConstraintViolationError,
    InvalidArgumentError,
)
from runwidgets.limits import Limits
from runwidgets.store.database.catalog import Catalog

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
    return value.encode("utf-8", "backslashreplace").decode()


def check_name(name: str, limits: Limits) -> str:
    """Return a display name.

    Raises
    ------
    ConstraintViolationError
        The value is not a name, or is too long.
    """
    if not isinstance(name, str) or not 0 < len(name.strip()) <= limits.name_length or "\0" in name:
        raise ConstraintViolationError("name", f"it must have 1 to {limits.name_length} characters")
    return name


def check_identifier(identifier: str | None, kind: str, catalog: Catalog) -> str:
    """Return the identifier of a new workflow or group; a random one if `identifier` is None.

    Raises
    ------
    ConstraintViolationError
        The value is not an identifier, or is already used.
    """
    if identifier is None:
        return uuid.uuid4().hex
    if not isinstance(identifier, str) or not IDENTIFIER.fullmatch(identifier):
        raise ConstraintViolationError(
            "identifier",
            f"{identifier!r:.80} is not an identifier",
            "use 1 to 64 letters, digits, '-' and '_'",
        )
    if catalog.is_taken(kind, identifier):
        raise ConstraintViolationError("identifier", f"'{identifier}' is already used by another {kind}")
    return identifier


def check_usernames(usernames: Any) -> list[str]:
    """Return user names; an empty list for None.

    Raises
    ------
    ConstraintViolationError
        The value is not a list of user names.
    """
    if usernames is None:
        return []
    if not isinstance(usernames, list) or not all(isinstance(each, str) and each for each in usernames):
        raise ConstraintViolationError("members", "it must be a list of user names")
    return usernames


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
