"""Parameters: declaration, validation, casts and serialisation.

A declaration is a pydantic model. The type of the parameter is built from it, and pydantic casts values
to that type: JSON, or the text of a form field. A cast never loses information: ``3.7`` is not a whole
number, and ``"yes"`` is not a truth value.
"""

import functools
import math
import typing
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
from runwidgets.templates.constraints import Constraints, parse_range, pattern_problem
from runwidgets.templates.texts import is_identifier, is_python_name, is_target, shorten, text_problem

MAX_COMPUTED = 1_000
"""Computed parameters of a template at most; a form only shows them."""
CONSTRAINED = {
    "range": ("int", "float"),
    "multiple_of": ("int", "float"),
    "min_length": ("string", "list"),
    "max_length": ("string", "list"),
    "pattern": ("string",),
    "para": ("list",),
    "items": ("list",),
    "fields": ("record",),
}
"""The dtypes that may have a key."""


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

    Its JSON is a `runwidgets.schema.ParameterDeclaration`.
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
    nullable: StrictBool = False
    """Whether None is a value beside those of the dtype, whatever the default."""
    computed: StrictBool = False
    """Whether the notebook computes the value if none is given."""
    source: Text | None = None
    """The code that computes the value."""
    range: str | None = None
    """``"[0,1]"``: brackets include, parentheses exclude, either end may be omitted."""
    multiple_of: float | None = Field(default=None, gt=0, allow_inf_nan=False, strict=True)
    """The number of which a number is a multiple."""
    min_length: int | None = Field(default=None, ge=0, strict=True)
    """Least number of characters of a string, or of items of a list."""
    max_length: int | None = Field(default=None, ge=0, strict=True)
    """Greatest number of characters of a string, or of items of a list."""
    pattern: Text | None = None
    """Regular expression that a string contains."""
    values: tuple[SelectOption, ...] | None = None
    para: "Parameter | None" = None
    """Declaration of the items of a list; None for any JSON value."""
    items: "tuple[Parameter, ...] | None" = None
    """Declarations of the items of a list by position; None if all are alike."""
    fields: "tuple[Parameter, ...] | None" = None
    """Declarations of the fields of a record; None for any JSON object."""
    target: str | None = None
    """Path at which a file is stored, relative to the working folder; the path of a folder ends in ``/``."""
    secret: StrictBool = False
    """Whether the value may be visible to the kernel only."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not is_identifier(name):
            raise ValueError("it must be an identifier: letters, digits, underscores, and in R also dots")
        return name

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None and (problem := pattern_problem(pattern)):
            raise ValueError(f"pattern: {problem}")
        return pattern

    @field_validator("target")
    @classmethod
    def _check_target(cls, target: str | None) -> str | None:
        if target is not None and not is_target(target):
            raise ValueError("target: it must be a relative path inside the project")
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
            is_given = "defaultValue" in declared or "default" in declared
            declared["isRequired"] = not is_given and not declared.get("computed")
        if isinstance(declared.get("para"), dict):
            declared["para"] = {"name": "item", **declared["para"]}
        return declared

    @model_validator(mode="after")
    def _check_consistency(self) -> "Parameter":
        if self.range is not None:
            parse_range(self.range)
        self._check_constraints()
        self._check_choices()
        if self.min_length is not None and self.max_length is not None and self.min_length > self.max_length:
            raise ValueError("minLength: it is greater than maxLength")
        if self.items is not None and self.para is not None:
            raise ValueError("items: a list has either items or para")
        names = [each.name for each in self.fields or ()]
        if len(set(names)) < len(names):
            raise ValueError("fields: two fields have the same name")
        parts = [*(self.fields or ()), *(self.items or ())]
        if self.para is not None and self.para.dtype != "file":
            parts.append(self.para)
        if any(each.holds_files for each in parts):
            raise ValueError(
                f"a {self.dtype} cannot contain files, except a list of nothing else; "
                "declare each as a separate parameter"
            )
        if self.computed and (self.is_required or self.default is not None):
            raise ValueError("computed: such a parameter is optional and has no default")
        return self

    def _check_constraints(self) -> None:
        for key, dtypes in CONSTRAINED.items():
            if getattr(self, key) is not None and self.dtype not in dtypes:
                kinds = " or ".join(dtypes)
                raise ValueError(f"{to_camel(key)}: only a parameter of dtype {kinds} may have it")

    def _check_choices(self) -> None:
        if (self.values is None) == (self.dtype == "select"):
            raise ValueError("values: a select requires them, and no other dtype allows them")
        if self.values is not None and not self.values:
            raise ValueError("values: at least one is required")
        kinds = [(isinstance(each.value, bool), each.value) for each in self.values or ()]
        if len(set(kinds)) < len(kinds) or sum(each.is_default for each in self.values or ()) > 1:
            raise ValueError("values: each may occur once, and at most one may be the default")

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
        for key in ("items", "fields"):
            if (parts := getattr(self, key)) is not None:
                updates[key] = tuple(each._with_checked_default(subject, limits) for each in parts)
        parameter = self.model_copy(update=updates) if updates else self
        if parameter.default is None:
            return parameter
        if parameter.holds_files:
            if any(not isinstance(each, str) or text_problem(each) for each in parameter.default_paths):
                raise InvalidParameterError(subject, "the default must be a string with the path of a file")
            return parameter
        try:
            cast_default = cast_value(parameter, parameter.default, limits or Limits())
        except CastError as error:
            raise InvalidParameterError(subject, f"its default{error.where}: {error.problem}") from error
        return parameter.model_copy(update={"default": cast_default})

    def to_json(self) -> ParameterHandle:
        """Return the declaration, without empty keys and without the default of a secret."""
        dumped = self.model_dump(by_alias=True, exclude_none=True, exclude={"para", "items", "fields"})
        declared = typing.cast(ParameterHandle, dumped)
        if self.para is not None:
            declared["para"] = self.para.to_json()
        if self.items is not None:
            declared["items"] = [each.to_json() for each in self.items]
        if self.fields is not None:
            declared["fields"] = [each.to_json() for each in self.fields]
        if not self.nullable:
            declared.pop("nullable")
        if not self.computed:
            declared.pop("computed")
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
        is_default = not self.is_required and self.default is None and not self.computed
        return self.nullable or is_default or self.dtype == "any"

    @property
    def holds_files(self) -> bool:
        """Whether its value is a file, or has files in it."""
        parts = (self.para, *(self.items or ()), *(self.fields or ()))
        return self.dtype == "file" or any(each.holds_files for each in parts if each is not None)

    @property
    def default_paths(self) -> list[Any]:
        """The paths of the files that are its default."""
        if not self.holds_files or self.default is None:
            return []
        return list(self.default) if isinstance(self.default, (list, tuple)) else [self.default]

    @functools.cached_property
    def adapters(self) -> "dict[Limits, TypeAdapter[Any]]":
        """The types that were built for the parameter, by limits."""
        return {}

    @property
    def constraints(self) -> Constraints:
        """What its values have to fulfil beside the dtype."""
        bounds = parse_range(self.range or "(,)")
        return Constraints(
            bounds,
            multiple_of=self.multiple_of,
            min_length=self.min_length,
            max_length=self.max_length,
            pattern=self.pattern,
        )


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
    computed = sum(isinstance(each, dict) and each.get("computed") is True for each in declarations)
    if computed > MAX_COMPUTED:
        raise InvalidParameterError("parameters", f"there are more than {MAX_COMPUTED:,} computed ones")
    if len(declarations) - computed > limits.parameters:
        raise InvalidParameterError("parameters", f"there are more than {limits.parameters}")
    parameters: dict[str, Parameter] = {}
    for declared in declarations:
        parameter = Parameter.from_json(declared, limits)
        if parameter.name in parameters:
            raise InvalidParameterError(f"parameter '{parameter.name}'", "it is declared twice")
        parameters[parameter.name] = parameter
    return sorted(parameters.values(), key=lambda parameter: parameter.index)


def check_names(parameters: Iterable[Parameter], language: str) -> None:
    """Check that the language of a notebook can assign to the names of parameters.

    Raises
    ------
    InvalidParameterError
        It is Python, and a name is a keyword or contains a dot.
    """
    for each in parameters:
        if language.lower() == "python" and not is_python_name(each.name):
            raise InvalidParameterError(
                f"parameter '{each.name}'", "it must be a Python identifier and not a keyword"
            )


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
