"""Code that climbs from a notebook's folder to one that has certain files, found by its syntax tree.

An example is ``while not (root / "data").exists(): root = root.parent``: what is tested on the way up, here
``data``, marks the folder that the code looks for. The way up leads through a name that is assigned its own
parent in a loop, runs through ``.parents``, or is a parameter of a function that calls itself; or through
`os.chdir`. Where the code climbs but what it looks for is not seen, it may be any of the folders above.
"""

import ast
import posixpath
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias, TypeGuard

from runwidgets.templates.surroundings.path_values import ANY, PathEvaluator, PathValue, dotted_name

HERE = "\x1f"
"""The path of a folder on the way up, which is unknown."""
EXISTENCE_METHODS = {"exists", "is_dir", "is_file"}
EXISTENCE_FUNCTIONS = {"exists", "isdir", "isfile", "lexists"}
MAX_TESTS = 200
"""Tests in one piece of code that are looked at."""
MAX_CHOICES = 20
"""Texts that are tried for the names in one test."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LOOPS = (ast.For, ast.AsyncFor, ast.comprehension)
REPEATING = (ast.For, ast.AsyncFor, ast.While)
CUTTING_METHODS = {"index", "partition", "removesuffix", "replace", "rfind", "rpartition", "rsplit", "split"}
"""Methods that find a folder above in the text of a path."""
_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Climb:
    """By what some code finds a folder above."""

    text: str
    """A path relative to the folder; or the name of the folder."""
    is_name: bool = False
    """Whether it is the name of the folder."""


def find_climbs(tree: ast.AST, evaluator: PathEvaluator) -> tuple[list[Climb], bool]:
    """Find what code tests on its way up, and whether it climbs from a known folder.

    Parameters
    ----------
    tree : ast.AST
        The code, for whose names the evaluator has values.
    evaluator : PathEvaluator
        Evaluates its expressions.

    Returns
    -------
    climbs : list of Climb
        The files or folders that it looks for, and names of folders; what is unknown is omitted.
    is_climbing : bool
        Whether it climbs from a folder that is known, whatever it looks for.
    """
    nodes = list(ast.walk(tree))
    climbers = _find_climbers(nodes)
    choices = _find_choices(nodes, evaluator)
    upwards = evaluator.knowing({name.rpartition(".")[2]: PathValue(HERE) for name in climbers})
    found: dict[Climb, None] = {}
    for path, is_name in islice(_find_tests(nodes, climbers), MAX_TESTS):
        known = [(name, text) for name in sorted(_names(path)) for text in choices.get(name, [])]
        options = [{name: PathValue(text)} for name, text in known[:MAX_CHOICES]]
        for values in options or [{}]:
            value = upwards.knowing(values).evaluate(path)
            text = posixpath.normpath("" if value is None else value.text.removeprefix(HERE).lstrip("/"))
            if text != "." and ANY not in text and not text.startswith(("/", "..")):
                found[Climb(text, is_name)] = None
    return list(found), any(_climbs_from_known(node, climbers, evaluator) for node in nodes)


def _climbs_from_known(node: ast.AST, climbers: set[str], evaluator: PathEvaluator) -> bool:
    """Return whether a node begins a way up at a known folder, or makes one out of text."""
    match node:
        case ast.While():
            return _changes_folder(node)
        case (
            ast.BinOp(ast.Constant("../" | ".."), ast.Mult())
            | ast.BinOp(right=ast.Constant("../"), op=ast.Mult())
        ):
            return True
        case ast.BinOp(ast.List([ast.Constant("..")]), ast.Mult()):
            return True
        case ast.Call(ast.Attribute(cut, method)) if method in CUTTING_METHODS:
            value = evaluator.evaluate(cut)
            return value is not None and value.is_absolute and value.text == "."
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            folders = [each.value for each in ast.walk(node.iter) if _is_parents(each)]
            return any(evaluator.evaluate(each) is not None for each in folders)
    return any(
        dotted_name(target) in climbers and evaluator.evaluate(value) is not None
        for target, value in _assigned(node)
    )


def _find_tests(nodes: list[ast.AST], climbers: set[str]) -> Iterator[tuple[ast.expr, bool]]:
    """Yield the paths that are tested on the way up, and whether each is the name of a folder above."""
    for node in nodes:
        if isinstance(node, ast.While) and _changes_folder(node):
            yield from filter(None, map(_tested_path, ast.walk(node.test)))
        elif climbers and (tested := _tested_path(node)) is not None and _names(tested[0]) & climbers:
            yield tested


def _find_climbers(nodes: list[ast.AST]) -> set[str]:
    """Return the names that stand for one folder after another on a way up."""
    repeated = {id(each) for node in nodes if isinstance(node, REPEATING) for each in ast.walk(node)}
    parents: defaultdict[str, set[str]] = defaultdict(set)  # of which names a name is assigned the parent
    aliases: defaultdict[str, set[str]] = defaultdict(set)
    ways: set[str] = set()
    found: set[str] = set()
    for node in nodes:
        for target, value in _assigned(node):
            name = dotted_name(target)
            if _is_way(value, ways):
                ways.add(name)
            elif id(node) in repeated and _goes_up(value):
                parents[name] |= _names(value)
            elif id(node) in repeated and isinstance(value, (ast.Attribute, ast.Name)):
                aliases[name].add(dotted_name(value))
    for node in nodes:
        if isinstance(node, LOOPS) and _is_way(node.iter, ways):
            found |= _names(node.target)
        elif isinstance(node, FUNCTIONS):
            found |= _recursive_parameters(node.name, node)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            found |= _recursive_parameters(dotted_name(node.targets[0]), node.value)
    found |= {name for name, others in parents.items() if name in others}
    return found | {
        name for name, others in aliases.items() if any(name in parents.get(each, ()) for each in others)
    }


def _is_way(node: ast.expr, ways: set[str]) -> bool:
    """Return whether an expression stands for several folders, one above another."""
    match node:
        case ast.Attribute(attr="parents"):
            return True
        case ast.Name() | ast.Attribute():
            return dotted_name(node) in ways
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return any(_goes_up(item) for item in items)
        case ast.Subscript(value=value, slice=ast.Slice()):
            return _is_way(value, ways)
        case ast.BinOp(left=left, right=right):
            return _is_way(left, ways) or _is_way(right, ways)
        case ast.Call(func=ast.Name() | ast.Attribute(attr="chain"), args=arguments):
            return any(_is_way(argument, ways) for argument in arguments)
    return False


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield each target of an assignment with its value."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            yield from zip(targets, values, strict=False)
        case ast.Assign(targets=[ast.Tuple(elts=targets)] | targets, value=value):
            yield from ((target, value) for target in targets)
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target, value):
            yield target, value


def _recursive_parameters(name: str, function: _Function) -> set[str]:
    """Return the parameters of a function that calls itself with their parents."""
    parameters = {each.arg for each in function.args.args}
    return {
        parameter
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and _last(node.func) == name
        for argument in node.args
        if _goes_up(argument)
        for parameter in _names(argument) & parameters
    }


def _find_choices(nodes: list[ast.AST], evaluator: PathEvaluator) -> dict[str, list[str]]:
    """Return the texts that names stand for one after another: in loops, and as functions' arguments."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    parameters: defaultdict[str, list[str]] = defaultdict(list)
    for node in nodes:
        if isinstance(node, LOOPS) and isinstance(node.target, ast.Name):
            found[node.target.id] += _texts(evaluator.items_of(node.iter) or [])
        elif isinstance(node, FUNCTIONS):
            names = [each.arg for each in node.args.args]
            parameters[node.name] = names
            for name, default in zip(reversed(names), reversed(node.args.defaults), strict=False):
                found[name] += _texts([default])
    for node in nodes:
        if isinstance(node, ast.Call):
            names = parameters.get(dotted_name(node.func), [])
            for name, argument in zip(names, node.args, strict=False):
                found[name] += _texts([argument])
            for keyword in node.keywords:
                if keyword.arg in names:
                    found[keyword.arg] += _texts([keyword.value])
    return found


