"""What a worker of a Dask cluster is sent as code: it loads the `RunWorkerPlugin`, or says why it cannot.

A worker may have another version of this package than the server, or none, and would misread what it is
told. So the versions are compared before anything of the package is imported there. For that the plugin and
its task are sent by value, not by name: this module may import nothing but Dask and the standard library.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from distributed import get_worker
from distributed.diagnostics.plugin import WorkerPlugin


def find_version() -> str | None:
    """Return the version of this package that is installed here; None where it is not."""
    try:
        return version("runwidgets")
    except PackageNotFoundError:
        return None


class RunWorkerLoader(WorkerPlugin):
    """Has a `RunWorkerPlugin` execute the runs of an instance, if the worker has the version of the server.

    Parameters
    ----------
    name : str
        The topic on which the instance listens.
    root : str
        Its root: a folder that all machines share, or a URL.
    limits : dict of str to number
        The fields of its `Limits`.
    environment : sequence of str
        Names of environment variables that runs inherit beside the usual ones.
    """

    idempotent = True

    def __init__(self, name: str, root: str, limits: dict[str, Any], environment: Sequence[str]) -> None:
        self.name = name
        self.version = find_version()
        self._root = root
        self._limits = limits
        self._environment = list(environment)

    def setup(self, worker: Any) -> None:
        """Get ready. Called by the worker."""
        self._worker = worker
        self._found = find_version()
        self._plugin: Any = None
        self._loading = threading.Lock()
        if self._found == self.version:
            self._load()

    async def teardown(self, worker: Any) -> None:
        """End all runs. Called by the worker when it closes."""
        if self._plugin is not None:
            await self._plugin.teardown(worker)

    def execute(self, release: str | None, run_id: str, key: str, attempts: int) -> None:
        """Bring a run to its end, if it may begin here; called in a thread of the worker.

        Parameters
        ----------
        release : str or None
            The version of the server that sent it, which may be newer than the one that sent this plugin.
        run_id : str
            The run.
        key : str
            Of the task.
        attempts : int
            Attempts of the run that began before.
        """
        ask = getattr(self._worker.scheduler, f"{self.name}-begin")(key=key, worker=self._worker.address)
        if not asyncio.run_coroutine_threadsafe(ask, self._worker.loop.asyncio_loop).result():
            return
        if self._found == release:
            self._load().execute(run_id, key, attempts)
        else:
            said = {"run": run_id, "worker": self._worker.address, "version": self._found}
            self._worker.log_event(self.name, said)

    def _load(self) -> Any:
        from runwidgets.execution.dask.worker_plugin import RunWorkerPlugin
        from runwidgets.limits import Limits

        with self._loading:
            if self._plugin is None:
                limits = Limits(**self._limits)
                plugin = RunWorkerPlugin(self.name, self._root, limits, self._environment)
                plugin.setup(self._worker)
                self._plugin = plugin
            return self._plugin


def make_task(name: str) -> Callable[..., None]:
    """Return the task of the cluster that executes a run: `RunWorkerLoader.execute` of an instance.

    Defined in here, it is sent by value: what can be imported would be sent by its name.
    """

    def execute(release: str | None, run_id: str, key: str, attempts: int) -> None:
        loader: Any = get_worker().plugins[name]
        loader.execute(release, run_id, key, attempts)

    return execute
