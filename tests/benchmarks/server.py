"""Rows about the Jupyter server: the pauses of its event loop, its memory, and the delays of kernels."""

import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil

from runwidgets.service.contracts.api import Api
from runwidgets.service.http.services import open_remote
from runwidgets.states import TERMINAL, RunState
from runwidgets.widgets.run import RunView
from tests.benchmarks.bulk_insert import insert_runs
from tests.benchmarks.instance_runs import open_api, run_all
from tests.benchmarks.table import Row
from tests.benchmarks.workload import SLOTS, TRIVIAL, WARM_UP, Bench
from tests.builders import group_of
from tests.conftest import JupyterServer, start_server

BEAT = 0.01
"""Seconds between two requests of the probe."""
PAUSE = 0.1
"""Seconds that no answer may take."""
PAGE = 500
"""Runs in one answer, as many as the server gives."""
MB = 1_000_000
GROWTH = 150 * MB
"""Bytes that many runs may cost."""
AT_ONCE = 50
"""Runs at the same time whose states are watched."""
CHURN = """\
import runwidgets, time

for step in range(10):
    time.sleep(0.3)
    print(step)
    runwidgets.record("step", step)"""
LATE = 0.15
"""Seconds in which the trait of a widget follows a change of state."""
OURS_ALONE = "--ServerApp.jpserver_extensions={'jupyter_scheduler': False}"
"""Where the rivals are installed, they are not in the server that is measured."""


def pauses(bench: Bench) -> Row:
    """Request a trivial route every 10 ms, while runs execute and while none does."""
    count = bench.size(200, 20)
    notebook = bench.notebook(TRIVIAL)
    with (
        open_server(bench.new_folder() / "root", notebook.parent) as server,
        server.api() as api,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
        httpx.Client(base_url=server.api_url, headers=_headers(server), timeout=60) as client,
    ):
        group = group_of(api.workflows.create_workflow(str(notebook)))
        pool.submit(churn, server.api_url, server.token, group, WARM_UP).result()
        quiet_until = time.perf_counter() + bench.size(10, 2)
        quiet = probe(client, lambda: time.perf_counter() > quiet_until)
        begin = time.perf_counter()
        load = pool.submit(churn, server.api_url, server.token, group, count)
        busy = probe(client, load.done)
        seconds = time.perf_counter() - begin
        load.result()
    usual = statistics.quantiles(busy, n=100)[-1]
    return Row(
        f"longest wait for a trivial route of the server while {count} runs churn, against while none does",
        f"{max(busy) * 1000:.0f} ms",
        f"{max(quiet) * 1000:.0f} ms",
        f"{max(busy) / max(quiet):.3g}x",
        f"≤ {PAUSE * 1000:.0f} ms",
        max(busy) <= PAUSE,
        f"99 % of {len(busy):,} replies came within {usual * 1000:.0f} ms, at {count / seconds:.3g} runs/s; "
        f"what {SLOTS} busy slots and the probe take from the server on the same cores is in it; "
        f"warmed by {WARM_UP} runs",
    )


