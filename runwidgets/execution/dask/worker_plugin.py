"""Runs on a worker of a Dask cluster: the worker's part of the `DaskBackend`.

A worker has a plugin, the `RunWorkerPlugin`, with a `LocalBackend` that works as on any machine: it keeps
fork servers, launches runners, follows journals, retries, and kills processes. Only its queue is not a
database: the changes of a run are sent to the instance, on its topic. `execute` fetches the files of a run,
submits it to the backend, waits, and stores the results before the end is reported. Runners end with their
worker.
"""

import asyncio
import json
import logging
import platform
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, asdict, dataclass, field
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, cast

from distributed.diagnostics.plugin import WorkerPlugin

from runwidgets.errors import (
    InvalidRunStateError,
    RunWidgetsError,
    ServiceUnavailableError,
    VersionMismatchError,
    describe,
)
from runwidgets.execution.dask.messages import ClusterMessage, NotedValue, ProgressNote
from runwidgets.execution.local import KILL_DELAY, LocalBackend
from runwidgets.execution.run_outcome import Outcome
from runwidgets.limits import Limits
from runwidgets.schema import Progress, RunReason
from runwidgets.states import RunState
from runwidgets.store.database.columns import NewFile
from runwidgets.store.database.metrics import RecordedValue
from runwidgets.store.files.disk import write_atomically
from runwidgets.store.files.layout import ENVIRONMENT
from runwidgets.store.files.object_store_staging import open_staging
from runwidgets.store.files.staging import Staging
from runwidgets.store.liveness import AlwaysAlive

WORKER_SLOTS = 10_000
"""Slots of a worker's backend: Dask limits the number of tasks of a worker."""
SAVE_INTERVAL = 2.0
"""Seconds between two saves of the files of an executing run."""
PUBLISH_TIMEOUT = 600.0
"""Seconds for which saving the results is retried if the store does not respond."""

log = logging.getLogger(__name__)


@dataclass
class WorkerTask:
    """A run on this worker."""

    id: str
    _: KW_ONLY
    state: str = RunState.RUNNING.value
    instance: str = ""
    host: str = ""
    notes: list[ProgressNote] = field(default_factory=list)
    """Reports that are sent to the instance with its end."""
    end: Outcome | None = None
    results: list[NewFile] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)


