"""The creation of run directories: complete, durable, and removed if their rows are not committed."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runwidgets.errors import UnknownFileError
from runwidgets.failpoints import reach
from runwidgets.mixed_versions import check_format
from runwidgets.schema import RUN_FORMAT, JsonValue, RunDescription
from runwidgets.store.files.disk import link_file, our_errors, remove_path, sync_together, write_file
from runwidgets.store.files.layout import (
    LOCK,
    MEMBERS,
    RUN_FILE,
    SECRETS,
    TEMPLATE,
    UPLOADS,
    copy_key,
)
from runwidgets.store.locks import hold_lock


@dataclass(frozen=True)
class NewRunDirectory:
    """A run directory that is to be created."""

    run_id: str
    description: RunDescription
    """Content of ``run.json``."""
    uploads: Mapping[str, str]
    """Keys of the files that its arguments name, by id; the run keeps them even if they are deleted."""
    secrets: dict[str, JsonValue]
    """Values that only the kernel may see; the runner removes them after reading them."""

    def describe(self) -> bytes:
        """Return the content of ``run.json``."""
        return json.dumps(self.description, ensure_ascii=False).encode()

    def serialize_secrets(self) -> bytes:
        """Return the content of ``secrets.json``."""
        return json.dumps(self.secrets).encode()


def read_description(folder: Path) -> RunDescription:
    """Read the ``run.json`` of a run directory, which must be complete.

    Raises
    ------
    VersionMismatchError
        Another version of this software wrote it, in a format that this version does not know.
    """
    description: RunDescription = json.loads((folder / RUN_FILE).read_bytes())
    check_format(RUN_FILE, description["format"], RUN_FORMAT)
    return description


@contextmanager
def make_folders(root: Path, new_directories: Sequence[NewRunDirectory], notebook: str) -> Iterator[None]:
    """Create run directories; see `FileStore.create_runs`.

    Until the rows are committed, the directories do not count as orphans: a folder whose lock is held lists
    them.

    Parameters
    ----------
    root : Path
        The root.
    new_directories : sequence of NewRunDirectory
        The new run directories.
    notebook : str
        SHA-256 of the template's stored notebook.

    Yields
    ------
    None
        Once all of them are on disk.
    """
    runs = root / "runs"
    temporary = runs / f".{uuid.uuid4().hex}"
    lock: int | None = None
    created: list[Path] = []
    try:
        with our_errors("run directory"):
            temporary.mkdir(mode=0o700)
            lock = hold_lock(temporary / LOCK)
            names = "\n".join(directory.run_id for directory in new_directories)
            write_file(temporary / MEMBERS, names.encode(), is_durable=False)
            for directory in new_directories:
                folder = runs / directory.run_id
                _make_folder(root, temporary / directory.run_id, directory, notebook)
                reach("folder begun")
                os.replace(temporary / directory.run_id, folder)
                created += [folder / RUN_FILE, folder]
            sync_together([*created, runs])
        yield
    except BaseException:
        for folder in created[1::2]:
            remove_path(folder)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # the rest is an orphan, once unlocked
        if lock is not None:
            os.close(lock)


def _make_folder(root: Path, folder: Path, directory: NewRunDirectory, notebook: str) -> None:
    folder.mkdir(mode=0o700)
    write_file(folder / RUN_FILE, directory.describe(), is_durable=False)
    link_file(root / copy_key(notebook), folder / TEMPLATE)
    if directory.secrets:
        write_file(folder / SECRETS, directory.serialize_secrets())
    if directory.uploads:
        (folder / UPLOADS).mkdir(mode=0o700)
    for file_id, key in directory.uploads.items():
        try:
            link_file(root / key, folder / UPLOADS / file_id)
        except FileNotFoundError as error:
            raise UnknownFileError("arguments", "a file that they name was deleted") from error
