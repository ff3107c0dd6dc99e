"""Parameters: declared, validated, cast and serialised.

A declaration is a pydantic model. The type it stands for is built from it, and pydantic casts a value
to that type: raw JSON, or the raw text of a form. A cast never loses information: ``3.7`` is no whole
number, ``"yes"`` no truth value, and NaN no number at all.
"""

import difflib
import keyword
import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from runwidgets.errors import (
    DuplicateArgumentError,
    InvalidArgumentError,
    InvalidParameterError,
    MissingArgumentError,
    UnknownFileError,
    UnknownParameterError,
)
from runwidgets.limits import Limits
from runwidgets.templates.casts import Range, cast_value, first_problem, parse_range

Dtype = Literal["int", "float", "bool", "string", "select", "list", "record", "file", "date", "datetime"]
Json = dict[str, Any]


class Choice(BaseModel):
    """One value of a select."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    name: str
    value: Any
    is_default: bool = False


class Parameter(BaseModel):
    """What a template asks for.

    Its JSON has camelCase keys: ``{name, dtype, index, isRequired, label?, help?, defaultValue?, group?,
    range?, values?, para?, fields?, target?, secret?}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    name: str
    dtype: Dtype
    index: int = 0
    is_required: bool = True
    label: str | None = None
    help: str | None = None
    default: Any = Field(default=None, alias="defaultValue")
    group: str | None = None
    range: str | None = None
    """``"[0,1]"``: brackets include, parentheses exclude, either end may be missing."""
    values: tuple[Choice, ...] | None = None
    para: "Parameter | None" = None
    """A list's item; None for any JSON value."""
    fields: "tuple[Parameter, ...] | None" = None
    """A record's fields; None for any JSON object."""
    target: str | None = None
    """Where a file is placed, relative to the working folder; a folder ends in ``/``."""
    secret: bool = False
    """Whether only the kernel may see the value."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__"):
            raise ValueError("it must be a Python identifier and no keyword")
        return name

    @field_validator("target")
    @classmethod
    def _check_target(cls, target: str | None) -> str | None:
        if target is not None and leaves_folder(target):
            raise ValueError("target: it must be a relative path inside the working folder")
        return target

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, declared: Any) -> Any:
        """Make a parameter with a default optional, and a chosen value of a select its default."""
        if not isinstance(declared, dict):
            return declared
        declared = dict(declared)
        if "defaultValue" not in declared and "default" not in declared:
            for choice in declared.get("values") or ():
                if isinstance(choice, dict) and choice.get("isDefault"):
                    declared["defaultValue"] = choice.get("value")
        if "isRequired" not in declared and "is_required" not in declared:
            declared["isRequired"] = "defaultValue" not in declared and "default" not in declared
        return declared

    @model_validator(mode="after")
    def _check_parts(self) -> "Parameter":
        if self.range is not None:
            if self.dtype not in {"int", "float"}:
                raise ValueError(f"range: only numbers have one, not {self.dtype}")
            parse_range(self.range)
        if (self.values is None) == (self.dtype == "select"):
            raise ValueError("values: a select must have them, and nothing else may")
        if self.values is not None and not self.values:
            raise ValueError("values: there must be at least one")
        if self.para is not None and self.dtype != "list":
            raise ValueError("para: only a list has one")
        if self.fields is not None and self.dtype != "record":
            raise ValueError("fields: only a record has them")
        return self

    @classmethod
    def from_json(cls, declared: Any, limits: Limits | None = None) -> "Parameter":
        """Read a declaration.

        Parameters
        ----------
        declared : dict
            As in the class's docstring.
        limits : Limits, optional
            For the default.

        Returns
        -------
        Parameter
            The declaration.

        Raises
        ------
        InvalidParameterError
            Something in it is wrong, or its default does not fit it.
        """
        name = declared.get("name") if isinstance(declared, dict) else None
        subject = f"parameter {name!r:.80}" if name is not None else "parameter"
        if not isinstance(declared, dict):
            raise InvalidParameterError(subject, "its declaration must be an object with name and dtype")
        try:
            parameter = cls.model_validate(declared)
        except ValidationError as error:
            raise InvalidParameterError(subject, first_problem(error)) from error
        if parameter.default is not None and parameter.dtype != "file":
            try:
                fitting = cast(parameter, parameter.default, limits)
            except InvalidArgumentError as error:
                raise InvalidParameterError(subject, f"its default {error.problem}") from error
            parameter = parameter.model_copy(update={"default": fitting})
        return parameter

    def to_json(self) -> Json:
        """Return the declaration; keys that say nothing are left away, and a secret's default too."""
        declared = self.model_dump(by_alias=True, exclude_none=True, exclude={"para", "fields"})
        if self.para is not None:
            declared["para"] = self.para.to_json()
        if self.fields is not None:
            declared["fields"] = [each.to_json() for each in self.fields]
        if self.values is not None:
            declared["values"] = [
                {key: item for key, item in choice.items() if key != "isDefault" or item}
                for choice in declared["values"]
            ]
        if self.secret:
            declared.pop("defaultValue", None)
        else:
            del declared["secret"]
        return declared

    @property
    def takes_none(self) -> bool:
        """Whether "no value" is a value for it."""
        return not self.is_required and self.default is None

    @property
    def bounds(self) -> Range:
        """Its range, which includes every number where none is declared."""
        return parse_range(self.range or "(,)")


class _Argument(NamedTuple):
    parameter: Parameter
    value: Any


