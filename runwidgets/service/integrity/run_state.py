"""The observable state of one run: its rows, its directory, its processes.

Everything is read once and may be damaged. Unreadable data is None; one rule reports it, and the other
rules ignore it.
"""

import json
import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import cast

from nbformat import NotebookNode
from nbformat import from_dict as make_notebook

from runwidgets.schema import RUN_FORMAT, JsonValue, RunDescription
from runwidgets.service.integrity.rows import (
    ParsedEvent,
    ParsedFile,
    ParsedGroup,
    ParsedRun,
    ParsedVersion,
    parse_row,
)
from runwidgets.states import ACTIVE, RunState
from runwidgets.store.database.integrity_queries import Rows
from runwidgets.store.files.layout import JOURNAL, OUTPUT, RUN_FILE


@dataclass
class ObservedRun:
    """The current state of a run.

    Parameters
    ----------
    rows : Rows
        The rows of the run in the database.
    folder : Path
        The run directory, which may be missing or damaged.
    processes : collection of int
        Ids of processes on this machine that carry the run's id.
    instances : collection of str
        The live instances.
    """

    rows: Rows
    folder: Path
    processes: Collection[int]
    instances: Collection[str]

    def __post_init__(self) -> None:
        self.damage: list[str] = []
        """Columns of the rows that are not JSON."""
        rows, damage = self.rows, self.damage
        self.run = cast(ParsedRun, parse_row("run", rows.run, damage))
        self.events = [cast(ParsedEvent, parse_row("event", row, damage)) for row in rows.events]
        self.files = [cast(ParsedFile, parse_row("file", row, damage)) for row in rows.files]
        self.version = cast(ParsedVersion, parse_row("version", rows.version, damage))
        self.group = cast(ParsedGroup, parse_row("group", rows.group, damage))
        self.state = RunState(self.run["state"])
        self.is_moving = self.state in ACTIVE or bool(self.run["holds_slot"])

    @cached_property
    def states(self) -> list[str]:
        """The states in its events, in order."""
        return [str(event["data"]["state"]) for event in self.events if event["kind"] == "state"]

    @cached_property
    def reasons(self) -> list[str | None]:
        """The reason of each of these states in its events; None for a state without a reason."""
        return [event["data"].get("reason") for event in self.events if event["kind"] == "state"]

    @cached_property
    def journal(self) -> list[dict[str, JsonValue]] | None:
        """Complete lines of its journal; empty before the first one, None if a line is not a JSON object."""
        path = self.folder / JOURNAL
        if not path.exists():
            return []
        try:
            content = path.read_bytes()
            lines = content[: content.rfind(b"\n") + 1].splitlines()
            records = [json.loads(line) for line in lines]
        except (OSError, ValueError):
            return None
        return records if all(isinstance(record, dict) for record in records) else None

    @cached_property
    def run_file(self) -> dict[str, JsonValue] | None:
        """Content of its ``run.json``; None if that is missing or not a JSON object."""
        return _read_json(self.folder / RUN_FILE)

    @property
    def description(self) -> RunDescription | None:
        """Its ``run.json``; None if that cannot be read, or has another format."""
        is_known = self.run_file is not None and self.run_file.get("format") == RUN_FORMAT
        return cast(RunDescription, self.run_file) if is_known else None

    @cached_property
    def notebook(self) -> NotebookNode | None:
        """Its executed notebook; None if that is missing, not strict JSON, or nested too deep."""
        content = _read_json(self.folder / OUTPUT)
        try:
            return None if content is None else make_notebook(content)
        except RecursionError:
            return None

    @property
    def is_followed_here(self) -> bool:
        """Whether a live instance on this machine is responsible for the run."""
        return self.run["host"] == socket.gethostname() and self.run["instance"] in self.instances

    def ended_for(self) -> float:
        """Return the seconds since its end, or 0 if it has not ended."""
        return age(self.run["finished_at"]) if self.run["finished_at"] else 0.0

    def count(self, kind: str) -> int:
        """Return the number of records of a kind in its journal."""
        return sum(record.get("kind") == kind for record in self.journal or ())


def age(moment: str) -> float:
    """Return the seconds since a timestamp of the database."""
    return (datetime.now(timezone.utc) - datetime.fromisoformat(moment)).total_seconds()


def refuse_constant(name: str) -> None:
    """Reject constants that Python accepts but JSON does not: NaN and the infinities."""
    raise ValueError(f"{name} is not JSON")


def _read_json(path: Path) -> dict[str, JsonValue] | None:
    try:
        value = json.loads(path.read_bytes().decode(), parse_constant=refuse_constant)
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
