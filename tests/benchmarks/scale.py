"""Rows about numbers: many runs accepted, many that wait, many listed."""

import statistics
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from runwidgets.service.base import Api
from runwidgets.service.wiring import DATABASE
from runwidgets.states import TERMINAL, RunState
from runwidgets.store.database import Database, now
from runwidgets.store.runs import Runs
from runwidgets.store.tables import groups, points, runs, sweeps, workflows
from tests.benchmarks.ours import open_house
from tests.benchmarks.table import Row
from tests.benchmarks.work import BLOCK, SLOTS, TRIVIAL, Bench, clock
from tests.ladder import arguments, group_of, running

PAGE = 100
"""Runs in one answer."""
PIECE = 10_000
"""Rows that are inserted in one transaction."""
CALLS = 50
"""Lists whose median counts."""


def accept(bench: Bench) -> Row:
    """Call `start_sweep` once, and `start_run` as often, while a sleeping run holds every slot."""
    count = bench.size(1_000, 100)
    with open_house(bench.place() / "root") as api:
        for _ in range(SLOTS):
            running(api, bench.place(), BLOCK)
        group = group_of(api.workflows.create_workflow(str(bench.notebook(TRIVIAL))))
        api.sweeps.start_sweep(group, [arguments(x=0)])
        points = [arguments(x=x) for x in range(count)]
        ours = clock(lambda: api.sweeps.start_sweep(group, points))
        theirs = clock(lambda: [api.runs.start_run(group, point) for point in points])
    return Row(
        f"accept a sweep of {count:,} runs, slots busy, against as many calls of `start_run`",
        f"{ours:.2f} s ({count / ours:,.0f} runs/s)",
        f"{theirs:.2f} s ({count / theirs:,.0f} runs/s)",
        f"{theirs / ours:.3g}x",
        "≤ 1 s for 1,000",
        ours / count <= 1 / 1_000,
        "all runs are durable, folders and rows, before the call returns; warmed by a sweep of one",
    )


def claim(bench: Bench) -> Row:
    """Claim runs while many wait, and while few do; then while a sweep that may go no further is in front."""
    few, many = 100, bench.size(100_000, 10_000)
    root = bench.place() / "root"
    with open_house(root) as api:
        group = group_of(api.workflows.create_workflow(str(bench.notebook(TRIVIAL))))
        narrow = api.sweeps.start_sweep(group, [arguments(x=0)], {"parallel": 1})["id"]
    database = Database(f"sqlite:///{root / DATABASE}")
    queue = Runs(database)

    def look() -> float:
        """Return the median time of a claim, after one that is not counted."""
        times = [clock(lambda: queue.claim("here", "nobody", many)) for _ in range(CALLS + 1)]
        return statistics.median(times[1:])

    try:
        insert_runs(root, group, few, RunState.PENDING)
        theirs = look()
        insert_runs(root, group, many - few, RunState.PENDING)
        ours = look()
        insert_runs(root, group, many, RunState.PENDING, {"sweep_id": narrow, "rank": -1})
        behind = look()
    finally:
        database.close()
    return Row(
        f"claim a run while {many:,} wait, against while {few} do",
        f"{ours * 1000:.2f} ms",
        f"{theirs * 1000:.2f} ms",
        f"{ours / theirs:.3g}x",
        note=f"medians of {CALLS} durable claims; {behind * 1000:.1f} ms behind {many:,} further runs "
        "of a sweep whose limit is reached",
    )


def list_newest(bench: Bench) -> Row:
    """List the newest page of a group with many runs, and of the same group when it had few."""
    few, many = 1_000, bench.size(1_000_000, 100_000)
    root = bench.place() / "root"
    with open_house(root) as api:
        group = group_of(api.workflows.create_workflow(str(bench.notebook(TRIVIAL))))

        def look() -> float:
            """Return the median time of a list, after one that is not counted."""
            times = [clock(lambda: api.runs.list_runs(group, limit=PAGE)) for _ in range(CALLS + 1)]
            return statistics.median(times[1:])

        insert_runs(root, group, few)
        theirs = look()
        insert_runs(root, group, many - few)
        ours = look()
    return Row(
        f"list the newest {PAGE} of {many:,} runs, against the newest {PAGE} of {few:,}",
        f"{ours * 1000:.2f} ms",
        f"{theirs * 1000:.2f} ms",
        f"{ours / theirs:.3g}x",
        "≤ 10x",
        ours <= 10 * theirs,
        f"medians of {CALLS} calls of `list_runs` after one; one group, runs inserted as finished ones",
    )


def insert_sweep(root: Path, group: str, api: Api, count: int) -> str:
    """Start a sweep of one point and insert the others as finished ones; return its id."""
    started = api.sweeps.start_sweep(group, [arguments(x=-1)])["id"]
    insert_runs(root, group, count - 1, columns={"sweep_id": started})
    database = Database(f"sqlite:///{root / DATABASE}")
    try:
        with database.write() as connection:
            numbers = func.row_number().over(order_by=runs.c.seq)
            chosen = select(runs.c.sweep_id, numbers, runs.c.id).where(runs.c.sweep_id == started)
            connection.execute(delete(points).where(points.c.sweep_id == started))
            connection.execute(insert(points).from_select(["sweep_id", "number", "run_id"], chosen))
            changed = update(sweeps).where(sweeps.c.id == started)
            connection.execute(changed.values(last_number=count, varied=["x"]))
    finally:
        database.close()
    return str(started)


def insert_runs(
    root: Path,
    group: str,
    count: int,
    state: RunState = RunState.SUCCESS,
    columns: dict[str, Any] | None = None,
) -> None:
    """Insert runs straight into the tables of a root; they have no run directories."""
    database = Database(f"sqlite:///{root / DATABASE}")
    try:
        with database.read() as connection:
            version, workflow = connection.execute(
                select(workflows.c.version_id, workflows.c.id).join(groups).where(groups.c.id == group)
            ).one()
        for begin in range(0, count, PIECE):
            moment = now()
            rows = [
                {
                    "id": uuid.uuid4().hex,
                    "group_id": group,
                    "workflow_id": workflow,
                    "version_id": version,
                    "state": state.value,
                    "arguments": arguments(x=x),
                    "config": {},
                    "messages": [],
                    "metrics": {"loss": 1 / (x + 1)},
                    "created_at": moment,
                    "started_at": moment if state in TERMINAL else None,
                    "finished_at": moment if state in TERMINAL else None,
                    "holds_slot": False,
                    **(columns or {}),
                }
                for x in range(begin, min(begin + PIECE, count))
            ]
            with database.write() as connection:
                connection.execute(insert(runs), rows)
    finally:
        database.close()
