"""Optimisation: Optuna suggests points, the runs of a sweep evaluate them.

The sweep holds everything that a search knows, so a search that was interrupted or killed can be resumed from
its stored runs: ended points are reported to the study, interrupted ones are executed again, active ones are
waited for, and no point is repeated. What comes next is what would have come without the interruption.
"""

import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from runwidgets.client.connect import connect
from runwidgets.client.dataframes import make_frame
from runwidgets.client.extras import importing
from runwidgets.client.run import Run
from runwidgets.client.search.limits import SearchEnd, SearchLimits, StopAfter, read_limits
from runwidgets.client.search.objectives import find_front, read_objectives
from runwidgets.client.search.plan import SAME_OR_NEW, SearchPlan, read_plan
from runwidgets.client.search.starter import Starter, read_descriptor
from runwidgets.client.submit import default_group, open_workflow
from runwidgets.client.sweep import Sweep
from runwidgets.errors import (
    InvalidArgumentError,
    InvalidRunStateError,
    ServiceUnavailableError,
    UnknownRunError,
)
from runwidgets.schema import (
    Direction,
    Objective,
    RunEvent,
    SearchConfig,
    SweepConfig,
    WorkflowHandle,
)
from runwidgets.service.contracts.api import Api

if TYPE_CHECKING:
    import optuna
    import pandas

    from runwidgets.client.search.searcher import Searcher


RANDOM_SEED_BITS = 31
"""Bits of a seed that is chosen at random."""


class Search:
    """The result of a search.

    Attributes
    ----------
    sweep : Sweep
        The sweep of the search; pass its id to `optimize` to resume the search.
    study : optuna.Study
        Optuna's study of the trials.
    objectives : dict
        The direction of each objective, by metric.
    end : SearchEnd
        Why the search ended.
    """

    def __init__(
        self, sweep: Sweep, study: "optuna.Study", objectives: Sequence[Objective], end: SearchEnd
    ) -> None:
        self.sweep = sweep
        self.study = study
        self.objectives: dict[str, Direction] = {each["metric"]: each["direction"] for each in objectives}
        self.end = end
        self._objectives = objectives

    @property
    def best(self) -> Run:
        """The run with the best value of the objective.

        Raises
        ------
        InvalidArgumentError
            No run recorded the objective, or there are several objectives.
        """
        if len(self.objectives) > 1:
            problem = f"a search for {len(self.objectives)} objectives has no single best run"
            raise InvalidArgumentError("best", problem, "use its front")
        ((metric, direction),) = self.objectives.items()
        return self.sweep.best(metric, direction)

    @property
    def front(self) -> list[Run]:
        """The best runs, in the order of their points: the Pareto front.

        A run belongs to it if no other run is better in one objective and not worse in the others. With one
        objective, these are the runs with the best value.
        """
        rows = find_front(self.sweep.points(), self._objectives)
        return [Run(self.sweep.api, row["id"]) for row in rows]

    def to_frame(self) -> "pandas.DataFrame":
        """Return a row per trial, as `Sweep.to_frame`, with a last column ``best``.

        It says whether the run belongs to the front. A parameter of that name is ``parameter.best``, a metric
        ``metric.best``.
        """
        rows = self.sweep.points()
        best = {row["number"] for row in find_front(rows, self._objectives)}
        frame = make_frame(rows, "number", reserved=("best",))
        return frame.assign(best=[number in best for number in frame.index])

    def __repr__(self) -> str:
        count = len(self.study.trials)
        trials = "1 trial" if count == 1 else f"{count} trials"
        return f"Search({self.sweep.id!r}, {trials}, ended: {self.end.value})"

    def _repr_mimebundle_(self, **options: object) -> dict[str, object]:
        return {**self.sweep._repr_mimebundle_(**options), "text/plain": repr(self)}


