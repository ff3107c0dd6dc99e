"""Runs on a Dask cluster: one task per run, executed by the `RunWorkerPlugin` of a worker.

The thread claims as many runs as the cluster has threads, and hands each to the scheduler as a task that
nobody's client owns, so that it goes on when this instance ends. What a run says comes back over a topic of
the cluster, and is said to the database here. Every half second the scheduler is asked what has become of
the tasks: what it knows no more, and what was on a worker that is gone, is looked up where the run's journal
is. A run that has no end there was lost: it ends in ERROR, or is sent again where its settings ask for that.

The scheduler may go away and come back, empty; the cluster may have no worker for a while; then runs wait.
"""

import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import KW_ONLY, asdict, dataclass, field
from functools import partial
from typing import Any

from runwidgets.errors import InvalidRunStateError, UnknownRunError
from runwidgets.execution.backend import Cluster
from runwidgets.execution.dask.connection import Connection
from runwidgets.execution.dask.scheduler_plugin import PREFIX
from runwidgets.execution.dask.worker_loader import RunWorkerLoader
from runwidgets.execution.dispatcher import IDLE_PAUSE, Dispatcher
from runwidgets.execution.run_outcome import Outcome
from runwidgets.execution.run_queue import RunQueue
from runwidgets.execution.runner.recorder import settle
from runwidgets.execution.tracked_run import TrackedRun
from runwidgets.limits import Limits
from runwidgets.schema import RunReason
from runwidgets.store.database.columns import NewFile
from runwidgets.store.database.metrics import RecordedValue
from runwidgets.store.files.base import FileStore
from runwidgets.store.files.layout import JOURNAL, RUN_FILE
from runwidgets.store.liveness import Liveness
from runwidgets.store.locks import is_locked

NEWS_PATIENCE = 1.0
"""Seconds in which the end of a run comes over the topic, once the scheduler has forgotten its task."""
CLOSING_PATIENCE = 10.0
"""Seconds in which a worker that lost its scheduler has ended its runs, and put down what they left."""
ABSENCE_PATIENCE = 60.0
"""Seconds without a scheduler after which its runs count as lost."""
LAUNCHES = 3
"""Times that a run is sent before it counts as one that no worker can begin."""

Json = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass
class Sent:
    """A run that this instance brings to its end."""

    run_id: str
    config: Json
    sweep_id: str | None
    _: KW_ONLY
    key: str | None = None
    """Of its task; None while it has none."""
    launches: int = 0
    attempts: int = 0
    """Attempts that began, as far as is known."""
    is_adopted: bool = False
    """Whether another instance sent it, with which key is not known yet."""
    is_cancelled: bool = False
    is_told: bool = False
    """Whether its worker was asked to end it."""
    failures: int = 0
    notes: list[Json] = field(default_factory=list)
    end: Outcome | None = None
    results: list[NewFile] = field(default_factory=list)
    is_over: bool = False
    """Whether no process of it is left, as its worker says."""
    lost: str | None = None
    """The worker that was lost."""
    gone_since: float | None = None
    """When the scheduler was found not to know its task (monotonic seconds)."""


