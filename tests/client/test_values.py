"""Values from Python to the notebook: each arrives as it was given, or is refused."""

import datetime
import enum
import math
import zoneinfo
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import runwidgets as rw
from runwidgets.errors import InvalidArgumentError, UnknownParameterError
from runwidgets.service.contracts.api import Api
from tests.builders import write_notebook

PARAMETERS = """
from datetime import date, datetime
anything = None
record: dict = {}
items: list = []
text = ""
number = 1.5
shape = (28, 28)
pairs = [(1, 2)]
mixed = (1, (2, 3))
names = {"a"}
days = [date(2024, 1, 1)]
when: datetime = datetime(2024, 1, 1)
"""


class Kind(str, enum.Enum):
    """Members that are texts."""

    DEEP = "deep"


class Level(enum.IntEnum):
    """Members that are numbers."""

    HIGH = 3


@pytest.fixture
def run(api: Api, folder: Path) -> Callable[..., str]:
    """Return a function that starts a run with values, and returns the representation of what arrived."""

    def run(parameters: str = PARAMETERS, **values: Any) -> str:
        show = f"print(repr(({', '.join(values)},)))"
        path = write_notebook(folder / "values.ipynb", show, parameters=parameters)
        return rw.run(path, values, api=api).wait().log.strip()

    return run


def test_declared_values_arrive_as_they_were_given(run: Callable[..., str]) -> None:
    """The types of the parameters say which objects the notebook expects."""
    values: dict[str, Any] = {
        "anything": {"a": [1, None, math.inf, {"b": -0.0}], "é": OrderedDict(c=True)},
        "record": {"a": 2**80, "b": [[]]},
        "items": [1, "NaN", [2]],
        "text": " \r\n\t'é'\\",
        "shape": (),
        "pairs": [(3, 4), (5,)],
        "mixed": (4, (5, 6)),
        "names": {"b"},
        "days": [datetime.date(2024, 2, 29)],
        "when": datetime.datetime(2024, 7, 1, 2, 3, 4, 5, datetime.timezone.utc),
    }

    arrived = run(**values)

    values["anything"]["é"] = {"c": True}
    assert arrived == repr(tuple(values.values()))


