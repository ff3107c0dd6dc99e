"""What the scheduler of a Dask cluster knows of runs: which began, where, and which was lost.

Dask takes a task whose worker died to another worker, without a word. A run must not begin twice, so a
worker asks here first, and the first to ask for a key begins. This plugin is sent to the scheduler as code:
the scheduler needs nothing but Dask, and this module may import nothing else.
"""

from collections.abc import Iterable
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

PREFIX = "runwidgets-"
"""What the keys of runs begin with: the name that Dask's dashboard shows for them."""


class RunSchedulerPlugin(SchedulerPlugin):
    """Says which runs of an instance may begin.

    Parameters
    ----------
    name : str
        The topic on which the instance listens; its operations are named after it.
    """

    idempotent = True

    def __init__(self, name: str) -> None:
        self.name = name

    async def start(self, scheduler: Any) -> None:
        """Answer workers and instances from now on. Called by the scheduler."""
        self._scheduler = scheduler
        self._begun: dict[str, str] = {}
        for operation in (self.begin, self.withdraw, self.look):
            scheduler.handlers[f"{self.name}-{operation.__name__}"] = operation

    async def begin(self, key: str, worker: str) -> bool:
        """Say whether a worker may begin a run: nobody did before, and nobody withdrew it."""
        return self._begun.setdefault(key, worker) == worker and key in self._scheduler.tasks

    async def withdraw(self, key: str) -> str:
        """Return the worker that began a run; where none did, none will, and it is empty."""
        return self._begun.setdefault(key, "")

    async def look(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the ``threads`` of the cluster and the ``state`` of each key.

        A state is ``gone`` (the scheduler does not know it any more), ``waiting``, ``begun`` (on a worker
        that lives) or ``lost`` (on one that does not).
        """
        return {
            "threads": sum(worker.nthreads for worker in self._scheduler.workers.values()),
            "state": {key: self._state(key) for key in keys},
        }

    def _state(self, key: str) -> str:
        if key not in self._scheduler.tasks:
            return "gone"
        worker = self._begun.get(key)
        if worker is None:
            return "waiting"
        return "begun" if worker in self._scheduler.workers else "lost"

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """Forget what the scheduler forgets, and tell of tasks that failed. Called by the scheduler."""
        if finish == "forgotten":
            self._begun.pop(key, None)
        elif finish == "erred" and str(key).startswith(PREFIX):
            said = kwargs.get("exception_text") or "Dask could not execute it"
            self._scheduler.log_event(self.name, {"key": key, "failed": str(said)})

    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        """Tell of the runs of a worker that is gone. Called by the scheduler."""
        for key, where in self._begun.items():
            if where == worker:
                scheduler.log_event(self.name, {"key": key, "lost": worker})
