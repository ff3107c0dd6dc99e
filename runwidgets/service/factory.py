"""The only room that knows the concrete classes: root, database and backend become services."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from jupyter_core.paths import jupyter_data_dir

from runwidgets.errors import ServiceUnavailableError
from runwidgets.execution.backend import Backend, Cluster
from runwidgets.execution.local import LocalBackend
from runwidgets.limits import Limits
from runwidgets.schema import RunReason
from runwidgets.service.contracts.runs import Api
from runwidgets.service.local.components import Components
from runwidgets.service.local.events import InstanceEvents, LocalEventService
from runwidgets.service.local.groups import LocalGroupService
from runwidgets.service.local.policy import Access, Policy
from runwidgets.service.local.retention import Removal, Retention, clean
from runwidgets.service.local.runs import LocalRunService
from runwidgets.service.local.submission import check_config
from runwidgets.service.local.sweeps import LocalSweepService
from runwidgets.service.local.templates import Templates
from runwidgets.service.local.uploads import LocalUploadService
from runwidgets.service.local.workflows import LocalWorkflowService
from runwidgets.store.database.catalog import Catalog
from runwidgets.store.database.database import Database
from runwidgets.store.database.runs import Runs
from runwidgets.store.database.sweeps import Sweeps
from runwidgets.store.files.base import FileStore
from runwidgets.store.files.layout import folder_of, is_url
from runwidgets.store.files.local import LocalFiles
from runwidgets.store.files.object_store import ObjectStore
from runwidgets.store.files.remote import RemoteFiles
from runwidgets.store.liveness import HeartbeatLiveness, LockLiveness

DATABASE = "runwidgets.db"
DRAIN_TIMEOUT = 8.0
"""Seconds in which cancelled runs may end at shutdown."""


class Instance:
    """An instance: one root, one database, one backend, any number of users.

    Parameters
    ----------
    files : FileStore
        The root.
    database : Database
        Its index.
    limits : Limits
        What it accepts.
    templates_root : Path, optional
        Folder in which notebooks must lie; None for anywhere.
    access : {"open", "members"}
        Who may do what; see `Policy`.
    on_shutdown : {"keep", "cancel"}
        What becomes of active runs when the instance is closed.
    backend : Backend
        Where runs execute; closed with the instance.
    keep_days : int
        Days for which a run is kept after its end; 0 for ever.
    keep_runs : int
        Newest runs of each group that are kept; 0 for all.

    Attributes
    ----------
    events : InstanceEvents
        Everything that happens, whoever may read it.
    store : str
        Tells this store from others, to whoever looks at it from anywhere.
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
        self._parts = Components(
            catalog=catalog,
            runs=runs,
            sweeps=Sweeps(database),
            files=files,
            templates=Templates(catalog, files, limits, root=templates_root, prepare=self._backend.prepare),
            policy=Policy(access, catalog),
            limits=limits,
            has_resources=backend.has_resources,
        )
        self.events = InstanceEvents(database)
        self.store = _identify(files, database)
        self._retention = Retention(files, database, keep_days, keep_runs)

    def api(self, user: str | None = None) -> Api:
        """Return the services, bound to a user.

        Parameters
        ----------
        user : str, optional
            Who asks; None for nobody in particular, who may do everything where access is open.

        Returns
        -------
        Api
            Its `close` does nothing: the instance outlives its users.
        """
        return Api(
            workflows=LocalWorkflowService(self._parts, user),
            groups=LocalGroupService(self._parts, user, check_config),
            uploads=LocalUploadService(self._parts, user),
            runs=LocalRunService(self._parts, self._backend, user),
            sweeps=LocalSweepService(self._parts, self._backend, user),
            events=LocalEventService(self._parts, self.events, user),
            store=lambda: self.store,
        )

    def last_activity(self) -> datetime | None:
        """Return when a run last did something: now while one is active, None before the first."""
        return self._parts.runs.last_activity()

    def close(self) -> None:
        """Let go of threads and connections. Twice is harmless."""
        self._retention.close()
        if self._on_shutdown == "cancel":
            self._parts.runs.cancel_all(RunReason.SHUTDOWN, "the server was shut down")
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
    """Open the instance at a root; its runs of before go on.

    Parameters
    ----------
    root : path or str
        Where everything is stored: a folder, made where it is missing, or a URL.
    db_url : str, optional
        SQLAlchemy URL of the database; None for SQLite in the root, where that is a folder.
    cache : Path, optional
        See `open_store`.
    slots : int, optional
        Runs that execute at once; None for the CPUs of this machine, or the threads of the cluster.
    environment : iterable of str
        Names of environment variables that runs inherit beside the usual ones.
    cluster : str or callable, optional
        A Dask cluster on which runs execute: the address of its scheduler, the path of a scheduler file,
        ``module:function``, or a function that returns one; None for this machine.
    limits, templates_root, access, on_shutdown, keep_days, keep_runs
        See `Instance`.

    Returns
    -------
    Instance
        Open; the caller closes it.

    Raises
    ------
    SchemaTooNewError
        A newer release wrote the database.
    ServiceUnavailableError
        The root cannot be used: it may not be written, or its database is missing or damaged.
    """
    files, database = open_store(root, db_url, cache=cache)
    rules = limits or Limits()
    try:
        backend = make_backend(files, database, rules, slots=slots, environment=environment, cluster=cluster)
    except BaseException:
        database.close()
        raise
    return Instance(
        files,
        database,
        rules,
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
    """Return where runs execute; see `open_instance`."""
    if cluster is None:
        if files.local is None:
            raise ServiceUnavailableError(
                "root",
                f"runs on this machine cannot work in {files.address}",
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
    """Open what lies at a root, without anybody who works on it.

    Parameters
    ----------
    root : path or str
        Where everything is stored: a folder, made where it is missing, or the URL of any file system that
        fsspec knows, such as ``s3://bucket/prefix``, of which the bucket must be there.
    db_url : str, optional
        SQLAlchemy URL of the database; None for SQLite in the root, where that is a folder.
    cache : Path, optional
        Folder of this machine for what is needed here of a root that is a URL; None for one in Jupyter's
        data folder.
    is_read_only : bool, optional
        Whether it is only looked at: then nothing is made, changed or migrated.

    Returns
    -------
    files : FileStore
        The root.
    database : Database
        Its index; the caller closes it.

    Raises
    ------
    SchemaTooNewError
        A newer release wrote the database.
    ServiceUnavailableError
        The root cannot be used: it may not be written, or its database is missing or damaged.
    """
    if is_url(root):
        if db_url is None:
            problem = f"{root} has no room for a database, which several machines share"
            raise ServiceUnavailableError("db_url", problem, "give the URL of a PostgreSQL database")
        object_store = ObjectStore(str(root))
        stored = RemoteFiles(object_store, cache or _cache_of(object_store.url), is_read_only=is_read_only)
        return stored, Database(db_url, is_read_only=is_read_only)
    files = LocalFiles(folder_of(root), is_read_only=is_read_only)
    path = files.folder / DATABASE
    if db_url is None and not is_read_only:
        if not path.exists() and not files.is_empty():
            raise ServiceUnavailableError(
                DATABASE, "the root has runs, but no database", "restore it, or choose another root"
            )
        path.touch(mode=0o600)
    return files, Database(db_url or f"sqlite:///{path}", is_read_only=is_read_only)


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
) -> Iterator[Removal]:
    """Remove what is old from a root that is there, with no instance; see `retention.clean`.

    Parameters
    ----------
    root : path or str
        The root, a folder or a URL; an instance may work on it.
    db_url : str, optional
        SQLAlchemy URL of the database; None for SQLite in the root, where that is a folder.
    keep_days, keep_runs, is_dry
        See `retention.clean`.

    Yields
    ------
    Removal
        What was removed.

    Raises
    ------
    SchemaTooNewError
        A newer release wrote the database.
    ServiceUnavailableError
        The root or its database is missing, damaged or of an older release.
    """
    open_store(root, db_url, is_read_only=True)[1].close()  # refuses what would have to be made first
    files, database = open_store(root, db_url, is_read_only=is_dry)
    try:
        yield from clean(files, database, keep_days, keep_runs, is_dry=is_dry)
    finally:
        database.close()
