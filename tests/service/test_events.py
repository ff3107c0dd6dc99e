import threading
from pathlib import Path
from typing import Any

import pytest

from runwidgets.errors import UnknownRunError, UnknownWorkflowGroupError
from runwidgets.service.contracts.api import Api
from runwidgets.service.contracts.events import EventStream
from tests.builders import accepted, finished, group_of, wait_until, workflow

CELLS = (
    "import runwidgets\nrunwidgets.record('loss', 1)\nprint('hello')",
    "runwidgets.progress(0.5, 'half')",
)


def follow(api: Api, after: int, run_id: str) -> list[dict[str, Any]]:
    """Return the events of a run until its end."""
    seen = []
    stop = threading.Event()
    for event in api.events.follow_events(after, run_id=run_id, stop=stop):
        seen.append(event)
        if event["kind"] == "state" and event["data"]["state"] in {"SUCCESS", "ERROR", "CANCELED"}:
            stop.set()
            break
    return seen


def test_a_follower_sees_everything_in_order(api: Api, folder: Path) -> None:
    """The events lead from PENDING to SUCCESS, with metrics, progress and the size of the log."""
    before = api.events.last_event()
    run_id = accepted(api, folder, *CELLS)["id"]

    seen = follow(api, before, run_id)

    numbers = [event["seq"] for event in seen]
    assert numbers == sorted(set(numbers)) and numbers[0] > before
    assert {event["runId"] for event in seen} == {run_id}
    states = [event["data"]["state"] for event in seen if event["kind"] == "state"]
    assert states == ["PENDING", "RUNNING", "SUCCESS"]
    assert [event["data"] for event in seen if event["kind"] == "metric"] == [{"name": "loss", "value": 1}]
    assert [event["data"]["text"] for event in seen if event["kind"] == "progress"][-1] == "half"
    assert [event["data"] for event in seen if event["kind"] == "log"][-1] == {"size": 6}


def test_a_follower_that_resumes_misses_nothing(api: Api, folder: Path) -> None:
    """Only the events after the last one seen are sent."""
    before = api.events.last_event()
    run_id = finished(api, folder, *CELLS)["id"]
    whole = follow(api, before, run_id)

    for at, event in enumerate(whole[:-1]):
        assert follow(api, event["seq"], run_id) == whole[at + 1 :]


def test_a_stream_is_closed_by_another_thread(api: Api, folder: Path) -> None:
    """The thread that waits for an event ends without an error; so does one that iterates later."""
    live = api.events.follow_events(api.events.last_event())
    seen: list[Any] = []
    ends: list[object] = []

    def iterate() -> None:
        try:
            for event in live:
                seen.append(event)
            ends.append("end")
        except Exception as error:
            ends.append(error)

    thread = threading.Thread(target=iterate)
    thread.start()
    finished(api, folder, "1")
    wait_until(lambda: seen)

    live.close()
    live.close()
    thread.join(10)

    assert ends == ["end"]
    assert list(live) == []


def test_streams_that_are_closed_at_any_moment_raise_nothing(api: Api, folder: Path) -> None:
    """Threads iterate while others close, also before the first event and after the last one."""
    streams = [api.events.follow_events(0) for _ in range(20)]
    ends: list[object] = []

    def iterate(live: EventStream) -> None:
        try:
            for _ in live:
                pass
            ends.append("end")
        except Exception as error:
            ends.append(error)

    threads = [threading.Thread(target=iterate, args=[live]) for live in streams]
    for thread in threads:
        thread.start()
    for live in streams:
        live.close()
    for thread in threads:
        thread.join(10)

    assert ends == ["end"] * len(streams)


def test_a_deletion_is_an_event(api: Api, folder: Path) -> None:
    """Followers of the run's group receive it."""
    group_id = group_of(workflow(api, folder, "1"))
    run_id = api.runs.start_run(group_id, [])["id"]
    api.runs.cancel_run(run_id)
    before = api.events.last_event()

    api.runs.delete_run(run_id)

    event = next(iter(api.events.follow_events(before, group_id=group_id)))
    assert (event["kind"], event["runId"]) == ("deleted", run_id)


def test_only_what_exists_can_be_followed(api: Api) -> None:
    """An unknown run or group raises an error before the first event."""
    with pytest.raises(UnknownRunError):
        next(iter(api.events.follow_events(0, run_id="nothing")))
    with pytest.raises(UnknownWorkflowGroupError):
        next(iter(api.events.follow_events(0, group_id="nothing")))
