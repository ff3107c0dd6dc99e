"""The fingerprint of a notebook and its surroundings, by which a change is noticed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from runwidgets.templates.sections import sidecars
from runwidgets.templates.surroundings.project import find_project


def fingerprint(
    path: Path, used: Iterable[Path] = (), folders: Iterable[Path] = (), root: Path | None = None
) -> str:
    """Return a text that changes when a template may have changed, without reading any file.

    Parameters
    ----------
    path : Path
        The notebook.
    used : iterable of Path
        The static files.
    folders : iterable of Path
        Further folders in which static files may appear.
    root : Path, optional
        As in `read_template`.

    Returns
    -------
    str
        A hash of the times and sizes of the notebook, its sidecar, its static files and their folders, and of
        where its project begins.
    """
    files = [path, *sidecars(path), *used]
    stats = [str(find_project(path.parent.resolve(), root.resolve() if root else None))]
    for each in [*files, *sorted({file.parent for file in files} | set(folders))]:
        try:
            status = each.stat()
        except (OSError, ValueError):
            continue
        times = f"{status.st_mtime_ns}:{status.st_ctime_ns}"
        stats.append(f"{status.st_ino}:{status.st_size}:{times}")
    return hashlib.sha256("|".join(stats).encode()).hexdigest()
