"""Texts: characters that are not allowed, paths inside a folder, and values in messages.

The form in the browser uses the same notation, so numbers are written as in JavaScript.
"""

import json
import keyword
import math
import re
import unicodedata
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, TypeGuard

MAX_DIGITS = 100
"""Maximum number of digits of a whole number; more are treated as a mistake."""
MAX_SHOWN = 60
"""Maximum number of characters of a value in a message."""
MAX_NAME = 255
"""Maximum number of bytes of a file name, as in common file systems."""
FLOAT_TAG = "$float"
"""``type`` of a `runwidgets.schema.FloatArgument`."""
PLAIN_NUMBER = 1e21
"""From this number on, JavaScript writes whole numbers with an exponent."""


def is_identifier(name: str) -> bool:
    """Return whether a text can name a parameter in some language: R has dots in names."""
    is_name = name.replace(".", "_").isidentifier() and not name.startswith("__")
    return is_name and unicodedata.normalize("NFKC", name) == name


def is_python_name(name: str) -> bool:
    """Return whether Python code can assign to a name."""
    return name.isidentifier() and not keyword.iskeyword(name)


def leaves_folder(path: str) -> bool:
    """Return whether a path does not name something below the folder that it is relative to."""
    parsed = PurePosixPath(path)
    is_malformed = not path.strip() or not parsed.parts or "\\" in path or bool(re.match(r"[A-Za-z]:", path))
    is_long = any(len(part.encode("utf-8", "replace")) > MAX_NAME for part in parsed.parts)
    return (
        is_malformed
        or is_long
        or text_problem(path) is not None
        or parsed.is_absolute()
        or ".." in parsed.parts
        or path.startswith("~")
    )


def is_target(path: str) -> bool:
    """Return whether an upload may have a path as its target, if that is in the project of the notebook."""
    below = re.sub(r"^(\.\.?/+)+", "", path)
    return not leaves_folder(below) or (not below and path.endswith("../"))


def is_list_of_texts(value: object) -> TypeGuard[list[str]]:
    """Return whether a value is a list of strings."""
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def text_problem(text: str) -> str | None:
    """Return why a text cannot be stored and sent, or None if it can."""
    if "\0" in text:
        return "it holds a NUL character"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "it holds half a character (a lone surrogate)"
    return None


def float_name(value: float) -> str:
    """Return the name of NaN or an infinity on the wire."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def shorten(text: str) -> str:
    """Shorten a text for a message: only valid characters, at most one line."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "…"


def show(value: Any) -> str:
    """Return a value as a person would write it, in the same notation as the form in the browser."""
    if isinstance(value, str):
        return shorten(f"'{value}'")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**MAX_DIGITS:
        return f"a number of more than {MAX_DIGITS} digits"
    if isinstance(value, float):
        return _show_float(value)
    if isinstance(value, dict) and value.get("type") == FLOAT_TAG:
        return shorten(str(value.get("value")))
    try:
        return shorten(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    except (TypeError, ValueError):
        return f"a value of type {type(value).__name__}"


def _show_float(value: float) -> str:
    """Return a number in JavaScript's notation."""
    if not math.isfinite(value):
        return float_name(value)
    if value.is_integer() and abs(value) < PLAIN_NUMBER:
        return str(int(value))
    text = repr(value)
    if "e-" in text and abs(value) >= 1e-6:
        return f"{Decimal(text):f}"
    return re.sub(r"e([+-])0+", r"e\1", text)
