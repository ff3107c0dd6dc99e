"""A search that learns: Optuna says where to look next, runs of a sweep say what is there.

All that a search knows is in its sweep, so that one that was killed goes on from the service's own records:
points that have ended are told to a new study, those that are under way are waited for, none is repeated.
"""

import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from runwidgets.client.connect import connect
from runwidgets.client.run import Run
from runwidgets.client.submit import default_group, make_arguments, open_workflow
from runwidgets.client.sweep import Direction, Sweep, is_number
from runwidgets.errors import InvalidArgumentError, InvalidRunStateError
from runwidgets.service.contracts.runs import Api
from runwidgets.spaces.distributions import (
    Choice,
    Distribution,
    Integers,
    LogUniform,
    Uniform,
    is_several,
    list_values,
)
from runwidgets.states import TERMINAL, RunState

if TYPE_CHECKING:
    import optuna
    import pandas

PRUNED = "pruned: "
"""What the message of a run begins with that was stopped because it promised little."""
HOPELESS = 5
"""Runs that may fail, with none that succeeds, before the search gives up."""


class Search:
    """What a search has found.

    Attributes
    ----------
    sweep : Sweep
        Its runs; its id is what `optimize` resumes.
    study : optuna.Study
        What Optuna knows of them.
    """

    def __init__(self, sweep: Sweep, study: "optuna.Study", objective: str, direction: Direction) -> None:
        self.sweep = sweep
        self.study = study
        self._objective = objective
        self._direction = direction

    @property
    def best(self) -> Run:
        """The run with the best value of the objective.

        Raises
        ------
        InvalidArgumentError
            No run has one.
        """
        return self.sweep.best(self._objective, self._direction)

    def to_frame(self) -> "pandas.DataFrame":
        """Return a row per trial; see `Sweep.to_frame`."""
        return self.sweep.to_frame()

    def __repr__(self) -> str:
        return f"Search({self.sweep.id!r}, {len(self.study.trials)} trials)"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return {**self.sweep._repr_mimebundle_(**options), "text/plain": repr(self)}


