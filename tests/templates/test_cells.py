import ast
from typing import Any

import pytest

from runwidgets.templates.cells.python_cell import read_signature
from runwidgets.templates.cells.python_code import parse_code


@pytest.mark.parametrize(
    ("source", "declared"),
    [
        ("x = (10\n% 3)\ny = 1", {"x": "10 % 3", "y": 1}),
        ("x = '''\n%time\n'''\n!ls\ny = 1", {"x": "\n%time\n", "y": 1}),
        ("%%time\nx = 1", {"x": 1}),
        ("x = 1\nfiles = !ls\nx?\n?x\n%cd ..\n!echo 'it'\"'\"'s", {"x": 1}),
        ("if True:\n    !ls\nx = 1", {"x": 1}),
        ("x = 1; y = 2", {"x": 1, "y": 2}),
        ("x = y = 1", {"x": 1, "y": 1}),
        ("x = 1\nx += 1", {"x": "x += 1"}),
        ("x = 1\nx = f(x)", {"x": "f(x)"}),
        ("x = 1\nx = 2", {"x": 2}),
        ("x = '\\d'", {"x": "\\d"}),
        (
            "x = 1 + 2j\ny = b'a'\nz = {1, 2}\nw = {1: 2}",
            {"x": "1 + 2j", "y": "b'a'", "z": [1, 2], "w": "{1: 2}"},
        ),
        ("x = (1, (2, 3))", {"x": [1, [2, 3]]}),
    ],
)
def test_a_cell_is_parsed_like_ipython_does(source: str, declared: dict[str, Any]) -> None:
    """IPython syntax is skipped, and similar text in expressions and strings is preserved."""
    found = {
        each["name"]: each.get("defaultValue", each.get("source"))
        for each in read_signature(source).parameters
    }

    assert found == declared


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("Literal['a', None]", {"dtype": "select", "isRequired": False}),
        ("tuple[int, ...]", {"dtype": "list", "para": {"name": "item", "dtype": "int"}}),
        ("list[int | None]", {"para": {"name": "item", "dtype": "int", "isRequired": False}}),
        ("list[Path]", {"dtype": "list", "para": {"name": "item", "dtype": "file"}}),
        ("int | float", {"dtype": "float"}),
        ("Annotated[float, Interval(ge=0, lt=1)]", {"dtype": "float", "range": "[0,1)"}),
        ("Annotated[int | None, Le(5)]", {"dtype": "int", "isRequired": False, "range": "(,5]"}),
        ("datetime.datetime", {"dtype": "datetime"}),
    ],
)
def test_an_annotation_alone_declares_a_parameter(annotation: str, expected: dict[str, Any]) -> None:
    """A name without a value is required, unless None is one of its types."""
    (parameter,) = read_signature(f"x: {annotation}").parameters

    assert parameter.items() >= expected.items()


def test_a_tuple_of_several_types_has_a_declaration_for_each_position() -> None:
    """A tuple of a number and a string is not a list of numbers."""
    (parameter,) = read_signature("x: tuple[int, str] = (1, 'a')").parameters

    assert "para" not in parameter
    assert [each["dtype"] for each in parameter["items"]] == ["int", "string"]


def test_the_code_keeps_its_lines() -> None:
    """An error names the line that people see."""
    tree, code = parse_code("%cd x\n!ls\nx = 1")

    assert isinstance(tree.body[-1], ast.Assign)
    assert (tree.body[-1].lineno, code.count("\n")) == (3, 2)
