from collections.abc import Iterator
from pathlib import Path

import pytest

from runwidgets.store import liveness as module
from runwidgets.store.database.database import Database
from runwidgets.store.liveness import HeartbeatLiveness, Liveness, LockLiveness
from tests.builders import wait_until
from tests.conftest import url_of


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Open an empty database."""
    opened = Database(url_of(tmp_path))
    yield opened
    opened.close()


@pytest.fixture(params=["folder", "database"])
def pair(
    request: pytest.FixtureRequest, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Liveness, Liveness]:
    """Create two instances that share a folder, or only a database."""
    monkeypatch.setattr(module, "COUNTER_INTERVAL", 0.05)
    monkeypatch.setattr(module, "COUNTER_TIMEOUT", 0.5)
    if request.param == "folder":
        return LockLiveness(tmp_path), LockLiveness(tmp_path)
    return HeartbeatLiveness(database), HeartbeatLiveness(database)


def test_a_new_instance_is_alive_for_all(pair: tuple[Liveness, Liveness]) -> None:
    """It is alive at once, also for observers that have not polled since."""
    one, two = pair

    assert one.is_alive(two.instance_id) and two.is_alive(one.instance_id) and one.is_alive(one.instance_id)


def test_an_instance_that_left_is_dead(pair: tuple[Liveness, Liveness]) -> None:
    """Its runs may be taken over at the next check."""
    one, two = pair
    one.refresh()

    def look() -> bool:
        one.refresh()
        return one.is_alive(two.instance_id)

    assert look()
    two.leave()
    wait_until(look, lambda alive: not alive, within=0.4)


def test_an_instance_whose_counter_stands_still_is_dead(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instance that continues to count is alive, however long it is observed."""
    monkeypatch.setattr(module, "COUNTER_INTERVAL", 0.05)
    monkeypatch.setattr(module, "COUNTER_TIMEOUT", 0.5)
    looks, lives, dies = (HeartbeatLiveness(database) for _ in range(3))

    def look() -> bool:
        lives.refresh()
        looks.refresh()
        return looks.is_alive(dies.instance_id)

    assert look()
    wait_until(look, lambda alive: not alive)
    assert looks.is_alive(lives.instance_id)


def test_an_instance_that_was_declared_dead_comes_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so after a pause of its whole machine."""
    monkeypatch.setattr(module, "COUNTER_INTERVAL", 0.05)
    monkeypatch.setattr(module, "COUNTER_TIMEOUT", 0.3)
    looks, sleeps = HeartbeatLiveness(database), HeartbeatLiveness(database)

    def look() -> bool:
        looks.refresh()
        return looks.is_alive(sleeps.instance_id)

    wait_until(look, lambda alive: not alive)
    sleeps.refresh()
    assert looks.is_alive(sleeps.instance_id)
