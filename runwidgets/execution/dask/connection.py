"""The connection of an instance to a Dask cluster: requests to the scheduler, and topics of workers.

Used from one thread, which is woken when there is a message. The connection notices an unavailable or a new
scheduler when it is polled, and then sends it what it needs to know about runs.
"""

import asyncio
import importlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any

import cloudpickle
from distributed import Client, fire_and_forget
from distributed.client import ClosedClientError

from runwidgets.errors import ServiceUnavailableError
from runwidgets.execution.backend import Cluster
from runwidgets.execution.dask import scheduler_plugin, worker_loader
from runwidgets.execution.dask.messages import ClusterMessage
from runwidgets.execution.dask.scheduler_plugin import RunSchedulerPlugin
from runwidgets.execution.dask.task import make_task
from runwidgets.execution.dask.worker_loader import RunWorkerLoader

CONNECT_TIMEOUT = 3.0
"""Seconds within which a scheduler must accept a connection."""
RESPONSE_TIMEOUT = 5.0
"""Seconds within which a connected scheduler must respond."""

log = logging.getLogger(__name__)


class Connection:
    """A connection that reconnects by itself.

    Parameters
    ----------
    cluster : str or callable
        See `Cluster`; a cluster that is created here is closed with the connection.
    loader : RunWorkerLoader
        The plugin for every worker of the cluster; its name is that of the topic.
    wake : callable
        Called from another thread when there is a message.

    Attributes
    ----------
    threads : int
        Tasks that the cluster executes at once, as of the last poll.
    lost_since : float or None
        Since when there is no scheduler (monotonic seconds); None while there is one.

    Raises
    ------
    ServiceUnavailableError
        The cluster cannot be created.
    """

    def __init__(self, cluster: Cluster, loader: RunWorkerLoader, wake: Callable[[], None]) -> None:
        self._created_cluster, self._address = _find(cluster)
        self._loader = loader
        self._name = loader.name
        self._wake = wake
        self._client: Any = None
        self._is_registered = False
        self._is_warned = False
        self._messages: SimpleQueue[ClusterMessage] = SimpleQueue()
        self.threads = 0
        self.lost_since: float | None = time.monotonic()

    @property
    def is_usable(self) -> bool:
        """Whether the scheduler and its workers know what they need to, as of the last poll."""
        return self.lost_since is None and self._is_registered

    def register_again(self) -> None:
        """Send the scheduler and its workers what they need to know, with the next poll."""
        self._is_registered = False

    def close(self) -> None:
        """Disconnect from the cluster, which continues unless it was created here."""
        if self._client is not None:
            self._client.close(CONNECT_TIMEOUT)
        if self._created_cluster is not None:
            self._created_cluster.close()

    def describe_tasks(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the states of tasks; see `RunSchedulerPlugin.describe_tasks`. Empty without a scheduler."""
        try:
            self._connect()
            cluster_state = self._client.sync(
                self._call, "describe_tasks", keys=list(keys), callback_timeout=RESPONSE_TIMEOUT
            )
            if cluster_state is None:  # it was restarted, and does not know this instance
                raise ConnectionResetError("the scheduler was restarted")
        except (OSError, asyncio.TimeoutError, RuntimeError, ImportError) as error:
            level = logging.DEBUG if self._is_warned else logging.WARNING
            log.log(level, "runwidgets: the cluster at %s cannot be used now: %s", self._address, error)
            self._is_warned = True
            self._is_registered, self.threads = False, 0
            self.lost_since = self.lost_since or time.monotonic()
            return {}
        self.lost_since, self._is_warned = None, False
        self.threads = cluster_state["threads"]
        states: dict[str, str] = cluster_state["state"]
        return states

    def send(self, key: str, run_id: str, attempts: int, resources: dict[str, float] | None) -> None:
        """Submit a run to the scheduler, as a task without a client.

        Raises
        ------
        ServiceUnavailableError
            The connection was closed in the meantime.
        """
        try:
            task = self._client.submit(
                make_task(self._name),
                self._loader.version,
                run_id,
                key,
                attempts,
                key=key,
                pure=False,
                resources=resources,
            )
            fire_and_forget(task)
        except ClosedClientError as error:
            self.register_again()
            raise ServiceUnavailableError(
                "cluster", "the connection was closed", "it is opened again"
            ) from error

    def withdraw(self, key: str, run_id: str, failed: Callable[[], None]) -> None:
        """Prevent a run from beginning, which is reported as its end; or make its worker end it.

        Parameters
        ----------
        key, run_id : str
            The task and its run.
        failed : callable
            Called if the scheduler did not respond.
        """

        async def work() -> None:
            try:
                worker = await self._call("withdraw", key=key)
                if worker:
                    await self._broadcast("cancel", [worker], run=run_id)
                    return
            except (OSError, asyncio.TimeoutError, RuntimeError):
                failed()
                return
            released = {"op": "client-releases-keys", "keys": [key], "client": "fire-and-forget"}
            self._client._send_to_scheduler(released)
            self._on_event((0.0, {"run": run_id, "notes": [], "end": None}))

        asyncio.run_coroutine_threadsafe(work(), self._client.loop.asyncio_loop)

    def prepare(self, kernel_name: str, imports: list[str]) -> None:
        """Make every present worker prepare a process for a template."""
        if self.lost_since is None:
            work = self._broadcast("prepare", None, kernel_name=kernel_name, imports=imports)
            asyncio.run_coroutine_threadsafe(work, self._client.loop.asyncio_loop)

    def receive(self) -> Iterator[ClusterMessage]:
        """Yield the messages that arrived on the topic since the last call."""
        with suppress(Empty):
            while True:
                yield self._messages.get_nowait()

    def _connect(self) -> None:
        """Connect if necessary, and send the scheduler and its workers what they need to know."""
        if self._client is None or self._client.status == "closed":
            keyword = "scheduler_file" if os.path.isfile(self._address) else "address"
            self._client = Client(
                **{keyword: self._address}, timeout=CONNECT_TIMEOUT, set_as_default=False, name="runwidgets"
            )
            self._is_registered = False
        if not self._is_registered:
            with _pickled_by_value(scheduler_plugin, worker_loader):
                self._client.register_plugin(RunSchedulerPlugin(self._name), self._name)
                self._client.register_plugin(self._loader, self._name)
            self._client.subscribe_topic(self._name, self._on_event)
            self._is_registered = True

    async def _call(self, operation: str, **values: Any) -> Any:
        return await getattr(self._client.scheduler, f"{self._name}-{operation}")(**values)

    async def _broadcast(self, operation: str, workers: list[str] | None, **values: Any) -> None:
        message = {"op": f"{self._name}-{operation}", **values}
        await self._client.scheduler.broadcast(msg=message, workers=workers, on_error="ignore")

    def _on_event(self, event: tuple[float, ClusterMessage]) -> None:
        self._messages.put(event[1])
        self._wake()


@contextmanager
def _pickled_by_value(*modules: ModuleType) -> Iterator[None]:
    """Send what modules define by value, so that it need not be installed at the receiver."""
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _find(cluster: Cluster) -> tuple[Any, str]:
    """Return the cluster, if it is created here, and the address of its scheduler or the path of a file."""
    create: Any = cluster
    if isinstance(cluster, str):
        if "://" in cluster or os.path.isfile(cluster):
            return None, cluster
        module, _, function = cluster.partition(":")
        try:
            create = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise ServiceUnavailableError(
                "cluster",
                f"{cluster!r} is not an address, a scheduler file or a function ({error})",
                "give one such as tcp://host:8786",
            ) from error
    created = create()
    return created, str(created.scheduler_address)
