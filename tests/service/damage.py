"""Ways to damage a root that was healthy, each with the invariant that it breaks."""

import json
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runwidgets.store.files.disk import hash_file
from runwidgets.store.files.layout import WORKDIR

LONG_AGO = time.time() - 24 * 3600
YEARS_AGO = "2020-01-01T00:00:00.000000+00:00"


@dataclass
class Root:
    """A root that a test may change without the software."""

    path: Path

    def run(self, run_id: str, name: str = "") -> Path:
        """Return the folder of a run, or a file in it."""
        return self.path / "runs" / run_id / name

    def sql(self, statement: str, *values: Any) -> None:
        """Execute a statement that the software never executes, and that its constraints may refuse."""
        connection = sqlite3.connect(self.path / "runwidgets.db", isolation_level=None)
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement, values)
        connection.close()

    def edit(self, path: Path, change: Callable[[Any], Any]) -> None:
        """Change the JSON of a file."""
        content = json.loads(path.read_text())
        change(content)
        path.unlink()  # a file with a second link keeps its content there
        path.write_text(json.dumps(content))

    def orphan(self, name: str, *, is_folder: bool = False) -> Path:
        """Create an old file or folder under the root that belongs to no row."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_folder:
            path.mkdir()
        else:
            path.write_text("x")
        os.utime(path, (LONG_AGO, LONG_AGO))
        return path


@dataclass
class EndedRoot(Root):
    """A root at rest, with a run in each terminal state."""

    success: str
    error: str
    canceled: str
    deleted: str
    sweep: str


def cut_journal(root: EndedRoot) -> None:
    """Remove the last line from the journal of the successful run."""
    path = root.run(root.success, "journal.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def start_again(root: EndedRoot) -> None:
    """Record in the journal of the failed run that it began a second time."""
    path = root.run(root.error, "journal.jsonl")
    path.write_bytes(path.read_bytes() + path.read_bytes())


def tell_twice(root: EndedRoot) -> None:
    """Add events in which the successful run becomes ERROR and SUCCESS again."""
    for state in ("ERROR", "SUCCESS"):
        root.sql(
            "INSERT INTO events (run_id, group_id, kind, data, at) "
            "SELECT id, group_id, 'state', json_object('state', ?), finished_at FROM runs WHERE id = ?",
            state,
            root.success,
        )


def bring_back(root: EndedRoot) -> None:
    """Make the failed run a claimed one that no instance tracks."""
    root.sql(
        "UPDATE runs SET state = 'RUNNING', reason = NULL, finished_at = NULL, holds_slot = 1, "
        "instance = 'idle', host = ? WHERE id = ?",
        socket.gethostname(),
        root.error,
    )
    root.sql("DELETE FROM events WHERE run_id = ? AND data LIKE '%ERROR%'", root.error)
    root.sql("DELETE FROM files WHERE run_id = ?", root.error)


def hold_a_slot(root: EndedRoot) -> None:
    """Make the cancelled run hold the slot of a live instance of this machine forever."""
    names = "created_at = ?, started_at = ?, finished_at = ?, holds_slot = 1, instance = 'idle', host = ?"
    root.sql(f"UPDATE runs SET {names} WHERE id = ?", *[YEARS_AGO] * 3, socket.gethostname(), root.canceled)


def empty_sweep(root: EndedRoot) -> None:
    """Remove the runs of the sweep from it."""
    root.sql("UPDATE runs SET sweep_id = NULL")
    root.sql("DELETE FROM sweep_points")


def broaden(root: EndedRoot) -> None:
    """Make two runs of a sweep hold slots, of which only one is allowed."""
    root.sql("UPDATE sweeps SET parallel = 1")
    root.sql("UPDATE runs SET holds_slot = 1, host = 'elsewhere' WHERE sweep_id = ?", root.sweep)


def list_a_file(root: EndedRoot) -> None:
    """Add a file to those of the failed run."""
    root.sql(
        "INSERT INTO files SELECT ?, id, position, name, mime_type, size, sha256, display FROM files "
        "WHERE run_id = ? AND name = 'plot.txt'",
        root.error,
        root.success,
    )


def list_early(root: EndedRoot) -> None:
    """Make the failed run a claimed one that has files already."""
    bring_back(root)
    root.sql("UPDATE runs SET host = 'elsewhere' WHERE id = ?", root.error)
    list_a_file(root)


def set_status(run_id: str, at: int, status: str) -> Callable[[EndedRoot], None]:
    """Return a function that changes the status of a code cell."""

    def damage(root: EndedRoot) -> None:
        def change(notebook: Any) -> None:
            cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
            cells[at]["metadata"]["runwidgets"]["status"] = status

        root.edit(root.run(getattr(root, run_id), "output.ipynb"), change)
        measure_notebook(root, getattr(root, run_id))

    return damage


def measure_notebook(root: EndedRoot, run_id: str) -> None:
    """Make the row of a run's notebook fit its file."""
    digest, size = hash_file(root.run(run_id, "output.ipynb"))
    root.sql(
        "UPDATE files SET sha256 = ?, size = ? WHERE run_id = ? AND display LIKE '%isNotebook%'",
        digest,
        size,
        run_id,
    )


