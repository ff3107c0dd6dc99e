"""The project of a notebook, and the files in it, of which a bounded number is looked at."""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias

from runwidgets.limits import Limits

PROJECT_MARKERS = ("pyproject.toml", ".git", "environment.yml", "requirements.txt", ".runwidgets")
"""A folder that has one of these is a project."""
IGNORED = {"__pycache__", ".ipynb_checkpoints"}
WILDCARD = re.compile(r"[*?\[]")
MAX_LENGTH = 1024
"""Characters of a path."""
MAX_SKIPPED = 10
"""Names that are too large before no further folder or glob is looked at."""


def find_project(folder: Path, root: Path | None) -> Path:
    """Return the folder of the project to which a folder belongs.

    Parameters
    ----------
    folder : Path
        The folder of a notebook, without symbolic links.
    root : Path or None
        The folder beyond which nothing is looked at, without symbolic links; None for no restriction.

    Returns
    -------
    Path
        The folder itself or the nearest one above that has one of `PROJECT_MARKERS`; the root, if that is
        above it; the folder, if there is none.
    """
    if root is not None and not folder.is_relative_to(root):
        return folder
    for each in (folder, *folder.parents):
        if any(os.path.lexists(each / marker) for marker in PROJECT_MARKERS):
            return each if root is None or each.is_relative_to(root) else root
    return folder


_Trail: TypeAlias = tuple[Path, ...]


class TooLargeError(Exception):
    """A folder or glob has more files or entries than the limits allow; the text is a sentence."""


