"""Arguments that a Python notebook overwrites or ignores, although it declares their parameters.

Arguments are injected after the parameters cell. A later cell that assigns a parameter again overwrites them,
and what the parameters cell itself computes from a parameter does not see them.
"""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from pathlib import Path

from nbformat import NotebookNode

from runwidgets.templates.cells.python_code import find_bound_names, parse_code
from runwidgets.templates.cells.reading import INJECTED_TAG, TAG

OTHER_CODE = re.compile(r"%%(?!capture\b|prun\b|time\b)")
"""The beginning of a cell that is not executed as Python in the notebook's namespace."""
RUN_LINE = re.compile(r"\s*%run\s+(?:-\w+\s+)*([\w./-]+\.py)\b")
MAX_MODULE = 1_000_000
"""Bytes of a module that is read at most."""
SHOWN = 20
"""Warnings about one notebook at most."""


def find_overwrites(
    notebook: NotebookNode, names: Set[str], assignments: Sequence[Sequence[str]]
) -> list[str]:
    """Return a warning for each parameter and cell that overwrites or ignores its argument.

    Parameters
    ----------
    notebook : NotebookNode
        A notebook in Python.
    names : set of str
        The parameters.
    assignments : sequence of sequence of str
        The result of `find_assignments`.

    Returns
    -------
    list of str
        Sentences that name the parameter and the cell; code cells count from 1.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tags = [set(cell.metadata.get("tags", [])) for cell in cells]
    tagged = [at for at, each in enumerate(tags) if TAG in each]
    if not tagged or not names:
        return []
    own = [statement for at in tagged for statement in _read(cells[at].source)]
    found = [
        f"{name}: the parameters cell computes it from '{used}' before an argument for '{used}' is set"
        for name, used in _computed(own, names)
    ]
    return [*found, *describe_overwrites(assignments, names)][:SHOWN]


def find_assignments(notebook: NotebookNode, folder: Path) -> list[list[str]]:
    """Return the names that each code cell assigns after arguments were set.

    Parameters
    ----------
    notebook : NotebookNode
        A notebook in Python.
    folder : Path
        Its folder, with modules of which cells take all names.

    Returns
    -------
    list of list of str
        By code cell; empty for a cell that is executed before, and for those that assign arguments.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tags = [set(cell.metadata.get("tags", [])) for cell in cells]
    first = next((at for at, each in enumerate(tags) if TAG in each), 0)  # arguments are set at the top
    return [
        []
        if at < first or tags[at] & {TAG, INJECTED_TAG}
        else list(dict.fromkeys([*_assigned(_read(cell.source)), *_loaded(cell.source, folder)]))
        for at, cell in enumerate(cells)
    ]


def describe_overwrites(assignments: Sequence[Sequence[str]], names: Collection[str]) -> list[str]:
    """Return a warning for each cell that assigns a parameter again.

    Parameters
    ----------
    assignments : sequence of sequence of str
        The result of `find_assignments`.
    names : collection of str
        The parameters.
    """
    found = [
        f"{name}: cell {at} assigns it again, which overwrites its argument"
        for at, assigned in enumerate(assignments, 1)
        for name in assigned
        if name in names
    ]
    return found[:SHOWN]


def _read(source: str) -> Sequence[ast.stmt]:
    """Return the statements of a cell, or none if it is not Python."""
    if OTHER_CODE.match(source.lstrip()):
        return []
    try:
        return parse_code(source)[0].body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _computed(statements: Iterable[ast.stmt], names: Set[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that some statements compute from a parameter, and the parameter."""
    for statement in statements:
        value = getattr(statement, "value", None)
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and value is not None:
            for name in _targets(statement):
                yield from ((name, used) for used in sorted(_names(value) & names - {name}))


def _assigned(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the names that some statements always give a value that does not depend on the one before."""
    for statement in statements:
        if isinstance(statement, (ast.With, ast.AsyncWith, ast.Try)):
            yield from _assigned(statement.body)
        if isinstance(statement, ast.Try):
            yield from _assigned(statement.finalbody)
        if isinstance(statement, (ast.If, ast.While)) and _is_true(statement.test):
            yield from _assigned(statement.body)
        yield from _named(statement)
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            used = _names(statement.value) if statement.value is not None else set(_targets(statement))
            yield from (name for name in _targets(statement) if name not in used)
        else:
            yield from _targets(statement)


def _named(node: ast.AST) -> Iterator[str]:
    """Yield the names that the expressions of a statement certainly assign, by ``:=``."""
    if isinstance(node, ast.NamedExpr) and node.target.id not in _names(node.value):
        yield node.target.id
    parts: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.BoolOp):
        parts = node.values[:1]
    elif isinstance(node, ast.IfExp):
        parts = [node.test]
    elif isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return
    for part in parts:
        if isinstance(part, (ast.expr, ast.keyword, ast.withitem)):
            yield from _named(part)


def _loaded(source: str, folder: Path) -> Iterator[str]:
    """Yield the names of the modules in a folder from which a cell takes all: ``import *`` and ``%run``."""
    stars = [
        f"{statement.module.replace('.', '/')}.py"
        for statement in _read(source)
        if isinstance(statement, ast.ImportFrom) and statement.module and statement.names[0].name == "*"
    ]
    runs = [found[1] for found in map(RUN_LINE.match, source.split("\n")) if found]
    for name in [*stars, *runs]:
        file = (folder / name).resolve()
        if file.is_relative_to(folder) and file.is_file() and file.stat().st_size <= MAX_MODULE:
            names = sorted(find_bound_names(file.read_text("utf-8", "replace")))
            yield from (each for each in names if name in runs or not each.startswith("_"))


def _is_true(test: ast.expr) -> bool:
    """Return whether a condition is a literal that holds, as of a block that was switched on."""
    return isinstance(test, ast.Constant) and bool(test.value)


def _targets(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds itself."""
    if isinstance(statement, ast.Assign):
        targets: list[ast.expr] = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.For, ast.AsyncFor)):
        targets = [statement.target]
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        targets = [item.optional_vars for item in statement.items if item.optional_vars is not None]
    elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        return
    else:
        return
    yield from (name for target in targets for name in _bound(target))


def _bound(target: ast.expr) -> Iterator[str]:
    """Yield the names that the target of an assignment binds."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Starred):
        yield from _bound(target.value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        yield from (name for each in target.elts for name in _bound(each))


def _names(node: ast.expr) -> set[str]:
    """Return the names that an expression uses."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
