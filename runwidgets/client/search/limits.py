"""When a search ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from typing_extensions import TypedDict

from runwidgets.client.metrics import is_number
from runwidgets.errors import InvalidArgumentError


class StopAfter(TypedDict, total=False):
    """When a search proposes no further trials, although not all of them have ended; active runs continue."""

    trials: int
    """Trials that ended one after another without a gain: a better result than all before."""
    seconds: float
    """Seconds since the call."""


class SearchEnd(str, Enum):
    """Why a search ended."""

    TRIALS = "trials"
    """All trials have ended."""
    EXHAUSTED = "exhausted"
    """No point is left that has not been tried."""
    NO_GAIN = "no_gain"
    """The last trials brought no gain."""
    TIME = "time"
    """The time has passed."""


class SearchCounts(Protocol):
    """How far a search is; see `Searcher`."""

    trial_count: int
    is_exhausted: bool
    without_gain: int


@dataclass(frozen=True)
class SearchLimits:
    """When a search proposes no further trials."""

    n_trials: int
    """Number of trials."""
    parallel: int
    """Number of runs that execute at once."""
    without_gain: int | None
    """Number of trials without a gain; None for no limit."""
    seconds: float | None
    """Seconds since the call; None for no limit."""

    def find_end(self, counts: SearchCounts, seconds: float) -> SearchEnd | None:
        """Return why no further trial is proposed after some seconds; None if there are to be more."""
        if counts.trial_count >= self.n_trials:
            return SearchEnd.TRIALS
        if counts.is_exhausted:
            return SearchEnd.EXHAUSTED
        if self.without_gain is not None and counts.without_gain >= self.without_gain:
            return SearchEnd.NO_GAIN
        if self.seconds is not None and seconds >= self.seconds:
            return SearchEnd.TIME
        return None


def read_limits(n_trials: int, parallel: int, stop_after: StopAfter | None) -> SearchLimits:
    """Return the limits of a search.

    Raises
    ------
    InvalidArgumentError
        A number is not valid, or a limit is unknown.
    """
    limits = {} if stop_after is None else stop_after
    if not isinstance(limits, Mapping) or not set(limits) <= set(StopAfter.__annotations__):
        raise InvalidArgumentError(
            "stop_after", f"{stop_after!r:.80}", "give {'trials': 20}, {'seconds': 600}, or both"
        )
    without_gain, seconds = limits.get("trials"), limits.get("seconds")
    counts = {"n_trials": n_trials, "parallel": parallel, "stop_after.trials": without_gain}
    for subject, count in counts.items():
        if count is not None and (type(count) is not int or count < 1):
            raise InvalidArgumentError(subject, f"{count!r}", "give a whole number, at least 1")
    if seconds is not None and not (is_number(seconds) and seconds > 0):
        raise InvalidArgumentError("stop_after.seconds", f"{seconds!r}", "give a number above 0")
    return SearchLimits(n_trials, parallel, without_gain, seconds)
