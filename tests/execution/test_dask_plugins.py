import threading
from types import SimpleNamespace
from typing import Any

import pytest

from runwidgets.errors import InvalidRunStateError, ServiceUnavailableError
from runwidgets.execution.dask import worker_plugin as module
from runwidgets.execution.dask.scheduler_plugin import RunSchedulerPlugin
from runwidgets.execution.dask.worker_plugin import RunWorkerPlugin, WorkerRunQueue
from runwidgets.limits import Limits
from runwidgets.states import RunState
from runwidgets.store.database.metrics import RecordedValue


class Home:
    """Stores the messages that are sent to the instance."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.queue = WorkerRunQueue(self.heard.append)


def test_progress_is_sent_at_once() -> None:
    """Progress, metrics and the size of the log are sent."""
    home = Home()
    home.queue.offer("a")

    home.queue.store_progress("a", {"fraction": 0.5}, [RecordedValue("loss", 1.0)], 12)
    (said,) = home.heard
    assert said["run"] == "a" and said["notes"][0]["metrics"][0]["name"] == "loss"


def test_messages_with_the_end_of_a_run_are_sent_with_it() -> None:
    """Its results are stored before the end is reported; messages of other runs do not wait."""
    home = Home()
    task = home.queue.offer("a")
    home.queue.offer("b")
    home.queue.claim("host", "instance", 1)

    with home.queue.transaction():
        home.queue.store_progress("a", {"fraction": 1.0})
        home.queue.store_progress("b", {"fraction": 0.1})
        home.queue.move("a", RunState.SUCCESS, holds_slot=False)
    assert task.is_over.is_set() and task.end is not None and len(task.notes) == 1
    assert [each["run"] for each in home.heard] == ["b"]


def test_a_run_that_was_cancelled_while_its_files_were_fetched_never_begins() -> None:
    """It ends at once."""
    home = Home()
    home.queue.cancel("a")

    assert home.queue.offer("a").is_over.is_set()
    assert home.queue.claim("host", "instance", 1) is None


def test_a_cancelled_run_has_no_other_end() -> None:
    """A later end from its runner is ignored."""
    home = Home()
    home.queue.offer("a")
    home.queue.claim("host", "instance", 1)
    home.queue.cancel("a")

    with pytest.raises(InvalidRunStateError):
        home.queue.move("a", RunState.SUCCESS)
    assert [task.state for task in home.queue.list_slot_holders()] == ["CANCELED"]


def test_results_are_saved_once_the_store_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is unavailable for a while costs no run its results."""
    monkeypatch.setattr(module, "SAVE_INTERVAL", 0.0)
    errors = [ServiceUnavailableError("store", "it does not respond")] * 2

    class Away:
        def publish(self, run_id: str, results: Any) -> None:
            if errors:
                raise errors.pop()

    worker_plugin = RunWorkerPlugin("name", "root", Limits(), ())
    worker_plugin._closing = threading.Event()
    worker_plugin._publish("a", [], Away())  # type: ignore[arg-type]
    assert errors == []


class Scheduler:
    """The part of a scheduler that the plugin uses."""

    def __init__(self) -> None:
        self.tasks: dict[str, Any] = {"k": SimpleNamespace(state="processing")}
        self.workers: dict[str, Any] = {"w1": object()}
        self.events: list[Any] = []
        self.handlers: dict[str, Any] = {}

    def log_event(self, topic: str, said: Any) -> None:
        """Store it."""
        self.events.append(said)


async def begun() -> tuple[RunSchedulerPlugin, Scheduler]:
    """Return a plugin that has let a worker begin."""
    scheduler_plugin, scheduler = RunSchedulerPlugin("name"), Scheduler()
    await scheduler_plugin.start(scheduler)
    assert await scheduler_plugin.begin("k", "w1")
    return scheduler_plugin, scheduler


@pytest.mark.anyio
async def test_a_run_begins_on_one_worker_only(anyio_backend: str) -> None:
    """Later requests, and requests after a withdrawal, are refused."""
    scheduler_plugin, scheduler = await begun()
    scheduler.tasks["other"] = SimpleNamespace(state="waiting")

    assert not await scheduler_plugin.begin("k", "w2")
    assert await scheduler_plugin.withdraw("k") == "w1"
    assert await scheduler_plugin.withdraw("other") == "" and not await scheduler_plugin.begin("other", "w1")


@pytest.mark.anyio
async def test_a_run_whose_worker_has_ended_is_lost(anyio_backend: str) -> None:
    """The instance is notified, and gets the state when it asks."""
    scheduler_plugin, scheduler = await begun()

    del scheduler.workers["w1"]
    scheduler_plugin.remove_worker(scheduler, "w1")
    assert scheduler.events == [{"key": "k", "lost": "w1"}]
    scheduler_plugin._scheduler.workers = {}
    assert (await scheduler_plugin.describe_tasks(["k", "unknown"]))["state"] == {
        "k": "lost",
        "unknown": "gone",
    }


@pytest.fixture
def anyio_backend() -> str:
    """Use asyncio."""
    return "asyncio"
