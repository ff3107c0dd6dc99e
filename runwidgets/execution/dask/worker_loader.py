"""The plugin that is sent to a worker of a Dask cluster by value: it loads the `RunWorkerPlugin`.

A worker may have another version of this package than the server, or none, and would misunderstand its
messages. Therefore the versions are compared before anything of the package is imported there. The plugin
is sent by value, not by name: this module may import only Dask and the standard library.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from distributed.diagnostics.plugin import WorkerPlugin


def find_version() -> str | None:
    """Return the version of this package that is installed here, or None."""
    try:
        return version("runwidgets")
    except PackageNotFoundError:
        return None


class RunWorkerLoader(WorkerPlugin):
    """Makes a `RunWorkerPlugin` execute the runs of an instance, if the worker has the server's version.

    Parameters
    ----------
    name : str
        The topic on which the instance listens.
    root : str
        The root: a folder that all machines share, or a URL.
    limits : dict of str to number
        The fields of its `Limits`.
    environment : sequence of str
        Names of the only variables of a worker that runs inherit; see `run_environment`.
    """

    idempotent = True

    def __init__(self, name: str, root: str, limits: Mapping[str, float], environment: Sequence[str]) -> None:
        self.name = name
        self.version = find_version()
        self._root = root
        self._limits = limits
        self._environment = list(environment)

    def setup(self, worker: Any) -> None:
        """Set up the plugin. Called by the worker."""
        self._worker = worker
        self._installed_version = find_version()
        self._plugin: Any = None
        self._loading = threading.Lock()
        if self._installed_version == self.version:
            self._load()

    async def teardown(self, worker: Any) -> None:
        """End all runs. Called by the worker when it closes."""
        if self._plugin is not None:
            await self._plugin.teardown(worker)

    def execute(self, release: str | None, run_id: str, key: str, attempts: int) -> None:
        """Execute a run to its end, if it may begin here; called in a thread of the worker.

        Parameters
        ----------
        release : str or None
            The version of the server that submitted it, which may be newer than that of this plugin.
        run_id : str
            The run.
        key : str
            Key of the task.
        attempts : int
            Attempts of the run that began before.
        """
        request = getattr(self._worker.scheduler, f"{self.name}-begin")(key=key, worker=self._worker.address)
        if not asyncio.run_coroutine_threadsafe(request, self._worker.loop.asyncio_loop).result():
            return
        if self._installed_version == release:
            self._load().execute(run_id, key, attempts)
        else:
            message = {"run": run_id, "worker": self._worker.address, "version": self._installed_version}
            self._worker.log_event(self.name, message)

    def _load(self) -> Any:
        from runwidgets.execution.dask.worker_plugin import RunWorkerPlugin
        from runwidgets.limits import Limits

        with self._loading:
            if self._plugin is None:
                limits = Limits.from_json(self._limits)
                plugin = RunWorkerPlugin(self.name, self._root, limits, self._environment)
                plugin.setup(self._worker)
                self._plugin = plugin
            return self._plugin
