"""What there is to see of one run: its rows, its folder, its processes.

Everything is read once and may be damaged. What cannot be read is None, and one rule says so; the others
are silent about it.
"""

import json
import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from runwidgets.states import ACTIVE, RunState
from runwidgets.store.database.integrity_queries import JsonRow, Rows
from runwidgets.store.files.layout import JOURNAL, OUTPUT, RUN_FILE

Json = dict[str, Any]

JSON_COLUMNS = {
    "run": ("arguments", "config", "messages", "progress", "metrics"),
    "event": ("data",),
    "file": ("display",),
    "version": ("template",),
    "group": ("parameters",),
}
"""Columns of each row in which JSON is expected; of these only a run's ``progress`` may be empty."""


@dataclass
class ObservedRun:
    """A run as it is now.

    Parameters
    ----------
    rows : Rows
        What the database says.
    folder : Path
        Its directory, which may be missing or damaged.
    processes : collection of int
        Process ids on this machine that carry the run's id.
    services : collection of str
        The services that live.
    """

    rows: Rows
    folder: Path
    processes: Collection[int]
    instances: Collection[str]

    def __post_init__(self) -> None:
        self.damage: list[str] = []
        """What of its rows is no JSON."""
        self.run = self._parse("run", self.rows.run)
        self.events = [self._parse("event", row) for row in self.rows.events]
        self.files = [self._parse("file", row) for row in self.rows.files]
        self.version = self._parse("version", self.rows.version)
        self.group = self._parse("group", self.rows.group)
        self.state = RunState(self.run["state"])
        self.is_moving = self.state in ACTIVE or bool(self.run["holds_slot"])

    @cached_property
    def states(self) -> list[str]:
        """The states that its events tell, in order."""
        return [str(event["data"]["state"]) for event in self.events if event["kind"] == "state"]

    @cached_property
    def reasons(self) -> list[str | None]:
        """Why it is in each of these states, as its events tell; None where that needs no reason."""
        return [event["data"].get("reason") for event in self.events if event["kind"] == "state"]

    @cached_property
    def journal(self) -> list[Json] | None:
        """Whole lines of its journal; empty before the first, None where one is no JSON object."""
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
    def description(self) -> Json | None:
        """Content of its ``run.json``; None where that is missing or no JSON object."""
        return _read_json(self.folder / RUN_FILE)

    @cached_property
    def notebook(self) -> Json | None:
        """Its executed notebook; None where that is missing, or no strict JSON."""
        return _read_json(self.folder / OUTPUT)

    @property
    def is_followed_here(self) -> bool:
        """Whether a living instance of this machine has to bring it to its end."""
        return self.run["host"] == socket.gethostname() and self.run["instance"] in self.instances

    def ended_for(self) -> float:
        """Return the seconds since it ended, 0 while it has not."""
        return age(self.run["finished_at"]) if self.run["finished_at"] else 0.0

    def count(self, kind: str) -> int:
        """Return how many records of a kind its journal has."""
        return sum(record.get("kind") == kind for record in self.journal or ())

    def _parse(self, kind: str, row: JsonRow) -> Json:
        parsed = dict(row)
        for name in JSON_COLUMNS[kind]:
            try:
                parsed[name] = None if row[name] is None else json.loads(row[name])
            except ValueError:
                self.damage.append(f"column {name} of its {kind} is no JSON")
        return parsed


def age(moment: str) -> float:
    """Return the seconds since a time of the database."""
    return (datetime.now(timezone.utc) - datetime.fromisoformat(moment)).total_seconds()


def refuse_constant(name: str) -> None:
    """Refuse what Python reads as JSON though it is none: NaN and the infinities."""
    raise ValueError(f"{name} is no JSON")


def _read_json(path: Path) -> Json | None:
    try:
        value = json.loads(path.read_bytes().decode(), parse_constant=refuse_constant)
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
