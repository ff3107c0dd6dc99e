"""Snapshots of the notebook that is being executed: replaced atomically, and at a limited rate."""

import json
import math
import time
from pathlib import Path
from typing import Any

import nbformat.v4
from nbformat import NotebookNode

from runwidgets.store.files.disk import write_atomically

SNAPSHOT_INTERVAL = 0.5
"""Minimum number of seconds between two snapshots."""
SNAPSHOT_RATIO = 20
"""Ratio of interval and duration of snapshots: one that took 1 s is followed after 20 s, which costs 5 %."""


class SnapshotWriter:
    """Writes the states of a notebook to one file.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0.0

    def seconds_left(self) -> float:
        """Return the seconds until a snapshot is due; not above 0 if it is."""
        return self._next - time.monotonic()

    def write(self, notebook: NotebookNode, is_last: bool = False) -> None:
        """Replace the stored notebook by its current state.

        Parameters
        ----------
        notebook : NotebookNode
            The notebook.
        is_last : bool
            Whether this is its final state: then it is on disk on return.

        Raises
        ------
        OSError
            The disk rejects it; the previous snapshot remains.
        """
        began = time.monotonic()
        write_atomically(self.path, serialise(notebook, is_draft=not is_last), is_durable=is_last)
        ended = time.monotonic()
        self._next = ended + max(SNAPSHOT_INTERVAL, SNAPSHOT_RATIO * (ended - began))


def correct_notebook(output: Path) -> None:
    """Correct the stored notebook of a lost runner: none of its cells is running.

    Parameters
    ----------
    output : Path
        Path of the notebook, which may be missing.
    """
    if not output.exists():
        return
    notebook = nbformat.v4.reads(output.read_text("utf-8"))
    running = [
        cell for cell in notebook.cells if cell.metadata.get("runwidgets", {}).get("status") == "running"
    ]
    for cell in running:
        cell.metadata["runwidgets"]["status"] = "error"
    if running:
        write_atomically(output, serialise(notebook))


def serialise(notebook: NotebookNode, is_draft: bool = False) -> bytes:
    """Serialise a notebook as strict JSON: no NaN, no lone surrogates.

    Parameters
    ----------
    notebook : NotebookNode
        Any notebook of format 4.
    is_draft : bool
        Whether it is replaced soon: then it is not indented.

    Returns
    -------
    bytes
        UTF-8.
    """
    write: Any = json.dumps if is_draft else nbformat.v4.writes
    try:
        text: str = write(notebook, allow_nan=False)
    except ValueError:
        text = write(nbformat.from_dict(strict(notebook)), allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def strict(value: Any) -> Any:
    """Return a copy in which NaN and infinity are strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return value
