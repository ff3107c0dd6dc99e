"""Metrics by step: every value is stored, the last one is the metric, the notebook remains small."""

from pathlib import Path

import pytest

import runwidgets as rw
from runwidgets.errors import InvalidArgumentError
from runwidgets.service.contracts.api import Api
from runwidgets.store.database.metrics import RecordedValue, metric_events
from tests.builders import finished

TRAINS = """
import runwidgets
for epoch in range(500):
    runwidgets.record("loss", 1 / (epoch + 1), step=epoch)
runwidgets.record("rate", float("inf"), step=0.5)
runwidgets.record("rate", 2, step=0.25)
runwidgets.record("rate", 3, step=0.5)
runwidgets.record("size", 7)
"""
TRIES = """
import pathlib, runwidgets
count = pathlib.Path({path!r})
first = not count.exists()
count.touch()
for step in range(9 if first else 3):
    runwidgets.record("loss", 100 if first else step, step=step)
assert not first
"""


def test_a_series_is_kept_whole_and_the_notebook_small(api: Api, folder: Path) -> None:
    """Steps are in ascending order, and each series has one output per cell."""
    run = rw.Run(api, finished(api, folder, TRAINS)["id"])

    assert run.series("loss") == [(epoch, 1 / (epoch + 1)) for epoch in range(500)]
    assert run.series("rate") == [(0.25, 2.0), (0.5, 3.0)]
    assert run.metrics == {"loss": 1 / 500, "rate": 3, "size": 7}
    shown = [output["data"]["text/plain"] for output in run.notebook.cells[-1].outputs]
    assert shown == ["loss = 0.002 (step 499)", "rate = 3 (step 0.5)", "size = 7"]
    with pytest.raises(InvalidArgumentError, match=r"size: run .* has no such series; it has loss, rate"):
        run.series("size")


def test_a_series_is_thinned_to_a_limit(api: Api, folder: Path) -> None:
    """The points are evenly spaced and include both ends."""
    run_id = finished(api, folder, TRAINS)["id"]

    few = api.runs.get_series(run_id, limit=3)["series"]

    assert few["loss"]["steps"] == [0, 250, 499] and few["rate"]["steps"] == [0.25, 0.5]
    with pytest.raises(InvalidArgumentError, match="limit"):
        api.runs.get_series(run_id, limit=1)


def test_events_contain_every_point(api: Api, folder: Path) -> None:
    """Few events suffice."""
    seen = api.events.last_event()
    run_id = finished(api, folder, TRAINS)["id"]

    records: list[dict] = []
    for event in api.events.follow_events(seen, run_id=run_id):
        records.append(event)
        if event["kind"] == "state" and event["data"]["state"] == "SUCCESS":
            break

    loss = [each["data"] for each in records if each["kind"] == "metric" and each["data"]["name"] == "loss"]
    assert [step for each in loss for step, _ in each["points"]] == list(range(500))
    assert len(loss) < 50 and loss[-1]["value"] == 1 / 500


def test_a_retried_run_has_the_series_of_its_last_attempt(api: Api, folder: Path) -> None:
    """The points of the failed attempt are not included."""
    code = TRIES.format(path=str(folder / "tried"))

    run = rw.Run(api, finished(api, folder, code, config={"retries": 1})["id"])

    assert run.series("loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_events_keep_the_order_of_values() -> None:
    """The last event has the final value of the metric."""
    records = metric_events(
        [RecordedValue("a", 1, 0), RecordedValue("a", 2, 1), RecordedValue("a", 5), RecordedValue("a", 3, 2)]
    )

    assert [each["value"] for each in records] == [2, 5, 3]
    assert [each.get("points") for each in records] == [[[0, 1], [1, 2]], None, [[2, 3]]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((["x"], 1), "a value of a series is a number"),
        ((1, "one"), "a step is a number, not 'one'"),
        ((1, float("nan")), "a step is a number, not nan"),
        ((True, 1), "a value of a series is a number"),
    ],
)
def test_an_invalid_series_is_refused(given: tuple, said: str) -> None:
    """The error is raised where the value is recorded."""
    with pytest.raises(TypeError, match=said):
        rw.record("loss", given[0], step=given[1])


def test_without_a_notebook_a_step_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A template may also be executed as a script."""
    rw.record("loss", 0.5, step=3)

    assert capsys.readouterr().out == "loss = 0.5 (step 3)\n"
