"""An instance on an object store: its services, and a worker that executes its runs."""

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
from runwidgets.store.database.runs.runs import Runs
from runwidgets.store.files.object_store import ObjectStore
from runwidgets.store.files.object_store_staging import open_staging
from runwidgets.store.files.remote import RemoteFiles
from runwidgets.store.files.staging import Staging
from runwidgets.store.locks import hold_lock

Json = dict[str, Any]


class Idle(Backend):
    """A backend that executes nothing."""

    def submit(self, run_id: str) -> None:
        """Do nothing."""

    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Do nothing."""

    def check_kernel(self, kernel_name: str, language: str) -> str | None:
        """Accept any kernelspec."""
        return None

    def cancel(self, run_id: str) -> None:
        """Do nothing."""

    def adopt(self, run_ids: Iterable[str]) -> None:
        """Do nothing."""

    def drain(self, timeout: float) -> bool:
        """Do nothing: no run is tracked."""
        return True

    def close(self) -> None:
        """Do nothing."""


@dataclass
class SharedRoot:
    """The services of a server on a shared store, without a backend."""

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
        """Return the keys in the store, except those that an instance creates to read the store's clock."""
        return [each.key for each in self.object_store.find(prefix) if "/.clock-" not in each.key]

    def run_keys(self, run_id: str) -> list[str]:
        """Return the stored files of a run, by name."""
        return [key.removeprefix(f"runs/{run_id}/") for key in self.stored(f"runs/{run_id}")]

    def execute(self, run_id: str) -> Json:
        """Execute the next run as a worker and its backend do; it must be this one."""
        claimed = self.runs.claim("worker", "instance", 1)
        assert claimed is not None and claimed.id == run_id
        self.staging.fetch(run_id, 0)
        run_here(self.staging, run_id)
        followed = TrackedRun(run_id, self.staging.files.run_folder(run_id))
        followed.read()
        assert followed.outcome is not None
        self.staging.publish(run_id, followed.files or [])
        with followed.all_or_nothing(), self.runs.transaction():
            followed.store_progress(self.runs, is_last=True)
            followed.end(self.runs, holds_slot=False)
        self.staging.drop(run_id)
        return self.api.runs.get_run(run_id)


def run_here(place: Staging, run_id: str) -> list[Json]:
    """Execute a fetched run, and return the result files in its journal."""
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
    """Open the services of a server whose database others use too."""
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
