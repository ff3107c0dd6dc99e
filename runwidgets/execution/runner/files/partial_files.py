"""Partial files: what a run without success left in its working folder, and its executed notebook.

They are listed like result files, but a large one is not hashed, so that the list of a run that was stopped
is there soon. The runner lists them; if it was killed, the instance does. What exceeds the limits for result
files is not listed, and a runner removes it.
"""

import os
from pathlib import Path

from runwidgets.execution.runner.files.results import describe_file, describe_notebook, sort_files
from runwidgets.execution.runner.files.written_files import find_files, take_in_files
from runwidgets.limits import Limits
from runwidgets.schema import FoundResult, RunDescription
from runwidgets.store.files.disk import hash_file
from runwidgets.store.files.layout import LOG, OUTPUT, WORKDIR

HASHED_SIZE = 64_000_000
"""Bytes of one run's partial files that are hashed at most, which takes a fraction of a second."""


def list_partial_files(folder: Path, description: RunDescription) -> tuple[list[FoundResult], bool]:
    """List and measure the partial files of a run without processes, the notebook last.

    Parameters
    ----------
    folder : Path
        The run directory.
    description : dict
        Content of ``run.json``.

    Returns
    -------
    files : list of dict
        Described as result files are; ``sha256`` is None if a file was not hashed.
    is_complete : bool
        Whether nothing exceeds the limits.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    limits = Limits.from_json(description["limits"])
    take_in_files(folder, description["template"]["place"])
    found: dict[str, FoundResult] = {}
    hashable, remaining, is_complete = HASHED_SIZE, limits.result_size, True
    inputs = {each["path"]: each for each in [*description["inputs"], *description["files"]]}
    for name in find_files(folder):
        path = folder / WORKDIR / name
        if not os.access(path, os.R_OK):
            continue
        size = path.stat().st_size
        digest = hash_file(path)[0] if size <= hashable else None
        hashable -= 0 if digest is None else size
        known = inputs.get(name)
        if known is not None and known["size"] == size and digest in (None, known["sha256"]):
            continue  # an input that the run did not change
        if len(found) == limits.result_files:
            is_complete = False
            break
        if size > remaining:
            is_complete = False
            continue
        remaining -= size
        found[name] = describe_file(name, digest, size)
    template = description["template"]
    files = sort_files(found, template["outputs"])
    if (folder / OUTPUT).is_file():
        files.append(describe_notebook(folder, found, template["name"]))
    return files, is_complete


def remove_other_files(folder: Path, description: RunDescription, files: list[FoundResult]) -> None:
    """Remove what is neither an input nor among the partial files, and tell it in the log.

    Parameters
    ----------
    folder : Path
        The run directory.
    description : dict
        Content of ``run.json``.
    files : list of dict
        Those that `list_partial_files` returned.
    """
    kept = {each["name"] for each in files}
    kept |= {each["path"] for each in [*description["inputs"], *description["files"]]}
    others = [name for name in find_files(folder) if name not in kept]
    for name in others:
        (folder / WORKDIR / name).unlink()
    limits = Limits.from_json(description["limits"])
    with (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(
            f"\n[{len(others):,} partial files were not kept: the limits of a run are "
            f"{limits.result_files:,} files and {limits.result_size:,} bytes]\n"
        )
