"""An instance on an object store: its services, and a worker that executes what it accepted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runwidgets.execution.backend import Backend
from runwidgets.execution.tracked_run import TrackedRun
from runwidgets.limits import Limits
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_store
from runwidgets.store.database.database import Database
from runwidgets.store.database.runs import Runs
from runwidgets.store.files.object_store import ObjectStore
from runwidgets.store.files.object_store_staging import open_staging
from runwidgets.store.files.remote import RemoteFiles
from runwidgets.store.files.staging import Staging
from runwidgets.store.locks import hold_lock

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

    def drain(self, timeout: float) -> bool:
        """Follow none."""
        return True

    def close(self) -> None:
        """Have nothing to close."""


@dataclass
class SharedRoot:
    """A server's services over a store that it shares, with nobody who executes runs."""

    url: str
    db_url: str
    instance: Instance
    api: Api
    files: RemoteFiles
    database: Database
    object_store: ObjectStore
    runs: Runs
    staging: Staging
    """Of a worker."""

    def stored(self, prefix: str = "") -> list[str]:
        """Return what is stored, but for what an instance asks the store's clock with."""
        return [each.key for each in self.object_store.find(prefix) if "/.clock-" not in each.key]

    def run_keys(self, run_id: str) -> list[str]:
        """Return what is stored of a run, by its name in the run directory."""
        return [key.removeprefix(f"runs/{run_id}/") for key in self.stored(f"runs/{run_id}")]

    def execute(self, run_id: str) -> Json:
        """Do what a worker and its backend do with the next run, which must be this one."""
        claimed = self.runs.claim("worker", "instance", 1)
        assert claimed is not None and claimed.id == run_id
        self.staging.fetch(run_id, 0)
        run_here(self.staging, run_id)
        followed = TrackedRun(run_id, self.staging.files.run_folder(run_id))
        followed.read()
        assert followed.outcome is not None
        self.staging.publish(run_id, followed.outcome.files)
        with followed.all_or_nothing(), self.runs.together():
            followed.store_progress(self.runs, is_last=True)
            followed.end(self.runs, holds_slot=False)
        self.staging.drop(run_id)
        return self.api.runs.get_run(run_id)


def run_here(place: Staging, run_id: str) -> list[Json]:
    """Execute a run that was fetched; return the result files that its journal lists."""
    folder = place.files.run_folder(run_id)
    lock = hold_lock(folder / "lock")
    assert lock is not None
    command = [
        sys.executable,
        "-m",
        "runwidgets.execution.runner",
        str(folder),
        str(place.files.copies),
        str(lock),
    ]
    subprocess.run(command, cwd=folder, pass_fds=[lock], check=False, timeout=100)
    os.close(lock)
    return list(json.loads((folder / "journal.jsonl").read_text().splitlines()[-1])["files"])


def open_shared_root(url: str, folder: Path, name: str = "one") -> SharedRoot:
    """Open what a server has of an instance, whose rows are in a database that others open too."""
    db_url = f"sqlite:///{folder}/rows.db"
    files, database = open_store(url, db_url, cache=folder / name)
    assert isinstance(files, RemoteFiles)
    instance = Instance(
        files,
        database,
        Limits(),
        Idle(),
        templates_root=folder,
        access="open",
        on_shutdown="keep",
        keep_days=0,
        keep_runs=0,
    )
    place = open_staging(url, folder / f"{name}-worker")
    return SharedRoot(
        url, db_url, instance, instance.api(), files, database, files.object_store, Runs(database), place
    )
