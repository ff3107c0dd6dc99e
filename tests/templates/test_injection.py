import datetime
import math
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from runwidgets.templates.arguments import tag_values
from runwidgets.templates.cells.python_cell import read_signature
from runwidgets.templates.cells.reading import read_parameters_cells
from runwidgets.templates.injection import injected_code, split_values
from runwidgets.templates.parameters import cast, parse_parameters

Json = dict[str, Any]
NAN = {"type": "$float", "value": "NaN"}


def template(signature_source: str = "", **more: Any) -> Any:
    """Return the part of a template that injection needs."""
    constructions = read_signature(signature_source).constructions
    return {
        "kernelName": "python3",
        "language": "python",
        "constructions": constructions,
        "injections": {},
        **more,
    }


def injected(source: str, value: Any) -> Any:
    """Return what a Python notebook has in `x` after a value was injected."""
    parameters = parse_parameters(read_signature(source).parameters)
    values = tag_values(parameters, {"x": cast(parameters[0], value)})
    scope: Json = {}
    exec(injected_code(template(source), values), scope)
    return scope["x"]


@pytest.mark.parametrize(
    ("source", "given", "expected"),
    [
        ("x: tuple[int, int]", [2, 3], (2, 3)),
        ("x: tuple[int, str] = (1, 'a')", [2, "b"], (2, "b")),
        ("x: tuple[float, ...]", [1, "NaN"], (1.0, math.nan)),
        ("x: tuple = ()", [1, [2]], (1, [2])),
        ("x: set[str]", ["b", "b"], {"b"}),
        ("x: frozenset[int]", [1], frozenset({1})),
        ("x: list[tuple[int, int]]", [[1, 2], [3, 4]], [(1, 2), (3, 4)]),
        ("x: tuple[tuple[int, ...], ...]", [[1], []], ((1,), ())),
        ("x: tuple[date, int]", ["2024-01-02", 3], (datetime.date(2024, 1, 2), 3)),
        ("x: list[date | None]", ["2024-01-02", None], [datetime.date(2024, 1, 2), None]),
        ("x: date | None", None, None),
        ("x: datetime", "2024-01-02T03:04", datetime.datetime(2024, 1, 2, 3, 4)),
        ("x = (1, 2)", [3], (3,)),
        ("x = {1, 2}", [3, 3], {3}),
        ("x = set()", ["a"], {"a"}),
        ("x = (1, (2, 3))", [4, [5, 6]], (4, (5, 6))),
        ("x = [(1, 2)]", [[3, 4]], [(3, 4)]),
        ("x: int | None = 3", None, None),
        ("x = None", {"a": [NAN]}, {"a": [math.nan]}),
        ("x = 1.0", "-Infinity", -math.inf),
        ("x: list[float]", ["Infinity", 1], [math.inf, 1.0]),
        ("x: str", "NaN", "NaN"),
        ("x: dict = {}", {"a": NAN, "b": "NaN"}, {"a": math.nan, "b": "NaN"}),
    ],
)
def test_a_value_arrives_as_the_object_that_the_notebook_has_in_mind(
    source: str, given: Any, expected: Any
) -> None:
    """Of its annotation, or of its default if there is none."""
    arrived = injected(source, given)

    assert repr(arrived) == repr(expected)


def test_files_arrive_as_paths() -> None:
    """One, or a list of them."""
    scope: Json = {}
    source = "x: Path\ny: list[Path] = []"

    exec(injected_code(template(source), {"x": "a.csv", "y": ["b.csv", "c.csv"]}), scope)

    assert (scope["x"], scope["y"]) == (Path("a.csv"), [Path("b.csv"), Path("c.csv")])


def cell(source: str, tag: str = "parameters", **more: str) -> Any:
    """Return a code cell with a tag."""
    return new_code_cell(source, metadata={"tags": [tag]}, **more)


def test_values_follow_the_cell_that_assigns_them() -> None:
    """Papermill injects after the first cell, where a later one would overwrite them."""
    cells = [cell("a = 1", id="one"), new_code_cell("a"), cell("b = 2", id="two"), cell("c = 3", id="three")]

    read = read_parameters_cells(new_notebook(cells=cells), "python3", "python")
    groups = split_values(template(injections=read.injections), {"c": 5, "a": 6, "other": 7})

    assert read.injections == {"two": ["b"], "three": ["c"]}
    assert groups == [{"a": 6, "other": 7}, {}, {"c": 5}]


def test_values_follow_the_code_also_if_a_text_before_it_has_the_tag() -> None:
    """Papermill would inject after the text."""
    text = new_markdown_cell("Set these:", metadata={"tags": ["parameters"]})

    read = read_parameters_cells(new_notebook(cells=[text, cell("a = 1", id="one")]), "python3", "python")

    assert read.injections == {"one": ["a"]}


@pytest.mark.parametrize(
    ("before", "source", "prelude"),
    [
        ("", "x: Literal['a', 'b'] = 'a'", "from typing import Literal"),
        (
            "",
            "x: Annotated[int, Field(ge=1)] = 1",
            "from typing import Annotated\nfrom pydantic import Field",
        ),
        ("from typing import *", "x: Optional[int] = None", "from typing import Optional"),
        ("from typing import Literal", "x: Literal['a'] = 'a'", ""),
        ("", "from typing import Literal\nx: Literal['a'] = 'a'", ""),
        ("", "import typing\nx: typing.Literal['a'] = 'a'", ""),
        ("", "x: date | None = None", "from datetime import date"),
        ("", "import datetime\nx: datetime.date | None = None", ""),
        ("", "x = 1  # type: List[int]", ""),
        ("", "x: int = 1", ""),
    ],
)
def test_annotations_have_the_imports_that_they_need(before: str, source: str, prelude: str) -> None:
    """Names that the notebook imports up to there are its own."""
    cells = [new_code_cell(before), cell(source), new_code_cell("from typing import Literal")]

    assert read_parameters_cells(new_notebook(cells=cells), "python3", "python").prelude == prelude


def test_the_values_of_an_earlier_run_are_defaults() -> None:
    """The notebook runs with them, and papermill replaces the cell that holds them as a whole."""
    source = "# Parameters\na = 7\nday = '2024-01-01'\nday = _datetime.date.fromisoformat(day)\nfurther = 5"
    cells = [cell("a = 1\nb = 2\nday: date = date(2020, 1, 1)"), cell(source, "injected-parameters")]

    signature = read_parameters_cells(new_notebook(cells=cells), "python3", "python").signature

    defaults = {each["name"]: each["defaultValue"] for each in signature.parameters}
    assert defaults == {"a": 7, "b": 2, "day": "2024-01-01", "further": 5}
