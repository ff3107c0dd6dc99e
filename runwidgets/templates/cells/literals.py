"""Literals of Python code: their JSON form, their type, and the object that the code has in mind.

Nothing is executed: a value is read from the syntax tree, or it is not a literal. In addition to the literals
of the language, calls such as ``Path("a.csv")``, ``date(2024, 12, 31)``, ``float("nan")`` and ``set()``
count, and constants such as ``math.inf``.
"""

import ast
import datetime
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from runwidgets.schema import Construction, Declared, JsonValue
from runwidgets.templates.scalars import tag_float, untag_floats
from runwidgets.templates.texts import MAX_DIGITS

PATHS = {"Path", "PurePath", "PosixPath"}
CONTAINER_CALLS = {"list", "tuple", "set", "frozenset"}
FLOAT_MODULES = {"math", "np", "numpy"}
FLOAT_NAMES = {"nan": math.nan, "NaN": math.nan, "NAN": math.nan, "inf": math.inf, "Inf": math.inf}
ITEM_DTYPES = {"int", "float", "bool", "string"}
"""dtypes that the items of a list may have in common."""
DTYPES = {bool: "bool", int: "int", float: "float", str: "string"}


@dataclass(frozen=True)
class Value:
    """A literal.

    Attributes
    ----------
    json : JSON
        Its form on the wire.
    declared : dict
        ``dtype`` and, for a list, ``para``; empty for None, which says nothing about the type.
    construction : dict or None
        How the object is made from the JSON form; None if that is the object.
    """

    json: JsonValue
    declared: Declared = field(default_factory=dict)
    construction: Construction | None = None


class NotLiteralError(ValueError):
    """An expression has to be executed to know its value, or its value has no JSON form."""


def read_literal(node: ast.expr) -> Value:
    """Return the value of a literal.

    Parameters
    ----------
    node : ast.expr
        Any expression.

    Returns
    -------
    Value
        Its value.

    Raises
    ------
    NotLiteralError
        It is not a literal, or has no JSON form.
    """
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.UnaryOp):
        return _signed(node)
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return _container(type(node).__name__.lower(), node.elts)
    if isinstance(node, ast.Dict):
        return _record(node)
    if isinstance(node, ast.Call):
        return _call(node)
    if isinstance(node, ast.Attribute) and name_of(node.value) in FLOAT_MODULES and node.attr in FLOAT_NAMES:
        return _constant(FLOAT_NAMES[node.attr])
    raise NotLiteralError(type(node).__name__)


def find_literal(node: ast.expr) -> Value | None:
    """Return the value of an expression, or None if it is not a literal."""
    try:
        return read_literal(node)
    except (NotLiteralError, RecursionError):
        return None


