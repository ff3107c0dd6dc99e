"""The results of a sweep as files of another run: a folder with one sub-folder per successful run."""

import json
from dataclasses import dataclass

from runwidgets.errors import InvalidArgumentError
from runwidgets.schema import PlacedUpload
from runwidgets.service.local.components import Components
from runwidgets.states import RunState
from runwidgets.store.files.layout import copy_key, result_key

PARAMETER = "runs"
"""The parameter that is told where they are, and the name of their folder."""
ABOUT = "run.json"
"""What a sub-folder says of its run."""
PAGE = 1_000


@dataclass(frozen=True)
class SweepResults:
    """Files for a run that has not begun."""

    files: list[PlacedUpload]
    """``{fileId, path, sha256, size}`` of each, as in ``run.json``."""
    sources: dict[str, str]
    """Key of each, by ``fileId``."""


def gather(parts: Components, user: str | None, sweep_id: str) -> SweepResults:
    """Return the result files of the successful runs of a sweep, ``runs/<number>/<name>`` each.

    Beside them is ``run.json`` with ``id``, ``number``, ``arguments`` and ``metrics`` (by name),
    ``startedAt`` and ``finishedAt``. Executed notebooks are left out.

    Parameters
    ----------
    parts : Components
        The instance.
    user : str or None
        Who asks.
    sweep_id : str
        The sweep.

    Raises
    ------
    UnknownSweepError
        There is no such sweep.
    UnauthorizedAccessError
        The user may not read it.
    InvalidArgumentError
        None of its runs has succeeded.
    """
    parts.group(user, parts.sweeps.get(sweep_id).group_id)
    files: list[PlacedUpload] = []
    sources: dict[str, str] = {}

    def add(path: str, sha256: str, size: int, source: str) -> None:
        file_id = f"g{len(files)}"
        files.append({"fileId": file_id, "path": path, "sha256": sha256, "size": size})
        sources[file_id] = source

    after: int | None = 0
    while after is not None:
        rows, after = parts.sweeps.get_points(sweep_id, after, PAGE)
        for row in rows:
            if row.state != RunState.SUCCESS.value:
                continue
            place = f"{PARAMETER}/{row.number:05d}"
            about = json.dumps(
                {
                    "id": row.id,
                    "number": row.number,
                    "arguments": {each["name"]: each["value"] for each in row.arguments},
                    "metrics": row.metrics,
                    "startedAt": row.started_at,
                    "finishedAt": row.finished_at,
                }
            ).encode()
            digest = parts.files.keep(about)
            add(f"{place}/{ABOUT}", digest, len(about), copy_key(digest))
            for each in parts.runs.get_files(row.id):
                if each.name != ABOUT and not each.display.get("isNotebook"):
                    source = result_key(row.id, each.name)
                    add(f"{place}/{each.name}", each.sha256, each.size, source)
    if not files:
        raise InvalidArgumentError("config.results_of", "no run of the sweep has succeeded")
    return SweepResults(files, sources)
