"""Metrics as they were recorded: NaN and infinity are floats everywhere in Python."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

import runwidgets as rw
from runwidgets.service.contracts.api import Api
from tests.builders import write_notebook

VALUES = {
    "nan": math.nan,
    "top": math.inf,
    "bottom": -math.inf,
    "curve": [1, math.nan, [math.inf]],
    "more": {"worst": -math.inf, "text": "NaN is not a number"},
    "whole": 3,
    "word": "Infinite",
}
CELL = (
    "import math, runwidgets\nnan, inf = math.nan, math.inf\n"
    f"for name, value in {VALUES!r}.items():\n    runwidgets.record(name, value)"
)


@pytest.fixture
def sweep(api: Api, folder: Path) -> rw.Sweep:
    """Run a notebook that records NaN and infinity, twice."""
    path = write_notebook(folder / "values.ipynb", CELL, parameters="x = 0")
    return rw.sweep(path, x=[1, 2], api=api).wait(60)


def read(metrics: dict[str, Any]) -> str:
    """Return metrics as text in which NaN is equal to NaN."""
    return json.dumps(metrics, sort_keys=True)


def test_metrics_of_runs_and_points_are_floats(sweep: rw.Sweep) -> None:
    """Also within lists and objects; other texts stay texts."""
    for run in sweep:
        assert read(run.metrics) == read(VALUES)
    for row in sweep.points():
        assert read(row["metrics"]) == read(VALUES)


def test_metrics_of_frames_are_floats(api: Api, sweep: rw.Sweep) -> None:
    """Sweeps, tables and leaderboards have columns of numbers."""
    source = sweep.handle["workflowId"]
    frames = [
        sweep.to_frame(),
        rw.RunTable(source, api=api).to_frame(),
        rw.leaderboard(source, order_by="top:asc", include_all=True, api=api),
    ]
    for frame in frames:
        assert [frame[name].dtype for name in ("nan", "top", "bottom")] == [float] * 3
        assert frame["top"].tolist()[0] == math.inf == -frame["bottom"].tolist()[0]
        assert frame["nan"].isna().all() and frame["word"].tolist()[0] == "Infinite"


def test_services_send_texts(api: Api, sweep: rw.Sweep) -> None:
    """JSON has no NaN."""
    handle = api.runs.get_run(sweep.points()[0]["id"])

    assert [handle["metrics"][name] for name in ("nan", "top", "bottom")] == ["NaN", "Infinity", "-Infinity"]
    json.dumps(handle, allow_nan=False)


def test_arguments_of_any_type_in_frames_are_what_was_given(api: Api, folder: Path) -> None:
    """In points, frames and leaderboards."""
    path = write_notebook(folder / "any.ipynb", CELL, parameters="x = None")
    sweep = rw.sweep(path, x=[math.inf, {"a": [-math.inf]}, "NaN"], api=api).wait(60)
    board = rw.leaderboard(path, order_by="top:asc", include_all=True, api=api)

    given = [math.inf, {"a": [-math.inf]}, "NaN"]
    assert [row["arguments"]["x"] for row in sweep.points()] == given
    assert sweep.to_frame()["x"].tolist() == given
    assert sorted(map(str, board["x"])) == sorted(map(str, given))


def test_columns_of_a_run_are_not_hidden_in_frames(api: Api, folder: Path) -> None:
    """A parameter and a metric that have the name of one get a prefix; nothing is lost."""
    cell = (
        "import runwidgets\n"
        "for name in ('run', 'state', 'finished', 'message', 'number', 'group', 'metric.run'):\n"
        "    runwidgets.record(name, 5)"
    )
    path = write_notebook(folder / "names.ipynb", cell, parameters="state = ''\nduration = 0\ngroup = ''")
    sweep = rw.sweep(path, {"state": ["CA"], "duration": [3], "group": "mine"}, api=api).wait(60)
    (row,) = sweep.points()

    frame = sweep.to_frame().reset_index()
    board = rw.leaderboard(path, order_by="run:asc", include_all=True, api=api)

    assert frame.columns.is_unique and board.columns.is_unique
    assert (frame["run"][0], frame["state"][0], frame["number"][0]) == (row["id"], "SUCCESS", 1)
    assert (frame["parameter.state"][0], frame["parameter.duration"][0], frame["group"][0]) == (
        "CA",
        3,
        "mine",
    )
    assert frame["metric.run"][0] == frame["metric.metric.run"][0] == frame["metric.finished"][0] == 5
    assert frame["metric.group"][0] == frame["metric.number"][0] == frame["metric.message"][0] == 5
    assert (board["run"][0], board["group"][0]) == (row["id"], "default")
    assert (board["parameter.group"][0], board["parameter.duration"][0], board["metric.run"][0]) == (
        "mine",
        3,
        5,
    )


def test_the_best_runs_of_a_search_are_marked_whatever_it_searches(api: Api, folder: Path) -> None:
    """A parameter and a metric named ``best`` are columns of their own."""
    cell = "import runwidgets\nrunwidgets.record('best', best)"
    path = write_notebook(folder / "best.ipynb", cell, parameters="best = 0")

    frame = rw.optimize(path, objective="best", best=[1, 2], api=api).to_frame().sort_values("metric.best")

    assert frame["best"].tolist() == [True, False]
    assert frame["parameter.best"].tolist() == frame["metric.best"].tolist() == [1, 2]
