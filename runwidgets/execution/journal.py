"""The journal: the records that a runner appends, and that an instance follows.

A runner is independent: it appends one JSON object per line to ``journal.jsonl`` in its run directory,
whether or not anyone reads it. An instance remembers the offset up to which it has read, and reads complete
lines only: a line that a crash truncated does not count. The last line of a run that reached its end is
``finished``; a journal without it, whose runner has ended, is that of a lost run.

========  =================================================================================
kind      further keys
========  =================================================================================
started   ``pid`` of the runner, ``sockets``, and the ``format`` of what follows
kernel    ``pid`` of the kernel, and ``way``: ``direct``, ``forked`` or ``spawned``
cell      ``cell`` (from 1), ``cells``, ``source``: its first line
progress  ``fraction``, ``text``: what the template reported
metric    ``name``, ``value``
error     ``cell``, which raised an exception that the config allows
exit      ``cell``, which ended the run successfully
finished  ``state``, ``reason``, ``messages``, and ``files`` if they were listed
========  =================================================================================
"""

import errno
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, cast

from typing_extensions import NotRequired, TypedDict

from runwidgets.execution.run_outcome import Outcome, OutcomeRecord
from runwidgets.schema import FoundResult, JsonValue
from runwidgets.states import RunState
from runwidgets.store.files.disk_reserve import release_space, reserve_space
from runwidgets.store.files.layout import RESERVE

JOURNAL_FORMAT = 1
"""Version of the format of records; increased when older readers would misread them."""
JOURNAL_RESERVE = 64 * 1024
"""Bytes that are reserved for the last line."""


class StartedRecord(TypedDict):
    """An attempt began."""

    kind: Literal["started"]
    pid: int
    """Process id of the runner."""
    sockets: NotRequired[str]
    """Path of the folder for the sockets of its kernel; absent if the runner had none."""
    format: int
    """Format of the journal: the `JOURNAL_FORMAT` of its writer."""


class KernelRecord(TypedDict):
    """The kernel is ready."""

    kind: Literal["kernel"]
    pid: int
    """Process id of the kernel."""
    way: Literal["direct", "forked", "spawned"]
    """How the kernel was started."""


class CellRecord(TypedDict):
    """A cell began."""

    kind: Literal["cell"]
    cell: int
    """Its number, from 1."""
    cells: int
    """Number of code cells."""
    source: str
    """First line of the cell."""


class ProgressRecord(TypedDict):
    """The template reported its progress."""

    kind: Literal["progress"]
    fraction: float
    text: str


class RecordedMetric(TypedDict):
    """The template recorded a metric."""

    kind: Literal["metric"]
    name: str
    value: JsonValue
    step: NotRequired[float]
    """The step, if the value belongs to a series."""


class ErrorRecord(TypedDict):
    """A cell raised an exception, and the run went on."""

    kind: Literal["error"]
    cell: int
    """Its number, from 1."""


class ExitRecord(TypedDict):
    """A cell ended the run successfully."""

    kind: Literal["exit"]
    cell: int
    """Its number, from 1."""


class FinishedRecord(OutcomeRecord):
    """The attempt ended."""

    kind: Literal["finished"]
    files: NotRequired[list[FoundResult]]
    """The result files, or the partial files of a run without success; absent if they were not listed."""


JournalKind: TypeAlias = Literal[
    "started", "kernel", "cell", "progress", "metric", "error", "exit", "finished"
]
"""The kinds of records."""
JournalRecord: TypeAlias = (
    StartedRecord
    | KernelRecord
    | CellRecord
    | ProgressRecord
    | RecordedMetric
    | ErrorRecord
    | ExitRecord
    | FinishedRecord
)
"""A record of the journal."""


class JournalWriter:
    """Appends to a journal. Only one process writes to it; every record is one write.

    Space for the last record is reserved from the beginning, so that even a full disk can be reported.

    Parameters
    ----------
    path : Path
        The journal; created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._reserve = path.with_name(RESERVE)
        reserve_space(self._reserve, JOURNAL_RESERVE)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")  # a crash truncated the line before

    def write(self, kind: JournalKind, **values: object) -> None:
        """Append a record, all of it or nothing; ``finished`` is on disk on return."""
        line = (json.dumps({"kind": kind, **values}, ensure_ascii=True) + "\n").encode()
        if kind == "finished":
            release_space(self._reserve)
        size = os.fstat(self._descriptor).st_size
        if os.write(self._descriptor, line) < len(line):
            os.ftruncate(self._descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if kind == "finished":
            self.sync()

    def finish(self, outcome: Outcome, files: Sequence[FoundResult] | None) -> None:
        """Append the last record; without its files if a full disk has no space for those of a failed run.

        Parameters
        ----------
        outcome : Outcome
            How the attempt ended.
        files : sequence of dict or None
            Its result files or partial files; None if they were not listed.

        Raises
        ------
        OSError
            The disk is full, and the run was successful until then.
        """
        if files is not None:
            try:
                self.write("finished", **outcome.to_json(), files=files)
                return
            except OSError:
                if outcome.state is RunState.SUCCESS:
                    raise
        self.write("finished", **outcome.to_json())

    def sync(self) -> None:
        """Wait until all records are on disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def count_attempts(path: Path) -> int:
    """Return the number of attempts in a journal; 0 if there is none."""
    return sum(record["kind"] == "started" for record in JournalReader(path).read())


class JournalReader:
    """Follows a journal.

    Parameters
    ----------
    path : Path
        The journal; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> Iterator[JournalRecord]:
        """Yield the records that were added since the last call.

        A record counts as read when the next one is requested: if handling it fails, it is yielded again.

        Yields
        ------
        dict
            The records, in order.
        """
        try:
            with self._path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_size == self._offset:
                    return
                stream.seek(self._offset)
                content = stream.read()
        except FileNotFoundError:
            return
        for line in content[: content.rfind(b"\n") + 1].splitlines(keepends=True):
            try:
                record = json.loads(line)
            except ValueError:
                record = None  # a crash truncated it
            if isinstance(record, dict):
                yield cast(JournalRecord, record)
            self._offset += len(line)
