"""Parameters and arguments."""

from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.json_value import JsonValue

Dtype: TypeAlias = Literal[
    "int", "float", "bool", "string", "select", "list", "record", "file", "date", "datetime", "any"
]
"""The type of a parameter; ``any`` is every JSON value."""


class SelectChoice(TypedDict):
    """One value of a select."""

    name: str
    """Display name."""
    value: bool | int | float | str
    isDefault: NotRequired[bool]
    """True for the default choice; otherwise absent."""


class ParameterDeclaration(TypedDict):
    """A parameter as its author declares it; omitted keys have defaults."""

    name: str
    """An identifier of the notebook's language."""
    dtype: Dtype
    index: NotRequired[int]
    """Position among the other parameters; 0 if it is omitted."""
    isRequired: NotRequired[bool]
    """Whether a run requires an argument; false if there is a default."""
    label: NotRequired[str]
    """Display name."""
    help: NotRequired[str]
    """A sentence for people."""
    defaultValue: NotRequired[JsonValue]
    """The value if no argument is given."""
    group: NotRequired[str]
    """Name of the `ParameterGroup` with which it is shown."""
    nullable: NotRequired[bool]
    """True if None is a value in addition to those of the dtype, whatever the default; otherwise absent."""
    computed: NotRequired[bool]
    """True if the notebook computes the value where none is given; otherwise absent."""
    source: NotRequired[str]
    """The code that computes the value."""
    range: NotRequired[str]
    """Range of a number, ``"[0,1]"``; brackets include, parentheses exclude, either end may be omitted."""
    multipleOf: NotRequired[float]
    """The number of which a number is a multiple, above 0."""
    minLength: NotRequired[int]
    """Least number of characters of a string, or of items of a list."""
    maxLength: NotRequired[int]
    """Greatest number of characters of a string, or of items of a list."""
    pattern: NotRequired[str]
    """Regular expression that a string contains."""
    values: NotRequired[list[SelectChoice]]
    """Choices of a select."""
    para: NotRequired["ParameterDeclaration"]
    """Item of a list; absent for any JSON value."""
    items: NotRequired[list["ParameterDeclaration"]]
    """Items of a list by position, if each has a type of its own; the list then has as many."""
    fields: NotRequired[list["ParameterDeclaration"]]
    """Fields of a record; absent for any JSON object."""
    target: NotRequired[str]
    """Path of a file relative to the working folder; the path of a folder ends in ``/``."""
    secret: NotRequired[bool]
    """True if only the kernel may see the value; otherwise absent."""


class ParameterHandle(TypedDict):
    """A parameter in a handle, in which omitted keys are filled in."""

    name: str
    """An identifier of the notebook's language; ``item`` for the item of a list."""
    dtype: Dtype
    index: int
    """Position among the other parameters."""
    isRequired: bool
    """Whether a run requires an argument."""
    label: NotRequired[str]
    """Display name."""
    help: NotRequired[str]
    """A sentence for people."""
    defaultValue: NotRequired[JsonValue]
    """The value if no argument is given; absent if there is none, or if it is secret."""
    group: NotRequired[str]
    """Name of the `ParameterGroup` with which it is shown."""
    nullable: NotRequired[bool]
    """True if None is a value in addition to those of the dtype, whatever the default; otherwise absent."""
    computed: NotRequired[bool]
    """True if the notebook computes the value where none is given; otherwise absent."""
    source: NotRequired[str]
    """The code that computes the value."""
    range: NotRequired[str]
    """Range of a number, if it has one, ``"[0,1]"``; brackets include, parentheses exclude."""
    multipleOf: NotRequired[float]
    """The number of which a number is a multiple, above 0."""
    minLength: NotRequired[int]
    """Least number of characters of a string, or of items of a list."""
    maxLength: NotRequired[int]
    """Greatest number of characters of a string, or of items of a list."""
    pattern: NotRequired[str]
    """Regular expression that a string contains."""
    values: NotRequired[list[SelectChoice]]
    """Choices of a select."""
    para: NotRequired["ParameterHandle"]
    """Item of a list; absent for any JSON value."""
    items: NotRequired[list["ParameterHandle"]]
    """Items of a list by position, if each has a type of its own; the list then has as many."""
    fields: NotRequired[list["ParameterHandle"]]
    """Fields of a record; absent for any JSON object."""
    target: NotRequired[str]
    """Path of a file relative to the working folder; the path of a folder ends in ``/``."""
    secret: NotRequired[bool]
    """True if only the kernel may see the value; otherwise absent."""


class Argument(TypedDict):
    """A value for a parameter."""

    name: str
    """Name of the parameter."""
    value: JsonValue
    """A value of the parameter's type; for a file it is a `FileArgument`.

    NaN and infinity are the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` for a float, and a
    `FloatArgument` where any JSON value is allowed.
    """


class FileReference(TypedDict):
    """A reference to an upload."""

    fileId: str
    """Id of an upload of the run's group."""
    targetPath: NotRequired[str]
    """Path relative to the working folder; the path of a folder ends in ``/``."""


class FileArgument(TypedDict):
    """The value of a file argument."""

    type: Literal["$file"]
    value: FileReference


class FloatArgument(TypedDict):
    """NaN or infinity, where any JSON value is allowed."""

    type: Literal["$float"]
    value: Literal["NaN", "Infinity", "-Infinity"]
