"""The task of a Dask cluster that executes a run; it imports only Dask and the standard library."""

from collections.abc import Callable
from typing import Any

from distributed import get_worker


def make_task(name: str) -> Callable[..., None]:
    """Return the task of the cluster that executes a run: `RunWorkerLoader.execute` of an instance.

    Because it is defined here, it is sent by value: an importable function would be sent by name.
    """

    def execute(release: str | None, run_id: str, key: str, attempts: int) -> None:
        loader: Any = get_worker().plugins[name]
        loader.execute(release, run_id, key, attempts)

    return execute
