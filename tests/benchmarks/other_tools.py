"""Other tools: papermill's command line and API, ploomber-engine and jupyter-scheduler.

Each does the same work: it executes the notebook with its parameter in a folder of its own, and stores the
executed notebook beside the results.
"""

import importlib.util
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.benchmarks.table import NotMeasuredError
from tests.benchmarks.workload import SLOTS, TRIVIAL, Bench, Rate
from tests.conftest import start_server

Execute = Callable[[Path, Path, int], None]
"""Executes a notebook in a folder, with a value for ``x``."""

OUTPUT = "output.ipynb"
POLL = 0.02
"""Seconds between two looks at the jobs of jupyter-scheduler."""


def run_command_line(notebook: Path, folder: Path, x: int) -> None:
    """Execute a notebook by papermill's command line."""
    command = [str(Path(sys.executable).with_name("papermill")), str(notebook), str(folder / OUTPUT)]
    command += ["-p", "x", str(x), "--cwd", str(folder), "--no-progress-bar"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"papermill failed: {done.stderr.strip().splitlines()[-1]}")


def run_papermill(notebook: Path, folder: Path, x: int) -> None:
    """Execute a notebook by papermill's API."""
    import papermill

    papermill.execute_notebook(notebook, folder / OUTPUT, {"x": x}, cwd=folder, progress_bar=False)


def run_ploomber(notebook: Path, folder: Path, x: int) -> None:
    """Execute a notebook by ploomber-engine's API."""
    from ploomber_engine import execute_notebook

    execute_notebook(notebook, folder / OUTPUT, parameters={"x": x}, cwd=folder, progress_bar=False)


def command_line_rate(bench: Bench, cell: str) -> Rate:
    """Measure papermill's command line, two calls at a time, after two calls that warm the disk."""

    def measure() -> Rate:
        notebook = bench.notebook(cell)

        def batch(count: int) -> None:
            with ThreadPoolExecutor(SLOTS) as threads:
                list(threads.map(lambda x: run_command_line(notebook, bench.new_folder(), x), range(count)))

        batch(SLOTS)
        return bench.rate(batch)

    return bench.once(("command line", cell), measure)


def pool_rate(bench: Bench, execute: Execute, workers: int) -> Rate:
    """Measure an API in a pool of warm processes, after two executions for each of them."""
    notebook = bench.notebook(TRIVIAL)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:

        def batch(count: int) -> None:
            started = [pool.submit(execute, notebook, bench.new_folder(), x) for x in range(count)]
            for each in started:
                each.result()

        batch(2 * workers)
        return bench.rate(batch)


def scheduler_rate(bench: Bench) -> Rate:
    """Measure jupyter-scheduler in a real Jupyter server, two jobs at a time.

    It starts every job at once when the job is created, so the client keeps two of them active: it polls
    both, and creates the next one when one has ended.
    """
    notebook, place = bench.notebook(TRIVIAL), bench.new_folder()
    options = (
        f"--SchedulerApp.db_url=sqlite:///{place / 'scheduler.sqlite'}",
        f"--Scheduler.staging_path={place / 'staging'}",
        "--SchedulerApp.environment_manager_class=jupyter_scheduler.environments.StaticEnvironmentManager",
    )
    server = start_server(place / "root", notebook.parent, *options)
    headers = {"Authorization": f"token {server.token}"}
    try:
        with httpx.Client(base_url=f"{server.url}scheduler/", headers=headers, timeout=60) as client:

            def batch(count: int) -> None:
                _run_jobs(client, notebook.name, count)

            batch(SLOTS)
            return bench.rate(batch)
    finally:
        server.stop()


def _run_jobs(client: httpx.Client, name: str, count: int) -> None:
    created, active = 0, set()
    while created < count or active:
        while created < count and len(active) < SLOTS:
            active.add(_create_job(client, name, created))
            created += 1
        for job in list(active):
            about = client.get(f"jobs/{job}").raise_for_status().json()
            if about["status"] == "COMPLETED":
                active.discard(job)
            elif about["status"] not in {"STOPPED", "CREATED", "IN_PROGRESS"}:  # STOPPED before it begins
                raise RuntimeError(f"a job is {about['status']}: {about.get('status_message')}")
        time.sleep(POLL)


def _create_job(client: httpx.Client, name: str, x: int) -> str:
    job = {
        "name": "work",
        "input_uri": name,
        "runtime_environment_name": "python3",
        "parameters": {"x": str(x)},
        "output_formats": ["ipynb"],
    }
    return str(client.post("jobs", json=job).raise_for_status().json()["job_id"])


def require(module: str) -> None:
    """Check that a tool is installed.

    Raises
    ------
    NotMeasuredError
        The tool is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise NotMeasuredError(f"{module} is not installed; `pip install -e '.[bench]'` brings it")
