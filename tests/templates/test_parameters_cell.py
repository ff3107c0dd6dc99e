from typing import Any

import pytest

from runwidgets.errors import InvalidTemplateError
from runwidgets.templates.parameters import parse_parameters
from runwidgets.templates.parameters_cell import read_signature


@pytest.mark.parametrize(
    ("line", "declared"),
    [
        ("x = 3", {"dtype": "int", "defaultValue": 3}),
        ("x = -3", {"dtype": "int", "defaultValue": -3}),
        ("x = 0.5  # learning rate", {"dtype": "float", "defaultValue": 0.5, "help": "learning rate"}),
        ("x = True", {"dtype": "bool", "defaultValue": True}),
        ("x = 'a # b'", {"dtype": "string", "defaultValue": "a # b"}),
        ("x: int", {"dtype": "int", "isRequired": True}),
        ("x: float = 1", {"dtype": "float", "defaultValue": 1}),
        ("x: int | None = None", {"dtype": "int", "isRequired": False}),
        ("x: Optional[int] = 3", {"dtype": "int", "defaultValue": 3}),
        ("x: 'list[float]' = [1, 2]", {"dtype": "list", "defaultValue": [1, 2]}),
        ("x = [\n  1,\n  2,\n]  # some", {"dtype": "list", "defaultValue": [1, 2], "help": "some"}),
        ("x = {'a': 1}", {"dtype": "record", "defaultValue": {"a": 1}}),
        ("x: pathlib.Path = pathlib.Path('a/b.csv')", {"dtype": "file", "defaultValue": "a/b.csv"}),
        ("x: datetime.date = datetime.date(2024, 2, 1)", {"dtype": "date", "defaultValue": "2024-02-01"}),
        ("x: Annotated[float, Ge(0), Lt(1)] = 0", {"dtype": "float", "range": "[0,1)"}),
        (
            "x: Annotated[int, Field(gt=0, title='T', description='D')] = 1",
            {"range": "(0,)", "label": "T", "help": "D"},
        ),
        ("x: int = Field(3, ge=1)", {"dtype": "int", "defaultValue": 3, "range": "[1,)"}),
    ],
)
def test_a_line_is_read_as_it_was_meant(line: str, declared: dict[str, Any]) -> None:
    """Annotations, defaults, constraints and the comment at the end are read."""
    (parameter,) = read_signature(line).parameters

    assert {**parameter, "isRequired": parameter.get("isRequired", True)}.items() >= declared.items()
    assert parse_parameters([parameter])[0].is_required == declared.get("isRequired", False)


def test_a_literal_type_is_a_choice() -> None:
    """`Literal` lists the values."""
    (parameter,) = read_signature("x: Literal['a', 'b'] = 'b'").parameters

    assert parameter["dtype"] == "select"
    assert [each["value"] for each in parameter["values"]] == ["a", "b"]


@pytest.mark.parametrize(
    "line", ["x = os.getcwd()", "x = y + 1", "import os", "def f(): pass", "x, y = 1, 2", "__x = 1", "x += 1"]
)
def test_a_computed_name_is_not_a_parameter(line: str) -> None:
    """It depends on the parameters, so it cannot be given."""
    assert read_signature(line).parameters == []


def test_magics_are_skipped_and_nothing_is_executed() -> None:
    """IPython syntax is ignored, and code is only parsed."""
    source = "%matplotlib inline\n!touch nothing\nx = 1\ny = __import__('os').abort()"

    assert [each["name"] for each in read_signature(source).parameters] == ["x"]


def test_a_syntax_error_is_named_by_its_line() -> None:
    """The author finds the position."""
    with pytest.raises(InvalidTemplateError, match="line 2 of the parameters cell"):
        read_signature("x = 1\ny = = 2")
