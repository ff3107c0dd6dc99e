import io
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runwidgets.errors import (
    DuplicateArgumentError,
    InvalidArgumentError,
    InvalidRunStateError,
    MissingArgumentError,
    QueueFullError,
    RunWidgetsError,
    UnauthorizedAccessError,
    UnknownFileError,
    UnknownParameterError,
    UnknownRunError,
    UnknownSweepError,
    UnknownWorkflowGroupError,
)
from runwidgets.limits import Limits
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, clean_root, open_instance
from runwidgets.service.integrity.doctor import check
from tests.builders import (
    SLEEP,
    Json,
    arguments,
    checked_instance,
    ended,
    group_of,
    read,
    running,
    wait_until,
    workflow,
    write_notebook,
)

RECORD = "import runwidgets\nrunwidgets.record('double', x * 2)"
FAIL = "assert x != 2"
SEARCH = {"objectives": [{"metric": "double", "direction": "minimize"}], "space": {"x": {}}, "seed": 1}


def grid(*values: Any) -> list[list[Json]]:
    """Return a point for each value of x."""
    return [arguments(x=value) for value in values]


def done(api: Api, sweep_id: str) -> Json:
    """Wait until no run of a sweep is active."""
    return wait_until(lambda: api.sweeps.get_sweep(sweep_id), lambda handle: handle["isDone"])


def points(api: Api, sweep_id: str) -> list[Json]:
    """Return the points of a sweep as dicts."""
    table = api.sweeps.get_points(sweep_id)
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def states(api: Api, sweep_id: str) -> list[str]:
    """Return the states of a sweep's points, by number."""
    return [point["state"] for point in points(api, sweep_id)]


@pytest.fixture
def group(api: Api, folder: Path) -> str:
    """Register a notebook that records twice its argument, and fails for 2."""
    return group_of(workflow(api, folder, RECORD, FAIL, parameters="x: int = 1\nnote = ''"))


