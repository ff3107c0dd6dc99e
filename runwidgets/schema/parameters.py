"""What a template asks for, and what is given for it."""

from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.json_value import JsonValue

Dtype: TypeAlias = Literal[
    "int", "float", "bool", "string", "select", "list", "record", "file", "date", "datetime"
]
"""The type of a parameter."""


class SelectChoice(TypedDict):
    """One value of a select."""

    name: str
    """Shown to people."""
    value: bool | int | float | str
    isDefault: NotRequired[bool]
    """True for the one that holds where no argument is given; otherwise absent."""


class ParameterDeclaration(TypedDict):
    """A parameter as somebody declares it; what is omitted has a default."""

    name: str
    """A Python identifier."""
    dtype: Dtype
    index: NotRequired[int]
    """Where it stands among the others; 0 where it is omitted."""
    isRequired: NotRequired[bool]
    """Whether a run needs an argument for it; false where there is a default."""
    label: NotRequired[str]
    """Shown to people instead of the name."""
    help: NotRequired[str]
    """A sentence for people."""
    defaultValue: NotRequired[JsonValue]
    """The value where no argument is given."""
    group: NotRequired[str]
    """Name of the `ParameterGroup` with which it is shown."""
    range: NotRequired[str]
    """Of a number: ``"[0,1]"``; brackets include, parentheses exclude, either end may be missing."""
    values: NotRequired[list[SelectChoice]]
    """Of a select: what there is to choose from."""
    para: NotRequired["ParameterDeclaration"]
    """Of a list: its item; absent for any JSON value."""
    fields: NotRequired[list["ParameterDeclaration"]]
    """Of a record: its fields; absent for any JSON object."""
    target: NotRequired[str]
    """Of a file: where it is placed, relative to the working folder; a folder ends in ``/``."""
    secret: NotRequired[bool]
    """True where only the kernel may see the value; otherwise absent."""


class ParameterHandle(TypedDict):
    """A parameter as handles show it: what follows from a declaration is filled in."""

    name: str
    """A Python identifier; ``item`` for the item of a list."""
    dtype: Dtype
    index: int
    """Where it stands among the others."""
    isRequired: bool
    """Whether a run needs an argument for it."""
    label: NotRequired[str]
    """Shown to people instead of the name."""
    help: NotRequired[str]
    """A sentence for people."""
    defaultValue: NotRequired[JsonValue]
    """The value where no argument is given; absent where there is none, or where it is secret."""
    group: NotRequired[str]
    """Name of the `ParameterGroup` with which it is shown."""
    range: NotRequired[str]
    """Of a number, where it has one: ``"[0,1]"``; brackets include, parentheses exclude."""
    values: NotRequired[list[SelectChoice]]
    """Of a select, always: what there is to choose from."""
    para: NotRequired["ParameterHandle"]
    """Of a list: its item; absent for any JSON value."""
    fields: NotRequired[list["ParameterHandle"]]
    """Of a record: its fields; absent for any JSON object."""
    target: NotRequired[str]
    """Of a file: where it is placed, relative to the working folder; a folder ends in ``/``."""
    secret: NotRequired[bool]
    """True where only the kernel may see the value; otherwise absent."""


class Argument(TypedDict):
    """A value that is given for a parameter."""

    name: str
    """The parameter's."""
    value: JsonValue
    """Of the parameter's type; of a file it is a `FileArgument`."""


class FileReference(TypedDict):
    """Which upload a file argument means."""

    fileId: str
    """Id of an upload of the run's group."""
    targetPath: NotRequired[str]
    """Where it is placed, relative to the working folder; a folder ends in ``/``."""


class FileArgument(TypedDict):
    """The value of a file argument."""

    type: Literal["$file"]
    value: FileReference
