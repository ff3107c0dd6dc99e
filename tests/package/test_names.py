import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "runwidgets"
MAX_MODULES = 15
"""The maximum number of modules in a folder; about a dozen is the rule."""
SAYS_NOTHING = {
    "common",
    "core",
    "helpers",
    "manager",
    "misc",
    "parts",
    "stuff",
    "things",
    "util",
    "utils",
    "values",
}
VAGUE_VERBS = ("handle_", "process_", "do_")
NAMES_OF_OTHERS = {"_handle_unrecognized_alias", "handle_comm_msg", "process_message"}
"""Methods of other libraries that are overridden: those of nbclient and traitlets."""
NOUNS = {"handle", "_handle"}
"""The JSON of a run, which is a noun of the glossary."""
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "node_modules" not in path.parts)


def find_classes() -> Iterator[tuple[str, Path]]:
    """Yield the public classes of all modules."""
    for path in MODULES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, path


def find_constants() -> Iterator[tuple[str, str]]:
    """Yield the constants of all modules, each with the source of its value."""
    for path in MODULES:
        for node in ast.parse(path.read_text("utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign):
                targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id.lstrip("_").isupper() and node.value:
                    yield target.id, ast.unparse(node.value)


def find_functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield all functions and methods, with the path of their module."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(PACKAGE)}: {node.name}", node


def test_no_two_public_classes_share_a_name() -> None:
    """A class is found by its name alone."""
    paths = defaultdict(list)
    for name, path in find_classes():
        paths[name].append(str(path.relative_to(PACKAGE)))

    assert {name: found for name, found in paths.items() if len(found) > 1} == {}


def test_no_constant_has_two_values() -> None:
    """The same name means the same in every module."""
    values = defaultdict(set)
    for name, value in find_constants():
        values[name].add(value)

    assert {name: found for name, found in values.items() if len(found) > 1} == {}


def test_module_names_say_what_is_in_them() -> None:
    """A module is named after its content."""
    assert [path for path in MODULES if path.stem in SAYS_NOTHING] == []


def test_folders_are_small() -> None:
    """The list of modules in a folder can be read at a glance."""
    counts = defaultdict(int)
    for path in MODULES:
        counts[path.parent.relative_to(PACKAGE).as_posix()] += path.name != "__init__.py"

    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


def test_no_function_has_a_vague_verb() -> None:
    """A function is named for what it does: no `handle`, `process` or `do`."""
    vague = [
        where
        for where, node in find_functions()
        if f"{node.name.lstrip('_')}_".startswith(VAGUE_VERBS) and node.name not in NAMES_OF_OTHERS | NOUNS
    ]

    assert vague == []


def may_be_none(annotation: ast.expr) -> bool:
    """Return whether an annotation includes None, in any of its notations."""
    match annotation:
        case ast.Constant(value=None) | ast.Subscript(value=ast.Name(id="Optional")):
            return True
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return may_be_none(left) or may_be_none(right)
        case ast.Constant(value=str(source)):
            return may_be_none(ast.parse(source, mode="eval").body)
    return False


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("Run | None", True),
        ("None | Run", True),
        ("Optional[Run]", True),
        ("'Run | None'", True),
        ("None", True),
        ("Run", False),
        ("list[Run | None]", False),
    ],
)
def test_a_result_that_may_be_none_is_found(annotation: str, expected: bool) -> None:
    """All notations are found; a list that contains None is not None."""
    assert may_be_none(ast.parse(annotation, mode="eval").body) == expected


def test_get_never_returns_none() -> None:
    """`find_` returns None for what is absent, `get_` raises."""
    optional = [
        where
        for where, node in find_functions()
        if node.name.startswith("get_") and node.returns is not None and may_be_none(node.returns)
    ]

    assert optional == []