def name_of(node: ast.expr) -> str:
    """Return the last component of a dotted name, or an empty text for any other expression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _constant(value: object) -> Value:
    if value is None:
        return Value(None)
    if isinstance(value, float):
        return Value(value if math.isfinite(value) else tag_float(value), {"dtype": "float"})
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        raise NotLiteralError("it has too many digits")
    if isinstance(value, (bool, int, str)):
        return Value(value, {"dtype": DTYPES[type(value)]})
    raise NotLiteralError(type(value).__name__)


def _signed(node: ast.UnaryOp) -> Value:
    value = read_literal(node.operand)
    if value.declared.get("dtype") not in {"int", "float"} or not isinstance(node.op, (ast.UAdd, ast.USub)):
        raise NotLiteralError(type(node.op).__name__)
    if isinstance(node.op, ast.UAdd):
        return value
    if isinstance(value.json, (int, float)):
        return Value(-value.json, value.declared)
    return _constant(-untag_floats(value.json))


def _container(kind: str, nodes: list[ast.expr]) -> Value:
    items = [read_literal(node) for node in nodes]
    given = [item.json for item in items]
    if kind in {"set", "frozenset"}:
        given = [item for at, item in enumerate(given) if item not in given[:at]]
    constructions = [item.construction for item in items]
    if all(each == constructions[0] for each in constructions):
        return Value(given, {"dtype": "list", **_para(items)}, _construction(kind, constructions))
    if kind != "tuple":
        raise NotLiteralError("its items are not alike")
    parts: list[JsonValue] = [
        {"dtype": "any", **item.declared, "name": f"item{at}"} for at, item in enumerate(items)
    ]
    return Value(given, {"dtype": "list", "items": parts}, {"kind": kind, "items": constructions})


def _para(items: list[Value]) -> Declared:
    """Return the declaration of the items of a list, if they are alike."""
    dtypes = {item.declared.get("dtype") for item in items}
    if dtypes == {"int", "float"}:
        dtypes = {"float"}
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    if dtype in ITEM_DTYPES:
        return {"para": {"name": "item", "dtype": dtype}}
    if dtype is None or items[0].construction is None or dtype == "file":
        return {}
    is_alike = all(item.declared == items[0].declared for item in items)
    return {"para": {"name": "item", **(items[0].declared if is_alike else {"dtype": dtype})}}


def _construction(kind: str, constructions: list[Construction | None]) -> Construction | None:
    """Return the construction of a container whose items are constructed alike."""
    item = constructions[0] if constructions else None
    if item is None:
        return None if kind == "list" else {"kind": kind}
    return {"kind": kind, "item": item}


def _record(node: ast.Dict) -> Value:
    keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
    if not all(isinstance(key, str) for key in keys):
        raise NotLiteralError("keys are text")
    values = [read_literal(value) for value in node.values]
    if any(value.construction for value in values):
        raise NotLiteralError("a record of JSON values has no other objects in it")
    pairs = zip(keys, values, strict=True)
    return Value({str(key): value.json for key, value in pairs}, {"dtype": "record"})


def _call(node: ast.Call) -> Value:
    """Return the value of a call of a constructor."""
    name = name_of(node.func)
    if node.keywords:
        raise NotLiteralError("keywords")
    if name in CONTAINER_CALLS and not node.args:
        return _container(name, [])
    if name == "dict" and not node.args:
        return Value({}, {"dtype": "record"})
    arguments = [read_literal(argument) for argument in node.args]
    if name == "fromisoformat" and isinstance(node.func, ast.Attribute):
        name = f"{name_of(node.func.value)}.{name}"
    made = CALLS.get(name)
    if made is None:
        raise NotLiteralError(name)
    try:
        return made(*(argument.json for argument in arguments))
    except (TypeError, ValueError, OverflowError) as error:
        raise NotLiteralError(name) from error


def _path(*parts: object) -> Value:
    if not parts or not all(isinstance(part, str) for part in parts):
        raise NotLiteralError("a path is made of text")
    return Value("/".join(map(str, parts)), {"dtype": "file"}, {"kind": "file"})


def _date(*parts: object) -> Value:
    return Value(datetime.date(*parts).isoformat(), {"dtype": "date"}, {"kind": "date"})  # type: ignore[arg-type]


def _datetime(*parts: object) -> Value:
    text = datetime.datetime(*parts).isoformat()  # type: ignore[arg-type]
    return Value(text, {"dtype": "datetime"}, {"kind": "datetime"})


def _parsed_date(text: str) -> Value:
    return Value(datetime.date.fromisoformat(text).isoformat(), {"dtype": "date"}, {"kind": "date"})


def _parsed_datetime(text: str) -> Value:
    parsed = datetime.datetime.fromisoformat(text).isoformat()
    return Value(parsed, {"dtype": "datetime"}, {"kind": "datetime"})


def _float(value: object) -> Value:
    return _constant(float(untag_floats(value)))


CALLS: dict[str, Callable[..., Value]] = {
    **dict.fromkeys(PATHS, _path),
    "date": _date,
    "datetime": _datetime,
    "date.fromisoformat": _parsed_date,
    "datetime.fromisoformat": _parsed_datetime,
    "float": _float,
}
"""Constructors, by name."""
