"""What lies in a depot and belongs to nobody; `strays` does the same for a folder.

An object store has no locks, so only time tells whether somebody is about to commit what has no row yet:
everything is left alone for as long as an upload is.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from runwidgets.store.depot import Depot, Stored
from runwidgets.store.layout import SECRETS
from runwidgets.store.strays import Known, Patience, Stray


@dataclass(frozen=True)
class StoredStray(Stray):
    """Objects that belong to nobody; `path` below the local folder names them."""

    bytes: int
    """What becomes free with them."""

    def size(self) -> int:
        """Return the bytes that become free with it."""
        return self.bytes


def find_washed_up(
    depot: Depot, root: Path, known: Known, moment: float, patience: Patience
) -> Iterator[Stray]:
    """Find what belongs to nobody and is not on its way to somebody.

    Parameters
    ----------
    depot : Depot
        Only listed.
    root : Path
        The local folder below which paths name objects.
    known : Known
        What the rows know.
    moment : float
        What time it is, in seconds of the store's clock.
    patience : Patience
        How old it must be.

    Yields
    ------
    StoredStray
        An object, or all below a prefix.
    """
    for run_id, found in _grouped(depot.find("runs"), 1):
        if run_id not in known.runs:
            yield from _older(root / "runs" / run_id, found, moment, patience.upload)
        elif not known.runs[run_id]:
            secrets = [each for each in found if each.key == f"runs/{run_id}/{SECRETS}"]
            yield from _older(root / "runs" / run_id / SECRETS, secrets, moment, patience.rest)
    for group_id, of_group in _grouped(depot.find("uploads"), 1):
        for file_id, found in _grouped(of_group, 2):
            if (group_id, file_id) not in known.uploads:
                yield from _older(root / "uploads" / group_id / file_id, found, moment, patience.upload)
    if known.copies is not None:
        yield from find_washed_copies(depot, root, known.copies, moment, patience)


def find_washed_copies(
    depot: Depot, root: Path, needed: Set[str], moment: float, patience: Patience
) -> Iterator[Stray]:
    """Find the copies that no template needs any more; see `find_washed_up`."""
    for each in depot.find("copies"):
        if each.key.rpartition("/")[2] not in needed:
            yield from _older(root / each.key, [each], moment, patience.upload)


def _grouped(objects: Sequence[Stored], level: int) -> Iterator[tuple[str, list[Stored]]]:
    """Group objects, which are sorted, by one part of their keys."""
    part: Callable[[Stored], str] = lambda each: each.key.split("/")[level]  # noqa: E731
    return ((name, list(found)) for name, found in groupby(objects, part))


def _older(path: Path, found: Sequence[Stored], moment: float, patience: float) -> Iterator[Stray]:
    touched = max((each.touched for each in found), default=moment)
    if found and moment - touched >= patience:
        yield StoredStray(path, touched, sum(each.size for each in found))
