"""The results in the working folder of a run."""

import hashlib
import mimetypes
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import cast

from runwidgets.execution.run_outcome import Outcome, RunFailedError
from runwidgets.limits import Limits
from runwidgets.schema import FoundResult, OutputDeclaration, ResultDisplay, RunReason
from runwidgets.store.files.disk import hash_file
from runwidgets.store.files.layout import OUTPUT, WORKDIR

NOTEBOOK_TYPE = "application/x-ipynb+json"
MIME_TYPES = mimetypes.MimeTypes()
for _suffix, _mime_type in {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".ipynb": NOTEBOOK_TYPE,
    ".json": "application/json",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".py": "text/x-python",
    ".toml": "application/toml",
    ".tsv": "text/tab-separated-values",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}.items():
    MIME_TYPES.add_type(_mime_type, _suffix)

IGNORED = {"__pycache__", ".ipynb_checkpoints"}
"""Folders that Python and Jupyter create by themselves."""


def collect_results(
    folder: Path, outputs: list[OutputDeclaration], placed: dict[str, str], notebook: str, limits: Limits
) -> list[FoundResult]:
    """List, measure and hash the results of a run: declared outputs first, the notebook last.

    Parameters
    ----------
    folder : Path
        The run directory.
    outputs : list of dict
        The outputs that the template declares: ``source``, a path or glob, and their display options.
    placed : dict
        SHA-256 by relative path of its inputs; an unchanged input is not a result.
    notebook : str
        Name of the executed notebook among the results.
    limits : Limits
        ``result_files`` and ``result_size`` (bytes).

    Returns
    -------
    list of dict
        ``{id, name, mimeType, size, sha256, display}``.

    Raises
    ------
    RunFailedError
        A declared output is missing, or the files exceed a limit.
    """
    workdir = folder / WORKDIR
    found: dict[str, FoundResult] = {}
    total = 0
    for path in _files(workdir):
        name = _text_name(workdir, path)
        digest, size = hash_file(workdir / name)
        if placed.get(name) == digest:
            continue
        total += size
        found[name] = _result(name, digest, size)
        if len(found) > limits.result_files:
            message = (
                f"result files: the run left more than {limits.result_files:,}; pack them into one archive"
            )
            raise RunFailedError(Outcome.failed(RunReason.RESULTS_TOO_LARGE, message))
        if total > limits.result_size:
            message = f"result files: they have more than {limits.result_size:,} bytes"
            raise RunFailedError(Outcome.failed(RunReason.RESULTS_TOO_LARGE, message))
    listed: dict[str, FoundResult] = {}
    for output in outputs:
        matching = sorted(name for name in found if _matches(name, output["source"]))
        if not matching and output["source"] not in placed:
            message = f"{output['source']}: the template declares this output, but the run did not write it"
            raise RunFailedError(Outcome.failed(RunReason.OUTPUTS_MISSING, message))
        for name in matching:
            listed.setdefault(name, found[name])
            display = {key: value for key, value in output.items() if key != "source"}
            listed[name]["display"] = cast(ResultDisplay, display)
    for name in sorted(found):
        listed.setdefault(name, found[name])
    while notebook in listed:
        notebook = f"executed-{notebook}"
    digest, size = hash_file(folder / OUTPUT)
    executed = _result(notebook, digest, size)
    executed["display"] = {"isNotebook": True}
    return [*listed.values(), executed]


def _result(name: str, digest: str, size: int) -> FoundResult:
    mime_type, encoding = MIME_TYPES.guess_type(name)
    if encoding or mime_type is None:
        mime_type = "application/gzip" if encoding == "gzip" else "application/octet-stream"
    return {
        "id": hashlib.sha256(name.encode()).hexdigest()[:16],
        "name": name,
        "mimeType": mime_type,
        "size": size,
        "sha256": digest,
        "display": {},
    }


def _files(folder: Path) -> Iterator[Path]:
    """Yield regular files below a folder, without following links."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - IGNORED)
        for name in sorted(names):
            path = Path(parent, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def _text_name(folder: Path, path: Path) -> str:
    """Return the relative name of a file; a name that is not UTF-8 is changed first."""
    name = path.relative_to(folder).as_posix()
    readable = name.encode("utf-8", "backslashreplace").decode()
    if readable != name:
        target = folder / readable
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return readable


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or (PurePosixPath(name).match(pattern) and name.count("/") == pattern.count("/"))