class TestStart:
    def test_a_sweep_runs_all_of_its_points_and_counts_them(self, api: Api, group: str) -> None:
        """The handle has the config and the progress; the points have arguments and metrics."""
        sent = [arguments(x=x, note="same") for x in (1, 2, 3)]

        started = api.sweeps.start_sweep(group, sent, {"timeout": 60}, "three")

        assert (started["name"], started["groupId"], started["total"]) == ("three", group, 3)
        assert started["config"] == {"timeout": 60} and started["varied"] == ["x"]
        assert sum(started["counts"].values()) == 3 and not started["isDone"]
        handle = done(api, started["id"])
        assert handle["counts"] == {"PENDING": 0, "RUNNING": 0, "SUCCESS": 2, "ERROR": 1, "CANCELED": 0}
        rows = points(api, started["id"])
        assert [row["number"] for row in rows] == [1, 2, 3]
        assert [row["arguments"] for row in rows] == [{"x": x, "note": "same"} for x in (1, 2, 3)]
        assert [row["metrics"].get("double") for row in rows] == [2, 4, 6]
        assert [row["message"] is None for row in rows] == [True, False, True]
        run = api.runs.get_run(rows[0]["id"])
        assert (run["sweepId"], run["config"], run["arguments"]) == (handle["id"], {"timeout": 60}, sent[0])

    @pytest.mark.parametrize(
        ("bad", "error", "sentence"),
        [
            (arguments(x="abc"), InvalidArgumentError, "point 3: x: 'abc' is not a whole number"),
            (arguments(y=1), UnknownParameterError, "point 3: y: there is no such parameter"),
            (arguments(x=1) * 2, DuplicateArgumentError, "point 3: x: it was given twice"),
            ([], MissingArgumentError, "point 3: x: it is required"),
            ({"x": 1}, InvalidArgumentError, "point 3: arguments: they are not a list"),
            (
                arguments(x=1, f={"type": "$file", "value": {"fileId": "nil"}}),
                UnknownFileError,
                "point 3: f: no file 'nil'",
            ),
        ],
    )
    def test_the_first_invalid_point_is_named_and_nothing_starts(
        self, api: Api, folder: Path, bad: Any, error: type[RunWidgetsError], sentence: str
    ) -> None:
        """Either all points start or none; only the first invalid one is reported."""
        group = group_of(
            workflow(api, folder, "x", parameters="import pathlib\nx: int\nf: pathlib.Path = None")
        )

        with pytest.raises(error, match=sentence) as caught:
            api.sweeps.start_sweep(group, [*grid(1, 2), bad, arguments(x="worse")])

        assert caught.value.point == 3
        assert api.sweeps.list_sweeps(group) == {"sweeps": []}
        assert api.runs.list_runs(group) == {"runs": []}

    @pytest.mark.parametrize(
        ("sent", "sentence"), [([], "there is no point"), ({"x": 1}, "they are not a list")]
    )
    def test_a_sweep_without_points_is_refused(self, api: Api, group: str, sent: Any, sentence: str) -> None:
        """The error says what to give."""
        with pytest.raises(InvalidArgumentError, match=sentence):
            api.sweeps.start_sweep(group, sent)

    @pytest.mark.parametrize(
        "config",
        [
            {"on_error": "explode"},
            {"reuse": 1},
            {"parallel": 0},
            {"parallel": 1.5},
            {"priority": 101},
            {"priority": True},
            {"key": ""},
            {"timeout": -1},
            {"speed": 1},
            {"search": True},
            {"search": {"objectives": [], "space": {}, "seed": 1}},
            {"search": {**SEARCH, "objectives": [{"metric": "double", "direction": "best"}]}},
            {"search": {**SEARCH, "space": []}},
            {"search": {**SEARCH, "seed": "1"}},
            {"search": {**SEARCH, "study": "\0"}},
            {"search": {**SEARCH, "speed": 1}},
        ],
    )
    def test_an_invalid_setting_is_refused(self, api: Api, group: str, config: Any) -> None:
        """The error names the setting of the sweep or of its runs."""
        with pytest.raises(InvalidArgumentError, match=f"config.{next(iter(config))}"):
            api.sweeps.start_sweep(group, grid(1), config)

    def test_a_sweep_knows_its_search(self, api: Api, group: str) -> None:
        """The handle has it, and it is not a setting of the runs."""
        sweep = api.sweeps.start_sweep(group, grid(1), {"search": {**SEARCH, "study": "s"}})

        assert done(api, sweep["id"])["config"] == {"search": {**SEARCH, "study": "s"}}
        assert api.runs.get_run(points(api, sweep["id"])[0]["id"])["config"] == {}

    def test_two_starts_with_one_key_are_one_sweep(self, api: Api, group: str) -> None:
        """A repeated request starts only one sweep."""
        first = api.sweeps.start_sweep(group, grid(1, 3), {"key": "k"})
        second = api.sweeps.start_sweep(group, grid(5), {"key": "k"})

        assert first["id"] == second["id"] and second["total"] == 2
        done(api, first["id"])

    def test_sweeps_are_listed_oldest_first_and_named_by_what_is_varied(self, api: Api, group: str) -> None:
        """A given name takes precedence."""
        sent = [[], arguments(note="a"), arguments(x=3, note="b")]
        started = [
            api.sweeps.start_sweep(group, sent),
            api.sweeps.start_sweep(group, grid(1)),
            api.sweeps.start_sweep(group, grid(1, 3), name="mine"),
        ]
        for each in started:
            done(api, each["id"])

        listed = api.sweeps.list_sweeps(group)["sweeps"]

        assert [each["id"] for each in listed] == [each["id"] for each in started]
        assert [each["name"] for each in listed] == ["note, x", "sweep", "mine"]
        assert [each["varied"] for each in listed] == [["note", "x"], [], ["x"]]
        assert listed == [api.sweeps.get_sweep(each["id"]) for each in started]

    def test_an_unknown_group_or_sweep_is_named(self, api: Api) -> None:
        """The error names the group or the sweep."""
        with pytest.raises(UnknownWorkflowGroupError):
            api.sweeps.start_sweep("nowhere", grid(1))
        with pytest.raises(UnknownWorkflowGroupError):
            api.sweeps.list_sweeps("nowhere")
        for ask in (
            api.sweeps.get_sweep,
            api.sweeps.get_points,
            api.sweeps.cancel_sweep,
            api.sweeps.rerun_failed,
            api.sweeps.delete_sweep,
        ):
            with pytest.raises(UnknownSweepError, match="there is no such"):
                ask("nothing")

    def test_points_take_files_that_were_uploaded(self, api: Api, folder: Path) -> None:
        """Every run has its own copy, even if the upload is deleted before it starts."""
        declared = "import pathlib\nf: pathlib.Path = None"
        group = group_of(workflow(api, folder, "print(f.read_text(), end='')", parameters=declared))
        file_id = api.uploads.upload_file(group, io.BytesIO(b"given"), "a.txt")["id"]
        file = {"type": "$file", "value": {"fileId": file_id}}

        sweep = api.sweeps.start_sweep(group, [arguments(f=file)] * 3)
        api.uploads.delete_file(group, file_id)

        done(api, sweep["id"])
        assert {api.runs.get_log(point["id"])["text"] for point in points(api, sweep["id"])} == {"given"}


