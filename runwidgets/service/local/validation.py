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


def check_whole_number(name: str, given: Any, least: int, most: int) -> int:
    """Return a whole number, which may be given as text.

    Raises
    ------
    InvalidArgumentError
        The value is not a whole number, or is out of range.
    """
    said = str(given)
    digits = said[1:] if said.startswith("-") else said
    if isinstance(given, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise InvalidArgumentError(name, f"{said!r:.80} is not a whole number")
    if not least <= int(said) <= most:
        raise InvalidArgumentError(name, f"must be {least:,} to {most:,}, got {int(said):,}")
    return int(said)


def check_text(name: str, given: Any, limit: int) -> str:
    """Return a text that can be stored, of at most `limit` bytes.

    Raises
    ------
    InvalidArgumentError
        The value is not a text, or is too long.
    """
    if not isinstance(given, str) or len(given.encode("utf-8", "replace")) > limit:
        raise InvalidArgumentError(name, f"it must be text of at most {limit:,} bytes")
    return given.encode("utf-8", "backslashreplace").decode()


def check_name(given: str, limits: Limits) -> str:
    """Return a display name.

    Raises
    ------
    ConstraintViolationError
        The value is not a name, or is too long.
    """
    if not isinstance(given, str) or not 0 < len(given.strip()) <= limits.name_length or "\0" in given:
        raise ConstraintViolationError("name", f"it must have 1 to {limits.name_length} characters")
    return given


def check_identifier(given: str | None, kind: str, catalog: Catalog) -> str:
    """Return the identifier of a new workflow or group: the given one, or a random one.

    Raises
    ------
    ConstraintViolationError
        The value is not an identifier, or is already used.
    """
    if given is None:
        return uuid.uuid4().hex
    if not isinstance(given, str) or not IDENTIFIER.fullmatch(given):
        raise ConstraintViolationError(
            "identifier", f"{given!r:.80} is not an identifier", "use 1 to 64 letters, digits, '-' and '_'"
        )
    if catalog.is_taken(kind, given):
        raise ConstraintViolationError("identifier", f"'{given}' is already used by another {kind}")
    return given


def check_usernames(given: Any) -> list[str]:
    """Return user names; an empty list for None.

    Raises
    ------
    ConstraintViolationError
        The value is not a list of user names.
    """
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
        raise ConstraintViolationError("members", "it must be a list of user names")
    return given


def check_file_name(name: str, limits: Limits) -> None:
    """Check the name of an upload.

    Raises
    ------
    InvalidArgumentError
        The name has folders, begins with a dot, is too long, or is not printable.
    """
    is_plain = isinstance(name, str) and PurePath(name).name == name and name not in {"", ".", ".."}
    if not is_plain or any(sign in name for sign in "/\\\0") or name.startswith("."):
        raise InvalidArgumentError(
            "name", f"{name!r:.80} is not a plain file name", "omit folders and leading dots"
        )
    if len(name.encode("utf-8", "replace")) > limits.name_length or not name.isprintable():
        raise InvalidArgumentError(
            "name", f"it must have at most {limits.name_length} bytes of printable characters"
        )
