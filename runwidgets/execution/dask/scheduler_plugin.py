"""The scheduler's knowledge of runs: which began, on which worker, and which was lost.

Dask silently moves a task whose worker died to another worker. A run must not begin twice, so a worker asks
this plugin first, and only the first request for a key is granted. The plugin is sent to the scheduler by
value: the scheduler needs only Dask, and this module may import nothing else.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from distributed.diagnostics.plugin import SchedulerPlugin

if TYPE_CHECKING:
    from runwidgets.execution.dask.messages import ClusterState

KEY_PREFIX = "runwidgets-"
"""Prefix of the keys of runs, which Dask's dashboard shows as their name."""


class RunSchedulerPlugin(SchedulerPlugin):
    """Decides which runs of an instance may begin.

    Parameters
    ----------
    name : str
        The topic on which the instance listens; its operations are named after it.
    """

    idempotent = True

    def __init__(self, name: str) -> None:
        self.name = name

    async def start(self, scheduler: Any) -> None:
        """Start serving workers and instances. Called by the scheduler."""
        self._scheduler = scheduler
        self._begun: dict[str, str] = {}
        for operation in (self.begin, self.withdraw, self.describe_tasks):
            scheduler.handlers[f"{self.name}-{operation.__name__}"] = operation

    async def begin(self, key: str, worker: str) -> bool:
        """Return whether a worker may begin a run: no worker did before, and it was not withdrawn."""
        return self._begun.setdefault(key, worker) == worker and key in self._scheduler.tasks

    async def withdraw(self, key: str) -> str:
        """Return the worker that began a run, or an empty string; then no worker will begin it."""
        return self._begun.setdefault(key, "")

    async def describe_tasks(self, keys: Iterable[str]) -> "ClusterState":
        """Return the ``threads`` of the cluster and the ``state`` of each key.

        A state is ``gone`` (it failed, or the scheduler no longer knows it), ``waiting``, ``begun`` (on a
        live worker) or ``lost`` (on a worker that is not alive).
        """
        return {
            "threads": sum(worker.nthreads for worker in self._scheduler.workers.values()),
            "state": {key: self._state(key) for key in keys},
        }

    def _state(self, key: str) -> str:
        if key not in self._scheduler.tasks or self._scheduler.tasks[key].state == "erred":
            return "gone"
        worker = self._begun.get(key)
        if worker is None:
            return "waiting"
        return "begun" if worker in self._scheduler.workers else "lost"

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """Forget keys that the scheduler forgets, and report failed tasks. Called by the scheduler."""
        if finish == "forgotten":
            self._begun.pop(key, None)
        elif finish == "erred" and str(key).startswith(KEY_PREFIX):
            text = kwargs.get("exception_text") or "Dask could not execute it"
            self._scheduler.log_event(self.name, {"key": key, "failed": str(text)})

    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        """Report the runs of a lost worker. Called by the scheduler."""
        for key, holder in self._begun.items():
            if holder == worker:
                scheduler.log_event(self.name, {"key": key, "lost": worker})