def inject(root: EndedRoot) -> None:
    """Change the injected cell of the successful run's notebook, and its row with it."""

    def change(notebook: Any) -> None:
        (cell,) = [each for each in notebook["cells"] if "injected-parameters" in each["metadata"]["tags"]]
        cell["source"] = [*cell["source"], "\nx = 8"]

    root.edit(root.run(root.success, "output.ipynb"), change)
    measure_notebook(root, root.success)


def spoil_upload(root: EndedRoot) -> None:
    """Change the content of an upload."""
    (path,) = root.path.glob("uploads/*/*/a.txt")
    path.write_text("download")


def lose_upload(root: EndedRoot) -> None:
    """Remove an upload."""
    (path,) = root.path.glob("uploads/*/*/a.txt")
    path.unlink()


def lose_copies(root: EndedRoot) -> None:
    """Remove the copies of the files beside the notebook."""
    for path in root.path.glob("copies/*/*"):
        if path.read_bytes() == b"beside the notebook":
            path.unlink()


def break_notebook(text: str) -> Callable[[EndedRoot], None]:
    """Return a function that overwrites the notebook of the failed run, and changes its row with it."""

    def damage(root: EndedRoot) -> None:
        root.run(root.error, "output.ipynb").write_text(text)
        measure_notebook(root, root.error)

    return damage


