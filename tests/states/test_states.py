from itertools import product
from pathlib import Path
from typing import get_args

import pytest
import yaml

from runwidgets import server
from runwidgets.schema import CANCELED_REASONS, ReasonName, RunReason
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
    """Of the 25 pairs of states, six are moves; `sources` agrees with `MOVES`."""
    legal = (before.value, after.value) in LEGAL

    assert (after in MOVES[before]) is legal
    assert (before in sources(after)) is legal


def test_a_state_is_either_active_or_terminal() -> None:
    """Each of the five states is in exactly one of the two sets."""
    assert {RunState.PENDING, RunState.RUNNING} == ACTIVE
    assert set(RunState) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL


def test_a_reason_is_the_same_as_a_text_and_as_a_member() -> None:
    """The wire type and the schema of Jupyter's events have exactly the reasons of the enum."""
    members = [reason.value for reason in RunReason]
    schema = yaml.safe_load(
        Path(server.__file__).with_name("events").joinpath("schemas/run_state/v1.yaml").read_text()
    )

    assert list(get_args(ReasonName)) == members
    assert schema["properties"]["reason"]["enum"] == members
    assert set(RunReason) >= CANCELED_REASONS
