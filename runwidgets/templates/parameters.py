"""Parameters: declaration, validation, casts and serialisation.

A declaration is a pydantic model. The type of the parameter is built from it, and pydantic casts values
to that type: JSON, or the text of a form field. A cast never loses information: ``3.7`` is not a whole
number, ``"yes"`` is not a truth value, and NaN is not a number.
"""

import functools
import keyword
import math
import typing
import unicodedata
from collections.abc import Iterable
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
    InvalidArgumentError,
    InvalidParameterError,
)
from runwidgets.limits import Limits
from runwidgets.schema import Dtype, ParameterHandle
from runwidgets.templates.casts import CastError, cast_value, first_problem
from runwidgets.templates.ranges import Range, parse_range
from runwidgets.templates.texts import leaves_folder, shorten, text_problem


def _storable(text: str) -> str:
    if problem := text_problem(text):
        raise ValueError(problem)
    return text


Text = Annotated[str, AfterValidator(_storable)]


class SelectOption(BaseModel):
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
    """A declared input of a template.

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
    """``"[0,1]"``: brackets include, parentheses exclude, either end may be omitted."""
    values: tuple[SelectOption, ...] | None = None
    para: "Parameter | None" = None
    """Declaration of the items of a list; None for any JSON value."""
    fields: "tuple[Parameter, ...] | None" = None
    """Declarations of the fields of a record; None for any JSON object."""
    target: str | None = None
    """Path at which a file is stored, relative to the working folder; the path of a folder ends in ``/``."""
    secret: StrictBool = False
    """Whether the value may be visible to the kernel only."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        is_name = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")
        if not is_name or unicodedata.normalize("NFKC", name) != name:
            raise ValueError("it must be a Python identifier and not a keyword")
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
        """Make a parameter with a default optional, and the selected value of a select its default."""
        if not isinstance(declared, dict):
            return declared
        declared = dict(declared)
        if "defaultValue" not in declared and "default" not in declared:
            options = declared.get("values")
            for option in options if isinstance(options, (list, tuple)) else ():
                if isinstance(option, dict) and option.get("isDefault"):
                    declared["defaultValue"] = option.get("value")
        if "isRequired" not in declared and "is_required" not in declared:
            declared["isRequired"] = "defaultValue" not in declared and "default" not in declared
        if isinstance(declared.get("para"), dict):
            declared["para"] = {"name": "item", **declared["para"]}
        return declared

    @model_validator(mode="after")
    def _check_consistency(self) -> "Parameter":
        if self.range is not None:
            if self.dtype not in {"int", "float"}:
                raise ValueError(f"range: only numbers may have it, not {self.dtype}")
            parse_range(self.range)
        if (self.values is None) == (self.dtype == "select"):
            raise ValueError("values: a select requires them, and no other dtype allows them")
        if self.values is not None and not self.values:
            raise ValueError("values: at least one is required")
        kinds = [(isinstance(each.value, bool), each.value) for each in self.values or ()]
        if len(set(kinds)) < len(kinds) or sum(each.is_default for each in self.values or ()) > 1:
            raise ValueError("values: each may occur once, and at most one may be the default")
        if self.para is not None and self.dtype != "list":
            raise ValueError("para: only a list may have it")
        if self.fields is not None and self.dtype != "record":
            raise ValueError("fields: only a record may have them")
        names = [each.name for each in self.fields or ()]
        if len(set(names)) < len(names):
            raise ValueError("fields: two fields have the same name")
        if any(each.dtype == "file" for each in (*(self.fields or ()), *((self.para,) if self.para else ()))):
            raise ValueError(f"a {self.dtype} cannot contain files; declare each as a separate parameter")
        return self

    @classmethod
    def from_json(cls, declared: Any, limits: Limits | None = None) -> "Parameter":
        """Validate a declaration.

        Parameters
        ----------
        declared : dict
            As in the docstring of the class.
        limits : Limits, optional
            Limits of the default value.

        Returns
        -------
        Parameter
            The parameter.

        Raises
        ------
        InvalidParameterError
            The declaration is invalid, or its default does not fit.
        """
        name = declared.get("name") if isinstance(declared, dict) else None
        name_text = f"'{shorten(name)}'" if isinstance(name, str) else f"{name!r:.60}"
        subject = f"parameter {name_text}" if name is not None else "parameter"
        if not isinstance(declared, dict):
            raise InvalidParameterError(subject, "the declaration must be an object with name and dtype")
        try:
            parameter = cls.model_validate(declared)
        except ValidationError as error:
            raise InvalidParameterError(subject, first_problem(error)) from error
        except RecursionError as error:
            raise InvalidParameterError(subject, "the declaration is nested too deep") from error
        return parameter._with_checked_default(subject, limits)

    def _with_checked_default(self, subject: str, limits: Limits | None) -> "Parameter":
        """Return the parameter with its default cast to its own type, recursively."""
        updates: dict[str, object] = {}
        if self.para is not None:
            updates["para"] = self.para._with_checked_default(subject, limits)
        if self.fields is not None:
            updates["fields"] = tuple(each._with_checked_default(subject, limits) for each in self.fields)
        parameter = self.model_copy(update=updates) if updates else self
        if parameter.default is None:
            return parameter
        if parameter.dtype == "file":
            if not isinstance(parameter.default, str) or text_problem(parameter.default):
                raise InvalidParameterError(subject, "the default must be a string with the path of a file")
            return parameter
        try:
            cast_default = cast_value(parameter, parameter.default, limits or Limits())
        except CastError as error:
            raise InvalidParameterError(subject, f"its default{error.where}: {error.problem}") from error
        return parameter.model_copy(update={"default": cast_default})

    def to_json(self) -> ParameterHandle:
        """Return the declaration, without empty keys and without the default of a secret."""
        dumped = self.model_dump(by_alias=True, exclude_none=True, exclude={"para", "fields"})
        declared = typing.cast(ParameterHandle, dumped)
        if self.para is not None:
            declared["para"] = self.para.to_json()
        if self.fields is not None:
            declared["fields"] = [each.to_json() for each in self.fields]
        if self.values is not None:
            for option in declared["values"]:
                if not option.get("isDefault"):
                    option.pop("isDefault", None)
        if self.secret:
            declared.pop("defaultValue", None)
        else:
            declared.pop("secret", None)
        return declared

    @property
    def takes_none(self) -> bool:
        """Whether None is a valid value."""
        return not self.is_required and self.default is None

    @functools.cached_property
    def adapters(self) -> "dict[Limits, TypeAdapter[Any]]":
        """The types that were built for the parameter, by limits."""
        return {}

    @property
    def bounds(self) -> Range:
        """The range, which includes every number if none is declared."""
        return parse_range(self.range or "(,)")


def parse_parameters(declarations: Iterable[Any], limits: Limits | None = None) -> list[Parameter]:
    """Validate the declarations of a template.

    Parameters
    ----------
    declarations : iterable of dict
        Declarations as described in `Parameter`.
    limits : Limits, optional
        ``parameters``, and the limits of default values.

    Returns
    -------
    list of Parameter
        Ordered by index; parameters with the same index keep their order.

    Raises
    ------
    InvalidParameterError
        A declaration is invalid, two have the same name, or there are too many.
    """
    limits = limits or Limits()
    if not isinstance(declarations, (list, tuple)):
        raise InvalidParameterError("parameters", "they must be a list of declarations")
    if len(declarations) > limits.parameters:
        raise InvalidParameterError("parameters", f"there are more than {limits.parameters}")
    parameters: dict[str, Parameter] = {}
    for declared in declarations:
        parameter = Parameter.from_json(declared, limits)
        if parameter.name in parameters:
            raise InvalidParameterError(f"parameter '{parameter.name}'", "it is declared twice")
        parameters[parameter.name] = parameter
    return sorted(parameters.values(), key=lambda parameter: parameter.index)


def cast(parameter: Parameter, value: Any, limits: Limits | None = None) -> Any:
    """Cast a value to the type of a parameter.

    Parameters
    ----------
    parameter : Parameter
        The parameter.
    value : Any
        JSON, or text that a user typed.
    limits : Limits, optional
        ``string_size`` (bytes) and ``nesting`` (levels).

    Returns
    -------
    Any
        JSON of the declared type; dates and times as ISO 8601 text.

    Raises
    ------
    InvalidArgumentError
        The value does not fit; the subject is the path to the invalid part, such as ``layers[2].size``.
    """
    try:
        return cast_value(parameter, value, limits or Limits())
    except CastError as error:
        raise InvalidArgumentError(parameter.name + error.where, error.problem) from error.__cause__
