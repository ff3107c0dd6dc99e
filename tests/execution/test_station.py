import threading
from typing import Any

import pytest

from runwidgets.errors import InvalidRunStateError, ServiceUnavailableError
from runwidgets.execution import station as module
from runwidgets.execution.arbiter import Arbiter
from runwidgets.execution.station import HomeLedger, Station
from runwidgets.limits import Limits
from runwidgets.states import RunState
from runwidgets.store.series import Recorded


class Home:
    """Keeps what is sent home."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.ledger = HomeLedger(self.heard.append)


def test_what_is_said_on_the_way_goes_home_at_once() -> None:
    """Progress, metrics and the size of the log."""
    home = Home()
    home.ledger.offer("a")

    home.ledger.note("a", {"fraction": 0.5}, [Recorded("loss", 1.0)], 12)
    (said,) = home.heard
    assert said["run"] == "a" and said["notes"][0]["metrics"][0]["name"] == "loss"


def test_what_is_said_with_the_end_of_a_run_waits_for_it() -> None:
    """Its results are put down before anybody hears of them; what others say does not wait."""
    home = Home()
    task = home.ledger.offer("a")
    home.ledger.offer("b")
    home.ledger.claim("host", "service", 1)

    with home.ledger.together():
        home.ledger.note("a", {"fraction": 1.0})
        home.ledger.note("b", {"fraction": 0.1})
        home.ledger.move("a", RunState.SUCCESS, holds_slot=False)
    assert task.is_over.is_set() and task.end is not None and len(task.said) == 1
    assert [each["run"] for each in home.heard] == ["b"]


def test_a_run_that_was_cancelled_while_its_files_came_never_begins() -> None:
    """It is over at once."""
    home = Home()
    home.ledger.cancel("a")

    assert home.ledger.offer("a").is_over.is_set()
    assert home.ledger.claim("host", "service", 1) is None


def test_a_cancelled_run_has_no_other_end() -> None:
    """What its runner says then is refused."""
    home = Home()
    home.ledger.offer("a")
    home.ledger.claim("host", "service", 1)
    home.ledger.cancel("a")

    with pytest.raises(InvalidRunStateError):
        home.ledger.move("a", RunState.SUCCESS)
    assert [task.state for task in home.ledger.holding()] == ["CANCELED"]


def test_results_are_offered_until_the_store_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is away for a while costs no run its results."""
    monkeypatch.setattr(module, "SAVE_PAUSE", 0.0)
    answers = [ServiceUnavailableError("store", "it does not answer")] * 2

    class Away:
        def publish(self, run_id: str, results: Any) -> None:
            if answers:
                raise answers.pop()

    station = Station("name", "root", Limits(), ())
    station._closing = threading.Event()
    station._publish("a", [], Away())  # type: ignore[arg-type]
    assert answers == []


class Scheduler:
    """What an arbiter needs of one."""

    def __init__(self) -> None:
        self.tasks, self.workers, self.told = {"k": object()}, {"w1": object()}, list[Any]()
        self.handlers: dict[str, Any] = {}

    def log_event(self, topic: str, said: Any) -> None:
        """Keep it."""
        self.told.append(said)


async def begun() -> tuple[Arbiter, Scheduler]:
    """Return an arbiter that has let a worker begin."""
    arbiter, scheduler = Arbiter("name"), Scheduler()
    await arbiter.start(scheduler)
    assert await arbiter.begin("k", "w1")
    return arbiter, scheduler


@pytest.mark.anyio
async def test_a_run_begins_on_one_worker_only(anyio_backend: str) -> None:
    """Whoever asks second, or after it was withdrawn, is refused."""
    arbiter, scheduler = await begun()
    scheduler.tasks["other"] = object()

    assert not await arbiter.begin("k", "w2")
    assert await arbiter.withdraw("k") == "w1"
    assert await arbiter.withdraw("other") == "" and not await arbiter.begin("other", "w1")


@pytest.mark.anyio
async def test_a_run_whose_worker_is_gone_is_lost(anyio_backend: str) -> None:
    """The house is told, and hears it when it asks."""
    arbiter, scheduler = await begun()

    del scheduler.workers["w1"]
    arbiter.remove_worker(scheduler, "w1")
    assert scheduler.told == [{"key": "k", "lost": "w1"}]
    arbiter._scheduler.workers = {}
    assert (await arbiter.look(["k", "unknown"]))["state"] == {"k": "lost", "unknown": "gone"}


@pytest.fixture
def anyio_backend() -> str:
    """Use asyncio."""
    return "asyncio"
