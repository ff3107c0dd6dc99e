"""Rows about Dask: the costs of a run there and here, and the effect of more workers."""

from collections.abc import Iterator
from contextlib import contextmanager

from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import open_instance
from tests.benchmarks.instance_runs import our_rate, run_all
from tests.benchmarks.table import Row
from tests.benchmarks.workload import SLOTS, TRIVIAL, WARM_UP, Bench, Rate
from tests.builders import group_of
from tests.cluster import Cluster

SLEEP = "import time\ntime.sleep(1.0)"
"""A cell that waits for something else than a processor."""


def dask_overhead(bench: Bench) -> Row:
    """Run two cells on two workers of a thread each, against two slots of the instance's own machine."""
    with _workers(bench, TRIVIAL, SLOTS) as (api, group):
        ours = bench.rate(lambda count: run_all(api, group, count))
    theirs = our_rate(bench, TRIVIAL)
    cost = theirs.per_second / ours.per_second
    return Row(
        f"trivial notebook, {SLOTS} Dask workers, against {SLOTS} slots of this machine",
        f"{1000 * SLOTS / ours.per_second:.0f} ms a run and slot",
        f"{1000 * SLOTS / theirs.per_second:.0f} ms",
        f"{cost:.2f}x",
        "≤ 1.5x",
        cost <= 1.5,
        "scheduler and workers on the same cores; warmed on both sides",
    )


def dask_scaling_trivial(bench: Bench) -> Row:
    """Run two cells on one, two and four workers."""
    return _scaling(bench, "trivial notebook", TRIVIAL)


def dask_scaling_sleep(bench: Bench) -> Row:
    """Sleep a second on one, two and four workers."""
    return _scaling(bench, "notebook that sleeps a second", SLEEP)


def _scaling(bench: Bench, what: str, cell: str) -> Row:
    rates: dict[int, Rate] = {}
    for workers in (1, 2, 4):
        with _workers(bench, cell, workers) as (api, group):
            rates[workers] = bench.rate(
                lambda count, api=api, group=group: run_all(api, group, count)  # type: ignore[misc]
            )
    one, two, four = (rates[workers].per_second for workers in (1, 2, 4))
    return Row(
        f"{what}, 4 Dask workers of one thread, against 1",
        f"{four:.3g} runs/s",
        f"{one:.3g} runs/s",
        f"{four / one:.2f}x",
        note=f"2 workers: {two:.3g} runs/s, {two / one:.2f}x; processes of this machine",
    )


@contextmanager
def _workers(bench: Bench, cell: str, count: int) -> Iterator[tuple[Api, str]]:
    """Open an instance on a cluster with warm workers, and yield its default group."""
    cluster = Cluster(workers=count, threads=1)
    instance = open_instance(bench.new_folder() / "root", cluster=cluster.address, on_shutdown="cancel")
    try:
        api = instance.api()
        group = group_of(api.workflows.create_workflow(str(bench.notebook(cell))))
        run_all(api, group, WARM_UP)
        yield api, group
    finally:
        instance.close()
        cluster.close()
