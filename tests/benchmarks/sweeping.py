"""Rows about sweeps: compared with other grids of notebooks, results of searches, memory in a kernel."""

import multiprocessing
import os
import statistics
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil

import runwidgets as rw
from runwidgets.client.connect import connect
from runwidgets.client.sweep import Sweep
from tests.benchmarks.bulk_insert import insert_sweep
from tests.benchmarks.instance_runs import open_api
from tests.benchmarks.other_tools import require, run_papermill
from tests.benchmarks.table import Row
from tests.benchmarks.workload import SLOTS, TRIVIAL, WARM_UP, Bench, Rate
from tests.builders import group_of, write_notebook
from tests.conftest import start_server

HYDRA = """\
import hydra, os, papermill

@hydra.main(version_base="1.3", config_path=None)
def main(config):
    place, values = os.getcwd(), {{"x": config.x}}
    papermill.execute_notebook({notebook!r}, "output.ipynb", values, cwd=place, progress_bar=False)

main()
"""
PLOOMBER = """\
import sys
from ploomber.executors import Parallel
from ploomber.spec import DAGSpec

task = {{"source": {notebook!r}, "name": "work-[[x]]", "grid": {{"x": list(range(int(sys.argv[1])))}},
        "product": {{"nb": "output-[[x]].ipynb"}}}}
dag = DAGSpec({{"meta": {{"extract_upstream": False}}, "tasks": [task]}}).to_dag()
dag.executor = Parallel(processes={slots})
dag.build(force=True, show_progress=False)
"""
BOWL = (
    "import math, runwidgets\n"
    "runwidgets.record('loss', (math.log10(rate) + 2.3) ** 2 + (depth - 7) ** 2 / 10)"
)
"""Least at one rate of four decades and one depth of twenty."""
TRIALS, SEEDS = 40, 10
MOST = 50
"""MB by which a kernel may grow for ten thousand points."""


def our_sweeps(bench: Bench) -> Rate:
    """Measure sweeps from the call to the data frame."""

    def measure() -> Rate:
        notebook = bench.notebook(TRIVIAL)
        with open_api(bench.new_folder() / "root") as api:

            def batch(count: int) -> None:
                frame = rw.sweep(notebook, x=range(count), api=api).wait().to_frame()
                assert set(frame["state"]) == {"SUCCESS"}

            batch(WARM_UP)
            return bench.rate(batch)

    return bench.once("sweeps", measure)


def sweep_joblib(bench: Bench) -> Row:
    """Call papermill in a loop that joblib distributes over warm processes."""
    require("joblib")
    from joblib import Parallel, delayed

    notebook = bench.notebook(TRIVIAL)

    def batch(count: int) -> None:
        Parallel(n_jobs=SLOTS)(delayed(run_papermill)(notebook, bench.new_folder(), x) for x in range(count))

    batch(2 * SLOTS)
    return _against(bench, f"papermill in a joblib loop, {SLOTS} jobs", bench.rate(batch))


def sweep_hydra(bench: Bench) -> Row:
    """Call papermill by Hydra's multirun with its joblib launcher."""
    require("hydra_plugins.hydra_joblib_launcher")
    place = bench.new_folder()
    script = place / "app.py"
    script.write_text(HYDRA.format(notebook=str(bench.notebook(TRIVIAL))))

    def batch(count: int) -> None:
        options = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={SLOTS}", "hydra.job.chdir=true"]
        _call([str(script), "--multirun", f"+x=range(0,{count})", *options], place)

    return _against(bench, f"Hydra's joblib launcher, {SLOTS} jobs", bench.rate(batch))


def sweep_ploomber(bench: Bench) -> Row:
    """Build a task of ploomber over a grid with its parallel executor."""
    require("ploomber")
    place = bench.new_folder()
    notebook = write_notebook(
        place / "work.ipynb", TRIVIAL, parameters="x = 1\nupstream = None\nproduct = None"
    )
    script = place / "grid.py"
    script.write_text(PLOOMBER.format(notebook=str(notebook), slots=SLOTS))
    return _against(
        bench,
        f"ploomber's grid, {SLOTS} processes",
        bench.rate(lambda count: _call([str(script), str(count)], place)),
    )


