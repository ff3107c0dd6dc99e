"""Which code cells a run executes: all but those that their tags and its config leave out."""

from collections.abc import Collection, Sequence

from nbformat import NotebookNode

from runwidgets.errors import InvalidArgumentError
from runwidgets.schema import RunConfig
from runwidgets.templates.cells.reading import INJECTED_TAG, TAG
from runwidgets.templates.texts import shorten

SKIP_TAG = "skip-execution"
"""Tag of a cell that no run executes. **Source:** ``NotebookClient.skip_cells_with_tag`` of nbclient."""
VALUE_TAGS = {TAG, INJECTED_TAG}
"""Tags of the cells that assign the values of a run, which is why no config leaves them out."""
SHOWN = 20
"""Tags that an error message lists at most."""


def read_tags(notebook: NotebookNode) -> list[list[str]]:
    """Return the tags of each code cell that is not empty."""
    return [
        list(cell.metadata.get("tags", []))
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip()
    ]


def why_left_out(tags: Collection[str], config: RunConfig) -> str | None:
    """Return why a run leaves out a code cell, or None if it executes the cell.

    Parameters
    ----------
    tags : collection of str
        The tags of the cell.
    config : dict
        The config of the run: ``skip_tags`` leaves out cells that ``only_tags`` chooses.
    """
    if SKIP_TAG in tags:
        return f"its tag is '{SKIP_TAG}'"
    if VALUE_TAGS.intersection(tags):
        return None
    for tag in config.get("skip_tags", []):
        if tag in tags:
            return f"config.skip_tags has its tag '{tag}'"
    only = config.get("only_tags", [])
    if only and not set(only).intersection(tags):
        return "config.only_tags has none of its tags" if tags else "config.only_tags is given; it has no tag"
    return None


def check_choice(cells: Sequence[Collection[str]], config: RunConfig) -> None:
    """Check that each tag in a config belongs to a cell, and that a cell is left to be executed.

    Parameters
    ----------
    cells : sequence of collection of str
        The tags of each code cell of the notebook, as of `read_tags`.
    config : dict
        The config of a run.

    Raises
    ------
    InvalidArgumentError
        No cell has a tag, or all cells are left out, or those that assign the values would be.
    """
    known = {tag for tags in cells for tag in tags}
    given = {"skip_tags": config.get("skip_tags", []), "only_tags": config.get("only_tags", [])}
    chosen = [(name, tags) for name, tags in given.items() if tags]
    for name, tags in chosen:
        for tag in tags:
            if name == "skip_tags" and tag in VALUE_TAGS:
                problem = f"cells with the tag '{tag}' assign the values of the run, and are always executed"
                raise InvalidArgumentError(f"config.{name}", problem, "omit this tag")
            if tag not in known:
                problem = f"no code cell of the notebook has the tag '{shorten(tag)}'"
                raise InvalidArgumentError(f"config.{name}", problem, _describe(known))
    others = [tags for tags in cells if not VALUE_TAGS.intersection(tags)]
    if chosen and all(why_left_out(tags, config) is not None for tags in others):
        problem = "no code cell would be executed except those that assign the values of the run"
        raise InvalidArgumentError(f"config.{chosen[0][0]}", problem, "leave out fewer cells")


def _describe(known: Collection[str]) -> str:
    """Return a sentence about the tags that cells have."""
    if not known:
        return "its code cells have no tags"
    shown = sorted(known)[:SHOWN]
    rest = ", …" if len(known) > len(shown) else ""
    quoted = [f"'{shorten(tag)}'" for tag in shown]
    return f"there are {', '.join(quoted)}{rest}"
