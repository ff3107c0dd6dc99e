"""The signature of a Python parameters cell, parsed from its syntax tree without executing it.

``x = 3``, ``x: int``, ``Literal["a", "b"]``, ``list[float]``, ``int | None``, ``pathlib.Path`` (a file),
``date``, ``Annotated[float, Ge(0), Le(1)]`` and ``Annotated[int, Field(ge=1, title="…")]`` are recognised;
a comment at the end of a line becomes the help. A computed name, such as ``folder = os.getcwd()``, is not a
parameter unless it has an annotation, which makes it an optional one. A name with the value ``None`` and
no annotation takes text.
"""

import ast
import datetime
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runwidgets.errors import InvalidTemplateError
from runwidgets.schema import Declared, JsonValue

SIMPLE_TYPES = {
    "int": "int",
    "float": "float",
    "bool": "bool",
    "str": "string",
    "date": "date",
    "datetime": "datetime",
    "Path": "file",
    "PurePath": "file",
    "PosixPath": "file",
    "dict": "record",
    "Dict": "record",
    "Mapping": "record",
}
LIST_TYPES = {"list", "List", "Sequence", "tuple", "Tuple"}
CONSTRAINT_MARKERS = {"Ge": "ge", "Gt": "gt", "Le": "le", "Lt": "lt"}
CONSTRUCTORS = {
    "file": ("import pathlib", "pathlib.Path({name})"),
    "date": ("import datetime as _datetime", "_datetime.date.fromisoformat({name})"),
    "datetime": ("import datetime as _datetime", "_datetime.datetime.fromisoformat({name})"),
}
"""Code that converts an injected JSON value into the annotated object."""


COMPUTED: Any = ...
MAGIC = re.compile(r"[%!?]|[\w, ]+=\s*[%!]|.*\?$")
MAX_SOURCE_MAGICS = 200
"""Maximum number of lines of IPython syntax in one cell."""


@dataclass(frozen=True)
class Signature:
    """The declarations of a parameters cell.

    Attributes
    ----------
    parameters : list of dict
        Declarations as in `Parameter.from_json`, in order.
    constructors : dict of str to str
        dtype by name, of the parameters that the notebook expects as Python objects.
    assigned : dict
        The value that the cell assigns to a name, as JSON; `COMPUTED` if it is not a literal.
    """

    parameters: list[Declared] = field(default_factory=list)
    constructors: dict[str, str] = field(default_factory=dict)
    assigned: dict[str, JsonValue] = field(default_factory=dict)


