"""Optimisation: Optuna suggests points, the runs of a sweep evaluate them.

The sweep holds everything that a search knows, so a search that was killed can be resumed from its stored
runs: ended points are reported to a new study, active ones are waited for, and no point is repeated.
"""

import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from runwidgets.client.connect import connect
from runwidgets.client.run import Run, read_state
from runwidgets.client.submit import default_group, make_arguments, open_workflow
from runwidgets.client.sweep import Direction, Sweep, is_number
from runwidgets.errors import InvalidArgumentError, InvalidRunStateError
from runwidgets.schema import Argument, JsonValue, RunEvent, RunReason, SweepConfig
from runwidgets.service.contracts.api import Api
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
    from optuna.distributions import BaseDistribution

MAX_FAILED = 5
"""Failed runs after which the search gives up, if no run has succeeded."""


class Search:
    """The result of a search.

    Attributes
    ----------
    sweep : Sweep
        The sweep of the search; pass its id to `optimize` to resume the search.
    study : optuna.Study
        Optuna's study of the trials.
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
            No run recorded the objective.
        """
        return self.sweep.best(self._objective, self._direction)

    def to_frame(self) -> "pandas.DataFrame":
        """Return a row per trial; see `Sweep.to_frame`."""
        return self.sweep.to_frame()

    def __repr__(self) -> str:
        return f"Search({self.sweep.id!r}, {len(self.study.trials)} trials)"

    def _repr_mimebundle_(self, **options: object) -> dict[str, object]:
        return {**self.sweep._repr_mimebundle_(**options), "text/plain": repr(self)}


