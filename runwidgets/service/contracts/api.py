"""`Api`, which holds all services of a user.

Each service is an abstract class with two implementations: `Local…` on the store, in this process,
and `Remote…` over HTTP. Parameters and results are JSON dicts with camelCase keys; both implementations
raise the errors of `runwidgets.errors`. A service object belongs to one user; all methods may be called
from any thread, concurrently.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from runwidgets.service.contracts.events import EventService
from runwidgets.service.contracts.groups import GroupService
from runwidgets.service.contracts.runs import RunService
from runwidgets.service.contracts.sweeps import SweepService
from runwidgets.service.contracts.uploads import UploadService
from runwidgets.service.contracts.workflows import WorkflowService


@dataclass(frozen=True, kw_only=True)
class Api:
    """All services of one user.

    As a context manager, it closes itself on exit.
    """

    workflows: WorkflowService
    groups: GroupService
    uploads: UploadService
    runs: RunService
    sweeps: SweepService
    events: EventService
    url: str | None = None
    """Base URL of the REST routes, ending in ``/runwidgets/api/``; None if there is no server."""
    store: Callable[[], str] = field(default=lambda: "", repr=False)
    """Return where runs are stored: two objects that return the same string share their runs."""
    close: Callable[[], None] = field(default=lambda: None, repr=False)
    """Close connections and threads; runs continue."""

    def shares_store(self, other: "Api") -> bool:
        """Return whether other services have the same runs.

        Parameters
        ----------
        other : Api
            Services in this process, or over HTTP, whose first call then asks the server.

        Returns
        -------
        bool
            True if an id means the same object to both.
        """
        return self is other or self.store() == other.store()

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
