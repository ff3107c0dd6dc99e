"""A house on an object store: its services, and a worker that executes what it accepted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runwidgets.execution.backend import Backend
from runwidgets.execution.followed import Followed
from runwidgets.limits import Limits
from runwidgets.service.acceptance import check_config
from runwidgets.service.base import Api
from runwidgets.service.catalog import LocalGroupService, LocalUploadService, LocalWorkflowService, Parts
from runwidgets.service.events import HouseEvents, LocalEventService
from runwidgets.service.local import LocalRunService
from runwidgets.service.policy import Policy
from runwidgets.service.sweeps import LocalSweepService
from runwidgets.service.templates import Templates
from runwidgets.service.wiring import open_store
from runwidgets.store.catalog import Catalog
from runwidgets.store.database import Database
from runwidgets.store.depot import Depot
from runwidgets.store.locks import hold_lock
from runwidgets.store.places import Place, open_place
from runwidgets.store.runs import Runs
from runwidgets.store.stored import StoredFiles
from runwidgets.store.sweeps import Sweeps

Json = dict[str, Any]


class Idle(Backend):
    """Leaves runs to whoever wants to execute them."""

    def submit(self, run_id: str) -> None:
        """Leave it."""

    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Have nothing to prepare."""

    def cancel(self, run_id: str) -> None:
        """Have no process to stop."""

    def adopt(self, run_ids: Iterable[str]) -> None:
        """Leave them."""

    def close(self) -> None:
        """Have nothing to close."""


@dataclass
class House:
    """A server's services over a store that it shares, with nobody who executes runs."""

    url: str
    db_url: str
    api: Api
    files: StoredFiles
    database: Database
    depot: Depot
    runs: Runs
    place: Place
    """Of a worker."""

    def stored(self, prefix: str = "") -> list[str]:
        """Return what is stored."""
        return [each.key for each in self.depot.find(prefix)]

    def run_keys(self, run_id: str) -> list[str]:
        """Return what is stored of a run, by its name in the run directory."""
        return [key.removeprefix(f"runs/{run_id}/") for key in self.stored(f"runs/{run_id}")]

    def execute(self, run_id: str) -> Json:
        """Do what a worker and its backend do with the next run, which must be this one."""
        claimed = self.runs.claim("worker", "service", 1)
        assert claimed is not None and claimed.id == run_id
        self.place.fetch(run_id, 0)
        run_here(self.place, run_id)
        followed = Followed(run_id, self.place.files.run_folder(run_id))
        followed.read()
        assert followed.outcome is not None
        self.place.publish(run_id, followed.outcome.files)
        with followed.all_or_nothing(), self.runs.together():
            followed.note(self.runs, is_last=True)
            followed.end(self.runs, holds_slot=False)
        self.place.drop(run_id)
        return self.api.runs.get_run(run_id)


def run_here(place: Place, run_id: str) -> list[Json]:
    """Execute a run that was fetched; return the result files that its journal lists."""
    folder = place.files.run_folder(run_id)
    lock = hold_lock(folder / "lock")
    assert lock is not None
    command = [sys.executable, "-m", "runwidgets.execution", str(folder), str(place.files.copies), str(lock)]
    subprocess.run(command, cwd=folder, pass_fds=[lock], check=False, timeout=100)
    os.close(lock)
    return list(json.loads((folder / "journal.jsonl").read_text().splitlines()[-1])["files"])


def open_house(url: str, folder: Path, name: str = "one") -> House:
    """Open what a server has of a house, whose rows are in a database that others open too."""
    db_url = f"sqlite:///{folder}/rows.db"
    files, database = open_store(url, db_url, cache=folder / name)
    assert isinstance(files, StoredFiles)
    catalog, runs, limits, backend = Catalog(database), Runs(database), Limits(), Idle()
    templates = Templates(catalog, files, limits, folder, backend.prepare)
    parts = Parts(catalog, runs, Sweeps(database), files, templates, Policy("open", catalog), limits)
    events = HouseEvents(database)
    api = Api(
        workflows=LocalWorkflowService(parts, None),
        groups=LocalGroupService(parts, None, check_config),
        uploads=LocalUploadService(parts, None),
        runs=LocalRunService(parts, backend, None),
        sweeps=LocalSweepService(parts, backend, None),
        events=LocalEventService(parts, events, None),
        store=lambda: "",
    )
    place = open_place(url, folder / f"{name}-worker")
    return House(url, db_url, api, files, database, files.depot, runs, place)
