"""The extension: its settings, and its life in a Jupyter server. No logic.

The house is opened beside the loop once the server listens, and closed when the server stops; between
the two, `RunWidgetsApp` holds what handlers need: the services, the limits, the threads, the hub of
the live stream.
"""

import asyncio
import functools
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from weakref import WeakSet

from jupyter_core.paths import jupyter_data_dir
from jupyter_server.auth import User
from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import PeriodicCallback
from traitlets import Any as AnyTrait
from traitlets import Enum, Float, Integer, List, TraitError, TraitType, Unicode, default, validate

from runwidgets.errors import RunWidgetsError, ServiceUnavailableError
from runwidgets.limits import Limits
from runwidgets.server.events import EventsHandler, Hub, state_change
from runwidgets.server.handlers import BASE
from runwidgets.server.identity import KernelIdentityProvider, knows_people
from runwidgets.server.multipart import Pipe
from runwidgets.server.table import make_handlers
from runwidgets.service.retention import MAX_DAYS
from runwidgets.service.wiring import Service, open_service
from runwidgets.store.layout import folder_of, is_url

Result = TypeVar("Result")

SCHEMA = "https://events.jupyter.org/runwidgets/run_state/v1"
THREADS = 16
"""Requests that are answered at once; more wait."""
UPLOADS = 8
"""Uploads that are stored at once; more wait."""
ACTIVITY = 30.0
"""Seconds between two looks at when a run last did something."""
GOODBYE = 8.0
"""Seconds in which the house must be closed; the server has promised to exit within 10."""
URL_VARIABLE = "RUNWIDGETS_URL"
TOKEN_VARIABLE = "RUNWIDGETS_TOKEN"
RENAMED = {"log": "log_size"}
"""Limits whose trait has another name, because every Jupyter application has a `log` already."""


def _limit(name: str, text: str, least: int = 1) -> Any:
    value = getattr(Limits(), name)
    trait = Float if isinstance(value, float) else Integer
    return trait(value, min=least, help=f"{text} At least {least}.").tag(config=True)


