from typing import Any

import pytest

from runwidgets.errors import InvalidTemplateError
from runwidgets.templates.cells.python_cell import read_signature
from runwidgets.templates.parameters import parse_parameters


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
    "line",
    [
        "import os",
        "def f(): pass",
        "class A: pass",
        "__x = 1",
        "x += 1",
        "for x in range(3): y = x",
        "a.b = 1",
        "x = 1\ndel x",
        "X: TypeAlias = int",
    ],
)
def test_what_is_no_assignment_of_a_value_declares_nothing(line: str) -> None:
    """Modules, functions, and what only statements inside of others assign are not asked for."""
    assert read_signature(line).parameters == []


@pytest.mark.parametrize(
    ("source", "dtype", "shown"),
    [
        ("x = 24*60*60", "any", "24*60*60"),
        ("x = os.environ.get('A', 'b')", "any", "os.environ.get('A', 'b')"),
        ("x = f'{y}.csv'", "any", "f'{y}.csv'"),
        ("y = 1\nx = y", "any", "y"),
        ("x: int = os.cpu_count()", "int", "os.cpu_count()"),
        ("x = f()  # type: float", "float", "f()"),
        ("x: int = 1\nx = f(x)", "int", "f(x)"),
        ("x: int = 1\nx += 1", "int", "x += 1"),
        ("x = 1\nif y:\n    x = 2", "any", "if y: x = 2"),
        ("x = [1]\nx.append(2)", "any", "x.append(2)"),
        ("x = {'a': 1}\nx['b'] = 2", "any", "x['b'] = 2"),
        ("x, *y = 1, 2, 3", "any", "x, *y = 1, 2, 3"),
        ("x = [\n  a,\n  b,\n]", "any", "[ a, b, ]"),
        ("x = " + "+".join("a" * 300), "any", "+".join("a" * 300)[:199] + "…"),
    ],
)
def test_a_computed_value_makes_an_optional_parameter_that_shows_its_code(
    source: str, dtype: str, shown: str
) -> None:
    """If it is not given, the notebook computes it; so it has no default."""
    parameter = next(each for each in read_signature(source).parameters if each["name"] == "x")

    assert (parameter["dtype"], parameter["computed"], parameter["source"]) == (dtype, True, shown)
    assert not parse_parameters([parameter])[0].is_required
    assert "x" not in read_signature(source).assigned


@pytest.mark.parametrize(
    "source",
    [
        "x = 'a'\nprint(x.upper())",
        "x = [1]\nprint(len(x), x.index(1))",
        "x = 1\ny = [x for x in range(3)]",
        "x, y = 1, 2",
    ],
)
def test_what_only_reads_a_value_does_not_change_its_default(source: str) -> None:
    """Methods that change nothing, and variables of comprehensions."""
    assert read_signature(source).assigned["x"] is not None


def test_magics_are_skipped_and_nothing_is_executed() -> None:
    """IPython syntax is ignored, and code is only parsed."""
    source = "%matplotlib inline\n!touch nothing\nx = 1\ny = __import__('os').abort()"

    assert [each["name"] for each in read_signature(source).parameters] == ["x", "y"]


def test_a_syntax_error_is_named_by_its_line() -> None:
    """The author finds the position."""
    with pytest.raises(InvalidTemplateError, match="line 2 of the parameters cell"):
        read_signature("x = 1\ny = = 2")
