"""Files and modules beside a notebook that it uses, and that a run therefore needs a copy of."""

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from runwidgets.templates.cells.python_code import parse_code

IGNORED = {"__pycache__", ".ipynb_checkpoints"}
GLOB = re.compile(r"[*?\[]")
NOT_PLAIN = re.compile(r"\[[^\]]*\]|[^\w]")
"""The wildcards and punctuation of a glob; a glob without other characters matches every file."""
MAGIC_WORD = re.compile(r"[^\s'\"=;|&<>()]+")
MAX_FILES = 10_000
"""Maximum number of files in a named folder. A larger folder is skipped as a whole, because a
part of it would be misleading; with ``config={"cwd": "notebook"}`` the notebook runs beside it."""
MAX_MODULE = 1_000_000
"""Maximum size of a Python file that is parsed for its own inputs, in bytes."""


def find_inputs(path: Path, sources: Iterable[str], globs: Iterable[str] = ()) -> list[str]:
    """Find the static files of a notebook.

    The inputs are string literals of its code that name an existing file, folder or glob below the
    notebook's folder; sibling modules that it imports, and their inputs; and declared globs. Files
    outside the folder, hidden files and the notebook itself are never included.

    Parameters
    ----------
    path : Path
        The notebook.
    sources : iterable of str
        Python code of the cells.
    globs : iterable of str
        Globs declared in the metadata.

    Returns
    -------
    list of str
        Relative POSIX paths, sorted.
    """
    folder = path.parent.resolve()
    read: set[Path] = set()
    waiting = list(sources)
    while waiting:
        literals, modules = _read(waiting.pop())
        used = {file for text in literals if _is_name(text) for file in _matching_files(folder, text)}
        used.update(file for module in modules for file in _module_files(folder, module))
        for file in used - read:
            if file.suffix == ".py" and file.stat().st_size <= MAX_MODULE:
                waiting.append(file.read_text("utf-8", "replace"))
        read |= used
    found = read.union(*(_matching_files(folder, pattern) for pattern in globs))
    template_files = {folder / path.name, folder / f"{path.name}.yaml"}
    return sorted(file.relative_to(folder).as_posix() for file in found - template_files)


def find_imports(folder: Path, sources: Iterable[str]) -> list[str]:
    """Find the modules that a notebook imports from outside its own folder.

    Parameters
    ----------
    folder : Path
        The notebook's folder; Python would import a module there in preference to an installed one.
    sources : iterable of str
        Python code of the cells.

    Returns
    -------
    list of str
        Absolute names, sorted. ``from a import b`` yields ``a.b``, which may be an attribute of a module.
    """
    names = set().union(*(_read(source)[1] for source in sources)) if sources else set()
    return sorted(
        name.removesuffix(".*")
        for name in names
        if not any((folder / f"{name.partition('.')[0]}{suffix}").exists() for suffix in ("", ".py"))
    )


def _read(source: str) -> tuple[set[str], set[str]]:
    """Return the strings in some code that may name files, and the modules that it imports."""
    try:
        tree, code = parse_code(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(), set()
    literals: set[str] = set()
    modules: set[str] = set()
    for before, after in zip(source.split("\n"), code.split("\n"), strict=True):
        if before != after:
            literals.update(MAGIC_WORD.findall(before))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            literals.add(node.value)
        elif isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = f"{node.module}." if node.module else ""
            modules.update(f"{start}{alias.name}" for alias in node.names)
    return literals, modules


def _is_name(text: str) -> bool:
    """Return whether a string in some code may name files."""
    return bool(NOT_PLAIN.sub("", text)) if GLOB.search(text) else bool(text.strip("./ "))


def _matching_files(folder: Path, text: str) -> Iterator[Path]:
    """Yield the files that a string names."""
    is_path = 0 < len(text) <= 1024 and not any(character in text for character in "\n\0")
    if not is_path or text.startswith(("/", "~")) or ".." in Path(text).parts:
        return
    try:
        exact = folder / text
        matching = [exact] if exact.exists() else _limited(folder.glob(text)) if GLOB.search(text) else []
        for match in matching:
            below = _limited(match.rglob("*")) if match.is_dir() and _is_included(folder, match) else [match]
            yield from (file for file in below if file.is_file() and _is_included(folder, file))
    except (OSError, ValueError, NotImplementedError, IndexError):
        return


def _limited(files: Iterator[Path]) -> list[Path]:
    """Return all files, or none if there are too many."""
    limited = list(islice(files, MAX_FILES + 1))
    return limited if len(limited) <= MAX_FILES else []


def _module_files(folder: Path, module: str) -> Iterator[Path]:
    """Yield the files of a sibling module or package, including its data files."""
    parts = module.split(".")
    if not all(part.isidentifier() for part in parts):
        return
    directory = folder
    for part in parts:
        file = directory / f"{part}.py"
        if file.is_file() and _is_included(folder, file):
            yield file
        directory = directory / part
        if (directory / "__init__.py").is_file() and _is_included(folder, directory):
            yield from (
                each
                for each in _limited(directory.rglob("*"))
                if each.is_file() and _is_included(folder, each)
            )
            return


def _is_included(folder: Path, file: Path) -> bool:
    """Return whether a file is below the folder, after symbolic links are resolved, and not hidden."""
    parts = file.relative_to(folder).parts
    if any(part.startswith(".") or part in IGNORED for part in parts):
        return False
    return file.resolve().is_relative_to(folder)