def memory(bench: Bench) -> Row:
    """Measure the memory of a server that has listed many runs, and of one that has listed none."""
    count = bench.size(10_000, 1_000)
    notebook, root = bench.notebook(TRIVIAL), bench.new_folder() / "root"
    with open_api(root) as api:
        group = group_of(api.workflows.create_workflow(str(notebook)))
    with open_server(root, notebook.parent) as server, server.api() as api:
        for _ in range(count // PAGE):
            api.runs.list_runs(group)
        theirs = psutil.Process(server.process.pid).memory_info().rss
    insert_runs(root, group, count)
    with open_server(root, notebook.parent) as server, server.api() as api:
        listed = list_all(api, group)
        ours = psutil.Process(server.process.pid).memory_info().rss
    if listed != count:
        raise RuntimeError(f"{listed:,} of {count:,} runs were listed")
    return Row(
        f"memory of the server with {count:,} runs listed, against an empty one",
        f"{ours / MB:.0f} MB",
        f"{theirs / MB:.0f} MB",
        f"{(ours - theirs) / MB:+.0f} MB",
        f"≤ {GROWTH / MB:+.0f} MB",
        ours - theirs <= GROWTH,
        f"resident memory of the server's process after {count // PAGE} lists on both sides",
    )


def traits(bench: Bench) -> Row:
    """Watch runs through widgets in a process, and compare the times with those of the changes."""
    rounds = bench.size(4, 1)
    notebook = bench.notebook(CHURN)
    with (
        open_server(bench.new_folder() / "root", notebook.parent, AT_ONCE) as server,
        server.api() as api,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
    ):
        group = group_of(api.workflows.create_workflow(str(notebook)))
        pool.submit(churn, server.api_url, server.token, group, WARM_UP).result()
        waits = [
            wait
            for _ in range(rounds)
            for wait in pool.submit(watch, server.api_url, server.token, group, AT_ONCE).result()
        ]
    usual, most = statistics.median(waits), statistics.quantiles(waits, n=20)[-1]
    return Row(
        f"change of state on the server to the widget's trait, p95 with {AT_ONCE} runs at once",
        f"{most * 1000:.0f} ms",
        target=f"≤ {LATE * 1000:.0f} ms",
        is_met=most <= LATE,
        note=f"{len(waits)} changes, half of them within {usual * 1000:.0f} ms; the runs print and record a "
        f"metric ten times in three seconds, {AT_ONCE} slots on the cores of the facts above",
    )


def watch(url: str, token: str, group: str, count: int) -> list[float]:
    """Start runs with a widget each, and return the delays between changes of state and of the trait."""
    seen: dict[tuple[str, str], float] = {}
    ended = threading.Semaphore(0)

    def note(change: Any) -> None:
        seen[change["owner"].run_id, change["new"]] = time.time()
        if RunState(change["new"]) in TERMINAL:
            ended.release()

    with open_remote(url, token) as api:
        after = api.events.last_event()
        views = []
        for _ in range(count):
            view = RunView(api.runs.start_run(group, [])["id"], api=api)
            view.observe(note, names="state")
            views.append(view)
        for _ in range(count):
            ended.acquire()
        changed: dict[tuple[str, str], float] = {}
        for event in api.events.follow_events(after):
            if event["kind"] == "state":
                key = event["runId"], event["data"]["state"]
                changed[key] = datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()
                if sum(RunState(state) in TERMINAL for _, state in changed) == count:
                    break
        for view in views:
            view.close()
    return [moment - changed[key] for key, moment in seen.items() if key in changed]


@contextmanager
def open_server(root: Path, folder: Path, slots: int = SLOTS) -> Iterator[JupyterServer]:
    """Start a Jupyter server with the extension and stop it."""
    server = start_server(root, folder, f"--RunWidgetsApp.slots={slots}", OURS_ALONE)
    try:
        yield server
    finally:
        server.stop()


def churn(url: str, token: str, group: str, count: int) -> None:
    """Start runs over HTTP and follow them by the event stream to their end; for a separate process."""
    with open_remote(url, token) as api:
        run_all(api, group, count)


def probe(client: httpx.Client, is_over: Callable[[], bool]) -> list[float]:
    """Request a trivial route on one connection until a stop, and return the seconds of the responses."""
    waits, due = [], time.perf_counter()
    while not is_over():
        time.sleep(max(0.0, due - time.perf_counter()))
        begin = time.perf_counter()
        client.get("").raise_for_status()
        end = time.perf_counter()
        waits.append(end - begin)
        due = max(begin + BEAT, end)
    return waits


def list_all(api: Api, group: str) -> int:
    """List all runs of a group by pages, and return their number."""
    found, before = 0, None
    while True:
        page = api.runs.list_runs(group, limit=PAGE, before=before)  # type: ignore[call-arg]
        found, before = found + len(page["runs"]), page.get("next")
        if before is None:
            return found


def _headers(server: JupyterServer) -> dict[str, str]:
    return {"Authorization": f"token {server.token}"}
