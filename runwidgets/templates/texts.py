"""Texts: what one must not hold, which paths stay inside a folder, and how a message shows a value.

The form in the browser shows values in the same words, so numbers are written as JavaScript does.
"""

import json
import math
import re
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

MAX_DIGITS = 100
"""Digits of a whole number; more is a mistake, not a number."""
MAX_SHOWN = 60
"""Characters of a value in a message."""
MAX_NAME = 255
"""Bytes of a file's name, as file systems have it."""
PLAIN_NUMBER = 1e21
"""From here on JavaScript, whose words are the same, writes whole numbers with an exponent."""


def leaves_folder(path: str) -> bool:
    """Say whether a path is not one that names a file or folder below the folder it starts in."""
    pure = PurePosixPath(path)
    is_odd = not path.strip() or not pure.parts or "\\" in path or bool(re.match(r"[A-Za-z]:", path))
    is_long = any(len(part.encode("utf-8", "replace")) > MAX_NAME for part in pure.parts)
    return (
        is_odd
        or is_long
        or text_problem(path) is not None
        or pure.is_absolute()
        or ".." in pure.parts
        or path.startswith("~")
    )


def text_problem(text: str) -> str | None:
    """Return what keeps a text from being stored and sent, None when nothing does."""
    if "\0" in text:
        return "it holds a NUL character"
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        return "it holds half a character (a lone surrogate)"
    return None


def shorten(text: str) -> str:
    """Return a text so that a message can hold it: whole characters, and not more than fit a line."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "…"


def show(value: Any) -> str:
    """Return a value as a person would write it, in the same words as the form in the browser."""
    if isinstance(value, str):
        return shorten(f"'{value}'")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**MAX_DIGITS:
        return f"a number of more than {MAX_DIGITS} digits"
    if isinstance(value, float):
        return _show_float(value)
    try:
        return shorten(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    except (TypeError, ValueError):
        return f"a value of type {type(value).__name__}"


def _show_float(value: float) -> str:
    """Return a number as JavaScript writes it."""
    if not math.isfinite(value):
        return str(value)
    if value.is_integer() and abs(value) < PLAIN_NUMBER:
        return str(int(value))
    text = repr(value)
    if "e-" in text and abs(value) >= 1e-6:
        return f"{Decimal(text):f}"
    return re.sub(r"e([+-])0+", r"e\1", text)
