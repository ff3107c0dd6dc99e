"""Expressions that make paths, evaluated by their syntax tree and never by running them.

An example is ``Path.cwd().parent / "data" / f"{name}.csv"``, whose value is ``../data/*.csv``: what is
unknown becomes a wildcard. Paths are relative to the folder in which the notebook runs, also those that begin
with the working folder or with ``__file__``.
"""

import ast
import posixpath
import re
from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import PurePosixPath

ANY = "*"
"""Stands for what is unknown in a path."""
MAX_DEPTH = 30
"""Levels of an expression that are evaluated."""
MAX_LENGTH = 1024
"""Characters of a path."""
PATH_CLASSES = {"Path", "PosixPath", "PurePath", "PurePosixPath"}
MODULES = {"op", "os", "os.path", "osp", "path", "posixpath"}
"""Names of modules with functions of paths."""
SAME_PATH = {"as_posix", "expanduser", "fspath", "normpath", "str"}
"""Functions and methods that return the path that they are given."""
ABSOLUTE_PATH = {"absolute", "abspath", "realpath", "resolve"}
"""Those that return it as an absolute path."""
FIELD = re.compile(r"\{[^{}]*\}")
"""A field of ``str.format``."""
CONVERSION = re.compile(r"%(?:\(\w*\))?[-#0 +]*[\d*]*(?:\.\d+)?[a-zA-Z]")
"""A conversion of the operator ``%``."""


@dataclass(frozen=True)
class PathValue:
    """A path or a part of one, as text."""

    text: str
    is_absolute: bool = False
    """Whether the program has it as an absolute path, although the text is relative to the working folder."""
    is_default: bool = False
    """Whether it begins with the default of a function's parameter, which callers may replace."""

    def join(self, parts: Iterable["PathValue | None"]) -> "PathValue":
        """Return the path followed by others, of which None is unknown."""
        texts = [text_of(part) for part in parts]
        return replace(self, text=posixpath.join(self.text, *texts))

    def parent(self) -> "PathValue":
        """Return the folder of the path, as pathlib does: of an absolute one the real one."""
        if self.is_absolute:
            return replace(self, text=posixpath.normpath(posixpath.join(self.text, "..")))
        return replace(self, text=PurePosixPath(self.text).parent.as_posix())


@dataclass(kw_only=True)
class Names:
    """What the names in the code of a notebook stand for."""

    values: MutableMapping[str, PathValue | None] = field(default_factory=dict)
    """Their paths; None is unknown, also for names with several values."""
    first_values: dict[str, PathValue | None] = field(default_factory=dict)
    """Their paths before statements such as ``path = path.parent``."""
    lists: dict[str, list[ast.expr]] = field(default_factory=dict)
    """The items of lists and tuples."""

    def assign(self, name: str, found: PathValue | None) -> None:
        """Remember the value of a name, which is unknown once it has several values."""
        if found is not None or name in self.first_values:
            known = self.first_values.get(name, found)
            self.first_values[name] = self.values[name] = found if known == found else None

    def forget(self, name: str) -> None:
        """Regard the value of a name as unknown, because it is that of a loop or a function's argument."""
        self.first_values[name] = self.values[name] = None


