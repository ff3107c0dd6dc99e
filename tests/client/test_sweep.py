"""Sweeps from Python: started, followed and read."""

import asyncio
import json
from pathlib import Path

import pandas as pd
import pytest

import runwidgets as rw
from runwidgets.errors import (
    InvalidArgumentError,
    InvalidRunStateError,
    InvalidTemplateError,
    UnknownFileError,
    UnknownSweepError,
)
from runwidgets.service.contracts.api import Api
from tests.builders import SLEEP, write_notebook

STUDY = """
import runwidgets
if depth == 3:
    raise ValueError("3 is not allowed")
runwidgets.record("loss", float("nan") if depth == 4 else lr * depth)
open("loss.txt", "w").write(str(lr * depth))
open("plot.png", "wb").write(b"picture " + str(depth).encode())
"""
PARAMETERS = "lr: float = 0.1\ndepth: int = 2\nmodel: str = 'tree'"
REPORT = """
import json, pathlib, runwidgets
found = sorted(path for path in pathlib.Path(runs).iterdir())
about = [json.loads((path / "run.json").read_text()) for path in found]
runwidgets.record("losses", [float((path / "loss.txt").read_text()) for path in found])
runwidgets.record("numbers", [each["number"] for each in about])
runwidgets.record("depths", [each["arguments"]["depth"] for each in about])
"""


@pytest.fixture
def study(folder: Path) -> Path:
    """Write a notebook with a loss."""
    return write_notebook(folder / "study.ipynb", STUDY, parameters=PARAMETERS)


def test_a_sweep_is_started_waited_for_and_read(api: Api, study: Path) -> None:
    """Counts, best run and runs in order need one line each."""
    sweep = rw.sweep(study, lr=[0.1, 0.01], depth=range(1, 4), api=api)

    assert (len(sweep), sweep.name) == (6, "lr, depth")
    assert sweep.wait(60) is sweep and sweep.is_done
    assert {state: count for state, count in sweep.counts.items() if count} == {"SUCCESS": 4, "ERROR": 2}
    assert [run.arguments["depth"] for run in sweep] == [1, 2, 3, 1, 2, 3]
    assert sweep.best("loss").arguments == {"lr": 0.01, "depth": 1}
    assert sweep.best("loss", "maximize").arguments == {"lr": 0.1, "depth": 2}
    assert repr(rw.Sweep(api, sweep.id)) == f"Sweep('{sweep.id}', 6 points: 4 SUCCESS, 2 ERROR)"
    with pytest.raises(
        InvalidArgumentError, match="los: no successful run recorded it as a number; they recorded"
    ):
        sweep.best("los")


def test_a_sweep_becomes_a_frame(api: Api, study: Path) -> None:
    """Columns have the right dtypes, missing values are missing, and NaN is a number."""
    frame = rw.sweep(study, {"lr": [0.5], "depth": [2, 3, 4]}, api=api).wait(60).to_frame()

    assert frame.index.tolist() == [1, 2, 3] and frame.index.name == "number"
    assert frame["state"].tolist() == ["SUCCESS", "ERROR", "SUCCESS"]
    assert frame["depth"].dtype == "int64" and frame["lr"].dtype == "float64"
    assert frame["loss"].dtype == "float64" and frame["loss"].isna().tolist() == [False, True, True]
    assert frame["loss"][1] == 1.0
    assert isinstance(frame["started"].dtype, pd.DatetimeTZDtype) and (frame["duration"] > 0).all()
    assert "3 is not allowed" in frame["message"][2]


def test_runs_are_yielded_in_the_order_in_which_they_end(api: Api, folder: Path) -> None:
    """`for` and `async for` yield them; runs that have ended already come first."""
    path = write_notebook(folder / "sleepy.ipynb", "import time\ntime.sleep(wait)", parameters="wait = 0.0")
    sweep = rw.sweep(path, wait=[1.5, 0.0], api=api)

    assert [run.arguments["wait"] for run in sweep.as_completed(60)] == [0.0, 1.5]
    assert len(list(sweep.as_completed(1))) == 2

    async def collect_states() -> list[str]:
        return [run.state.value async for run in rw.sweep(path, wait=[0.0, 0.1], api=api).as_completed(60)]

    assert asyncio.run(collect_states()) == ["SUCCESS", "SUCCESS"]


def test_a_wait_times_out_and_a_sweep_is_cancelled_rerun_and_deleted(api: Api, folder: Path) -> None:
    """The runs continue after the timeout."""
    sweep = rw.sweep(
        write_notebook(folder / "endless.ipynb", SLEEP, parameters="x = 1"), x=[1, 2, 3], api=api
    )

    with pytest.raises(TimeoutError, match="3 runs of sweep"):
        sweep.wait(0.5)
    assert sweep.cancel("enough").counts["CANCELED"] == 3
    assert {run.messages[0] for run in sweep} == {"enough"}
    with pytest.raises(InvalidRunStateError):
        sweep.cancel()
    assert sweep.rerun_failed().cancel().is_done
    sweep.delete()
    with pytest.raises(UnknownSweepError):
        rw.Sweep(api, sweep.id)


