"""Parameters: declared, validated, cast and serialised.

A declaration is a pydantic model. The type it stands for is built from it, and pydantic casts a value
to that type: raw JSON, or the raw text of a form. A cast never loses information: ``3.7`` is no whole
number, ``"yes"`` no truth value, and NaN no number at all.
"""

import difflib
import functools
import keyword
import math
import typing
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
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
from runwidgets.schema import Dtype, FileArgument, FileReference, JsonValue, ParameterHandle
from runwidgets.templates.arguments import coerce_mapping, read_pairs
from runwidgets.templates.casts import CastError, cast_value, first_problem
from runwidgets.templates.ranges import Range, parse_range
from runwidgets.templates.texts import leaves_folder, shorten, text_problem

__all__ = [
    "Choice",
    "Parameter",
    "cast",
    "check_arguments",
    "coerce_mapping",
    "file_reference",
    "parse_parameters",
]


def _storable(text: str) -> str:
    if problem := text_problem(text):
        raise ValueError(problem)
    return text


Text = Annotated[str, AfterValidator(_storable)]


class Choice(BaseModel):
    """One value of a select."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    name: Text
    value: StrictBool | int | float | Text
    is_default: StrictBool = False

    @field_validator("value")
    @classmethod
    def _check_value(cls, value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"values: {value} is not a finite number")
        return value


class Parameter(BaseModel):
    """What a template asks for.

    Its JSON has camelCase keys: ``{name, dtype, index, isRequired, label?, help?, defaultValue?, group?,
    range?, values?, para?, fields?, target?, secret?}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    name: str
    dtype: Dtype
    index: int = Field(default=0, strict=True)
    is_required: StrictBool = True
    label: Text | None = None
    help: Text | None = None
    default: Any = Field(default=None, alias="defaultValue")
    group: Text | None = None
    range: str | None = None
    """``"[0,1]"``: brackets include, parentheses exclude, either end may be missing."""
    values: tuple[Choice, ...] | None = None
    para: "Parameter | None" = None
    """A list's item; None for any JSON value."""
    fields: "tuple[Parameter, ...] | None" = None
    """A record's fields; None for any JSON object."""
    target: str | None = None
    """Where a file is placed, relative to the working folder; a folder ends in ``/``."""
    secret: StrictBool = False
    """Whether only the kernel may see the value."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        is_name = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")
        if not is_name or unicodedata.normalize("NFKC", name) != name:
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
            choices = declared.get("values")
            for choice in choices if isinstance(choices, (list, tuple)) else ():
                if isinstance(choice, dict) and choice.get("isDefault"):
                    declared["defaultValue"] = choice.get("value")
        if "isRequired" not in declared and "is_required" not in declared:
            declared["isRequired"] = "defaultValue" not in declared and "default" not in declared
        if isinstance(declared.get("para"), dict):
            declared["para"] = {"name": "item", **declared["para"]}
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
        kinds = [(isinstance(each.value, bool), each.value) for each in self.values or ()]
        if len(set(kinds)) < len(kinds) or sum(each.is_default for each in self.values or ()) > 1:
            raise ValueError("values: each may stand there once, and one may be the default")
        if self.para is not None and self.dtype != "list":
            raise ValueError("para: only a list has one")
        if self.fields is not None and self.dtype != "record":
            raise ValueError("fields: only a record has them")
        names = [each.name for each in self.fields or ()]
        if len(set(names)) < len(names):
            raise ValueError("fields: two of them have one name")
        if any(each.dtype == "file" for each in (*(self.fields or ()), *((self.para,) if self.para else ()))):
            raise ValueError(f"a {self.dtype} cannot hold files, declare each as a parameter of its own")
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
        shown = f"'{shorten(name)}'" if isinstance(name, str) else f"{name!r:.60}"
        subject = f"parameter {shown}" if name is not None else "parameter"
        if not isinstance(declared, dict):
            raise InvalidParameterError(subject, "its declaration must be an object with name and dtype")
        try:
            parameter = cls.model_validate(declared)
        except ValidationError as error:
            raise InvalidParameterError(subject, first_problem(error)) from error
        except RecursionError as error:
            raise InvalidParameterError(subject, "its declaration is nested too deep") from error
        return parameter._with_checked_default(subject, limits)

    def _with_checked_default(self, subject: str, limits: Limits | None) -> "Parameter":
        """Return it with a default of its own type, and so for its parts."""
        parts: dict[str, Any] = {}
        if self.para is not None:
            parts["para"] = self.para._with_checked_default(subject, limits)
        if self.fields is not None:
            parts["fields"] = tuple(each._with_checked_default(subject, limits) for each in self.fields)
        whole = self.model_copy(update=parts) if parts else self
        if whole.default is None:
            return whole
        if whole.dtype == "file":
            if not isinstance(whole.default, str) or text_problem(whole.default):
                raise InvalidParameterError(subject, "its default must be the path of a file, as text")
            return whole
        try:
            fitting = cast_value(whole, whole.default, limits or Limits())
        except CastError as error:
            raise InvalidParameterError(subject, f"its default{error.where}: {error.problem}") from error
        return whole.model_copy(update={"default": fitting})

    def to_json(self) -> ParameterHandle:
        """Return the declaration; keys that say nothing are left away, and a secret's default too."""
        dumped = self.model_dump(by_alias=True, exclude_none=True, exclude={"para", "fields"})
        declared = typing.cast(ParameterHandle, dumped)
        if self.para is not None:
            declared["para"] = self.para.to_json()
        if self.fields is not None:
            declared["fields"] = [each.to_json() for each in self.fields]
        if self.values is not None:
            for choice in declared["values"]:
                if not choice.get("isDefault"):
                    choice.pop("isDefault", None)
        if self.secret:
            declared.pop("defaultValue", None)
        else:
            declared.pop("secret", None)
        return declared

    @property
    def takes_none(self) -> bool:
        """Whether "no value" is a value for it."""
        return not self.is_required and self.default is None

    @functools.cached_property
    def adapters(self) -> "dict[Limits, TypeAdapter[Any]]":
        """The types that it was already made into, by limits."""
        return {}

    @property
    def bounds(self) -> Range:
        """Its range, which includes every number where none is declared."""
        return parse_range(self.range or "(,)")


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
    try:
        return cast_value(parameter, value, limits or Limits())
    except CastError as error:
        raise InvalidArgumentError(parameter.name + error.where, error.problem) from error.__cause__


