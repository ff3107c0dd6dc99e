"""The state machine of a run, as data.

Everything about the state machine is defined in this file: the database derives its ``CHECK`` constraints
and ``WHERE state IN (...)`` clauses from these tables, and the documentation its diagram.
"""

from enum import Enum


class RunState(str, Enum):
    """The five states of a run."""

    PENDING = "PENDING"
    """Accepted and stored on disk; waits for a slot."""
    RUNNING = "RUNNING"
    """Claimed by a host; its runner executes it."""
    SUCCESS = "SUCCESS"
    """The notebook was executed to its end, or ended itself early; the result files are listed and hashed."""
    ERROR = "ERROR"
    """It could not be started, raised an exception, timed out or was lost; the messages say which."""
    CANCELED = "CANCELED"
    """It was cancelled."""

    def __str__(self) -> str:
        return self.value


MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.PENDING: frozenset({RunState.RUNNING, RunState.CANCELED, RunState.ERROR}),
    RunState.RUNNING: frozenset({RunState.SUCCESS, RunState.ERROR, RunState.CANCELED}),
    RunState.SUCCESS: frozenset(),
    RunState.ERROR: frozenset(),
    RunState.CANCELED: frozenset(),
}
"""The states that may follow each state."""

TERMINAL = frozenset(state for state, targets in MOVES.items() if not targets)
"""States that never change."""

ACTIVE = frozenset(MOVES) - TERMINAL
"""States in which a run still waits or executes."""


def sources(target: RunState) -> frozenset[RunState]:
    """Return the states from which a run may move to a target.

    Parameters
    ----------
    target : RunState
        The state that is to be reached.

    Returns
    -------
    frozenset of RunState
        Empty for PENDING, the initial state.
    """
    return frozenset(state for state, targets in MOVES.items() if target in targets)
