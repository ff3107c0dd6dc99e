"""The factory: the only module that knows the concrete classes, and builds an instance from them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from jupyter_core.paths import jupyter_data_dir

from runwidgets.errors import ServiceUnavailableError
from runwidgets.execution.backend import Backend, Cluster
from runwidgets.execution.local import LocalBackend
from runwidgets.limits import Limits
from runwidgets.schema import RunReason
from runwidgets.service.contracts.api import Api
from runwidgets.service.local.components import Components
from runwidgets.service.local.events import InstanceEvents, LocalEventService
from runwidgets.service.local.groups import LocalGroupService
from runwidgets.service.local.policy import Access, Policy
from runwidgets.service.local.run_config import check_environment
from runwidgets.service.local.runs import LocalRunService
from runwidgets.service.local.sweeps import LocalSweepService
from runwidgets.service.local.templates import Templates
from runwidgets.service.local.uploads import LocalUploadService
from runwidgets.service.local.workflows import LocalWorkflowService
from runwidgets.service.retention import Removal, Retention, clean
from runwidgets.store.database.catalog import Catalog
from runwidgets.store.database.database import Database
from runwidgets.store.database.runs.runs import Runs
from runwidgets.store.database.sweeps import Sweeps
from runwidgets.store.database.url import EXAMPLE, parse_url
from runwidgets.store.files.base import FileStore
from runwidgets.store.files.disk import our_errors
from runwidgets.store.files.layout import folder_of, is_url
from runwidgets.store.files.local import LocalFiles
from runwidgets.store.files.object_store import ObjectStore
from runwidgets.store.files.remote import RemoteFiles
from runwidgets.store.liveness import HeartbeatLiveness, LockLiveness

DATABASE_FILE = "runwidgets.db"
ANOTHER_ROOT = "give a folder or a URL that a server uses as its root"
DRAIN_TIMEOUT = 8.0
"""Seconds that cancelled runs have to end at shutdown."""


class Instance:
    """An instance: one root, one database, one backend, any number of users.

    Parameters
    ----------
    files : FileStore
        The root.
    database : Database
        The database of the root.
    limits : Limits
        Limits of requests and runs.
    templates_root : Path, optional
        The folder that must contain all notebooks; None for no restriction.
    access : {"open", "members"}
        The access policy; see `Policy`.
    on_shutdown : {"keep", "cancel"}
        What happens to active runs when the instance is closed.
    backend : Backend
        The backend on which runs execute; closed with the instance.
    keep_days : int
        Days for which a run is kept after its end; 0 for no limit.
    keep_runs : int
        Newest runs of each group that are kept; 0 for all of them.

    Attributes
    ----------
    events : InstanceEvents
        All events, without a check of permissions.
    store : str
        Identifies the store: two instances with the same value share their runs.
    """

    def __init__(
        self,
        files: FileStore,
        database: Database,
        limits: Limits,
        backend: Backend,
        *,
        templates_root: Path | None,
        access: Access,
        on_shutdown: str,
        keep_days: int,
        keep_runs: int,
    ) -> None:
        catalog, runs = Catalog(database), Runs(database)
        self._database = database
        self._on_shutdown = on_shutdown
        self._backend = backend
        self._components = Components(
            catalog=catalog,
            runs=runs,
            sweeps=Sweeps(database),
            files=files,
            templates=Templates(catalog, files, limits, root=templates_root, prepare=self._backend.prepare),
            policy=Policy(access, catalog),
            limits=limits,
            has_resources=backend.has_resources,
            check_kernel=backend.check_kernel,
        )
        self.events = InstanceEvents(database)
        self.store = _identify(files, database)
        self._retention = Retention(files, database, keep_days, keep_runs)

    def api(self, user: str | None = None, environment: Mapping[str, str] | None = None) -> Api:
        """Return the services, bound to a user.

        Parameters
        ----------
        user : str, optional
            User name; None for an anonymous user, who may do everything with the access policy `open`.
        environment : mapping of str to str, optional
            Variables of every run that is started through these services, as in ``config.environment``.

        Returns
        -------
        Api
            The services; their `close` does nothing, because the instance outlives its users.

        Raises
        ------
        InvalidArgumentError
            A variable cannot be set.
        """
        variables = check_environment("environment", dict(environment or {}))
        components = replace(self._components, environment=variables)
        return Api(
            workflows=LocalWorkflowService(components, user),
            groups=LocalGroupService(components, user),
            uploads=LocalUploadService(components, user),
            runs=LocalRunService(components, self._backend, user),
            sweeps=LocalSweepService(components, self._backend, user),
            events=LocalEventService(components, self.events, user),
            store=lambda: self.store,
        )

    def last_activity(self) -> datetime | None:
        """Return when a run was last active: now if one is active, None before the first run."""
        return self._components.runs.last_activity()

    def close(self) -> None:
        """Close threads and connections. May be called twice."""
        self._retention.close()
        if self._on_shutdown == "cancel":
            self._components.runs.cancel_all(RunReason.SHUTDOWN, "the server was shut down")
            self._backend.drain(DRAIN_TIMEOUT)
        self._backend.close()
        self._database.close()


def _identify(files: FileStore, database: Database) -> str:
    """Return what tells a store from others: its root and its database."""
    return hashlib.sha256(f"{files.identity} {database.address}".encode()).hexdigest()[:32]


def open_instance(
    root: Path | str,
    *,
    db_url: str | None = None,
    cache: Path | None = None,
    limits: Limits | None = None,
    slots: int | None = None,
    templates_root: Path | None = None,
    access: Access = "open",
    on_shutdown: str = "keep",
    environment: Iterable[str] = (),
    keep_days: int = 0,
    keep_runs: int = 0,
    cluster: Cluster | None = None,
) -> Instance:
    """Open the instance at a root; earlier active runs continue.

    Parameters
    ----------
    root : path or str
        The root: a folder, created if missing, or a URL.
    db_url : str, optional
        SQLAlchemy URL of the database; None for SQLite in the root, if the root is a folder.
    cache : Path, optional
        See `open_store`.
    slots : int, optional
        Runs that execute at once; None for the number of CPUs of this machine, or of threads of the cluster.
    environment : iterable of str
        Names of the only environment variables that runs inherit, as they are now; see `run_environment`.
    cluster : str or callable, optional
        A Dask cluster on which runs execute: the address of its scheduler, the path of a scheduler file,
        ``module:function``, or a function that returns one of these; None for this machine.
    limits, templates_root, access, on_shutdown, keep_days, keep_runs
        See `Instance`.

    Returns
    -------
    Instance
        The open instance; the caller closes it.

    Raises
    ------
    SchemaTooNewError
        The database was written by a newer release.
    ServiceUnavailableError
        The root cannot be used: it is not writable, or its database is missing or damaged.
    """
    files, database = open_store(root, db_url, cache=cache)
    limits = limits or Limits()
    try:
        backend = make_backend(files, database, limits, slots=slots, environment=environment, cluster=cluster)
    except BaseException:
        database.close()
        raise
    return Instance(
        files,
        database,
        limits,
        backend,
        templates_root=templates_root,
        access=access,
        on_shutdown=on_shutdown,
        keep_days=keep_days,
        keep_runs=keep_runs,
    )


def make_backend(
    files: FileStore,
    database: Database,
    limits: Limits,
    *,
    slots: int | None,
    environment: Iterable[str],
    cluster: Cluster | None,
) -> Backend:
    """Create the backend; see `open_instance`."""
    if cluster is None:
        if files.local is None:
            raise ServiceUnavailableError(
                "root",
                f"runs on this machine cannot use {files.address}",
                "choose a folder, or the backend 'dask'",
            )
        return LocalBackend(Runs(database), files.local, limits, slots, environment=environment)
    try:
        from runwidgets.execution.dask.backend import DaskBackend
    except ImportError as error:
        raise ServiceUnavailableError(
            "cluster", "Dask is not installed here", 'pip install "runwidgets[dask]"'
        ) from error
    name = hashlib.sha256(f"{files.address} {database.address}".encode()).hexdigest()[:16]
    liveness = LockLiveness(files.local.instances) if files.local else HeartbeatLiveness(database)
    try:
        return DaskBackend(
            Runs(database),
            files,
            limits,
            liveness=liveness,
            cluster=cluster,
            name=name,
            slots=slots,
            environment=environment,
        )
    except BaseException:
        liveness.leave()
        raise


def open_store(
    root: Path | str, db_url: str | None = None, *, cache: Path | None = None, is_read_only: bool = False
) -> tuple[FileStore, Database]:
    """Open the files and the database of a root, without a backend.

    Parameters
    ----------
    root : path or str
        The root: a folder, created if missing, or the URL of any file system that fsspec supports, such as
        ``s3://bucket/prefix``, whose bucket must exist.
    db_url : str, optional
        SQLAlchemy URL of the database; None for SQLite in the root, if the root is a folder.
    cache : Path, optional
        Folder on this machine for local copies of a root that is a URL; None for one in Jupyter's data
        folder.
    is_read_only : bool, optional
        Whether to open for reading only; then nothing is created, changed or migrated.

    Returns
    -------
    files : FileStore
        The root.
    database : Database
        The database; the caller closes it.

    Raises
    ------
    SchemaTooNewError
        The database was written by a newer release.
    ServiceUnavailableError
        The root cannot be used: it is not writable, or its database is missing or damaged.
    """
    files = open_files(root, db_url, cache=cache, is_read_only=is_read_only)
    path = files.folder / DATABASE_FILE
    if db_url is None and not is_read_only:
        with our_errors(DATABASE_FILE):
            path.touch(mode=0o600)
    return files, Database(db_url or f"sqlite:///{path}", is_read_only=is_read_only)


def open_files(
    root: Path | str, db_url: str | None, *, cache: Path | None = None, is_read_only: bool = False
) -> FileStore:
    """Open the files of a root, with the parameters of `open_store`; the database is not opened.

    Raises
    ------
    ServiceUnavailableError
        The root cannot be used, or the URL of the database is wrong, or needed and missing.
    """
    if db_url is not None:
        parse_url(db_url)  # before anything is created
    if is_url(root):
        if db_url is None:
            problem = f"{root} cannot hold a database that several machines share"
            raise ServiceUnavailableError("db_url", problem, f"give one such as {EXAMPLE}")
        object_store = ObjectStore(str(root))
        return RemoteFiles(object_store, cache or _cache_of(object_store.url), is_read_only=is_read_only)
    files = LocalFiles(folder_of(root), is_read_only=is_read_only)
    if db_url is None and not (files.folder / DATABASE_FILE).exists():
        if is_read_only and files.is_empty():
            problem = f"{files.folder} is not the root of a server: it has no {DATABASE_FILE} and no runs"
            raise ServiceUnavailableError("root", problem, ANOTHER_ROOT)
        if not is_read_only and not files.is_empty():
            problem = "the root has runs, but no database"
            raise ServiceUnavailableError(DATABASE_FILE, problem, "restore it, or choose another root")
    return files


def _cache_of(url: str) -> Path:
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    return Path(jupyter_data_dir()) / "runwidgets-cache" / name


def clean_root(
    root: Path | str,
    db_url: str | None = None,
    keep_days: int = 0,
    keep_runs: int = 0,
    *,
    is_dry: bool = False,
    cache: Path | None = None,
) -> Iterator[Removal]:
    """Remove old runs and orphans from an existing root, without an instance; see `retention.clean`.

    Parameters
    ----------
    root : path or str
        The root, a folder or a URL; an instance may use it at the same time.
    db_url : str, optional
        SQLAlchemy URL of the database; None for SQLite in the root, if the root is a folder.
    keep_days, keep_runs, is_dry
        See `retention.clean`.
    cache : Path, optional
        See `open_store`.

    Yields
    ------
    Removal
        An item that was removed.

    Raises
    ------
    SchemaTooNewError
        The database was written by a newer release.
    ServiceUnavailableError
        The root or its database is missing, damaged, or written by an older release.
    """
    _, unchanged = open_store(root, db_url, cache=cache, is_read_only=True)
    unchanged.close()  # the line before raises if anything would have to be created
    files, database = open_store(root, db_url, cache=cache, is_read_only=is_dry)
    try:
        yield from clean(files, database, keep_days, keep_runs, is_dry=is_dry)
    finally:
        database.close()
