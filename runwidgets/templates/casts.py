"""Casts of sent or typed values to their declared types: a pydantic type for every parameter."""

import datetime
import functools
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Protocol

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic_core import PydanticCustomError
from typing_extensions import NotRequired, Required, TypedDict

from runwidgets.limits import Limits
from runwidgets.schema import FileArgument, FileReference, JsonValue
from runwidgets.templates.ranges import DECIMAL, INTEGER, Range
from runwidgets.templates.texts import MAX_DIGITS, leaves_folder, shorten, show, text_problem

DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)
"""Stricter than `fromisoformat`, which accepts other texts in each Python version and drops nanoseconds."""


SECRET_PROBLEM = "its value, which is secret and not shown, does not fit"


class Option(Protocol):
    """One value of a select."""

    @property
    def value(self) -> Any:
        """The value that the notebook gets."""


class Declaration(Protocol):
    """The properties of a parameter that a cast depends on."""

    @property
    def name(self) -> str:
        """The name of the parameter, as in messages."""

    @property
    def dtype(self) -> str:
        """The type of its values."""

    @property
    def is_required(self) -> bool:
        """Whether a record must contain it."""

    @property
    def default(self) -> Any:
        """The value in a record that does not contain it."""

    @property
    def values(self) -> Sequence[Option] | None:
        """The options of a select."""

    @property
    def para(self) -> "Declaration | None":
        """The declaration of a list's items; None for any JSON value."""

    @property
    def fields(self) -> "Sequence[Declaration] | None":
        """The declarations of a record's fields; None for any JSON object."""

    @property
    def secret(self) -> bool:
        """Whether its value may not be shown."""

    @property
    def takes_none(self) -> bool:
        """Whether it accepts None."""

    @property
    def bounds(self) -> Range:
        """The range of numbers that it accepts."""

    @property
    def adapters(self) -> dict[Limits, TypeAdapter[Any]]:
        """The pydantic types that were built for it, by limits."""


