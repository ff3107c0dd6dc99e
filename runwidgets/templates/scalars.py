"""Casts of sent or typed values of one type; what does not fit is a pydantic error with our sentence."""

import datetime
import math
import re
from decimal import Decimal
from typing import Any

from pydantic_core import PydanticCustomError

from runwidgets.schema import FileArgument, FileReference, JsonValue
from runwidgets.templates.constraints import DECIMAL, INTEGER, Constraints
from runwidgets.templates.texts import FLOAT_TAG, MAX_DIGITS, float_name, is_target, show, text_problem

DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)
"""Stricter than `fromisoformat`, which accepts other texts in each Python version and drops nanoseconds."""

FILE_TAG = "$file"
"""``type`` of a `runwidgets.schema.FileArgument`."""
SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _problem(text: str) -> PydanticCustomError:
    return PydanticCustomError("runwidgets", "{problem}", {"problem": text})


def _require_value(value: Any) -> None:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _problem("no value was given")


def cast_int(value: Any, constraints: Constraints) -> int:
    """Return a whole number, which may be typed or have the form of a float."""
    _require_value(value)
    if isinstance(value, str) and INTEGER.fullmatch(value.strip()):
        if len(value.strip()) > MAX_DIGITS:
            raise _problem(f"it has more than {MAX_DIGITS} digits")
        value = int(value)
    elif isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _problem(f"{show(value)} is not a whole number")
    if abs(value) >= 10**MAX_DIGITS:
        raise _problem(f"it has more than {MAX_DIGITS} digits")
    if problem := constraints.number_problem(value):
        raise _problem(problem)
    return value


def cast_float(value: Any, constraints: Constraints) -> float | str:
    """Return a number; NaN and infinity as their names on the wire."""
    _require_value(value)
    special = _special_float(value)
    if special is not None:
        if problem := constraints.number_problem(special):
            raise _problem(problem)
        return float_name(special)
    shown = value
    if isinstance(value, str):
        text = value.strip()
        if DECIMAL.fullmatch(text):
            is_short_whole = INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS
            value = int(text) if is_short_whole else float(text)
            if value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
                raise _problem(f"{show(shown)} is too close to zero")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _problem(f"{show(value)} is not a number")
    if not isinstance(value, int) and not math.isfinite(value):
        raise _problem(f"{show(shown)} is not a finite number")
    if isinstance(value, int) and not _fits_float(value):
        raise _problem(f"{show(shown)} has more digits than a number with decimals can keep")
    if problem := constraints.number_problem(value):
        raise _problem(problem)
    return float(value)


def _special_float(value: Any) -> float | None:
    """Return NaN or an infinity, whichever way it is written; None for any other value."""
    if isinstance(value, float) and not math.isfinite(value):
        return value
    if isinstance(value, dict) and value.keys() == {"type", "value"} and value["type"] == FLOAT_TAG:
        value = value["value"]
    return SPECIAL_FLOATS.get(value.strip()) if isinstance(value, str) else None


def _fits_float(value: int) -> bool:
    """Return whether a whole number survives the conversion to float, exactly or in its shortest notation."""
    if abs(value) >= 10**MAX_DIGITS:
        return False
    return float(value) == value or Decimal(repr(float(value))) == value


def tag_float(value: float) -> JsonValue:
    """Return the form of NaN or an infinity where any JSON value is allowed."""
    return {"type": FLOAT_TAG, "value": float_name(value)}


def tag_floats(value: Any) -> Any:
    """Return a value with the tagged forms of Python's NaN and infinities, at any depth."""
    if isinstance(value, float) and not math.isfinite(value):
        return tag_float(value)
    if isinstance(value, (list, tuple)):
        return [tag_floats(item) for item in value]
    return {key: tag_floats(item) for key, item in value.items()} if isinstance(value, dict) else value


def untag_floats(value: Any) -> Any:
    """Return a JSON value with Python's NaN and infinities in place of their tagged forms, at any depth."""
    if isinstance(value, list):
        return [untag_floats(item) for item in value]
    if not isinstance(value, dict):
        return value
    special = _special_float(value)
    return special if special is not None else {key: untag_floats(item) for key, item in value.items()}