class TestPoints:
    def test_points_are_paginated_by_ascending_number(self, api: Api, group: str) -> None:
        """`next` leads to the following page until there is none."""
        sweep = api.sweeps.start_sweep(group, grid(1, 3, 5, 7, 9))
        seen, after = [], None

        while True:
            page = api.sweeps.get_points(sweep["id"], after=after, limit=2)
            seen.append([row[0] for row in page["rows"]])
            if "next" not in page:
                break
            after = page["next"]

        assert seen == [[1, 2], [3, 4], [5]]
        with pytest.raises(InvalidArgumentError, match="limit: must be 1 to 2,000"):
            api.sweeps.get_points(sweep["id"], limit=0)
        with pytest.raises(InvalidArgumentError, match="after: 'x' is not a whole number"):
            api.sweeps.get_points(sweep["id"], after="x")
        done(api, sweep["id"])

    def test_points_are_added_as_a_search_learns(self, api: Api, group: str) -> None:
        """They continue the numbers, are validated in the same way, and use the sweep's settings."""
        sweep = api.sweeps.start_sweep(group, grid(1), {"timeout": 30})

        added = api.sweeps.add_points(sweep["id"], grid(3, 5))

        assert [each["number"] for each in added["runs"]] == [2, 3]
        assert added["sweep"]["total"] == 3 and added["sweep"]["varied"] == ["x"]
        assert api.runs.get_run(added["runs"][0]["id"])["config"] == {"timeout": 30}
        with pytest.raises(InvalidArgumentError, match="point 2: x: 'no' is not"):
            api.sweeps.add_points(sweep["id"], grid(7, "no"))
        done(api, sweep["id"])
        assert [point["arguments"]["x"] for point in points(api, sweep["id"])] == [1, 3, 5]

    def test_a_deleted_run_takes_its_point_along_and_the_last_one_the_sweep(
        self, api: Api, group: str
    ) -> None:
        """Counts remain correct, and the other points keep their numbers."""
        sweep = api.sweeps.start_sweep(group, grid(1, 3, 5))
        done(api, sweep["id"])
        first, second, third = points(api, sweep["id"])

        api.runs.delete_run(second["id"])

        handle = api.sweeps.get_sweep(sweep["id"])
        assert handle["total"] == handle["counts"]["SUCCESS"] == 2
        assert [point["number"] for point in points(api, sweep["id"])] == [1, 3]
        api.runs.delete_run(first["id"])
        api.runs.delete_run(third["id"])
        with pytest.raises(UnknownSweepError):
            api.sweeps.get_sweep(sweep["id"])


