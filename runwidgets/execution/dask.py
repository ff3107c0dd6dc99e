"""Runs on a Dask cluster: one task per run, executed by the `Station` of a worker.

The thread claims as many runs as the cluster has threads, and hands each to the scheduler as a task that
nobody's client owns, so that it goes on when this service ends. What a run says comes back over a topic of
the cluster, and is said to the database here. Every half second the scheduler is asked what has become of
the tasks: what it knows no more, and what was on a worker that is gone, is looked up where the run's journal
is. A run that has no end there was lost: it ends in ERROR, or is sent again where its settings ask for that.

The scheduler may go away and come back, empty; the cluster may have no worker for a while; then runs wait.
"""

import asyncio
import importlib
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import cloudpickle
from distributed import Client, fire_and_forget

from runwidgets.errors import InvalidRunStateError, ServiceUnavailableError, UnknownRunError
from runwidgets.execution import arbiter
from runwidgets.execution.arbiter import PREFIX, Arbiter
from runwidgets.execution.dispatcher import IDLE_PAUSE, Dispatcher
from runwidgets.execution.followed import Followed, Outcome
from runwidgets.execution.ledger import Ledger
from runwidgets.execution.recorder import settle
from runwidgets.execution.station import Station, execute
from runwidgets.execution.stop import WORKER_LOST
from runwidgets.limits import Limits
from runwidgets.states import RunState
from runwidgets.store.files import Files
from runwidgets.store.layout import JOURNAL, LOCK, RUN_FILE
from runwidgets.store.locks import is_locked
from runwidgets.store.series import Recorded
from runwidgets.store.services import Services

CONNECT_TIMEOUT = 3.0
"""Seconds in which a scheduler must answer."""
ANSWER_TIMEOUT = 5.0
"""Seconds in which a scheduler that we are connected to must answer."""
NEWS_PATIENCE = 1.0
"""Seconds in which the end of a run comes over the topic, once the scheduler has forgotten its task."""
CLOSING_PATIENCE = 10.0
"""Seconds in which a worker that lost its scheduler has ended its runs, and put down what they left."""
ABSENCE_PATIENCE = 60.0
"""Seconds without a scheduler after which its runs count as lost."""
LAUNCHES = 3
"""Times that a run is sent before it counts as one that no worker can begin."""

