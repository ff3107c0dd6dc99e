"""Many runs that are tracked at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from runwidgets.execution.journal import JournalWriter
from runwidgets.execution.tracked_run import TrackedRun, store_all
from runwidgets.store.files.layout import JOURNAL
from tests.benchmarks.scale import StoreOnly, open_quiet
from tests.builders import arguments
from tests.conftest import url_of

RUNS = 5


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[StoreOnly]:
    """Open an instance in which nothing executes."""
    opened = open_quiet(tmp_path, url_of(tmp_path / "root"))
    yield opened
    opened.database.close()


@pytest.fixture
def commits() -> Iterator[list[str]]:
    """Collect the changes of rows that are committed."""
    made: list[str] = []

    def record_statement(*event_arguments: object) -> None:
        if str(event_arguments[2]).startswith("UPDATE runs"):
            made.append("change")

    def commit(*_: object) -> None:
        if made and made[-1] != "commit":
            made.append("commit")

    event.listen(Engine, "before_cursor_execute", record_statement)
    event.listen(Engine, "commit", commit)
    yield made
    event.remove(Engine, "before_cursor_execute", record_statement)
    event.remove(Engine, "commit", commit)


def follow(instance: StoreOnly, root: Path) -> list[TrackedRun]:
    """Track runs of which each has recorded its number; a store of each is due."""
    found = []
    for number in range(RUNS):
        run_id = instance.api.runs.start_run(instance.groups[0], arguments(x=number))["id"]
        instance.runs.claim("host", "instance", RUNS)
        writer = JournalWriter(root / "runs" / run_id / JOURNAL)
        writer.write("metric", name="loss", value=number)
        writer.close()
        followed = TrackedRun(run_id, root / "runs" / run_id)
        followed._next_store = 0.0
        found.append(followed)
    return found


def test_the_progress_of_many_runs_is_stored_in_one_transaction(
    instance: StoreOnly, tmp_path: Path, commits: list[str]
) -> None:
    """The number of commits does not depend on the number of runs; nothing is stored twice."""
    followed = follow(instance, tmp_path / "root")
    commits.clear()

    store_all(followed, instance.runs)
    store_all(followed, instance.runs)

    assert commits == ["change"] * RUNS + ["commit"]
    stored = [instance.api.runs.get_run(each.run_id)["metrics"] for each in followed]
    assert stored == [{"loss": number} for number in range(RUNS)]


def test_one_failing_run_does_not_affect_the_others(instance: StoreOnly, tmp_path: Path) -> None:
    """The others are stored one by one, with all their data."""
    followed = follow(instance, tmp_path / "root")
    followed[2]._progress["text"] = object()
    followed[2]._is_changed = True

    store_all(followed, instance.runs)
    assert instance.api.runs.get_run(followed[0].run_id)["metrics"] == {}
    for each in followed[:2]:
        each.store_progress(instance.runs)
    with pytest.raises(Exception, match="not JSON serializable"):
        followed[2].store_progress(instance.runs)

    stored = [instance.api.runs.get_run(each.run_id)["metrics"] for each in followed[:3]]
    assert stored == [{"loss": 0}, {"loss": 1}, {}]
