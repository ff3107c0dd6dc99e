"""Metrics by step: each value is kept, the last one is the metric's, the notebook stays small."""

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
    """Steps in order, whatever was recorded first; an output per series and cell."""
    run = rw.Run(api, finished(api, folder, TRAINS)["id"])

    assert run.series("loss") == [(epoch, 1 / (epoch + 1)) for epoch in range(500)]
    assert run.series("rate") == [(0.25, 2.0), (0.5, 3.0)]
    assert run.metrics == {"loss": 1 / 500, "rate": 3, "size": 7}
    shown = [output["data"]["text/plain"] for output in run.notebook.cells[-1].outputs]
    assert shown == ["loss = 0.002 (step 499)", "rate = 3 (step 0.5)", "size = 7"]
    with pytest.raises(InvalidArgumentError, match=r"size: run .* has no such series; it has loss, rate"):
        run.series("size")


def test_few_points_of_many_are_given_where_few_are_wanted(api: Api, folder: Path) -> None:
    """Evenly, both ends among them."""
    run_id = finished(api, folder, TRAINS)["id"]

    few = api.runs.get_series(run_id, limit=3)["series"]

    assert few["loss"]["steps"] == [0, 250, 499] and few["rate"]["steps"] == [0.25, 0.5]
    with pytest.raises(InvalidArgumentError, match="limit"):
        api.runs.get_series(run_id, limit=1)


def test_a_live_view_is_told_of_every_point(api: Api, folder: Path) -> None:
    """In few events."""
    seen = api.events.last_event()
    run_id = finished(api, folder, TRAINS)["id"]

    told: list[dict] = []
    for event in api.events.follow_events(seen, run_id=run_id):
        told.append(event)
        if event["kind"] == "state" and event["data"]["state"] == "SUCCESS":
            break

    loss = [each["data"] for each in told if each["kind"] == "metric" and each["data"]["name"] == "loss"]
    assert [step for each in loss for step, _ in each["points"]] == list(range(500))
    assert len(loss) < 50 and loss[-1]["value"] == 1 / 500


def test_a_run_that_is_tried_again_has_the_series_of_its_last_attempt(api: Api, folder: Path) -> None:
    """Nothing of the one that failed is among it."""
    code = TRIES.format(path=str(folder / "tried"))

    run = rw.Run(api, finished(api, folder, code, config={"retries": 1})["id"])

    assert run.series("loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_values_between_which_another_stands_are_told_in_order() -> None:
    """What is told last is what the run keeps."""
    told = metric_events(
        [RecordedValue("a", 1, 0), RecordedValue("a", 2, 1), RecordedValue("a", 5), RecordedValue("a", 3, 2)]
    )

    assert [each["value"] for each in told] == [2, 5, 3]
    assert [each.get("points") for each in told] == [[[0, 1], [1, 2]], None, [[2, 3]]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((["x"], 1), "a value of a series is a number"),
        ((1, "one"), "a step is a number, not 'one'"),
        ((1, float("nan")), "a step is a number, not nan"),
        ((True, 1), "a value of a series is a number"),
    ],
)
def test_what_is_no_series_is_refused(given: tuple, said: str) -> None:
    """Where it is recorded."""
    with pytest.raises(TypeError, match=said):
        rw.record("loss", given[0], step=given[1])


def test_without_a_notebook_a_step_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A template is a script, too."""
    rw.record("loss", 0.5, step=3)

    assert capsys.readouterr().out == "loss = 0.5 (step 3)\n"