def optimize(
    source: str | os.PathLike[str],
    arguments: Mapping[str, object] | None = None,
    /,
    *,
    objective: str | Sequence[str] | Mapping[str, Direction],
    direction: Direction | Sequence[Direction] = "minimize",
    n_trials: int = 50,
    parallel: int | None = None,
    stop_after: StopAfter | None = None,
    enqueue: Sequence[Mapping[str, object]] = (),
    seed: int | None = None,
    sampler: "optuna.samplers.BaseSampler | None" = None,
    pruner: "optuna.pruners.BasePruner | None" = None,
    storage: "str | optuna.storages.BaseStorage | None" = None,
    name: str | None = None,
    resume: str | bool = False,
    api: Api | None = None,
    group: str | None = None,
    config: SweepConfig | None = None,
    **kwargs: object,
) -> Search:
    """Search for the arguments with the best value of one or several metrics, and wait until the end.

    Each trial is a run of one sweep, and no point is tried twice. A trial whose run fails, or does not record
    a finite number for each objective, counts as failed. With a pruner, every recorded value of the metric is
    a step, and runs that are not promising are cancelled. An interrupt ends the search and cancels its active
    runs, which are executed again when the search is resumed.

    Parameters
    ----------
    source : str or path
        Path of a notebook, or the id of a workflow.
    arguments : mapping, optional
        Like the keywords, for parameters whose names are options of this function.
    objective : str, list of str, or mapping
        Name of the metric, or of several; a mapping gives the direction of each.
    direction : {"minimize", "maximize"}, or list of these
        Whether the least or the greatest value is the best: for all metrics, or for each.
    n_trials : int
        Number of trials, including those of the search that is resumed.
    parallel : int, optional
        Runs that execute at once; None for the number of CPUs of this machine.
    stop_after : dict, optional
        When to propose no further trials: ``trials``, a number of trials without a gain, or ``seconds``, or
        both; see `StopAfter`.
    enqueue : list of mapping, optional
        Points to try first; the sampler chooses the values of searched parameters that they lack.
    seed : int, optional
        Seed of the sampler; None for a random seed, or that of the search that is resumed.
    sampler, pruner : optional
        Optuna's sampler and pruner; None for the tree-structured Parzen estimator and no pruning.
    storage : str or optuna.storages.BaseStorage, optional
        Where Optuna's study is stored, such as ``"sqlite:///study.db"``; None for memory.
    name : str, optional
        Display name of the sweep, and name of the study.
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
        search; or one value, which is fixed. A value that is itself a list, a tuple or a set must be put
        into a list.

    Returns
    -------
    Search
        With the ``best`` run or the ``front``, the ``sweep`` and the ``study``.

    Raises
    ------
    ImportError
        Optuna is not installed: ``pip install runwidgets[optuna]``.
    InvalidArgumentError
        No parameter is to be searched, an option is invalid, or the first runs to succeed did not record the
        metric; or the search that is resumed had another space, other objectives, another config or another
        version of the notebook.
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
    with importing("optuna"):
        from runwidgets.client.search.searcher import Searcher
        from runwidgets.client.search.study import discarding, make_sampler, open_study, set_owner

    objectives = read_objectives(objective, direction)
    plan = read_plan({**(arguments or {}), **kwargs}, objectives, enqueue)
    limits = read_limits(n_trials, os.cpu_count() or 1 if parallel is None else parallel, stop_after)
    if pruner is not None and len(objectives) > 1:
        raise InvalidArgumentError("pruner", "a search for several objectives cannot prune", "omit it")
    service = api or connect()
    workflow = open_workflow(service, source)
    starter = Starter(service, workflow, group or default_group(workflow), plan)
    last_seq = service.events.last_event()
    earlier = _find(service, starter.group_id, name) if resume is True else resume or None
    sweep = None if earlier is None else Sweep(service, earlier)
    search = _describe(plan, seed, name) if sweep is None else _continue(plan, seed, sweep)
    if sweep is not None:
        _check_unchanged(sweep, workflow, config or {})
    rows = [] if sweep is None else starter.resume(sweep)
    point_sampler = make_sampler(plan.space, search["seed"], sampler)
    study = open_study(search, point_sampler, pruner, storage=storage, sweep_id=earlier)
    searcher = Searcher(service, study, plan)
    if sweep is None:
        with discarding(study):
            points = searcher.ask(min(limits.n_trials, limits.parallel))
            sweep = starter.start(points, {**(config or {}), "search": search}, name)
    set_owner(study, sweep.id)
    with _cancelling(sweep), _following(sweep, last_seq) as events:
        if earlier is None:
            searcher.assign_runs([read_descriptor(row) for row in sweep.points()])
        else:
            searcher.adopt(rows)
        end = _search(starter, searcher, limits, events)
    return Search(sweep, study, objectives, end)


def _search(
    starter: Starter, searcher: "Searcher", limits: SearchLimits, events: Iterator[RunEvent]
) -> SearchEnd:
    """Start runs and report their results until the search ends; return why it has ended."""
    begun = time.monotonic()
    while True:
        end = limits.find_end(searcher, time.monotonic() - begun)
        free = min(limits.parallel - searcher.active_count, limits.n_trials - searcher.trial_count)
        points = searcher.ask(free) if end is None else []
        if points:
            searcher.assign_runs(starter.add(points))
        elif not searcher.active_count:
            return end or SearchEnd.EXHAUSTED
        else:
            searcher.on_event(next(events))


def _describe(plan: SearchPlan, seed: int | None, name: str | None) -> SearchConfig:
    """Return the description of a new search."""
    used_seed = secrets.randbits(RANDOM_SEED_BITS) if seed is None else seed
    return plan.describe(used_seed, name or f"search-{secrets.token_hex(4)}")


def _continue(plan: SearchPlan, seed: int | None, sweep: Sweep) -> SearchConfig:
    """Return the description of a search that is resumed."""
    earlier = sweep.handle["config"].get("search")
    if earlier is None:  # a sweep that was started otherwise
        return _describe(plan, seed, sweep.name)
    plan.check_unchanged(earlier)
    return earlier if seed is None else {**earlier, "seed": seed}


def _check_unchanged(sweep: Sweep, workflow: WorkflowHandle, config: SweepConfig) -> None:
    """Refuse to resume a search with another version of its notebook, or with other settings."""
    stored: Mapping[str, object] = {**sweep.handle["config"]}
    for key, value in config.items():
        if stored.get(key) != value and (key in stored or value):
            problem = f"{key}: the search that is resumed has {stored.get(key)!r:.80}"
            raise InvalidArgumentError("config", problem, SAME_OR_NEW)
    for row in sweep.points():
        with suppress(UnknownRunError):  # it was deleted
            if row["id"] is not None and sweep.api.runs.get_run(row["id"])["version"] != workflow["version"]:
                problem = (
                    "the notebook or its files have changed since the search that is resumed was started"
                )
                raise InvalidArgumentError("resume", problem, SAME_OR_NEW)
            return


def _find(api: Api, group_id: str, name: str | None) -> str | None:
    """Return the id of the latest sweep with a name."""
    if name is None:
        raise InvalidArgumentError("resume", "True needs a name", "give the name of the search to resume")
    sweep_ids = [each["id"] for each in api.sweeps.list_sweeps(group_id)["sweeps"] if each["name"] == name]
    return sweep_ids[-1] if sweep_ids else None


@contextmanager
def _following(sweep: Sweep, after: int) -> Iterator[Iterator[RunEvent]]:
    """Follow the events of a sweep after one that was seen."""
    stop = threading.Event()
    try:
        yield sweep.api.events.follow_events(after, sweep_id=sweep.id, stop=stop)
    finally:
        stop.set()


@contextmanager
def _cancelling(sweep: Sweep) -> Iterator[None]:
    """Cancel the active runs when the search ends early; they are executed again when it is resumed."""
    try:
        yield
    except BaseException:
        nothing_to_cancel = (
            InvalidRunStateError,
            ServiceUnavailableError,
        )  # all have ended, or it is not there
        with suppress(*nothing_to_cancel):
            sweep.api.sweeps.cancel_sweep(sweep.id, "the search was interrupted", interrupted=True)
        raise
