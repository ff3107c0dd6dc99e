"""The signature of a Python parameters cell, parsed from its syntax tree without executing it.

Every name that the cell assigns is a parameter. Its type is that of its annotation, of its type comment or of
its value; a comment at the end of a line becomes the help. A value that has to be computed, such as
``24 * 60 * 60`` or ``os.getcwd()``, makes an optional parameter that shows its code: if it is not given, the
notebook computes it.
"""

import ast
import re
from dataclasses import replace

from runwidgets.errors import InvalidTemplateError
from runwidgets.schema import Declared, JsonValue
from runwidgets.templates.cells.annotations import Kind, constrain, read_annotation, read_options
from runwidgets.templates.cells.literals import Value, find_literal, name_of
from runwidgets.templates.cells.python_code import (
    Assignment,
    annotation_names,
    assigns_unseen,
    bound_names,
    parse_code,
    read_assignments,
    trailing_comments,
)
from runwidgets.templates.cells.signature import Signature, declare_computed, is_valid

TYPE_COMMENT = re.compile(r"type:\s*(?!ignore\b)(\S.*)")
NOT_HELP = ("type:", "noqa", "pragma:", "pylint:")


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
    return _Reader(tree, code, source).signature()


def read_values(source: str) -> dict[str, JsonValue]:
    """Return the literals that a cell of values assigns, as JSON by name.

    Parameters
    ----------
    source : str
        Python code, such as the cell that papermill injects.

    Returns
    -------
    dict
        Empty if the code is not Python.
    """
    try:
        tree, _ = parse_code(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    assignments = [each for statement in tree.body for each in read_assignments(statement)]
    values = [(each.name, find_literal(each.value)) for each in assignments if each.value is not None]
    return {name: value.json for name, value in values if value is not None}


class _Reader:
    """Collects the declarations of a cell, statement by statement."""

    def __init__(self, tree: ast.Module, code: str, source: str) -> None:
        self._tree = tree
        self._code = code
        self._source = source
        self._comments = trailing_comments(code)
        self._types: dict[str, ast.expr] = {}
        self._found: dict[str, Declared] = {}
        self._made = Signature()

    def signature(self) -> Signature:
        """Return the declarations."""
        for statement in self._tree.body:
            for assignment in read_assignments(statement):
                if not assignment.name.startswith("__"):
                    self._take(assignment)
        bound = bound_names(self._tree)
        return replace(
            self._made,
            parameters=[{**declared, "index": at} for at, declared in enumerate(self._found.values())],
            names=bound | set(self._found),
            is_whole=not assigns_unseen(self._tree, self._source),
            annotations=annotation_names(self._tree) - bound,
        )

    def _take(self, assignment: Assignment) -> None:
        """Declare the name of an assignment anew."""
        name, made = assignment.name, self._made
        if assignment.is_change and name not in self._found:
            return
        made.constructions.pop(name, None)
        made.assigned.pop(name, None)
        if isinstance(assignment.statement, ast.Delete):
            self._found.pop(name, None)
            return
        comment = self._comments.get(assignment.statement.end_lineno or 0, "")
        annotation, help_text = _type_comment(comment)
        annotation = assignment.annotation or annotation or self._types.get(name)
        if annotation is not None and name_of(annotation) == "Final":
            annotation = None
        elif annotation is not None:
            self._types[name] = annotation
        declared, kind = self._describe(assignment, annotation)
        if help_text and "help" not in declared:
            declared["help"] = help_text
        self._found[name] = declared
        value = find_literal(assignment.value) if assignment.value is not None else None
        if value is not None:
            made.assigned[name] = value.json
        if kind.construction is not None:
            made.constructions[name] = kind.construction
        made.warnings.extend(f"{name}: {note}" for note in kind.notes)

    def _describe(self, assignment: Assignment, annotation: ast.expr | None) -> tuple[Declared, Kind]:
        """Return the declaration of a name, and what its type says."""
        default = _default(assignment)
        if annotation is not None:
            kind = read_annotation(annotation)
            if default is not None and _says_less(kind, default):
                default = None
        else:
            kind = Kind(default.declared if default else {}, default.construction if default else None)
        if (call := assignment.field) is not None:
            kind = constrain(kind, *read_options(call))
        presence = self._presence(assignment, kind, default)
        declared: Declared = {"name": assignment.name, "dtype": "any", **kind.declared, **presence}
        if is_valid(declared):
            return declared, kind
        told = f"`{ast.unparse(annotation):.60}`" if annotation is not None else "its limits"
        notes = [*kind.notes, f"its default does not fit {told}, so any value is taken"]
        declared = {"name": assignment.name, "dtype": "any", **presence}
        if not is_valid(declared) or (default is not None and default.construction is not None):
            declared = {"name": assignment.name, "dtype": "any", **self._computed(assignment)}
        return declared, replace(kind, construction=None, notes=notes)

    def _presence(self, assignment: Assignment, kind: Kind, default: Value | None) -> Declared:
        """Return the keys that say what the value is if none is given."""
        nullable: Declared = {"nullable": True} if kind.nullable else {}
        if default is not None:
            return {
                "isRequired": False,
                "defaultValue": default.json,
                **(nullable if default.json is not None else {}),
            }
        if assignment.is_declaration or assignment.field is not None:
            return {"isRequired": False} if kind.nullable else {}
        return {**self._computed(assignment), **nullable}

    def _computed(self, assignment: Assignment) -> Declared:
        """Return the keys of a name whose value the notebook computes."""
        node: ast.AST = assignment.value or assignment.statement
        return declare_computed(ast.get_source_segment(self._code, node) or "")


def _says_less(kind: Kind, default: Value) -> bool:
    """Return whether a default would arrive as another value if it was sent, as (1, 2) for Any."""
    is_open = kind.declared["dtype"] in {"any", "list"} and not {"para", "items"} & kind.declared.keys()
    return is_open and default.construction != kind.construction


def _default(assignment: Assignment) -> Value | None:
    """Return the value of a name if none is given, if that is a literal."""
    if (call := assignment.field) is None:
        return find_literal(assignment.value) if assignment.value is not None else None
    options = {each.arg: each.value for each in call.keywords}
    if call.args or "default" in options:
        return find_literal(call.args[0] if call.args else options["default"])
    factory = options.get("default_factory")
    return find_literal(ast.Call(factory, [], [])) if factory is not None else None


def _type_comment(comment: str) -> tuple[ast.expr | None, str]:
    """Return the type in a comment such as ``type: int``, and the part of the comment that is for people."""
    found = TYPE_COMMENT.match(comment)
    if found is None:
        return None, "" if comment.startswith(NOT_HELP) else comment
    whole, first = found[1], found[1].split()[0]
    for text, rest in (tuple(whole.partition("#")[::2]), (first, whole[len(first) :])):
        try:
            node = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            continue
        if not read_annotation(node).notes:
            return node, rest.strip()
    return None, comment
