"""The state machine of a run, as data.

Everything about the machine stands in this file, and the file knows nobody's role: the database
makes its ``CHECK`` and its ``WHERE state IN (...)`` from these tables, the docs their diagram.
"""

from enum import Enum


class RunState(str, Enum):
    """The five states of a run."""

    PENDING = "PENDING"
    """Accepted and on disk; waits for a slot."""
    RUNNING = "RUNNING"
    """Claimed by a host; its runner executes it."""
    SUCCESS = "SUCCESS"
    """Every cell ran; the result files are listed and hashed."""
    ERROR = "ERROR"
    """It could not be started, raised, ran out of time or was lost; the messages say which."""
    CANCELED = "CANCELED"
    """Somebody stopped it."""

    def __str__(self) -> str:
        return self.value


MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.PENDING: frozenset({RunState.RUNNING, RunState.CANCELED, RunState.ERROR}),
    RunState.RUNNING: frozenset({RunState.SUCCESS, RunState.ERROR, RunState.CANCELED}),
    RunState.SUCCESS: frozenset(),
    RunState.ERROR: frozenset(),
    RunState.CANCELED: frozenset(),
}
"""Where a run may go from each state."""

TERMINAL = frozenset(state for state, targets in MOVES.items() if not targets)
"""States that never change."""

ACTIVE = frozenset(MOVES) - TERMINAL
"""States of a run that still has something to do."""


def sources(target: RunState) -> frozenset[RunState]:
    """Return the states from which a run may move to a target.

    Parameters
    ----------
    target : RunState
        The state to be reached.

    Returns
    -------
    frozenset of RunState
        Empty for PENDING, which a run is only born in.
    """
    return frozenset(state for state, targets in MOVES.items() if target in targets)