class TestReuse:
    def test_only_points_that_are_new_are_run(self, api: Api, group: str) -> None:
        """Points are equal if their values are equal, in any notation; failed runs are repeated."""
        first = api.sweeps.start_sweep(group, grid(1, 2, 3))
        done(api, first["id"])
        before = {point["number"]: point["id"] for point in points(api, first["id"])}

        sent = [[], *grid("3", 2, 4)]  # 1 is the default
        second = api.sweeps.start_sweep(group, sent, {"reuse": True})

        done(api, second["id"])
        rows = points(api, second["id"])
        assert [row["id"] for row in rows[:2]] == [before[1], before[3]]
        assert {row["id"] for row in rows[2:]}.isdisjoint(before.values())
        assert [row["state"] for row in rows] == ["SUCCESS", "SUCCESS", "ERROR", "SUCCESS"]
        assert len(api.runs.list_runs(group)["runs"]) == 5

    def test_a_reused_run_has_the_arguments_of_its_point(self, api: Api, group: str) -> None:
        """A run that was started with a default gets the argument too, and so its position in a grid."""
        run = ended(api, api.runs.start_run(group, [])["id"])

        sweep = api.sweeps.start_sweep(group, grid(1, 3), {"reuse": True})

        done(api, sweep["id"])
        rows = points(api, sweep["id"])
        assert rows[0]["id"] == run["id"]
        assert [row["arguments"] for row in rows] == [{"x": 1}, {"x": 3}]

    def test_a_changed_notebook_runs_all(self, api: Api, folder: Path) -> None:
        """A change of a file that the notebook reads has the same effect."""
        beside = folder / "reuse.txt"
        beside.write_text("one")
        made = workflow(api, folder, "open('reuse.txt').read()", parameters="x = 1")
        run = {"reuse": True}
        done(api, api.sweeps.start_sweep(group_of(made), grid(1, 2), run)["id"])

        again = api.sweeps.start_sweep(group_of(made), grid(1, 2), run)
        beside.write_text("another")
        changed = api.sweeps.start_sweep(group_of(made), grid(1, 2), run)

        assert again["isDone"] and again["counts"]["SUCCESS"] == 2
        done(api, changed["id"])
        assert len(api.runs.list_runs(group_of(made))["runs"]) == 4

    def test_runs_with_secrets_are_not_reused(self, api: Api, folder: Path) -> None:
        """Nothing about the secret is stored."""
        secret = {"parameters": [{"name": "key", "dtype": "string", "secret": True}]}
        group = group_of(workflow(api, folder, "len(key)", parameters="key = ''", runwidgets=secret))
        done(api, api.sweeps.start_sweep(group, [arguments(key="abc")], {"reuse": True})["id"])

        sweep = api.sweeps.start_sweep(group, [arguments(key="abc")], {"reuse": True})

        assert not sweep["isDone"]
        done(api, sweep["id"])
        with pytest.raises(InvalidRunStateError, match="no run of it failed"):
            api.sweeps.rerun_failed(sweep["id"])

    def test_deleting_a_sweep_keeps_what_it_reused_and_what_others_reuse(self, api: Api, group: str) -> None:
        """A run that another sweep counts is kept."""
        first = api.sweeps.start_sweep(group, grid(1, 3))
        done(api, first["id"])
        second = api.sweeps.start_sweep(group, grid(3, 5), {"reuse": True})
        done(api, second["id"])
        shared = points(api, second["id"])[0]["id"]

        last = api.sweeps.delete_sweep(first["id"])

        assert last["total"] == 2
        assert api.sweeps.get_sweep(second["id"])["counts"]["SUCCESS"] == 2
        assert "sweepId" not in api.runs.get_run(shared)
        api.sweeps.delete_sweep(second["id"])
        assert [each["id"] for each in api.runs.list_runs(group)["runs"]] == [shared]
        assert read(api.runs.get_notebook(shared))


