"""Python code of cells: its syntax tree, its comments, and which names it assigns, declares or changes."""

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

from runwidgets.templates.cells.literals import name_of

MAGIC = re.compile(r"[%!?]|[\w, ]+=\s*[%!]|.*\?$")
MAX_SOURCE_MAGICS = 200
"""Lines of IPython syntax that one cell may have."""
ASSIGNING_MAGICS = re.compile(r"\s*%(run|load|load_ext|store)\b")
"""Lines that may assign names which the cell does not show."""
ASSIGNING_CALLS = {"exec", "eval", "globals", "locals", "vars"}
CHANGING_METHODS = {
    "add",
    "append",
    "clear",
    "difference_update",
    "discard",
    "extend",
    "insert",
    "intersection_update",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "symmetric_difference_update",
    "update",
}
"""Methods of lists, sets and dictionaries that change them."""


@dataclass(frozen=True)
class Assignment:
    """A statement that gives a name a value, declares it, changes its value, or takes the name away."""

    name: str
    statement: ast.stmt
    annotation: ast.expr | None = None
    value: ast.expr | None = None
    _: KW_ONLY
    """The value, if the statement shows it."""
    is_change: bool = False
    """Whether it only changes a value that the name has already."""

    @property
    def field(self) -> ast.Call | None:
        """The call of pydantic's ``Field`` that is the value."""
        is_field = isinstance(self.value, ast.Call) and name_of(self.value.func) == "Field"
        return self.value if is_field else None  # type: ignore[return-value]

    @property
    def is_declaration(self) -> bool:
        """Whether it gives no value."""
        return isinstance(self.statement, ast.AnnAssign) and self.statement.value is None


def parse_code(source: str) -> tuple[ast.Module, str]:
    """Parse the code of a cell, which may contain IPython syntax.

    A line is replaced by a blank one only if Python fails at it, so a ``%`` in an expression or in a string
    that spans lines is preserved.

    Parameters
    ----------
    source : str
        The code of the cell.

    Returns
    -------
    tree : ast.Module
        The syntax tree.
    code : str
        The Python code of the tree, with the same line numbers.

    Raises
    ------
    SyntaxError
        The code is not Python; other errors are ``ValueError``, ``RecursionError`` and ``MemoryError``.
    """
    lines = source.split("\n")
    for _ in range(MAX_SOURCE_MAGICS):
        code = "\n".join(lines)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(code), code
        except SyntaxError as error:
            at = (error.lineno or 0) - 1
            if not (0 <= at < len(lines) and MAGIC.match(lines[at].strip())):
                raise
            indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            lines[at] = f"{indent}pass"
    raise SyntaxError("it has too many lines that are not Python")


def trailing_comments(source: str) -> dict[int, str]:
    """Return the comments that follow code, by line number."""
    found = {}
    lines = source.split("\n")
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            line, column = token.start
            if token.type == tokenize.COMMENT and lines[line - 1][:column].strip():
                found[line] = token.string.lstrip("#").strip()
    except tokenize.TokenError:
        return found
    return found


def read_assignments(statement: ast.stmt) -> Iterator[Assignment]:
    """Yield the assignments of a statement to plain names, and the changes of what names hold."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        if name_of(statement.annotation) != "TypeAlias":
            yield Assignment(statement.target.id, statement, statement.annotation, statement.value)
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _unpacked(statement, target, statement.value)
    elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield Assignment(statement.name, ast.Delete([]))
    elif isinstance(statement, ast.Delete):
        yield from (Assignment(name_of(node), statement) for node in statement.targets)
    else:
        yield from (Assignment(name, statement, is_change=True) for name in sorted(bound_names(statement)))
    yield from (Assignment(name, statement, is_change=True) for name in sorted(_changed_names(statement)))


def _unpacked(statement: ast.stmt, target: ast.expr, value: ast.expr | None) -> Iterator[Assignment]:
    """Yield the names of a target, each with its own part of the value if that can be seen."""
    if isinstance(target, ast.Name):
        yield Assignment(target.id, statement, None, value)
    elif isinstance(target, ast.Starred):
        yield from _unpacked(statement, target.value, None)
    elif isinstance(target, (ast.Tuple, ast.List)):
        parts: list[ast.expr | None] = [None] * len(target.elts)
        if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
            is_plain = not any(isinstance(each, ast.Starred) for each in (*value.elts, *target.elts))
            parts = [*value.elts] if is_plain else parts
        for each, part in zip(target.elts, parts, strict=True):
            yield from _unpacked(statement, each, part)


def _changed_names(statement: ast.stmt) -> set[str]:
    """Return the names whose objects a statement changes in place."""
    changed: set[str] = set()
    for node in _nodes(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changed |= {name_of(node.func.value)} if node.func.attr in CHANGING_METHODS else set()
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
            changed.add(name_of(node.value))
    return changed - {""}


def bound_names(tree: ast.AST) -> set[str]:
    """Return the names that code assigns in its own scope."""
    found: set[str] = set()
    for node in _nodes(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((each.asname or each.name).partition(".")[0] for each in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
    return found


def assigns_unseen(tree: ast.Module, source: str) -> bool:
    """Return whether a cell may assign names that it does not show."""
    nodes = list(_nodes(tree))
    stars = any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes)
    calls = any(isinstance(node, ast.Call) and name_of(node.func) in ASSIGNING_CALLS for node in nodes)
    return stars or calls or any(map(ASSIGNING_MAGICS.match, source.split("\n")))


def find_bound_names(source: str) -> set[str]:
    """Return the names that a cell assigns or imports; none if it is not Python."""
    try:
        return bound_names(parse_code(source)[0])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


def annotation_names(tree: ast.Module) -> set[str]:
    """Return the names that Python looks up when it evaluates the annotations of a cell."""
    parts: list[ast.AST] = []
    for node in _nodes(tree):
        if isinstance(node, ast.AnnAssign):
            parts += [node.annotation, *([node.value] if node.value is not None else [])]
    nodes = [node for part in parts for node in ast.walk(part)]
    modules = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    return {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in modules}


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of code that is executed in its own scope: not those inside functions and classes."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield child
        elif isinstance(child, ast.comprehension):
            for part in (child.iter, *child.ifs):
                yield from _nodes(part)
        elif not isinstance(child, ast.Lambda):
            yield from _nodes(child)
