"""The settings of the extension: traits that say what they do and refuse what makes no sense."""

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from jupyter_core.paths import jupyter_data_dir
from traitlets import Any as AnyTrait
from traitlets import Enum, Float, Integer, List, TraitError, TraitType, Unicode, default, validate
from traitlets.config import Configurable

from runwidgets.errors import ServiceUnavailableError
from runwidgets.limits import Limits
from runwidgets.service.local.retention import MAX_DAYS
from runwidgets.store.files.layout import folder_of, is_url

RENAMED = {"log": "log_size"}
"""Limits whose trait has another name, because every Jupyter application has a `log` already."""


def _limit(name: str, text: str, least: int = 1) -> Any:
    value = getattr(Limits(), name)
    trait = Float if isinstance(value, float) else Integer
    return trait(value, min=least, help=f"{text} At least {least}.").tag(config=True)


class Settings(Configurable):
    """What a server may be told about its instance; the traits of `RunWidgetsApp`."""

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
            "machine has CPUs, or the cluster threads; give a number where a cluster grows with its work."
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

    @default("root")
    def _default_root(self) -> str:
        return str(Path(jupyter_data_dir()) / "runwidgets")

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
