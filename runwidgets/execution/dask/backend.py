"""Runs on a Dask cluster: one task per run, executed by the `RunWorkerPlugin` of a worker.

The thread claims as many runs as the cluster has threads, and submits each to the scheduler as a task without
a client, so that the task continues when this instance ends. Messages of a run arrive on a topic of the
cluster, and are stored in the database here. Every half second the scheduler is asked for the state of the
tasks. For a task that failed, that the scheduler no longer knows, or that was on a lost worker, the journal
of the run is read. A run without an end there was lost: it ends in ERROR, or is submitted again if it never
began or its config allows retries.

The scheduler may be unavailable and return without its state, and the cluster may have no worker for a while;
then runs wait. A task that is submitted before this is noticed may reach the new scheduler before the
plugins, and fail there: its run never began.
"""

import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import KW_ONLY, asdict, dataclass, field
from functools import partial
from typing import Any

from runwidgets.errors import InvalidRunStateError, UnknownKernelError, UnknownRunError
from runwidgets.execution.backend import Cluster
from runwidgets.execution.dask.connection import Connection
from runwidgets.execution.dask.messages import ClusterMessage, ProgressNote
from runwidgets.execution.dask.scheduler_plugin import KEY_PREFIX
from runwidgets.execution.dask.worker_loader import RunWorkerLoader
from runwidgets.execution.dispatcher import IDLE_INTERVAL, Dispatcher
from runwidgets.execution.run_outcome import Outcome
from runwidgets.execution.run_queue import RunQueue
from runwidgets.execution.runner.snapshots import correct_notebook
from runwidgets.execution.tracked_run import TrackedRun
from runwidgets.limits import Limits
from runwidgets.schema import RunConfig, RunReason
from runwidgets.store.database.columns import NewFile
from runwidgets.store.database.metrics import RecordedValue
from runwidgets.store.files.base import FileStore
from runwidgets.store.files.layout import JOURNAL, OUTPUT, RUN_FILE
from runwidgets.store.liveness import Liveness
from runwidgets.store.locks import is_locked

END_TIMEOUT = 1.0
"""Seconds within which the end of a run arrives on the topic, after the scheduler has forgotten its task."""
WORKER_CLOSE_TIMEOUT = 10.0
"""Seconds within which a worker that lost its scheduler ends its runs and stores their results."""
SCHEDULER_TIMEOUT = 60.0
"""Seconds without a scheduler after which its runs are considered lost."""
MAX_LAUNCHES = 3
"""Attempts to submit a run before it fails because no worker can begin it."""

log = logging.getLogger(__name__)


@dataclass
class SubmittedRun:
    """A run that was submitted to the cluster and is tracked by this instance."""

    run_id: str
    config: RunConfig
    sweep_id: str | None
    _: KW_ONLY
    key: str | None = None
    """Key of its task; None if it has none."""
    launches: int = 0
    attempts: int = 0
    """Number of attempts that began, as far as is known."""
    is_adopted: bool = False
    """Whether another instance submitted it, under a key that is not known yet."""
    is_cancelled: bool = False
    is_stop_sent: bool = False
    """Whether its worker was asked to end it."""
    failures: int = 0
    notes: list[ProgressNote] = field(default_factory=list)
    end: Outcome | None = None
    results: list[NewFile] = field(default_factory=list)
    is_over: bool = False
    """Whether none of its processes is left, according to its worker."""
    lost: str | None = None
    """The worker that was lost."""
    failed: str | None = None
    """Why Dask could not execute its task, or the last one that it had."""
    has_failed: bool = False
    """Whether Dask could not execute its present task; the run may have begun nevertheless."""
    gone_since: float | None = None
    """When the scheduler was found not to know its task (monotonic seconds)."""


