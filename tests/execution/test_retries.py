import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runwidgets.service.factory import Instance, open_instance
from tests.builders import (
    accepted,
    arguments,
    ended,
    finished,
    group_of,
    read,
    running,
    wait_until,
    workflow,
)

FLAKY = """
import pathlib
count = pathlib.Path({path!r})
tries = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(tries))
print("try", tries)
assert not pathlib.Path("left.txt").exists(), "an earlier attempt left its files"
pathlib.Path("left.txt").write_text(str(tries))
assert tries == {good}, f"try {{tries}} fails"
"""


@pytest.fixture(scope="module")
def private_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Open an instance for this module."""
    instance = open_instance(tmp_path_factory.mktemp("retries") / "root", slots=2)
    yield instance
    instance.close()


def flaky(path: Path, good: int) -> str:
    """Return a cell that succeeds in one attempt only."""
    return FLAKY.format(path=str(path / "count"), good=good)


def test_a_failed_run_is_retried_in_a_clean_folder(private_instance: Instance, tmp_path: Path) -> None:
    """The handle is that of the successful attempt; the log has all attempts."""
    api = private_instance.api()
    handle = finished(api, tmp_path, flaky(tmp_path, good=2), config={"retries": 2})

    assert handle["state"] == "SUCCESS"
    assert handle["files"][0]["name"] == "left.txt"
    assert api.runs.get_log(handle["id"])["text"] == "try 1\ntry 2\n"


def test_a_retried_run_has_the_metrics_of_its_last_attempt(
    private_instance: Instance, tmp_path: Path
) -> None:
    """A value that only the failed attempt recorded would rank a run by what it did not do."""
    record = "import runwidgets\nrunwidgets.record('early', tries) if tries == 1 else None"
    flaky_cell = flaky(tmp_path, good=2).replace("assert tries", f"{record}\nassert tries")

    handle = finished(
        private_instance.api(), tmp_path, flaky_cell, "runwidgets.record('end', 1)", config={"retries": 1}
    )

    assert (handle["state"], handle["metrics"]) == ("SUCCESS", {"end": 1})


def test_without_retries_a_run_is_executed_once(private_instance: Instance, tmp_path: Path) -> None:
    """A failure is final."""
    handle = finished(private_instance.api(), tmp_path, flaky(tmp_path, good=2))

    assert handle["state"] == "ERROR"
    assert (tmp_path / "count").read_text() == "1"


def test_the_last_error_has_the_number_of_attempts(private_instance: Instance, tmp_path: Path) -> None:
    """One retry makes two attempts."""
    handle = finished(private_instance.api(), tmp_path, flaky(tmp_path, good=9), config={"retries": 1})

    assert handle["state"] == "ERROR"
    assert "try 2 fails" in handle["messages"][0]
    assert handle["messages"][-1] == "2 attempts were made"


def test_a_runner_that_was_killed_is_retried(private_instance: Instance, tmp_path: Path) -> None:
    """A lost runner is a failure like any other."""
    api = private_instance.api()
    wait = "import time; time.sleep(60 if tries == 1 else 0)"
    slow = flaky(tmp_path, good=2).replace("assert tries", f"{wait}\nassert tries")
    run_id = running(api, tmp_path, slow, config={"retries": 1})["id"]
    wait_until(lambda: (tmp_path / "count").exists())
    process = private_instance._backend._tracked[run_id].runner
    assert process is not None
    os.kill(process, signal.SIGKILL)

    assert ended(api, run_id)["state"] == "SUCCESS"


def test_a_cancelled_run_is_not_retried(private_instance: Instance, tmp_path: Path) -> None:
    """It is cancelled during an attempt, or between two of them."""
    api = private_instance.api()
    run_id = accepted(api, tmp_path, flaky(tmp_path, good=9), config={"retries": 10})["id"]
    wait_until(lambda: "follows" in api.runs.get_run(run_id).get("progress", {}).get("text", ""))

    handle = api.runs.cancel_run(run_id)
    wait_until(lambda: run_id not in private_instance._backend._tracked)

    tries = (tmp_path / "count").read_text()
    assert handle["state"] == api.runs.get_run(run_id)["state"] == "CANCELED"
    assert int(tries) <= 2


def test_a_new_instance_continues_the_retries(tmp_path: Path) -> None:
    """The attempts are counted in the journal, which outlives the instance."""
    instance = open_instance(tmp_path / "root", slots=1)
    run_id = accepted(instance.api(), tmp_path, flaky(tmp_path, good=2), config={"retries": 1})["id"]
    wait_until(lambda: (tmp_path / "count").exists())
    instance.close()

    again = open_instance(tmp_path / "root", slots=1)
    handle = ended(again.api(), run_id)
    again.close()

    assert handle["state"] == "SUCCESS"
    assert (tmp_path / "count").read_text() == "2"


def test_secrets_and_uploads_are_available_in_every_attempt(
    private_instance: Instance, tmp_path: Path
) -> None:
    """Secrets are removed after the last attempt."""
    api = private_instance.api()
    cell = flaky(tmp_path, good=2) + "\nassert password[::-1] == 'hsuh'"
    declared = [{"name": "password", "dtype": "string", "isRequired": True, "secret": True}]
    handle = workflow(api, tmp_path, cell, parameters="password = ''", runwidgets={"parameters": declared})
    run = api.runs.start_run(group_of(handle), arguments(password="hush"), {"retries": 1})
    done = ended(api, run["id"])

    assert done["state"] == "SUCCESS", done["messages"]
    assert b"hush" not in read(api.runs.get_notebook(run["id"]))
    assert not list((private_instance._components.files.run_folder(run["id"])).glob("secrets*"))
