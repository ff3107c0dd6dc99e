"""The server extension: its life cycle in a Jupyter server, without other logic.

The instance is opened without blocking the loop once the server listens, and closed when the server stops.
In between it is part of the `Context` that the handlers share.
"""

import asyncio
import atexit
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.services.config import ConfigManager
from tornado.ioloop import PeriodicCallback
from traitlets import TraitError, default
from traitlets.config import Config

from runwidgets.errors import RunWidgetsError, ServiceUnavailableError
from runwidgets.server.event_stream import EventsHandler
from runwidgets.server.events.event_hub import Hub
from runwidgets.server.events.jupyter_events import emit_state, register_schema
from runwidgets.server.handler_context import Context
from runwidgets.server.handlers import BASE
from runwidgets.server.identity import authenticates_people
from runwidgets.server.kernel_socket import KernelSocket
from runwidgets.server.route_handlers import make_handlers
from runwidgets.server.settings import SECTION, Settings, unknown_setting
from runwidgets.service.factory import Instance, open_instance

ACTIVITY_INTERVAL = 30.0
"""Seconds between two updates of the time at which a run was last active."""
SHUTDOWN_TIMEOUT = 8.0
"""Seconds within which the instance must be closed; Jupyter's limit for the exit is 10."""
URL_VARIABLE = "RUNWIDGETS_URL"
TOKEN_VARIABLE = "RUNWIDGETS_TOKEN"
SOCKET_VARIABLE = "RUNWIDGETS_SOCKET"


