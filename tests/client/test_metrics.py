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