class TestStop:
    def test_a_sweep_is_cancelled_as_one(self, api: Api, folder: Path) -> None:
        """Active runs are cancelled with the reason; ended runs are kept; then it can be deleted."""
        group = group_of(
            workflow(
                api, folder, f"if x:\n    {SLEEP.replace(chr(10), chr(10) + '    ')}", parameters="x = 1"
            )
        )
        sweep = api.sweeps.start_sweep(group, grid(0, *range(1, 6)))
        wait_until(lambda: states(api, sweep["id"]), lambda seen: seen[0] == "SUCCESS" and "RUNNING" in seen)
        with pytest.raises(InvalidRunStateError, match="one of its runs is active"):
            api.sweeps.delete_sweep(sweep["id"])

        handle = api.sweeps.cancel_sweep(sweep["id"], "enough")

        assert handle["counts"] == {"PENDING": 0, "RUNNING": 0, "SUCCESS": 1, "ERROR": 0, "CANCELED": 5}
        assert handle["isDone"]
        rows = points(api, sweep["id"])
        assert {(row["reason"], row["message"]) for row in rows[1:]} == {("canceled", "enough")}
        assert all(row["createdAt"] <= row["startedAt"] <= row["finishedAt"] for row in rows)
        with pytest.raises(InvalidRunStateError, match="all of its runs have ended"):
            api.sweeps.cancel_sweep(sweep["id"])
        api.sweeps.delete_sweep(sweep["id"])
        with pytest.raises(UnknownSweepError):
            api.sweeps.get_sweep(sweep["id"])
        with pytest.raises(UnknownRunError):
            api.runs.get_run(rows[0]["id"])

    def test_running_runs_may_continue(self, api: Api, folder: Path) -> None:
        """With `pending_only`, only waiting runs are cancelled."""
        group = group_of(workflow(api, folder, SLEEP, parameters="x = 1"))
        sweep = api.sweeps.start_sweep(group, grid(1, 2, 3), {"parallel": 1})
        wait_until(lambda: "RUNNING" in states(api, sweep["id"]))

        handle = api.sweeps.cancel_sweep(sweep["id"], pending_only=True)

        assert handle["counts"]["RUNNING"] == 1 and handle["counts"]["CANCELED"] == 2
        assert api.sweeps.cancel_sweep(sweep["id"])["counts"]["CANCELED"] == 3

    def test_a_paused_sweep_starts_nothing_until_it_is_resumed(self, api: Api, folder: Path) -> None:
        """Other runs use the slots, followers get an event, and running runs continue."""
        group = group_of(workflow(api, folder, SLEEP, parameters="x = 1"))
        sweep = api.sweeps.start_sweep(group, grid(1, 2), {"parallel": 1})["id"]
        wait_until(lambda: states(api, sweep) == ["RUNNING", "PENDING"])
        seen = api.events.last_event()

        handle = api.sweeps.pause_sweep(sweep)

        assert handle["isPaused"] and (handle["counts"]["RUNNING"], handle["counts"]["PENDING"]) == (1, 1)
        api.runs.cancel_run(points(api, sweep)[0]["id"])
        other = api.runs.start_run(group, arguments(x=9))["id"]
        wait_until(lambda: api.runs.get_run(other)["state"] == "RUNNING")
        assert states(api, sweep) == ["CANCELED", "PENDING"] and api.sweeps.get_sweep(sweep)["isPaused"]
        assert not api.sweeps.pause_sweep(sweep, paused=False)["isPaused"]
        wait_until(lambda: states(api, sweep) == ["CANCELED", "RUNNING"])
        stream = api.events.follow_events(seen, sweep_id=sweep)
        pauses = (each["data"]["isPaused"] for each in stream if each["kind"] == "paused")
        assert [next(pauses), next(pauses)] == [True, False]
        api.sweeps.cancel_sweep(sweep)
        api.runs.cancel_run(other)
        with pytest.raises(InvalidRunStateError, match="none of its runs is waiting"):
            api.sweeps.pause_sweep(sweep)
        assert not api.sweeps.pause_sweep(sweep, paused=False)["isPaused"]

    def test_an_error_stops_the_sweep_if_configured(self, api: Api, group: str) -> None:
        """Waiting runs are cancelled with a message that names the failed run; by default they continue."""
        sent = grid(2, *range(10, 18))
        stopping = api.sweeps.start_sweep(group, sent, {"on_error": "stop", "parallel": 1})
        going = api.sweeps.start_sweep(group, grid(2, 3), {"on_error": "continue"})

        done(api, stopping["id"])
        rows = points(api, stopping["id"])
        assert [row["state"] for row in rows] == ["ERROR"] + ["CANCELED"] * 8
        assert [row["reason"] for row in rows] == ["cell_error"] + ["sweep_stopped"] * 8
        assert {row["message"] for row in rows[1:]} == {f"run {rows[0]['id']} of the sweep ended in ERROR"}
        assert all(row["startedAt"] == row["finishedAt"] for row in rows[1:])
        done(api, going["id"])
        assert states(api, going["id"]) == ["ERROR", "SUCCESS"]

    def test_failed_points_are_rerun_in_the_same_sweep(self, api: Api, folder: Path) -> None:
        """The point gets a new run, here of today's notebook; successful runs are kept."""
        path = write_notebook(folder / f"{uuid.uuid4().hex}.ipynb", FAIL, parameters="x = 1")
        made = api.workflows.create_workflow(str(path))
        sweep = api.sweeps.start_sweep(group_of(made), grid(1, 2))
        done(api, sweep["id"])
        before = points(api, sweep["id"])
        write_notebook(path, "assert x", parameters="x = 1")

        handle = api.sweeps.rerun_failed(sweep["id"], latest=True)

        assert handle["total"] == 2 and not handle["isDone"]
        assert done(api, sweep["id"])["counts"]["SUCCESS"] == 2
        after = points(api, sweep["id"])
        assert after[0] == before[0] and after[1]["id"] != before[1]["id"]
        assert api.runs.get_run(before[1]["id"])["state"] == "ERROR"
        with pytest.raises(InvalidRunStateError, match="no run of it failed"):
            api.sweeps.rerun_failed(sweep["id"])

    def test_failed_points_are_rerun_as_they_were(self, api: Api, folder: Path) -> None:
        """Each with the version of its own run and its config, whatever has changed since."""
        path = write_notebook(folder / f"{uuid.uuid4().hex}.ipynb", FAIL, parameters="x = 1")
        made = api.workflows.create_workflow(str(path))
        sweep = api.sweeps.start_sweep(group_of(made), grid(2), {"cell_timeout": 50})["id"]
        done(api, sweep)
        write_notebook(path, "raise ValueError(x)", parameters="x = 1")
        api.sweeps.add_points(sweep, grid(3))
        done(api, sweep)
        before = [api.runs.get_run(each["id"]) for each in points(api, sweep)]
        write_notebook(path, "x", parameters="x = 'other'")

        api.sweeps.rerun_failed(sweep)

        done(api, sweep)
        after = [api.runs.get_run(each["id"]) for each in points(api, sweep)]
        for key in ("state", "version", "arguments", "config", "messages"):
            assert [each[key] for each in after] == [each[key] for each in before]
        assert after[0]["id"] != before[0]["id"] and after[0]["version"] != after[1]["version"]

    def test_chosen_points_are_rerun(self, api: Api, group: str) -> None:
        """The others keep their runs. A point whose run did not fail is refused."""
        sweep = api.sweeps.start_sweep(group, grid(2, 1, 2))
        done(api, sweep["id"])
        before = points(api, sweep["id"])

        api.sweeps.rerun_failed(sweep["id"], [3])

        done(api, sweep["id"])
        after = points(api, sweep["id"])
        assert after[:2] == before[:2] and after[2]["id"] != before[2]["id"]
        with pytest.raises(
            InvalidRunStateError, match="the run of point 2 did not fail and was not cancelled"
        ):
            api.sweeps.rerun_failed(sweep["id"], [1, 2])
        for numbers in ([], [True], ["1"], 3):
            with pytest.raises(InvalidArgumentError, match="numbers: it must be a list of numbers of points"):
                api.sweeps.rerun_failed(sweep["id"], numbers)
        assert points(api, sweep["id"]) == after

    def test_the_runs_of_an_interrupted_search_say_so(self, api: Api, folder: Path) -> None:
        """Those that ended before keep their state."""
        group = group_of(
            workflow(
                api, folder, f"if x == 2:\n    {SLEEP.replace(chr(10), chr(10) + '    ')}", parameters="x = 1"
            )
        )
        sweep = api.sweeps.start_sweep(group, grid(1, 2), {"parallel": 1})
        wait_until(lambda: states(api, sweep["id"]), lambda seen: seen[0] == "SUCCESS")

        api.sweeps.cancel_sweep(sweep["id"], "the search was interrupted", interrupted=True)

        assert [row["reason"] for row in points(api, sweep["id"])] == [None, "search_interrupted"]