class RunWidgetsApp(Settings, ExtensionApp):
    """Turns notebooks into workflows that anyone on the server can run."""

    name = "runwidgets"
    app_name = "runwidgets"
    description = __doc__
    load_other_extensions = True
    extension_url = f"/{BASE}"

    config_problem: str | None = None
    """What is wrong with the configuration; None if it is right."""
    _is_stopped = False
    _stopping: "asyncio.Future[None] | None" = None

    @default("static_paths")
    def _default_static_paths(self) -> list[str]:
        return [str(Path(__file__).parents[1] / "static")]  # views in other pages load their code from here

    @functools.cached_property
    def policy(self) -> Literal["open", "members"]:
        """The access policy: the trait `access`, with `auto` resolved."""
        if self.access == "auto":
            return "members" if authenticates_people(self._server.identity_provider) else "open"
        return cast(Literal["open", "members"], self.access)

    @functools.cached_property
    def context(self) -> Context:
        """The objects that the handlers share."""
        return Context(self.limits, self.policy)

    @property
    def _server(self) -> Any:
        return self.serverapp

    # -- configuration -----------------------------------------------------------------------------

    def load_config_file(self, suppress_errors: bool = True) -> None:  # type: ignore[override]  # as Jupyter's
        """Load also the settings in ``jupyter_server_config.d``, which Jupyter reads for its own only."""
        manager = ConfigManager(read_config_path=self.config_file_paths)
        stored = manager.get("jupyter_server_config")
        self.update_config(Config({SECTION: stored.get(SECTION, {})}))
        super().load_config_file(suppress_errors)

    def _link_jupyter_server_extension(self, serverapp: Any) -> None:
        self.read_config(lambda: super(RunWidgetsApp, self)._link_jupyter_server_extension(serverapp))
        self._linked = True

    def read_config(self, load: Callable[[], None]) -> None:
        """Load a configuration; with a wrong or unknown setting, nothing will be opened.

        Parameters
        ----------
        load : callable
            Loads it into the traits.
        """
        try:
            load()
        except TraitError as error:
            self.config_problem = str(error)
        known = self.trait_names(config=True)
        for name in self.config.get(SECTION, {}):
            if name not in known and self.config_problem is None:
                self.config_problem = unknown_setting(SECTION, name, Settings.class_own_traits(config=True))

    # -- life cycle --------------------------------------------------------------------------------

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(make_handlers(self.context, EventsHandler))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Open the instance and publish its address to kernels. Called once the server listens."""
        self.publish_address()
        if self.config_problem is not None:
            self._report(self.config_problem)
            return
        register_schema(serverapp.event_logger)
        started = time.monotonic()
        try:
            instance = await self.context.in_thread(self._open)
            hub = Hub(instance.events, functools.partial(emit_state, serverapp.event_logger))
            await self.context.in_thread(hub.start)
        except RunWidgetsError as error:
            self._report(error.message)
            return
        except Exception:
            self.context.problem = "it could not be opened; the server's log says why"
            self.log.critical("runwidgets | could not be opened", exc_info=True)
            return
        if self._is_stopped:  # the server was stopped in the meantime
            hub.stop()
            await self.context.in_thread(instance.close)
            return
        self.context.instance, self.context.hub = instance, hub
        self._activity = PeriodicCallback(self._update_activity, ACTIVITY_INTERVAL * 1000)
        self._activity.start()
        await self._update_activity()
        self.log.info(
            "runwidgets | open on %s in %.1f s, access: %s",
            self.root,
            time.monotonic() - started,
            self.policy,
        )

    def publish_address(self) -> None:
        """Set the address of the routes and a token for them in the environment that new kernels inherit."""
        os.environ[URL_VARIABLE] = self._url()
        os.environ[TOKEN_VARIABLE] = self.context.kernel_identity.secret
        self._socket = KernelSocket(self._server.web_app)
        if self._socket.open(self.log):
            os.environ[SOCKET_VARIABLE] = str(self._socket.path)
        atexit.register(self._close_at_exit)

    def _report(self, message: str) -> None:
        """Log why the instance is not open, and make each response say it."""
        self.context.problem = f"it could not be opened: {message}"
        self.log.critical("runwidgets | %s", self.context.problem)

    def _open(self) -> Instance:
        return open_instance(
            self.root,
            db_url=self.db_url or None,
            cache=Path(self.cache) if self.cache else None,
            limits=self.limits,
            slots=self.slots or None,
            templates_root=Path(self.templates_root or self._server.root_dir),
            access=self.policy,
            on_shutdown=self.on_shutdown,
            environment=self.environment,
            keep_days=self.keep_days,
            keep_runs=self.keep_runs,
            cluster=self.cluster,
        )

    async def stop_extension(self) -> None:
        """Close the instance. Called when the server stops; a second call awaits the first."""
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._close())
        await asyncio.shield(self._stopping)

    async def _close(self) -> None:
        self._is_stopped = True
        atexit.unregister(self._close_at_exit)
        self.context.problem = "the server is stopping"
        self._socket.close()
        if os.environ.get(TOKEN_VARIABLE) == self.context.kernel_identity.secret:
            for name in (TOKEN_VARIABLE, URL_VARIABLE, SOCKET_VARIABLE):
                os.environ.pop(name, None)
        instance, hub = self.context.instance, self.context.hub
        self.context.instance = self.context.hub = None
        for pipe in list(self.context.pipes):
            pipe.fail(ServiceUnavailableError("upload", self.context.problem))
        if hub is not None:
            self._activity.stop()
            hub.stop()
            await self.context.in_thread(hub.wait, SHUTDOWN_TIMEOUT / 4)
        if instance is not None:
            try:
                await asyncio.wait_for(self.context.in_thread(instance.close), SHUTDOWN_TIMEOUT)
            except asyncio.TimeoutError:
                self.log.warning("runwidgets | not closed after %.0f s; leaving anyway", SHUTDOWN_TIMEOUT)
        self.context.close()

    def _close_at_exit(self) -> None:
        """Close what is still open, because the server's loop was interrupted, as JupyterHub does."""
        self._socket.remove()
        if self.context.instance is not None:
            self.context.instance.close()

    def _url(self) -> str:
        local = cast(str, self._server.local_url).partition("?")[0]
        is_address = local.startswith(("http://", "https://"))  # and not that of a Unix socket
        origin = "/".join(local.split("/")[:3]) if is_address else "http://localhost"
        return f"{origin}{self._server.base_url}{BASE}"

    async def _update_activity(self) -> None:
        if self.context.instance is not None:
            newest = await self.context.in_thread(self.context.instance.last_activity)
            if newest is not None:
                self._server.web_app.settings["last_activity_times"][self.name] = newest