def _tested_path(node: ast.AST) -> tuple[ast.expr, bool] | None:
    """Return the path that a node tests for existence, and whether it is the name of a folder above."""
    match node:
        case ast.Call(ast.Attribute(path, method), args=[]) if method in EXISTENCE_METHODS:
            return path, False
        case ast.Call(function, args=[path]) if _last(function) in EXISTENCE_FUNCTIONS:
            return path, False
        case ast.Call(ast.Attribute(path, "glob"), args=[ast.Constant(str()) as name]):
            return ast.BinOp(path, ast.Div(), name), False
        case ast.Compare(name, [ast.In() | ast.NotIn()], [ast.Call(function, args=arguments)]):
            if _last(function) == "listdir":
                folder = arguments[0] if arguments else ast.Constant(".")
                return ast.Call(ast.Name("Path"), [folder, name], []), False
        case ast.Compare(ast.Attribute(path, "name"), [ast.Eq() | ast.NotEq()], [name]):
            return ast.BinOp(path, ast.Div(), name), True
        case ast.Compare(ast.Call(function, args=[path]), [ast.Eq() | ast.NotEq()], [name]):
            if _last(function) == "basename":
                return ast.Call(ast.Name("Path"), [path, name], []), True
    return None


def _changes_folder(loop: ast.While) -> bool:
    """Return whether a loop changes the working folder to one above."""
    return any(
        isinstance(node, ast.Call) and _last(node.func) == "chdir" and any(map(_goes_up, node.args))
        for statement in loop.body
        for node in ast.walk(statement)
    )


def _is_parents(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and node.attr == "parents"


def _goes_up(value: ast.expr) -> bool:
    """Return whether an expression contains the folder above another one."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr in {"parent", "parents", "pardir"})
        or (isinstance(node, ast.Call) and dotted_name(node.func).endswith(("dirname", "path.split")))
        or (isinstance(node, ast.Constant) and node.value in ("..", "../"))
        for node in ast.walk(value)
    )


def _names(node: ast.AST) -> set[str]:
    """Return the names that a node reads or assigns, also those of attributes."""
    return {dotted_name(each) for each in ast.walk(node) if isinstance(each, (ast.Attribute, ast.Name))} - {
        ""
    }


def _last(function: ast.expr) -> str:
    return dotted_name(function).rpartition(".")[2]


def _texts(nodes: list[ast.expr]) -> list[str]:
    return [each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str)]