def optimize(
    source: str | os.PathLike[str],
    arguments: Mapping[str, object] | None = None,
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
    config: SweepConfig | None = None,
    **kwargs: object,
) -> Search:
    """Search for the arguments with the best value of a metric; wait until all trials have ended.

    Each trial is a run of one sweep. A trial whose run fails, or does not record the metric, counts as
    failed. With a pruner, every recorded value of the metric is a step, and runs that are not promising are
    cancelled. An interrupt ends the search and cancels its active runs.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    arguments : mapping, optional
        Like the keywords, for parameters whose names are options of this function.
    objective : str
        Name of the metric.
    direction : {"minimize", "maximize"}
        Whether the least or the greatest value is the best.
    n_trials : int
        Number of trials, including those of the search that is resumed.
    parallel : int, optional
        Runs that execute at once; None for the number of CPUs of this machine.
    seed : int, optional
        Seed of the sampler; None for a random seed.
    sampler, pruner : optional
        Optuna's sampler and pruner; None for the tree-structured Parzen estimator and no pruning.
    name : str, optional
        Display name of the sweep.
    resume : str or bool, optional
        Id of the sweep of an earlier search to continue: no trial of it is lost or repeated. True for the
        latest sweep with this name, or a new one if there is none.
    api : Api, optional
        None for the result of `connect`.
    group : str, optional
        Id of a group; None for the default group of the workflow.
    config : dict, optional
        How to run, as in `SweepService.start_sweep`.
    **kwargs
        Per parameter: `uniform`, `loguniform`, `integers`, `choice`, or a list or range of values to
        search; or one value, which is fixed.

    Returns
    -------
    Search
        With the ``best`` run, the ``sweep`` and the ``study``.

    Raises
    ------
    ImportError
        Optuna is not installed: ``pip install runwidgets[optuna]``.
    InvalidArgumentError
        No parameter is to be searched, or the first run to succeed did not record the metric.
    InvalidRunStateError
        All of the first runs failed.
    RunWidgetsError
        Any other error of `sweep`.

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
        problem = "no parameter is to be searched"
        raise InvalidArgumentError("space", problem, "give one such as lr=rw.uniform(0, 1)")
    if isinstance(n_trials, bool) or not isinstance(n_trials, int) or n_trials < 1:
        raise InvalidArgumentError("n_trials", f"{n_trials!r}", "give a whole number, at least 1")
    service = api or connect()
    workflow = open_workflow(service, source)
    group_id = group or default_group(workflow)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        used_sampler = sampler or optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    study = optuna.create_study(
        direction=direction, sampler=used_sampler, pruner=pruner or optuna.pruners.NopPruner()
    )
    fixed = {key: each for key, each in values.items() if key not in space}

    def to_arguments(points: list[dict[str, JsonValue]]) -> list[list[Argument]]:
        return make_arguments(service, group_id, workflow, [{**fixed, **point} for point in points])

    searcher = Searcher(study, space, objective)
    last_seq = service.events.last_event()
    earlier = _find(service, group_id, name) if resume is True else resume or None
    if earlier is None:
        count = min(n_trials, parallel or os.cpu_count() or 1)
        started = service.sweeps.start_sweep(group_id, to_arguments(searcher.ask(count)), config, name)
        sweep = Sweep(service, started)
        searcher.assign_runs([row["id"] for row in sweep.points()])
    else:
        sweep = Sweep(service, earlier)
        searcher.adopt(sweep)
    with _cancelling(sweep):
        limit = parallel or os.cpu_count() or 1
        stop = threading.Event()
        events = service.events.follow_events(last_seq, sweep_id=sweep.id, stop=stop)
        try:
            while True:
                points = searcher.ask(min(limit - searcher.active_count, n_trials - searcher.trial_count))
                if points:
                    added = service.sweeps.add_points(sweep.id, to_arguments(points))
                    searcher.assign_runs([each["id"] for each in added["runs"]])
                if not searcher.active_count:
                    return Search(sweep, study, objective, direction)
                searcher.on_event(next(events), service)
        finally:
            stop.set()


class Searcher:
    """The mapping between runs and Optuna's trials; reports the results of runs to the study.

    Parameters
    ----------
    study : optuna.Study
        Suggests points, and is told their values.
    space : mapping of str to optuna distribution
        The distribution of each searched parameter.
    objective : str
        Name of the metric.
    """

    def __init__(
        self, study: "optuna.Study", space: Mapping[str, "BaseDistribution"], objective: str
    ) -> None:
        self._study = study
        self._space = dict(space)
        self._objective = objective
        self._new_trials: list[optuna.Trial] = []
        self._active: dict[str, optuna.Trial] = {}
        self._steps: dict[str, int] = {}
        self._successes = 0
        self._failures: list[str] = []
        self.trial_count = 0
        """Number of trials so far, including ended ones."""
        self._is_exhausted = False
        study.stop = self._exhaust  # type: ignore[method-assign]

    @property
    def active_count(self) -> int:
        """Trials whose runs have not ended."""
        return len(self._active)

    def ask(self, count: int) -> list[dict[str, JsonValue]]:
        """Return the searched arguments of new trials; pass the ids of their runs to `begun`.

        Returns fewer than `count` if the sampler has no further point.
        """
        wanted = 0 if self._is_exhausted else count
        self._new_trials = [self._study.ask(self._space) for _ in range(wanted)]
        self.trial_count += len(self._new_trials)
        return [trial.params for trial in self._new_trials]

    def assign_runs(self, run_ids: list[str]) -> None:
        """Assign runs to the trials that were asked for last, in the same order."""
        self._active.update(zip(run_ids, self._new_trials, strict=True))

    def adopt(self, sweep: Sweep) -> None:
        """Adopt the points of an earlier search, and report the ended ones to the study."""
        for row in sweep.points():
            known = {name: row["arguments"][name] for name in self._space if name in row["arguments"]}
            self._study.enqueue_trial(known)
            self.ask(1)
            self.assign_runs([row["id"]])
            if read_state(row["state"]) in TERMINAL:
                self._end(row["id"], row["state"], row["metrics"], row["reason"], row["message"] or "")

    def on_event(self, event: RunEvent, api: Api) -> None:
        """Report an event of the sweep to the study: an intermediate value, or the end of a run."""
        run_id = event["runId"]
        trial = self._active.get(run_id)
        if trial is None:
            return
        if event["kind"] == "metric":
            if (data := event["data"])["name"] == self._objective:
                self._report(run_id, trial, data.get("points") or [[None, data["value"]]], api)
        elif event["kind"] == "deleted":
            self._end(run_id, RunState.CANCELED.value, {}, None, "it was deleted")
        elif event["kind"] == "state" and read_state(event["data"]["state"]) in TERMINAL:
            handle = api.runs.get_run(run_id)
            messages = handle.get("messages") or [""]
            metrics, reason = handle.get("metrics", {}), handle.get("reason")
            self._end(run_id, handle["state"], metrics, reason, messages[0])

    def _report(self, run_id: str, trial: "optuna.Trial", points: list[list[JsonValue]], api: Api) -> None:
        """Report intermediate values to the trial, with the recorded steps if those increase from 0."""
        for given_step, value in points:
            if not is_number(value):
                continue
            step = self._steps.get(run_id, -1) + 1
            if is_number(given_step) and given_step == int(given_step) and given_step >= step:
                step = int(given_step)
            self._steps[run_id] = step
            trial.report(float(value), step)
        if trial.should_prune():
            self._prune(run_id, api, self._steps[run_id])

    def _exhaust(self) -> None:
        """Stop asking for points; a sampler calls this when it has no further point.

        Optuna's own `Study.stop` works only inside `Study.optimize`.
        """
        self._is_exhausted = True

    def _prune(self, run_id: str, api: Api, step: int) -> None:
        try:
            api.runs.prune_run(run_id, f"pruned: it was not promising at step {step}")
        except InvalidRunStateError:
            return  # the run has just ended; its own event reports the result

    def _end(
        self, run_id: str, state: str, metrics: Mapping[str, JsonValue], reason: str | None, message: str
    ) -> None:
        """Tell the study the result of a trial.

        Raises
        ------
        InvalidArgumentError
            The run succeeded without the objective, and no run before it recorded one.
        InvalidRunStateError
            No run has succeeded, and the maximum number of runs has failed.
        """
        from optuna.trial import TrialState

        trial = self._active.pop(run_id)
        value = metrics.get(self._objective)
        if state == RunState.SUCCESS.value and is_number(value):
            self._successes += 1
            self._study.tell(trial, float(value))
            return
        is_pruned = reason == RunReason.PRUNED.value
        self._study.tell(trial, state=TrialState.PRUNED if is_pruned else TrialState.FAIL)
        if is_pruned or self._successes:
            return
        if state == RunState.SUCCESS.value:
            known = ", ".join(sorted(metrics)) or "nothing"
            raise InvalidArgumentError(
                self._objective, f"run {run_id} did not record it", f"it recorded {known}"
            )
        self._failures.append(message)
        if len(self._failures) >= MAX_FAILED:
            raise InvalidRunStateError("search", f"the first {MAX_FAILED} runs all failed", message)


def make_distribution(name: str, values: object) -> "BaseDistribution":
    """Return Optuna's distribution for the values given for a parameter.

    Raises
    ------
    InvalidArgumentError
        Optuna cannot choose from these values.
    """
    from optuna import distributions

    if isinstance(values, (Uniform, LogUniform)):
        return distributions.FloatDistribution(values.low, values.high, log=isinstance(values, LogUniform))
    if isinstance(values, Integers):
        return distributions.IntDistribution(values.low, values.high, log=values.log, step=values.step)
    choices = values.values if isinstance(values, Choice) else list_values(name, values)
    allowed: list[bool | int | float | str | None] = []
    for value in choices:
        if value is not None and not isinstance(value, (bool, int, float, str)):
            raise InvalidArgumentError(
                name, f"{value!r:.80} cannot be chosen", "give numbers, text, True or None"
            )
        allowed.append(value)
    return distributions.CategoricalDistribution(allowed)


def _find(api: Api, group_id: str, name: str | None) -> str | None:
    """Return the id of the latest sweep with a name."""
    if name is None:
        raise InvalidArgumentError("resume", "True needs a name", "give the name of the search to resume")
    sweep_ids = [each["id"] for each in api.sweeps.list_sweeps(group_id)["sweeps"] if each["name"] == name]
    return sweep_ids[-1] if sweep_ids else None


def _is_searched(value: object) -> bool:
    return isinstance(value, Distribution) or is_several(value)


@contextmanager
def _cancelling(sweep: Sweep) -> Iterator[None]:
    """Cancel the active runs when the search ends early."""
    try:
        yield
    except BaseException:
        with suppress(InvalidRunStateError):  # all of its runs have ended
            sweep.cancel("the search was ended")
        raise
