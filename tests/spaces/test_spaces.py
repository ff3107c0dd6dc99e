"""Spaces: evaluated lazily, and the same on every iteration."""

import math
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import runwidgets as rw
from runwidgets.errors import InvalidArgumentError
from runwidgets.spaces.space import as_space

LR = rw.loguniform(1e-4, 1e-1)


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (rw.grid(), [{}]),
        (rw.grid(a=1), [{"a": 1}]),
        (rw.grid(a="text", b={"c": [1, 2]}), [{"a": "text", "b": {"c": [1, 2]}}]),
        (
            rw.grid(a=[1, 2], b=range(2)),
            [{"a": 1, "b": 0}, {"a": 1, "b": 1}, {"a": 2, "b": 0}, {"a": 2, "b": 1}],
        ),
        (rw.grid(a=(each for each in "xy")), [{"a": "x"}, {"a": "y"}]),
        (rw.grid(a=[[1, 2], [3]]), [{"a": [1, 2]}, {"a": [3]}]),
        (rw.grid(a=np.array([1, 2]), b=np.float64(0.5)), [{"a": 1, "b": 0.5}, {"a": 2, "b": 0.5}]),
        (rw.zip(a=[1, 2], b=["x", "y"]), [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        (rw.zip(a=[1, 2], b="x"), [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}]),
        (rw.zip(), []),
        (rw.points([{"a": 1}, {"b": 2}]), [{"a": 1}, {"b": 2}]),
        (rw.points(pd.DataFrame({"a": [1, 2], "b": [0.5, math.nan]})), [{"a": 1, "b": 0.5}, {"a": 2}]),
        (rw.grid(a=[1, 2]) + rw.grid(b=3), [{"a": 1}, {"a": 2}, {"b": 3}]),
        (
            rw.grid(a=[1, 2]) * rw.points([{"b": 3}, {"c": 4}]),
            [{"a": 1, "b": 3}, {"a": 1, "c": 4}, {"a": 2, "b": 3}, {"a": 2, "c": 4}],
        ),
        (rw.grid(a=[1, 2], b=[1, 2]).where(lambda b, a: a < b), [{"a": 1, "b": 2}]),
        (rw.grid(a=[1, 2], b=[1, 2]).where(lambda **point: sum(point.values()) == 4), [{"a": 2, "b": 2}]),
        (rw.grid(a=[1, 2]).where(lambda a, missing=5: a + missing > 6), [{"a": 2}]),
        (as_space({"a": [1, 2]}), [{"a": 1}, {"a": 2}]),
        (as_space([{"a": 1}]), [{"a": 1}]),
    ],
)
def test_a_space_has_these_points(space: rw.Space, expected: list[dict[str, Any]]) -> None:
    """The order is the same on every access."""
    assert list(space) == list(space) == expected
    assert len(space) == len(expected)
    assert [space[index] for index in range(len(space))] == expected
    assert space[::-1] == expected[::-1]
    assert not expected or space[-1] == expected[-1]
    with pytest.raises(IndexError):
        space[len(expected)]


def test_values_of_numpy_are_plain() -> None:
    """The points contain the same types as typed values."""
    (point,) = rw.grid(a=np.arange(1), b=np.float32(0.5))

    assert {type(value) for value in point.values()} == {int, float}


def test_a_huge_space_is_created_at_once() -> None:
    """Only the requested point is computed."""
    space = rw.grid(**{f"p{number}": range(100) for number in range(4)}) * rw.sample(1000, seed=1, lr=LR)

    assert repr(space).startswith("<100,000,000,000 points over p0, p1, ")
    assert space[10**10]["p0"] == 10


def test_a_sample_is_the_same_in_every_process_and_beside_other_parameters() -> None:
    """It depends on the seed; without one, a random seed is chosen and kept."""
    code = "import runwidgets as rw; print(list(rw.sample(3, seed=7, lr=rw.uniform(0, 1), depth=range(9))))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": "", "HOME": str(Path.home())},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    few = rw.sample(3, seed=7, lr=rw.uniform(0, 1))
    many = rw.sample(50, seed=7, more=[1, 2], lr=rw.uniform(0, 1))
    unseeded = rw.sample(3, lr=LR)

    assert len(seen) == 1
    assert [point["lr"] for point in few] == [point["lr"] for point in many[:3]]
    assert list(unseeded) == list(unseeded) != list(rw.sample(3, lr=LR))
    assert "seed 7" in repr(few)