class DaskBackend(Dispatcher[SubmittedRun]):
    """Executes runs on the workers of a Dask cluster.

    Parameters
    ----------
    runs : RunQueue
        The queue.
    files : FileStore
        The files of the instance.
    limits : Limits
        The limits of the instance.
    liveness : Liveness
        The other instances.
    cluster : str or callable
        See `Cluster`; a cluster that is created here ends with this instance, which ends its runs.
    name : str
        Name of the instance: equal for all instances with the same root and database, and for no others.
    slots : int, optional
        Runs that the cluster executes at once; None for the number of threads of its workers.
    environment : iterable of str
        Names of the only variables of a worker that runs inherit; see `run_environment`.

    Raises
    ------
    ServiceUnavailableError
        The cluster cannot be created.
    """

    busy_pause = IDLE_INTERVAL
    has_resources = True

    def __init__(
        self,
        runs: RunQueue,
        files: FileStore,
        limits: Limits,
        *,
        liveness: Liveness,
        cluster: Cluster,
        name: str,
        slots: int | None = None,
        environment: Iterable[str] = (),
    ) -> None:
        topic = f"{KEY_PREFIX}{name}"
        loader = RunWorkerLoader(topic, files.address, asdict(limits), tuple(environment))
        self._version = loader.version
        self._cluster = Connection(cluster, loader, lambda: self._wake())
        super().__init__(runs, files, limits, liveness=liveness, host=topic)
        self._count = slots
        self._preparations: list[tuple[str, list[str]]] = []
        self._begin()

    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Make every worker prepare a process for a template."""
        self._preparations.append((kernel_name, list(imports)))
        self._wake()

    def check_kernel(self, kernel_name: str, language: str) -> str | None:
        """Check only that a kernelspec is named: the workers, which may come and go, have the kernelspecs."""
        if not kernel_name:
            raise UnknownKernelError(
                "kernel", "the notebook does not name one", "choose one of the workers with kernel_name"
            )
        return None

    def adopt(self, run_ids: Iterable[str]) -> None:
        """Track runs of a dead instance, except those that another instance has taken over."""
        wanted = set(run_ids)
        for row in self._runs.list_slot_holders() if wanted else ():
            is_elsewhere = row.host != self._host and self._files.is_locked(row.id)
            if row.id not in wanted or is_elsewhere:
                continue
            if self._runs.take_over(row.id, row.instance, self._instance, self._host):
                self._tracked[row.id] = SubmittedRun(row.id, row.config, row.sweep_id, is_adopted=True)

    def _leave(self) -> None:
        self._cluster.close()

    # -- the thread ------------------------------------------------------------------------------------

    def _maintain(self) -> None:
        """Ask the scheduler for the state of the runs, and for its number of threads."""
        adopted = [submitted for submitted in self._tracked.values() if submitted.is_adopted]
        keys = [submitted.key for submitted in self._tracked.values() if submitted.key is not None]
        states = self._cluster.describe_tasks(
            [*keys, *(key for submitted in adopted for key in _keys(submitted))]
        )
        for submitted in adopted if states else ():
            known = [key for key in _keys(submitted) if states[key] != "gone"]
            submitted.key, submitted.is_adopted = known[-1] if known else _keys(submitted)[0], False
            submitted.launches = _keys(submitted).index(submitted.key) + 1
        for submitted in self._tracked.values():
            if submitted.key in states:
                is_gone = states[submitted.key] in {"gone", "lost"}
                submitted.gone_since = (submitted.gone_since or time.monotonic()) if is_gone else None

    @property
    def _slots(self) -> int:
        if self._cluster.lost_since is not None:
            return 0
        return self._count or max(1, self._cluster.threads)  # one makes an adaptive cluster start a worker

    def _listen(self) -> None:
        while self._preparations:
            self._cluster.prepare(*self._preparations.pop())
        by_key = {submitted.key: submitted for submitted in self._tracked.values()}
        for event in self._cluster.receive():
            submitted = by_key.get(event["key"]) if "key" in event else self._tracked.get(event["run"])
            if submitted is not None:
                self._on_message(submitted, event)

    def _on_message(self, submitted: SubmittedRun, event: ClusterMessage) -> None:
        submitted.notes += event.get("notes", [])
        if "lost" in event:
            submitted.lost = event["lost"]
            submitted.gone_since = submitted.gone_since or time.monotonic()
        elif "failed" in event:
            submitted.failed = event["failed"]
            submitted.has_failed = True
        elif "version" in event:
            message = (
                f"worker {event['worker']} has {_release(event['version'])} and the server has "
                f"{_release(self._version)}; install the same version of runwidgets on both"
            )
            submitted.end = Outcome.failed(RunReason.VERSION_MISMATCH, message)
            submitted.is_over = True
        elif "end" in event:
            submitted.end = None if event["end"] is None else Outcome.from_json(event["end"])
            submitted.results, submitted.is_over = event.get("results", []), True

    def _store_all(self) -> None:
        reporting = [
            submitted for submitted in self._tracked.values() if submitted.notes and not submitted.is_over
        ]
        if reporting:
            with self._runs.transaction():
                for submitted in reporting:
                    self._store_notes(submitted)
            for submitted in reporting:
                submitted.notes.clear()

    def _follow(self, row: Any) -> None:
        self._tracked[row.id] = SubmittedRun(row.id, row.config, row.sweep_id)

    def _advance(self, submitted: SubmittedRun) -> None:
        if submitted.is_over:
            self._finish(submitted)
        elif submitted.key is None and not submitted.is_adopted:
            if submitted.is_cancelled:
                self._finish(submitted)
            elif self._cluster.is_usable:
                self._send(submitted)
        elif self._is_gone(submitted):
            self._conclude(submitted)
        elif (
            submitted.is_cancelled
            and not submitted.is_stop_sent
            and submitted.key
            and self._cluster.is_usable
        ):
            submitted.is_stop_sent = True
            self._cluster.withdraw(
                submitted.key, submitted.run_id, partial(setattr, submitted, "is_stop_sent", False)
            )

    def _is_gone(self, submitted: SubmittedRun) -> bool:
        """Return whether the cluster will report nothing more about a run."""
        if submitted.has_failed:
            return True
        if submitted.gone_since is not None:
            return submitted.lost is not None or time.monotonic() > submitted.gone_since + END_TIMEOUT
        since = self._cluster.lost_since
        return since is not None and time.monotonic() > since + WORKER_CLOSE_TIMEOUT

    def _send(self, submitted: SubmittedRun) -> None:
        """Submit a run to the scheduler."""
        if submitted.launches >= MAX_LAUNCHES + submitted.attempts:
            message = "no worker of the cluster could begin it"
            message += f": {submitted.failed}" if submitted.failed else ""
            submitted.end = Outcome.failed(RunReason.WORKER_FAILED, message)
            self._finish(submitted)
            return
        key = _key(submitted.run_id, submitted.launches)
        self._cluster.send(key, submitted.run_id, submitted.attempts, submitted.config.get("resources"))
        submitted.launches += 1
        submitted.key, submitted.lost, submitted.gone_since = key, None, None
        submitted.has_failed = False

    def _conclude(self, submitted: SubmittedRun) -> None:
        """End a run about which the cluster reports nothing more, by its journal, or submit it again."""
        with self._files.view_run(submitted.run_id, RUN_FILE, JOURNAL) as folder:
            tracked = TrackedRun(submitted.run_id, folder)
            if is_locked(tracked.lock):
                return  # its runner is still ending
            tracked.read()
        submitted.attempts = tracked.attempts
        if tracked.outcome is not None and tracked.outcome.reason is RunReason.WORKER_LOST:
            tracked.outcome = None
        if tracked.outcome is None and not submitted.is_cancelled:
            if self._is_to_wait(submitted):
                return
            if tracked.may_retry or not tracked.attempts:
                log.warning(
                    "runwidgets: run %s: %s; it is submitted again",
                    submitted.run_id,
                    _loss_message(submitted),
                )
                submitted.key, submitted.is_stop_sent = None, False
                self._cluster.register_again()  # perhaps it reached a new scheduler before the plugins did
                return
        if tracked.outcome is None:
            with suppress(OSError, ValueError), self._files.edit_notebook(submitted.run_id) as notebook:
                correct_notebook(notebook)
            reason = RunReason.WORKER_FAILED if submitted.has_failed else RunReason.WORKER_LOST
            tracked.outcome = Outcome.failed(reason, _loss_message(submitted))
        with self._files.view_run(submitted.run_id, RUN_FILE, OUTPUT) as folder:
            tracked.list_partial_files(folder)
        with tracked.all_or_nothing(), self._runs.transaction():
            tracked.store_progress(self._runs, is_last=True)
            is_known = tracked.end(self._runs, holds_slot=False) or self._runs.release(
                submitted.run_id, tracked.new_files()
            )
        self._forget(submitted, is_known)

    def _is_to_wait(self, submitted: SubmittedRun) -> bool:
        """Return whether a worker that lost its scheduler may still store how a run ended."""
        if submitted.has_failed:
            return False
        if submitted.gone_since is None:
            since = self._cluster.lost_since
            return since is not None and time.monotonic() < since + SCHEDULER_TIMEOUT
        return submitted.lost is None and time.monotonic() < submitted.gone_since + WORKER_CLOSE_TIMEOUT

    def _store_notes(self, submitted: SubmittedRun) -> None:
        for note in submitted.notes:
            metrics = [RecordedValue(**each) for each in note["metrics"]]
            self._runs.store_progress(
                submitted.run_id,
                note["progress"],
                metrics,
                note["log_size"],
                is_new_attempt=note["is_new_attempt"],
            )

    def _finish(self, submitted: SubmittedRun) -> None:
        """Store the end of a run without processes, and release its slot."""
        with self._runs.transaction():
            self._store_notes(submitted)
            is_known = self._store_end(submitted) or self._runs.release(submitted.run_id, submitted.results)
        self._forget(submitted, is_known)

    def _store_end(self, submitted: SubmittedRun) -> bool:
        """Store how a run ended and release its slot; return False if it has already ended."""
        if submitted.end is None or submitted.is_cancelled:
            return False
        end = submitted.end
        try:
            self._runs.move(
                submitted.run_id, end.state, end.reason, end.messages, submitted.results, holds_slot=False
            )
        except (InvalidRunStateError, UnknownRunError):  # it was cancelled before
            return False
        return True

    def _forget(self, submitted: SubmittedRun, is_known: bool) -> None:
        self._forget_secrets(submitted.run_id, submitted.sweep_id if submitted.end is not None else None)
        if not is_known:
            self._files.delete_run(submitted.run_id)  # it was deleted while its processes were ending
        del self._tracked[submitted.run_id]
        self._wake()

    def _give_up(self, submitted: SubmittedRun, outcome: Outcome) -> None:
        submitted.notes.clear()
        submitted.end = outcome
        self._finish(submitted)


def _key(run_id: str, launch: int) -> str:
    return f"{KEY_PREFIX}{run_id}" + (f"-{launch + 1}" if launch else "")


def _keys(submitted: SubmittedRun) -> list[str]:
    """Return the keys under which a run may have been submitted."""
    return [
        _key(submitted.run_id, launch) for launch in range(MAX_LAUNCHES + submitted.config.get("retries", 0))
    ]


def _release(version: str | None) -> str:
    return "no runwidgets" if version is None else f"runwidgets {version}"


def _loss_message(submitted: SubmittedRun) -> str:
    if submitted.has_failed:
        return f"Dask could not execute it: {submitted.failed}"
    return f"its worker was lost ({submitted.lost})" if submitted.lost else "the cluster lost it"
