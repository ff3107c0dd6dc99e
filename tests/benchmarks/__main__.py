"""Measure everything and print it as a table: ``python -m tests.benchmarks``."""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.cluster import dask_overhead, dask_scaling_sleep, dask_scaling_trivial
from tests.benchmarks.scale import accept, scale_rows
from tests.benchmarks.server import memory, pauses, traits
from tests.benchmarks.sweeping import points, search, sweep_hydra, sweep_joblib, sweep_ploomber
from tests.benchmarks.table import NotMeasuredError, Row, machine_facts, make_table, write_table
from tests.benchmarks.throughput import (
    imports_direct,
    imports_spawn,
    imports_zmq,
    latency,
    plot_direct,
    rival_papermill_loop,
    rival_papermill_pool,
    rival_ploomber,
    rival_scheduler,
    trivial_direct,
    trivial_spawn,
    trivial_zmq,
)
from tests.benchmarks.views import sweep, table
from tests.benchmarks.workload import Bench

ROWS: dict[str, Callable[[Bench], Row]] = {
    "trivial-direct": trivial_direct,
    "trivial-zmq": trivial_zmq,
    "trivial-spawn": trivial_spawn,
    "imports-direct": imports_direct,
    "imports-zmq": imports_zmq,
    "imports-spawn": imports_spawn,
    "plot-direct": plot_direct,
    "latency": latency,
    "papermill-loop": rival_papermill_loop,
    "papermill-pool": rival_papermill_pool,
    "ploomber": rival_ploomber,
    "scheduler": rival_scheduler,
    "sweep-joblib": sweep_joblib,
    "sweep-hydra": sweep_hydra,
    "sweep-ploomber": sweep_ploomber,
    "search": search,
    "accept": accept,
    **scale_rows(),
    "pauses": pauses,
    "memory": memory,
    "traits": traits,
    "table": table,
    "sweep": sweep,
    "points": points,
    "dask": dask_overhead,
    "dask-scaling": dask_scaling_trivial,
    "dask-sleep": dask_scaling_sleep,
}
QUICK_RUNS = 10


def main() -> int:
    """Measure the selected rows and print them.

    Returns
    -------
    int
        0, or 1 if a row failed; a row that cannot be measured here, or misses its target, is not a failure.
    """
    options = _parser().parse_args()
    if options.write and (options.only or options.quick):
        _parser().error("--write is for a whole table; leave out --only and --quick")
    runs = options.runs or (QUICK_RUNS if options.quick else 100)
    facts, rows, is_broken = machine_facts(), [], False
    with tempfile.TemporaryDirectory(prefix="runwidgets-benchmarks-", ignore_cleanup_errors=True) as folder:
        bench = Bench(runs, options.quick, Path(folder))
        for name in options.only or ROWS:
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                row = ROWS[name](bench)
            except NotMeasuredError as reason:
                row = Row(name, note=f"not measured: {reason}")
            except Exception as error:
                traceback.print_exc()
                row, is_broken = Row(name, note=f"broke: {type(error).__name__}: {error}"), True
            print(row.line(), file=sys.stderr, flush=True)
            rows.append(row)
    table = make_table(rows, facts + ("; quick" if options.quick else ""))
    print(table)
    if options.write:
        write_table(table)
    return int(is_broken)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", help=f"rows: {', '.join(ROWS)}")
    parser.add_argument("--runs", type=int, help="runs of a batch (100)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see whether it works")
    parser.add_argument("--write", action="store_true", help="put the table into the README beside this")
    return parser


if __name__ == "__main__":
    sys.exit(main())
