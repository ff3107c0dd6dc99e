"""The files that a run wrote: in its working folder, or above it.

A path such as ``../results`` may be a value, or known only when the run executes. What is above the working
folder is therefore empty and the run's own (`runwidgets.store.files.layout.WORKDIR`), and what the run wrote
there is moved into the working folder at its end.
"""

import os
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path, PurePosixPath

from runwidgets.store.files.layout import ABOVE, LOG, WORKDIR

IGNORED = {"__pycache__", ".ipynb_checkpoints"}
"""Folders that Python and Jupyter create by themselves."""
MAX_TOLD = 10
"""Files and folders that the log names."""


def is_replaced(folder: Path) -> bool:
    """Return whether a run has replaced its working folder, or one above it, by a link."""
    chain = (PurePosixPath(WORKDIR), *PurePosixPath(WORKDIR).parents)
    return any((folder / each).is_symlink() for each in chain[:-1])


def find_files(folder: Path) -> Iterator[str]:
    """Yield the names of regular files in the working folder of a run, without following links.

    A name that is not UTF-8 is changed first.

    Parameters
    ----------
    folder : Path
        The run directory.

    Yields
    ------
    str
        Path relative to the working folder, with slashes.
    """
    if is_replaced(folder):
        return
    workdir = folder / WORKDIR
    for parent, folders, names in os.walk(workdir):
        folders[:] = sorted(set(folders) - IGNORED)
        for name in sorted(names):
            path = Path(parent, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield _make_readable(workdir, path)


def take_in_files(folder: Path, place: str) -> None:
    """Move what a run wrote above its working folder into it, and tell it in the log.

    ``../results/x.csv`` becomes ``results/x.csv``; if there is such a file, ``above-1/results/x.csv``, with
    the distance to the working folder. Called once the run has no processes; the second time there is
    nothing.

    Parameters
    ----------
    folder : Path
        The run directory.
    place : str
        The folder in which the notebook ran, relative to the working folder.

    Raises
    ------
    OSError
        A folder cannot be read or written.
    """
    if is_replaced(folder):
        return
    workdir = folder / WORKDIR
    told: list[str] = []
    inner = workdir
    for distance, parent in enumerate(_folders_above(folder), 1):
        others = sorted(set(os.listdir(parent)) - {inner.name}) if parent.is_dir() else []
        spares = _numbered(f"above-{distance}") if others else ()
        spare = next((name for name in spares if not os.path.lexists(workdir / name)), "")
        for name in others:
            for source, target in _move(parent / name, workdir, spare):
                from_here = os.path.relpath(source, workdir / place)
                told.append(f"'{from_here}' as '{target.relative_to(workdir)}'")
        inner = parent
    if told:
        names = ", ".join(told[:MAX_TOLD]) + (", …" if len(told) > MAX_TOLD else "")
        with (folder / LOG).open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"\n[written above the folder of the run, and kept in it: {names}]\n")


def _folders_above(folder: Path) -> Iterator[Path]:
    """Yield the folders above the working folder that are the run's own, the innermost first."""
    path = folder / WORKDIR
    while path != folder / ABOVE:
        path = path.parent
        yield path


def _move(path: Path, workdir: Path, spare: str) -> Iterator[tuple[Path, Path]]:
    """Move a file, or a folder as a whole or in parts.

    Parameters
    ----------
    path : Path
        What is moved.
    workdir : Path
        Where it gets its own name.
    spare : str
        Name of the folder in it for what has the name of something else.

    Yields
    ------
    tuple of Path
        The old and the new path.
    """
    waiting = [PurePosixPath(path.name)]
    while waiting:
        name = waiting.pop()
        source, target = path.parent / name, workdir / name
        if os.path.lexists(target):
            if _is_folder(source) and _is_folder(target):
                waiting += [name / each for each in sorted(os.listdir(source), reverse=True)]
                continue
            target = workdir / spare / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        yield source, target


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _make_readable(folder: Path, path: Path) -> str:
    """Return the relative name of a file, which gets another one if that is not UTF-8."""
    name = path.relative_to(folder).as_posix()
    readable = name.encode("utf-8", "backslashreplace").decode()
    if readable != name:
        target = folder / readable
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return readable
