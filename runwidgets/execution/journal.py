"""The journal: what a runner writes down, line by line, and how an instance follows it.

A runner needs nobody. It appends one JSON object per line to ``journal.jsonl`` in its run directory
and goes on, whether anyone reads or not. An instance that follows remembers the byte up to which it
has read and takes whole lines only: a line that a crash cut short is none. The last line of a run
that came to its end is ``finished``; a journal without it, whose runner is gone, is that of a lost run.

========  =================================================================================
kind      further keys
========  =================================================================================
started   ``pid`` of the runner, and the ``format`` of what follows
kernel    ``pid`` of the kernel, and ``way``: ``direct``, ``forked`` or ``spawned``
cell      ``cell`` (from 1), ``cells``, ``source``: its first line
progress  ``fraction``, ``text``: what the template reported
metric    ``name``, ``value``
finished  ``state``, ``reason``, ``messages``, ``files``
========  =================================================================================
"""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias, cast

from typing_extensions import NotRequired, TypedDict

from runwidgets.execution.run_outcome import OutcomeRecord
from runwidgets.schema import FoundResult, JsonValue
from runwidgets.store.files.disk_reserve import release_space, reserve_space
from runwidgets.store.files.layout import RESERVE

FORMAT = 1
"""Of the records; another one where a reader of before would misread them."""
RESERVED = 64 * 1024
"""Bytes that are kept free for the last line."""


class StartedRecord(TypedDict):
    """An attempt began."""

    kind: Literal["started"]
    pid: int
    """Of the runner."""
    format: int
    """Of the journal, `FORMAT` of who writes it."""


class KernelRecord(TypedDict):
    """The kernel is there."""

    kind: Literal["kernel"]
    pid: int
    """Of the kernel."""
    way: Literal["direct", "forked", "spawned"]
    """How it came to be."""


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
    """The template reported how far it is."""

    kind: Literal["progress"]
    fraction: float
    text: str


class RecordedMetric(TypedDict):
    """The template recorded a metric."""

    kind: Literal["metric"]
    name: str
    value: JsonValue
    step: NotRequired[float]
    """Where it belongs to a series."""


class FinishedRecord(OutcomeRecord):
    """The attempt ended."""

    kind: Literal["finished"]
    files: list[FoundResult]


JournalKind: TypeAlias = Literal["started", "kernel", "cell", "progress", "metric", "finished"]
"""What a line tells."""
JournalRecord: TypeAlias = (
    StartedRecord | KernelRecord | CellRecord | ProgressRecord | RecordedMetric | FinishedRecord
)
"""A line of the journal."""


class JournalWriter:
    """Appends to a journal. One process writes; every line is one write.

    Room for the end is kept from the beginning, so that a full disk can be told.

    Parameters
    ----------
    path : Path
        The journal; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._reserve = path.with_name(RESERVE)
        reserve_space(self._reserve, RESERVED)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")  # a crash cut the line before

    def write(self, kind: JournalKind, **values: object) -> None:
        """Append a record, or nothing of it; ``finished`` is on disk when this returns."""
        line = (json.dumps({"kind": kind, **values}, ensure_ascii=True) + "\n").encode()
        if kind == "finished":
            release_space(self._reserve)
        size = os.fstat(self._descriptor).st_size
        if os.write(self._descriptor, line) < len(line):
            os.ftruncate(self._descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if kind == "finished":
            self.sync()

    def sync(self) -> None:
        """Wait until all that was written is on disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def count_attempts(path: Path) -> int:
    """Return how often a run began, as its journal says; 0 where there is none."""
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
        """Yield the records that were added since.

        A record counts as read when the next one is asked for: one whose handling failed comes again.

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
                record = None  # a crash cut it short
            if isinstance(record, dict):
                yield cast(JournalRecord, record)
            self._offset += len(line)
