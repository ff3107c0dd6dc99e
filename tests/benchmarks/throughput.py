"""Rows about the time of runs: compared with papermill's command line, and with other tools."""

import statistics

from tests.benchmarks.instance_runs import Config, our_rate, run_one, warm_group
from tests.benchmarks.other_tools import (
    command_line_rate,
    pool_rate,
    require,
    run_command_line,
    run_papermill,
    run_ploomber,
    scheduler_rate,
)
from tests.benchmarks.table import NOTHING, Row
from tests.benchmarks.workload import IMPORTS, PLOT, SLOTS, TRIVIAL, WARM_UP, Bench, Rate, clock

ZMQ: Config = {"transport": "zmq"}
SPAWN: Config = {"isolation": "spawn"}
WARMED = f"warmed by {WARM_UP} runs of ours"


def trivial_direct(bench: Bench) -> Row:
    """Run two cells on the default kernel."""
    return _against_command_line(bench, "trivial notebook, default kernel", TRIVIAL, None, 40)


def trivial_zmq(bench: Bench) -> Row:
    """Run two cells on the kernel with ZeroMQ sockets."""
    return _against_command_line(bench, "trivial notebook, `transport: zmq`", TRIVIAL, ZMQ, 20)


def trivial_spawn(bench: Bench) -> Row:
    """Run two cells without a warm process."""
    return _against_command_line(bench, "trivial notebook, `isolation: spawn`", TRIVIAL, SPAWN)


def imports_direct(bench: Bench) -> Row:
    """Import NumPy, pandas and matplotlib on the default kernel."""
    return _against_command_line(bench, "notebook with imports, default kernel", IMPORTS, None, 50)


def imports_zmq(bench: Bench) -> Row:
    """Import NumPy, pandas and matplotlib on the kernel with ZeroMQ sockets."""
    return _against_command_line(bench, "notebook with imports, `transport: zmq`", IMPORTS, ZMQ, 25)


def imports_spawn(bench: Bench) -> Row:
    """Import NumPy, pandas and matplotlib without a warm process."""
    return _against_command_line(bench, "notebook with imports, `isolation: spawn`", IMPORTS, SPAWN)


def plot_direct(bench: Bench) -> Row:
    """Tabulate, draw and save on the default kernel: work that is the same on both sides."""
    return _against_command_line(bench, "notebook that tabulates and plots, default kernel", PLOT, None)


def latency(bench: Bench) -> Row:
    """Time one run from the call to the event that says SUCCESS, against one call of papermill."""
    notebook = bench.notebook(TRIVIAL)
    with warm_group(bench, notebook, None) as (api, group):
        count = bench.size(20, 3)
        ours = statistics.median(clock(lambda x=x: run_one(api, group, x)) for x in range(count))
    run_command_line(notebook, bench.new_folder(), 0)
    calls = bench.size(5, 1)
    theirs = statistics.median(
        clock(lambda x=x: run_command_line(notebook, bench.new_folder(), x)) for x in range(calls)
    )
    return Row(
        "one trivial run, `start_run` to SUCCESS, against one call of the `papermill` command line",
        f"{ours * 1000:.0f} ms",
        f"{theirs * 1000:.0f} ms",
        f"1/{theirs / ours:.3g}",
        "≤ 1/15",
        theirs >= 15 * ours,
        f"medians of {count} and {calls}; {WARMED} and 1 call of papermill",
    )


def rival_papermill_loop(bench: Bench) -> Row:
    """Call papermill's API in one warm process, sequentially."""
    rate = pool_rate(bench, run_papermill, 1)
    return _against(bench, "papermill's API in a loop in one warm process", rate)


def rival_papermill_pool(bench: Bench) -> Row:
    """Call papermill's API in a pool of warm processes."""
    rate = pool_rate(bench, run_papermill, SLOTS)
    return _against(bench, f"papermill's API in a pool of {SLOTS} warm processes", rate)


def rival_ploomber(bench: Bench) -> Row:
    """Call the API of ploomber-engine in a pool of warm processes."""
    require("ploomber_engine")
    what = f"ploomber-engine in a pool of {SLOTS} warm processes"
    alike = "it executes inside the calling process, so that runs share modules and end together"
    return _against(bench, what, pool_rate(bench, run_ploomber, SLOTS), alike)


def rival_scheduler(bench: Bench) -> Row:
    """Create jobs of jupyter-scheduler over REST."""
    require("jupyter_scheduler")
    return _against(bench, f"jupyter-scheduler over REST, {SLOTS} jobs at a time", scheduler_rate(bench))


def _against_command_line(
    bench: Bench, what: str, cell: str, config: Config, target: float | None = None
) -> Row:
    ours, theirs = our_rate(bench, cell, config), command_line_rate(bench, cell)
    what = f"{what}, against the `papermill` command line, {SLOTS} at a time"
    return _compare(what, ours, theirs, f"{SLOTS} calls of papermill", target)


def _against(bench: Bench, rival: str, theirs: Rate, remark: str = "") -> Row:
    ours = our_rate(bench, TRIVIAL)
    warmed = f"{SLOTS} executions per process of theirs"
    return _compare(
        f"trivial notebook, against {rival}", ours, theirs, "; ".join(filter(None, (warmed, remark)))
    )


def _compare(what: str, ours: Rate, theirs: Rate, note: str, target: float | None = None) -> Row:
    """Make a row of two throughputs; the target is the ratio of ours to theirs."""
    ratio = ours.per_second / theirs.per_second
    counted = f"{ours.runs} runs in {ours.seconds:.1f} s, {theirs.runs} in {theirs.seconds:.1f} s"
    return Row(
        what,
        str(ours),
        str(theirs),
        f"{ratio:.3g}x",
        NOTHING if target is None else f"≥ {target:g}x",
        None if target is None else ratio >= target,
        f"{counted}; {WARMED} and {note}",
    )