class RunWidgetsApp(ExtensionApp):
    """Turns notebooks into workflows that anyone on the server can run."""

    name = "runwidgets"
    app_name = "runwidgets"
    description = __doc__
    load_other_extensions = True
    extension_url = f"/{BASE}"

    root = Unicode(
        help=(
            "Folder in which runs, uploads and the database are stored; made where it is missing. "
            "Several servers may share one. Empty means `runwidgets` in Jupyter's data folder. "
            "Or the URL of an object store, which several machines may share, with a `db_url` that they "
            'share too. Example: "/data/runwidgets", or "s3://bucket/runwidgets".'
        )
    ).tag(config=True)
    cache = Unicode(
        help=(
            "Folder of this machine for what is needed here of a root that is a URL; made where it is "
            "missing. Empty means one below `runwidgets-cache` in Jupyter's data folder. "
            'Example: "/var/cache/runwidgets".'
        )
    ).tag(config=True)
    db_url = Unicode(
        help=(
            "SQLAlchemy URL of the database. Empty means SQLite in the root. "
            'Example: "postgresql+psycopg://user@host/runs".'
        )
    ).tag(config=True)
    templates_root = Unicode(
        help=(
            "Folder in which notebooks must lie to become workflows. Empty means the server's root folder. "
            'Example: "/home/ada/notebooks".'
        )
    ).tag(config=True)
    slots = Integer(
        0,
        min=0,
        help=(
            "Runs that this machine, or the Dask cluster, executes at once, a number. 0 means as many as the "
            "machine has CPUs, or the cluster threads."
        ),
    ).tag(config=True)
    backend = Enum(
        ("local", "dask"),
        "local",
        help=(
            "Where runs execute: `local`, in processes of this machine, or `dask`, on the workers of the "
            "cluster that `dask_scheduler`, `dask_scheduler_file` or `dask_cluster` names."
        ),
    ).tag(config=True)
    dask_scheduler = Unicode(
        help='Address of the Dask scheduler. Empty means none. Example: "tcp://10.0.0.1:8786".'
    ).tag(config=True)
    dask_scheduler_file = Unicode(
        help=(
            "Path of the file in which a Dask scheduler says where it is. Empty means none. "
            'Example: "/shared/scheduler.json".'
        )
    ).tag(config=True)
    dask_cluster = AnyTrait(
        None,
        allow_none=True,
        help=(
            "A function without arguments that returns a Dask cluster, or `module:function`. The cluster is "
            "made when the server starts and closed when it stops, and its runs end with it. Empty means "
            'none. Example: "dask.distributed:LocalCluster".'
        ),
    ).tag(config=True)
    access = Enum(
        ("auto", "open", "members"),
        "auto",
        help=(
            "Who may do what. `open`: everybody who reaches the server may do everything. `members`: the "
            "owner and the members of a group act in it, others get 403; the token that kernels inherit "
            "counts as the owner of the server. `auto` means members where the identity provider knows "
            "people (JupyterHub, or one of your own), and open with Jupyter's default one, whose names "
            "are random."
        ),
    ).tag(config=True)
    on_shutdown = Enum(
        ("keep", "cancel"),
        "keep",
        help="What becomes of active runs when the server stops: `keep` lets them go on, `cancel` ends them.",
    ).tag(config=True)
    environment = List(
        Unicode(),
        help=(
            "Names of environment variables that runs inherit beside the usual ones. "
            'Empty means none. Example: ["AWS_PROFILE"].'
        ),
    ).tag(config=True)
    keep_days = Integer(
        0,
        min=0,
        max=MAX_DAYS,
        help=(
            "Days for which a run is kept after its end; older ones are removed with their files, at start "
            "and every hour. 0 means for ever. Example: 30."
        ),
    ).tag(config=True)
    keep_runs = Integer(
        0,
        min=0,
        help=(
            "Number of newest runs of each group that are kept; other ones that have ended are removed with "
            "their files, at start and every hour, even where `keep_days` would keep them. 0 means all. "
            "Example: 100."
        ),
    ).tag(config=True)

    json_body = _limit("json_body", "Bytes of a request's JSON body, at most.")
    upload = _limit("upload", "Bytes of one uploaded file, at most.")
    template_size = _limit("template_size", "Bytes of a notebook that becomes a workflow, at most.")
    parameters = _limit("parameters", "Number of parameters of one template, at most.")
    string_size = _limit("string_size", "Bytes of one string argument in UTF-8, at most.")
    nesting = _limit("nesting", "Number of levels of lists and records inside one argument, at most.")
    outputs = _limit("outputs", "Bytes of cell outputs that one run stores in its notebook, at most.")
    log_size = _limit("log", "Bytes of one run's log, at most.")
    result_files = _limit("result_files", "Number of result files of one run, at most.")
    result_size = _limit("result_size", "Bytes of all result files of one run, at most.")
    link_size = _limit("link_size", "Bytes from which a static file is linked into a run instead of copied.")
    queue = _limit("queue", "Number of runs that may wait at once.")
    page = _limit("page", "Number of runs in one answer, where the client does not say.")
    page_max = _limit("page_max", "Number of runs in one answer, at most.")
    name_length = _limit("name_length", "Characters of a name of a workflow, group or file, at most.")
    cancel_grace = _limit(
        "cancel_grace",
        "Seconds between the interrupt and the kill of a cancelled run. 0 means that it is killed at once.",
        0,
    )
    start_timeout = _limit("start_timeout", "Seconds in which a kernel must answer after its start.")
    disk_floor = _limit(
        "disk_floor",
        "Bytes that must stay free on the disk for a run to be accepted. 0 means that nothing must.",
        0,
    )

    house: Service | None = None
    hub: Hub | None = None
    _problem = "the server is starting; ask again in a moment"
    _is_stopped = False
    _stopping: "asyncio.Future[None] | None" = None

    @default("root")
    def _default_root(self) -> str:
        return str(Path(jupyter_data_dir()) / "runwidgets")

    @default("static_paths")
    def _default_static_paths(self) -> list[str]:
        return [str(Path(__file__).parents[1] / "static")]  # views that others open are loaded from here

    @validate("root", "templates_root", "cache")
    def _validate_folder(self, proposal: dict[str, Any]) -> str:
        given, name = (
            cast(str, proposal["value"]),
            cast("TraitType[Any, Any]", proposal["trait"]).name,
        )
        if not given:
            return self._default_root() if name == "root" else ""
        if name == "root" and is_url(given):
            return given
        path = (folder_of(given) if name == "root" else Path(given)).expanduser()
        if not path.is_absolute():
            raise TraitError(f"RunWidgetsApp.{name}: {given!r} is relative; give an absolute folder")
        if path.exists() and not path.is_dir():
            raise TraitError(f"RunWidgetsApp.{name}: {given!r} is a file; give a folder")
        return str(path)

    @validate("db_url")
    def _validate_db_url(self, proposal: dict[str, Any]) -> str:
        given = cast(str, proposal["value"])
        if given and "://" not in given:
            raise TraitError(
                "RunWidgetsApp.db_url: this is no SQLAlchemy URL; "
                "give one such as postgresql+psycopg://user@host/runs"
            )
        return given

    @validate("environment")
    def _validate_environment(self, proposal: dict[str, Any]) -> list[str]:
        given = cast("list[str]", proposal["value"])
        for name in given:
            if not name or "=" in name or name.startswith("RUNWIDGETS_"):
                raise TraitError(
                    f"RunWidgetsApp.environment: {name!r} cannot be inherited; give names such as AWS_PROFILE"
                )
        return given

    # -- what handlers need ------------------------------------------------------------------------

    @property
    def release(self) -> str:
        """Version of runwidgets."""
        try:
            return version("runwidgets")
        except PackageNotFoundError:  # a checkout that was never installed
            return "0"

    @functools.cached_property
    def limits(self) -> Limits:
        """The limits that the traits say."""
        return Limits(
            **{each.name: getattr(self, RENAMED.get(each.name, each.name)) for each in fields(Limits)}
        )

    @property
    def cluster(self) -> "str | Callable[[], object] | None":
        """The Dask cluster that the traits name; None where runs execute on this machine.

        Raises
        ------
        ServiceUnavailableError
            Dask is wanted, but not exactly one cluster is named.
        """
        named = [each for each in (self.dask_scheduler, self.dask_scheduler_file, self.dask_cluster) if each]
        if self.backend == "local":
            return None
        if len(named) != 1:
            raise ServiceUnavailableError(
                "RunWidgetsApp.backend",
                f"it is 'dask', and {len(named)} clusters are named",
                "set one of dask_scheduler, dask_scheduler_file and dask_cluster",
            )
        return cast("str | Callable[[], object]", named[0])

    @functools.cached_property
    def policy(self) -> Literal["open", "members"]:
        """How access is given: what `access` says, with `auto` resolved."""
        if self.access == "auto":
            return "members" if knows_people(self._server.identity_provider) else "open"
        return cast(Literal["open", "members"], self.access)

    @functools.cached_property
    def kernel_identity(self) -> KernelIdentityProvider:
        """Who shows the token that kernels inherit."""
        return KernelIdentityProvider(secrets.token_urlsafe(32))

    @functools.cached_property
    def pipes(self) -> "WeakSet[Pipe]":
        """Uploads on their way, so that none holds up the server's end."""
        return WeakSet()

    @property
    def open_house(self) -> Service:
        """The open house.

        Raises
        ------
        ServiceUnavailableError
            It is not open: not yet, not any more, or it could not be opened.
        """
        if self.house is None:
            raise ServiceUnavailableError("runwidgets", self._problem)
        return self.house

    def user_of(self, user: User | None) -> str | None:
        """Return the name under which a user of Jupyter is known to the services.

        Parameters
        ----------
        user : User
            Of a request.

        Returns
        -------
        str or None
            None where access is open: all are one person then.
        """
        return user.username if user is not None and self.policy == "members" else None

    async def in_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call what blocks in a thread and wait for it without blocking the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def in_upload_thread(self, function: Callable[[], Result]) -> "asyncio.Future[Result]":
        """Call what reads an upload in a thread of its own kind: it may take as long as its sender."""
        return asyncio.get_running_loop().run_in_executor(self._upload_threads, function)

    @functools.cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(THREADS, "runwidgets-rest")

    @functools.cached_property
    def _upload_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(UPLOADS, "runwidgets-upload")

    @property
    def _server(self) -> Any:
        return self.serverapp

    # -- life --------------------------------------------------------------------------------------

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(make_handlers(self, EventsHandler))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Open the house and tell kernels where it is. Called once the server listens."""
        self.tell_kernels()
        schema = files("runwidgets.server") / "schemas" / "run_state" / "v1.yaml"
        serverapp.event_logger.register_event_schema(schema.read_text("utf-8"))
        started = time.monotonic()
        try:
            house = await self.in_thread(self._open)
            hub = Hub(house.events, self._emit)
            await self.in_thread(hub.start)
        except RunWidgetsError as error:
            self._problem = f"it could not be opened: {error.message}"
            self.log.critical("runwidgets | %s", self._problem)
            return
        except Exception:
            self._problem = "it could not be opened; the server's log says why"
            self.log.critical("runwidgets | could not be opened", exc_info=True)
            return
        if self._is_stopped:  # the server was told to stop meanwhile
            hub.stop()
            await self.in_thread(house.close)
            return
        self.house, self.hub = house, hub
        self._activity = PeriodicCallback(self._note_activity, ACTIVITY * 1000)
        self._activity.start()
        await self._note_activity()
        self.log.info(
            "runwidgets | open on %s in %.1f s, access: %s",
            self.root,
            time.monotonic() - started,
            self.policy,
        )

    def tell_kernels(self) -> None:
        """Put the address of the routes, and a token for them, where kernels that start inherit it."""
        os.environ[URL_VARIABLE] = self._url()
        os.environ[TOKEN_VARIABLE] = self.kernel_identity.secret

    def _open(self) -> Service:
        return open_service(
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
        """Close the house. Called when the server stops; who calls it again waits for the first call."""
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._close())
        await asyncio.shield(self._stopping)

    async def _close(self) -> None:
        self._is_stopped = True
        self._problem = "the server is stopping"
        if os.environ.get(TOKEN_VARIABLE) == self.kernel_identity.secret:
            del os.environ[TOKEN_VARIABLE]
            os.environ.pop(URL_VARIABLE, None)
        house, hub, self.house, self.hub = self.house, self.hub, None, None
        for pipe in list(self.pipes):
            pipe.fail(ServiceUnavailableError("upload", self._problem))
        if hub is not None:
            self._activity.stop()
            hub.stop()
            await self.in_thread(hub.wait, GOODBYE / 4)
        if house is not None:
            try:
                await asyncio.wait_for(self.in_thread(house.close), GOODBYE)
            except asyncio.TimeoutError:
                self.log.warning("runwidgets | not closed after %.0f s; leaving anyway", GOODBYE)
        for threads in (self._threads, self._upload_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    def _url(self) -> str:
        local = cast(str, self._server.local_url).partition("?")[0]
        origin = "/".join(local.split("/")[:3])
        return f"{origin}{self._server.base_url}{BASE}"

    async def _note_activity(self) -> None:
        if self.house is not None:
            newest = await self.in_thread(self.house.last_activity)
            if newest is not None:
                self._server.web_app.settings["last_activity_times"][self.name] = newest

    def _emit(self, event: dict[str, Any]) -> None:
        change = state_change(event)
        if change is not None:
            try:
                self._server.event_logger.emit(schema_id=SCHEMA, data=change)
            except Exception:
                self.log.warning("runwidgets | an event could not be emitted", exc_info=True)
