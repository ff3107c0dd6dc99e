"""Types of parameters: what the annotation of a name says, read from its syntax tree.

``int``, ``Literal["a", "b"]``, ``list[float]``, ``tuple[int, str]``, ``int | None``, ``pathlib.Path`` (a
file), ``date``, ``Annotated[float, Ge(0), Le(1)]``, ``Annotated[int, Field(ge=1, title="…")]`` and pydantic's
``PositiveInt`` or ``conint(ge=1)`` are understood. What is not understood is named, and takes any value.
"""

import ast
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field, replace

from runwidgets.schema import Construction, Declared, JsonValue
from runwidgets.templates.cells.literals import find_literal, name_of
from runwidgets.templates.constraints import pattern_problem

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
    "FilePath": "file",
    "dict": "record",
    "Dict": "record",
    "Mapping": "record",
    "MutableMapping": "record",
    "StrictInt": "int",
    "StrictFloat": "float",
    "StrictBool": "bool",
    "StrictStr": "string",
    "Any": "any",
    "object": "any",
}
OBJECTS = {"file", "date", "datetime"}
"""dtypes whose annotated parameters are objects without a JSON form."""
CONTAINER_TYPES = {
    "list": "list",
    "List": "list",
    "Sequence": "list",
    "MutableSequence": "list",
    "Iterable": "list",
    "Collection": "list",
    "tuple": "tuple",
    "Tuple": "tuple",
    "set": "set",
    "Set": "set",
    "AbstractSet": "set",
    "MutableSet": "set",
    "frozenset": "frozenset",
    "FrozenSet": "frozenset",
}
BOUNDED_TYPES = {
    f"{sign}{number.title()}": (number, bound)
    for sign, bound in (("Positive", "gt"), ("Negative", "lt"), ("NonNegative", "ge"), ("NonPositive", "le"))
    for number in ("int", "float")
}
CALLED_TYPES = {"conint": "int", "confloat": "float", "constr": "string"}
QUALIFIERS = {"Final", "ClassVar", "Required", "NotRequired", "ReadOnly"}
MARKERS = {
    "Ge": ("ge",),
    "Gt": ("gt",),
    "Le": ("le",),
    "Lt": ("lt",),
    "MultipleOf": ("multiple_of",),
    "MinLen": ("min_length",),
    "MaxLen": ("max_length",),
    "Len": ("min_length", "max_length"),
}
"""Constraints of ``annotated_types``, and the options of ``Field`` that their arguments are."""
OPTION_CALLS = {"Field", "Interval", "StringConstraints"}
SYNONYMS = {"min_items": "min_length", "max_items": "max_length", "regex": "pattern"}
"""Options of pydantic 1."""
PLAIN_OPTIONS = {"multiple_of": "multipleOf", "min_length": "minLength", "max_length": "maxLength"}
BOUND_OPTIONS = {"ge", "gt", "le", "lt"}
HARMLESS_OPTIONS = {
    "alias",
    "alias_priority",
    "default",
    "default_factory",
    "deprecated",
    "examples",
    "exclude",
    "frozen",
    "init",
    "init_var",
    "json_schema_extra",
    "kw_only",
    "repr",
    "serialization_alias",
    "validate_default",
    "validation_alias",
}
"""Options of ``Field`` that say nothing about which values are valid."""


@dataclass(frozen=True)
class Kind:
    """What an annotation says.

    Attributes
    ----------
    declared : dict
        ``dtype`` and what belongs to it.
    construction : dict or None
        How the annotated object is made from the JSON value; None if that is the object.
    nullable : bool
        Whether None is one of its types.
    notes : list of str
        What was not understood, in sentences.
    options : dict
        The options of ``Field`` and similar functions, whose constraints are in `declared`.
    """

    declared: Declared
    construction: Construction | None = None
    _: KW_ONLY
    nullable: bool = False
    notes: list[str] = field(default_factory=list)
    options: dict[str, JsonValue] = field(default_factory=dict)


