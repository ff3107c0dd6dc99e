"""The searcher: asks Optuna for points, and tells it what came of the runs at these points."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from runwidgets.client.metrics import is_number, read_metrics
from runwidgets.client.run import read_state
from runwidgets.client.search.objectives import Costs, is_gain, read_costs, read_values
from runwidgets.client.search.plan import SearchPlan
from runwidgets.client.search.sampler import PointSampler
from runwidgets.errors import InvalidArgumentError, InvalidRunStateError
from runwidgets.record import read_value
from runwidgets.schema import JsonValue, PointRow, RunEvent, RunReason
from runwidgets.service.contracts.api import Api
from runwidgets.states import TERMINAL, RunState

MAX_FAILED = 5
"""Failed runs after which the search gives up, if no run has recorded the objectives."""
POINT_ATTRIBUTE = "point"
"""User attribute of a trial: the number of its point in the sweep."""
RUN_ATTRIBUTE = "run"
"""User attribute of a trial: the id of its run."""


@dataclass
class _ActiveTrial:
    """A trial whose run has not ended."""

    trial: optuna.Trial
    run_id: str
    _: KW_ONLY
    last_step: int = -1
    """The last step under which a value was reported."""
    recorded_steps: set[float] = field(default_factory=set)
    """The steps, as the run counts them, whose values were reported."""
    stored_steps: frozenset[int] = frozenset()
    """The steps whose values were reported before the search was resumed."""


@dataclass(frozen=True)
class _Result:
    """What came of a run."""

    state: RunState
    metrics: Mapping[str, JsonValue]
    reason: str | None
    message: str


class Searcher:
    """The mapping between runs and Optuna's trials.

    Parameters
    ----------
    api : Api
        The services that know the runs.
    study : optuna.Study
        Suggests points with a `PointSampler`, and is told the results.
    plan : SearchPlan
        What is searched for; its first points are tried first, unless they have been tried.

    Attributes
    ----------
    trial_count : int
        Number of trials, including ended ones.
    is_exhausted : bool
        Whether there is no further point.
    without_gain : int
        Number of trials that ended since the last one that was better than all before it.
    """

    def __init__(self, api: Api, study: optuna.Study, plan: SearchPlan) -> None:
        assert isinstance(study.sampler, PointSampler)
        self._api = api
        self._study = study
        self._sampler = study.sampler
        self._space = plan.space
        self._objectives = objectives = plan.objectives
        self._first = list(plan.first)
        self._is_pruning = not isinstance(study.pruner, optuna.pruners.NopPruner)
        self._reported = objectives[0]["metric"] if len(objectives) == 1 else None
        self._unstarted: list[FrozenTrial] = []
        self._new_trials: list[optuna.Trial] = []
        self._active: dict[str, _ActiveTrial] = {}
        self._has_values = False
        self._failures = 0
        self._front: list[Costs] = []
        self.trial_count = 0
        self.is_exhausted = False
        self.without_gain = 0
        study.stop = self._exhaust  # type: ignore[method-assign]

    @property
    def active_count(self) -> int:
        """Trials whose runs have not ended."""
        return len(self._active)

    def ask(self, count: int) -> list[dict[str, JsonValue]]:
        """Return the searched arguments of new trials; pass their runs to `assign_runs`.

        Returns fewer than `count` if there is no further point.
        """
        self._new_trials = []
        while len(self._new_trials) < count and (trial := self._ask_next()) is not None:
            self._new_trials.append(trial)
        self.trial_count += len(self._new_trials)
        return [self._space.arguments(trial.params) for trial in self._new_trials]

    def assign_runs(self, runs: Sequence[tuple[int, str, RunState]]) -> None:
        """Assign runs to the trials that were asked for last, in the same order.

        Parameters
        ----------
        runs : sequence of (int, str, RunState)
            Number of the point, id of the run and its state; a reused run has ended already.
        """
        for trial, (number, run_id, state) in zip(self._new_trials, runs, strict=True):
            self._active[run_id] = self._assign(trial, number, run_id)
            if state in TERMINAL:
                self._read_end(run_id)

    def adopt(self, rows: Sequence[PointRow]) -> None:
        """Adopt the points of an earlier search: tell the study those that have ended, wait for the others.

        Asks and ends are repeated in the order in which they took place.
        """
        stored = self._read_stored()
        ended: list[tuple[str, PointRow, _ActiveTrial | None]] = []
        for row in rows:
            while ended and ended[0][0] < row["createdAt"]:
                self._adopt_end(*ended.pop(0)[1:])
            active = self._adopt_point(row, stored.pop(row["number"], None))
            if read_state(row["state"]) in TERMINAL:
                ended.append((row["finishedAt"] or "", row, active))
                ended.sort(key=lambda end: end[0])
            elif active is not None:
                self._active[row["id"]] = active
        for _, row, active in ended:
            self._adopt_end(row, active)
        self._failures = 0  # of this call

    def on_event(self, event: RunEvent) -> None:
        """Report an event of the sweep to the study: an intermediate value, or the end of a run."""
        run_id = event["runId"]
        if run_id not in self._active:
            return
        if event["kind"] == "metric":
            if (data := event["data"])["name"] == self._reported:
                self._report(self._active[run_id], data.get("points") or [[None, data["value"]]])
                if self._is_pruning:
                    self._prune(self._active[run_id])
        elif event["kind"] == "deleted":
            self._end(self._active.pop(run_id), _Result(RunState.CANCELED, {}, None, "it was deleted"))
        elif event["kind"] == "state" and read_state(event["data"]["state"]) in TERMINAL:
            self._read_end(run_id)

    # -- asking ------------------------------------------------------------------------------------

    def _ask_next(self) -> optuna.Trial | None:
        """Return a new trial, or None if there is no further point."""
        if self._unstarted:
            return self._open(self._unstarted.pop(0))
        size = self._space.size
        self.is_exhausted |= size is not None and len(self._sampler.tried) >= size
        if self.is_exhausted:
            return None
        while self._first:
            point = self._first.pop(0)
            if not self._is_tried(point):
                self._study.enqueue_trial(dict(point))
                break
        trial = self._ask({})
        if self._sampler.is_spent:
            self._study.tell(trial, state=TrialState.FAIL)
            self._exhaust()
            return None
        return trial

    def _ask(self, fixed: dict[str, Any]) -> optuna.Trial:
        self._sampler.fixed = fixed
        trial = self._study.ask(self._space.distributions)
        self._sampler.tried.add(self._space.key(trial.params))
        return trial

    def _is_tried(self, point: Mapping[str, Any]) -> bool:
        """Return whether a trial has the values of a point, which may lack some parameters."""
        trials = self._study.get_trials(deepcopy=False)
        return any(
            all(repr(each.params.get(name)) == repr(value) for name, value in point.items())
            for each in trials
        )

    def _exhaust(self) -> None:
        """Stop asking for points; a sampler calls this when it has no further point.

        Optuna's own `Study.stop` works only inside `Study.optimize`.
        """
        self.is_exhausted = True

    # -- resuming ----------------------------------------------------------------------------------

    def _read_stored(self) -> dict[int, FrozenTrial]:
        """Return the trials of a stored study by the number of their points; others that are RUNNING wait."""
        known = {}
        for trial in self._study.get_trials():
            if trial.params:
                self._sampler.tried.add(self._space.key(trial.params))
            if POINT_ATTRIBUTE in trial.user_attrs:
                known[trial.user_attrs[POINT_ATTRIBUTE]] = trial
            elif trial.state == TrialState.RUNNING:
                self._unstarted.append(trial)
        return known

    def _adopt_point(self, row: PointRow, stored: FrozenTrial | None) -> _ActiveTrial | None:
        """Return the trial of a point, unless it is stored with its result."""
        self.trial_count += 1
        point = self._space.read(row["arguments"], f"point {row['number']} of the sweep")
        same = [each for each in self._unstarted if self._space.key(each.params) == self._space.key(point)]
        if stored is None and same:  # its run was started, and the process ended before it noted that
            stored = same[0]
            self._unstarted.remove(stored)
        if stored is not None and stored.state.is_finished():
            return None
        trial = self._ask(point) if stored is None else self._open(stored)
        active = self._assign(trial, row["number"], row["id"])
        if stored is not None:
            active.stored_steps = frozenset(stored.intermediate_values)
        if self._is_pruning and self._reported is not None:
            series = self._api.runs.get_series(row["id"])["series"].get(self._reported)
            self._report(active, zip(series["steps"], series["values"], strict=True) if series else ())
        return active

    def _adopt_end(self, row: PointRow, active: _ActiveTrial | None) -> None:
        result = _Result(read_state(row["state"]), row["metrics"], row["reason"], row["message"] or "")
        if active is not None:
            self._end(active, result)
        else:
            self._note_gain(self._costs(result))

    def _open(self, stored: FrozenTrial) -> optuna.Trial:
        """Return a stored trial such that values can be reported to it."""
        self._sampler.fixed = stored.params  # the new object may ask the sampler again
        return optuna.Trial(self._study, stored._trial_id)

    # -- telling -----------------------------------------------------------------------------------

    def _assign(self, trial: optuna.Trial, number: int, run_id: str) -> _ActiveTrial:
        trial.set_user_attr(POINT_ATTRIBUTE, number)
        trial.set_user_attr(RUN_ATTRIBUTE, run_id)
        return _ActiveTrial(trial, run_id)

    def _report(self, active: _ActiveTrial, points: Iterable[Sequence[JsonValue]]) -> None:
        """Report intermediate values to the trial, with their own steps if those increase from 0."""
        for recorded, value in points:
            number = read_value(value)
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                continue
            step = active.last_step + 1
            if is_number(recorded):
                if recorded in active.recorded_steps:
                    continue
                active.recorded_steps.add(recorded)
                if recorded == int(recorded) and recorded >= step:
                    step = int(recorded)
            active.last_step = step
            if step not in active.stored_steps:
                active.trial.report(float(number), step)

    def _prune(self, active: _ActiveTrial) -> None:
        if not active.trial.should_prune():
            return
        message = f"pruned: it was not promising at step {active.last_step}"
        with suppress(InvalidRunStateError):  # the run has just ended; its own event reports the result
            self._api.runs.prune_run(active.run_id, message)

    def _read_end(self, run_id: str) -> None:
        handle = self._api.runs.get_run(run_id)
        message = (handle.get("messages") or [""])[0]
        metrics = read_metrics(handle["metrics"])
        result = _Result(read_state(handle["state"]), metrics, handle.get("reason"), message)
        self._end(self._active.pop(run_id), result)

    def _end(self, active: _ActiveTrial, result: _Result) -> None:
        """Tell the study the result of a trial.

        Raises
        ------
        InvalidArgumentError
            Successful runs do not record the objectives, and no run has.
        InvalidRunStateError
            No run has recorded the objectives, and the maximum number of runs has failed.
        """
        costs = self._costs(result)
        is_pruned = result.reason == RunReason.PRUNED.value
        if costs is not None:
            self._study.tell(active.trial, read_values(costs, self._objectives))
        else:
            self._study.tell(active.trial, state=TrialState.PRUNED if is_pruned else TrialState.FAIL)
        self._note_gain(costs)
        missing = self._find_missing(result)
        self._has_values |= result.state is RunState.SUCCESS and missing is None
        if self._has_values or is_pruned:
            return
        self._failures += 1
        if self._failures < MAX_FAILED:
            return
        if result.state is RunState.SUCCESS and missing is not None:
            known = ", ".join(sorted(result.metrics)) or "nothing"
            raise InvalidArgumentError(
                missing, f"run {active.run_id} did not record it", f"it recorded {known}"
            )
        problem = f"the first {MAX_FAILED} runs all failed"
        raise InvalidRunStateError("search", problem, result.message)

    def _find_missing(self, result: _Result) -> str | None:
        """Return the first objective for which a run has no number, not even NaN or infinity."""
        names = [each["metric"] for each in self._objectives]
        return next((name for name in names if not isinstance(result.metrics.get(name), (int, float))), None)

    def _costs(self, result: _Result) -> Costs | None:
        return read_costs(result.metrics, self._objectives) if result.state is RunState.SUCCESS else None

    def _note_gain(self, costs: Costs | None) -> None:
        self.without_gain += 1
        if costs is not None and is_gain(costs, self._front):
            self._front.append(costs)
            self.without_gain = 0
