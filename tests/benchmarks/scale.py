"""Rows about large numbers: queries of a database with 1,000,000 runs, and of one with 1,000.

Both databases contain the rows of small runs, nine tenths of them in one group. The instance is a real one,
but its backend does nothing.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runwidgets.limits import Limits
from runwidgets.schema import RunReason
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import DATABASE_FILE, open_store
from runwidgets.service.local.components import Components
from runwidgets.service.local.events import InstanceEvents, LocalEventService
from runwidgets.service.local.groups import LocalGroupService
from runwidgets.service.local.policy import Policy
from runwidgets.service.local.runs import LocalRunService
from runwidgets.service.local.sweeps import LocalSweepService
from runwidgets.service.local.templates import Templates
from runwidgets.service.local.uploads import LocalUploadService
from runwidgets.service.local.workflows import LocalWorkflowService
from runwidgets.states import RunState
from runwidgets.store.database.catalog import Catalog
from runwidgets.store.database.database import Database
from runwidgets.store.database.events import events_after
from runwidgets.store.database.metrics import RecordedValue
from runwidgets.store.database.runs.runs import Runs
from runwidgets.store.database.sweeps import Sweeps
from tests.benchmarks.bulk_insert import PROGRESS, fill, fill_sweep
from tests.benchmarks.instance_runs import open_api
from tests.benchmarks.table import NotMeasuredError, Row
from tests.benchmarks.workload import BLOCK, SLOTS, TRIVIAL, Bench, clock
from tests.builders import arguments, group_of, running, write_notebook
from tests.postgres import PROGRAMS, Postgres
from tests.store.shared_root import Idle

PAGE, TABLE = 100, 800
"""Runs in one answer: of a list, of a table."""
FEW, MANY = 1_000, 1_000_000
POINTS = 10_000
WAITING = 100_000
GROUPS = 10
"""Groups of the workflow."""
ERRORS = 8
"""One run in so many is an ERROR."""
WHOLE = 10
"""One run in so many has its events and its result file."""
CALLS, ENOUGH = 50, 10.0
"""Calls whose median counts, and seconds after which fewer do."""
KINDS = ("sqlite", "postgresql")
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SCHEMA = {"results": {"schema": [{"name": "loss"}]}}


@dataclass
class StoreOnly:
    """An instance on a filled database."""

    database: Database
    runs: Runs
    api: Api
    url: str
    workflow: str
    groups: list[str]
    sweep: str


Asked = Callable[[StoreOnly], object]
QUESTIONS: dict[str, tuple[str, Asked]] = {
    "list": (
        f"list the newest {PAGE} of a group",
        lambda it: it.api.runs.list_runs(it.groups[0], limit=PAGE),
    ),
    "filter": (
        f"list its newest {PAGE} in state ERROR, one in {ERRORS}",
        lambda it: it.api.runs.list_runs(it.groups[0], "ERROR", limit=PAGE),
    ),
    "page": (
        f"list {PAGE} of its oldest, as a page",
        lambda it: it.api.runs.list_runs(it.groups[0], limit=PAGE, before=str(FEW // 2)),
    ),
    "rows": (
        f"read the newest {TABLE:,} rows of its table",
        lambda it: it.api.runs.get_table(it.groups[0], limit=TABLE),
    ),
    "best": (
        f"rank {GROUPS} groups by the best of each, by a metric",
        lambda it: it.api.workflows.get_leaderboard(it.workflow, ["loss:asc"]),
    ),
    "sort": (
        f"find the best {PAGE} of all by a metric",
        lambda it: it.runs.best(it.groups, [("loss", False)], PAGE),
    ),
    "progress": (f"count a sweep of {POINTS:,} by state", lambda it: it.api.sweeps.get_sweep(it.sweep)),
    "chart": (
        f"read {TABLE:,} points of the sweep",
        lambda it: it.api.sweeps.get_points(it.sweep, after=str(POINTS // 2), limit=TABLE),
    ),
    "resume": (
        "read the events of a small group out of the newest 10,000",
        lambda it: events_after(it.database, _last(it) - 10_000, 200, it.groups[1]),
    ),
    "busy": ("list workflows with what is active", lambda it: it.api.workflows.list_workflows()),
    "start": (
        "accept a run, with its folder",
        lambda it: it.api.runs.start_run(it.groups[0], arguments(x=1)),
    ),
    "note": ("note progress and a metric of a run", lambda it: _note(it)),
}
"""What is asked with few runs and with many: words and call."""
OF_SWEEP = {"progress", "chart"}
"""Those that need the sweep, which is filled when the others were asked with few runs."""
CLAIM = "claim a run while {:,} wait, against while 100 do"
ACCEPT = "accept a run while {:,} wait, against while none does"


def accept(bench: Bench) -> Row:
    """Call `start_sweep` once, and `start_run` as often, while a sleeping run holds every slot."""
    count = bench.size(1_000, 100)
    with open_api(bench.new_folder() / "root") as api:
        for _ in range(SLOTS):
            running(api, bench.new_folder(), BLOCK)
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


def scale_rows() -> dict[str, Callable[[Bench], Row]]:
    """Return the rows of both databases by name: ``list-sqlite``, ``list-postgresql``, and so on."""
    names = [*QUESTIONS, "claim", "queue"]
    return {f"{name}-{kind}": _Row(name, kind) for name in names for kind in KINDS}


@dataclass(frozen=True)
class _Row:
    name: str
    kind: str

    def __call__(self, bench: Bench) -> Row:
        found = _measured(bench, self.kind)[self.name]
        few, many = FEW + POINTS * (self.name in OF_SWEEP), bench.size(MANY, MANY // 50)
        what = {"claim": CLAIM, "queue": ACCEPT}.get(self.name, "")
        ratio = found.ours / found.theirs
        other = ""
        if self.kind == "postgresql" and bench.has(("scale", "sqlite")):
            compared = found.ours / _measured(bench, "sqlite")[self.name].ours
            other = f"; {compared:.2g}x the time of SQLite in the same state"
        words = (
            what.format(bench.size(WAITING, WAITING // 50))
            or f"{QUESTIONS[self.name][0]}, with {many:,} runs, against with {few:,}"
        )
        return Row(
            f"{NAMES[self.kind]}: {words}",
            _shown(found.ours),
            _shown(found.theirs),
            f"{ratio:.3g}x",
            "≤ 10x",
            ratio <= 10,
            f"medians of up to {CALLS} calls of each{'' if what else ', by turns'}{other}",
        )


@dataclass(frozen=True)
class _Found:
    ours: float
    theirs: float


def _measured(bench: Bench, kind: str) -> dict[str, _Found]:
    return bench.once(("scale", kind), lambda: _measure(bench, kind))


def _measure(bench: Bench, kind: str) -> dict[str, _Found]:
    place = bench.new_folder()
    if kind == "sqlite":
        return _ask_all(bench, place, None)
    if not PROGRAMS.is_dir():
        raise NotMeasuredError("there is no PostgreSQL")
    postgres = Postgres()
    try:
        return _ask_all(bench, place, postgres.url)
    finally:
        postgres.remove()


def _ask_all(bench: Bench, place: Path, url: Callable[[Path], str] | None) -> dict[str, _Found]:
    """Fill two databases and query both alternately, so that other load on the machine affects both."""
    instances = []
    try:
        for name, count in (("few", FEW), ("many", bench.size(MANY, MANY // 50))):
            (inner := place / name).mkdir()
            instances.append(open_quiet(inner, url and url(inner)))
            _fill(instances[-1], count)
        few, many = instances
        found = {name: _ask(many, few, name) for name in QUESTIONS if name not in OF_SWEEP}
        fill_sweep(few.database, few.groups[0], few.sweep, POINTS)
        settle(few.database)
        found |= {name: _ask(many, few, name) for name in OF_SWEEP}
        return {**found, **_ask_queue(many, bench.size(WAITING, WAITING // 50))}
    finally:
        for instance in instances:
            instance.database.close()


def _fill(instance: StoreOnly, count: int) -> None:
    """Fill an instance; ten thousand of many runs are points of the sweep."""
    filling = Database(instance.url)
    if count > POINTS:
        fill_sweep(filling, instance.groups[0], instance.sweep, POINTS)
        count -= POINTS
    fill(filling, instance.groups, count, errors=ERRORS, whole=WHOLE)
    filling.close()
    settle(instance.database)


def _ask(many: StoreOnly, few: StoreOnly, name: str) -> _Found:
    """Query both alternately; accepted runs do not remain in the queue."""
    ask = QUESTIONS[name][1]
    found = _time(lambda: ask(many), lambda: ask(few))
    for instance in (many, few):
        instance.runs.cancel_all(RunReason.CANCELED, "the benchmark goes on")
    return found


def _ask_queue(instance: StoreOnly, waiting: int) -> dict[str, _Found]:
    """Claim and accept with few waiting runs, and then with many."""
    few, start = 100, QUESTIONS["start"][1]

    def claim() -> float:
        return _time(lambda: instance.runs.claim("here", "nobody", 10 * WAITING)).ours

    begin = _time(lambda: start(instance)).ours
    instance.runs.cancel_all(RunReason.CANCELED, "the benchmark goes on")
    fill(instance.database, instance.groups[:1], few, RunState.PENDING)
    theirs = claim()
    fill(instance.database, instance.groups[:1], waiting - few, RunState.PENDING)
    settle(instance.database)
    return {"claim": _Found(claim(), theirs), "queue": _Found(_time(lambda: start(instance)).ours, begin)}


def open_quiet(place: Path, url: str | None, waiting: int = WAITING) -> StoreOnly:
    """Open an instance without execution in a folder, with a workflow, groups and a sweep of one run."""
    files, database = open_store(place / "root", url)
    limits, catalog, runs = Limits(queue=waiting + 10_000), Catalog(database), Runs(database)
    parts = Components(
        catalog=catalog,
        runs=runs,
        sweeps=Sweeps(database),
        files=files,
        templates=Templates(catalog, files, limits, root=None, prepare=lambda _name, _imports: None),
        policy=Policy("open", catalog),
        limits=limits,
        has_resources=False,
        check_kernel=Idle().check_kernel,
    )
    api = Api(
        workflows=LocalWorkflowService(parts, None),
        groups=LocalGroupService(parts, None),
        uploads=LocalUploadService(parts, None),
        runs=LocalRunService(parts, Idle(), None),
        sweeps=LocalSweepService(parts, Idle(), None),
        events=LocalEventService(parts, InstanceEvents(database), None),
        store=lambda: "",
    )
    notebook = write_notebook(place / "work.ipynb", TRIVIAL, parameters="x = 1", runwidgets=SCHEMA)
    workflow = api.workflows.create_workflow(str(notebook))
    groups = [group_of(workflow)]
    for number in range(1, GROUPS):
        groups.append(api.groups.create_group(workflow["id"], f"group {number}")["id"])
    sweep = api.sweeps.start_sweep(groups[0], [arguments(x=-1)])["id"]
    api.sweeps.cancel_sweep(sweep)
    return StoreOnly(
        database,
        runs,
        api,
        url or f"sqlite:///{place / 'root' / DATABASE_FILE}",
        workflow["id"],
        groups,
        sweep,
    )


def settle(database: Database) -> None:
    """Do what PostgreSQL would do by itself a little later; SQLite does nothing of the kind."""
    if not database.is_sqlite:
        with database.read() as connection:
            driver: Any = connection.connection.driver_connection
            connection.rollback()
            driver.autocommit = True
            driver.execute("VACUUM ANALYZE")
            driver.autocommit = False


def _last(instance: StoreOnly) -> int:
    return instance.api.events.last_event()


def _note(instance: StoreOnly) -> None:
    (row,), _ = instance.runs.list(instance.groups[0], limit=1)
    instance.runs.store_progress(row.id, PROGRESS, [RecordedValue("loss", time.perf_counter())], 14)


def _time(ours: Callable[[], object], theirs: Callable[[], object] | None = None) -> _Found:
    """Return the median seconds of alternating calls, without the first one of each."""
    times: list[tuple[float, float]] = []
    while len(times) <= CALLS and sum(one + other for one, other in times) < ENOUGH:
        times.append((clock(ours), clock(theirs) if theirs else 0.0))
    counted = times[1:] or times
    return _Found(*(statistics.median(each) for each in zip(*counted, strict=True)))


def _shown(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"