class DaskBackend(Dispatcher[Sent]):
    """Executes runs on the workers of a Dask cluster.

    Parameters
    ----------
    runs : RunQueue
        The queue.
    files : FileStore
        Where run directories are.
    limits : Limits
        Those of the instance.
    liveness : Liveness
        Who else has runs.
    cluster : str or callable
        See `Cluster`; one that is made here ends with this instance, and its runs with it.
    name : str
        Of the instance: equal for all instances that share its root and database, and for no other.
    slots : int, optional
        Runs that the cluster executes at once; None for the threads that its workers have.
    environment : iterable of str
        Names of environment variables of a worker that runs inherit beside the usual ones.

    Raises
    ------
    ServiceUnavailableError
        The cluster cannot be made.
    """

    busy_pause = IDLE_PAUSE
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
        topic = f"{PREFIX}{name}"
        loader = RunWorkerLoader(topic, files.address, asdict(limits), tuple(environment))
        self._version = loader.version
        self._cluster = Connection(cluster, loader, lambda: self._wake())
        super().__init__(runs, files, limits, liveness=liveness, host=topic)
        self._count = slots
        self._wanted: list[tuple[str, list[str]]] = []
        self._begin()

    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Have every worker warm a process up for a template."""
        self._wanted.append((kernel_name, list(imports)))
        self._wake()

    def adopt(self, run_ids: Iterable[str]) -> None:
        """Follow runs whose instance died; those that another instance took meanwhile are left to it."""
        wanted = set(run_ids)
        for row in self._runs.list_slot_holders() if wanted else ():
            is_elsewhere = row.host != self._host and self._files.is_locked(row.id)
            if row.id not in wanted or is_elsewhere:
                continue
            if self._runs.take_over(row.id, row.instance, self._instance, self._host):
                self._followed[row.id] = Sent(row.id, row.config, row.sweep_id, is_adopted=True)

    def _leave(self) -> None:
        self._cluster.close()

    # -- the thread ------------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """Ask the scheduler what has become of the runs, and what room there is."""
        adopted = [sent for sent in self._followed.values() if sent.is_adopted]
        keys = [sent.key for sent in self._followed.values() if sent.key is not None]
        states = self._cluster.look([*keys, *(key for sent in adopted for key in _keys(sent))])
        for sent in adopted if states else ():
            known = [key for key in _keys(sent) if states[key] != "gone"]
            sent.key, sent.is_adopted = known[-1] if known else _keys(sent)[0], False
            sent.launches = _keys(sent).index(sent.key) + 1
        for sent in self._followed.values():
            if sent.key in states:
                is_gone = states[sent.key] in {"gone", "lost"}
                sent.gone_since = (sent.gone_since or time.monotonic()) if is_gone else None

    @property
    def _slots(self) -> int:
        if self._cluster.lost_since is not None:
            return 0
        return self._count or max(1, self._cluster.threads)  # one gives a cluster that may grow a reason to

    def _listen(self) -> None:
        while self._wanted:
            self._cluster.prepare(*self._wanted.pop())
        by_key = {sent.key: sent for sent in self._followed.values()}
        for said in self._cluster.hear():
            sent = by_key.get(said["key"]) if "key" in said else self._followed.get(said["run"])
            if sent is not None:
                self._hear_of(sent, said)

    def _hear_of(self, sent: Sent, said: Json) -> None:
        sent.notes += said.get("notes", [])
        if "lost" in said:
            sent.lost = said["lost"]
            sent.gone_since = sent.gone_since or time.monotonic()
        elif "failed" in said:
            message = f"Dask could not execute it: {said['failed']}"
            sent.end = Outcome.failed(RunReason.WORKER_FAILED, message)
            sent.is_over = True
        elif "version" in said:
            message = (
                f"worker {said['worker']} has {_release(said['version'])} and the server has "
                f"{_release(self._version)}; install the same version of runwidgets on both"
            )
            sent.end = Outcome.failed(RunReason.VERSION_MISMATCH, message)
            sent.is_over = True
        elif "end" in said:
            sent.end = None if said["end"] is None else Outcome.from_json(said["end"])
            sent.results, sent.is_over = said.get("results", []), True

    def _note_all(self) -> None:
        telling = [sent for sent in self._followed.values() if sent.notes and not sent.is_over]
        if telling:
            with self._runs.together():
                for sent in telling:
                    self._note(sent)
            for sent in telling:
                sent.notes.clear()

    def _follow(self, row: Any) -> None:
        self._followed[row.id] = Sent(row.id, row.config, row.sweep_id)

    def _advance(self, sent: Sent) -> None:
        if sent.is_over:
            self._let_go(sent)
        elif sent.key is None and not sent.is_adopted:
            if sent.is_cancelled:
                self._let_go(sent)
            elif self._cluster.lost_since is None:
                self._send(sent)
        elif self._is_gone(sent):
            self._conclude(sent)
        elif sent.is_cancelled and not sent.is_told and sent.key and self._cluster.lost_since is None:
            sent.is_told = True
            self._cluster.withdraw(sent.key, sent.run_id, partial(setattr, sent, "is_told", False))

    def _is_gone(self, sent: Sent) -> bool:
        """Say whether nothing more will be heard of a run from the cluster."""
        if sent.gone_since is not None:
            return sent.lost is not None or time.monotonic() > sent.gone_since + NEWS_PATIENCE
        since = self._cluster.lost_since
        return since is not None and time.monotonic() > since + CLOSING_PATIENCE

    def _send(self, sent: Sent) -> None:
        """Hand a run to the scheduler."""
        if sent.launches >= LAUNCHES + sent.attempts:
            message = "no worker of the cluster could begin it"
            sent.end = Outcome.failed(RunReason.WORKER_FAILED, message)
            self._let_go(sent)
            return
        key = _key(sent.run_id, sent.launches)
        self._cluster.send(key, sent.run_id, sent.attempts, sent.config.get("resources"))
        sent.launches += 1
        sent.key, sent.lost, sent.gone_since = key, None, None

    def _conclude(self, sent: Sent) -> None:
        """End a run of which the cluster says nothing more, by what it left; or send it again."""
        with self._files.view_run(sent.run_id, RUN_FILE, JOURNAL) as folder:
            followed = TrackedRun(sent.run_id, folder)
            if is_locked(followed.lock):
                return  # its runner still ends
            followed.read()
        sent.attempts = followed.attempts
        if followed.outcome is not None and followed.outcome.reason is RunReason.WORKER_LOST:
            followed.outcome = None
        if followed.outcome is None and not sent.is_cancelled:
            if self._is_to_wait(sent):
                return
            if followed.may_retry or not followed.attempts:
                log.warning("runwidgets: run %s: %s; it is sent again", sent.run_id, _lost(sent))
                sent.key, sent.is_told = None, False
                return
        if followed.outcome is None:
            with suppress(OSError, ValueError), self._files.edit_notebook(sent.run_id) as notebook:
                settle(notebook)
            followed.outcome = Outcome.failed(RunReason.WORKER_LOST, _lost(sent))
        with followed.all_or_nothing(), self._runs.together():
            followed.store_progress(self._runs, is_last=True)
            is_known = followed.end(self._runs, holds_slot=False) or self._runs.release(sent.run_id)
        self._forget(sent, is_known)

    def _is_to_wait(self, sent: Sent) -> bool:
        """Say whether a worker that lost its scheduler may still put down how a run ended."""
        if sent.gone_since is None:
            since = self._cluster.lost_since
            return since is not None and time.monotonic() < since + ABSENCE_PATIENCE
        return sent.lost is None and time.monotonic() < sent.gone_since + CLOSING_PATIENCE

    def _note(self, sent: Sent) -> None:
        for note in sent.notes:
            metrics = [RecordedValue(**each) for each in note["metrics"]]
            self._runs.store_progress(sent.run_id, note["progress"], metrics, note["log_size"])

    def _let_go(self, sent: Sent) -> None:
        """Store the end of a run that has no processes any more, and give its slot back."""
        with self._runs.together():
            self._note(sent)
            is_known = self._store_end(sent) or self._runs.release(sent.run_id)
        self._forget(sent, is_known)

    def _store_end(self, sent: Sent) -> bool:
        """Store how a run ended, and give its slot back with it; False where it has its end already."""
        if sent.end is None or sent.is_cancelled:
            return False
        end = sent.end
        try:
            self._runs.move(sent.run_id, end.state, end.reason, end.messages, sent.results, holds_slot=False)
        except (InvalidRunStateError, UnknownRunError):  # somebody cancelled it before
            return False
        return True

    def _forget(self, sent: Sent, is_known: bool) -> None:
        self._forget_secrets(sent.run_id, sent.sweep_id if sent.end is not None else None)
        if not is_known:
            self._files.delete_run(sent.run_id)  # it was deleted while its processes ended
        del self._followed[sent.run_id]
        self._wake()

    def _give_up(self, sent: Sent, outcome: Outcome) -> None:
        sent.notes.clear()
        sent.end = outcome
        self._let_go(sent)


def _key(run_id: str, launch: int) -> str:
    return f"{PREFIX}{run_id}" + (f"-{launch + 1}" if launch else "")


def _keys(sent: Sent) -> list[str]:
    """Return the keys that a run may have been sent with."""
    return [_key(sent.run_id, launch) for launch in range(LAUNCHES + sent.config.get("retries", 0))]


def _release(version: str | None) -> str:
    return "no runwidgets" if version is None else f"runwidgets {version}"


def _lost(sent: Sent) -> str:
    return f"its worker was lost ({sent.lost})" if sent.lost else "the cluster lost it"