def test_a_follower_of_a_sweep_sees_its_runs_and_no_others(api: Api, group: str) -> None:
    """The events cover each run from its acceptance to its end."""
    before = api.events.last_event()
    api.runs.start_run(group, arguments(x=7))
    sweep = api.sweeps.start_sweep(group, grid(1, 3))
    seen, stop = [], threading.Event()

    for event in api.events.follow_events(before, sweep_id=sweep["id"], stop=stop):
        seen.append(event)
        if sum(each["data"].get("state") == "SUCCESS" for each in seen) == 2:
            stop.set()
            break

    assert {event["sweepId"] for event in seen} == {sweep["id"]}
    assert {event["runId"] for event in seen} == {point["id"] for point in points(api, sweep["id"])}
    with pytest.raises(UnknownSweepError):
        next(iter(api.events.follow_events(0, sweep_id="nothing")))


@pytest.fixture
def private_instance(tmp_path: Path) -> Iterator[Instance]:
    """Open an instance with one slot, and check its invariants at the end."""
    options: Json = {"slots": 1, "on_shutdown": "cancel", "limits": Limits(queue=20)}
    with checked_instance(tmp_path / "root", **options) as instance:
        yield instance


def begun(api: Api, group: str) -> list[Any]:
    """Return the arguments of a group's runs in the order in which they began."""
    table = api.runs.get_table(group)
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    return [row["arguments"]["x"] for row in sorted(rows, key=lambda row: row["startedAt"] or "")]


