"""Static files: what a notebook uses of its folder and its project, and a run therefore needs a copy of.

The paths that the code names, and those of the modules that it imports, are looked up until nothing is added:
a module may name files and import others. If one of them is outside the folder of the notebook, the working
folder of a run mirrors the whole project, and the run starts in the notebook's place within it.
"""

import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from importlib.machinery import all_suffixes
from pathlib import Path

from runwidgets.limits import Limits
from runwidgets.templates.surroundings.climbing import Climb
from runwidgets.templates.surroundings.companions import find_companions
from runwidgets.templates.surroundings.path_values import ANY, Names, PathValue
from runwidgets.templates.surroundings.project import (
    MAX_LENGTH,
    MAX_SKIPPED,
    PROJECT_MARKERS,
    WILDCARD,
    Project,
    find_project,
)
from runwidgets.templates.surroundings.references import CodeReferences, read_other_language, read_references
from runwidgets.templates.surroundings.working_folder import first_name
from runwidgets.templates.texts import shorten, text_problem

NOT_PLAIN = re.compile(r"\[[^\]]*\]|[^\w]")
"""The wildcards and punctuation of a glob; a glob without other characters matches every file."""
ROOT_FINDERS = {"pyprojroot", "pyprojroot.here", "pyrootutils", "rootutils"}
"""Modules that find the project of a notebook."""
MAX_MODULE = 1_000_000
"""Maximum size of a Python file that is parsed for its own inputs, in bytes."""
MAX_NOTEBOOK = 20_000_000
"""Maximum size of another notebook that is read, because the code may run it, in bytes."""
MAX_OUTSIDE = 10
"""Paths outside the project that are named in warnings."""
MAX_ROUNDS = 8
"""How often the code is read at most, as long as new modules are found."""


@dataclass(frozen=True, kw_only=True)
class StaticFiles:
    """The files that a run of a notebook needs, and where it runs."""

    top: Path
    """The folder that the working folder of a run mirrors: that of the notebook, or its project."""
    place: str
    """Path of the notebook's folder in it; ``.`` if it is that folder."""
    files: list[str]
    """Paths relative to it, sorted."""
    folders: list[str]
    """Other folders in which the code may write or look, relative to it, sorted."""
    watched: list[str]
    """Folders in which further files may appear, relative to it, sorted."""
    imports: list[str]
    """Modules that the notebook imports from elsewhere, sorted; some may be attributes of modules."""
    warnings: list[str]
    """What is too large, in sentences."""
    used_names: list[str]
    """Names in the folder of the notebook with which paths in the code may begin, sorted."""


def find_static_files(
    path: Path,
    sources: Iterable[str],
    globs: Iterable[str] = (),
    *,
    defaults: Iterable[str] = (),
    outputs: Iterable[str] = (),
    targets: Iterable[str] = (),
    parameters: Iterable[str] = (),
    parameters_cells: Iterable[str] = (),
    excluded: Iterable[Path] = (),
    is_python: bool = True,
    limits: Limits | None = None,
    root: Path | None = None,
    runs: Path | None = None,
) -> StaticFiles:
    """Find the static files of a notebook.

    They are what its strings and paths name, a file, a folder or a glob; the modules that it imports, and
    what they name; and declared globs. Hidden files, files outside the project and the notebook itself are
    never included.

    Parameters
    ----------
    path : Path
        The notebook.
    sources : iterable of str
        Code of the cells.
    globs : iterable of str
        Declared globs.
    defaults : iterable of str
        Paths that parameters have by default.
    outputs : iterable of str
        Declared outputs, which may lie elsewhere in the project.
    targets : iterable of str
        Where uploads are to lie, which may be elsewhere in the project.
    parameters : iterable of str
        Names of the parameters, whose values are unknown.
    parameters_cells : iterable of str
        Code of the cells that assign them, whose strings are values of parameters.
    excluded : iterable of Path
        Files that are not included, such as the sidecar.
    runs : Path, optional
        The folder of the instance, of which nothing is included: it has the runs of all users.
    is_python : bool
        Whether the code is Python.
    limits : Limits, optional
        ``static_files`` and ``static_entries``.
    root : Path, optional
        The folder that must contain them; None for no restriction.

    Returns
    -------
    StaticFiles
        What was found.
    """
    folder = path.parent.resolve()
    top = find_project(folder, root.resolve() if root else None)
    project = Project(folder, top, limits or Limits(), runs.resolve() if runs else None)
    search = _Search(project=project, parameters_cells=set(parameters_cells))
    for name in parameters:
        search.names.forget(name)
    if is_python:
        search.read_python(list(sources))
    else:
        for source in sources:
            references = read_other_language(source)
            search.add(references)
            search.add_names(references, source)
    for pattern in globs:
        search.add_declared(pattern)
    for default in defaults:
        search.add_text(folder, default)
    for written in (*outputs, *targets):
        search.add_parent(folder, written)
    search.add_companions()
    search.files -= {folder / path.name, folder / f"{path.name}.yaml", *excluded}
    return search.result()


