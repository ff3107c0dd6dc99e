"""Searches with Optuna, over real runs."""

import datetime
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

import runwidgets as rw
from runwidgets.errors import InvalidArgumentError, InvalidRunStateError, UnknownSweepError
from runwidgets.schema import RunReason
from runwidgets.service.contracts.api import Api
from tests.builders import SLEEP, arguments, group_of, wait_until, write_notebook

BOWL = "import runwidgets\nrunwidgets.record('height', (x - 1) ** 2 + (0 if kind == 'deep' else 1) + shift)"
PARAMETERS = "x: float = 0.0\nkind: str = 'deep'\nshift: int = 0"
SPACE: dict[str, Any] = {"x": rw.uniform(-4, 4), "kind": ["flat", "deep"]}
SEARCH = """
import sys
import runwidgets as rw
root, notebook = sys.argv[1:]
rw.optimize(notebook, objective="height", x=rw.uniform(-4, 4), n_trials=30, parallel=2, seed=1, name="killed",
            api=rw.connect(root=root))
"""


@pytest.fixture
def bowl(folder: Path) -> Path:
    """Write a notebook whose value has a minimum."""
    return write_notebook(folder / "bowl.ipynb", BOWL, parameters=PARAMETERS)


def test_a_search_finds_the_least_value(api: Api, bowl: Path) -> None:
    """Fixed arguments are passed on, and the trials are the points of one sweep."""
    found = rw.optimize(bowl, objective="height", n_trials=25, parallel=2, seed=4, shift=2, api=api, **SPACE)

    assert len(found.sweep) == len(found.study.trials) == len(found.to_frame()) == 25
    assert found.best.metrics["height"] == found.study.best_value < 2.5
    assert found.best.arguments["kind"] == "deep" and found.best.arguments["shift"] == 2
    assert set(found.to_frame()["shift"]) == {2}


def test_a_search_finds_the_greatest_value(api: Api, bowl: Path) -> None:
    """Whole numbers are searched with the direction "maximize" and the user's own sampler."""
    grid = optuna.samplers.GridSampler({"shift": [1, 2, 3]})

    found = rw.optimize(
        bowl,
        objective="height",
        direction="maximize",
        n_trials=3,
        sampler=grid,
        shift=rw.integers(1, 3),
        api=api,
    )

    assert (found.best.arguments, found.best.metrics) == ({"shift": 3}, {"height": 4.0})


def test_a_search_is_resumed(api: Api, bowl: Path) -> None:
    """It is found by the id of its sweep, or by its name; `n_trials` includes the earlier trials."""
    options: dict[str, Any] = {"objective": "height", "name": "goes on", "seed": 1, "api": api, **SPACE}
    first = rw.optimize(bowl, n_trials=4, **options)

    more = rw.optimize(bowl, n_trials=6, resume=first.sweep.id, **options)
    named = rw.optimize(bowl, n_trials=7, resume=True, **options)

    assert first.sweep.id == more.sweep.id == named.sweep.id
    assert [run.id for run in first.sweep][:4] == [run.id for run in named.sweep][:4]
    assert len(named.sweep) == len(named.study.trials) == 7
    assert named.study.best_value == named.best.metrics["height"]
    with pytest.raises(UnknownSweepError):
        rw.optimize(bowl, resume="none", **options)


@pytest.mark.sqlite
def test_a_search_that_was_killed_loses_and_repeats_no_trial(tmp_path: Path) -> None:
    """The process that searches and hosts the instance is killed; each run is executed exactly once."""
    seen = tmp_path / "seen.txt"
    cell = f"open({str(seen)!r}, 'a').write(f'{{x}}\\n')\nimport runwidgets, time\ntime.sleep(0.1)"
    notebook = write_notebook(
        tmp_path / "killed.ipynb", cell + "\nrunwidgets.record('height', x ** 2)", parameters="x: float = 0.0"
    )
    command = [sys.executable, "-c", SEARCH, str(tmp_path / "root"), str(notebook)]
    with subprocess.Popen(command, start_new_session=True) as process:
        wait_until(lambda: seen.exists() and len(seen.read_text().splitlines()) > 6)
        os.kill(process.pid, signal.SIGKILL)
    with rw.connect(root=tmp_path / "root") as api:
        found = rw.optimize(
            notebook, objective="height", x=rw.uniform(-4, 4), n_trials=30, parallel=2, name="killed",
            resume=True, api=api,
        )  # fmt: skip

    values = [row["arguments"]["x"] for row in found.sweep.points()]
    assert found.sweep.counts["SUCCESS"] == len(found.study.trials) == 30
    assert sorted(float(line) for line in seen.read_text().splitlines()) == sorted(values)