DAMAGE: dict[str, tuple[Callable[[EndedRoot], Any], int, str]] = {
    "run.json is not JSON": (
        lambda root: root.run(root.error, "run.json").write_text("{"),
        1,
        "its run.json is missing or not JSON",
    ),
    "run.json is of another run": (
        lambda root: root.edit(root.run(root.error, "run.json"), lambda about: about.update(id="x")),
        1,
        "belongs to another run",
    ),
    "run.json is of another version": (
        lambda root: root.edit(root.run(root.error, "run.json"), lambda about: about.update(format=2)),
        1,
        "its run.json has format 2; this version reads 1",
    ),
    "the template is missing": (
        lambda root: root.run(root.error, "template.ipynb").unlink(),
        1,
        "template.ipynb is missing",
    ),
    "a column is poisoned": (
        lambda root: root.sql("UPDATE runs SET metrics = '{x' WHERE id = ?", root.error),
        1,
        "column metrics of its run is not JSON",
    ),
    "a second end": (tell_twice, 2, "it became ERROR after it was SUCCESS"),
    "the journal has another end": (
        lambda root: root.run(root.error, "journal.jsonl").write_text(
            root.run(root.error, "journal.jsonl").read_text().replace('"ERROR"', '"CANCELED"')
        ),
        2,
        "it is ERROR, but its journal says CANCELED",
    ),
    "no reason": (
        lambda root: root.sql("UPDATE runs SET reason = NULL WHERE id = ?", root.error),
        1,
        "CHECK constraint failed in runs",
    ),
    "another reason": (
        lambda root: root.sql("UPDATE runs SET reason = 'timeout' WHERE id = ?", root.error),
        13,
        "its reason is timeout, but its last event says cell_error",
    ),
    "a move that is none": (
        lambda root: root.sql("DELETE FROM events WHERE run_id = ? AND data LIKE '%RUNNING%'", root.success),
        3,
        "it became SUCCESS after PENDING",
    ),
    "a run that nobody follows": (bring_back, 4, "its runner has ended"),
    "a second start": (start_again, 5, "it was started 2 times, of at most 1"),
    "no end in the journal": (cut_journal, 5, "does not record its end"),
    "a broken journal": (
        lambda root: root.run(root.canceled, "journal.jsonl").write_text("nonsense\n"),
        5,
        "a line that is not a JSON object",
    ),
    "a result is missing": (
        lambda root: root.run(root.success, f"{WORKDIR}/plot.txt").unlink(),
        7,
        "result file plot.txt is missing",
    ),
    "a result has another size": (
        lambda root: root.run(root.success, f"{WORKDIR}/plot.txt").write_text("seven"),
        7,
        "result file plot.txt has 5 bytes instead of 1",
    ),
    "a result has another content": (
        lambda root: root.run(root.success, f"{WORKDIR}/plot.txt").write_text("8"),
        7,
        "result file plot.txt has changed content",
    ),
    "a declared output is not listed": (
        lambda root: root.sql("DELETE FROM files WHERE name = 'plot.txt'"),
        7,
        r"declared output plot.\* is not",
    ),
    "a partial file is missing": (list_a_file, 8, "partial file plot.txt is missing"),
    "a partial file has another size": (
        lambda root: root.sql("UPDATE files SET size = 1 WHERE run_id = ?", root.canceled),
        8,
        r"partial file .*\.ipynb has \d+ bytes instead of 1",
    ),
    "a partial file has another content": (
        lambda root: root.sql("UPDATE files SET sha256 = 'x' WHERE run_id = ?", root.error),
        8,
        r"partial file .*\.ipynb has changed content",
    ),
    "a partial notebook is not listed": (
        lambda root: root.sql("DELETE FROM files WHERE run_id = ?", root.canceled),
        8,
        "its executed notebook is not among its partial files",
    ),
    "an active run lists files": (list_early, 8, "it is RUNNING, but lists 1 files"),
    "no log": (lambda root: root.run(root.error, "log.txt").unlink(), 8, "its log.txt is missing"),
    "no notebook": (
        lambda root: root.run(root.canceled, "output.ipynb").unlink(),
        8,
        "its output.ipynb is missing",
    ),
    "a notebook with NaN": (break_notebook('{"x": NaN}'), 9, "not strict JSON"),
    "a notebook that is none": (break_notebook('{"cells": 3}'), 9, "not a valid notebook"),
    "a cell that still runs": (
        set_status("error", 1, "running"),
        9,
        "code cell 2 claims to be still running",
    ),
    "a cell without a status": (set_status("error", 2, "fine"), 9, "code cell 3 does not state"),
    "a cell after a failure": (
        set_status("error", 2, "ok"),
        9,
        "code cell 3 has the status ok, but an earlier",
    ),
    "a negative time": (
        lambda root: root.sql("UPDATE runs SET finished_at = created_at WHERE id = ?", root.error),
        10,
        "started_at is later than finished_at",
    ),
    "a run without its folder": (
        lambda root: shutil.rmtree(root.run(root.error)),
        11,
        "it has a row, but no directory",
    ),
    "a folder without its run": (
        lambda root: root.orphan("runs/0123", is_folder=True),
        11,
        "it is an orphan",
    ),
    "a folder half-made": (lambda root: root.orphan("runs/.0123", is_folder=True), 11, "is an orphan"),
    "a snapshot half-made": (
        lambda root: root.orphan(f"runs/{root.error}/.output.ipynb.x"),
        11,
        "is an orphan",
    ),
    "a secret left behind": (
        lambda root: root.orphan(f"runs/{root.error}/secrets.json"),
        11,
        "is an orphan",
    ),
    "an upload of no group": (lambda root: root.orphan("uploads/gone", is_folder=True), 11, "is an orphan"),
    "an upload without its row": (
        lambda root: root.orphan(f"{next(root.path.glob('uploads/*'))}/0123", is_folder=True),
        11,
        "is an orphan",
    ),
    "an upload that is missing": (lose_upload, 11, "it has a row, but it is missing"),
    "an upload that changed": (spoil_upload, 15, "its content has changed"),
    "a copy that nobody needs": (lambda root: root.orphan("copies/ab/abcd"), 11, "it is an orphan"),
    "a copy that is missing": (lose_copies, 11, "it has a row, but it is missing"),
    "a dead instance": (lambda root: root.orphan("instances/dead"), 11, "it is an orphan"),
    "rows of a deleted run": (
        lambda root: root.sql("UPDATE events SET run_id = 'gone' WHERE kind = 'log'"),
        12,
        "it was deleted, but its rows were not",
    ),
    "another last event": (
        lambda root: root.sql("DELETE FROM events WHERE run_id = ? AND data LIKE '%SUCCESS%'", root.success),
        13,
        "it is SUCCESS, but its last event says RUNNING",
    ),
    "a metric that was not told": (
        lambda root: root.sql("DELETE FROM events WHERE kind = 'metric'"),
        13,
        "metric double is not what",
    ),
    "progress that was not told": (
        lambda root: root.sql("DELETE FROM events WHERE kind = 'progress' AND run_id = ?", root.success),
        13,
        "its progress is not what",
    ),
    "a slot that is never free": (hold_a_slot, 14, "but still holds a slot"),
    "another template": (
        lambda root: root.edit(
            root.run(root.error, "template.ipynb"), lambda notebook: notebook["cells"].pop()
        ),
        15,
        "not the registered one",
    ),
    "a row without its template": (
        lambda root: root.sql("UPDATE runs SET version_id = 99 WHERE id = ?", root.error),
        1,
        "its rows are damaged",
    ),
    "a run.json without its arguments": (
        lambda root: root.edit(root.run(root.error, "run.json"), lambda about: about.pop("arguments")),
        15,
        "its files are damaged",
    ),
    "other arguments": (
        lambda root: root.sql("UPDATE runs SET arguments = '[]' WHERE id = ?", root.success),
        15,
        "has other arguments than its row",
    ),
    "another injected cell": (inject, 15, "do not reproduce the injected cell"),
    "another fingerprint": (
        lambda root: root.sql("UPDATE runs SET fingerprint = 'x' WHERE id = ?", root.success),
        15,
        "has another fingerprint than its row",
    ),
    "a point without its run": (
        lambda root: root.sql("UPDATE sweep_points SET run_id = 'gone' WHERE number = 1"),
        12,
        "the run of its point 1 was deleted",
    ),
    "points without their sweep": (
        lambda root: root.sql("INSERT INTO sweep_points VALUES ('gone', 1, ?)", root.success),
        12,
        "it was deleted, but its points were not",
    ),
    "a run without its sweep": (
        lambda root: root.sql("UPDATE runs SET sweep_id = 'gone' WHERE id = ?", root.success),
        12,
        "it was deleted, but its runs were not",
    ),
    "a sweep without runs": (empty_sweep, 12, "all of its runs were deleted, but it was not"),
    "a point with a run that did not succeed": (
        lambda root: root.sql("UPDATE sweep_points SET run_id = ? WHERE number = 1", root.error),
        15,
        "its point 1 has a run that is neither its own",
    ),
    "a sweep that is too broad": (broaden, 14, "more of its runs execute at once than allowed"),
    "a sweep with a poisoned column": (
        lambda root: root.sql("UPDATE sweeps SET varied = '[x' WHERE id = ?", root.sweep),
        1,
        "its column varied is not JSON",
    ),
    "other values": (
        lambda root: root.edit(root.run(root.success, "run.json"), lambda about: about["values"].update(x=8)),
        15,
        "do not reproduce its values",
    ),
}