def read_annotation(node: ast.expr) -> Kind:
    """Return what an annotation says about the values of a name.

    Parameters
    ----------
    node : ast.expr
        The annotation.

    Returns
    -------
    Kind
        dtype ``any``, with a note, if the annotation is not understood.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return read_annotation(ast.parse(node.value.strip(), mode="eval").body)
        except SyntaxError:
            return _not_understood(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(_alternatives(node))
    if isinstance(node, ast.Subscript):
        return _subscripted(node)
    if isinstance(node, ast.Call) and name_of(node.func) in CALLED_TYPES:
        dtype = CALLED_TYPES[name_of(node.func)]
        return constrain(Kind({"dtype": dtype}), *read_options(node))
    return _named(node, name_of(node))


def constrain(kind: Kind, options: dict[str, JsonValue], notes: Iterable[str] = ()) -> Kind:
    """Add the options of ``Field`` to a kind: its constraints, its title and its description."""
    whole = {**kind.options, **options}
    added, found = _constraints(kind.declared.get("dtype"), whole)
    new = [*notes, *(note for note in found if note not in kind.notes)]
    return replace(kind, declared={**kind.declared, **added}, notes=[*kind.notes, *new], options=whole)


def read_options(call: ast.Call) -> tuple[dict[str, JsonValue], list[str]]:
    """Return the keywords of a call whose values are literals, and notes about the others."""
    options: dict[str, JsonValue] = {}
    notes: list[str] = []
    for each in call.keywords:
        value = find_literal(each.value)
        name = SYNONYMS.get(each.arg or "", each.arg or "**")
        if value is None and name not in HARMLESS_OPTIONS:
            notes.append(f"`{name}` is computed and not checked")
        elif value is not None and value.json is not None:
            options[name] = value.json
    return options, notes


def _not_understood(node: ast.expr) -> Kind:
    return Kind(
        {"dtype": "any"},
        notes=[f"the type `{ast.unparse(node):.60}` is not understood, so any value is taken"],
    )


def _named(node: ast.expr, name: str) -> Kind:
    if name in CONTAINER_TYPES:
        return Kind({"dtype": "list"}, _container_construction(CONTAINER_TYPES[name], None))
    if name in BOUNDED_TYPES:
        dtype, bound = BOUNDED_TYPES[name]
        return constrain(Kind({"dtype": dtype}), {bound: 0})
    if name not in SIMPLE_TYPES:
        return _not_understood(node)
    dtype = SIMPLE_TYPES[name]
    return Kind({"dtype": dtype}, {"kind": dtype} if dtype in OBJECTS else None)


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """Return the types of ``a | b | c``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_alternatives(node.left), *_alternatives(node.right)]
    return [node]


def _union(nodes: list[ast.expr]) -> Kind:
    others = [node for node in nodes if not (isinstance(node, ast.Constant) and node.value is None)]
    kinds = [read_annotation(node) for node in others]
    is_nullable = len(others) < len(nodes) or any(kind.nullable for kind in kinds)
    notes = [note for kind in kinds for note in kind.notes]
    dtypes = {kind.declared["dtype"] for kind in kinds}
    if len(kinds) == 1:
        return replace(kinds[0], nullable=is_nullable)
    if dtypes == {"int", "float"}:
        chosen = next(kind for kind in kinds if kind.declared["dtype"] == "float")
        return replace(chosen, nullable=is_nullable, notes=notes)
    dtype = "string" if dtypes == {"string", "file"} else "any"
    return Kind({"dtype": dtype}, nullable=is_nullable, notes=notes)


def _subscripted(node: ast.Subscript) -> Kind:
    items = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    name = name_of(node.value)
    if name == "Literal":
        return _literal(node, items)
    if name in {"Optional", "Union"}:
        return _union([*items, *([ast.Constant(None)] if name == "Optional" else [])])
    if name == "Annotated":
        return _annotated(items)
    if name in QUALIFIERS and len(items) == 1:
        return read_annotation(items[0])
    if name in CONTAINER_TYPES:
        return _container(CONTAINER_TYPES[name], items)
    if SIMPLE_TYPES.get(name) == "record":
        return _record(node, items)
    return _not_understood(node)


def _record(node: ast.Subscript, items: list[ast.expr]) -> Kind:
    """Return the kind of ``dict[…]``, whose keys and values arrive as JSON has them."""
    kinds = [read_annotation(item) for item in items]
    is_plain = len(kinds) == 2 and kinds[0].declared["dtype"] in {"string", "select", "any"}
    if is_plain and kinds[1].construction is None:
        return Kind({"dtype": "record"})
    note = f"`{ast.unparse(node):.60}` gets a dictionary of JSON: its keys are texts, and its lists are lists"
    return Kind({"dtype": "record"}, notes=[note])


def _literal(node: ast.Subscript, items: list[ast.expr]) -> Kind:
    """Return the kind of ``Literal[…]``, whose arguments may be such types themselves."""
    choices: list[JsonValue] = []
    is_nullable = False
    for item in items:
        inner = _subscripted(item) if isinstance(item, ast.Subscript) else None
        if inner is not None and inner.declared["dtype"] == "select":
            choices += [each for each in inner.declared["values"] if each not in choices]  # type: ignore[union-attr]
            is_nullable |= inner.nullable
            continue
        value = find_literal(item)
        if value is None or isinstance(value.json, (list, dict)):
            return _not_understood(node)
        is_nullable |= value.json is None
        choice: JsonValue = {"name": str(value.json), "value": value.json}
        if value.json is not None and choice not in choices:
            choices.append(choice)
    if not choices:
        return _not_understood(node)
    return Kind({"dtype": "select", "values": choices}, nullable=is_nullable)