def test_an_unpromising_run_is_pruned(api: Api, folder: Path) -> None:
    """The pruner sees the values that a run records, and the message of the run says so."""
    cell = (
        "import runwidgets, time\nfor epoch in range(10, 100):\n"
        "    runwidgets.record('height', x + 1 / epoch, step=epoch)\n"
        "    if x < 5:\n        break\n    time.sleep(0.3)"
    )
    path = write_notebook(folder / "pruned.ipynb", cell, parameters="x: int = 0")

    found = rw.optimize(
        path, objective="height", n_trials=4, parallel=1, x=[1, 2, 3, 9], api=api,
        sampler=optuna.samplers.GridSampler({"x": [1, 2, 3, 9]}, seed=0),
        pruner=optuna.pruners.ThresholdPruner(upper=5),
    )  # fmt: skip

    states = {trial.params["x"]: trial.state.name for trial in found.study.trials}
    assert states == {1: "COMPLETE", 2: "COMPLETE", 3: "COMPLETE", 9: "PRUNED"}
    (cancelled,) = [run for run in found.sweep if run.state == "CANCELED"]
    assert cancelled.reason is RunReason.PRUNED
    assert cancelled.messages == ["pruned: it was not promising at step 10"]
    again = rw.optimize(
        path, objective="height", n_trials=4, resume=found.sweep.id, x=[1, 2, 3, 9], api=api
    )  # fmt: skip
    assert {trial.params["x"]: trial.state.name for trial in again.study.trials} == states


def test_a_run_cancelled_by_a_user_is_not_pruned(api: Api, folder: Path) -> None:
    """The reason may have any text, and the search may be resumed."""
    path = write_notebook(folder / "waits.ipynb", SLEEP, parameters="x: int = 0")
    workflow = api.workflows.create_workflow(str(path))
    sweep = api.sweeps.start_sweep(group_of(workflow), [arguments(x=1)])
    run_id = rw.Sweep(api, sweep).points()[0]["id"]

    api.runs.cancel_run(run_id, "pruned: x")
    found = rw.optimize(path, objective="height", n_trials=1, resume=sweep["id"], x=[1, 2], api=api)

    assert api.runs.get_run(run_id)["reason"] == "canceled"
    assert [trial.state.name for trial in found.study.trials] == ["FAIL"]


