"""From what was sent or typed to what was declared: a pydantic type for every parameter."""

import datetime
import functools
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

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

from runwidgets.errors import InvalidArgumentError
from runwidgets.limits import Limits

if TYPE_CHECKING:
    from runwidgets.templates.parameters import Parameter

RANGE = re.compile(r"\s*([\[(])\s*([^,\s]*)\s*,\s*([^,\s]*)\s*([\])])\s*")
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
MAX_DIGITS = 100
"""Digits of a whole number; more is a mistake, not a number."""


class Range(NamedTuple):
    """An interval of numbers."""

    least: float | None
    includes_least: bool
    most: float | None
    includes_most: bool

    def problem(self, value: float) -> str | None:
        """Return what is wrong with a number, None when it lies inside."""
        is_low = self.least is not None and (
            value < self.least or (value == self.least and not self.includes_least)
        )
        is_high = self.most is not None and (
            value > self.most or (value == self.most and not self.includes_most)
        )
        return f"must be {self}, got {_show(value)}" if is_low or is_high else None

    def __str__(self) -> str:
        if self.least is not None and self.most is not None and self.includes_least and self.includes_most:
            return f"{_show(self.least)} to {_show(self.most)}"
        low = f"{'at least' if self.includes_least else 'above'} {_show(self.least)}"
        high = f"{'at most' if self.includes_most else 'below'} {_show(self.most)}"
        ends = [end for end, bound in ((low, self.least), (high, self.most)) if bound is not None]
        return " and ".join(ends)


def parse_range(text: str) -> Range:
    """Read a range such as ``"[0,1)"``.

    Parameters
    ----------
    text : str
        Brackets include, parentheses exclude, either end may be missing.

    Returns
    -------
    Range
        The interval.

    Raises
    ------
    ValueError
        It is malformed or empty.
    """
    found = RANGE.fullmatch(text)
    ends: list[float | None] = [None, None]
    if found:
        ends = [_bound(found[2]), _bound(found[3])]
    if not found or any(end is not None and math.isnan(end) for end in ends):
        raise ValueError(f"range: {text!r:.80} is none, write for example '[0,1]', '(0,]' or '[1,100)'")
    least, most = ends
    if least is not None and most is not None and least > most:
        raise ValueError(f"range: {text!r:.80} is empty, its ends are the wrong way round")
    return Range(least, found[1] == "[", most, found[4] == "]")


def cast_value(parameter: "Parameter", value: Any, limits: Limits) -> Any:
    """Cast a value; see `runwidgets.templates.parameters.cast`."""
    if _depth(value) > limits.nesting:
        raise InvalidArgumentError(parameter.name, f"it is nested deeper than {limits.nesting} levels")
    try:
        return TypeAdapter(_type(parameter, limits)).validate_python(value)
    except ValidationError as error:
        found = error.errors()[0]
        steps = found["loc"][:-1] if found["type"] == "extra_forbidden" else found["loc"]
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        problem = "no value was given" if found["type"] == "missing" else first_problem(error)
        raise InvalidArgumentError(parameter.name + where, problem) from error


def first_problem(error: ValidationError) -> str:
    """Return the first thing that pydantic found wrong, in words for people."""
    found = error.errors()[0]
    where = ".".join(str(step) for step in found["loc"])
    if found["type"] == "missing":
        return f"{where} is missing"
    if found["type"] == "extra_forbidden":
        return f"there is no field '{found['loc'][-1]}'"
    if found["type"] == "literal_error":
        return f"{where}: {found['input']!r:.80} is none of {found['ctx']['expected']}"
    if found["type"] == "value_error":
        return str(found["ctx"]["error"])
    if found["type"] == "runwidgets":
        return found["msg"]
    return f"{where}: {found['msg']}"


def _type(parameter: "Parameter", limits: Limits) -> Any:
    """Return the type that a declaration stands for."""
    casts: dict[str, Callable[[Any], Any]] = {
        "int": functools.partial(_int, bounds=parameter.bounds),
        "float": functools.partial(_float, bounds=parameter.bounds),
        "bool": _bool,
        "string": functools.partial(_string, limit=limits.string_size),
        "select": functools.partial(_select, choices=[each.value for each in parameter.values or ()]),
        "date": functools.partial(_moment, kind=datetime.date, example="2024-12-31"),
        "datetime": functools.partial(_moment, kind=datetime.datetime, example="2024-12-31T18:30"),
        "file": _file,
    }
    plain = casts.get(parameter.dtype)
    kind: Any
    if plain is not None:
        kind = Annotated[Any, PlainValidator(plain)]
    elif parameter.dtype == "list":
        item: Any = Annotated[Any, PlainValidator(functools.partial(_json, limit=limits.string_size))]
        if parameter.para is not None:
            item = _type(parameter.para, limits)
        kind = Annotated[list[item], BeforeValidator(_list)]
    else:
        kind = _record(parameter, limits)
    if parameter.takes_none:
        return kind | None if plain is None else Annotated[Any, PlainValidator(_or_none(plain))]
    return kind


