"""Casts of sent or typed values to their declared types: a pydantic type for every parameter."""

import functools
from collections.abc import Callable, Sequence
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
from typing_extensions import NotRequired, Required, TypedDict

from runwidgets.limits import Limits
from runwidgets.templates.constraints import Constraints
from runwidgets.templates.scalars import (
    cast_bool,
    cast_date,
    cast_datetime,
    cast_file,
    cast_float,
    cast_int,
    cast_json,
    cast_select,
    cast_string,
    cast_text,
    check_list,
    check_object,
)
from runwidgets.templates.texts import shorten, show

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
    def items(self) -> "Sequence[Declaration] | None":
        """The declarations of a list's items by position; None if all are alike."""

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
    def constraints(self) -> Constraints:
        """The constraints of its values beside the dtype."""

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
    constraints = parameter.constraints
    casts: dict[str, Callable[[Any], Any]] = {
        "int": functools.partial(cast_int, constraints=constraints),
        "float": functools.partial(cast_float, constraints=constraints),
        "bool": cast_bool,
        "string": functools.partial(cast_text, limit=limits.string_size, constraints=constraints),
        "select": functools.partial(cast_select, choices=[each.value for each in parameter.values or ()]),
        "date": cast_date,
        "datetime": cast_datetime,
        "file": cast_file,
        "any": functools.partial(cast_json, limit=limits.string_size),
    }
    plain = casts.get(parameter.dtype)
    if plain is not None:
        takes = _or_none(plain) if parameter.takes_none else plain
        return Annotated[Any, PlainValidator(takes)]
    kind = _list_type(parameter, limits) if parameter.dtype == "list" else _record(parameter, limits)
    return kind | None if parameter.takes_none else kind


def _list_type(parameter: Declaration, limits: Limits) -> Any:
    constraints = parameter.constraints
    if parameter.items is not None:
        count = len(parameter.items)
        kinds = tuple(_type(each, limits) for each in parameter.items)
        exact = Constraints(constraints.bounds, min_length=count, max_length=count)
        check = BeforeValidator(functools.partial(check_list, constraints=exact))
        return Annotated[tuple[kinds], check, AfterValidator(list)]  # type: ignore[valid-type]
    item: Any = Annotated[Any, PlainValidator(functools.partial(cast_json, limit=limits.string_size))]
    if parameter.para is not None:
        item = _type(parameter.para, limits)
    return Annotated[list[item], BeforeValidator(functools.partial(check_list, constraints=constraints))]


def _or_none(cast_function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else cast_function(value)


def _record(parameter: Declaration, limits: Limits) -> Any:
    check = BeforeValidator(check_object)
    if parameter.fields is None:
        key = Annotated[str, AfterValidator(functools.partial(cast_string, limit=limits.string_size))]
        anything = Annotated[Any, PlainValidator(functools.partial(cast_json, limit=limits.string_size))]
        return Annotated[dict[key, anything], check]
    kinds = {
        each.name: Required[_type(each, limits)] if each.is_required else NotRequired[_type(each, limits)]
        for each in parameter.fields
    }
    defaults = {each.name: each.default for each in parameter.fields if not each.is_required}
    record = with_config(ConfigDict(extra="forbid"))(TypedDict("Record", kinds))  # type: ignore[operator]
    return Annotated[record, check, AfterValidator(lambda value: {**defaults, **value})]


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