def read_signature(source: str) -> Signature:
    """Parse a parameters cell.

    Parameters
    ----------
    source : str
        The Python code of the cell.

    Returns
    -------
    Signature
        The declarations; the last of several assignments to a name counts.

    Raises
    ------
    InvalidTemplateError
        The code is not Python.
    """
    try:
        tree, code = parse_code(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f"line {line} of the parameters cell" if line else "parameters cell"
        raise InvalidTemplateError(where, f"it is not Python ({getattr(error, 'msg', error)})") from error
    comments = _comments(code)
    declarations: dict[str, Declared] = {}
    constructors: dict[str, str] = {}
    assigned: dict[str, JsonValue] = {}
    for statement in tree.body:
        for target, annotation, value in _assignments(statement):
            if target.startswith("__"):
                continue
            constructors.pop(target, None)
            declared = _declare(target, annotation, value)
            if declared is None:
                declarations.pop(target, None)
                continue
            comment = comments.get(statement.end_lineno or 0)
            if comment and "help" not in declared:
                declared["help"] = comment
            declarations[target] = declared
            if value is not None and not _is_field(value):
                is_literal, literal = _literal(value)
                assigned[target] = literal if is_literal else COMPUTED
            is_constructed = annotation is not None or isinstance(value, ast.Call)
            if is_constructed and declared["dtype"] in CONSTRUCTORS:
                constructors[target] = declared["dtype"]
    parameters = [{**declared, "index": index} for index, declared in enumerate(declarations.values())]
    return Signature(
        parameters, constructors, {name: assigned[name] for name in assigned if name in declarations}
    )


def construct(name: str, dtype: str) -> list[str]:
    """Return the code that converts an injected value into the object that the notebook annotated."""
    statement, expression = CONSTRUCTORS[dtype]
    return [statement, f"{name} = None if {name} is None else {expression.format(name=name)}"]


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
            index = (error.lineno or 0) - 1
            if not (0 <= index < len(lines) and MAGIC.match(lines[index].strip())):
                raise
            indent = lines[index][: len(lines[index]) - len(lines[index].lstrip())]
            lines[index] = f"{indent}pass"
    raise SyntaxError("it has too many lines that are not Python")


def _comments(source: str) -> dict[int, str]:
    """Return the comments that follow code, by line number."""
    comments = {}
    lines = source.split("\n")
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            line, column = token.start
            if token.type == tokenize.COMMENT and lines[line - 1][:column].strip():
                text = token.string.lstrip("#").strip()
                if not text.startswith(("type:", "noqa", "pragma:", "pylint:")):
                    comments[line] = text
    except tokenize.TokenError:
        return comments
    return comments


def _assignments(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """Yield the name, annotation and value of every assignment to a plain name."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, statement.annotation, statement.value
    elif isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, None, ast.Name("computed")
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, None, statement.value
            elif isinstance(target, (ast.Tuple, ast.List)):
                names = [each.id for each in target.elts if isinstance(each, ast.Name)]
                yield from ((name, None, ast.Name("computed")) for name in names)


def _is_field(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) == "Field"


def _declare(name: str, annotation: ast.expr | None, value: ast.expr | None) -> Declared | None:
    """Return the declaration of a name, or None if it is not a parameter."""
    is_literal, default = _literal(value)
    declared = _parse_annotation(annotation) if annotation is not None else None
    if isinstance(value, ast.Call) and _is_field(value):
        options = _options(value)
        declared = {**(declared or {"dtype": "string"}), **_declare_options(options)}
        is_literal, default = "default" in options, options.get("default")
        value = value if is_literal else None
    if declared is None:
        if value is None or not is_literal:
            return None
        declared = _infer_declaration(value, default)
    declared = {"name": name, **declared}
    is_optional = declared.pop("isOptional", False)
    if value is not None and is_literal:
        declared["isRequired"] = False
        declared["defaultValue"] = default
    elif value is not None or is_optional:
        declared["isRequired"] = False
    return declared


def _parse_annotation(node: ast.expr) -> Declared | None:
    """Return the dtype and constraints of an annotation, or None if it is not recognised."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _parse_annotation(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _optional([node.left, node.right])
    name = _name(node)
    if not isinstance(node, ast.Subscript):
        if name in LIST_TYPES:
            return {"dtype": "list"}
        return {"dtype": SIMPLE_TYPES[name]} if name in SIMPLE_TYPES else None
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    name = _name(node.value)
    if name == "Literal":
        literals = [_literal(item)[1] for item in items]
        values: list[JsonValue] = [
            {"name": str(each), "value": each} for each in literals if each is not None
        ]
        declaration: Declared = {"dtype": "select", "values": values}
        return {**declaration, "isOptional": True} if None in literals else declaration
    if name == "Optional":
        return _optional([*items, ast.Constant(None)])
    if name == "Union":
        return _optional(list(items))
    if name == "Annotated":
        declared = _parse_annotation(items[0])
        return None if declared is None else {**declared, **_constraints(items[1:])}
    if name in LIST_TYPES:
        kinds = [_parse_annotation(item) for item in items if not _is_ellipsis(item)]
        item = kinds[0] if kinds and all(kind == kinds[0] for kind in kinds) else None
        return {"dtype": "list"} | ({"para": _item(item)} if item else {})
    return {"dtype": SIMPLE_TYPES[name]} if name in {"dict", "Dict", "Mapping"} else None


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _item(declared: Declared) -> Declared:
    """Return the declaration of a list's item; a path in a list is a string, because files are arguments."""
    item = {"name": "item", **declared}
    if item.pop("isOptional", False):
        item["isRequired"] = False
    return {**item, "dtype": "string"} if item["dtype"] == "file" else item


def _optional(nodes: list[ast.expr]) -> Declared | None:
    kinds = [node for node in nodes if not (isinstance(node, ast.Constant) and node.value is None)]
    declared = [_parse_annotation(kind) for kind in kinds]
    known = [each for each in declared if each is not None]
    if not known or len(known) != len(kinds):
        return None
    dtypes = {each["dtype"] for each in known}
    declaration = next((each for each in known if each["dtype"] == "float"), known[0])
    if len(known) > 1 and not dtypes <= {"int", "float"}:
        return None
    return {**declaration, "isOptional": True} if len(kinds) < len(nodes) else declaration


def _constraints(nodes: list[ast.expr]) -> Declared:
    """Return the constraints in the metadata of ``Annotated``."""
    options: Declared = {}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            options.setdefault("description", node.value)
        elif isinstance(node, ast.Call):
            name = _name(node.func)
            if name in CONSTRAINT_MARKERS and node.args:
                options[CONSTRAINT_MARKERS[name]] = _literal(node.args[0])[1]
            elif name in {"Field", "Interval"}:
                options.update(_options(node))
    return _declare_options(options)


def _declare_options(options: Declared) -> Declared:
    declared: Declared = {}
    low, high = options.get("ge", options.get("gt")), options.get("le", options.get("lt"))
    if low is not None or high is not None:
        opening, closing = "(" if "ge" not in options else "[", ")" if "le" not in options else "]"
        declared["range"] = f"{opening}{'' if low is None else low},{'' if high is None else high}{closing}"
    for option, key in (("title", "label"), ("description", "help")):
        if isinstance(options.get(option), str):
            declared[key] = options[option]
    return declared


def _options(call: ast.Call) -> Declared:
    options: Declared = {each.arg: _literal(each.value)[1] for each in call.keywords if each.arg}
    if call.args and not _is_ellipsis(call.args[0]):
        options["default"] = _literal(call.args[0])[1]
    return {key: value for key, value in options.items() if value is not None}


def _infer_declaration(node: ast.expr, value: Any) -> Declared:
    """Return the dtype of a literal as a declaration."""
    if isinstance(node, ast.Call):
        return {"dtype": SIMPLE_TYPES[_name(node.func)]}
    if value is None:
        return {"dtype": "string"}
    if isinstance(value, list):
        dtypes = {_dtype(item) for item in value}
        if dtypes == {"int", "float"}:
            dtypes = {"float"}
        item_dtype = dtypes.pop() if len(dtypes) == 1 else None
        is_simple = item_dtype in {"int", "float", "bool", "string"}
        return {"dtype": "list"} | ({"para": {"name": "item", "dtype": item_dtype}} if is_simple else {})
    return {"dtype": _dtype(value)}


def _dtype(value: Any) -> str:
    kinds = {bool: "bool", int: "int", float: "float", str: "string", list: "list", dict: "record"}
    return kinds.get(type(value), "string")


def _literal(node: ast.expr | None) -> tuple[bool, Any]:
    """Return whether a node is a literal, and its value as JSON."""
    if node is None:
        return False, None
    if isinstance(node, ast.Call):
        return _evaluate_constructor(node)
    try:
        return True, _to_json(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False, None


def _evaluate_constructor(call: ast.Call) -> tuple[bool, Any]:
    """Evaluate ``Path("x")``, ``date(2024, 12, 31)`` and ``date.fromisoformat("…")``."""
    name = _name(call.func)
    literals = [_literal(argument) for argument in call.args]
    if call.keywords or not all(is_literal for is_literal, _ in literals):
        return False, None
    values = [value for _, value in literals]
    if name in {"Path", "PurePath", "PosixPath"} and all(isinstance(each, str) for each in values):
        return True, "/".join(values)
    kinds = {"date": datetime.date, "datetime": datetime.datetime}
    try:
        if name in kinds:
            return True, kinds[name](*values).isoformat()
    except (TypeError, ValueError, OverflowError):
        return False, None
    return False, None


def _to_json(value: Any) -> Any:
    """Convert a literal to JSON."""
    if isinstance(value, (tuple, list)):
        return [_to_json(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _to_json(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"{type(value).__name__} is not JSON")


def _name(node: ast.expr) -> str:
    """Return the last component of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
