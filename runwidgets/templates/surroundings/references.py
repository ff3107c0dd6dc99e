"""What the code of a notebook, or of a module that it imports, says about files, folders and modules."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from runwidgets.templates.cells.python_code import parse_code
from runwidgets.templates.surroundings.climbing import REPEATING, Climb, find_climbs
from runwidgets.templates.surroundings.path_values import Names, PathEvaluator, PathValue, dotted_name

MAGIC_WORD = re.compile(r"[^\s'\"=;|&<>()]+")
CHANGE_FOLDER = re.compile(r"\s*%cd\s+(?:-q\s+)?(\S+)")
QUOTED = re.compile(r"\"([^\"\n]+)\"|'([^'\n]+)'")
PATH_WORD = re.compile(r"[^\s'\"=;|&<>(),:\[\]{}]*[./][^\s'\"=;|&<>(),:\[\]{}]*")
"""A word with a dot or a slash, which may be a path in a language such as bash."""
SEARCH_CALLS = {"sys.path.append", "sys.path.extend", "sys.path.insert", "site.addsitedir"}
CHANGE_CALLS = {"chdir", "os.chdir", "contextlib.chdir"}
EXPRESSIONS = (ast.Attribute, ast.BinOp, ast.Call, ast.JoinedStr, ast.Subscript)
"""Expressions that may make a path."""
ASSIGNMENTS = (ast.AnnAssign, ast.Assign, ast.AugAssign, ast.NamedExpr)


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
    climbs: list[Climb] = field(default_factory=list)
    """By what the code finds a folder above."""
    is_climbing: bool = False
    """Whether it climbs to folders above, whatever it looks for."""


def read_references(source: str, names: Names, file: PathValue | None = None) -> CodeReferences:
    """Read Python code.

    Parameters
    ----------
    source : str
        A cell or a module.
    names : Names
        What names stand for, shared by all code of a notebook.
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
    evaluator = PathEvaluator(file, names)
    waiting = [_Visit(tree)]
    while waiting:  # in the order of the code, and outer nodes before inner ones
        visit = waiting.pop()
        node = visit.node
        if visit.is_assigning:
            _read_assignment(node, evaluator, is_repeated=visit.is_repeated)
            continue
        _read_names(node, evaluator)
        is_path = not visit.is_part and _read_expression(node, evaluator, found)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.texts[node.value] = None
        if isinstance(node, ASSIGNMENTS):
            waiting.append(replace(visit, is_assigning=True))
        inner = _Visit(
            node,
            is_part=visit.is_part or is_path,
            is_repeated=visit.is_repeated or isinstance(node, REPEATING),
        )
        waiting += [replace(inner, node=child) for child in reversed(list(ast.iter_child_nodes(node)))]
        _read_import(node, found)
        _read_effects(node, evaluator, found)
    found.climbs, found.is_climbing = find_climbs(tree, evaluator)
    return found


@dataclass(frozen=True)
class _Visit:
    """A node that is to be read."""

    node: ast.AST
    is_part: bool = False
    """Whether it is part of an expression that makes a path."""
    is_repeated: bool = False
    """Whether it is in a loop."""
    is_assigning: bool = False
    """Whether the parts of this assignment have been read."""


def read_other_language(source: str) -> CodeReferences:
    """Read code of another language than Python: its quoted texts, and words that look like paths."""
    quoted = [first or second for first, second in QUOTED.findall(source)]
    return CodeReferences(texts=dict.fromkeys([*quoted, *PATH_WORD.findall(source)]))


def _read_assignment(node: ast.AST, evaluator: PathEvaluator, *, is_repeated: bool) -> None:
    """Remember the values of assigned names."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                evaluator.assign(target, value, is_repeated=is_repeated)
        case ast.AugAssign(target=target, op=operator, value=value):
            changed = ast.BinOp(target, operator, value)
            evaluator.assign(target, changed, is_repeated=is_repeated)
        case ast.AnnAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            evaluator.assign(target, value, is_repeated=is_repeated)


def _read_names(node: ast.AST, evaluator: PathEvaluator) -> None:
    """Remember what is known of the names of loops and of functions' parameters."""
    if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        for each in ast.walk(node.target):
            if isinstance(each, ast.Name):
                evaluator.forget(each.id)
    elif isinstance(node, ast.arguments):
        evaluator.assign_defaults(node)


def _read_expression(node: ast.AST, evaluator: PathEvaluator, found: CodeReferences) -> bool:
    """Add the value of an expression that makes a path; return whether it does."""
    if not isinstance(node, EXPRESSIONS):
        return False
    value = evaluator.evaluate(node)
    if value is not None:
        found.paths[value.text] = None
        return True
    if "/" in (below := evaluator.below_unknown(node)):
        found.texts[below] = None
    ends = node.values[1:] if isinstance(node, ast.JoinedStr) else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        ends = [node.right]
    for end in ends:  # of a folder that is unknown, such as f"{root}/data/x.csv"
        if isinstance(end, ast.Constant) and isinstance(end.value, str) and end.value.startswith("/"):
            found.texts[end.value.lstrip("/")] = None
    return False


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
