"""Rows about numbers: many runs accepted, many runs listed."""

import statistics
import uuid
from pathlib import Path

from sqlalchemy import insert, select

from runwidgets.service.wiring import DATABASE
from runwidgets.states import RunState
from runwidgets.store.database import Database, now
from runwidgets.store.tables import groups, runs, workflows
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
    """Call `start_run` many times, one after the other, while a sleeping run holds every slot."""
    count = bench.size(1_000, 100)
    with open_house(bench.place() / "root") as api:
        for _ in range(SLOTS):
            running(api, bench.place(), BLOCK)
        group = group_of(api.workflows.create_workflow(str(bench.notebook(TRIVIAL))))
        api.runs.start_run(group, arguments(x=0))
        seconds = clock(lambda: [api.runs.start_run(group, arguments(x=x)) for x in range(count)])
    return Row(
        f"accept {count:,} runs by {count:,} calls of `start_run`, slots busy",
        f"{seconds:.2f} s ({count / seconds:,.0f} runs/s)",
        target="≤ 1 s for 1,000",
        is_met=seconds / count <= 1 / 1_000,
        note="each run is durable before its call returns; warmed by one call",
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


def insert_runs(root: Path, group: str, count: int) -> None:
    """Insert finished runs straight into the tables of a root; they have no run directories."""
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
                    "state": RunState.SUCCESS.value,
                    "arguments": arguments(x=x),
                    "config": {},
                    "messages": [],
                    "metrics": {"loss": 1 / (x + 1)},
                    "created_at": moment,
                    "started_at": moment,
                    "finished_at": moment,
                    "holds_slot": False,
                }
                for x in range(begin, min(begin + PIECE, count))
            ]
            with database.write() as connection:
                connection.execute(insert(runs), rows)
    finally:
        database.close()
