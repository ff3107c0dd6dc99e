"""What lies under a root and belongs to nobody.

A crash may leave something half-made or half-removed, and a copy outlives the last template that used
it. The checker names such things, the cleaner removes them; both learn from here which they are. Knows
no database: what its rows know is given.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

from runwidgets.store.files.layout import LOCK, MEMBERS, SECRETS, run_key, upload_key
from runwidgets.store.files.object_store import ObjectStore, Stored
from runwidgets.store.locks import is_locked

YOUNG = 60.0
"""Seconds in which what has no lock and no row yet may get one: somebody is about to see to it."""
SWEEP = 2 * 3600.0
"""Seconds in which a living instance has swept at least once."""


@dataclass(frozen=True)
class Patience:
    """Seconds since it was touched after which something belongs to nobody."""

    run: float
    """The folder of a run that no row knows and whose lock is free."""
    upload: float
    """An upload that no row knows: by then nobody sends the rest of it any more."""
    rest: float
    """Everything else."""


SWEEPER = Patience(run=0.0, upload=3600.0, rest=YOUNG)
CHECKER = Patience(run=YOUNG, upload=3600.0 + SWEEP, rest=YOUNG + SWEEP)
"""Who only looks leaves to the sweep what is the sweep's."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the rows know of the files under a root."""

    runs: Mapping[str, bool]
    """By id, whether its folder may still change: it is active, or its processes are not gone."""
    uploads: Set[tuple[str, str]]
    """Group and file."""
    groups: Set[str]
    copies: Set[str] | None
    """SHA-256 of what the templates need; None where a damaged one cannot say."""
    instances: Set[str]
    """Those whose runs somebody else has to take over first, if they are dead."""


@dataclass(frozen=True)
class Orphan:
    """Something that belongs to nobody."""

    key: str
    """Where it lies: a file, or all below."""
    touched: float
    """When it was touched last (not what is in it), in seconds of the store's clock."""
    size: int
    """Bytes that become free with it."""


def find_orphans(root: Path, known: Known, moment: float, patience: Patience = SWEEPER) -> Iterator[Orphan]:
    """Find what belongs to nobody and is not on its way to somebody.

    Parameters
    ----------
    root : Path
        The root; only looked at.
    known : Known
        What the rows know; what they learn meanwhile is not seen here.
    moment : float
        What time it is, in seconds of the file system's clock.
    patience : Patience, optional
        How old it must be.

    Yields
    ------
    Orphan
        A file or a whole folder.
    """
    unborn: set[str] = set()
    for path in children(root / "runs"):  # hidden ones first
        if path.name in unborn:
            continue
        if path.name in known.runs:
            own = children(path) if not known.runs[path.name] else []
            made = [each for each in own if each.name.startswith(".") or each.name == SECRETS]
            yield from _older(root, made, moment, patience.rest)
        elif not is_locked(path / LOCK):
            is_begun = path.name.count(".") == 1 and not (path / LOCK).exists()
            yield from _older(root, [path], moment, max(patience.run, YOUNG if is_begun else 0.0))
        else:
            unborn |= _read_members(path / MEMBERS)
    for group in children(root / "uploads"):
        own = children(group) if group.name in known.groups else [group]
        unknown = [each for each in own if (group.name, each.name) not in known.uploads]
        yield from _older(root, unknown, moment, patience.upload)
    if known.copies is not None:
        yield from find_copies(root, known.copies, moment, patience)
    unknown = [each for each in children(root / "instances") if each.name not in known.instances]
    yield from (
        each for each in _older(root, unknown, moment, patience.rest) if not is_locked(root / each.key)
    )


def find_copies(
    root: Path, needed: Set[str], moment: float, patience: Patience = SWEEPER
) -> Iterator[Orphan]:
    """Find the copies that no template needs any more; see `find_orphans`."""
    for path in children(root / "copies"):
        is_whole = path.is_dir() and not path.name.startswith(".")
        unknown = [each for each in children(path) if each.name not in needed] if is_whole else [path]
        yield from _older(root, unknown, moment, patience.rest)


def size_of(path: Path) -> int:
    """Return the bytes that become free when a file or folder is removed: those with no other name."""
    return _freed(_all(path))


def children(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted; nothing where it is none, or is gone meanwhile."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read_members(path: Path) -> set[str]:
    """Return the runs that somebody is about to commit; none before it is said."""
    try:
        return set(path.read_text("utf-8").split())
    except FileNotFoundError:
        return set()


def _older(root: Path, paths: Iterable[Path], moment: float, patience: float) -> Iterator[Orphan]:
    """Yield what was not touched for some seconds, nor anything in it."""
    for path in paths:
        found = list(_all(path))
        if found and moment - max(each.st_mtime for each in found) >= patience:
            yield Orphan(path.relative_to(root).as_posix(), found[0].st_mtime, _freed(found))


def _freed(found: Iterable[os.stat_result]) -> int:
    return sum(each.st_size for each in found if each.st_nlink == 1 and not stat.S_ISDIR(each.st_mode))


def _all(path: Path) -> Iterator[os.stat_result]:
    """Look at a file or folder, and then at everything in it, as far as it is there."""
    below = (Path(parent, name) for parent, folders, names in os.walk(path) for name in [*folders, *names])
    for each in chain([path], below):
        try:
            yield each.lstat()
        except FileNotFoundError:  # somebody was first
            continue


def find_orphaned_objects(
    object_store: ObjectStore, known: Known, moment: float, patience: Patience
) -> Iterator[Orphan]:
    """Find what belongs to nobody and is not on its way to somebody.

    Parameters
    ----------
    object_store : ObjectStore
        Only listed.
    known : Known
        What the rows know.
    moment : float
        What time it is, in seconds of the store's clock.
    patience : Patience
        How old it must be.

    Yields
    ------
    Orphan
        An object, or all below a prefix.
    """
    for run_id, found in _grouped(object_store.find("runs"), 1):
        if run_id not in known.runs:
            yield from _older_objects(run_key(run_id), found, moment, patience.upload)
        elif not known.runs[run_id]:
            key = run_key(run_id, SECRETS)
            secrets = [each for each in found if each.key == key]
            yield from _older_objects(key, secrets, moment, patience.rest)
    for group_id, of_group in _grouped(object_store.find("uploads"), 1):
        for file_id, found in _grouped(of_group, 2):
            if (group_id, file_id) not in known.uploads:
                yield from _older_objects(upload_key(group_id, file_id), found, moment, patience.upload)
    if known.copies is not None:
        yield from find_orphaned_copies(object_store, known.copies, moment, patience)


def find_orphaned_copies(
    object_store: ObjectStore, needed: Set[str], moment: float, patience: Patience
) -> Iterator[Orphan]:
    """Find the copies that no template needs any more; see `find_orphaned_objects`."""
    for each in object_store.find("copies"):
        if each.key.rpartition("/")[2] not in needed:
            yield from _older_objects(each.key, [each], moment, patience.upload)


def _grouped(objects: Sequence[Stored], level: int) -> Iterator[tuple[str, list[Stored]]]:
    """Group objects, which are sorted, by one part of their keys."""
    part: Callable[[Stored], str] = lambda each: each.key.split("/")[level]  # noqa: E731
    return ((name, list(found)) for name, found in groupby(objects, part))


def _older_objects(key: str, found: Sequence[Stored], moment: float, patience: float) -> Iterator[Orphan]:
    touched = max((each.touched for each in found), default=moment)
    if found and moment - touched >= patience:
        yield Orphan(key, touched, sum(each.size for each in found))