class WorkerRunQueue:
    """The queue of the backend on a worker; see `RunQueue`.

    Parameters
    ----------
    send : callable
        Sends a dict of plain values to the instance. All methods but `offer` and `cancel` are called from the
        backend's own thread.
    """

    def __init__(self, send: Callable[[ClusterMessage], None]) -> None:
        self._send = send
        self._tasks: dict[str, WorkerTask] = {}
        self._waiting: list[WorkerTask] = []
        self._refused: set[str] = set()
        self._batch: list[tuple[str, ProgressNote]] | None = None

    def offer(self, run_id: str) -> WorkerTask:
        """Submit a run to the backend, unless it was cancelled while its files were fetched."""
        task = WorkerTask(run_id)
        if run_id in self._refused:
            self._refused.discard(run_id)
            task.is_over.set()
        else:
            self._tasks[run_id] = task
            self._waiting.append(task)
        return task

    def cancel(self, run_id: str) -> None:
        """Make a run end as cancelled."""
        if run_id in self._tasks:
            self._tasks[run_id].state = RunState.CANCELED.value
        else:
            self._refused.add(run_id)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Send all messages of the block together; those with the end of a run are sent with the end."""
        self._batch = []
        try:
            yield
        finally:
            batch, self._batch = self._batch, None
            for run_id, note in batch:
                self._send({"run": run_id, "notes": [note]})

    def claim(self, host: str, instance: str, slots: int) -> WorkerTask | None:
        """Return the run that was submitted first."""
        while self._waiting:
            task = self._waiting.pop(0)
            task.host, task.instance = host, instance
            if task.state == RunState.RUNNING.value:
                return task
            self.release(task.id)
        return None

    def list_slot_holders(self) -> Sequence[WorkerTask]:
        """Return the runs that were claimed and not yet released."""
        return [task for task in list(self._tasks.values()) if task.instance]

    def take_over(self, run_id: str, previous: str, instance: str, host: str) -> bool:
        """Track a run again that was claimed before."""
        return run_id in self._tasks

    def store_progress(
        self,
        run_id: str,
        progress: Progress | None = None,
        metrics: Sequence[RecordedValue] = (),
        log_size: int | None = None,
        *,
        is_new_attempt: bool = False,
    ) -> None:
        """Send the progress of a run to the instance."""
        values = [cast(NotedValue, asdict(each)) for each in metrics]
        note: ProgressNote = {
            "progress": progress,
            "metrics": values,
            "log_size": log_size,
            "is_new_attempt": is_new_attempt,
        }
        if self._batch is not None:
            self._batch.append((run_id, note))
        else:
            self._send({"run": run_id, "notes": [note]})

    def move(
        self,
        run_id: str,
        target: RunState,
        reason: RunReason | None = None,
        messages: Sequence[str] = (),
        results: Iterable[NewFile] = (),
        holds_slot: bool = True,
    ) -> None:
        """Store the end of a run, which is final if none of its processes is left; the first end counts."""
        task = self._tasks[run_id]
        if task.end is not None or task.state == RunState.CANCELED.value:
            raise InvalidRunStateError(f"run {run_id}", "it has ended")
        task.end, task.results = Outcome(target, reason, messages), list(results)
        if not holds_slot:
            self.release(run_id)

    def release(self, run_id: str, partial_files: Iterable[NewFile] = ()) -> bool:
        """Wake the thread that waits for the end of a run; a cancelled one has partial files."""
        task = self._tasks.pop(run_id)
        if task.state == RunState.CANCELED.value:
            task.results = list(partial_files)
        if self._batch is not None:
            task.notes = [note for sender, note in self._batch if sender == run_id]
            self._batch = [(sender, note) for sender, note in self._batch if sender != run_id]
        task.is_over.set()
        return True

    def never_started(self, sweep_id: str) -> Sequence[str]:
        """Return an empty list: waiting runs are not known here."""
        return ()


class RunWorkerPlugin(WorkerPlugin):
    """Executes the runs of an instance on a worker.

    Parameters
    ----------
    name : str
        The topic on which the instance listens.
    root : str
        The root: a folder that all machines share, or a URL.
    limits : Limits
        The limits of the instance.
    environment : sequence of str
        Names of the only variables of a worker that runs inherit; see `run_environment`.
    """

    idempotent = True

    def __init__(self, name: str, root: str, limits: Limits, environment: Sequence[str]) -> None:
        self.name = name
        self._root = root
        self._limits = limits
        self._names = list(environment)

    def setup(self, worker: Any) -> None:
        """Set up the plugin. Called by the worker."""
        self._worker = worker
        self._scratch = Path(worker.local_directory, self.name)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._opening, self._closing = threading.Lock(), threading.Event()
        worker.handlers[f"{self.name}-cancel"] = self.cancel
        worker.handlers[f"{self.name}-prepare"] = self.prepare

    async def teardown(self, worker: Any) -> None:
        """End all runs. Called by the worker when it closes."""
        self._closing.set()
        if "_components" in self.__dict__:
            _, _, backend = self._components
            backend.abandon()
            await asyncio.to_thread(backend.drain, self._limits.cancel_grace + 2 * KILL_DELAY)
            await asyncio.to_thread(backend.close)

    async def cancel(self, run: str) -> None:
        """Stop a run, as `Backend.cancel` does."""
        _, queue, backend = await asyncio.to_thread(self._open)
        queue.cancel(run)
        backend.cancel(run)

    async def prepare(self, kernel_name: str, imports: list[str]) -> None:
        """Prepare a process, as `Backend.prepare` does."""
        _, _, backend = await asyncio.to_thread(self._open)
        backend.prepare(kernel_name, imports)

    def execute(self, run_id: str, key: str, attempts: int) -> None:
        """Execute a run to its end, and report it to the instance; called in a thread of the worker."""
        try:
            staging, queue, backend = self._open()
            self._execute(run_id, key, attempts, staging, queue, backend)
        except RunWidgetsError as error:
            is_mixed = isinstance(error, VersionMismatchError)
            reason = RunReason.VERSION_MISMATCH if is_mixed else RunReason.WORKER_FAILED
            end = Outcome.failed(reason, error.message)
            self._send({"run": run_id, "notes": [], "end": end.to_json()})
        except Exception as error:  # a task that fails counts as never begun, and this one may have begun
            log.exception("runwidgets: run %s: the worker failed", run_id)
            end = Outcome.failed(RunReason.WORKER_FAILED, f"its worker failed: {describe(error)}")
            self._send({"run": run_id, "notes": [], "end": end.to_json()})

    def _execute(
        self,
        run_id: str,
        key: str,
        attempts: int,
        staging: Staging,
        queue: WorkerRunQueue,
        backend: LocalBackend,
    ) -> None:
        staging.fetch(run_id, attempts)
        try:
            write_atomically(
                staging.files.run_folder(run_id) / ENVIRONMENT, self._environment, is_durable=False
            )
            task = queue.offer(run_id)
            backend.submit(run_id)
            while not task.is_over.wait(SAVE_INTERVAL):
                with suppress(ServiceUnavailableError):  # the next save makes up for it
                    staging.save(run_id)
            self._publish(run_id, task.results, staging)
        finally:
            staging.drop(run_id)
        if task.end is not None and task.end.reason is RunReason.WORKER_LOST:
            self._send({"key": key, "notes": task.notes, "lost": self._worker.address})
        else:
            end = None if task.end is None else task.end.to_json()
            self._send({"run": run_id, "notes": task.notes, "end": end, "results": task.results})

    def _publish(self, run_id: str, results: Sequence[NewFile], staging: Staging) -> None:
        """Store the results of a run, as soon as the store responds."""
        deadline = time.monotonic() + PUBLISH_TIMEOUT
        while True:
            try:
                staging.publish(run_id, results)
                return
            except ServiceUnavailableError:
                if time.monotonic() > deadline or self._closing.wait(SAVE_INTERVAL):
                    raise

    def _open(self) -> "tuple[Staging, WorkerRunQueue, LocalBackend]":
        with self._opening:
            return self._components

    @cached_property
    def _components(self) -> "tuple[Staging, WorkerRunQueue, LocalBackend]":
        staging, queue = open_staging(self._root, self._scratch), WorkerRunQueue(self._send)
        backend = LocalBackend(
            queue,
            staging.files,
            self._limits,
            WORKER_SLOTS,
            environment=self._names,
            is_keeper=True,
            liveness=AlwaysAlive(),
        )
        return staging, queue, backend

    @cached_property
    def _environment(self) -> bytes:
        """Return the installed packages as strict JSON."""
        packages = {each.metadata["Name"]: each.version for each in distributions()}
        environment = {
            "worker": self._worker.address,
            "host": socket.gethostname(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "executable": sys.executable,
            "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
        }
        return json.dumps(environment).encode()

    def _send(self, message: ClusterMessage) -> None:
        self._worker.log_event(self.name, message)