def check_arguments(
    parameters: Iterable[Parameter],
    arguments: Any,
    is_file: Callable[[str], bool],
    limits: Limits | None = None,
) -> dict[str, JsonValue | FileArgument]:
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
    pairs = read_pairs(arguments)
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise DuplicateArgumentError(shorten(name), "it was given twice")
        seen.add(name)
    for name, _ in pairs:
        if name not in declared:
            raise UnknownParameterError(shorten(name), "there is no such parameter", _suggest(name, declared))
    given = [(declared[name], value) for name, value in pairs]
    for parameter, value in given:
        if parameter.dtype == "file" and (file_id := _file_id(value)) is not None and not is_file(file_id):
            raise UnknownFileError(parameter.name, f"no file '{shorten(file_id)}' was uploaded to this group")
    values = {parameter.name: cast(parameter, value, limits) for parameter, value in given}
    targets: set[str] = set()
    for parameter, _ in given:
        reference = file_reference(values[parameter.name]) if parameter.dtype == "file" else None
        if reference is not None:
            _resolve_target(parameter, reference, targets)
    for name, parameter in declared.items():
        if parameter.is_required and name not in values:
            raise MissingArgumentError(name, "it is required, but no value was given")
    return values


def file_reference(value: JsonValue | FileArgument) -> FileReference | None:
    """Return which upload a checked value means, None where it is not that of a file."""
    is_file = isinstance(value, dict) and value.get("type") == "$file"
    return typing.cast(FileArgument, value)["value"] if is_file else None


def _resolve_target(parameter: Parameter, file: FileReference, taken: set[str]) -> None:
    target = file.get("targetPath") or parameter.target
    if target is None:
        return
    file["targetPath"] = target
    if not target.endswith("/"):
        place = PurePosixPath(target).as_posix()
        if place in taken:
            raise InvalidArgumentError(
                parameter.name, f"another file is placed at '{shorten(place)}' already"
            )
        taken.add(place)


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