def _or_none(plain: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else plain(value)


def _record(parameter: "Parameter", limits: Limits) -> Any:
    check = BeforeValidator(_object)
    if parameter.fields is None:
        anything = Annotated[Any, PlainValidator(functools.partial(_json, limit=limits.string_size))]
        return Annotated[dict[str, anything], check]
    kinds = {
        each.name: Required[_type(each, limits)] if each.is_required else NotRequired[_type(each, limits)]
        for each in parameter.fields
    }
    defaults = {each.name: each.default for each in parameter.fields if not each.is_required}
    record = with_config(ConfigDict(extra="forbid"))(TypedDict("Record", kinds))  # type: ignore[operator]
    return Annotated[record, check, AfterValidator(lambda given: {**defaults, **given})]


def _problem(text: str) -> PydanticCustomError:
    return PydanticCustomError("runwidgets", "{problem}", {"problem": text})


def _show(value: Any) -> str:
    """Return a value as a person would write it, and not more than fits a line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = repr(value) if not isinstance(value, str) else f"'{value}'"
    return text if len(text) <= 60 else text[:57] + "…"


def _bound(text: str) -> float | None:
    if not text:
        return None
    return float(text) if DECIMAL.fullmatch(text) else math.nan


def _depth(value: Any) -> int:
    """Return how many lists and records a value nests, without recursion."""
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


def _given(value: Any) -> None:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _problem("no value was given")


def _int(value: Any, bounds: Range) -> int:
    _given(value)
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        if len(value.strip()) > MAX_DIGITS:
            raise _problem(f"it has more than {MAX_DIGITS} digits")
        value = int(value)
    elif isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _problem(f"{_show(value)} is not a whole number")
    if abs(value) >= 10**MAX_DIGITS:
        raise _problem(f"it has more than {MAX_DIGITS} digits")
    if problem := bounds.problem(value):
        raise _problem(problem)
    return value


def _float(value: Any, bounds: Range) -> float:
    _given(value)
    shown = value
    if isinstance(value, str) and DECIMAL.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _problem(f"{_show(value)} is not a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise _problem(f"{_show(shown)} is not a finite number")
    if isinstance(value, int) and (abs(value) >= 10**MAX_DIGITS or int(float(value)) != value):
        raise _problem(f"{_show(value)} has more digits than a number with decimals can keep")
    if problem := bounds.problem(value):
        raise _problem(problem)
    return float(value)


def _bool(value: Any) -> bool:
    _given(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise _problem(f"{_show(value)} is not true or false")


def _string(value: Any, limit: int) -> str:
    if value is None:
        raise _problem("no value was given")
    if not isinstance(value, str):
        raise _problem(f"{_show(value)} is not text")
    if "\0" in value:
        raise _problem("it holds a NUL character")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise _problem("it holds half a character (a lone surrogate)") from None
    if size > limit:
        raise _problem(f"it has more than {limit:,} bytes")
    return value


def _select(value: Any, choices: list[Any]) -> Any:
    for choice in choices:
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    if isinstance(value, str):
        for choice in choices:
            if value == (choice if isinstance(choice, str) else _show(choice)):
                return choice
    _given(value)
    raise _problem(f"{_show(value)} is none of {', '.join(_show(choice) for choice in choices)}")


def _moment(value: Any, kind: type[datetime.date], example: str) -> str:
    _given(value)
    text = value.strip() if isinstance(value, str) else ""
    is_day = len(text) == len("2024-12-31")
    try:
        moment = kind.fromisoformat(text.removesuffix("Z") + ("+00:00" if text.endswith("Z") else ""))
    except ValueError:
        moment = None
    if moment is None or (kind is datetime.date and not is_day):
        name = "date" if kind is datetime.date else "date and time"
        raise _problem(f"{_show(value)} is not a {name} such as {example}")
    return moment.isoformat()


def _list(value: Any) -> list[Any]:
    _given(value)
    if not isinstance(value, (list, tuple)):
        raise _problem(f"{_show(value)} is not a list")
    return list(value)


def _object(value: Any) -> dict[str, Any]:
    _given(value)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _problem(f"{_show(value)} is not a record")
    return value


def _json(value: Any, limit: int) -> Any:
    """Check a value of which nothing is declared."""
    if isinstance(value, float) and not math.isfinite(value):
        raise _problem(f"{value} is not a finite number")
    if isinstance(value, str):
        return _string(value, limit)
    if isinstance(value, dict):
        return {_string(key, limit): _json(item, limit) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item, limit) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise _problem(f"a {type(value).__name__} has no JSON form")


def _file(value: Any) -> dict[str, Any]:
    from runwidgets.templates.parameters import leaves_folder

    _given(value)
    shape = 'is not an uploaded file such as {"type": "$file", "value": {"fileId": "…"}}'
    if not isinstance(value, dict) or set(value) != {"type", "value"} or value["type"] != "$file":
        raise _problem(f"{_show(value)} {shape}")
    about = value["value"]
    if not isinstance(about, dict) or not isinstance(about.get("fileId"), str):
        raise _problem(f"{_show(value)} {shape}")
    if set(about) - {"fileId", "targetPath"}:
        raise _problem(f"{_show(value)} {shape}")
    target = about.get("targetPath")
    if target is not None and (not isinstance(target, str) or leaves_folder(target)):
        raise _problem("its targetPath must be a relative path inside the working folder")
    return {"type": "$file", "value": {key: item for key, item in about.items() if item is not None}}
