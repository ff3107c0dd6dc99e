import ast
from typing import Any

import pytest

from runwidgets.templates.cells.annotations import read_annotation
from runwidgets.templates.cells.python_cell import read_signature
from runwidgets.templates.parameters import Parameter

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("tuple[int, int]", {"dtype": "list", "minLength": 2, "maxLength": 2}),
        ("tuple[()]", {"dtype": "list", "minLength": 0, "maxLength": 0}),
        ("typing.Tuple[float, ...]", {"dtype": "list", "para": {"name": "item", "dtype": "float"}}),
        ("AbstractSet[str]", {"dtype": "list", "para": {"name": "item", "dtype": "string"}}),
        (
            "list[list[int]]",
            {"para": {"name": "item", "dtype": "list", "para": {"name": "item", "dtype": "int"}}},
        ),
        ("list[Any]", {"dtype": "list"}),
        ("Any", {"dtype": "any"}),
        ("int | str", {"dtype": "any"}),
        ("str | Path", {"dtype": "string"}),
        ("Union[int, float, None]", {"dtype": "float"}),
        ("Final[int]", {"dtype": "int"}),
        (
            "Literal[Literal[1, 2], 'a']",
            {"values": [{"name": str(each), "value": each} for each in (1, 2, "a")]},
        ),
        ("Annotated[int, Ge(1), Le(5)]", {"range": "[1,5]"}),
        ("Annotated[PositiveInt, Le(5)]", {"range": "(0,5]"}),
        ("Annotated[int, Gt(0), MultipleOf(5)]", {"range": "(0,)", "multipleOf": 5}),
        ("Annotated[float, Field(multiple_of=0.5)]", {"multipleOf": 0.5}),
        (
            "Annotated[str, Field(min_length=1, max_length=5, pattern='^a')]",
            {"minLength": 1, "maxLength": 5, "pattern": "^a"},
        ),
        ("Annotated[str, Len(2, 3)]", {"minLength": 2, "maxLength": 3}),
        ("Annotated[list[int], MinLen(1)]", {"minLength": 1, "para": {"name": "item", "dtype": "int"}}),
        ("Annotated[list[int], Field(max_items=3)]", {"maxLength": 3}),
        ("Annotated[str, 'a help']", {"help": "a help"}),
        ("NonNegativeFloat", {"dtype": "float", "range": "[0,)"}),
        ("conint(ge=1, lt=5)", {"dtype": "int", "range": "[1,5)"}),
        ("constr(max_length=3)", {"dtype": "string", "maxLength": 3}),
        ("'int | None'", {"dtype": "int"}),
    ],
)
def test_a_type_is_understood(annotation: str, expected: Json) -> None:
    """Without a note, and with a valid declaration."""
    kind = read_annotation(ast.parse(annotation, mode="eval").body)

    assert kind.declared.items() >= expected.items()
    assert kind.notes == []
    Parameter.from_json({"name": "x", **kind.declared})


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("x: np.ndarray", "x: the type `np.ndarray` is not understood, so any value is taken"),
        ("x: list[Model]", "x: the type `Model` is not understood, so any value is taken"),
        ("x: Annotated[int, Field(strict=True)]", "x: `strict=True` is not understood and not checked"),
        (
            "x: Annotated[int, Predicate(is_even)]",
            "x: `Predicate(is_even)` is not understood and not checked",
        ),
        (
            "x: Annotated[float, Field(max_digits=2)]",
            "x: `max_digits=2` is not understood and not checked",
        ),
        ("x: Annotated[int, Ge(least)]", "x: `Ge(least)` is computed and not checked"),
        ("x: Annotated[int, Field(ge=least)]", "x: `ge` is computed and not checked"),
        (
            "x: Annotated[str, Field(pattern='(?=a)')]",
            "x: `pattern='(?=a)'` is not understood and not checked",
        ),
        ("x: Annotated[str, Field(ge=1)]", "x: `ge=1` is not understood and not checked"),
        ("x: int = 0.5", "x: its default does not fit `int`, so any value is taken"),
        ("x: conint(ge=5) = 1", "x: its default does not fit `conint(ge=5)`, so any value is taken"),
        (
            "x: conint(ge=5, le=1) = 3",
            "x: its default does not fit `conint(ge=5, le=1)`, so any value is taken",
        ),
    ],
)
def test_what_is_not_understood_is_named_and_refuses_nothing(line: str, note: str) -> None:
    """The notebook works, so it is a workflow."""
    signature = read_signature(line)

    assert signature.warnings == [note]
    Parameter.from_json(signature.parameters[0])


@pytest.mark.parametrize(
    "option", ["examples=[1]", "deprecated=True", "json_schema_extra={'a': 1}", "title=None"]
)
def test_what_says_nothing_about_values_needs_no_note(option: str) -> None:
    """Documentation and names of other tools."""
    assert read_signature(f"x: Annotated[int, Field({option})] = 1").warnings == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = None  # type: int", {"dtype": "int", "isRequired": False}),
        ("x = 1  # type: float", {"dtype": "float", "defaultValue": 1}),
        ("x = []  # type: List[int]  # sizes", {"para": {"name": "item", "dtype": "int"}, "help": "sizes"}),
        ("x = 1  # type: int number of rows", {"dtype": "int", "help": "number of rows"}),
        ("x = 'a'  # type: one of a, b", {"dtype": "string", "help": "type: one of a, b"}),
        ("x = 1  # type: ignore", {"dtype": "int"}),
        ("x = None", {"dtype": "any", "isRequired": False}),
        ("x: Optional[int] = 3", {"dtype": "int", "nullable": True}),
        ("x: int | None = None", {"dtype": "int", "isRequired": False}),
        ("x: str = None", {"dtype": "string", "isRequired": False}),
        ("x: int = Field(default=3, multiple_of=3)", {"defaultValue": 3, "multipleOf": 3}),
        ("x: list = Field(default_factory=list)", {"defaultValue": []}),
        ("x = float('nan')", {"dtype": "float", "defaultValue": {"type": "$float", "value": "NaN"}}),
        ("x = -math.inf", {"dtype": "float", "defaultValue": {"type": "$float", "value": "-Infinity"}}),
        ("x = 1e999", {"dtype": "float", "defaultValue": {"type": "$float", "value": "Infinity"}}),
        ("x = set()", {"dtype": "list", "defaultValue": []}),
        ("x: list[Path] = [Path('a'), Path('b', 'c')]", {"defaultValue": ["a", "b/c"]}),
    ],
)
def test_type_comments_defaults_and_fields_are_read(line: str, expected: Json) -> None:
    """As the annotation that stands for them would be."""
    (parameter,) = read_signature(line).parameters

    assert parameter.items() >= expected.items()
    assert "ignore" not in str(parameter)
    Parameter.from_json(parameter)
