import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runwidgets.errors import InvalidArgumentError, InvalidParameterError
from runwidgets.limits import Limits
from runwidgets.templates.arguments import coerce_mapping
from runwidgets.templates.parameters import Parameter, cast, parse_parameters

CASES = json.loads((Path(__file__).parent / "cases.json").read_text("utf-8"))
"""What fits which declaration, and what does not; the form in the browser is held to the same list."""


@pytest.mark.parametrize("case", [case for case in CASES if "cast" in case], ids=str)
def test_a_value_that_fits_is_cast_without_loss(case: dict[str, Any]) -> None:
    """It is JSON, or text that a user typed."""
    parameter = Parameter.from_json(case["parameter"])

    given = cast(parameter, case["value"])

    assert (given, type(given)) == (case["cast"], type(case["cast"]))


@pytest.mark.parametrize("case", [case for case in CASES if "problem" in case], ids=str)
def test_a_value_that_does_not_fit_is_refused_in_words(case: dict[str, Any]) -> None:
    """The problem says what is wrong, the subject where."""
    parameter = Parameter.from_json(case["parameter"])

    with pytest.raises(InvalidArgumentError) as refused:
        cast(parameter, case["value"])

    assert refused.value.problem == case["problem"]
    assert refused.value.subject.startswith("x")


@pytest.mark.parametrize(
    ("value", "name"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
@pytest.mark.parametrize("dtype", ["float", "list", "record", "any"])
def test_nan_and_infinity_have_a_form_on_the_wire(dtype: str, value: float, name: str) -> None:
    """Where a float is declared, it is their name; elsewhere that could be a text, so it is tagged."""
    tagged = {"type": "$float", "value": name}
    given: Any = {"float": value, "list": [1, [value]], "record": {"a": {"b": value}}, "any": value}[dtype]
    stored: Any = {"float": name, "list": [1, [tagged]], "record": {"a": {"b": tagged}}, "any": tagged}[dtype]
    parameter = Parameter.from_json({"name": "x", "dtype": dtype})

    assert cast(parameter, given) == stored
    assert cast(parameter, stored) == stored
    assert cast(parameter, coerce_mapping({"x": given})[0]["value"]) == stored


@pytest.mark.parametrize("dtype", ["int", "bool", "string", "date", "datetime", "file"])
def test_nan_is_a_value_of_no_other_type(dtype: str) -> None:
    """A text of that name is another value."""
    for value in (math.nan, {"type": "$float", "value": "NaN"}):
        with pytest.raises(InvalidArgumentError, match="x: "):
            cast(Parameter.from_json({"name": "x", "dtype": dtype}), value)


def test_deep_and_long_values_are_refused_without_recursion() -> None:
    """Limits apply far beyond Python's recursion limit."""
    deep: Any = 1
    for _ in range(20_000):
        deep = [deep]

    with pytest.raises(InvalidArgumentError, match="nested deeper than 32 levels"):
        cast(Parameter.from_json({"name": "x", "dtype": "list"}), deep)
    with pytest.raises(InvalidArgumentError, match="more than 10 bytes"):
        cast(Parameter.from_json({"name": "x", "dtype": "string"}), "ä" * 6, Limits(string_size=10))
    with pytest.raises(InvalidArgumentError, match="half a character"):
        cast(Parameter.from_json({"name": "x", "dtype": "string"}), "a\ud800")


def test_a_fault_deep_inside_is_named_by_its_path() -> None:
    """The path is `layers[1].size`, not just `layers`."""
    layer = {"name": "layer", "dtype": "record", "fields": [{"name": "size", "dtype": "int"}]}
    layers = Parameter.from_json({"name": "layers", "dtype": "list", "para": layer})

    with pytest.raises(InvalidArgumentError) as refused:
        cast(layers, [{"size": 1}, {"size": "big"}])

    assert refused.value.message == "layers[1].size: 'big' is not a whole number"


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"name": "__x__", "dtype": "int"}, "it must be an identifier"),
        ({"name": "a b", "dtype": "int"}, "it must be an identifier"),
        ({"name": "x", "dtype": "int", "multipleOf": 0}, "greater than 0"),
        (
            {"name": "x", "dtype": "list", "multipleOf": 2},
            "multipleOf: only a parameter of dtype int or float",
        ),
        ({"name": "x", "dtype": "string", "minLength": 3, "maxLength": 2}, "minLength: it is greater"),
        ({"name": "x", "dtype": "string", "pattern": "("}, "is not a regular expression"),
        ({"name": "x", "dtype": "int", "pattern": "a"}, "pattern: only a parameter of dtype string"),
        ({"name": "x", "dtype": "int", "computed": True, "defaultValue": 1}, "computed: "),
        ({"name": "x", "dtype": "integer"}, "dtype: 'integer' is not one of"),
        ({"name": "x"}, "dtype is missing"),
        ({"name": "x", "dtype": "int", "defaultValue": "a"}, "its default: 'a' is not a whole number"),
        ({"name": "x", "dtype": "int", "range": "5"}, "range: '5' is invalid"),
        ({"name": "x", "dtype": "int", "range": "[5,1]"}, "in the wrong order"),
        (
            {"name": "x", "dtype": "string", "range": "[1,5]"},
            "only a parameter of dtype int or float may have it",
        ),
        ({"name": "x", "dtype": "select"}, "a select requires them"),
        ({"name": "x", "dtype": "file", "target": "a/../x"}, "inside the project"),
        ({"name": "x", "dtype": "int", "colour": 1}, "there is no field 'colour'"),
        ("x", "must be an object with name and dtype"),
    ],
)
def test_a_wrong_declaration_is_refused_in_words(declared: Any, said: str) -> None:
    """The error names the parameter and what would be right."""
    with pytest.raises(InvalidParameterError, match=said.replace("[", r"\[")):
        Parameter.from_json(declared)


