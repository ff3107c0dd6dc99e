"""Expressions that make paths, evaluated by their syntax tree and never by running them.

An example is ``Path.cwd().parent / "data" / f"{name}.csv"``, whose value is ``../data/*.csv``: what is
unknown becomes a wildcard. Paths are relative to the folder in which the notebook runs, also those that begin
with the working folder or with ``__file__``.
"""

import ast
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
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

    def join(self, parts: Iterable["PathValue | None"]) -> "PathValue":
        """Return the path followed by others, of which None is unknown."""
        texts = [ANY if part is None else part.text for part in parts]
        return replace(self, text=posixpath.join(self.text, *texts))

    def parent(self) -> "PathValue":
        """Return the folder of the path, as pathlib does: of an absolute one the real one."""
        if self.is_absolute:
            return replace(self, text=posixpath.normpath(posixpath.join(self.text, "..")))
        return replace(self, text=PurePosixPath(self.text).parent.as_posix())


class PathEvaluator:
    """Evaluates expressions of one notebook and of the modules that it imports.

    Parameters
    ----------
    file : PathValue, optional
        The value of ``__file__``; None in a notebook.
    values : dict of str to PathValue
        The paths that names have, None for names with several values; those that are assigned are added.
    """

    def __init__(self, file: PathValue | None, values: dict[str, PathValue | None]) -> None:
        self._file = file
        self._values = values

    def assign(self, target: ast.expr, value: ast.expr | None) -> None:
        """Remember the value of a name, which is unknown once it has several values."""
        name = dotted_name(target).rpartition(".")[2]
        found = None if value is None else self.evaluate(value)
        if name and (found is not None or name in self._values):
            self._values[name] = found if self._values.get(name, found) == found else None

    def forget(self, name: str) -> None:
        """Regard the value of a name as unknown, because it is that of a loop or a function's argument."""
        self._values[name] = None

    def evaluate(self, node: ast.expr, depth: int = 0) -> PathValue | None:
        """Return the value of an expression, or None if it is no path or its beginning is unknown."""
        if depth > MAX_DEPTH:
            return None
        match node:
            case ast.Constant(value=str(text)):
                is_path = len(text) <= MAX_LENGTH and not any(character in text for character in "\n\0")
                return PathValue(text) if is_path else None
            case ast.JoinedStr(values=parts):
                texts = [self._text(each, depth) for each in parts]
                return None if texts[:1] == [ANY] else PathValue("".join(texts))
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

    def _text(self, node: ast.expr, depth: int) -> str:
        """Return the text of a part of an f-string."""
        inner = node.value if isinstance(node, ast.FormattedValue) else node
        found = self.evaluate(inner, depth + 1)
        return ANY if found is None else found.text

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
            return replace(left, text=left.text + (ANY if right is None else right.text))
        return None

    def _evaluate_call(self, node: ast.Call, depth: int) -> PathValue | None:
        name = dotted_name(node.func)
        owner, _, function = name.rpartition(".")
        arguments = [self.evaluate(each, depth) for each in node.args]
        first = arguments[0] if arguments else None
        if function == "getcwd" or (function == "cwd" and owner.endswith("Path")):
            return PathValue(".", is_absolute=True)
        if function in PATH_CLASSES and not arguments:
            return PathValue(".")
        is_function = owner in MODULES and owner not in self._values
        if function in PATH_CLASSES or (function == "join" and is_function):
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
