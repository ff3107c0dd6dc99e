"""Orphans: files under a root that belong to no row.

A crash may leave something half-created or half-removed, and a copy may outlive the last template that used
it. The doctor reports orphans, the retention removes them; this module defines them for both. It uses no
database: the files to which rows refer are passed in.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

from runwidgets.store.files.layout import LOCK, MEMBERS, SECRETS, SHARED, USERS, run_key, upload_key
from runwidgets.store.files.object_store import ObjectStore, StoredObject
from runwidgets.store.locks import is_locked

GRACE_PERIOD = 60.0
"""Seconds within which a file without a lock and a row may still get one."""
CLEANUP_PERIOD = 2 * 3600.0
"""Seconds within which a live instance has removed orphans at least once."""


@dataclass(frozen=True)
class MinimumAges:
    """Seconds since the last change after which files without a row are orphans."""

    run: float
    """A run directory without a row whose lock is free."""
    upload: float
    """An upload without a row, which is abandoned after this time."""
    rest: float
    """All other files."""
    shared: float = 3600.0
    """A shared copy of a large input that no run uses; the next run makes another one."""


REMOVAL_AGES = MinimumAges(run=0.0, upload=3600.0, rest=GRACE_PERIOD)
REPORT_AGES = MinimumAges(
    run=GRACE_PERIOD,
    upload=3600.0 + CLEANUP_PERIOD,
    rest=GRACE_PERIOD + CLEANUP_PERIOD,
    shared=3600.0 + CLEANUP_PERIOD,
)
"""The doctor does not report what the retention is about to remove."""


@dataclass(frozen=True, kw_only=True)
class ReferencedFiles:
    """The files under a root to which rows refer."""

    runs: Mapping[str, bool]
    """Run ids, and whether the directory may still change: the run is active, or has processes."""
    uploads: Set[tuple[str, str]]
    """Group and file ids."""
    groups: Set[str]
    copies: Set[str] | None
    """SHA-256 of the copies that templates need; None if a template is damaged."""
    instances: Set[str]
    """Instances whose runs another instance must take over first, if they are dead."""


@dataclass(frozen=True)
class Orphan:
    """A file or directory that belongs to no row."""

    key: str
    """The key of a file, or the prefix of all files below it."""
    touched: float
    """When it was last changed (not its content), in seconds of the store's clock."""
    size: int
    """Bytes that its removal frees."""


def find_orphans(
    root: Path, referenced: ReferencedFiles, moment: float, ages: MinimumAges = REMOVAL_AGES
) -> Iterator[Orphan]:
    """Find orphans that no instance is about to use.

    Parameters
    ----------
    root : Path
        The root; only read.
    referenced : ReferencedFiles
        The files to which rows refer; rows that are committed later are not considered.
    moment : float
        The current time, in seconds of the file system's clock.
    ages : MinimumAges, optional
        The minimum ages of orphans.

    Yields
    ------
    Orphan
        A file or a whole directory.
    """
    uncommitted: set[str] = set()
    for path in children(root / "runs"):  # hidden entries first
        if path.name in uncommitted:
            continue
        if path.name in referenced.runs:
            entries = children(path) if not referenced.runs[path.name] else []
            temporary = [each for each in entries if each.name.startswith(".") or each.name == SECRETS]
            yield from _older(root, temporary, moment, ages.rest)
        elif not is_locked(path / LOCK):
            is_new = path.name.count(".") == 1 and not (path / LOCK).exists()
            yield from _older(root, [path], moment, max(ages.run, GRACE_PERIOD if is_new else 0.0))
        else:
            uncommitted |= _read_members(path / MEMBERS)
    for group in children(root / "uploads"):
        entries = children(group) if group.name in referenced.groups else [group]
        unreferenced = [each for each in entries if (group.name, each.name) not in referenced.uploads]
        yield from _older(root, unreferenced, moment, ages.upload)
    if referenced.copies is not None:
        yield from find_copies(root, referenced.copies, moment, ages)
    for shared in children(root / SHARED):
        if not any(map(is_locked, shared.glob(f"*/{USERS}"))):
            yield from _older(root, [shared], moment, ages.shared)
    unreferenced = [each for each in children(root / "instances") if each.name not in referenced.instances]
    yield from (
        each for each in _older(root, unreferenced, moment, ages.rest) if not is_locked(root / each.key)
    )


