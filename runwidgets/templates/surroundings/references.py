"""What the code of a notebook, or of a module that it imports, says about files, folders and modules."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from runwidgets.templates.cells.python_code import parse_code
from runwidgets.templates.surroundings.path_values import PathEvaluator, PathValue, dotted_name

MAGIC_WORD = re.compile(r"[^\s'\"=;|&<>()]+")
CHANGE_FOLDER = re.compile(r"\s*%cd\s+(?:-q\s+)?(\S+)")
QUOTED = re.compile(r"\"([^\"\n]+)\"|'([^'\n]+)'")
PATH_WORD = re.compile(r"[^\s'\"=;|&<>(),:\[\]{}]*[./][^\s'\"=;|&<>(),:\[\]{}]*")
"""A word with a dot or a slash, which may be a path in a language such as bash."""
SEARCH_CALLS = {"sys.path.append", "sys.path.extend", "sys.path.insert", "site.addsitedir"}
CHANGE_CALLS = {"chdir", "os.chdir", "contextlib.chdir"}
EXPRESSIONS = (ast.Attribute, ast.BinOp, ast.Call, ast.JoinedStr, ast.Subscript)
"""Expressions that may make a path."""


@dataclass(kw_only=True)
class CodeReferences:
    """What some code names."""

    texts: dict[str, None] = field(default_factory=dict)
    """Strings that may be paths or globs, in their order."""
    paths: dict[str, None] = field(default_factory=dict)
    """Values of expressions that make paths."""
    modules: set[str] = field(default_factory=set)
    """Imported modules by absolute name; ``from a import b`` names ``a.b``, which may be an attribute."""
    relative_modules: set[tuple[int, str]] = field(default_factory=set)
    """Relatively imported modules, with their number of dots."""
    search_folders: dict[str, None] = field(default_factory=dict)
    """Folders that are added to ``sys.path``."""
    working_folders: list[str] = field(default_factory=list)
    """Folders that become the working folder, one after another."""


def read_references(
    source: str, values: dict[str, PathValue | None], file: PathValue | None = None
) -> CodeReferences:
    """Read Python code.

    Parameters
    ----------
    source : str
        A cell or a module.
    values : dict of str to PathValue
        The values of names, shared by all code of a notebook; see `PathEvaluator`.
    file : PathValue, optional
        The path of the module, relative to the folder of the notebook; None for a cell.

    Returns
    -------
    CodeReferences
        Empty if the code cannot be parsed.
    """
    found = CodeReferences()
    try:
        tree, code = parse_code(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found
    for before, after in zip(source.split("\n"), code.split("\n"), strict=True):
        if before != after:
            found.texts.update(dict.fromkeys(MAGIC_WORD.findall(before)))
            found.working_folders += CHANGE_FOLDER.findall(before)
    evaluator = PathEvaluator(file, values)
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    for node, is_part in waiting:  # grows while it is read: outer nodes come before inner ones
        _read_names(node, evaluator)
        is_path = not is_part and _read_expression(node, evaluator, found)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.texts[node.value] = None
        waiting += [(child, is_part or is_path) for child in ast.iter_child_nodes(node)]
        _read_import(node, found)
        _read_effects(node, evaluator, found)
    return found


def read_other_language(source: str) -> CodeReferences:
    """Read code of another language than Python: its quoted texts, and words that look like paths."""
    quoted = [first or second for first, second in QUOTED.findall(source)]
    return CodeReferences(texts=dict.fromkeys([*quoted, *PATH_WORD.findall(source)]))


def _read_names(node: ast.AST, evaluator: PathEvaluator) -> None:
    """Remember the values of assigned names."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            evaluator.assign(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        evaluator.assign(node.target, node.value if isinstance(node, ast.AnnAssign) else None)
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        for each in ast.walk(node.target):
            if isinstance(each, ast.Name):
                evaluator.forget(each.id)
    elif isinstance(node, ast.arg):
        evaluator.forget(node.arg)


def _read_expression(node: ast.AST, evaluator: PathEvaluator, found: CodeReferences) -> bool:
    """Add the value of an expression that makes a path; return whether it does."""
    if not isinstance(node, EXPRESSIONS):
        return False
    value = evaluator.evaluate(node)
    if value is not None:
        found.paths[value.text] = None
    return value is not None


def _read_import(node: ast.AST, found: CodeReferences) -> None:
    if isinstance(node, ast.Import):
        found.modules.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = f"{node.module}." if node.module else ""
        names = [f"{start}{alias.name}" for alias in node.names]
        if node.level:
            found.relative_modules.update((node.level, name) for name in names)
        else:
            found.modules.update(names)
    elif isinstance(node, ast.Call) and dotted_name(node.func).endswith("import_module"):
        constants = [each.value for each in node.args[:1] if isinstance(each, ast.Constant)]
        found.modules.update(name for name in constants if isinstance(name, str))


def _read_effects(node: ast.AST, evaluator: PathEvaluator, found: CodeReferences) -> None:
    """Add the folders that a statement adds to ``sys.path``, or changes to."""
    if isinstance(node, ast.Call):
        name = dotted_name(node.func)
        arguments = [value for each in node.args for value in _values(each, evaluator)]
        if name in SEARCH_CALLS:
            found.search_folders.update(dict.fromkeys(arguments))
        elif name in CHANGE_CALLS:
            found.working_folders += arguments
    elif isinstance(node, (ast.Assign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [dotted_name(each.value if isinstance(each, ast.Subscript) else each) for each in targets]
        if "sys.path" in names:
            lists = [each for each in ast.walk(node.value) if isinstance(each, (ast.List, ast.Tuple))]
            found.search_folders.update(
                dict.fromkeys(value for each in lists for value in _values(each, evaluator))
            )


def _values(node: ast.expr, evaluator: PathEvaluator) -> Iterator[str]:
    """Yield the paths that an argument is, or has as its items."""
    for each in node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]:
        value = evaluator.evaluate(each)
        if value is not None:
            yield value.text