Cluster = str | Callable[[], Any]
"""The address of a scheduler, the path of a scheduler file, ``module:function``, or a function that returns
a cluster of Dask."""
Json = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass
class Sent:
    """A run that this service brings to its end."""

    run_id: str
    config: Json
    sweep_id: str | None
    key: str | None = None
    """Of its task; None while it has none."""
    launches: int = 0
    attempts: int = 0
    """Attempts that began, as far as is known."""
    is_adopted: bool = False
    """Whether another service sent it, with which key is not known yet."""
    is_cancelled: bool = False
    is_told: bool = False
    """Whether its worker was asked to end it."""
    stumbles: int = 0
    notes: list[Json] = field(default_factory=list)
    end: Json | None = None
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
    runs : Ledger
        The queue.
    files : Files
        Where run directories are.
    limits : Limits
        Those of the house.
    services : Services
        Who else has runs.
    cluster : str or callable
        See `Cluster`; one that is made here ends with this service, and its runs with it.
    name : str
        Of the house: equal for all services that share its root and database, and for no other.
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
        runs: Ledger,
        files: Files,
        limits: Limits,
        services: Services,
        cluster: Cluster,
        name: str,
        slots: int | None = None,
        environment: Iterable[str] = (),
    ) -> None:
        self._name = f"{PREFIX}{name}"
        self._station = Station(self._name, files.address, limits, tuple(environment))
        self._made, self._address = _find(cluster)
        super().__init__(runs, files, limits, services, self._name)
        self._count = slots
        self._threads = 0
        self._client: Any = None
        self._is_known = False
        self._lost_since = time.monotonic()
        self._problem = ""
        self._said: SimpleQueue[Json] = SimpleQueue()
        self._begin()

    def prepare(self, kernel_name: str, imports: Iterable[str]) -> None:
        """Have every worker warm a process up for a template."""
        self._said.put({"prepare": {"kernel_name": kernel_name, "imports": list(imports)}})
        self._ring()

    def adopt(self, run_ids: Iterable[str]) -> None:
        """Follow runs whose service died; those that another service took meanwhile are left to it."""
        wanted = set(run_ids)
        for row in self._runs.holding() if wanted else ():
            is_elsewhere = row.host != self._host and is_locked(self._files.run_folder(row.id) / LOCK)
            if row.id not in wanted or is_elsewhere:
                continue
            if self._runs.take_over(row.id, row.service, self._service, self._host):
                self._followed[row.id] = Sent(row.id, row.config, row.sweep_id, is_adopted=True)

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close(CONNECT_TIMEOUT)
        if self._made is not None:
            self._made.close()

    # -- the cluster -----------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """Ask the scheduler what has become of the runs, and what room there is."""
        adopted = [sent for sent in self._followed.values() if sent.is_adopted]
        keys = [sent.key for sent in self._followed.values() if sent.key is not None]
        keys += [key for sent in adopted for key in _keys(sent)]
        try:
            client = self._connect()
            seen = client.sync(self._call, client, "look", keys=keys, callback_timeout=ANSWER_TIMEOUT)
            if seen is None:  # it has begun anew, and knows nothing of us
                raise ConnectionResetError("the scheduler is another one")
        except (OSError, asyncio.TimeoutError, RuntimeError, ImportError) as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.warning("runwidgets: the cluster at %s cannot be used now: %s", self._address, error)
            self._is_known = False
            self._threads = 0
            self._lost_since = self._lost_since or time.monotonic()
        else:
            self._lost_since, self._problem = 0.0, ""
            self._threads = seen["threads"]
            self._learn(seen["state"], adopted)

    def _learn(self, states: dict[str, str], adopted: list[Sent]) -> None:
        for sent in adopted:
            known = [key for key in _keys(sent) if states[key] != "gone"]
            sent.key, sent.is_adopted = known[-1] if known else _keys(sent)[0], False
            sent.launches = _keys(sent).index(sent.key) + 1
        for sent in self._followed.values():
            if sent.key is not None and sent.key in states:
                is_gone = states[sent.key] in {"gone", "lost"}
                sent.gone_since = (sent.gone_since or time.monotonic()) if is_gone else None

    def _connect(self) -> Any:
        """Return the connection, made where there is none; the scheduler knows what it needs then."""
        if self._client is None or self._client.status == "closed":
            place = "scheduler_file" if os.path.isfile(self._address) else "address"
            self._client = Client(
                **{place: self._address}, timeout=CONNECT_TIMEOUT, set_as_default=False, name="runwidgets"
            )
            self._is_known = False
        if not self._is_known:
            cloudpickle.register_pickle_by_value(arbiter)
            try:
                self._client.register_plugin(Arbiter(self._name), self._name)
            finally:
                cloudpickle.unregister_pickle_by_value(arbiter)
            self._client.register_plugin(self._station, self._name)
            self._client.subscribe_topic(self._name, self._take)
            self._is_known = True
        return self._client

    async def _call(self, client: Any, operation: str, **values: Any) -> Any:
        return await getattr(client.scheduler, f"{self._name}-{operation}")(**values)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done on the connection's loop; what goes wrong there shows at the next look."""
        asyncio.run_coroutine_threadsafe(work, self._client.loop.asyncio_loop)

    async def _withdraw(self, client: Any, sent: Sent, key: str) -> None:
        """Keep a run from beginning, or have its worker end it."""
        try:
            worker = await self._call(client, "withdraw", key=key)
            if worker:
                await self._tell_workers(client, "cancel", [worker], run=sent.run_id)
                return
        except OSError:
            sent.is_told = False  # it is tried again
            return
        client._send_to_scheduler({"op": "client-releases-keys", "keys": [key], "client": "fire-and-forget"})
        self._take((0.0, {"run": sent.run_id, "notes": [], "end": None}))

    async def _tell_workers(
        self, client: Any, operation: str, workers: list[str] | None = None, **values: Any
    ) -> None:
        message = {"op": f"{self._name}-{operation}", **values}
        await client.scheduler.broadcast(msg=message, workers=workers, on_error="ignore")

    def _take(self, event: "tuple[float, Json]") -> None:
        """Take what is said on the topic; called by the connection."""
        self._said.put(event[1])
        self._ring()

    # -- the thread ------------------------------------------------------------------------------------

    @property
    def _slots(self) -> int:
        if self._lost_since:
            return 0
        return self._count or max(1, self._threads)  # one, so that a cluster that may grow has a reason to

    def _listen(self) -> None:
        by_key = {sent.key: sent for sent in self._followed.values()}
        with suppress(Empty):
            while True:
                said = self._said.get_nowait()
                if "prepare" in said:
                    if self._client is not None and self._is_known:
                        self._do(self._tell_workers(self._client, "prepare", **said["prepare"]))
                    continue
                sent = by_key.get(said["key"]) if "key" in said else self._followed.get(said["run"])
                if sent is not None:
                    self._hear_of(sent, said)

    def _hear_of(self, sent: Sent, said: Json) -> None:
        sent.notes += said.get("notes", [])
        if "lost" in said:
            sent.lost = said["lost"]
            sent.gone_since = sent.gone_since or time.monotonic()
        elif "failed" in said:
            sent.end = _error(f"Dask could not execute it: {said['failed']}")
            sent.is_over = True
        elif "end" in said:
            sent.end, sent.is_over = said["end"], True

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
            elif not self._lost_since:
                self._send(sent)
        elif self._is_gone(sent):
            self._conclude(sent)
        elif sent.is_cancelled and not sent.is_told and sent.key is not None and not self._lost_since:
            sent.is_told = True
            self._do(self._withdraw(self._client, sent, sent.key))

    def _is_gone(self, sent: Sent) -> bool:
        """Say whether nothing more will be heard of a run from the cluster."""
        if sent.gone_since is not None:
            return sent.lost is not None or time.monotonic() > sent.gone_since + NEWS_PATIENCE
        return bool(self._lost_since) and time.monotonic() > self._lost_since + CLOSING_PATIENCE

    def _send(self, sent: Sent) -> None:
        """Hand a run to the scheduler."""
        if sent.launches >= LAUNCHES + sent.attempts:
            sent.end = _error("no worker of the cluster could begin it")
            self._let_go(sent)
            return
        key = _key(sent.run_id, sent.launches)
        task = self._client.submit(
            execute,
            self._name,
            sent.run_id,
            key,
            sent.attempts,
            key=key,
            pure=False,
            resources=sent.config.get("resources"),
        )
        fire_and_forget(task)
        sent.launches += 1
        sent.key, sent.lost, sent.gone_since = key, None, None

    def _conclude(self, sent: Sent) -> None:
        """End a run of which the cluster says nothing more, by what it left; or send it again."""
        with self._files.look_at(sent.run_id, RUN_FILE, JOURNAL) as folder:
            followed = Followed(sent.run_id, folder)
            if is_locked(followed.lock):
                return  # its runner still ends
            followed.read()
        sent.attempts = followed.attempts
        if followed.outcome is not None and followed.outcome.messages[:1] == [WORKER_LOST]:
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
            followed.outcome = Outcome(RunState.ERROR, [_lost(sent)])
        with followed.all_or_nothing(), self._runs.together():
            followed.note(self._runs, is_last=True)
            followed.end(self._runs, holds_slot=False)
            is_known = self._runs.release(sent.run_id)
        self._forget(sent, is_known)

    def _is_to_wait(self, sent: Sent) -> bool:
        """Say whether a worker that lost its scheduler may still put down how a run ended."""
        if sent.gone_since is None:
            return time.monotonic() < self._lost_since + ABSENCE_PATIENCE
        return sent.lost is None and time.monotonic() < sent.gone_since + CLOSING_PATIENCE

    def _note(self, sent: Sent) -> None:
        for note in sent.notes:
            metrics = [Recorded(**each) for each in note["metrics"]]
            self._runs.note(sent.run_id, note["progress"], metrics, note["log_size"])

    def _let_go(self, sent: Sent) -> None:
        """Store the end of a run that has no processes any more, and give its slot back."""
        with self._runs.together():
            self._note(sent)
            if sent.end is not None and not sent.is_cancelled:
                end = sent.end
                state = RunState(end["state"])
                with suppress(InvalidRunStateError, UnknownRunError):  # somebody cancelled it before
                    self._runs.move(sent.run_id, state, end["messages"], end["results"], holds_slot=False)
            is_known = self._runs.release(sent.run_id)
        self._forget(sent, is_known)

    def _forget(self, sent: Sent, is_known: bool) -> None:
        self._forget_secrets(sent.run_id, sent.sweep_id if sent.end is not None else None)
        if not is_known:
            self._files.delete_run(sent.run_id)  # it was deleted while its processes ended
        del self._followed[sent.run_id]
        self._ring()

    def _give_up(self, sent: Sent, reason: str) -> None:
        sent.notes.clear()
        sent.end = _error(reason)
        self._let_go(sent)


def _key(run_id: str, launch: int) -> str:
    return f"{PREFIX}{run_id}" + (f"-{launch + 1}" if launch else "")


def _keys(sent: Sent) -> list[str]:
    """Return the keys that a run may have been sent with."""
    return [_key(sent.run_id, launch) for launch in range(LAUNCHES + sent.config.get("retries", 0))]


def _error(message: str) -> Json:
    return {"state": RunState.ERROR.value, "messages": [message], "results": []}


def _lost(sent: Sent) -> str:
    return f"its worker was lost ({sent.lost})" if sent.lost else "the cluster lost it"


def _find(cluster: Cluster) -> tuple[Any, str]:
    """Return the cluster, where it is made here, and the address of its scheduler or the path of a file."""
    make: Any = cluster
    if isinstance(cluster, str):
        if "://" in cluster or os.path.isfile(cluster):
            return None, cluster
        module, _, function = cluster.partition(":")
        try:
            make = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise ServiceUnavailableError(
                "cluster",
                f"{cluster!r} is no address, no scheduler file and no function ({error})",
                "give one such as tcp://host:8786",
            ) from error
    made = make()
    return made, str(made.scheduler_address)