class Project:
    """The part of the file system from which a run of a notebook gets files.

    Parameters
    ----------
    folder : Path
        The folder of the notebook, without symbolic links.
    top : Path
        The project, in which it is.
    limits : Limits
        ``static_files`` and ``static_entries``.
    excluded : Path, optional
        A folder of which nothing is used, unless the notebook is in it: that with the runs of the instance.
    """

    def __init__(self, folder: Path, top: Path, limits: Limits, excluded: Path | None = None) -> None:
        self.folder = folder
        self.top = top
        self._limits = limits
        self._excluded = None if excluded is None or folder.is_relative_to(excluded) else excluded
        self._entries = 0
        self._found: dict[Path, set[Path]] = {}
        self.skipped: dict[str, str] = {}
        """Why a folder or glob was skipped, by the text that names it."""
        self.is_cut = False
        """Whether so many are too large that no further glob was looked up."""
        self.links: dict[Path, str] = {}
        """Why a link, by its path, is not followed."""
        self.searched: set[Path] = set()
        """The folders whose entries decided what was found: a file that appears in one may be another."""

    def locate(self, base: Path, text: str) -> Path | None:
        """Return the path that a text names relative to a folder, or None if it is not in the project."""
        is_path = 0 < len(text) <= MAX_LENGTH and not any(character in text for character in "\n\0")
        if not is_path or text.startswith(("/", "~")):
            return None
        path = Path(os.path.normpath(base / text))
        return path if path.is_relative_to(self.top) else None

    def find_files(self, base: Path, text: str) -> set[Path]:
        """Return the files that a text names: a file, those below a folder, or those of a glob.

        A folder or glob that is too large is skipped as a whole, because a part of it would be misleading.
        A folder that contains the notebook is never meant as a whole.
        """
        path = self.locate(base, text)
        if path is None or self.folder.is_relative_to(path):
            return set()
        if path not in self._found:
            self._found[path] = set()
            self._entries = 0
            with suppress(OSError, ValueError):  # no such file can exist, or it cannot be read
                try:
                    if os.path.exists(path):
                        self._found[path] = self._below(path) if _is_same(base / text, path) else set()
                    elif not WILDCARD.search(text):
                        self.searched.add(next(each for each in path.parents if each.is_dir()))
                    elif len(self.skipped) < MAX_SKIPPED:
                        self._found[path] = self._matching(path)
                    else:
                        self.is_cut = True
                except TooLargeError as error:
                    self.skipped[text] = str(error)
        return self._found[path]

    def find_package(self, folder: Path) -> set[Path]:
        """Return the files of a package, including its data."""
        try:
            self._entries = 0
            return self._below(folder)
        except TooLargeError as error:
            self.skipped[folder.name] = str(error)
            return set()

    def find_parent(self, base: Path, text: str) -> Path | None:
        """Return the innermost existing folder in which a path lies, or which it is itself."""
        fixed = "/".join(itertools.takewhile(lambda part: not WILDCARD.search(part), text.split("/")))
        path = self.locate(base, fixed or ".")
        while path is not None and not path.is_dir() and path != self.top:
            path = path.parent
        return path if path is not None and path.is_dir() and self.is_included(path) else None

    def is_included(self, path: Path) -> bool:
        """Return whether a path is in the project, after symbolic links are resolved, and not hidden.

        Hidden folders in which the notebook itself lies do not count.
        """
        common, real = os.path.commonpath([path, self.folder]), path.resolve()
        if any(map(_is_hidden, path.relative_to(common).parts)):
            return False
        if not real.is_relative_to(self.top):
            below = itertools.takewhile(self.top.__ne__, (path, *path.parents))
            *_, link = (each for each in below if not each.resolve().is_relative_to(self.top))
            self._skip_link(link, "it is a link that leads out of the project")
            return False
        return self._excluded is None or not real.is_relative_to(self._excluded)

    def _below(self, path: Path) -> set[Path]:
        if not self.is_included(path):
            return set()
        if path.is_file():
            return {path}
        found: set[Path] = set()
        waiting: list[tuple[Path, _Trail]] = [(path, ())]
        while waiting:
            folder, trail = waiting.pop()
            for entry in self._list(folder):
                each = Path(entry)
                if (inner := self._enter(entry, trail)) is not None:
                    waiting.append((each, inner))
                elif entry.is_file() and self.is_included(each):
                    found.add(each)
                    self._check_number(found)
        return found

    def _enter(self, entry: "os.DirEntry[str]", trail: _Trail) -> _Trail | None:
        """Return the trail of what is in a folder; None for no folder, or a link that is not followed.

        A trail has the folders, without symbolic links, in which links were followed.
        """
        if entry.is_dir(follow_symlinks=False):
            return trail
        path = Path(entry)
        if not entry.is_dir() or not self.is_included(path):
            return None
        real, trail = path.resolve(), (*trail, path.parent.resolve())
        if any(folder.is_relative_to(real) for folder in trail):
            self._skip_link(path, "it is a link to a folder in which it lies itself")
            return None
        return trail

    def _skip_link(self, path: Path, problem: str) -> None:
        if len(self.links) < MAX_SKIPPED:
            self.links[path] = problem

    def _matching(self, pattern: Path) -> set[Path]:
        """Return the files that match a glob, and those below the folders that match it."""
        found: set[Path] = set()
        if any("**" in part and part != "**" for part in pattern.parts):
            return found  # such as Markdown
        for match in self._expand(self.top, pattern.relative_to(self.top).parts, ()):
            if match != self.top and not self.folder.is_relative_to(match):
                found |= self._below(match)
                self._check_number(found)
        return found

    def _expand(self, folder: Path, parts: tuple[str, ...], trail: _Trail) -> Iterator[Path]:
        """Yield what matches the parts of a glob below a folder."""
        if not parts:
            yield folder
            return
        part, *rest = parts
        if not WILDCARD.search(part):
            if os.path.exists(folder / part):
                yield from self._expand(folder / part, tuple(rest), trail)
            elif folder.is_dir():
                self.searched.add(folder)
            return
        if part == "**":
            yield from self._expand(folder, tuple(rest), trail)
        for entry in self._list(folder):
            if part == "**":
                if (inner := self._enter(entry, trail)) is not None:
                    yield from self._expand(Path(entry), parts, inner)
            elif fnmatchcase(entry.name, part):
                yield from self._expand(Path(entry), tuple(rest), trail)

    def _list(self, folder: Path) -> Iterator["os.DirEntry[str]"]:
        """Yield the entries of a folder that are not hidden; none of what is not a folder."""
        if not folder.is_dir():
            return
        self.searched.add(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                self._entries += 1
                if self._entries > self._limits.static_entries:
                    raise TooLargeError(
                        f"it leads through folders with more than {self._limits.static_entries:,} entries"
                    )
                if not _is_hidden(entry.name) and Path(entry) != self._excluded:
                    yield entry

    def _check_number(self, found: set[Path]) -> None:
        if len(found) > self._limits.static_files:
            raise TooLargeError(f"it names more than {self._limits.static_files:,} files")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in IGNORED


def _is_same(path: Path, normal: Path) -> bool:
    """Return whether a path and its normal form, in which ``..`` ignores links, name the same file."""
    return os.path.realpath(path) == os.path.realpath(normal)