def test_a_sweep_is_paused_and_resumed(api: Api, folder: Path) -> None:
    """Each needs one call."""
    notebook = write_notebook(folder / "long.ipynb", SLEEP, parameters="x = 1")
    sweep = rw.sweep(notebook, x=[1, 2], config={"parallel": 1}, api=api)

    assert sweep.pause().is_paused and not sweep.resume().is_paused
    sweep.cancel()


def test_spaces_and_keywords_combine_and_an_invalid_point_starts_nothing(api: Api, study: Path) -> None:
    """The error names the first invalid point."""
    space = rw.zip(lr=[0.1, 0.2], depth=[1, 2])
    sweep = rw.sweep(study, space, model=["a", "b"], api=api)

    assert [tuple(row["arguments"].values()) for row in sweep.wait(60).points()] == [
        (0.1, 1, "a"), (0.1, 1, "b"), (0.2, 2, "a"), (0.2, 2, "b"),
    ]  # fmt: skip
    before = len(api.runs.list_runs(sweep.handle["groupId"])["runs"])
    with pytest.raises(InvalidArgumentError, match="point 2: depth: 'many' is not a whole number"):
        rw.sweep(study, depth=[1, "many", "more"], api=api)
    assert len(api.runs.list_runs(sweep.handle["groupId"])["runs"]) == before


def test_only_new_points_run_where_runs_are_reused_and_a_changed_notebook_runs_all(
    api: Api, folder: Path
) -> None:
    """Runs are compared by template and arguments."""
    path = write_notebook(folder / "reused.ipynb", "print(x)", parameters="x = 1")
    first = rw.sweep(path, x=[1, 2], api=api).wait(60)

    again = rw.sweep(path, x=[1, 2, 3], config={"reuse": True}, api=api).wait(60)
    write_notebook(path, "print(x, 'changed')", parameters="x = 1")
    changed = rw.sweep(path, x=[1, 2, 3], config={"reuse": True}, api=api).wait(60)

    ids = [{row["id"] for row in sweep.points()} for sweep in (first, again, changed)]
    assert [len(each) for each in ids] == [2, 3, 3]
    assert ids[0] < ids[1] and not ids[1] & ids[2]


def test_pictures_are_labelled_with_the_varied_arguments(api: Api, study: Path) -> None:
    """Labels are escaped, and pictures are embedded."""
    sweep = rw.sweep(study, depth=[1, 2], model="<b>", api=api).wait(60)

    shown = sweep.images("plot.png")._repr_html_()

    assert len(sweep.images("plot.png")) == 2
    assert "depth = 1" in shown and "data:image/png;base64,cGljdHVyZSAy" in shown
    with pytest.raises(UnknownFileError, match=r"other.png: no successful run has such a file"):
        sweep.images("other.png")


def test_a_notebook_summarizes_the_results(api: Api, study: Path, folder: Path) -> None:
    """Its parameter `runs` is a folder with the files of each successful run."""
    report = write_notebook(folder / "report.ipynb", REPORT, parameters="runs: str\ntitle: str = ''")
    sweep = rw.sweep(study, depth=[1, 2, 3], lr=1.0, api=api).wait(60)

    run = sweep.summarize(report, title="all").wait(60)

    assert run.messages == []
    assert run.metrics == {"losses": [1.0, 2.0], "numbers": [1, 2], "depths": [1, 2]}
    assert list(run.files) == ["report.ipynb"]
    with pytest.raises(InvalidTemplateError, match="it has no parameter 'runs'"):
        sweep.summarize(study)
    failed = rw.sweep(study, depth=3, api=api).wait(60)
    with pytest.raises(InvalidArgumentError, match="no run of the sweep has succeeded"):
        failed.summarize(report)


def test_a_sweep_has_a_static_representation(api: Api, study: Path) -> None:
    """It consists of text and a table; the saved card names the sweep."""
    sweep = rw.sweep(study, depth=[1, 2], name="<i>study</i>", api=api).wait(60)

    bundle = sweep._repr_mimebundle_()

    assert json.loads(json.dumps(bundle))["application/vnd.runwidgets.sweep+json"]["sweep_id"] == sweep.id
    assert "&lt;i&gt;study" in bundle["text/html"] and "<i>" not in bundle["text/html"]
    assert bundle["text/plain"] == f"Sweep('{sweep.id}', 2 points: 2 SUCCESS)"
