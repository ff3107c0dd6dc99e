"""The results in the working folder of a run."""

import hashlib
import mimetypes
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import cast

from runwidgets.execution.run_outcome import Outcome, RunFailedError
from runwidgets.execution.runner.files.inputs import Original
from runwidgets.execution.runner.files.written_files import find_files
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


def collect_results(
    folder: Path,
    outputs: list[OutputDeclaration],
    originals: Mapping[str, Original],
    notebook: str,
    limits: Limits,
) -> list[FoundResult]:
    """List, measure and hash the results of a run: declared outputs first, the notebook last.

    Parameters
    ----------
    folder : Path
        The run directory.
    outputs : list of dict
        The outputs that the template declares: ``source``, a path or glob, and their display options.
    originals : mapping
        Its inputs by relative path; one that the run did not write is not a result.
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
        A declared output was not written, or the files exceed a limit.
    """
    found: dict[str, FoundResult] = {}
    total = 0
    for name in find_files(folder):
        digest, size = hash_file(folder / WORKDIR / name)
        if name in originals and not originals[name].was_replaced(folder / WORKDIR / name, digest):
            continue
        total += size
        found[name] = describe_file(name, digest, size)
        if len(found) > limits.result_files:
            message = (
                f"result files: the run left more than {limits.result_files:,}; pack them into one archive"
            )
            raise RunFailedError(Outcome.failed(RunReason.RESULTS_TOO_LARGE, message))
        if total > limits.result_size:
            message = f"result files: they have more than {limits.result_size:,} bytes"
            raise RunFailedError(Outcome.failed(RunReason.RESULTS_TOO_LARGE, message))
    for output in outputs:
        if not _find_matching(found, output):
            message = f"{output['source']}: the template declares this output, but the run did not write it"
            raise RunFailedError(Outcome.failed(RunReason.OUTPUTS_MISSING, message))
    return [*sort_files(found, outputs), describe_notebook(folder, found, notebook)]


def sort_files(found: Mapping[str, FoundResult], outputs: list[OutputDeclaration]) -> list[FoundResult]:
    """Return files with the declared outputs first, which get their display options, then by name."""
    listed: dict[str, FoundResult] = {}
    for output in outputs:
        display = {key: value for key, value in output.items() if key != "source"}
        for name in _find_matching(found, output):
            listed[name] = {**found[name], "display": cast(ResultDisplay, display)}
    return [*listed.values(), *(found[name] for name in sorted(found) if name not in listed)]


def describe_notebook(folder: Path, found: Collection[str], name: str) -> FoundResult:
    """Return the executed notebook as a file whose name none of the found ones has.

    Raises
    ------
    OSError
        It does not exist, or cannot be read.
    """
    while name in found:
        name = f"executed-{name}"
    executed = describe_file(name, *hash_file(folder / OUTPUT))
    executed["display"] = {"isNotebook": True}
    return executed


def describe_file(name: str, digest: str | None, size: int) -> FoundResult:
    """Return what is listed of a file without display options."""
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


def _find_matching(found: Collection[str], output: OutputDeclaration) -> list[str]:
    return sorted(name for name in found if _matches(name, output["source"]))


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or (PurePosixPath(name).match(pattern) and name.count("/") == pattern.count("/"))
