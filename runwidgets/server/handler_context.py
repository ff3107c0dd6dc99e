"""The objects that the handlers of the extension share."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, TypeVar
from weakref import WeakSet

from jupyter_server.auth import User

from runwidgets.errors import ServiceUnavailableError
from runwidgets.limits import Limits
from runwidgets.server.events.event_hub import Hub
from runwidgets.server.identity import KernelIdentityProvider
from runwidgets.server.multipart import Pipe
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance

Result = TypeVar("Result")

REQUEST_THREADS = 16
"""Requests that are served at once; more wait."""
UPLOAD_THREADS = 8
"""Uploads that are stored at once; more wait."""


class Context:
    """The open instance, the limits, the threads, and the hub of the event stream.

    Parameters
    ----------
    limits : Limits
        The limits of the instance and of requests.
    policy : {"open", "members"}
        The access policy.
    """

    def __init__(self, limits: Limits, policy: Literal["open", "members"]) -> None:
        self.limits = limits
        self.policy = policy
        self.kernel_identity = KernelIdentityProvider(secrets.token_urlsafe(32))
        """The identity provider for requests with the token that kernels inherit."""
        self.pipes: WeakSet[Pipe] = WeakSet()
        """Uploads in progress, which the shutdown ends so that they do not delay it."""
        self.instance: Instance | None = None
        """None while it is not open."""
        self.hub: Hub | None = None
        """None while the instance is not open."""
        self.problem = "the server is not ready yet; try again in a moment"
        """Why the instance is not open."""
        self._threads = ThreadPoolExecutor(REQUEST_THREADS, "runwidgets-rest")
        self._upload_threads = ThreadPoolExecutor(UPLOAD_THREADS, "runwidgets-upload")

    @property
    def release(self) -> str:
        """Version of runwidgets."""
        try:
            return version("runwidgets")
        except PackageNotFoundError:  # a source tree that is not installed
            return "0"

    def api(self, user: User | None) -> Api:
        """Return the services of a user.

        Parameters
        ----------
        user : User
            The user of a request.

        Returns
        -------
        Api
            Bound to the user.

        Raises
        ------
        ServiceUnavailableError
            The instance is not open yet, is closed, or could not be opened.
        """
        if self.instance is None:
            raise ServiceUnavailableError("runwidgets", self.problem)
        return self.instance.api(self.user_of(user))

    def user_of(self, user: User | None) -> str | None:
        """Return the user name that the services use for a user of Jupyter.

        Parameters
        ----------
        user : User
            The user of a request.

        Returns
        -------
        str or None
            None with the access policy `open`, where all users are one person.
        """
        return user.username if user is not None and self.policy == "members" else None

    async def in_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a blocking function in a thread, and await its result."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def in_upload_thread(self, function: Callable[[], Result]) -> "asyncio.Future[Result]":
        """Call a function that reads an upload in a separate pool: it may wait for a slow sender."""
        return asyncio.get_running_loop().run_in_executor(self._upload_threads, function)

    def close(self) -> None:
        """Accept no more calls; those that are running continue."""
        for threads in (self._threads, self._upload_threads):
            threads.shutdown(wait=False, cancel_futures=True)