@dataclass(kw_only=True)
class _Search:
    """What was found so far."""

    project: Project
    parameters_cells: set[str] = field(default_factory=set)
    used_names: set[str] = field(default_factory=set)
    files: set[Path] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)
    search_folders: dict[Path, None] = field(default_factory=dict)
    """Where modules are looked up beside the working folders."""
    imports: set[str] = field(default_factory=set)
    names: Names = field(default_factory=Names)
    is_climbing: bool = False
    """Whether the code names a path above the notebook's folder, in which it may also look or write."""
    outside: dict[str, None] = field(default_factory=dict)
    """Paths that lead out of the project."""
    climbs: dict[Climb, bool] = field(default_factory=dict)
    """By what the code finds a folder above, and whether the project has one."""
    unmatched: dict[str, None] = field(default_factory=dict)
    """Declared globs that match nothing."""

    def __post_init__(self) -> None:
        self.working_folders = {self.project.folder: None}
        self._current = self.project.folder

    def read_python(self, cells: list[str]) -> None:
        """Read cells and the modules that they import, until nothing is added."""
        state = None
        for _ in range(MAX_ROUNDS):
            if state == (state := self._state()):
                break
            self._current = self.project.folder
            for source in cells:
                references = read_references(source, self.names)
                self.imports |= references.modules
                self.add(references)
                self.add_names(references, source)
            for file in sorted(self.files):
                if file.suffix == ".py" and file.stat().st_size <= MAX_MODULE:
                    value = PathValue(os.path.relpath(file, self.project.folder), is_absolute=True)
                    references = read_references(file.read_text("utf-8", "replace"), self.names, value)
                    self.add(references, file)
                    self.add_names(references)
                elif file.suffix == ".ipynb" and file.stat().st_size <= MAX_NOTEBOOK:
                    for source in _read_cells(file):
                        references = read_references(source, self.names)
                        self.add(references)
                        self.add_names(references)

    def add(self, references: CodeReferences, file: Path | None = None) -> None:
        """Add what some code names; given the module that it is, or None for a cell."""
        for text in references.working_folders:
            changed = self.project.locate(self._current, text)
            if changed is not None and changed.is_dir():
                self._current = changed
                self.working_folders[changed] = None
        for marker in PROJECT_MARKERS:
            if marker in references.texts or ROOT_FINDERS & references.modules:
                self._add_marker(self.project.top, marker)
        start = self._current if file is None else file.parent
        for climb in references.climbs:
            self._follow_climb(start, climb)
        if references.is_climbing:
            above = itertools.takewhile(lambda each: each.is_relative_to(self.project.top), start.parents)
            self.working_folders.update(dict.fromkeys(above))
        for base in self.working_folders.copy():
            for text in filter(_is_climbing, (*references.texts, *references.paths)):
                if self.project.locate(base, text) is not None:
                    self.is_climbing = True
                elif base == self.project.folder and len(self.outside) < MAX_OUTSIDE:
                    self.outside[text] = None
            for text in references.search_folders:
                found = self.project.locate(base, text)
                if found is not None and found.is_dir() and self.project.is_included(found):
                    self.search_folders[found] = None
            for text in filter(_is_name, references.texts):
                self.add_text(base, text, is_named=text.startswith("../"))
            for text in filter(_is_specific, references.paths):
                if ANY in text and not _is_name(text):
                    self.add_parent(base, text)
                else:
                    self.add_text(base, text, is_named=True)
        for module in references.modules:
            for folder in (*self.working_folders, *self.search_folders):
                self.files |= self._module_files(folder, module)
        if file is not None:
            for level, module in references.relative_modules:
                self.files |= self._module_files(file.parents[min(level, len(file.parents)) - 1], module)

    def add_names(self, references: CodeReferences, source: str | None = None) -> None:
        """Add the names with which paths in some code may begin, unless that only assigns parameters."""
        if source is None or source not in self.parameters_cells:
            texts = (text for text in (*references.texts, *references.paths) if len(text) <= MAX_LENGTH)
            names = {first_name(text) for text in texts if "\n" not in text and not text_problem(text)}
            self.used_names |= names

    def add_text(self, base: Path, text: str, *, is_named: bool = False) -> None:
        """Add the files that a text names; if there is none, the folder in which it may be written."""
        found = self.project.find_files(base, text)
        self.files |= found
        if not found and text not in self.project.skipped and ("/" in text or is_named):
            self.add_parent(base, text, is_named=is_named)

    def add_declared(self, glob: str) -> None:
        """Add the files that a declared path or glob names."""
        self.add_text(self.project.folder, glob)
        is_found = self.project.find_files(self.project.folder, glob) or glob in self.project.skipped
        if not is_found and len(self.unmatched) < MAX_OUTSIDE:
            self.unmatched[glob] = None

    def add_companions(self) -> None:
        """Add the files that libraries open along with those that were found."""
        companions = {each for file in self.files for each in find_companions(file)}
        self.files |= set(filter(self.project.is_included, companions))

    def add_parent(self, base: Path, text: str, *, is_named: bool = True) -> None:
        """Add the existing folder in which a path lies; one outside the notebook's only if it is named so."""
        found = self.project.find_parent(base, text)
        if found is not None and (is_named or found.is_relative_to(self.project.folder)):
            self.folders.add(found)

    def _add_marker(self, folder: Path, marker: str) -> bool:
        """Add the file or folder by which the code finds a folder, and then names files in it.

        A hidden file may hold secrets: only an empty one is copied, of another one only the name is there.
        """
        path = folder / marker
        if not os.path.lexists(path):
            return False
        self.working_folders[folder] = None
        is_copied = path.is_file() and (self.project.is_included(path) or not path.stat().st_size)
        (self.files if is_copied else self.folders).add(path)
        return True

    def _follow_climb(self, start: Path, climb: Climb) -> None:
        """Add the folder that the code finds on its way up from another one."""
        found = False
        for folder in (start, *start.parents):
            if found or not folder.is_relative_to(self.project.top):
                break
            if not climb.is_name:
                found = self._add_marker(folder, climb.text)
            elif folder.name == climb.text and folder != self.project.top:
                self.working_folders[folder] = None
                found = True
        self.climbs[climb] = found or self.climbs.get(climb, False)

    def result(self) -> StaticFiles:
        """Return what was found, relative to the folder that contains it all."""
        folder = self.project.folder
        used = {*self.files, *self.folders, *self.search_folders, *self.working_folders}
        is_outside = any(not each.is_relative_to(folder) for each in used)
        top = self.project.top if is_outside or self.is_climbing else folder
        return StaticFiles(
            top=top,
            place=folder.relative_to(top).as_posix(),
            files=sorted(each.relative_to(top).as_posix() for each in self.files),
            folders=sorted(each.relative_to(top).as_posix() for each in self.folders - {folder}),
            watched=sorted(os.path.relpath(each, top) for each in self.project.searched),
            imports=sorted(self._others()),
            warnings=list(self._describe_problems()),
            used_names=sorted(self.used_names - {"", ".", ".."}),
        )

    def _describe_problems(self) -> Iterator[str]:
        """Yield a warning for everything that runs do not get."""
        other = 'or use the config {"cwd": "notebook"}'
        for text, problem in self.project.skipped.items():
            yield f"'{shorten(text)}': {problem}, so that runs get none of them; name less, {other}"
        if self.project.is_cut:
            yield f"further globs were not looked up, because {MAX_SKIPPED} folders and globs are too large"
        for path, problem in self.project.links.items():
            name = shorten(os.path.relpath(path, self.project.folder))
            yield f"'{name}': {problem}, so that runs do not get it; copy it into the project, {other}"
        for text in self.unmatched:
            yield f"files: '{shorten(text)}' matches no file in the project"
        for text in self.outside:
            yield (
                f"'{shorten(text)}' is outside the project, so that runs do not read it, and keep what "
                "they write there among their results; mark a folder above with an empty file .runwidgets, "
                f"{other}"
            )
        if self.climbs and not any(self.climbs.values()):
            texts = ", ".join(f"'{shorten(each.text)}'" for each in list(self.climbs)[:MAX_OUTSIDE])
            yield (
                f"{texts}: the code looks for it in the folders above, where a run does not find it; mark "
                f"the folder above it with an empty file .runwidgets, {other}"
            )

    def _state(self) -> object:
        sizes = len(self.files), len(self.search_folders), len(self.working_folders)
        return sizes, dict(self.names.values)

    def _module_files(self, folder: Path, module: str) -> Set[Path]:
        """Return the files of a module or package in a folder, including its data files."""
        found: set[Path] = set()
        parts = module.removesuffix(".*").split(".")
        if not all(part.isidentifier() for part in parts) or not folder.is_relative_to(self.project.top):
            return found
        for part in parts:
            files = [folder / f"{part}{suffix}" for suffix in all_suffixes()]
            found |= {file for file in files if file.is_file() and self.project.is_included(file)}
            folder = folder / part
            if (folder / "__init__.py").is_file():
                return found | self.project.find_package(folder)
        return found

    def _others(self) -> set[str]:
        """Return the imported modules that Python would not find in the project."""
        folders = [*self.working_folders, *self.search_folders]
        return {
            name.removesuffix(".*")
            for name in self.imports
            if not any(
                os.path.exists(folder / f"{name.partition('.')[0]}{suffix}")
                for folder in folders
                for suffix in ("", ".py")
            )
        }


def _read_cells(notebook: Path) -> list[str]:
    """Return the code cells of a notebook; none if it is not one."""
    try:
        cells = json.loads(notebook.read_bytes())["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []


def _is_climbing(text: str) -> bool:
    """Return whether a text is the path of something above a folder."""
    is_path = text.startswith("../") and "\n" not in text and len(text) <= MAX_LENGTH
    return is_path and text.strip("./ ") != ""


def _is_name(text: str) -> bool:
    """Return whether a string in some code may name files."""
    return bool(NOT_PLAIN.sub("", text)) if WILDCARD.search(text) else bool(text.strip("./ "))


def _is_specific(text: str) -> bool:
    """Return whether the value of an expression may name files, and not only what is unknown."""
    return not text.startswith(ANY) and (ANY not in text or "/" in text)
