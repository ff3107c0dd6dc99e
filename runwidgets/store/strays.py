"""What lies under a root and belongs to nobody.

A crash may leave something half-made or half-removed, and a copy outlives the last template that used
it. The checker names such things, the cleaner removes them; both learn from here which they are. Knows
no database: what its rows know is given.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from runwidgets.store.layout import LOCK, MEMBERS, SECRETS
from runwidgets.store.locks import is_locked

YOUNG = 60.0
"""Seconds in which what has no lock and no row yet may get one: somebody is about to see to it."""
SWEEP = 2 * 3600.0
"""Seconds in which a living service has swept at least once."""


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


@dataclass(frozen=True)
class Known:
    """What the rows know of the files under a root."""

    runs: Mapping[str, bool]
    """By id, whether its folder may still change: it is active, or its processes are not gone."""
    uploads: Set[tuple[str, str]]
    """Group and file."""
    groups: Set[str]
    copies: Set[str] | None
    """SHA-256 of what the templates need; None where a damaged one cannot say."""
    services: Set[str]
    """Those whose runs somebody else has to take over first, if they are dead."""


@dataclass(frozen=True)
class Stray:
    """Something that belongs to nobody."""

    path: Path
    touched: float
    """When it was touched last (not what is in it), in seconds of its file system's clock."""

    def size(self) -> int:
        """Return the bytes that become free with it."""
        return size_of(self.path)


def find_strays(root: Path, known: Known, moment: float, patience: Patience = SWEEPER) -> Iterator[Stray]:
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
    Stray
        A file or a whole folder.
    """
    unborn: set[str] = set()
    for path in children(root / "runs"):  # hidden ones first
        if path.name in unborn:
            continue
        if path.name in known.runs:
            own = children(path) if not known.runs[path.name] else []
            made = [each for each in own if each.name.startswith(".") or each.name == SECRETS]
            yield from _older(made, moment, patience.rest)
        elif not is_locked(path / LOCK):
            is_begun = path.name.count(".") == 1 and not (path / LOCK).exists()
            yield from _older([path], moment, max(patience.run, YOUNG if is_begun else 0.0))
        else:
            unborn |= _read_members(path / MEMBERS)
    for group in children(root / "uploads"):
        own = children(group) if group.name in known.groups else [group]
        unknown = [each for each in own if (group.name, each.name) not in known.uploads]
        yield from _older(unknown, moment, patience.upload)
    if known.copies is not None:
        yield from find_copies(root, known.copies, moment, patience)
    unknown = [each for each in children(root / "services") if each.name not in known.services]
    yield from (each for each in _older(unknown, moment, patience.rest) if not is_locked(each.path))


def find_copies(root: Path, needed: Set[str], moment: float, patience: Patience = SWEEPER) -> Iterator[Stray]:
    """Find the copies that no template needs any more; see `find_strays`."""
    for path in children(root / "copies"):
        is_whole = path.is_dir() and not path.name.startswith(".")
        unknown = [each for each in children(path) if each.name not in needed] if is_whole else [path]
        yield from _older(unknown, moment, patience.rest)


def size_of(path: Path) -> int:
    """Return the bytes that become free when a file or folder is removed: those with no other name."""
    return sum(each.st_size for each in _all(path) if each.st_nlink == 1 and not stat.S_ISDIR(each.st_mode))


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


def _older(paths: Iterable[Path], moment: float, patience: float) -> Iterator[Stray]:
    """Yield what was not touched for some seconds, nor anything in it."""
    for path in paths:
        found = [each.st_mtime for each in _all(path)]
        if found and moment - max(found) >= patience:
            yield Stray(path, found[0])


def _all(path: Path) -> Iterator[os.stat_result]:
    """Look at a file or folder, and then at everything in it, as far as it is there."""
    below = (Path(parent, name) for parent, folders, names in os.walk(path) for name in [*folders, *names])
    for each in chain([path], below):
        try:
            yield each.lstat()
        except FileNotFoundError:  # somebody was first
            continue
