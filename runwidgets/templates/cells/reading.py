"""Reading all parameters cells of a notebook, in whichever language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nbformat import NotebookNode
from papermill.translators import PythonTranslator

from runwidgets.errors import InvalidTemplateError
from runwidgets.schema import Declared, JsonValue
from runwidgets.templates.cells.languages import find_syntax
from runwidgets.templates.cells.line_reader import read_lines
from runwidgets.templates.cells.python_cell import read_signature, read_values
from runwidgets.templates.cells.python_code import find_bound_names
from runwidgets.templates.cells.signature import Signature, is_valid
from runwidgets.templates.translators import find_translator

TAG = "parameters"
INJECTED_TAG = "injected-parameters"
IMPORTABLE = {
    **dict.fromkeys(
        ("Annotated", "Any", "Dict", "FrozenSet", "Iterable", "List", "Literal", "Mapping", "Optional"),
        "typing",
    ),
    **dict.fromkeys(("Final", "Sequence", "Set", "Tuple", "Union"), "typing"),
    **dict.fromkeys(("Ge", "Gt", "Interval", "Le", "Len", "Lt", "MaxLen", "MinLen"), "annotated_types"),
    **dict.fromkeys(("date", "datetime"), "datetime"),
    "MultipleOf": "annotated_types",
    "Field": "pydantic",
    "Path": "pathlib",
    "PurePath": "pathlib",
}
"""Module by name of what annotations use."""


@dataclass(frozen=True)
class ParametersCells:
    """What the parameters cells of a notebook declare together.

    Attributes
    ----------
    signature : Signature
        The declarations of all cells.
    injections : dict
        Names by id of the cell after which their values are injected; other values are injected after the
        first parameters cell.
    prelude : str
        Imports without which the annotations would fail; empty if there are none.
    is_open : bool
        Whether the cells cannot be read, and any name may be a parameter.
    """

    signature: Signature = field(default_factory=Signature)
    injections: dict[str, list[str]] = field(default_factory=dict)
    prelude: str = ""
    is_open: bool = False


def read_parameters_cells(notebook: NotebookNode, kernel_name: str, language: str) -> ParametersCells:
    """Read the cells that are tagged ``parameters``.

    Parameters
    ----------
    notebook : NotebookNode
        A valid notebook of format 4.5.
    kernel_name, language : str
        Its kernelspec and language.

    Returns
    -------
    ParametersCells
        The declarations of the cells, with the defaults of cells that were injected earlier.

    Raises
    ------
    InvalidTemplateError
        A cell cannot be parsed, or two cells assign the same name.
    """
    tagged = [cell for cell in notebook.cells if cell.cell_type == "code" and TAG in _tags(cell)]
    translator = find_translator(kernel_name, language)
    if translator is None:
        warning = f"a notebook in {language:.60} has no parameters, because papermill cannot set them"
        return ParametersCells(Signature(warnings=[warning] if tagged else []))
    signatures = [_read(cell, translator) for cell in tagged]
    if None in signatures:
        warning = (
            f"the parameters cell is not understood (it is in {language:.60}), so any name and value is taken"
        )
        return ParametersCells(Signature(is_whole=False, warnings=[warning]), is_open=True)
    known = [signature for signature in signatures if signature is not None]
    assigned = {cell.id: each.names for cell, each in zip(tagged, known, strict=True)}
    signature = _with_injected(_joined(known), notebook, translator, assigned)
    first = next((cell for cell in notebook.cells if TAG in _tags(cell)), None)
    injections = {
        cell.id: sorted(each.names)
        for cell, each in zip(tagged, known, strict=True)
        if cell is not first and each.parameters
    }
    return ParametersCells(signature, injections, _prelude(notebook, tagged, signature))


def _tags(cell: NotebookNode) -> list[str]:
    tags: list[str] = cell.metadata.get("tags", [])
    return tags


def _read(cell: NotebookNode, translator: Any) -> Signature | None:
    """Return the declarations of a cell, or None if nothing here understands its language."""
    if issubclass(translator, PythonTranslator):
        return read_signature(cell.source)
    syntax = find_syntax(translator)
    if syntax is not None:
        return read_lines(cell.source, syntax)
    try:
        found = translator.inspect(cell)
    except NotImplementedError:
        return None
    parameters: list[Declared] = [
        {
            "name": each.name,
            "dtype": "any",
            "isRequired": False,
            "computed": True,
            "source": each.default,
            "help": each.help,
            "index": at,
        }
        for at, each in enumerate(found)
    ]
    return Signature(parameters=parameters, names={each.name for each in found})


def _joined(signatures: list[Signature]) -> Signature:
    """Return the declarations of several cells as if they were one."""
    joined = Signature()
    for each in signatures:
        own = {str(declared["name"]) for declared in each.parameters}
        before = {str(declared["name"]) for declared in joined.parameters}
        if twice := (own & joined.names) | (before & each.names):
            raise InvalidTemplateError(
                "parameters cells", f"two of them assign {min(twice)}", "assign it in one of them"
            )
        parameters = [*joined.parameters, *each.parameters]
        joined = Signature(
            parameters=[{**declared, "index": at} for at, declared in enumerate(parameters)],
            constructions={**joined.constructions, **each.constructions},
            assigned={**joined.assigned, **each.assigned},
            names=joined.names | each.names,
            words=joined.words | each.words,
            is_whole=joined.is_whole and each.is_whole,
            annotations=joined.annotations | each.annotations,
            warnings=[*joined.warnings, *each.warnings],
        )
    return joined


def is_injected(cell: NotebookNode) -> bool:
    """Return whether a cell holds the values of an earlier run, and nothing that declares parameters."""
    return INJECTED_TAG in _tags(cell) and TAG not in _tags(cell)


def remove_injected(notebook: NotebookNode, *, keeps_first: bool) -> None:
    """Remove the cells of values that an earlier run has left, which are superseded by those of a run.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook, which is changed.
    keeps_first : bool
        Whether the cell stays that papermill replaces by the values of the first parameters cell. It lies
        between that cell and the next parameters cell, which cannot use those values otherwise.
    """
    tagged = [at for at, cell in enumerate(notebook.cells) if TAG in _tags(cell)]
    start, end = [*tagged, len(notebook.cells)][:2] if tagged else (-1, len(notebook.cells))
    kept = next((cell for cell in notebook.cells[start + 1 : end] if is_injected(cell)), None)
    notebook.cells = [
        cell for cell in notebook.cells if not is_injected(cell) or (keeps_first and cell is kept)
    ]


def _with_injected(
    signature: Signature, notebook: NotebookNode, translator: Any, assigned: Mapping[str, set[str]]
) -> Signature:
    """Return the declarations with the values that an earlier run has left in its injected cells.

    A run removes these cells, so their values become defaults, which are injected anew. The last value of a
    name counts, unless a parameters cell that follows assigns it: its names are given by the id of the cell.
    """
    values: dict[str, JsonValue] = {}
    for cell in notebook.cells:
        if cell.id in assigned:
            values = {name: value for name, value in values.items() if name not in assigned[cell.id]}
        elif cell.cell_type == "code" and is_injected(cell):
            values |= _read_values(cell, translator)
    known = {str(declared["name"]): declared for declared in signature.parameters}
    for name, value in values.items():
        declared = known.get(name, {"name": name, "dtype": "any", "index": len(known)})
        known[name] = _with_default(declared, value)
    return replace(signature, parameters=list(known.values()), names=signature.names | set(values))


def _read_values(cell: NotebookNode, translator: Any) -> dict[str, JsonValue]:
    """Return the literals that an injected cell assigns, by name."""
    if issubclass(translator, PythonTranslator):
        return read_values(cell.source)
    syntax = find_syntax(translator)
    return read_lines(cell.source, syntax).assigned if syntax is not None else {}


def _with_default(declared: Declared, value: JsonValue) -> Declared:
    kept = {key: each for key, each in declared.items() if key not in {"computed", "source"}}
    changed: Declared = {**kept, "isRequired": False, "defaultValue": value}
    if is_valid(changed):
        return changed
    return {"name": declared["name"], "dtype": "any", "isRequired": False, "defaultValue": value}


def _prelude(notebook: NotebookNode, tagged: Iterable[NotebookNode], signature: Signature) -> str:
    """Return the imports that the annotations need and that no cell up to the parameters makes."""
    missing = signature.annotations & set(IMPORTABLE)
    if not missing:
        return ""
    last = max(at for at, cell in enumerate(notebook.cells) if any(cell is each for each in tagged))
    for cell in notebook.cells[:last]:
        if cell.cell_type == "code":
            missing -= find_bound_names(cell.source)
    return "\n".join(f"from {IMPORTABLE[name]} import {name}" for name in sorted(missing))
