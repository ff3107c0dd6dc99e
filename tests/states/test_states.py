from itertools import product

import pytest

from runwidgets.states import ACTIVE, MOVES, TERMINAL, RunState, sources

LEGAL = {
    ("PENDING", "RUNNING"),
    ("PENDING", "CANCELED"),
    ("PENDING", "ERROR"),
    ("RUNNING", "SUCCESS"),
    ("RUNNING", "ERROR"),
    ("RUNNING", "CANCELED"),
}


@pytest.mark.parametrize(("before", "after"), list(product(RunState, RunState)))
def test_exactly_the_six_moves_are_legal(before: RunState, after: RunState) -> None:
    """Of the 25 pairs of states six are moves; `sources` says the same as `MOVES`."""
    legal = (before.value, after.value) in LEGAL

    assert (after in MOVES[before]) is legal
    assert (before in sources(after)) is legal


def test_a_state_is_either_active_or_terminal() -> None:
    """The two named sets part the five states."""
    assert {RunState.PENDING, RunState.RUNNING} == ACTIVE
    assert set(RunState) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL
