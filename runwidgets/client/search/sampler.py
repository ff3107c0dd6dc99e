"""The sampler of a search: another sampler of Optuna, such that searches can be repeated and resumed.

It adds two things to the sampler that it wraps. Each trial has random numbers of its own, which depend on
the seed and the number of the trial alone, not on what was drawn before: a resumed search needs no more than
the earlier points and their results to continue where it was. And no point is proposed twice: the sampler is
asked again, and finally a random point is drawn among those that have not been tried.
"""

import copy
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import numpy
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, BruteForceSampler, GridSampler
from optuna.trial import FrozenTrial, TrialState

from runwidgets.client.search.space import PointKey, SearchSpace

MAX_REDRAWS = 10
"""How often the sampler is asked for a point that has not been tried."""


class PointSampler(BaseSampler):
    """Proposes whole points, each once.

    Parameters
    ----------
    sampler : BaseSampler
        Proposes points.
    space : SearchSpace
        The searched parameters.
    has_state : bool
        Whether the sampler may keep more than random numbers between trials, and so must also see the trials
        whose points are fixed.

    Attributes
    ----------
    fixed : dict
        The values of the next trial, all or some of them; empty to propose them.
    tried : set
        Keys of the points that are not proposed again.
    is_spent : bool
        Whether the last point had to be one that was tried before.
    """

    def __init__(self, sampler: BaseSampler, space: SearchSpace, *, has_state: bool) -> None:
        self._sampler = sampler
        self._space = space
        self._has_state = has_state
        states = list(_find_random_states(sampler))
        self._streams = [(each, int(each.randint(2**32, dtype=numpy.uint64))) for each in states]
        self.fixed: dict[str, Any] = {}
        self.tried: set[PointKey] = set()
        self.is_spent = False

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole space: its values are proposed together."""
        return dict(self._space.distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a whole point: the fixed values, and proposed ones for the others."""
        fixed = {**trial.system_attrs.get("fixed_params", {}), **self.fixed}
        self.is_spent = False
        if len(fixed) == len(search_space):
            if self._has_state and self.fixed:
                self._seed(trial.number, 0)
                self._propose(study, trial)
            return fixed
        for attempt in range(MAX_REDRAWS):
            self._seed(trial.number, attempt)
            point = {**self._propose(study, trial), **fixed}
            if self._space.key(point) not in self.tried:
                return point
        untried = None
        if not isinstance(
            self._sampler, (GridSampler, BruteForceSampler)
        ):  # these have walked through theirs
            seed = f"{[base for _, base in self._streams]} {trial.number}"
            untried = self._space.find_untried(self.tried, fixed, Random(seed))
        self.is_spent = untried is None
        return untried or point

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a value that the sampler proposed outside of its distribution once more, within it."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Begin the random numbers of the trial."""
        self._seed(trial.number, 0)
        self._sampler.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Tell the sampler the result of a trial."""
        self._sampler.after_trial(study, trial, state, values)

    def _propose(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """Return a point of the sampler, which sees the values that it has chosen already."""
        latest = study._storage.get_trial(trial._trial_id)  # with what `before_trial` stored
        inferred = self._sampler.infer_relative_search_space(study, latest)
        relative = self._sampler.sample_relative(study, latest, inferred)
        draft = copy.copy(latest)
        for name, distribution in self._space.distributions.items():
            for value in self._space.fixed_value(name):
                relative[name] = value
            if name not in relative:
                relative[name] = self._sampler.sample_independent(study, draft, name, distribution)
            value = distribution.to_external_repr(distribution.to_internal_repr(relative[name]))
            draft.params = {**draft.params, name: value}
            draft.distributions = {**draft.distributions, name: distribution}
        return {name: draft.params[name] for name in self._space.distributions}

    def _seed(self, number: int, attempt: int) -> None:
        for state, base in self._streams:
            state.seed([base, number, attempt])


def _find_random_states(sampler: BaseSampler) -> Iterator[numpy.random.RandomState]:
    """Yield the random states of a sampler and of samplers within it; Optuna keeps each behind ``rng``."""
    for part in vars(sampler).values():
        if isinstance(part, BaseSampler):
            yield from _find_random_states(part)
        elif isinstance(state := getattr(part, "rng", None), numpy.random.RandomState):
            yield state
