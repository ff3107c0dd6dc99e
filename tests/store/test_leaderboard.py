"""Ranking: the index gives the same result as sorting everything."""

import random
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from runwidgets.schema import RunReason
from runwidgets.states import RunState
from runwidgets.store.database.database import Database
from runwidgets.store.database.metrics import RecordedValue
from runwidgets.store.database.runs.runs import Runs
from runwidgets.store.database.tables import groups, scores
from tests.store.conftest import NOW, run_row

GROUPS = ["g", "a", "b", "empty"]
STRANGE = {"loss": True, "speed": "fast", "\0": 1.0, "n" * 300: 1.0, "huge": 10**400}
"""Metrics that nothing is ranked by."""


@pytest.fixture
def ranked(database: Database, queue: Runs) -> list[dict[str, Any]]:
    """Create runs with few different values, some missing or not numbers, and return their metrics."""
    with database.write() as connection:
        more = {"workflow_id": "w", "parameters": [], "config": {}, "is_default": False, "created_at": NOW}
        connection.execute(insert(groups), [{"id": name, "name": name, **more} for name in GROUPS[1:]])
    chance = random.Random(6)
    made = []
    for number in range(60):
        metrics: dict[str, Any] = {
            name: chance.choice(([0, 1, 2.5, "Infinity", "-Infinity", "NaN"], [3, -1])[name == "speed"])
            for name in ("loss", "speed")
            if chance.random() < 0.7
        }
        metrics = {**metrics, **STRANGE} if number % 10 == 0 else metrics
        run = {"id": f"r{number}", "group": chance.choice(GROUPS[:3]), "metrics": metrics}
        queue.accept([{**run_row(run["id"]), "group_id": run["group"]}], 100)
        queue.claim("host", "instance", 100)
        if metrics:
            queue.store_progress(
                run["id"], metrics=[RecordedValue(name, value) for name, value in metrics.items()]
            )
        state = RunState.ERROR if number % 7 == 3 else RunState.SUCCESS
        reason = RunReason.CELL_ERROR if state is RunState.ERROR else None
        queue.move(run["id"], state, reason, holds_slot=False)
        made += [run] if state is RunState.SUCCESS else []
    return made


def place(metrics: dict[str, Any], order: list[tuple[str, bool]]) -> list[tuple[int, float]]:
    """Return the sort key of a run: numbers, infinity among them, then NaN and other values."""
    given = [(metrics.get(name), is_descending) for name, is_descending in order]
    values = [
        (float(value) if isinstance(value, str) and value.endswith("Infinity") else value, is_descending)
        for value, is_descending in given
    ]
    return [
        (1, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float))
        else (0, -value if down else value)
        for value, down in values
    ]


@pytest.mark.parametrize("few", [0, 50], ids=["many groups", "few groups"])
@pytest.mark.parametrize(
    "order",
    [
        [],
        [("loss", False)],
        [("loss", True)],
        [("speed", True), ("loss", False)],
        [("nothing", True), ("loss", True), ("speed", False)],
        [("\0", True), ("n" * 300, True), ("speed", False)],
    ],
)
def test_the_best_runs_are_the_first_of_all_runs_sorted(
    queue: Runs,
    ranked: list[dict[str, Any]],
    order: list[tuple[str, bool]],
    few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The best runs of each group and of all; among equals the oldest, without an order the newest."""
    monkeypatch.setattr("runwidgets.store.database.leaderboard.MAX_UNION", few)
    known = [pair for pair in order if pair[0].isprintable() and len(pair[0]) < 300]
    oldest_first = sorted(ranked, key=lambda run: place(run["metrics"], known))
    expected = oldest_first if order else ranked[::-1]
    firsts = {run["group"]: run["id"] for run in reversed(expected)}

    assert {row.group_id: row.id for row in queue.best(GROUPS, order)} == firsts
    for most in (1, 7, 1000):
        found = {row.id for row in queue.best(GROUPS, order, most)}
        assert found == {run["id"] for run in expected[:most]}
    assert {row.group_id for row in queue.best(["a"], order, 1000)} == {"a"}


def test_scores_are_deleted_with_their_run(
    database: Database, queue: Runs, ranked: list[dict[str, Any]]
) -> None:
    """Only successful runs have scores, and none remains."""
    assert queue.best(["empty"], [("loss", True)]) == queue.best([], [], 9) == []
    for run in ranked:
        queue.delete(run["id"])

    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(scores)).scalar_one() == 0
