"""The settings of the extension: traits with a help text, which validate their values."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from jupyter_core.paths import jupyter_data_dir
from traitlets import Any as AnyTrait
from traitlets import Enum, Float, Integer, List, TraitError, TraitType, Unicode, default, validate
from traitlets.config import Configurable

from runwidgets.errors import ServiceUnavailableError
from runwidgets.execution.runner.environment import is_private
from runwidgets.limits import MAX_DAYS, Limits
from runwidgets.store.files.layout import folder_of, is_url

SECTION = "RunWidgetsApp"
"""The section of Jupyter's configuration that holds the settings."""
RENAMED = {"log": "log_size"}
"""Limits whose trait has another name, because every Jupyter application already has a trait `log`."""


def _limit(name: str, text: str, minimum: int = 1) -> Any:
    value = getattr(Limits(), name)
    trait = Float if isinstance(value, float) else Integer
    return trait(value, min=minimum, help=f"{text} At least {minimum}.").tag(config=True)


class Settings(Configurable):
    """The settings of a server's instance; the traits of `RunWidgetsApp`."""

    root = Unicode(
        help=(
            "Folder in which runs, uploads and the database are stored; created if missing. Several "
            "servers may share one. Empty means `runwidgets` in Jupyter's data folder. "
            "It may also be the URL of an object store, which several machines may share, together with the "
            "same `db_url`. "
            'Example: "/data/runwidgets", or "s3://bucket/runwidgets".'
        )
    ).tag(config=True)
    cache = Unicode(
        help=(
            "Folder on this machine for local copies of a root that is a URL; created if "
            "missing. Empty means a folder in `runwidgets-cache` in Jupyter's data folder. "
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
            "Folder in which notebooks must be stored to become workflows. "
            "Empty means the server's root folder. "
            'Example: "/home/ada/notebooks".'
        )
    ).tag(config=True)
    slots = Integer(
        0,
        min=0,
        help=(
            "Number of runs that this machine, or the Dask cluster, executes at once. 0 means the number of "
            "CPUs of the machine, or of threads of the cluster; set a number for a cluster that scales."
        ),
    ).tag(config=True)
    backend = Enum(
        ("local", "dask"),
        "local",
        help=(
            "Where runs execute: `local` means processes on this machine, `dask` means the workers of the "
            "cluster given by `dask_scheduler`, `dask_scheduler_file` or `dask_cluster`."
        ),
    ).tag(config=True)
    dask_scheduler = Unicode(
        help='Address of the Dask scheduler. Empty means none. Example: "tcp://10.0.0.1:8786".'
    ).tag(config=True)
    dask_scheduler_file = Unicode(
        help=(
            "Path of the file to which a Dask scheduler writes its address. Empty means none. "
            'Example: "/shared/scheduler.json".'
        )
    ).tag(config=True)
    dask_cluster = AnyTrait(
        None,
        allow_none=True,
        help=(
            "A function without arguments that returns a Dask cluster, or `module:function`. The cluster is "
            "created when the server starts and closed when it stops, which ends its runs. Empty means "
            'none. Example: "dask.distributed:LocalCluster".'
        ),
    ).tag(config=True)
    access = Enum(
        ("auto", "open", "members"),
        "auto",
        help=(
            "Access policy. `open`: everybody with access to the server may do everything. `members`: only "
            "the owner and the members of a group may use it, others get 403; the token that kernels inherit "
            "counts as the owner of the server. `auto` means `members` if the identity provider "
            "authenticates people (JupyterHub, or a custom one), and `open` with Jupyter's default one, "
            "whose names are random."
        ),
    ).tag(config=True)
    on_shutdown = Enum(
        ("keep", "cancel"),
        "keep",
        help="What happens to active runs at shutdown: `keep` lets them continue, `cancel` ends them.",
    ).tag(config=True)
    environment = List(
        Unicode(),
        help=(
            "Names of the only environment variables that runs inherit, apart from those that a kernel "
            "needs, such as PATH. Empty means all variables of this server, as its kernels have them. "
            'Secrets of Jupyter, JupyterHub and this extension are never inherited. Example: ["AWS_PROFILE"].'
        ),
    ).tag(config=True)
    keep_days = Integer(
        0,
        min=0,
        max=MAX_DAYS,
        help=(
            "Days for which a run is kept after its end; older runs are removed with their files, at startup "
            "and every hour. 0 means forever. Example: 30."
        ),
    ).tag(config=True)
    keep_runs = Integer(
        0,
        min=0,
        help=(
            "Number of newest runs of each group that are kept; other ended runs are removed with "
            "their files, at startup and every hour, even if `keep_days` would keep them. 0 means all. "
            "Example: 100."
        ),
    ).tag(config=True)

    json_body = _limit("json_body", "Bytes of a request's JSON body; a maximum.")
    upload = _limit("upload", "Bytes of one uploaded file; a maximum.")
    template_size = _limit("template_size", "Bytes of a notebook that becomes a workflow; a maximum.")
    parameters = _limit("parameters", "Number of parameters of one template; a maximum.")
    string_size = _limit("string_size", "Bytes of one string argument in UTF-8; a maximum.")
    nesting = _limit("nesting", "Number of levels of lists and records inside one argument; a maximum.")
    outputs = _limit("outputs", "Bytes of cell outputs that one run stores in its notebook; a maximum.")
    log_size = _limit("log", "Bytes of one run's log; a maximum.")
    result_files = _limit("result_files", "Number of result or partial files of one run; a maximum.")
    result_size = _limit("result_size", "Bytes of all result or partial files of one run; a maximum.")
    static_files = _limit(
        "static_files",
        "Number of files in a folder, or of a glob, that a notebook names; runs get none of a larger one.",
    )
    static_entries = _limit(
        "static_entries",
        "Number of entries of folders that are looked at for one folder or glob that a notebook names.",
    )
    link_size = _limit(
        "link_size",
        "Bytes above which an input of a run is a link to a copy that runs share, if the file system cannot "
        "clone it.",
    )
    queue = _limit("queue", "Number of runs that may wait at once.")
    page = _limit("page", "Number of runs in one response if the client sets no limit.")
    page_max = _limit("page_max", "Number of runs in one response; a maximum.")
    name_length = _limit("name_length", "Characters of a name of a workflow, group or file; a maximum.")
    cancel_grace = _limit(
        "cancel_grace",
        "Seconds between the interrupt and the kill of a cancelled run. 0 means to kill it at once.",
        0,
    )
    start_timeout = _limit("start_timeout", "Seconds within which a kernel must reply after its start.")
    disk_floor = _limit(
        "disk_floor",
        "Bytes that must remain free on the disk for a run to be accepted. 0 means no minimum.",
        0,
    )

    @default("root")
    def _default_root(self) -> str:
        return str(Path(jupyter_data_dir()) / "runwidgets")

    @validate("root", "templates_root", "cache")
    def _validate_folder(self, proposal: dict[str, Any]) -> str:
        folder, name = (
            cast(str, proposal["value"]),
            cast("TraitType[Any, Any]", proposal["trait"]).name,
        )
        if not folder:
            return self._default_root() if name == "root" else ""
        if name == "root" and is_url(folder):
            return folder
        try:
            path = folder_of(folder)
        except ServiceUnavailableError as error:
            raise TraitError(f"RunWidgetsApp.{name}: {error.problem}; {error.remedy}") from error
        if not path.is_absolute():
            raise TraitError(f"RunWidgetsApp.{name}: {folder!r} is relative; give an absolute folder")
        if path.is_file():
            raise TraitError(f"RunWidgetsApp.{name}: {folder!r} is a file; give a folder")
        return str(path)

    @validate("db_url")
    def _validate_db_url(self, proposal: dict[str, Any]) -> str:
        url = cast(str, proposal["value"])
        if url and "://" not in url:
            raise TraitError(
                "RunWidgetsApp.db_url: this is not an SQLAlchemy URL; "
                "give one such as postgresql+psycopg://user@host/runs"
            )
        return url

    @validate("environment")
    def _validate_environment(self, proposal: dict[str, Any]) -> list[str]:
        names = cast("list[str]", proposal["value"])
        for name in names:
            if not name or "=" in name or is_private(name):
                raise TraitError(
                    f"RunWidgetsApp.environment: {name!r} cannot be inherited; give names such as AWS_PROFILE"
                )
        return names

    @functools.cached_property
    def limits(self) -> Limits:
        """The limits set by the traits."""
        return Limits(
            **{each.name: getattr(self, RENAMED.get(each.name, each.name)) for each in fields(Limits)}
        )

    @property
    def cluster(self) -> "str | Callable[[], object] | None":
        """The Dask cluster set by the traits; None if runs execute on this machine.

        Raises
        ------
        ServiceUnavailableError
            The backend is Dask, but not exactly one cluster is named.
        """
        clusters = [
            each for each in (self.dask_scheduler, self.dask_scheduler_file, self.dask_cluster) if each
        ]
        if self.backend == "local":
            return None
        if len(clusters) != 1:
            raise ServiceUnavailableError(
                "RunWidgetsApp.backend",
                f"it is 'dask', and {len(clusters)} clusters are named",
                "set one of dask_scheduler, dask_scheduler_file and dask_cluster",
            )
        return cast("str | Callable[[], object]", clusters[0])


def unknown_setting(section: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence about a setting that does not exist, with the one that was probably meant."""
    similar = get_close_matches(name, list(known), n=1)
    remedy = f"did you mean {similar[0]}?" if similar else "jupyter runwidgets --help-all lists the settings"
    return f"{section}.{name}: there is no such setting; {remedy}"
