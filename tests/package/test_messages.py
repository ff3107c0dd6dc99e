"""Messages for people are not data: nothing in the package branches on a message or cuts one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import runwidgets

SENTENCES = {"message", "messages", "problem", "problems", "sentence", "remedy"}
"""What a sentence, or a list of them, is called in rows, handles, errors and outcomes."""
CUTTING = {
    "count", "endswith", "find", "index", "lower", "partition", "removeprefix", "removesuffix", "replace",
    "rfind", "rpartition", "rsplit", "split", "splitlines", "startswith", "strip", "lstrip", "rstrip",
}  # fmt: skip
"""Methods that compare a text or take it apart."""
PACKAGE = Path(runwidgets.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "node_modules" not in path.parts)
WRONG = [
    "if error.message == 'x': pass",
    "handle['messages'][:1] == [LOST]",
    "message.startswith('pruned: ')",
    "error.problem.removeprefix('it ')",
    "str(error) != self._problem",
    "row['message'].split(':')[0]",
    "'lost' in outcome.messages[0]",
    "(row['message'] or '').startswith('x')",
    "re.match('x', error.message)",
    "match error.problem:\n    case 'x': pass",
]
RIGHT = [
    "if messages: pass",
    "if error.problem is None: pass",
    "outcome.reason is RunReason.WORKER_LOST",
    "message['msg_type'] == 'stream'",
    "first = messages[0]",
    "for message in messages[1:]: pass",
    "message: str = re.sub('x', 'y', text)",
]


def is_sentence(node: ast.expr) -> bool:
    """Return whether an expression is a message, a list of messages, or an item of such a list."""
    match node:
        case (
            ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name)))
        ):
            return name.lstrip("_") in SENTENCES
        case ast.Subscript(value=value, slice=ast.Constant(value=int()) | ast.Slice() | ast.UnaryOp()):
            return is_sentence(value)
        case ast.BoolOp(values=values):
            return any(map(is_sentence, values))
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return name in SENTENCES
    return False


def branches(tree: ast.AST) -> Iterator[int]:
    """Yield the lines of a module on which a message is compared, searched or cut."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, ops=ops, comparators=others):
                is_data = any(not isinstance(operator, ast.Is | ast.IsNot) for operator in ops)
                if is_data and any(map(is_sentence, [left, *others])):
                    yield node.lineno
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in CUTTING and is_sentence(
                value
            ):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re")), args=arguments):
                if any(map(is_sentence, arguments)):
                    yield node.lineno
            case ast.Match(subject=subject) if is_sentence(subject):
                yield node.lineno


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_branches_on_a_sentence(path: Path) -> None:
    """Reasons, kinds and states are enums; the wording of a message may change at any time."""
    assert list(branches(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize("code", WRONG)
def test_a_branch_on_a_sentence_is_found(code: str) -> None:
    """All notations are found."""
    assert list(branches(ast.parse(code))) == [1]


@pytest.mark.parametrize("code", RIGHT)
def test_other_uses_of_a_sentence_are_not(code: str) -> None:
    """It may be absent, be shown, and be stored together with data."""
    assert list(branches(ast.parse(code))) == []
