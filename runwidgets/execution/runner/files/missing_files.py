"""Hints for a failed run: which paths in its messages it would have found in the notebook's own folder."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from runwidgets.execution.run_outcome import Outcome
from runwidgets.schema import RunDescription, RunReason
from runwidgets.store.files.layout import WORKDIR

RAISED = re.compile(r"^[A-Za-z_][\w.]*: .+$", re.MULTILINE)
"""A line that names an exception and its text, also one that caused another."""
NAME = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"|([^\s'\"]+)")
"""A quoted text, or a word, which may look like a path."""
MAX_NAMES = 200
"""Names in the messages of a run that are looked up."""
MAX_HINTS = 3
"""Hints of one run at most."""


def find_missing(folder: Path, description: RunDescription, outcome: Outcome) -> list[str]:
    """Return a hint for each path in the messages about a cell that the run lacks, but its notebook has.

    Parameters
    ----------
    folder : Path
        The run directory.
    description : dict
        Content of ``run.json``.
    outcome : Outcome
        Why the run failed.

    Returns
    -------
    list of str
        Sentences; empty if no cell failed, if the run worked in the notebook's folder, or if that is not on
        this machine.
    """
    is_beside = description["config"].get("cwd", "run") == "notebook"
    if outcome.reason is not RunReason.CELL_ERROR or is_beside:
        return []
    template = description["template"]
    workdir = folder / WORKDIR
    own, origin = workdir / template["place"], Path(template["folder"])
    found: dict[str, None] = {}
    for name in _names(outcome.messages):
        path = os.path.relpath(name, own) if Path(name).is_relative_to(folder.parent) else name
        for each in (path, *_modules(path)):
            if _is_missing(own, workdir, each) and os.path.exists(origin / each):
                found[each] = None
    return [
        f"'{each}' exists beside the notebook, but the run has no copy of it; with the config "
        '{"cwd": "notebook"} it would run there and find it'
        for each in list(found)[:MAX_HINTS]
    ]


def _names(messages: Sequence[str]) -> Iterator[str]:
    """Yield the first names in the sentence about a cell, and in the exceptions of its traceback."""
    texts = [*messages[:1], *(line for text in messages[1:] for line in RAISED.findall(text))]
    names: dict[str, None] = {}
    for text in texts:
        for match in NAME.finditer(text):
            quoted, also_quoted, word = match.groups("")
            if not word or "." in word or "/" in word:
                names[quoted or also_quoted or word.rstrip(".,:;)")] = None
    yield from list(names)[:MAX_NAMES]


def _modules(name: str) -> list[str]:
    """Return the paths of a module with a name."""
    first = name.partition(".")[0]
    return [f"{first}.py", f"{first}/__init__.py"] if first.isidentifier() and "/" not in name else []


def _is_missing(own: Path, workdir: Path, path: str) -> bool:
    """Return whether the run has no such file; what is outside its working folder is not part of it."""
    if not path.strip("./ ") or path.startswith(("/", "~")):
        return False
    located = Path(os.path.normpath(own / path))
    return not located.is_relative_to(workdir) or not os.path.lexists(located)
