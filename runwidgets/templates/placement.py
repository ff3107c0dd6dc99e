"""Where the uploads of a run lie in the folder in which it starts: no file covers another one unnoticed.

An upload lies where its target says, or else under its own name. Two uploads of one name get folders of their
own, and so does an upload that a Python import would find instead of a module, or whose name the code uses,
because it may overwrite the file, or take it for its own. What would cover a file beside the notebook is
refused, unless the target names the path.
"""

import posixpath
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.machinery import all_suffixes
from itertools import count
from pathlib import PurePosixPath

from runwidgets.errors import InvalidArgumentError
from runwidgets.templates.texts import shorten

RUNS_PARAMETER = "runs"
"""The parameter that is set to the folder with the results of a sweep."""


@dataclass(frozen=True, kw_only=True)
class GivenFile:
    """An upload that is an argument."""

    parameter: str
    """Name of its parameter."""
    name: str
    """File name of the upload."""
    sha256: str
    target: str | None = None
    """Its path, relative to the folder in which the notebook runs; the path of a folder ends in ``/``."""
    defaults: tuple[str, ...] = ()
    """The paths that the parameter has by default."""
    is_used: bool = False
    """Whether a path in the code, a declared output or another value begins with its name."""

    @property
    def path(self) -> str:
        """The path that the target and the name make."""
        target = self.target or "./"
        return posixpath.normpath(target + self.name if target.endswith("/") else target)

    @property
    def is_named(self) -> bool:
        """Whether the target names the path, and not only a folder."""
        return self.target is not None and not self.target.endswith("/")


class Placement:
    """Finds paths for the uploads of runs of one template.

    Parameters
    ----------
    static : mapping of str to str
        SHA-256 of the static files, by path in the working folder.
    imports : iterable of str, optional
        Modules that the notebook imports from elsewhere.
    place : str, optional
        Path of the folder in which the notebook runs, in the working folder.
    folders : iterable of str, optional
        Other folders in the working folder.
    """

    def __init__(
        self,
        static: Mapping[str, str],
        imports: Iterable[str] = (),
        *,
        place: str = ".",
        folders: Iterable[str] = (),
    ) -> None:
        self._place = place
        self._static = {posixpath.relpath(path, place): sha256 for path, sha256 in static.items()}
        own = [posixpath.relpath(path, place) for path in folders]
        self._folders = {folder: path for path in self._static for folder in _folders(path)}
        self._folders |= {folder: path for path in own for folder in (path, *_folders(path))}
        imported = {name.partition(".")[0] for name in imports} | sys.stdlib_module_names
        self._modules = imported | {_module(path) for path in self._static if path.startswith("../")}
        self._reserved: dict[str, str] = {}

    def reserve(self, folder: str, content: str) -> str:
        """Keep a folder free of uploads, and return its name, which is numbered if it is taken."""
        name = self._free_name(folder, self._reserved)
        self._reserved[name] = content
        return name

    def place(self, given: Sequence[GivenFile]) -> list[str]:
        """Return the path of each upload; none is equal to another, or inside another.

        Raises
        ------
        InvalidArgumentError
            The targets of two uploads are equal, or one is inside the other, or an upload would cover a file
            that the notebook has beside it.
        """
        taken = self._reserved.copy()
        named = {at: self._place_at_target(file, taken) for at, file in enumerate(given) if file.target}
        rest = {at: file for at, file in enumerate(given) if at not in named}
        names = Counter(file.name for file in rest.values())
        plain = {
            at: file.name
            for at, file in rest.items()
            if names[file.name] == 1 and self._fits_under_its_name(file, taken)
        }
        taken |= {path: f"that of {rest[at].parameter}" for at, path in plain.items()}
        apart = {at: self._place_apart(file, taken) for at, file in rest.items() if at not in plain}
        return [path for _, path in sorted({**named, **plain, **apart}.items())]

    def _place_at_target(self, file: GivenFile, taken: dict[str, str]) -> str:
        is_named = file.is_named
        path = posixpath.normpath(posixpath.join(self._place, file.path))
        if path == "." or path.startswith(".."):
            raise InvalidArgumentError(
                file.parameter,
                f"its targetPath '{shorten(file.path)}' is outside the folder that a run has a copy of",
                "give it a path inside it; a run has a copy of the project if the notebook names a file "
                "above its own folder",
            )
        file = replace(file, target=posixpath.relpath(path, self._place))
        other = _find_conflict(file.path, taken)
        if other is not None:
            raise InvalidArgumentError(
                file.parameter,
                f"its file is to lie at '{shorten(file.path)}', and {taken[other]} at '{shorten(other)}'",
                "give it another targetPath",
            )
        self._refuse_cover(file, may_replace=is_named)
        taken[file.path] = f"that of {file.parameter}"
        return file.path

    def _fits_under_its_name(self, file: GivenFile, taken: Mapping[str, str]) -> bool:
        """Return whether an upload without a target may lie under its own name."""
        if _find_conflict(file.name, taken) is not None or self._is_module(file.name):
            return False
        is_default = file.name in map(posixpath.normpath, file.defaults)
        if is_default and self._static.get(file.name, file.sha256) != file.sha256:
            return False  # it takes the place of the default, which other cells may read as well
        self._refuse_cover(file, may_replace=False)
        return not file.is_used

    def _place_apart(self, file: GivenFile, taken: dict[str, str]) -> str:
        """Return a path in a folder that is named like the parameter, and holds nothing else."""
        folder = self._free_name(file.parameter, taken)
        taken[folder] = f"that of {file.parameter}"
        return f"{folder}/{file.name}"

    def _free_name(self, name: str, taken: Mapping[str, str]) -> str:
        """Return a name, numbered if need be, that no file and no folder has."""
        return next(
            each
            for each in _numbered(name)
            if _find_conflict(each, taken) is None and self._find_covered(each) is None
        )

    def _refuse_cover(self, file: GivenFile, *, may_replace: bool) -> None:
        covered = self._find_covered(file.path)
        if covered is None:
            return
        is_file = covered == file.path and covered in self._static
        is_same = is_file and (may_replace or self._static[covered] == file.sha256)
        if not is_same:
            raise InvalidArgumentError(
                file.parameter,
                f"its file '{shorten(file.path)}' would cover '{shorten(covered)}' beside the notebook",
                "rename the file, or give it a targetPath",
            )

    def _find_covered(self, path: str) -> str | None:
        """Return a file beside the notebook that could not lie beside an upload with a path."""
        above = (each for each in (path, *_folders(path)) if each in self._static)
        return next(above, None) or self._folders.get(path)

    def _is_module(self, name: str) -> bool:
        """Return whether an import would find a file with a name instead of a module."""
        return name.partition(".")[0] in self._modules and name.endswith(tuple(all_suffixes()))


def _find_conflict(path: str, taken: Collection[str]) -> str | None:
    """Return the path among some that is equal to a path, inside it, or the folder in which it lies."""
    above = [path, *_folders(path)]
    return next((each for each in taken if each in above or each.startswith(f"{path}/")), None)


def _module(path: str) -> str:
    """Return the name under which code may import a file: its own, or that of its package."""
    file = PurePosixPath(path)
    return file.parent.name if file.stem == "__init__" else file.name.partition(".")[0]


def _folders(path: str) -> list[str]:
    """Return the folders in which a path lies, the innermost first."""
    return [each.as_posix() for each in PurePosixPath(path).parents][:-1]


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))