@pytest.mark.parametrize(
    ("source", "low", "high", "middle"),
    [
        (rw.uniform(0, 10), 0, 10, 5),
        (rw.loguniform(1e-4, 1), 1e-4, 1, 1e-2),
        (rw.integers(1, 9), 1, 9, 5),
        (rw.integers(1, 10_000, log=True), 1, 10_000, 100),
        (rw.integers(0, 10, 5), 0, 10, 5),
        (range(10), 0, 9, 4.5),
        (rw.choice([1, 5, 9]), 1, 9, 5),
        (scipy.stats.uniform(0, 10), 0, 10, 5),
    ],
    ids=lambda given: type(given).__name__ if hasattr(given, "rvs") else repr(given),
)
def test_a_distribution_keeps_its_bounds_and_its_middle(
    source: Any, low: float, high: float, middle: float
) -> None:
    """Included ends are reached."""
    drawn = [point["x"] for point in rw.sample(2_000, seed=3, x=source)]

    assert low <= min(drawn) and max(drawn) <= high
    assert statistics.median(drawn) == pytest.approx(middle, rel=0.35)
    if isinstance(drawn[0], int):
        assert {low, high} <= set(drawn) or high > 1000


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (rw.linspace(0, 10, 3), [0, 5, 10]),
        (rw.linspace(0, 1, 3), [0, 0.5, 1]),
        (rw.linspace(1.0, 3.0, 3), [1.0, 2.0, 3.0]),
        (rw.linspace(5, 1, 3), [5, 3, 1]),
        (rw.geomspace(1, 1000, 4), [1, 10, 100, 1000]),
        (rw.geomspace(1e-3, 1e-1, 3), [1e-3, 1e-2, 1e-1]),
    ],
)
def test_spaced_numbers_have_exact_ends_and_remain_whole(row: list[float], expected: list[float]) -> None:
    """The numbers are integers if all of them are whole."""
    assert row == expected
    assert [type(each) for each in row] == [type(each) for each in expected]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: rw.grid(a=[]), "a: it has no values; give at least one"),
        (
            lambda: rw.grid(a={1, 2}),
            "a: a set has no order; give a list, with the set in it if that is one value",
        ),
        (
            lambda: rw.zip(a=[1, 2], b=[1, 2, 3]),
            "a: it has 2 values, and b has 3; give the same number of each",
        ),
        (lambda: rw.zip(a=[1], b=[1, 2]), "a: it has 1 value, and b has 2; give the same number of each"),
        (lambda: rw.sample(-1), "n: -1 points cannot be drawn; give a whole number"),
        (lambda: rw.sample(2.5), "n: 2.5 points cannot be drawn; give a whole number"),  # type: ignore[arg-type]
        (lambda: rw.points([1]), "point 0: 1 is not a mapping of name to value"),
        (lambda: rw.points([{"a": 1}, {2: 1}]), "point 1: {2: 1} is not a mapping of name to value"),
        (
            lambda: as_space("abc"),
            "space: 'abc' is not a space; give a space, a mapping, or a list of points",
        ),
        (lambda: as_space(5), "space: 5 is not a space; give a space, a mapping, or a list of points"),
        (
            lambda: rw.grid(a=1, b=2) * rw.grid(b=3),
            "b: both spaces have it; a product needs different parameters",
        ),
        (
            lambda: len(rw.points([{"a": 1}, {"b": 1}]).where(lambda a: a)),
            "where: its condition asks for 'a', which point 1 does not have",
        ),
        (
            lambda: rw.grid(a=[1], b=rw.uniform(0, 1)),
            "b: Uniform(low=0, high=1) is a distribution, not a list of values; "
            "draw some by rw.sample(10, b=…), or search with rw.optimize",
        ),
        (
            lambda: rw.zip(a=rw.choice([1, 2])),
            "a: Choice(values=(1, 2)) is a distribution, not a list of values; "
            "draw some by rw.sample(10, a=…), or search with rw.optimize",
        ),
        (lambda: rw.uniform(1, 1), "uniform: low is 1 and high is 1; low must be less than high"),
        (lambda: rw.uniform(0, math.inf), "uniform: inf is not a bound; give finite numbers"),
        (lambda: rw.loguniform(0, 1), "loguniform: low is 0; it must be above 0"),
        (lambda: rw.integers(1.5, 3), "integers: low is 1.5; it must be a whole number"),  # type: ignore[arg-type]
        (lambda: rw.integers(1, 3, 0), "integers: step is 0; it must be at least 1"),
        (lambda: rw.integers(0, 3, log=True), "integers: log=True requires low of at least 1 and step 1"),
        (lambda: rw.choice([]), "choice: [] is not a list of values; give at least one in a list"),
        (lambda: rw.choice("abc"), "choice: 'abc' is not a list of values; give at least one in a list"),
        (lambda: rw.linspace(0, 1, 1), "linspace: 1 is not a valid count; give a whole number, at least 2"),
        (lambda: rw.geomspace(0, 1, 3), "geomspace: it goes from 0 to 1; both must be above 0"),
        (lambda: rw.linspace(0, math.nan, 3), "linspace: it goes from 0 to nan; both must be finite"),
    ],
)
def test_what_is_not_a_space_is_named(make: Callable[[], Any], said: str) -> None:
    """The error also says what would be right."""
    with pytest.raises(InvalidArgumentError) as raised:
        make()
    assert str(raised.value) == said


def test_a_condition_is_tried_once_per_point() -> None:
    """The result is kept, also in a product of spaces."""
    tried: list[int] = []
    space = rw.grid(a=range(10)).where(lambda a: tried.append(a) or a % 2)  # type: ignore[func-returns-value]

    assert [len(space), len(space * rw.grid(b=range(4)))] == [5, 20]
    assert len(list(space + space)) == 10
    assert tried == list(range(10))


def test_a_data_frame_has_each_parameter_once() -> None:
    """Pandas would drop all columns of a name but the last."""
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"])

    with pytest.raises(InvalidArgumentError, match="a: two columns of the data frame have this name"):
        rw.points(frame)