def parse_parameters(declarations: Iterable[Any], limits: Limits | None = None) -> list[Parameter]:
    """Read the declarations of a template.

    Parameters
    ----------
    declarations : iterable of dict
        See `Parameter`.
    limits : Limits, optional
        ``parameters`` and those of the defaults.

    Returns
    -------
    list of Parameter
        By index, equal ones as they came.

    Raises
    ------
    InvalidParameterError
        One is wrong, two have one name, or there are too many.
    """
    limits = limits or Limits()
    if not isinstance(declarations, (list, tuple)):
        raise InvalidParameterError("parameters", "they must be a list of declarations")
    if len(declarations) > limits.parameters:
        raise InvalidParameterError("parameters", f"there are more than {limits.parameters}")
    found: dict[str, Parameter] = {}
    for declared in declarations:
        parameter = Parameter.from_json(declared, limits)
        if parameter.name in found:
            raise InvalidParameterError(f"parameter '{parameter.name}'", "it is declared twice")
        found[parameter.name] = parameter
    return sorted(found.values(), key=lambda parameter: parameter.index)


def cast(parameter: Parameter, value: Any, limits: Limits | None = None) -> Any:
    """Cast a value to the type of a parameter, or refuse it.

    Parameters
    ----------
    parameter : Parameter
        The declaration.
    value : Any
        JSON, or the text that somebody typed.
    limits : Limits, optional
        ``string_size`` (bytes) and ``nesting`` (levels).

    Returns
    -------
    Any
        JSON of the declared type; dates and times as ISO 8601 text.

    Raises
    ------
    InvalidArgumentError
        It does not fit; the subject is the path to the value at fault, such as ``layers[2].size``.
    """
    return cast_value(parameter, value, limits or Limits())


def check_arguments(
    parameters: Iterable[Parameter],
    arguments: Any,
    is_file: Callable[[str], bool],
    limits: Limits | None = None,
) -> Json:
    """Check the arguments of a run, in this order: shape, duplicates, names, files, values, missing.

    Parameters
    ----------
    parameters : iterable of Parameter
        What the template declares.
    arguments : list of dict
        ``[{"name", "value"}, …]``, from anywhere.
    is_file : callable
        Whether a file id is known.
    limits : Limits, optional
        For values.

    Returns
    -------
    dict
        Cast values by name, of the given arguments only, in their order. A file stays
        ``{"type": "$file", "value": {"fileId", "targetPath"?}}``.

    Raises
    ------
    InvalidArgumentError
        The shape is wrong or a value does not fit.
    DuplicateArgumentError
        A parameter got two arguments.
    UnknownParameterError
        There is no such parameter.
    UnknownFileError
        There is no such file.
    MissingArgumentError
        A required parameter got none.
    """
    declared = {parameter.name: parameter for parameter in parameters}
    pairs = _pairs(arguments)
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise DuplicateArgumentError(_short(name), "it was given twice")
        seen.add(name)
    for name, _ in pairs:
        if name not in declared:
            raise UnknownParameterError(_short(name), "there is no such parameter", _suggest(name, declared))
    given = [_Argument(declared[name], value) for name, value in pairs]
    for parameter, value in given:
        if parameter.dtype == "file" and (file_id := _file_id(value)) is not None and not is_file(file_id):
            raise UnknownFileError(parameter.name, f"no file '{_short(file_id)}' was uploaded to this group")
    values = {parameter.name: cast(parameter, value, limits) for parameter, value in given}
    for name, parameter in declared.items():
        if parameter.is_required and name not in values:
            raise MissingArgumentError(name, "it is required, but no value was given")
        if parameter.dtype == "file" and parameter.target and values.get(name):
            values[name]["value"].setdefault("targetPath", parameter.target)
    return values


def coerce_mapping(values: Mapping[str, Any]) -> list[Json]:
    """Return Python values as a list of arguments.

    Parameters
    ----------
    values : mapping of str to Any
        NumPy scalars and arrays, dates, paths, ranges and tuples become what JSON has for them.

    Returns
    -------
    list of dict
        ``[{"name", "value"}, …]``.

    Raises
    ------
    InvalidArgumentError
        A value has no JSON form.
    """
    return [{"name": str(name), "value": _plain(str(name), value)} for name, value in values.items()]


def leaves_folder(path: str) -> bool:
    """Say whether a relative path would leave the folder it starts in."""
    pure = PurePosixPath(path)
    is_odd = not path.strip() or "\0" in path or "\\" in path or bool(re.match(r"[A-Za-z]:", path))
    return is_odd or pure.is_absolute() or ".." in pure.parts or path.startswith("~")


def _pairs(arguments: Any) -> list[tuple[str, Any]]:
    shape = 'give a list such as [{"name": "alpha", "value": 0.1}]'
    if not isinstance(arguments, list):
        raise InvalidArgumentError("arguments", "they are no list", shape)
    for at, each in enumerate(arguments):
        if not isinstance(each, dict) or set(each) != {"name", "value"} or not isinstance(each["name"], str):
            raise InvalidArgumentError(f"arguments[{at}]", "it is no object with name and value", shape)
    return [(each["name"], each["value"]) for each in arguments]


def _suggest(name: str, declared: Mapping[str, Parameter]) -> str:
    close = difflib.get_close_matches(name, declared, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(declared)}" if declared else "this template takes no parameters"


def _file_id(value: Any) -> str | None:
    if isinstance(value, dict) and isinstance(value.get("value"), dict):
        file_id = value["value"].get("fileId")
        return file_id if isinstance(file_id, str) else None
    return None


def _short(text: str) -> str:
    return text if len(text) <= 64 else text[:61] + "…"


def _plain(name: str, value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArgumentError(name, f"{value} is no JSON number", "leave the argument away, or use text")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__fspath__"):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{name}.{key}", item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [_plain(f"{name}[{at}]", item) for at, item in enumerate(value)]
    raise InvalidArgumentError(
        name, f"a {type(value).__name__} has no JSON form", "use numbers, text and lists"
    )