def test_runs_are_claimed_by_priority(private_instance: Instance, tmp_path: Path) -> None:
    """The order is by priority, then by age; a run without a sweep has the priority 0."""
    api = private_instance.api()
    busy = running(api, tmp_path, SLEEP)["id"]
    group = group_of(workflow(api, tmp_path, "x", parameters="x = 1"))
    api.sweeps.start_sweep(group, grid(8, 9), {"priority": -5})
    api.runs.start_run(group, arguments(x=4))
    api.sweeps.start_sweep(group, grid(5, 6))
    api.sweeps.start_sweep(group, grid(1, 2, 3), {"priority": 100})

    api.runs.cancel_run(busy)

    for each in api.sweeps.list_sweeps(group)["sweeps"]:
        done(api, each["id"])
    assert begun(api, group) == [1, 2, 3, 4, 5, 6, 8, 9]


def test_a_sweep_executes_no_more_runs_than_allowed(tmp_path: Path) -> None:
    """Other runs use the remaining slots."""
    instance = open_instance(tmp_path / "root", slots=3, on_shutdown="cancel")
    api = instance.api()
    group = group_of(workflow(api, tmp_path, SLEEP, parameters="x = 1"))

    narrow = api.sweeps.start_sweep(group, grid(1, 2, 3), {"parallel": 2, "priority": 1})
    other = api.runs.start_run(group, arguments(x=9))["id"]

    wait_until(lambda: api.runs.get_run(other)["state"] == "RUNNING")
    wait_until(lambda: states(api, narrow["id"]).count("RUNNING") == 2)
    assert check(tmp_path / "root") == []
    assert states(api, narrow["id"]) == ["RUNNING", "RUNNING", "PENDING"]
    instance.close()


def test_a_sweep_that_does_not_fit_into_the_queue_leaves_nothing(
    private_instance: Instance, tmp_path: Path
) -> None:
    """Neither rows nor directories remain."""
    api = private_instance.api()
    group = group_of(workflow(api, tmp_path, "x", parameters="x = 1"))

    with pytest.raises(QueueFullError, match="20 runs may wait"):
        api.sweeps.start_sweep(group, grid(*range(21)))

    assert api.sweeps.list_sweeps(group) == {"sweeps": []} and api.runs.list_runs(group) == {"runs": []}
    assert list((tmp_path / "root" / "runs").iterdir()) == []


def test_a_stopped_sweep_keeps_no_secret(private_instance: Instance, tmp_path: Path) -> None:
    """Neither does a cancelled one, because no kernel still needs it."""
    api = private_instance.api()
    secret = {"parameters": [{"name": "key", "dtype": "string", "secret": True}]}
    group = group_of(workflow(api, tmp_path, "1 / 0", parameters="key = ''", runwidgets=secret))
    for config in ({"on_error": "stop"}, {}):
        sweep = api.sweeps.start_sweep(group, [arguments(key="hush")] * 4, config)
        if not config:
            api.sweeps.cancel_sweep(sweep["id"])
        done(api, sweep["id"])
        wait_until(lambda: not private_instance._backend._tracked)
        assert list((tmp_path / "root" / "runs").glob("*/secrets.json")) == []
    with pytest.raises(InvalidArgumentError, match="key: it is secret and was not stored"):
        api.sweeps.rerun_failed(sweep["id"])


def test_the_retention_keeps_the_files_of_a_sweep_that_is_being_accepted(tmp_path: Path) -> None:
    """Its directories exist before its rows."""
    instance = open_instance(tmp_path / "root", slots=1, on_shutdown="cancel")
    api = instance.api()
    group = group_of(workflow(api, tmp_path, "x", parameters="x = 1"))
    running(api, tmp_path, SLEEP)
    ending, removed = threading.Event(), []

    def work() -> None:
        while not ending.is_set():
            removed.extend(clean_root(tmp_path / "root"))

    cleaner = threading.Thread(target=work)
    cleaner.start()
    sweep = api.sweeps.start_sweep(group, grid(*range(300)))
    ending.set()
    cleaner.join()

    kept = {path.name for path in (tmp_path / "root" / "runs").iterdir()}
    assert removed == [] and {point["id"] for point in points(api, sweep["id"])} <= kept
    instance.close()


