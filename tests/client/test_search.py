"""Searches in every case: resumed, exhausted, with odd results, for several objectives."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest

import runwidgets as rw
from runwidgets.errors import DuplicateArgumentError, InvalidArgumentError
from runwidgets.service.contracts.api import Api
from tests.builders import group_of, write_notebook

BOWL = "import runwidgets\nrunwidgets.record('height', (x - 1) ** 2 + (0 if kind == 'deep' else 1) + shift)"
PARAMETERS = "x: float = 0.0\nkind: str = 'deep'\nshift: int = 0"
SPACE: dict[str, Any] = {"x": rw.uniform(-4, 4), "kind": ["flat", "deep"]}


@pytest.fixture
def bowl(folder: Path) -> Path:
    """Write a notebook whose value has a minimum."""
    return write_notebook(folder / "bowl.ipynb", BOWL, parameters=PARAMETERS)


# -- a search that is resumed --------------------------------------------------------------------------


class Interrupting(optuna.pruners.BasePruner):
    """Interrupts the search while a trial is running, as a person does."""

    def __init__(self, number: int) -> None:
        self.number = number

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        """Interrupt at the trial with the number."""
        if trial.number == self.number:
            raise KeyboardInterrupt
        return False


def proposals(found: rw.Search) -> list[Any]:
    """Return the searched arguments of each trial, in order."""
    return [row["arguments"] for row in found.sweep.points()]


def tpe() -> optuna.samplers.BaseSampler:
    """Return a sampler that soon looks at the results of earlier trials."""
    return optuna.samplers.TPESampler(seed=3, n_startup_trials=2)


@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_search_that_was_interrupted_continues_as_if_it_had_not_been(
    api: Api, folder: Path, number: int
) -> None:
    """The interrupted run is executed again, and the sampler proposes what it would have proposed."""
    slow = write_notebook(
        folder / "slow.ipynb", BOWL + "\nimport time\ntime.sleep(0.5)", parameters=PARAMETERS
    )
    options: dict[str, Any] = {"objective": "height", "n_trials": 6, "parallel": 1, "api": api, **SPACE}
    with pytest.raises(KeyboardInterrupt):
        rw.optimize(slow, name="interrupted", sampler=tpe(), pruner=Interrupting(number), **options)

    resumed = rw.optimize(slow, name="interrupted", sampler=tpe(), resume=True, **options)

    whole = rw.optimize(slow, sampler=tpe(), config={"reuse": True}, **options)
    assert proposals(resumed) == proposals(whole)
    assert resumed.sweep.counts["SUCCESS"] == len(resumed.study.trials) == 6
    assert [trial.params for trial in resumed.study.trials] == proposals(resumed)


@contextmanager
def releasing(api: Api, group: str, folder: Path) -> Iterator[None]:
    """Let the runs of the latest sweep end in the order of their points, which wait for files."""
    stop = threading.Event()
    known = len(api.sweeps.list_sweeps(group)["sweeps"])

    def release() -> None:
        while not stop.wait(0.02):
            for sweep in api.sweeps.list_sweeps(group)["sweeps"][known:]:
                active = [row for row in rw.Sweep(api, sweep).points() if row["finishedAt"] is None]
                if active:
                    (folder / repr(active[0]["arguments"]["x"])).touch()

    thread = threading.Thread(target=release)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.local
def test_several_runs_at_once_continue_as_if_they_had_not_been_interrupted(
    api: Api, folder: Path, tmp_path: Path
) -> None:
    """The proposals are the same if the runs end in the same order."""
    cell = (
        "import pathlib, time, runwidgets\n"
        "runwidgets.record('height', x ** 2)\n"
        "while not pathlib.Path(where, repr(x)).exists():\n    time.sleep(0.01)"
    )
    path = write_notebook(folder / "order.ipynb", cell, parameters="x: float = 0.0\nwhere: str = ''")
    group = group_of(api.workflows.create_workflow(str(path)))
    options: dict[str, Any] = {
        **{"objective": "height", "n_trials": 8, "parallel": 2, "x": rw.uniform(-4, 4)},
        **{"where": str(tmp_path), "api": api},
    }
    with releasing(api, group, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            rw.optimize(path, name="cut", sampler=tpe(), pruner=Interrupting(4), **options)
        for each in tmp_path.iterdir():
            each.unlink()
        resumed = rw.optimize(path, name="cut", sampler=tpe(), resume=True, **options)
    for each in tmp_path.iterdir():
        each.unlink()
    with releasing(api, group, tmp_path):
        whole = rw.optimize(path, sampler=tpe(), **options)

    assert proposals(resumed) == proposals(whole)
    assert len(resumed.sweep) == 8 and resumed.sweep.counts["SUCCESS"] == 8


@pytest.mark.parametrize(
    "sampler",
    [
        lambda: None,
        lambda: optuna.samplers.RandomSampler(seed=5),
        lambda: optuna.samplers.NSGAIISampler(seed=5, population_size=2),
        lambda: optuna.samplers.GridSampler({"x": [-1, 0, 1, 2], "kind": ["flat", "deep"]}, seed=5),
        lambda: optuna.samplers.QMCSampler(seed=5, scramble=True),
    ],
    ids=["default", "random", "genetic", "grid", "quasi-random"],
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_sampler_continues_where_it_was(api: Api, bowl: Path, sampler: Any) -> None:
    """It is in the state of a search that was never interrupted, whatever else it keeps."""
    options: dict[str, Any] = {"objective": "height", "parallel": 1, "seed": 5, "api": api, **SPACE}
    rw.optimize(bowl, n_trials=3, name="halted", sampler=sampler(), **options)

    resumed = rw.optimize(bowl, n_trials=7, name="halted", resume=True, sampler=sampler(), **options)

    assert proposals(resumed) == proposals(rw.optimize(bowl, n_trials=7, sampler=sampler(), **options))


def test_a_search_continues_after_any_number_of_trials(api: Api, bowl: Path) -> None:
    """What is proposed does not depend on how many random numbers were drawn before."""
    options: dict[str, Any] = {"objective": "height", "parallel": 1, "seed": 2, "api": api, "x": SPACE["x"]}
    rw.optimize(bowl, n_trials=12, name="late", **options)

    resumed = rw.optimize(bowl, n_trials=14, name="late", resume=True, **options)

    whole = rw.optimize(bowl, n_trials=14, config={"reuse": True}, **options)
    assert proposals(resumed) == proposals(whole)


def test_a_search_without_a_seed_stores_the_one_that_it_chose(api: Api, bowl: Path) -> None:
    """A search with this seed proposes the same points, in any order of the parameters."""
    options: dict[str, Any] = {"objective": "height", "n_trials": 3, "parallel": 1, "api": api}
    found = rw.optimize(bowl, **options, **SPACE)
    config = found.sweep.handle["config"]["search"]

    again = rw.optimize(bowl, seed=config["seed"], **options, kind=SPACE["kind"], x=SPACE["x"])

    assert config["objectives"] == [{"metric": "height", "direction": "minimize"}]
    assert proposals(found) == proposals(again)


def test_what_a_pruner_has_seen_is_restored(api: Api, folder: Path) -> None:
    """The values by step of earlier runs are those that were recorded."""
    cell = "import runwidgets\nfor step in range(3):\n    runwidgets.record('height', x + step, step=step)"
    path = write_notebook(folder / "steps.ipynb", cell, parameters="x: int = 0")
    options: dict[str, Any] = {"objective": "height", "x": rw.integers(0, 9), "name": "steps", "api": api}
    first = rw.optimize(path, n_trials=2, pruner=optuna.pruners.MedianPruner(), **options)

    again = rw.optimize(path, n_trials=2, pruner=optuna.pruners.MedianPruner(), resume=True, **options)

    seen = [trial.intermediate_values for trial in again.study.trials]
    assert seen == [trial.intermediate_values for trial in first.study.trials]
    assert seen == [{step: trial.params["x"] + step for step in range(3)} for trial in again.study.trials]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"x": rw.uniform(-4, 5)}, r"x: the search that is resumed searched \{'distribution': 'uniform'"),
        ({"kind": ["flat", "deep", "even"]}, "kind: the search that is resumed searched"),
        ({"kind": "deep"}, "kind: the search that is resumed searched"),
        ({"shift": [1, 2]}, "shift: the search that is resumed did not search it"),
        ({"shift": 2}, "shift: the search that is resumed has 1"),
        ({"direction": "maximize"}, "objective: the search that is resumed has height: minimize"),
        ({"objective": "x"}, "objective: the search that is resumed has height: minimize"),
        ({"config": {"environment": {"A": "1"}}}, "config: environment: the search that is resumed has None"),
    ],
)
def test_a_search_is_resumed_as_it_was(api: Api, bowl: Path, changed: dict[str, Any], said: str) -> None:
    """Another space, another fixed argument and other objectives are refused by name, and start nothing."""
    options: dict[str, Any] = {"objective": "height", "n_trials": 1, "shift": 1, "name": "as it was", **SPACE}
    found = rw.optimize(bowl, api=api, **options)

    with pytest.raises(InvalidArgumentError, match=f"{said}.*; give the same, or start another search"):
        rw.optimize(bowl, api=api, **{**options, "n_trials": 2, "resume": True, **changed})
    assert len(found.sweep) == 1


def test_a_search_is_not_resumed_with_another_version_of_its_notebook(api: Api, folder: Path) -> None:
    """Its trials would be compared with those of another function."""
    cell = "import runwidgets\nrunwidgets.record('height', x)"
    path = write_notebook(folder / "versions.ipynb", cell, parameters="x: float = 0.0")
    options: dict[str, Any] = {"objective": "height", "name": "v", "x": rw.uniform(0, 1), "api": api}
    found = rw.optimize(path, n_trials=1, config={"timeout": 50}, **options)

    again = rw.optimize(path, n_trials=2, config={"timeout": 50}, resume=True, **options)
    write_notebook(path, cell.replace("x)", "x - 100)"), parameters="x: float = 0.0")
    with pytest.raises(InvalidArgumentError, match="resume: the notebook or its files have changed since"):
        rw.optimize(path, n_trials=3, resume=True, **options)

    assert found.sweep == again.sweep and len(again.sweep) == 2


# -- points --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sampler",
    [
        lambda: None,
        lambda: optuna.samplers.RandomSampler(seed=1),
        lambda: optuna.samplers.GridSampler({"x": [1, 2, 3], "kind": ["flat", "deep"]}),
        lambda: optuna.samplers.BruteForceSampler(seed=1),
    ],
    ids=["default", "random", "grid", "exhaustive"],
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_finite_space_ends_when_it_is_exhausted(api: Api, bowl: Path, sampler: Any) -> None:
    """Each point is executed once, and the result says why there are fewer trials than allowed."""
    found = rw.optimize(
        bowl, objective="height", n_trials=20, parallel=2, sampler=sampler(), api=api,
        x=[1, 2, 3, 3], kind=rw.choice(["flat", "deep"]),
    )  # fmt: skip

    tried = {(each["x"], each["kind"]) for each in proposals(found)}
    assert len(tried) == len(found.sweep) == 6
    assert found.end == "exhausted" and "ended: exhausted" in repr(found)


def test_a_search_that_reuses_runs_ends(api: Api, bowl: Path) -> None:
    """The results of earlier runs are those of the trials, and nothing is executed again."""
    options: dict[str, Any] = {"objective": "height", "config": {"reuse": True}, "api": api, "x": [0, 1, 2]}
    first = rw.optimize(bowl, n_trials=3, **options)

    again = rw.optimize(bowl, n_trials=9, **options)

    assert {run.id for run in again.sweep} == {run.id for run in first.sweep}
    assert len(again.study.trials) == 3 and again.best.id == first.best.id


def test_first_points_are_tried_first(api: Api, bowl: Path) -> None:
    """The sampler fills in what they lack; resumed, a point is not tried again."""
    options: dict[str, Any] = {"objective": "height", "parallel": 1, "name": "first", "api": api, **SPACE}
    points = [{"x": 1, "kind": "deep"}, {"x": -3.5}, {"x": 1.0, "kind": "deep"}]

    found = rw.optimize(bowl, n_trials=1, enqueue=points, **options)
    resumed = rw.optimize(bowl, n_trials=4, enqueue=[*points, {"x": 2}], resume=True, **options)

    assert found.study.trials[0].params == {"x": 1.0, "kind": "deep"}
    assert [each["x"] for each in proposals(resumed)][:3] == [1.0, -3.5, 2.0]
    assert resumed.best.metrics["height"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"enqueue": [{"x": 9}]}, "x: point 1 of enqueue has 9, which is not in .*uniform"),
        ({"enqueue": [{"x": 1}, {"kind": "odd"}]}, "kind: point 2 of enqueue has 'odd', which is not in"),
        ({"enqueue": [{"depth": 1}]}, "enqueue: point 1 has 'depth', which is not searched"),
        ({"enqueue": [3]}, "enqueue: point 1 is 3"),
        ({"parallel": 0}, "parallel: 0; give a whole number, at least 1"),
        ({"stop_after": {"trials": 0}}, "stop_after.trials: 0"),
        ({"stop_after": {"seconds": "1"}}, "stop_after.seconds: '1'"),
        ({"stop_after": {"minutes": 1}}, "stop_after: .*give {'trials': 20}"),
        ({"stop_after": 20}, "stop_after: 20; give {'trials': 20}"),
        ({"objective": []}, r"objective: \[\] names no metric"),
        ({"objective": ["a", "b"], "direction": ["minimize"]}, "direction: there are 1 for 2 metrics"),
        ({"objective": ["a", "a"]}, "objective: 'a' is named twice"),
        ({"direction": "least"}, "direction: 'least'; use 'minimize' or 'maximize'"),
        ({"objective": ["a", "b"], "pruner": optuna.pruners.MedianPruner()}, "pruner: a search for several"),
        ({"storage": "nosuch://x"}, "storage: it cannot be opened"),
        ({"storage": "mysql://x/y"}, "storage: it cannot be opened"),
        ({"storage": "sqlite:////nowhere/at/all.db"}, "storage: it cannot be opened"),
    ],
)
def test_an_invalid_option_is_named_and_starts_nothing(
    api: Api, bowl: Path, options: dict[str, Any], said: str
) -> None:
    """The error says what would be right."""
    group = group_of(api.workflows.create_workflow(str(bowl)))
    before = api.sweeps.list_sweeps(group)

    with pytest.raises((InvalidArgumentError, DuplicateArgumentError), match=said):
        rw.optimize(bowl, api=api, **{"objective": "height", "n_trials": 1, **SPACE, **options})
    assert api.sweeps.list_sweeps(group) == before


# -- results -------------------------------------------------------------------------------------------

WRONG = (
    "import runwidgets\n"
    "values = [float('nan'), float('inf'), -float('inf'), None, 'text', [1], True, 4]\n"
    "if x == 0:\n    1 / 0\nif x != 4:\n    runwidgets.record('height', values[x - 1])"
)


@pytest.mark.parametrize("first", [0, 1, 2, 3, 4, 5, 6, 7])
def test_a_trial_without_a_finite_number_has_failed(api: Api, folder: Path, first: int) -> None:
    """NaN, infinity, nothing or an error may come at any position, also at the first."""
    path = write_notebook(folder / "wrong.ipynb", WRONG, parameters="x: int = 0")

    found = rw.optimize(
        path, objective="height", n_trials=3, parallel=1, x=rw.integers(0, 8), api=api,
        enqueue=[{"x": first}, {"x": 8}, {"x": 0}],
    )  # fmt: skip

    assert [trial.state.name for trial in found.study.trials] == ["FAIL", "COMPLETE", "FAIL"]
    assert found.best.arguments == {"x": 8}


def test_any_number_of_nan_does_not_end_a_search(api: Api, folder: Path) -> None:
    """Only runs that fail, or do not record the objective, make it give up."""
    cell = "import runwidgets\nrunwidgets.record('height', float('nan') if x < 8 else x)"
    path = write_notebook(folder / "nan.ipynb", cell, parameters="x: int = 0")

    found = rw.optimize(
        path, objective="height", parallel=1, x=range(9), enqueue=[{"x": x} for x in range(8)], api=api
    )  # fmt: skip

    assert len(found.study.trials) == 9 and found.best.arguments == {"x": 8}


def test_several_objectives_have_a_front(api: Api, folder: Path) -> None:
    """It has the runs to which none is preferable; a failed one does not belong to it."""
    cell = (
        "import runwidgets\nassert x != 2\nrunwidgets.record('cost', x)\n"
        "runwidgets.record('gain', {0: 1, 1: 5, 3: 9, 4: 9, 5: 2}[x])"
    )
    path = write_notebook(folder / "front.ipynb", cell, parameters="x: int = 0")

    found = rw.optimize(
        path, objective=["cost", "gain"], direction=["minimize", "maximize"], x=range(6), seed=1, api=api
    )

    assert sorted(run.arguments["x"] for run in found.front) == [0, 1, 3]
    frame = found.to_frame()
    assert sorted(frame["x"][frame["best"]]) == [0, 1, 3]
    assert sorted(trial.params["x"] for trial in found.study.best_trials) == [0, 1, 3]
    assert found.sweep.handle["config"]["search"]["objectives"] == [
        {"metric": "cost", "direction": "minimize"},
        {"metric": "gain", "direction": "maximize"},
    ]
    with pytest.raises(InvalidArgumentError, match="has no single best run; use its front"):
        _ = found.best


def test_directions_may_be_given_with_the_metrics(api: Api, bowl: Path) -> None:
    """With one objective, the front has all runs with the best value, and the frame marks them."""
    found = rw.optimize(bowl, objective={"height": "maximize"}, x=[0, 1, 2], api=api)

    assert [run.arguments["x"] for run in found.front] == sorted(
        (each["x"] for each in proposals(found) if each["x"] != 1),
        key=[each["x"] for each in proposals(found)].index,
    )
    assert found.to_frame()["best"].sum() == 2 and found.best.metrics == {"height": 1.0}


def test_a_search_stops_when_trials_bring_no_gain(api: Api, folder: Path) -> None:
    """The trials are counted from the last one that was better than all before it."""
    path = write_notebook(
        folder / "gain.ipynb", "import runwidgets\nrunwidgets.record('height', x)", parameters="x: int = 0"
    )

    found = rw.optimize(
        path, objective="height", parallel=1, stop_after={"trials": 3}, x=rw.integers(0, 99), api=api,
        enqueue=[{"x": x} for x in (5, 6, 7, 4, 8, 9, 10, 3)],
    )  # fmt: skip

    assert [each["x"] for each in proposals(found)] == [5, 6, 7, 4, 8, 9, 10]
    assert found.end == "no_gain"


def test_a_search_stops_after_seconds(api: Api, bowl: Path) -> None:
    """Runs that were started are waited for."""
    found = rw.optimize(bowl, objective="height", parallel=1, stop_after={"seconds": 0.001}, api=api, **SPACE)

    assert found.end == "time" and found.sweep.counts["SUCCESS"] == len(found.sweep) == 1


# -- a stored study ------------------------------------------------------------------------------------


def test_a_study_is_stored_where_others_read_it(api: Api, bowl: Path, tmp_path: Path) -> None:
    """It is continued there, trial by trial."""
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    options: dict[str, Any] = {"objective": "height", "storage": storage, "name": "kept", "seed": 1}
    with pytest.raises(KeyboardInterrupt):
        rw.optimize(bowl, n_trials=5, parallel=1, pruner=Interrupting(2), api=api, **options, **SPACE)
    before = optuna.load_study(study_name="kept", storage=storage).trials

    found = rw.optimize(bowl, n_trials=5, parallel=1, resume=True, api=api, **options, **SPACE)

    stored = optuna.load_study(study_name="kept", storage=storage)
    assert [trial.state.name for trial in before] == ["COMPLETE", "COMPLETE", "RUNNING"]
    assert [trial.state.name for trial in stored.trials] == ["COMPLETE"] * 5
    assert [trial.params for trial in stored.trials] == proposals(found)
    assert [trial.value for trial in stored.trials] == [run.metrics["height"] for run in found.sweep]
    assert [trial.user_attrs["run"] for trial in stored.trials] == [run.id for run in found.sweep]
    assert stored.trials[0].datetime_complete == before[0].datetime_complete
    unstored = rw.optimize(bowl, n_trials=5, parallel=1, objective="height", seed=1, api=api, **SPACE)
    assert proposals(found) == proposals(unstored)
    with pytest.raises(InvalidArgumentError, match="storage: it has a study 'kept' already"):
        rw.optimize(bowl, n_trials=1, api=api, **options, **SPACE)


def test_a_search_that_cannot_be_started_leaves_no_study(api: Api, bowl: Path, tmp_path: Path) -> None:
    """The next attempt can use the name."""
    storage = f"sqlite:///{tmp_path / 'none.db'}"
    options: dict[str, Any] = {"objective": "height", "storage": storage, "name": "none", "api": api}

    with pytest.raises(InvalidArgumentError, match=r"shift: '.' is not a whole number"):
        rw.optimize(bowl, shift=["a", "b"], **options)

    assert optuna.get_all_study_names(storage) == []