def test_a_declaration_survives_its_json() -> None:
    """`from_json` accepts the result of `to_json`."""
    layer = {
        "name": "layer",
        "dtype": "record",
        "fields": [{"name": "size", "dtype": "int", "range": "[1,]"}],
    }
    declared = {"name": "x", "dtype": "list", "para": layer, "label": "X", "help": "it", "group": "g"}

    parameter = Parameter.from_json(declared)

    assert Parameter.from_json(parameter.to_json()) == parameter


def test_names_are_unique_and_not_too_many() -> None:
    """A template declares a name once, and at most a hundred that are not computed."""
    one = {"name": "x", "dtype": "int"}

    with pytest.raises(InvalidParameterError, match="declared twice"):
        parse_parameters([one, one])
    with pytest.raises(InvalidParameterError, match="more than 100"):
        parse_parameters([{"name": f"x{at}", "dtype": "int"} for at in range(101)])

    def computed(count: int) -> list[dict[str, object]]:
        return [{"name": f"c{at}", "dtype": "any", "computed": True, "source": "f()"} for at in range(count)]

    assert len(parse_parameters([one, *computed(1000)])) == 1001
    with pytest.raises(InvalidParameterError, match="more than 1,000 computed ones"):
        parse_parameters(computed(1001))


def test_python_values_become_json_or_are_refused() -> None:
    """NumPy scalars, arrays, paths, dates, tuples and sets have a JSON form; other objects have none."""
    values = {
        "a": np.float64(0.5),
        "b": np.arange(2),
        "c": Path("x"),
        "d": (1, 2),
        "e": range(2),
        "f": {2, 1},
    }

    given = {each["name"]: each["value"] for each in coerce_mapping(values)}

    assert given == {"a": 0.5, "b": [0, 1], "c": "x", "d": [1, 2], "e": [0, 1], "f": [1, 2]}
    for value in (object(), 1j, b"x"):
        with pytest.raises(InvalidArgumentError, match="x"):
            coerce_mapping({"x": value})