def cast_bool(value: Any) -> bool:
    """Return a truth value, which may be typed."""
    _require_value(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise _problem(f"{show(value)} is not true or false")


def cast_text(value: Any, limit: int, constraints: Constraints) -> str:
    """Return a text of at most `limit` bytes that fulfils the constraints."""
    text = cast_string(value, limit)
    if problem := constraints.text_problem(text):
        raise _problem(problem)
    return text


def cast_string(value: Any, limit: int) -> str:
    """Return a text of at most `limit` bytes."""
    if value is None:
        raise _problem("no value was given")
    if not isinstance(value, str):
        raise _problem(f"{show(value)} is not text")
    if problem := text_problem(value):
        raise _problem(problem)
    if len(value.encode()) > limit:
        raise _problem(f"it has more than {limit:,} bytes")
    return value


def cast_select(value: Any, choices: list[Any]) -> Any:
    """Return the choice that a value or its text names."""
    for choice in choices:
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    if isinstance(value, str):
        for choice in choices:
            if value == (choice if isinstance(choice, str) else show(choice)):
                return choice
    _require_value(value)
    raise _problem(f"{show(value)} is not one of {', '.join(show(choice) for choice in choices)}")


def cast_date(value: Any) -> str:
    """Return a date as ISO 8601 text."""
    _require_value(value)
    text = value.strip() if isinstance(value, str) else ""
    try:
        if DATE.fullmatch(text):
            return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise _problem(f"{show(value)} is not a date such as 2024-12-31")


def cast_datetime(value: Any) -> str:
    """Return a date and time as ISO 8601 text."""
    _require_value(value)
    found = DATETIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found and not (found[4] and not found[3]):
        day, minute, second, fraction, zone = found.groups("")
        zone = "+00:00" if zone == "Z" else zone
        fraction = f".{fraction:0<6}" if fraction else ""
        try:
            return datetime.datetime.fromisoformat(
                f"{day}T{minute or '00:00'}{second or ':00'}{fraction}{zone}"
            ).isoformat()
        except ValueError:
            pass
    raise _problem(f"{show(value)} is not a date and time such as 2024-12-31T18:30")


def check_list(value: Any, constraints: Constraints) -> list[Any]:
    """Return a list of an allowed length; its items are not checked."""
    _require_value(value)
    if not isinstance(value, (list, tuple)):
        raise _problem(f"{show(value)} is not a list")
    if problem := constraints.length_problem(len(value), "item"):
        raise _problem(problem)
    return list(value)


def check_object(value: Any) -> dict[str, JsonValue]:
    """Return a record; its fields are not checked."""
    _require_value(value)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _problem(f"{show(value)} is not a record of names and values")
    if value.get("type") == FILE_TAG:
        raise _problem("an uploaded file is not a record")
    if value.get("type") == FLOAT_TAG:
        raise _problem(f"{show(value.get('value'))} is not a record of names and values")
    return value


def cast_json(value: Any, limit: int) -> Any:
    """Check a value without a declared type."""
    if not isinstance(value, str) and (special := _special_float(value)) is not None:
        return tag_float(special)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**MAX_DIGITS:
        raise _problem(f"it has more than {MAX_DIGITS} digits")
    if isinstance(value, str):
        return cast_string(value, limit)
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise _problem(f"{show(value)} is not a record of names and values")
        if value.get("type") == FILE_TAG:
            raise _problem("an uploaded file is a value for parameters of dtype file only")
        return {cast_string(key, limit): cast_json(item, limit) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [cast_json(item, limit) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise _problem(f"a {type(value).__name__} has no JSON form")


def cast_file(value: Any) -> FileArgument:
    """Return a reference to an upload."""
    _require_value(value)
    shape = 'is not an uploaded file such as {"type": "$file", "value": {"fileId": "…"}}'
    if not isinstance(value, dict) or set(value) != {"type", "value"} or value["type"] != FILE_TAG:
        raise _problem(f"{show(value)} {shape}")
    reference = value["value"]
    if not isinstance(reference, dict) or not isinstance(reference.get("fileId"), str):
        raise _problem(f"{show(value)} {shape}")
    if set(reference) - {"fileId", "targetPath"}:
        raise _problem(f"{show(value)} {shape}")
    target = reference.get("targetPath")
    if target is not None and (not isinstance(target, str) or not is_target(target)):
        raise _problem("its targetPath must be a relative path inside the project")
    file: FileReference = {"fileId": reference["fileId"]}
    if target is not None:
        file["targetPath"] = target
    return {"type": "$file", "value": file}