def search(bench: Bench) -> Row:
    """Search for the least value by `optimize` and at random, with as many runs and the same seeds."""
    require("optuna")
    trials, seeds = bench.size(TRIALS, 12), bench.size(SEEDS, 2)
    space = {"rate": rw.loguniform(1e-4, 1.0), "depth": rw.integers(1, 20)}
    notebook = write_notebook(
        bench.new_folder() / "bowl.ipynb", BOWL, parameters="rate = 0.1\ndepth: int = 3"
    )
    with open_api(bench.new_folder() / "root") as api:
        learned, drawn = [], []
        for seed in range(seeds):
            found = rw.optimize(notebook, objective="loss", n_trials=trials, seed=seed, api=api, **space)
            learned.append(found.best.metrics["loss"])
            sweep = rw.sweep(notebook, rw.sample(trials, seed=seed, **space), api=api).wait()
            drawn.append(sweep.best("loss").metrics["loss"])
    ours, theirs = statistics.median(learned), statistics.median(drawn)
    wins = sum(one < other for one, other in zip(learned, drawn, strict=True))
    return Row(
        f"least loss that `optimize` finds in {trials} runs, against random search",
        f"{ours:.3g}",
        f"{theirs:.3g}",
        f"1/{theirs / ours:.3g}",
        "less",
        ours < theirs,
        f"medians of {seeds} seeds, at {wins} of which `optimize` finds less; "
        "a bowl over four decades of a rate and twenty depths",
    )


def points(bench: Bench) -> Row:
    """Hold a sweep of many points in a process like a kernel: its view, its rows, its data frame."""
    count = bench.size(10_000, 1_000)
    notebook = bench.notebook(TRIVIAL)
    root = bench.new_folder() / "root"
    server = start_server(root, notebook.parent)
    try:
        with server.api() as api:
            sweep = insert_sweep(root, group_of(api.workflows.create_workflow(str(notebook))), api, count)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            grown = pool.submit(_grown, server.url, server.token, sweep).result() / 1e6
    finally:
        server.stop()
    return Row(
        f"memory of a kernel for a sweep of {count:,} points: its view, its rows, its data frame",
        f"+{grown:.0f} MB",
        target=f"≤ +{MOST} MB",
        is_met=grown <= MOST,
        note="resident memory at its end, all three still held, against before them, pandas imported",
    )


def _grown(url: str, token: str, sweep_id: str) -> int:
    """Return the bytes by which this process grows when it holds a sweep."""
    import pandas

    def held() -> int:
        return int(psutil.Process().memory_info().rss)

    with connect(url, token=token) as api:
        few = Sweep(api, sweep_id)
        view = rw.SweepView(few)
        pandas.DataFrame({"a": [1.0, None], "b": ["x", "y"]}).describe()
        before = held()
        sweep = Sweep(api, sweep_id)
        kept = (rw.SweepView(sweep), sweep.points(), sweep.to_frame())
        grown = held() - before
        assert len(kept[1]) == len(kept[2]) == len(sweep)
        for each in (view, kept[0]):
            each.close()
    return grown


def _call(command: list[str], place: Path) -> None:
    """Run a script; its output is shown if it fails."""
    environment = {**os.environ, "PLOOMBER_STATS_ENABLED": "false", "HYDRA_FULL_ERROR": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-600:]}")


def _against(bench: Bench, rival: str, theirs: Rate) -> Row:
    ours = our_sweeps(bench)
    return Row(
        f"a sweep of {bench.runs} points of the trivial notebook, against {rival}",
        str(ours),
        str(theirs),
        f"{ours.per_second / theirs.per_second:.3g}x",
        note=f"{ours.runs} runs in {ours.seconds:.1f} s, {theirs.runs} in {theirs.seconds:.1f} s; "
        f"ours from the call to the data frame, theirs to the last executed notebook",
    )
