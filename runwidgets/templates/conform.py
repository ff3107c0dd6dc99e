"""Notebooks as they are in the wild: what papermill executes although the format does not allow it.

Such a notebook is made valid, so that the executed one can be stored as a valid notebook; what is executed
stays the same.
"""

import re

import nbformat
from nbformat import NotebookNode
from nbformat.validator import normalize

NOTEBOOK_KEYS = {"cells", "metadata", "nbformat", "nbformat_minor"}
TEXT_KEYS = {"id", "cell_type", "metadata", "source", "attachments"}
CODE_KEYS = {"id", "cell_type", "metadata", "source", "outputs", "execution_count"}
MAX_LEVEL = 6
"""Of a heading in Markdown."""


def conform(notebook: NotebookNode) -> NotebookNode:
    """Return a valid notebook that executes the same code.

    Parameters
    ----------
    notebook : NotebookNode
        A notebook of format 4.5, valid or not; changed in place.

    Returns
    -------
    NotebookNode
        Without unknown properties and invalid metadata; tags are a list.

    Raises
    ------
    nbformat.ValidationError
        It is invalid in another way.
    """
    for key in set(notebook) - NOTEBOOK_KEYS:
        del notebook[key]
    _drop_other_types(notebook.metadata, "papermill", "kernelspec", "language_info")
    spec = notebook.metadata.get("kernelspec", {})
    if isinstance(spec.get("name"), str) and not isinstance(spec.get("display_name"), str):
        spec["display_name"] = spec["name"]
    for cell in notebook.cells:
        _conform_cell(cell)
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError:
        _, stripped = normalize(notebook, strip_invalid_metadata=True)
        nbformat.validate(stripped)
        return stripped  # type: ignore[no-any-return]
    return notebook


def _conform_cell(cell: NotebookNode) -> None:
    if cell.cell_type == "heading":
        level = min(int(cell.get("level", 1)), MAX_LEVEL)
        cell.cell_type, cell.source = "markdown", f"{'#' * level} {cell.source}"
    elif cell.cell_type not in {"code", "markdown", "raw"}:
        cell.cell_type = "raw"
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    for key in set(cell) - (CODE_KEYS if cell.cell_type == "code" else TEXT_KEYS):
        del cell[key]
    _drop_other_types(cell, "attachments")
    _drop_other_types(cell.metadata, "papermill", "jupyter", "execution")
    if not all(isinstance(value, str) for value in cell.metadata.get("execution", {}).values()):
        del cell.metadata["execution"]
    if "tags" in cell.metadata:
        cell.metadata["tags"] = _tags(cell.metadata["tags"])


def _drop_other_types(holder: NotebookNode, *keys: str) -> None:
    """Drop values that have to be objects and are not."""
    for key in keys:
        if not isinstance(holder.get(key, {}), dict):
            del holder[key]


def _tags(given: object) -> list[str]:
    """Return tags as a list; a text may hold several, separated by commas or blanks."""
    texts = re.split(r"[,\s]+", given) if isinstance(given, str) else given
    if not isinstance(texts, list):
        return []
    single = [tag for text in texts if isinstance(text, str) for tag in text.split(",")]
    return [tag for tag in dict.fromkeys(single) if tag]