def find_copies(
    root: Path, needed: Set[str], moment: float, ages: MinimumAges = REMOVAL_AGES
) -> Iterator[Orphan]:
    """Find the copies that no template still needs; see `find_orphans`."""
    for path in children(root / "copies"):
        is_shard = path.is_dir() and not path.name.startswith(".")
        unreferenced = [each for each in children(path) if each.name not in needed] if is_shard else [path]
        yield from _older(root, unreferenced, moment, ages.rest)


def size_of(path: Path) -> int:
    """Return the number of bytes that the removal of a path frees: those of files without other links."""
    return _freed(_walk_statuses(path))


def children(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted; an empty list if it is not a folder or does not exist."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read_members(path: Path) -> set[str]:
    """Return the runs that an instance is about to commit; empty before it has listed them."""
    try:
        return set(path.read_text("utf-8").split())
    except FileNotFoundError:
        return set()


def _older(root: Path, paths: Iterable[Path], moment: float, ages: float) -> Iterator[Orphan]:
    """Yield the paths that have not changed for some seconds, including their content."""
    for path in paths:
        statuses = list(_walk_statuses(path))
        if statuses and moment - max(each.st_mtime for each in statuses) >= ages:
            yield Orphan(path.relative_to(root).as_posix(), statuses[0].st_mtime, _freed(statuses))


def _freed(statuses: Iterable[os.stat_result]) -> int:
    return sum(each.st_size for each in statuses if each.st_nlink == 1 and not stat.S_ISDIR(each.st_mode))


def _walk_statuses(path: Path) -> Iterator[os.stat_result]:
    """Yield the status of a file or folder, and of everything in it that exists."""
    below = (Path(parent, name) for parent, folders, names in os.walk(path) for name in [*folders, *names])
    for each in chain([path], below):
        try:
            yield each.lstat()
        except FileNotFoundError:  # removed by somebody else
            continue


def find_orphaned_objects(
    object_store: ObjectStore, referenced: ReferencedFiles, moment: float, ages: MinimumAges
) -> Iterator[Orphan]:
    """Find orphans in an object store that no instance is about to use.

    Parameters
    ----------
    object_store : ObjectStore
        The object store; only listed.
    referenced : ReferencedFiles
        The files to which rows refer.
    moment : float
        The current time, in seconds of the store's clock.
    ages : MinimumAges
        The minimum ages of orphans.

    Yields
    ------
    Orphan
        An object, or all objects below a prefix.
    """
    for run_id, objects in _grouped(object_store.find("runs"), 1):
        if run_id not in referenced.runs:
            yield from _older_objects(run_key(run_id), objects, moment, ages.upload)
        elif not referenced.runs[run_id]:
            key = run_key(run_id, SECRETS)
            secrets = [each for each in objects if each.key == key]
            yield from _older_objects(key, secrets, moment, ages.rest)
    for group_id, group_objects in _grouped(object_store.find("uploads"), 1):
        for file_id, objects in _grouped(group_objects, 2):
            if (group_id, file_id) not in referenced.uploads:
                yield from _older_objects(upload_key(group_id, file_id), objects, moment, ages.upload)
    if referenced.copies is not None:
        yield from find_orphaned_copies(object_store, referenced.copies, moment, ages)


def find_orphaned_copies(
    object_store: ObjectStore, needed: Set[str], moment: float, ages: MinimumAges
) -> Iterator[Orphan]:
    """Find the copies that no template still needs; see `find_orphaned_objects`."""
    for each in object_store.find("copies"):
        if each.key.rpartition("/")[2] not in needed:
            yield from _older_objects(each.key, [each], moment, ages.upload)


def _grouped(objects: Sequence[StoredObject], level: int) -> Iterator[tuple[str, list[StoredObject]]]:
    """Group sorted objects by one component of their keys."""
    component: Callable[[StoredObject], str] = lambda each: each.key.split("/")[level]  # noqa: E731
    return ((name, list(group)) for name, group in groupby(objects, component))


def _older_objects(key: str, objects: Sequence[StoredObject], moment: float, ages: float) -> Iterator[Orphan]:
    touched = max((each.touched for each in objects), default=moment)
    if objects and moment - touched >= ages:
        yield Orphan(key, touched, sum(each.size for each in objects))