def _annotated(items: list[ast.expr]) -> Kind:
    """Return the kind of ``Annotated[type, …]``."""
    kind = read_annotation(items[0])
    for node in items[1:]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            kind = replace(kind, declared={"help": node.value, **kind.declared})
            continue
        name = name_of(node.func) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and name in OPTION_CALLS:
            kind = constrain(kind, *read_options(node))
        elif isinstance(node, ast.Call) and name in MARKERS:
            kind = constrain(kind, *_marked(node, name))
        else:
            note = f"`{ast.unparse(node):.60}` is not understood and not checked"
            kind = replace(kind, notes=[*kind.notes, note])
    return kind


def _marked(call: ast.Call, name: str) -> tuple[dict[str, JsonValue], list[str]]:
    """Return the constraint of ``annotated_types`` as options of ``Field``."""
    options, notes = read_options(call)
    for option, argument in zip(MARKERS[name], call.args, strict=False):
        value = find_literal(argument)
        if value is None:
            notes.append(f"`{ast.unparse(call):.60}` is computed and not checked")
        else:
            options[option] = value.json
    return options, notes


def _container(name: str, nodes: list[ast.expr]) -> Kind:
    """Return the kind of ``list[…]``, ``tuple[…]`` or ``set[…]``."""
    is_endless = bool(nodes) and isinstance(nodes[-1], ast.Constant) and nodes[-1].value is Ellipsis
    kinds = [read_annotation(node) for node in (nodes[:-1] if is_endless else nodes)]
    notes = [note for kind in kinds for note in kind.notes]
    declared: Declared = {"dtype": "list"}
    is_positional = name == "tuple" and not is_endless
    parts: list[JsonValue] = [_part(kind) for kind in kinds]
    if is_positional and not all(part == parts[0] for part in parts):
        declared["items"] = [{**part, "name": f"item{at}"} for at, part in enumerate(parts)]  # type: ignore[dict-item]
    elif is_positional:
        declared |= {"minLength": len(kinds), "maxLength": len(kinds)}
    if "items" not in declared and kinds and kinds[0].declared["dtype"] != "any":
        declared["para"] = parts[0]
    return Kind(declared, _container_construction(name, kinds), notes=notes)


def _part(kind: Kind) -> Declared:
    """Return the declaration of an item of a list."""
    part: Declared = {"name": "item", **kind.declared}
    return {**part, "isRequired": False} if kind.nullable else part


def _container_construction(name: str, kinds: list[Kind] | None) -> Construction | None:
    inner = [kind.construction for kind in kinds or []]
    if name == "list" and not any(inner):
        return None
    made: Construction = {"kind": name}
    first = inner[0] if inner else None
    if first is not None and all(each == first for each in inner):
        made["item"] = first
    elif any(inner):
        made["items"] = inner
    return made


def _constraints(dtype: JsonValue, options: dict[str, JsonValue]) -> tuple[Declared, list[str]]:
    """Return the options of ``Field`` as keys of a declaration, and notes about those not understood."""
    declared: Declared = {}
    notes: list[str] = []
    if dtype in {"int", "float"} and (bounds := _range(options)):
        declared["range"] = bounds
    for option, value in options.items():
        if option in HARMLESS_OPTIONS or (option in BOUND_OPTIONS and "range" in declared):
            continue
        key, is_right = _option(option, value, dtype)
        if is_right:
            declared[key] = value
        else:
            notes.append(f"`{option}={value!r:.40}` is not understood and not checked")
    return declared, notes


def _option(option: str, value: JsonValue, dtype: JsonValue) -> tuple[str, bool]:
    """Return the key of a declaration for an option, and whether that can have this value."""
    if option in {"title", "description"}:
        return "label" if option == "title" else "help", isinstance(value, str)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if option == "multiple_of":
        return "multipleOf", is_number and value > 0 and dtype in {"int", "float"}  # type: ignore[operator]
    if option in {"min_length", "max_length"}:
        is_length = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return PLAIN_OPTIONS[option], is_length and dtype in {"string", "list"}
    if option == "pattern":
        return option, isinstance(value, str) and dtype == "string" and pattern_problem(value) is None
    return option, False


def _range(options: dict[str, JsonValue]) -> str | None:
    """Return the range that ``ge``, ``gt``, ``le`` and ``lt`` make, or None if there is none."""
    given = {
        name: options[name]
        for name in BOUND_OPTIONS
        if isinstance(options.get(name), (int, float)) and not isinstance(options[name], bool)
    }
    low, high = given.get("ge", given.get("gt")), given.get("le", given.get("lt"))
    if low is None and high is None:
        return None
    opening, closing = "[" if "ge" in given else "(", "]" if "le" in given else ")"
    return f"{opening}{'' if low is None else low},{'' if high is None else high}{closing}"