class PathEvaluator:
    """Evaluates expressions of one notebook and of the modules that it imports.

    Parameters
    ----------
    file : PathValue, optional
        The value of ``__file__``; None in a notebook.
    names : Names
        What names stand for; those that are assigned are added.
    """

    def __init__(self, file: PathValue | None, names: Names) -> None:
        self._file = file
        self._names = names
        self._values = names.values

    def knowing(self, values: Mapping[str, PathValue]) -> "PathEvaluator":
        """Return an evaluator for which some names have other values."""
        return PathEvaluator(self._file, replace(self._names, values=ChainMap({**values}, self._values)))

    def assign(self, target: ast.expr, value: ast.expr | None, *, is_repeated: bool = False) -> None:
        """Remember the value that a statement gives to a name, or to each of several.

        Parameters
        ----------
        target : ast.expr
            The name, or a tuple of names.
        value : ast.expr or None
            The value; None if it is unknown.
        is_repeated : bool, optional
            Whether the statement is in a loop.
        """
        items = value.elts if isinstance(value, (ast.List, ast.Tuple)) else None
        if isinstance(target, (ast.List, ast.Tuple)):
            for each, item in zip_longest(target.elts, (items or [])[: len(target.elts)]):
                self.assign(each, item, is_repeated=is_repeated)
            return
        name = dotted_name(target).rpartition(".")[2]
        if not name or dotted_name(target) == "sys.path":
            return
        if items is not None:
            self._names.lists[name] = items
        found = None if value is None else self.evaluate(value)
        if value is None or not _reads(value, target):
            self._names.assign(name, found)
        elif is_repeated:
            self._names.forget(name)
        elif self._values.get(name) is not None:
            self._values[name] = found

    def assign_defaults(self, arguments: ast.arguments) -> None:
        """Remember the defaults of a function's parameters, and regard the others as unknown."""
        positional = [*arguments.posonlyargs, *arguments.args]
        variable = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
        pairs = [
            *zip_longest(reversed(positional), reversed(arguments.defaults)),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
            *zip_longest(variable, ()),
        ]
        for each, default in pairs:
            value = None if default is None else self.evaluate(default)
            if value is None:
                self._names.forget(each.arg)
            else:
                self._names.assign(each.arg, replace(value, is_default=True))

    def forget(self, name: str) -> None:
        """Regard the value of a name as unknown."""
        self._names.forget(name)

    def items_of(self, node: ast.expr) -> list[ast.expr] | None:
        """Return the items of a list or tuple, or of a name that stands for one; None if they are unknown."""
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return node.elts
        return self._names.lists.get(dotted_name(node).rpartition(".")[2])

    def evaluate(self, node: ast.expr, depth: int = 0) -> PathValue | None:
        """Return the value of an expression, or None if it is no path or its beginning is unknown."""
        if depth > MAX_DEPTH:
            return None
        match node:
            case ast.Constant(value=str(text)):
                is_path = len(text) <= MAX_LENGTH and not any(character in text for character in "\n\0")
                return PathValue(text) if is_path else None
            case ast.JoinedStr(values=parts):
                inner = [each.value if isinstance(each, ast.FormattedValue) else each for each in parts]
                first, *rest = [self.evaluate(each, depth + 1) for each in inner] or [PathValue("")]
                return first and replace(first, text=first.text + "".join(map(text_of, rest)))
            case ast.Name(id=name):
                return self._file if name == "__file__" else self._values.get(name)
            case ast.Attribute(attr="parent", value=value):
                found = self.evaluate(value, depth + 1)
                return found and found.parent()
            case ast.Attribute(attr=name):
                constants = {"os.pardir": "..", "os.curdir": ".", "os.sep": "/"}
                constant = constants.get(dotted_name(node))
                return self._values.get(name) if constant is None else PathValue(constant)
            case ast.Subscript(ast.Attribute(value, "parents"), ast.Constant(int(number))):
                found = self.evaluate(value, depth + 1)
                for _ in range(min(number, MAX_DEPTH) + 1):
                    found = found and found.parent()
                return found
            case ast.BinOp():
                return self._evaluate_operator(node, depth + 1)
            case ast.Call():
                return self._evaluate_call(node, depth + 1)
        return None

    def below_unknown(self, node: ast.expr, depth: int = 0) -> str:
        """Return what an expression joins to a folder that is unknown; the empty text for nothing."""
        parts: list[ast.expr] = []
        match node:
            case ast.BinOp(folder, ast.Div(), right):
                parts = [right]
            case ast.Call(ast.Attribute(folder, "joinpath"), args=[*parts]):
                pass
            case ast.Call(function, args=[folder, *parts]) if dotted_name(function).rpartition(".")[2] in {
                "join",
                *PATH_CLASSES,
            }:
                pass
            case _:
                return ""
        if depth > MAX_DEPTH or self.evaluate(folder, depth) is not None:
            return ""
        below = PathValue(self.below_unknown(folder, depth + 1))
        return below.join([self.evaluate(each, depth) for each in parts]).text

    def _evaluate_operator(self, node: ast.BinOp, depth: int) -> PathValue | None:
        left = self.evaluate(node.left, depth)
        if left is None:
            return None
        if isinstance(node.op, ast.Mod):
            return replace(left, text=CONVERSION.sub(ANY, left.text))
        right = self.evaluate(node.right, depth)
        if isinstance(node.op, ast.Div):
            return left.join([right])
        if isinstance(node.op, ast.Add):
            return replace(left, text=left.text + text_of(right))
        return None

    def _evaluate_call(self, node: ast.Call, depth: int) -> PathValue | None:
        name = dotted_name(node.func)
        owner, _, function = name.rpartition(".")
        arguments = [
            self.evaluate(item, depth)
            for each in node.args
            for item in (self.items_of(each.value) or [each] if isinstance(each, ast.Starred) else [each])
        ]
        first = arguments[0] if arguments else None
        if function == "getcwd" or (function == "cwd" and owner.endswith("Path")):
            return PathValue(".", is_absolute=True)
        if function in PATH_CLASSES and not arguments:
            return PathValue(".")
        is_function = owner in MODULES and owner not in self._values
        is_join = function == "join" and (is_function or isinstance(node.func, ast.Name))
        if function in PATH_CLASSES or is_join:
            return first and first.join(arguments[1:])
        if isinstance(node.func, ast.Attribute) and not is_function:
            of = self.evaluate(node.func.value, depth)
            return of and self._evaluate_method(node.func.attr, of, arguments)
        return first and _apply(function, first)

    def _evaluate_method(
        self, name: str, of: PathValue, arguments: list[PathValue | None]
    ) -> PathValue | None:
        if name == "joinpath":
            return of.join(arguments)
        if name in {"glob", "rglob"} and len(arguments) == 1:
            return of.join([PathValue("**"), *arguments] if name == "rglob" else arguments)
        if name == "format":
            return replace(of, text=FIELD.sub(ANY, of.text))
        return _apply(name, of)


def text_of(part: PathValue | None) -> str:
    """Return the text of a path's further part, of which a wildcard stands for what is unknown."""
    return ANY if part is None or part.is_default else part.text


def _reads(value: ast.expr, target: ast.expr) -> bool:
    """Return whether an expression reads the name that is assigned."""
    name = dotted_name(target)
    return any(
        isinstance(each, (ast.Name, ast.Attribute)) and dotted_name(each) == name for each in ast.walk(value)
    )


def _apply(function: str, path: PathValue) -> PathValue | None:
    """Return what a function or method without other arguments makes of a path."""
    if function in SAME_PATH:
        return path
    if function in ABSOLUTE_PATH:
        return replace(path, is_absolute=True)
    return path.parent() if function == "dirname" else None


def dotted_name(node: ast.expr) -> str:
    """Return a name such as ``os.path.join``, or the part of it that follows another expression."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))