def test_points_that_are_added_concurrently_have_different_numbers(
    private_instance: Instance, tmp_path: Path
) -> None:
    """Searches add points concurrently."""
    api = private_instance.api()
    group = group_of(workflow(api, tmp_path, "x", parameters="x = 1"))
    sweep = api.sweeps.start_sweep(group, grid(0))
    pauses: list[int] = []

    def add(x: int) -> None:
        pauses.extend(each["number"] for each in api.sweeps.add_points(sweep["id"], grid(x, x))["runs"])

    threads = [threading.Thread(target=add, args=(x,)) for x in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(pauses) == list(range(2, 10))
    assert [point["number"] for point in points(api, sweep["id"])] == list(range(1, 10))
    done(api, sweep["id"])


def test_a_key_in_the_config_of_a_group_does_not_apply_to_sweeps(
    private_instance: Instance, tmp_path: Path
) -> None:
    """The key is meant for single runs."""
    api = private_instance.api()
    made = workflow(api, tmp_path, "x", parameters="x = 1")
    group = api.groups.create_group(made["id"], "keyed", engine_config={"key": "k", "timeout": 50})["id"]

    sweep = api.sweeps.start_sweep(group, grid(1, 2))

    assert done(api, sweep["id"])["counts"]["SUCCESS"] == 2
    run = api.runs.get_run(points(api, sweep["id"])[0]["id"])
    assert run["config"] == {"timeout": 50}


def test_points_are_removed_with_old_runs(private_instance: Instance, tmp_path: Path) -> None:
    """A sweep is removed with its last run, a group with all of its sweeps."""
    api = private_instance.api()
    made = workflow(api, tmp_path, FAIL, parameters="x = 1")
    group = api.groups.create_group(made["id"], "old")["id"]
    first = api.sweeps.start_sweep(group, grid(1, 2))
    done(api, first["id"])
    api.sweeps.rerun_failed(first["id"])
    done(api, first["id"])
    second = api.sweeps.start_sweep(group, grid(1, 3), {"reuse": True})
    done(api, second["id"])
    wait_until(lambda: not private_instance._backend._tracked)

    list(clean_root(tmp_path / "root", None, 0, 1))

    assert [each["id"] for each in api.sweeps.list_sweeps(group)["sweeps"]] == [second["id"]]
    assert [point["number"] for point in points(api, second["id"])] == [2]
    api.groups.delete_group(group)
    with pytest.raises(UnknownSweepError):
        api.sweeps.get_sweep(second["id"])


def test_a_sweep_of_others_is_closed(tmp_path: Path) -> None:
    """A user who is not a member of its group may neither read nor change it."""
    instance = open_instance(tmp_path / "root", slots=1, access="members")
    ada, bob = instance.api("ada"), instance.api("bob")
    group = group_of(workflow(ada, tmp_path, "x", parameters="x = 1"))
    sweep = ada.sweeps.start_sweep(group, grid(1))
    assert sweep["createdBy"] == "ada"

    for refused in (
        lambda: bob.sweeps.start_sweep(group, grid(1)),
        lambda: bob.sweeps.list_sweeps(group),
        lambda: bob.sweeps.get_sweep(sweep["id"]),
        lambda: bob.sweeps.get_points(sweep["id"]),
        lambda: bob.sweeps.add_points(sweep["id"], grid(2)),
        lambda: bob.sweeps.cancel_sweep(sweep["id"]),
        lambda: bob.sweeps.rerun_failed(sweep["id"]),
        lambda: bob.sweeps.delete_sweep(sweep["id"]),
        lambda: bob.events.follow_events(0, sweep_id=sweep["id"]),
    ):
        with pytest.raises(UnauthorizedAccessError, match="bob is not a member"):
            refused()
    done(ada, sweep["id"])
    instance.close()


def test_a_run_of_a_sweep_that_is_started_again_belongs_to_none(
    private_instance: Instance, tmp_path: Path
) -> None:
    """It has the settings of the runs, and none of the sweep's."""
    api = private_instance.api()
    group = group_of(workflow(api, tmp_path, "x", parameters="x = 1"))
    sweep = api.sweeps.start_sweep(group, grid(1), {"timeout": 9, "priority": 5, "key": "k"})
    done(api, sweep["id"])

    again = api.runs.rerun(points(api, sweep["id"])[0]["id"])

    assert "sweepId" not in again and again["config"] == {"timeout": 9}
    ended(api, again["id"])
