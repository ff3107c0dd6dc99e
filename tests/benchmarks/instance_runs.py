"""Runs of an instance in this process, as a program uses it."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runwidgets.errors import InvalidArgumentError
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import open_instance
from tests.benchmarks.table import NotMeasuredError
from tests.benchmarks.workload import SLOTS, WARM_UP, Bench, Rate
from tests.builders import ACTIVE, arguments, group_of

Config = dict[str, Any] | None

PATIENCE = 1200.0
"""Seconds after which runs that have not ended count as hanging."""


@contextmanager
def open_api(root: Path) -> Iterator[Api]:
    """Open an instance on a root; active runs are cancelled at the end."""
    instance = open_instance(root, slots=SLOTS, on_shutdown="cancel")
    try:
        yield instance.api()
    finally:
        instance.close()


@contextmanager
def warm_group(bench: Bench, notebook: Path, config: Config) -> Iterator[tuple[Api, str]]:
    """Open an instance with a workflow that has run a few times, and yield its default group.

    Yields
    ------
    api : Api
        The services of the instance.
    group : str
        Id of the group.

    Raises
    ------
    NotMeasuredError
        The instance rejects the config.
    """
    with open_api(bench.new_folder() / "root") as api:
        group = group_of(api.workflows.create_workflow(str(notebook)))
        try:
            run_all(api, group, WARM_UP, config)
        except InvalidArgumentError as error:
            raise NotMeasuredError(f"config {config} is refused: {error}") from error
        yield api, group


def run_all(api: Api, group: str, count: int, config: Config = None) -> None:
    """Start runs and wait by the event stream until all of them have succeeded."""
    after = api.events.last_event()
    started = {api.runs.start_run(group, arguments(x=x), config)["id"] for x in range(count)}
    wait_for(api, api_events(api, after, group), started)


def run_one(api: Api, group: str, x: int, config: Config = None) -> None:
    """Start one run and wait by the event stream until it has succeeded."""
    after = api.events.last_event()
    run_id = api.runs.start_run(group, arguments(x=x), config)["id"]
    wait_for(api, api_events(api, after, group), {run_id})


def api_events(api: Api, after: int, group: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a group, until a timeout."""
    stop = threading.Event()
    timer = threading.Timer(PATIENCE, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield from api.events.follow_events(after, group, stop=stop)
    finally:
        timer.cancel()


def wait_for(api: Api, events: Iterable[dict[str, Any]], run_ids: Iterable[str]) -> None:
    """Read events until runs have succeeded.

    Raises
    ------
    RuntimeError
        A run ended without success.
    TimeoutError
        The events ended before the runs did.
    """
    waiting = set(run_ids)
    for event in events:
        state = event["data"].get("state") if event["kind"] == "state" else None
        if state is None or state in ACTIVE or event["runId"] not in waiting:
            continue
        if state != "SUCCESS":
            messages = api.runs.get_run(event["runId"])["messages"]
            raise RuntimeError(f"a run of ours is {state}: {' '.join(messages)}")
        waiting.discard(event["runId"])
        if not waiting:
            return
    raise TimeoutError(f"{len(waiting)} runs of ours have not ended after {PATIENCE:g} s")


def our_rate(bench: Bench, cell: str, config: Config = None) -> Rate:
    """Measure how many runs of a notebook the instance finishes.

    Raises
    ------
    NotMeasuredError
        The instance rejects the config.
    """

    def measure() -> Rate:
        with warm_group(bench, bench.notebook(cell), config) as (api, group):
            return bench.rate(lambda count: run_all(api, group, count, config))

    return bench.once(("ours", cell, str(config)), measure)
