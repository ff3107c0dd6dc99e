"""The invariants of runs, with their numbers, and the rules that check them.

A rule yields problems, as sentences about the run; a rule that yields nothing is satisfied. A rule that
depends on damaged data yields nothing: the rule that the data belongs to reports the damage.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import nbformat

from runwidgets.errors import RunWidgetsError
from runwidgets.limits import Limits
from runwidgets.schema import RUN_FORMAT, JsonValue, RunDescription
from runwidgets.service.integrity.run_state import ObservedRun
from runwidgets.states import ACTIVE, MOVES, TERMINAL, RunState
from runwidgets.store.files.disk import hash_file
from runwidgets.store.files.layout import LOG, OUTPUT, RUN_FILE, TEMPLATE, WORKDIR
from runwidgets.templates.arguments import check_arguments, find_group_defaults, replace_files, tag_values
from runwidgets.templates.cells.cell_tags import why_left_out
from runwidgets.templates.injection import injected_code, split_values
from runwidgets.templates.parameters import parse_parameters
from runwidgets.templates.placement import RUNS_PARAMETER

PROCESS_GRACE = 5.0
"""Seconds after the end of a run within which its processes must end."""
CELL_STATUSES = {"ok", "error", "not run", "running"}
FAILED = TERMINAL - {RunState.SUCCESS}
"""States of runs with partial files."""
JOURNALED_ENDS = {RunState.SUCCESS, RunState.ERROR}
"""States on which the journal and the row must agree; a cancellation may override the journal."""

INVARIANTS: dict[int, str] = {
    1: "An accepted run is on disk before its start is confirmed, and what is on disk can be read.",
    2: "A run ends in exactly one terminal state, which never changes.",
    3: "A run moves only as the state machine allows.",
    4: "A run is not lost when the server, its runner or its kernel is killed: it still ends.",
    5: "A run is executed at most once, unless `config.retries` allows further attempts.",
    6: "No process of a run, and none that it started, exists 5 seconds after its end.",
    7: "SUCCESS means that every declared output and every result file exists, with the recorded size and "
    "SHA-256.",
    8: "A run that is not SUCCESS has no result files; its log, its partial notebook and its partial files "
    "exist, the latter with the recorded size and, where it was computed, SHA-256.",
    9: "The executed notebook is valid, is strict JSON, and states the result of each cell.",
    10: "A run is created, started and finished in this order, even if the clock is changed.",
    11: "Every file under the root belongs to a row of the database, and every row has its files.",
    12: "Nothing remains of a deleted run: no row, no file, no process.",
    13: "The events of a run are ordered, have no gap, and end in the state of its row.",
    14: "No more runs execute than there are slots, and a run that has ended releases its slot.",
    15: "The recorded arguments and the recorded template reproduce the injected cell, byte for byte.",
    16: "An invalid request gets a response with a status below 500, and no response contains a traceback, a "
    "path of the server, SQL or the content of a file.",
}
"""The invariants by number. Number 16 is about HTTP responses, and is checked by the tests only."""

RESTORE = (
    "The root was changed from outside runwidgets: restore the file from a backup, or delete the run and "
    "start it again."
)
REPORT = "This is a fault of runwidgets: please report it, with the lines above."
REMEDIES = {
    **dict.fromkeys((1, 7, 8, 9, 15), RESTORE),
    **dict.fromkeys((2, 3, 4, 5, 10, 13, 14), REPORT),
    6: "Kill the processes: their run has ended.",
    11: "What belongs to no row is removed by `jupyter runwidgets clean`; for what is missing, restore the "
    "root from a backup, or delete the run.",
    12: "Kill the processes; to remove rows that remain, delete the workflow or the group of the run.",
}
"""What to do about a violation, by the number of the invariant."""

Problems = Iterator[str]


def is_on_disk(run: ObservedRun) -> Problems:
    """1: An accepted run is on disk, and can be read."""
    yield from run.damage
    if not run.folder.is_dir():
        return  # a row without a directory violates 11
    if run.run_file is None:
        yield f"its {RUN_FILE} is missing or not JSON"
    elif run.description is None:
        yield f"its {RUN_FILE} has format {run.run_file.get('format')}; this version reads {RUN_FORMAT}"
    elif run.description["id"] != run.run["id"]:
        yield f"its {RUN_FILE} belongs to another run"
    if not (run.folder / TEMPLATE).is_file():
        yield f"its {TEMPLATE} is missing"


def ends_once(run: ObservedRun) -> Problems:
    """2: A run ends in one terminal state, which never changes."""
    for before, after in pairwise(run.states):
        if before in {state.value for state in TERMINAL}:
            yield f"it became {after} after it was {before}"
    ends = [record.get("state") for record in run.journal or () if record.get("kind") == "finished"]
    if ends and run.state in JOURNALED_ENDS and ends[-1] != run.state.value:
        yield f"it is {run.state}, but its journal says {ends[-1]}"


def moves_legally(run: ObservedRun) -> Problems:
    """3: A run moves only as the state machine allows."""
    if run.states[:1] not in ([], [RunState.PENDING.value]):
        yield f"its first state is {run.states[0]}"
    legal = {(source.value, target.value) for source in MOVES for target in MOVES[source]}
    for before, after in pairwise(run.states):
        if before not in {state.value for state in TERMINAL} and (before, after) not in legal:
            yield f"it became {after} after {before}"


def is_not_lost(run: ObservedRun) -> Problems:
    """4: Every claimed run reaches a terminal state."""
    if run.count("started") <= run.run["config"].get("retries", 0):
        return  # the run waits for its next attempt, or for its runner
    if run.state is RunState.RUNNING and run.is_followed_here and not run.processes:
        yield "it is RUNNING, but its runner has ended and its instance does not notice it"


def executes_once(run: ObservedRun) -> Problems:
    """5: A run executes at most once, unless retries are allowed and recorded."""
    if run.journal is None:
        yield "its journal has a line that is not a JSON object"
        return
    retries = run.run["config"].get("retries", 0)
    started, before = run.count("started"), ""
    if started > retries + 1:
        yield f"it was started {started} times, of at most {retries + 1}"
    for kind in [record["kind"] for record in run.journal if record["kind"] in {"started", "finished"}]:
        if kind == "finished" and before != "started":
            yield "it finished without having started"
        before = kind
    if run.state is RunState.PENDING and started:
        yield "it is PENDING, but was started"
    if run.state is RunState.SUCCESS and before != "finished":
        yield "it is SUCCESS, but its journal does not record its end"


def leaves_no_process(run: ObservedRun) -> Problems:
    """6: No process of a run survives the run."""
    if run.processes and run.ended_for() > PROCESS_GRACE:
        yield f"processes {', '.join(map(str, sorted(run.processes)))} are still alive"


def has_intact_results(run: ObservedRun) -> Problems:
    """7: SUCCESS means that every declared output and every listed file exists unchanged."""
    if run.state is not RunState.SUCCESS or not run.folder.is_dir():
        return
    yield from _check_files(run, "result", has_notebook=True)
    names = {row["name"] for row in run.files}
    if run.description is not None:
        names |= {each["path"] for each in [*run.description["inputs"], *run.description["files"]]}
        for output in run.description["template"]["outputs"]:
            source = output["source"]
            if not any(name == source or PurePosixPath(name).match(source) for name in names):
                yield f"declared output {source} is not among its result files"


def _check_files(run: ObservedRun, kind: str, has_notebook: bool) -> Problems:
    """Every listed file exists unchanged, and the executed notebook, if there is one, is one of them."""
    if has_notebook and not any(row["display"].get("isNotebook") for row in run.files):
        yield f"its executed notebook is not among its {kind} files"
    for row in run.files:
        is_notebook = row["display"].get("isNotebook")
        path = run.folder / OUTPUT if is_notebook else run.folder / WORKDIR / row["name"]
        if not path.is_file():
            yield f"{kind} file {row['name']} is missing"
        elif path.stat().st_size != row["size"]:
            yield f"{kind} file {row['name']} has {path.stat().st_size} bytes instead of {row['size']}"
        elif row["sha256"] not in (None, hash_file(path)[0]):
            yield f"{kind} file {row['name']} has changed content"


def keeps_partial_files(run: ObservedRun) -> Problems:
    """8: A run that is not SUCCESS has no results, but its log, its partial notebook and partial files."""
    if run.state in ACTIVE and run.files:
        yield f"it is {run.state}, but lists {len(run.files)} files"
    is_settled = run.state in FAILED and not run.is_moving and run.folder.is_dir()
    has_notebook = (run.folder / OUTPUT).is_file() and run.description is not None
    if is_settled:
        yield from _check_files(run, "partial", has_notebook)
    if run.count("cell"):
        for name in (LOG, OUTPUT) if run.state is not RunState.SUCCESS else (LOG,):
            if not (run.folder / name).is_file():
                yield f"its {name} is missing"


def has_valid_notebook(run: ObservedRun) -> Problems:
    """9: The notebook is valid and strict JSON, and states the result of each cell."""
    if not (run.folder / OUTPUT).is_file():
        return  # violates 7 or 8
    if run.notebook is None:
        yield f"its {OUTPUT} is not strict JSON"
        return
    try:
        nbformat.validate(run.notebook)
    except nbformat.ValidationError as error:
        yield f"its {OUTPUT} is not a valid notebook: {str(error).splitlines()[0]}"
        return
    config = run.run["config"]
    cells = [
        cell
        for cell in run.notebook["cells"]
        if cell["cell_type"] == "code" and why_left_out(cell["metadata"].get("tags", []), config) is None
    ]
    recorded = [cell["metadata"].get("runwidgets", {}) for cell in cells]
    is_over, may_be_over = False, run.state is not RunState.SUCCESS
    passed = {"ok", "error"} if config.get("allow_errors") else {"ok"}
    progress = run.run["progress"]
    early = None if progress is None else progress.get("endedEarly")
    for metadata in recorded:
        status, number = metadata.get("status"), metadata.get("number")
        name = "an empty code cell" if number is None else f"code cell {number}"
        if status not in CELL_STATUSES:
            yield f"{name} does not state its result"
        elif status == "running" and not run.is_moving:
            yield f"{name} claims to be still running"
        elif status not in passed and not may_be_over:
            yield f"{name} has the status {status}, but the run is SUCCESS"
        elif status != "not run" and is_over:
            yield f"{name} has the status {status}, but an earlier one did not succeed"
        is_over = is_over or status not in passed
        may_be_over = may_be_over or (number is not None and number == early)


def has_ordered_times(run: ObservedRun) -> Problems:
    """10: A run is created, started and finished in this order, even if the clock is changed."""
    times = {
        "created_at": run.run["created_at"],
        "started_at": run.run["started_at"],
        "finished_at": run.run["finished_at"],
    }
    known = [(name, moment) for name, moment in times.items() if moment is not None]
    for (earlier, before), (later, after) in pairwise(known):
        if before > after:
            yield f"{earlier} is later than {later}"


def has_directory(run: ObservedRun) -> Problems:
    """11: A row has its directory."""
    if not run.folder.is_dir():
        yield "it has a row, but no directory"


def has_complete_events(run: ObservedRun) -> Problems:
    """13: The events end in the state of the row."""
    last = run.states[-1] if run.states else "nothing"
    if last != run.state.value:
        yield f"it is {run.state}, but its last event says {last}"
    elif run.reasons[-1] != run.run["reason"]:
        yield f"its reason is {run.run['reason']}, but its last event says {run.reasons[-1]}"
    metrics = {
        event["data"]["name"]: event["data"]["value"] for event in run.events if event["kind"] == "metric"
    }
    for name in sorted(metrics.keys() | run.run["metrics"].keys()):
        if name not in metrics or name not in run.run["metrics"] or metrics[name] != run.run["metrics"][name]:
            yield f"metric {name} is not what its last event says"
    progress = [event["data"] for event in run.events if event["kind"] == "progress"]
    if (progress[-1] if progress else None) != run.run["progress"]:
        yield "its progress is not what its last event says"


def releases_slot(run: ObservedRun) -> Problems:
    """14: A run that holds a slot has processes, or will have them soon."""
    if run.run["holds_slot"] and run.run["host"] is None:
        yield "it holds a slot, but on no machine"
    has_ended = run.state not in ACTIVE and run.ended_for() > PROCESS_GRACE
    if has_ended and run.run["holds_slot"] and run.is_followed_here and not run.processes:
        yield "it has ended with all its processes, but still holds a slot"


def is_reproducible(run: ObservedRun) -> Problems:
    """15: The recorded arguments and the template reproduce the injected cell, byte for byte."""
    description = run.description
    if description is None:
        return
    template = run.folder / TEMPLATE
    if template.is_file() and _hash(template.read_bytes()) != run.version["notebook"]:
        yield f"its {TEMPLATE} is not the registered one"
    if description["template"]["sha256"] != run.version["sha256"]:
        yield f"its {RUN_FILE} names another template than its row"
    if description["fingerprint"] != run.run["fingerprint"]:
        yield f"its {RUN_FILE} has another fingerprint than its row"
    if description["arguments"] != run.run["arguments"]:
        yield f"its {RUN_FILE} has other arguments than its row"
        return
    try:
        expected = _values(run, description)
    except RunWidgetsError as error:
        yield f"its arguments are refused: {error.message}"
        return
    if _canonical(expected) != _canonical(description["values"]):
        yield "its arguments do not reproduce its values"
    if run.notebook is None or not description["values"]:
        return
    tagged = [
        cell for cell in run.notebook["cells"] if "injected-parameters" in cell["metadata"].get("tags", [])
    ]
    injected = _inject(description, _injected_values(run.notebook, description))
    if [_source(cell) for cell in tagged] != injected:
        yield f"its arguments do not reproduce the injected cell of its {OUTPUT}"


RULES: dict[int, Callable[[ObservedRun], Problems]] = {
    1: is_on_disk,
    2: ends_once,
    3: moves_legally,
    4: is_not_lost,
    5: executes_once,
    6: leaves_no_process,
    7: has_intact_results,
    8: keeps_partial_files,
    9: has_valid_notebook,
    10: has_ordered_times,
    11: has_directory,
    13: has_complete_events,
    14: releases_slot,
    15: is_reproducible,
}
"""The rule of each invariant. Number 12 is checked by `doctor`, because a deleted run has no row."""


def _values(run: ObservedRun, description: RunDescription) -> dict[str, JsonValue]:
    """Return the values for the recorded arguments, without those of secrets, which are not recorded."""
    results = {RUNS_PARAMETER} if "results_of" in description["config"] else set()
    parameters = [
        each
        for each in parse_parameters(
            [*run.version["template"]["handle"]["parameters"], *run.group["parameters"]]
        )
        if not each.secret and each.name not in results
    ]
    visible_names = {each.name for each in parameters}
    arguments = [each for each in run.run["arguments"] if each["name"] in visible_names]
    template = run.version["template"]
    values = check_arguments(
        parameters,
        arguments,
        lambda _: True,
        Limits.from_json(description["limits"]),
        is_open=template["isOpen"],
    )
    paths = iter([each["path"] for each in description["files"]])
    values = {name: replace_files(value, paths) for name, value in values.items()}
    values |= {name: description["values"][name] for name in results}
    group_defaults = find_group_defaults(parse_parameters(run.group["parameters"]))
    return tag_values(parameters, {**template["defaults"], **group_defaults, **values})


def _injected_values(notebook: dict[str, Any], description: RunDescription) -> dict[str, JsonValue]:
    """Return the values that the notebook got: in its own folder, paths of files are absolute."""
    values = description["values"]
    if description["config"].get("cwd", "run") == "run":
        return values
    recorded = notebook["metadata"]["papermill"]["parameters"]
    return {**values, **{name: recorded[name] for name in description["located"]}}


def _inject(description: RunDescription, values: dict[str, JsonValue]) -> list[str]:
    """Return the cells that papermill and runwidgets generate for values."""
    template = description["template"]
    return [injected_code(template, each) for each in split_values(template, values) if each]


def _source(cell: nbformat.NotebookNode) -> str:
    return "".join(cell["source"])


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