class CastError(ValueError):
    """A value does not fit its parameter.

    Parameters
    ----------
    where : str
        The path from the value to the part at fault, such as ``[2].size``; empty for the value itself.
    problem : str
        What is wrong with that part.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where, problem)
        self.where = where
        self.problem = problem


def cast_value(parameter: Declaration, value: Any, limits: Limits) -> Any:
    """Cast a value; see `runwidgets.templates.parameters.cast`.

    Raises
    ------
    CastError
        It does not fit.
    """
    if _depth(value) > limits.nesting:
        raise CastError("", f"it is nested deeper than {limits.nesting} levels")
    try:
        return _adapter(parameter, limits).validate_python(value)
    except ValidationError as error:
        if parameter.secret:
            raise CastError("", SECRET_PROBLEM) from None
        found = error.errors(include_url=False, include_input=False)[0]
        steps = found["loc"][:-1] if found["type"] == "extra_forbidden" else found["loc"]
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{shorten(step)}" for step in steps)
        problem = "no value was given" if found["type"] == "missing" else first_problem(error)
        raise CastError(where, problem) from error


def _adapter(parameter: Declaration, limits: Limits) -> TypeAdapter[Any]:
    """Return the pydantic type of a parameter, built once, because building is most of the cost of a cast."""
    known = parameter.adapters
    if limits not in known:
        known[limits] = TypeAdapter(_type(parameter, limits))
    return known[limits]


def first_problem(error: ValidationError) -> str:
    """Return the first problem that pydantic found, as a sentence for people."""
    found = error.errors()[0]
    where = ".".join(str(step) for step in found["loc"])
    if found["type"] == "missing":
        return f"{where} is missing"
    if found["type"] == "extra_forbidden":
        return f"there is no field '{shorten(str(found['loc'][-1]))}'"
    if found["type"] == "literal_error":
        return f"{where}: {show(found['input'])} is not one of {found['ctx']['expected']}"
    if found["type"] == "value_error":
        return str(found["ctx"]["error"])
    if found["type"] == "runwidgets":
        return found["msg"]
    return f"{where}: {found['msg']}"


def _type(parameter: Declaration, limits: Limits) -> Any:
    """Return the type for a declaration."""
    casts: dict[str, Callable[[Any], Any]] = {
        "int": functools.partial(_int, bounds=parameter.bounds),
        "float": functools.partial(_float, bounds=parameter.bounds),
        "bool": _bool,
        "string": functools.partial(_string, limit=limits.string_size),
        "select": functools.partial(_select, choices=[each.value for each in parameter.values or ()]),
        "date": _date,
        "datetime": _datetime,
        "file": _file,
    }
    cast_function = casts.get(parameter.dtype)
    kind: Any
    if cast_function is not None:
        kind = Annotated[Any, PlainValidator(cast_function)]
    elif parameter.dtype == "list":
        item: Any = Annotated[Any, PlainValidator(functools.partial(_json, limit=limits.string_size))]
        if parameter.para is not None:
            item = _type(parameter.para, limits)
        kind = Annotated[list[item], BeforeValidator(_list)]
    else:
        kind = _record(parameter, limits)
    if parameter.takes_none:
        return (
            kind | None if cast_function is None else Annotated[Any, PlainValidator(_or_none(cast_function))]
        )
    return kind


def _or_none(cast_function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else cast_function(value)


def _record(parameter: Declaration, limits: Limits) -> Any:
    check = BeforeValidator(_object)
    if parameter.fields is None:
        key = Annotated[str, AfterValidator(functools.partial(_string, limit=limits.string_size))]
        anything = Annotated[Any, PlainValidator(functools.partial(_json, limit=limits.string_size))]
        return Annotated[dict[key, anything], check]
    kinds = {
        each.name: Required[_type(each, limits)] if each.is_required else NotRequired[_type(each, limits)]
        for each in parameter.fields
    }
    defaults = {each.name: each.default for each in parameter.fields if not each.is_required}
    record = with_config(ConfigDict(extra="forbid"))(TypedDict("Record", kinds))  # type: ignore[operator]
    return Annotated[record, check, AfterValidator(lambda value: {**defaults, **value})]


def _problem(text: str) -> PydanticCustomError:
    return PydanticCustomError("runwidgets", "{problem}", {"problem": text})


def _depth(value: Any) -> int:
    """Return the nesting depth of lists and records in a value, without recursion."""
    deepest, waiting = 0, [(value, 0)]
    while waiting:
        each, level = waiting.pop()
        if isinstance(each, (list, tuple, dict)):
            deepest = max(deepest, level + 1)
            if deepest > 1000:
                return deepest
            items = each.values() if isinstance(each, dict) else each
            waiting.extend((item, level + 1) for item in items)
    return deepest


def _require_value(value: Any) -> None:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _problem("no value was given")


def _int(value: Any, bounds: Range) -> int:
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
    if problem := bounds.problem(value):
        raise _problem(problem)
    return value


def _float(value: Any, bounds: Range) -> float:
    _require_value(value)
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
    if problem := bounds.problem(value):
        raise _problem(problem)
    return float(value)


def _fits_float(value: int) -> bool:
    """Return whether a whole number survives the conversion to float, exactly or in its shortest notation."""
    if abs(value) >= 10**MAX_DIGITS:
        return False
    return float(value) == value or Decimal(repr(float(value))) == value


def _bool(value: Any) -> bool:
    _require_value(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise _problem(f"{show(value)} is not true or false")


def _string(value: Any, limit: int) -> str:
    if value is None:
        raise _problem("no value was given")
    if not isinstance(value, str):
        raise _problem(f"{show(value)} is not text")
    if problem := text_problem(value):
        raise _problem(problem)
    if len(value.encode()) > limit:
        raise _problem(f"it has more than {limit:,} bytes")
    return value


def _select(value: Any, choices: list[Any]) -> Any:
    for choice in choices:
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    if isinstance(value, str):
        for choice in choices:
            if value == (choice if isinstance(choice, str) else show(choice)):
                return choice
    _require_value(value)
    raise _problem(f"{show(value)} is not one of {', '.join(show(choice) for choice in choices)}")


def _date(value: Any) -> str:
    _require_value(value)
    text = value.strip() if isinstance(value, str) else ""
    try:
        if DATE.fullmatch(text):
            return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise _problem(f"{show(value)} is not a date such as 2024-12-31")


def _datetime(value: Any) -> str:
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


def _list(value: Any) -> list[Any]:
    _require_value(value)
    if not isinstance(value, (list, tuple)):
        raise _problem(f"{show(value)} is not a list")
    return list(value)


def _object(value: Any) -> dict[str, JsonValue]:
    _require_value(value)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _problem(f"{show(value)} is not a record")
    if value.get("type") == "$file":
        raise _problem("an uploaded file is not a record")
    return value


def _json(value: Any, limit: int) -> Any:
    """Check a value without a declared type."""
    if isinstance(value, float) and not math.isfinite(value):
        raise _problem(f"{value} is not a finite number")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**MAX_DIGITS:
        raise _problem(f"it has more than {MAX_DIGITS} digits")
    if isinstance(value, str):
        return _string(value, limit)
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise _problem(f"{show(value)} is not a record")
        return {_string(key, limit): _json(item, limit) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item, limit) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise _problem(f"a {type(value).__name__} has no JSON form")


def _file(value: Any) -> FileArgument:
    _require_value(value)
    shape = 'is not an uploaded file such as {"type": "$file", "value": {"fileId": "…"}}'
    if not isinstance(value, dict) or set(value) != {"type", "value"} or value["type"] != "$file":
        raise _problem(f"{show(value)} {shape}")
    reference = value["value"]
    if not isinstance(reference, dict) or not isinstance(reference.get("fileId"), str):
        raise _problem(f"{show(value)} {shape}")
    if set(reference) - {"fileId", "targetPath"}:
        raise _problem(f"{show(value)} {shape}")
    target = reference.get("targetPath")
    if target is not None and (not isinstance(target, str) or leaves_folder(target)):
        raise _problem("its targetPath must be a relative path inside the working folder")
    file: FileReference = {"fileId": reference["fileId"]}
    if target is not None:
        file["targetPath"] = target
    return {"type": "$file", "value": file}