@pytest.mark.parametrize(
    ("name", "value", "arrived"),
    [
        ("anything", np.float64(0.1), 0.1),
        ("anything", np.int64(3), 3),
        ("anything", np.bool_(True), True),
        ("anything", [Kind.DEEP, Level.HIGH], ["deep", 3]),
        ("anything", {Kind.DEEP: 1}, {"deep": 1}),
        ("items", np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        ("items", range(3), [0, 1, 2]),
        ("shape", np.array([2, 3]), (2, 3)),
        ("shape", [2, 3], (2, 3)),
        ("names", frozenset({"b"}), {"b"}),
        ("text", Path("a/b"), "a/b"),
        ("text", Kind.DEEP, "deep"),
        ("number", np.float32(0.5), 0.5),
        ("days", pandas.Series([datetime.date(2024, 2, 1)]), [datetime.date(2024, 2, 1)]),
        ("when", pandas.Timestamp("2024-02-01 10:00"), datetime.datetime(2024, 2, 1, 10)),
        ("when", np.datetime64("2024-02-01T10:00"), datetime.datetime(2024, 2, 1, 10)),
        (
            "when",
            datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
            datetime.datetime(2024, 7, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_values_of_other_libraries_arrive_as_equal_ones_of_the_declared_type(
    run: Callable[..., str], name: str, value: Any, arrived: Any
) -> None:
    """Numbers and arrays of NumPy and pandas, members of enumerations, ranges and paths."""
    assert run(**{name: value}) == repr((arrived,))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"record": {1: "a"}}, "record: its key 1 is not a text"),
        ({"anything": {"a": [{None: 1}]}}, r"anything\.a\[0\]: its key None is not a text"),
        ({"record": {True: 1}}, "its key True is not"),
        ({"record": {(1, 2): 1}}, r"its key \(1, 2\) is not"),
        ({"record": {"shape": (2, 3)}}, r"record\.shape: a tuple would arrive as a list; give a list"),
        ({"anything": (2, 3)}, "anything: a tuple would arrive as a list"),
        ({"anything": [{"a": ()}]}, r"anything\[0\]\.a: a tuple would"),
        ({"anything": {1}}, "a set would arrive as a list"),
        ({"anything": frozenset()}, "a frozenset would arrive as a list"),
        ({"anything": range(2)}, "a range would arrive as a list"),
        ({"anything": np.arange(2)}, "a ndarray would arrive as a list"),
        ({"anything": pandas.Series([1])}, "a Series would arrive as a list"),
        ({"anything": datetime.date(2024, 1, 1)}, "a date would arrive as a text"),
        ({"anything": pandas.Timestamp(0)}, "a Timestamp would arrive as a text"),
        ({"anything": np.datetime64("2024-01-01")}, "a datetime64 would arrive as a text"),
        ({"anything": Path("a")}, "Path would arrive as a text"),
        ({"items": [(1, 2)]}, r"items\[0\]: a tuple would arrive as a list"),
        ({"shape": [(1, 2)]}, r"shape\[0\]: .* is not a whole number"),
        ({"pairs": [[1, 2], "ab"]}, r"pairs\[1\]: 'ab' is not a list"),
        ({"mixed": (1,)}, "mixed: "),
        ({"anything": b"a"}, "a bytes has no JSON form"),
        ({"anything": Decimal("0.1")}, "a Decimal has no JSON form"),
        ({"number": Decimal("0.1")}, "a Decimal has no JSON form"),
        ({"anything": 1j}, "a complex has no JSON form"),
        ({"text": datetime.time(1)}, "a time has no JSON form"),
        ({"text": pandas.Timedelta(1)}, "a Timedelta has no JSON form"),
        ({"text": pandas.NaT}, "a NaTType has no JSON form"),
        ({"when": pandas.Timestamp(1)}, "when: .* is not a date and time"),
        ({"number": True}, "number: true is not a number"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_value_that_would_arrive_as_another_is_refused(
    run: Callable[..., str], values: dict[str, Any], said: str
) -> None:
    """The sentence names the parameter and the part at fault, and nothing starts."""
    with pytest.raises(InvalidArgumentError, match=said):
        run(**values)


DEFAULTS = [
    "{1: 'a', None: 2, True: 3}",
    "{'shape': (2, 3)}",
    "[(1, 2), [3, 4]]",
    "[{1}, (2,)]",
    "{'a': {1: b'x'}}",
    "(1, None, (2, {3}))",
    "-0.0",
    "()",
]


@pytest.mark.parametrize("annotation", ["", ": object", ": dict[int, str]", ": list", ": tuple"])
def test_a_default_that_is_left_alone_is_what_the_cell_assigns(
    api: Api, folder: Path, annotation: str
) -> None:
    """Whatever the annotation says, and whether or not JSON has such values."""
    names = [f"x{at}" for at in range(len(DEFAULTS))]
    lines = [f"{name}{annotation} = {code}" for name, code in zip(names, DEFAULTS, strict=True)]
    show = f"print(repr([{', '.join(names)}]))"
    path = write_notebook(folder / "defaults.ipynb", show, parameters="\n".join([*lines, "other = 1"]))

    arrived = rw.run(path, other=2, api=api).wait().log.strip()

    assert arrived == repr([eval(code) for code in DEFAULTS])


@pytest.mark.parametrize(
    ("line", "value", "arrived"),
    [("x: object = (1, 2)", [1, 3], [1, 3]), ("x: tuple = ((1, 2),)", [3], (3,))],
)
def test_a_default_is_not_shown_as_the_list_that_it_would_become(
    api: Api, folder: Path, run: Callable[..., str], line: str, value: Any, arrived: Any
) -> None:
    """Its type says less than the value, so a form shows the code."""
    path = write_notebook(folder / "shown.ipynb", "1", parameters=line)
    (parameter,) = api.workflows.create_workflow(str(path))["parameters"]

    assert parameter["computed"] and parameter["source"] == line.partition(" = ")[2]
    assert run(line, x=value) == repr((arrived,))


def test_a_type_that_json_does_not_have_is_a_warning(api: Api, folder: Path) -> None:
    """Keys that were typed into a form are texts."""
    path = write_notebook(
        folder / "keys.ipynb", "1", parameters="x: dict[int, str] = {}\ny: dict[str, int] = {}"
    )

    (warning,) = api.workflows.create_workflow(str(path))["warnings"]

    assert warning.startswith("x: `dict[int, str]` gets a dictionary of JSON: its keys are texts")


def test_parameters_of_a_group_are_known(api: Api, folder: Path) -> None:
    """Their values are converted by their types: the path of a file is uploaded."""
    path = write_notebook(folder / "grouped.ipynb", "print(table, pair)", parameters="a = 1")
    (folder / "mine.csv").write_text("1")
    made = api.workflows.create_workflow(str(path))
    own = [{"name": "table", "dtype": "file"}, {"name": "pair", "dtype": "list"}]
    group = api.groups.create_group(made["id"], "own", parameters=own)["id"]

    run = rw.run(path, api=api, group=group, table=folder / "mine.csv", pair=(1, 2)).wait()

    assert run.log == "mine.csv [1, 2]\n"


def test_an_unknown_parameter_is_named_whatever_its_value(run: Callable[..., str]) -> None:
    """Its name is the fault."""
    with pytest.raises(UnknownParameterError, match="did you mean shape"):
        run(shap=(1, 2))


def test_a_mapping_that_resembles_nan_arrives_whole(run: Callable[..., str]) -> None:
    """Only the very form of NaN is NaN."""
    value = {"type": "$float", "value": "NaN", "unit": "m"}

    assert run(anything=value) == repr((value,))


@pytest.mark.parametrize(
    ("language", "cell", "value"),
    [("R", "n = 1L", 2**53 + 1), ("R", "n = list()", [2**53 + 1]), ("matlab", "n = {}", [-(2**53) - 1])],
    ids=["R", "R list", "MATLAB"],
)
def test_a_whole_number_that_a_language_cannot_hold_is_refused(
    api: Api, folder: Path, language: str, cell: str, value: Any
) -> None:
    """It has one type of number, in which the last digits would be lost."""
    kernel = {"name": language.lower(), "display_name": language, "language": language}
    path = write_notebook(folder / f"{language}.ipynb", "n", parameters=cell, kernelspec=kernel)

    with pytest.raises(InvalidArgumentError, match=f"n: .* cannot be given to a notebook in {language}"):
        rw.run(path, api=api, n=value)
