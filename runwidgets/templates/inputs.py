"""Files and modules beside a notebook that it uses, so that it works as it is, wherever it runs."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

IGNORED = {"__pycache__", ".ipynb_checkpoints"}
GLOB = re.compile(r"[*?\[]")
MAX_FILES = 10_000
"""Files below one named folder; a notebook that names its home folder does not want all of it."""


def find_inputs(path: Path, sources: Iterable[str], globs: Iterable[str] = ()) -> list[str]:
    """Find the static files of a notebook.

    Taken are string literals of its code that name an existing file, folder or glob below the
    notebook's folder; sibling modules that it imports, and what these use; and declared globs. Nothing
    outside the folder is ever taken, nothing hidden, nor the notebook itself.

    Parameters
    ----------
    path : Path
        The notebook.
    sources : iterable of str
        Python code of its cells.
    globs : iterable of str
        Declared in its metadata.

    Returns
    -------
    list of str
        Relative POSIX paths, sorted.
    """
    folder = path.parent.resolve()
    found: set[Path] = set()
    waiting = list(sources)
    read: set[Path] = set()
    while waiting:
        literals, modules = _read(waiting.pop())
        for text in literals:
            found.update(_named(folder, text))
        for module in modules:
            for file in _module(folder, module):
                found.add(file)
                if file not in read:
                    read.add(file)
                    waiting.append(file.read_text("utf-8", "replace"))
    for pattern in globs:
        found.update(_named(folder, pattern))
    own = {path.resolve(), *_sidecars(path)}
    return sorted(file.relative_to(folder).as_posix() for file in found if file not in own)


def _read(source: str) -> tuple[set[str], set[str]]:
    """Return the string literals of some code, and the modules that it imports."""
    code = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n"))
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return set(), set()
    literals: set[str] = set()
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            literals.add(node.value)
        elif isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
            modules.update(
                f"{node.module}.{alias.name}" if node.module else alias.name for alias in node.names
            )
    return literals, modules


def _named(folder: Path, text: str) -> Iterator[Path]:
    """Yield the files that a literal names."""
    if (
        not text.strip("./ ")
        or len(text) > 1024
        or "\n" in text
        or "\0" in text
        or text.startswith(("/", "~"))
    ):
        return
    if ".." in Path(text).parts:
        return
    try:
        exact = folder / text
        matching = [exact] if exact.exists() else list(folder.glob(text)) if GLOB.search(text) else []
    except (OSError, ValueError, NotImplementedError):
        return
    for match in matching:
        if match.is_dir():
            below = [file for file in match.rglob("*") if file.is_file()]
            yield from (file for file in below[:MAX_FILES] if _is_ours(folder, file))
        elif match.is_file() and _is_ours(folder, match):
            yield match


def _module(folder: Path, module: str) -> Iterator[Path]:
    """Yield the files of a sibling module or package."""
    top = module.split(".")[0]
    if not top.isidentifier():
        return
    file = folder / f"{top}.py"
    if file.is_file() and _is_ours(folder, file):
        yield file
    package = folder / top
    if (package / "__init__.py").is_file():
        yield from (each for each in sorted(package.rglob("*.py")) if _is_ours(folder, each))


def _is_ours(folder: Path, file: Path) -> bool:
    """Say whether a file may be taken: below the folder, also behind its links, and not hidden."""
    parts = file.relative_to(folder).parts
    if any(part.startswith(".") or part in IGNORED for part in parts):
        return False
    return file.resolve().is_relative_to(folder)


def _sidecars(path: Path) -> set[Path]:
    return {path.with_suffix(".yaml").resolve(), path.with_name(path.name + ".yaml").resolve()}