def test_a_failed_run_is_a_failed_trial(api: Api, folder: Path) -> None:
    """The search continues."""
    cell = "import runwidgets\nif x == 2:\n    1 / 0\nrunwidgets.record('height', x)"
    path = write_notebook(folder / "sometimes.ipynb", cell, parameters="x: int = 0")
    grid = optuna.samplers.GridSampler({"x": [1, 2, 3]}, seed=0)

    found = rw.optimize(path, objective="height", n_trials=3, sampler=grid, x=[1, 2, 3], api=api)

    assert sorted(trial.state.name for trial in found.study.trials) == ["COMPLETE", "COMPLETE", "FAIL"]
    assert found.best.arguments == {"x": 1}


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"objective": "height", "x": 1.0}, InvalidArgumentError, "space: no parameter is to be searched"),
        (
            {"objective": "depth", **SPACE},
            InvalidArgumentError,
            "depth: run .* did not record it; it recorded height",
        ),
        ({"objective": "height", "n_trials": 0, **SPACE}, InvalidArgumentError, "n_trials: 0"),
        ({"objective": "height", "x": [[1], 1j]}, InvalidArgumentError, "x: a complex has no JSON form"),
        (
            {"objective": "height", "shift": ["a", "b"], "n_trials": 2},
            InvalidArgumentError,
            "point 1: shift: '.' is not a whole number",
        ),
        ({"objective": "height", "resume": True, **SPACE}, InvalidArgumentError, "resume: True needs a name"),
    ],
)
def test_an_invalid_search_is_named_in_the_error(
    api: Api, bowl: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """No run continues."""
    with pytest.raises(error, match=said):
        rw.optimize(bowl, api=api, **options)


def test_a_search_whose_runs_all_fail_gives_up(api: Api, folder: Path) -> None:
    """The error contains the reason of the last failure."""
    path = write_notebook(folder / "never.ipynb", "1 / 0", parameters="x: float = 0.0")

    with pytest.raises(InvalidRunStateError, match="the first 5 runs all failed; cell 3 raised ZeroDivision"):
        rw.optimize(path, objective="height", n_trials=50, parallel=2, x=rw.uniform(0, 1), api=api)


ANY = """
from datetime import date
pair = (1, 2)
day = date(2024, 1, 1)
names = {"a"}
limit: float | None = 1.0
extra = None
x = 0.0
"""
SHOW = "import runwidgets\nrunwidgets.record('height', x)\nprint(repr((pair, day, names, limit, extra)))"


def test_whatever_a_run_takes_is_fixed_for_a_search(api: Api, folder: Path) -> None:
    """A tuple, a set and a list are put into a list; each run has the very values."""
    path = write_notebook(folder / "fixed.ipynb", SHOW, parameters=ANY)
    fixed: dict[str, Any] = {
        "pair": [(3, 4)],
        "day": datetime.date(2024, 2, 29),
        "names": [{"b"}],
        "limit": None,
        "extra": {"a": [math.nan]},
    }
    options: dict[str, Any] = {"objective": "height", "n_trials": 2, "name": "fixed", "api": api}

    found = rw.optimize(path, x=[1.0, 2.0, 3.0], **fixed, **options)
    more = rw.optimize(path, x=[1.0, 2.0, 3.0], **fixed, **{**options, "n_trials": 3}, resume=True)

    arrived = repr(((3, 4), datetime.date(2024, 2, 29), {"b"}, None, {"a": [math.nan]}))
    assert {run.log.strip() for run in [found.best, *more.front, *more.sweep]} == {arrived}
    assert sorted(more.sweep.to_frame()["x"]) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("pair", [(1, 2), (3, 4)]),
        ("day", [datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)]),
        ("limit", [math.nan, math.inf, None]),
        ("extra", [1, 1.0, True, [1], [True], "1"]),
        ("names", [{"a"}, {"b"}]),
    ],
    ids=["tuples", "dates", "numbers", "equal", "sets"],
)
def test_whatever_a_run_takes_is_searched(
    api: Api, folder: Path, tmp_path: Path, name: str, choices: list[Any]
) -> None:
    """Each value is tried once, also in a search that is resumed, with first points, and in a storage."""
    path = write_notebook(folder / "any.ipynb", f"{SHOW}\nprint(repr({name}))", parameters=ANY)
    storage = f"sqlite:///{tmp_path}/study.db"
    options: dict[str, Any] = {"objective": "height", "name": f"any-{name}", "storage": storage, "seed": 1}
    options |= {"api": api, name: rw.choice(choices)}

    rw.optimize(path, n_trials=2, enqueue=[{name: choices[-1]}], **options)
    found = rw.optimize(path, n_trials=20, resume=True, **options)

    arrived = [run.log.splitlines()[-1] for run in found.sweep]
    assert sorted(arrived) == sorted(map(repr, choices))
    assert arrived[0] == repr(choices[-1])
    assert found.end.value == "exhausted"


@pytest.mark.parametrize(
    ("name", "value"),
    [("day", datetime.date(2024, 3, 1)), ("limit", 2.0), ("limit", math.nan), ("extra", {"a": [2]})],
    ids=["date", "number", "nan", "record"],
)
def test_a_search_is_resumed_with_the_fixed_values_that_it_had(
    api: Api, folder: Path, name: str, value: Any
) -> None:
    """Others would make one sweep of two searches."""
    path = write_notebook(folder / "resumed.ipynb", SHOW, parameters=ANY)
    fixed: dict[str, Any] = {"day": datetime.date(2024, 2, 1), "limit": None, "extra": {"a": [1]}}
    options: dict[str, Any] = {"objective": "height", "name": f"resumed-{value}", "api": api, "x": [1.0, 2.0]}
    rw.optimize(path, n_trials=1, **fixed, **options)

    with pytest.raises(InvalidArgumentError, match=f"{name}: the search that is resumed has"):
        rw.optimize(path, n_trials=2, resume=True, **{**fixed, name: value}, **options)
    assert len(rw.optimize(path, n_trials=2, resume=True, **fixed, **options).sweep) == 2