def optimize(
    source: str | os.PathLike[str],
    arguments: Mapping[str, Any] | None = None,
    /,
    *,
    objective: str,
    direction: Direction = "minimize",
    n_trials: int = 50,
    parallel: int | None = None,
    seed: int | None = None,
    sampler: "optuna.samplers.BaseSampler | None" = None,
    pruner: "optuna.pruners.BasePruner | None" = None,
    name: str | None = None,
    resume: str | bool = False,
    api: Api | None = None,
    group: str | None = None,
    config: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Search:
    """Search for the arguments with the best value of a metric; wait until all trials have ended.

    Each trial is a run of one sweep. A trial whose run fails, or records no such metric, counts as failed.
    With a pruner every value that a run records of the metric is a step, and what promises little is
    cancelled. An interrupt ends the search and cancels what is under way.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    arguments : mapping, optional
        As the keywords, for parameters that are called as one of the options here.
    objective : str
        Name of the metric.
    direction : {"minimize", "maximize"}
        Whether the least or the greatest value is the best.
    n_trials : int
        How many, those of a search that is resumed among them.
    parallel : int, optional
        Runs under way at once; None for as many as this machine has CPUs.
    seed : int, optional
        Of the sampler; None for another one each time.
    sampler, pruner : optional
        Of Optuna; None for the tree-structured Parzen estimator, and for no pruning.
    name : str, optional
        Shown to people.
    resume : str or bool, optional
        Id of the sweep of an earlier search, which goes on: no trial of it is lost or repeated. True for the
        latest one of this name, or a new one where there is none.
    api : Api, optional
        None for what `connect` finds.
    group : str, optional
        Id of a group; None for the workflow's default one.
    config : dict, optional
        How to run, as in `SweepService.start_sweep`.
    **kwargs
        By parameter: `uniform`, `loguniform`, `integers`, `choice`, or a list or range of values, which is
        searched; or one value, which is fixed.

    Returns
    -------
    Search
        ``best`` run, ``sweep`` and ``study``.

    Raises
    ------
    ImportError
        Optuna is not installed: ``pip install runwidgets[optuna]``.
    InvalidArgumentError
        Nothing is to be searched, or a run succeeded and recorded no such metric before any other did.
    InvalidRunStateError
        All of the first runs failed.
    RunWidgetsError
        Whatever else `sweep` raises.

    Examples
    --------
    >>> found = rw.optimize("train.ipynb", objective="loss", lr=rw.loguniform(1e-4, 1e-1))  # doctest: +SKIP
    >>> found.best.arguments  # doctest: +SKIP
    {'lr': 0.0123}
    """
    import optuna

    values = {**(arguments or {}), **kwargs}
    space = {key: make_distribution(key, each) for key, each in values.items() if _is_searched(each)}
    if not space:
        raise InvalidArgumentError("space", "nothing is to be searched", "such as lr=rw.uniform(0, 1)")
    if isinstance(n_trials, bool) or not isinstance(n_trials, int) or n_trials < 1:
        raise InvalidArgumentError("n_trials", f"{n_trials!r}", "give a whole number, at least 1")
    service = api or connect()
    workflow = open_workflow(service, source)
    group_id = group or default_group(workflow)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        chosen = sampler or optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    study = optuna.create_study(
        direction=direction, sampler=chosen, pruner=pruner or optuna.pruners.NopPruner()
    )
    fixed = {key: each for key, each in values.items() if key not in space}

    def arguments_of(points: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        return make_arguments(service, group_id, workflow, [{**fixed, **point} for point in points])

    searcher = Searcher(study, space, objective)
    seen = service.events.last_event()
    earlier = _find(service, group_id, name) if resume is True else resume or None
    if earlier is None:
        count = min(n_trials, parallel or os.cpu_count() or 1)
        started = service.sweeps.start_sweep(group_id, arguments_of(searcher.ask(count)), config, name)
        sweep = Sweep(service, started)
        searcher.begun([row["id"] for row in sweep.points()])
    else:
        sweep = Sweep(service, earlier)
        searcher.adopt(sweep)
    with _cancelling(sweep):
        limit = parallel or os.cpu_count() or 1
        stop = threading.Event()
        events = service.events.follow_events(seen, sweep_id=sweep.id, stop=stop)
        try:
            while True:
                points = searcher.ask(min(limit - searcher.under_way, n_trials - searcher.asked))
                if points:
                    added = service.sweeps.add_points(sweep.id, arguments_of(points))
                    searcher.begun([each["id"] for each in added["runs"]])
                if not searcher.under_way:
                    return Search(sweep, study, objective, direction)
                searcher.hear(next(events), service)
        finally:
            stop.set()


class Searcher:
    """Which trial each run is, and what the study is told of it.

    Parameters
    ----------
    study : optuna.Study
        Asked for points, told values.
    space : mapping of str to optuna distribution
        What is searched.
    objective : str
        The metric.
    """

    def __init__(self, study: "optuna.Study", space: Mapping[str, Any], objective: str) -> None:
        self._study = study
        self._space = dict(space)
        self._objective = objective
        self._asking: list[optuna.Trial] = []
        self._active: dict[str, optuna.Trial] = {}
        self._steps: dict[str, int] = {}
        self._successes = 0
        self._failures: list[str] = []
        self.asked = 0
        """Trials that there are, ended ones among them."""
        self._is_exhausted = False
        study.stop = self._exhaust  # type: ignore[method-assign]

    @property
    def under_way(self) -> int:
        """Trials whose runs have not ended."""
        return len(self._active)

    def ask(self, count: int) -> list[dict[str, Any]]:
        """Return the searched arguments of some new trials; `begun` is to be told of their runs.

        They are fewer where the sampler knows no other point.
        """
        wanted = 0 if self._is_exhausted else count
        self._asking = [self._study.ask(self._space) for _ in range(wanted)]
        self.asked += len(self._asking)
        return [trial.params for trial in self._asking]

    def begun(self, run_ids: list[str]) -> None:
        """Take note of the runs of the trials that were asked for last, in their order."""
        self._active.update(zip(run_ids, self._asking, strict=True))

    def adopt(self, sweep: Sweep) -> None:
        """Take up the points of an earlier search: the study is told of those that have ended."""
        for row in sweep.points():
            known = {name: row["arguments"][name] for name in self._space if name in row["arguments"]}
            self._study.enqueue_trial(known)
            self.ask(1)
            self.begun([row["id"]])
            if RunState(row["state"]) in TERMINAL:
                self._end(row["id"], row["state"], row["metrics"], row["message"] or "")

    def hear(self, event: Mapping[str, Any], api: Api) -> None:
        """Take an event of the sweep: a value on the way, or the end of a run."""
        run_id, data = event["runId"], event["data"]
        trial = self._active.get(run_id)
        if trial is None:
            return
        if event["kind"] == "metric" and data["name"] == self._objective:
            self._report(run_id, trial, data.get("points") or [[None, data["value"]]], api)
        elif event["kind"] == "deleted":
            self._end(run_id, RunState.CANCELED.value, {}, "it was deleted")
        elif event["kind"] == "state" and RunState(data["state"]) in TERMINAL:
            handle = api.runs.get_run(run_id)
            messages = handle.get("messages") or [""]
            self._end(run_id, handle["state"], handle.get("metrics", {}), messages[0])

    def _report(self, run_id: str, trial: "optuna.Trial", points: list[list[Any]], api: Api) -> None:
        """Tell the trial of values on the way, by their own steps where those count up from 0 on."""
        for given, value in points:
            if not is_number(value):
                continue
            counted = self._steps.get(run_id, -1) + 1
            is_step = is_number(given) and given == int(given) and given >= counted
            step = self._steps[run_id] = int(given) if is_step else counted
            trial.report(float(value), step)
        if trial.should_prune():
            self._prune(run_id, api, self._steps[run_id])

    def _exhaust(self) -> None:
        """Ask for no more: how a sampler says that it knows no other point.

        Optuna's own takes that inside its loop only.
        """
        self._is_exhausted = True

    def _prune(self, run_id: str, api: Api, step: int) -> None:
        try:
            api.runs.cancel_run(run_id, f"{PRUNED}it promised little at step {step}")
        except InvalidRunStateError:
            return  # it has just ended: its own event says how

    def _end(self, run_id: str, state: str, metrics: Mapping[str, Any], message: str) -> None:
        """Tell the study what became of a trial.

        Raises
        ------
        InvalidArgumentError
            It succeeded without the objective, as all before it did.
        InvalidRunStateError
            None has succeeded, and enough have failed.
        """
        from optuna.trial import TrialState

        trial = self._active.pop(run_id)
        value: Any = metrics.get(self._objective)
        if state == RunState.SUCCESS.value and is_number(value):
            self._successes += 1
            self._study.tell(trial, float(value))
            return
        is_pruned = state == RunState.CANCELED.value and message.startswith(PRUNED)
        self._study.tell(trial, state=TrialState.PRUNED if is_pruned else TrialState.FAIL)
        if is_pruned or self._successes:
            return
        if state == RunState.SUCCESS.value:
            known = ", ".join(sorted(metrics)) or "nothing"
            raise InvalidArgumentError(
                self._objective, f"run {run_id} did not record it", f"it recorded {known}"
            )
        self._failures.append(message)
        if len(self._failures) >= HOPELESS:
            raise InvalidRunStateError("search", f"the first {HOPELESS} runs all failed", message)


def make_distribution(name: str, given: Any) -> Any:
    """Return Optuna's distribution for what was given for a parameter.

    Raises
    ------
    InvalidArgumentError
        Its values are none that Optuna can choose from.
    """
    from optuna import distributions

    if isinstance(given, (Uniform, LogUniform)):
        return distributions.FloatDistribution(given.low, given.high, log=isinstance(given, LogUniform))
    if isinstance(given, Integers):
        return distributions.IntDistribution(given.low, given.high, log=given.log, step=given.step)
    values = given.values if isinstance(given, Choice) else list_values(name, given)
    for value in values:
        if value is not None and not isinstance(value, (bool, int, float, str)):
            raise InvalidArgumentError(
                name, f"{value!r:.80} cannot be chosen", "give numbers, text, True or None"
            )
    return distributions.CategoricalDistribution(tuple(values))


def _find(api: Api, group_id: str, name: str | None) -> str | None:
    """Return the id of the latest sweep of a name."""
    if name is None:
        raise InvalidArgumentError("resume", "it needs a name", "give the one of the search that is to go on")
    named = [each["id"] for each in api.sweeps.list_sweeps(group_id)["sweeps"] if each["name"] == name]
    return named[-1] if named else None


def _is_searched(given: Any) -> bool:
    return isinstance(given, Distribution) or is_several(given)


@contextmanager
def _cancelling(sweep: Sweep) -> Iterator[None]:
    """Cancel what is under way when the search ends early."""
    try:
        yield
    except BaseException:
        with suppress(InvalidRunStateError):  # all of its runs have ended
            sweep.cancel("the search was ended")
        raise
