"""The results of a sweep as input files of another run: a folder with one sub-folder per successful run."""

import json
from dataclasses import dataclass

from runwidgets.errors import InvalidArgumentError
from runwidgets.schema import PlacedUpload, RunDescription
from runwidgets.service.local.components import Components
from runwidgets.states import RunState
from runwidgets.store.files import layout
from runwidgets.templates.surroundings.working_folder import in_working_folder

RUN_FILE = "run.json"
"""The file in each sub-folder that describes its run."""
PAGE_SIZE = 1_000


@dataclass(frozen=True)
class SweepResults:
    """Files for a run that has not been accepted yet."""

    files: list[PlacedUpload]
    """``{fileId, path, sha256, size}`` of each file, as in ``run.json``."""
    sources: dict[str, str]
    """Key of each, by ``fileId``."""
    folder: str
    """The folder in which they lie, relative to that of the notebook."""


def collect_results(
    components: Components, user: str | None, sweep_id: str, folder: str, *, place: str = "."
) -> SweepResults:
    """Return the result files of the successful runs of a sweep, as ``<folder>/<number>/<name>``.

    Each sub-folder also has a ``run.json`` with ``id``, ``number``, ``arguments`` and ``metrics`` (by name),
    ``startedAt`` and ``finishedAt``. Executed notebooks are omitted.

    Parameters
    ----------
    components : Components
        The instance.
    user : str or None
        The user.
    sweep_id : str
        The sweep.
    folder : str
        The folder in which they will lie, relative to that of the notebook.
    place : str, optional
        The place of the notebook's folder in the working folder.

    Raises
    ------
    UnknownSweepError
        There is no such sweep.
    UnauthorizedAccessError
        The user may not read the sweep.
    InvalidArgumentError
        No run of the sweep has succeeded.
    """
    components.group(user, components.sweeps.get(sweep_id).group_id)
    files: list[PlacedUpload] = []
    sources: dict[str, str] = {}

    def add(path: str, sha256: str, size: int, source: str) -> None:
        file_id = f"g{len(files)}"
        path = in_working_folder(place, path)
        files.append({"fileId": file_id, "path": path, "sha256": sha256, "size": size})
        sources[file_id] = source

    after: int | None = 0
    while after is not None:
        rows, after = components.sweeps.get_points(sweep_id, after, PAGE_SIZE)
        for row in rows:
            if row.state != RunState.SUCCESS.value:
                continue
            below = f"{folder}/{row.number:05d}"
            description = json.dumps(
                {
                    "id": row.id,
                    "number": row.number,
                    "arguments": {each["name"]: each["value"] for each in row.arguments},
                    "metrics": row.metrics,
                    "startedAt": row.started_at,
                    "finishedAt": row.finished_at,
                }
            ).encode()
            digest = components.files.keep(description)
            add(f"{below}/{RUN_FILE}", digest, len(description), layout.copy_key(digest))
            for each in components.runs.get_files(row.id):
                if each.name != RUN_FILE and not each.display.get("isNotebook"):
                    source = layout.result_key(row.id, each.name)
                    add(f"{below}/{each.name}", each.sha256, each.size, source)
    if not files:
        raise InvalidArgumentError("config.results_of", "no run of the sweep has succeeded")
    return SweepResults(files, sources, folder)


def refuse_other_results(components: Components, run_id: str, files: list[PlacedUpload]) -> None:
    """Refuse to repeat a run that read results of a sweep which are not what they were.

    Parameters
    ----------
    components : Components
        The instance.
    run_id : str
        The earlier run.
    files : list of dict
        The files that its repetition would read.

    Raises
    ------
    InvalidArgumentError
        They differ.
    """
    with components.files.view_run(run_id, layout.RUN_FILE) as folder:
        earlier: RunDescription = json.loads((folder / layout.RUN_FILE).read_bytes())
    before, after = (
        [(each["path"], each["sha256"]) for each in given] for given in (earlier["files"], files)
    )
    if before != after:
        raise InvalidArgumentError(
            "config.results_of",
            "the results of the sweep are not what they were",
            "rerun it with latest=True",
        )
