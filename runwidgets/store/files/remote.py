"""The files of an instance whose root is a URL: several servers share it, but no folder.

The object store holds the data, under the same keys as below a folder; the local folder of each server is
temporary storage. There are no run directories: workers create them from the stored objects (`staging`).
"""

import hashlib
import io
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from runwidgets.errors import RunWidgetsError, UnknownFileError, UnknownRunError
from runwidgets.failpoints import reach
from runwidgets.store.files.archives import open_archive
from runwidgets.store.files.base import FileStore
from runwidgets.store.files.disk import hash_file, make_writable, our_errors
from runwidgets.store.files.layout import (
    LOG,
    OUTPUT,
    RUN_FILE,
    SECRETS,
    TEMPLATE,
    UPLOADS,
    copy_key,
    notebook_of,
    result_key,
    run_key,
    upload_key,
)
from runwidgets.store.files.object_store import PART_SIZE, ObjectStore
from runwidgets.store.files.orphans import (
    REMOVAL_AGES,
    MinimumAges,
    Orphan,
    ReferencedFiles,
    find_orphaned_copies,
    find_orphaned_objects,
)
from runwidgets.store.files.run_directories import NewRunDirectory

log = logging.getLogger(__name__)


class RemoteFiles(FileStore):
    """The files below a URL.

    Parameters
    ----------
    object_store : ObjectStore
        The object store of the root.
    cache : Path
        Folder of this server; created if missing.
    is_read_only : bool, optional
        Whether the root is opened for reading only.

    Raises
    ------
    ServiceUnavailableError
        The store does not respond, or is not writable.
    """

    def __init__(self, object_store: ObjectStore, cache: Path, *, is_read_only: bool = False) -> None:
        self.folder = cache.expanduser().resolve()
        make_writable("cache", self.folder)
        self.object_store = object_store
        if is_read_only:
            object_store.size("runs")
        else:
            object_store.clock()

    @property
    def address(self) -> str:
        """The URL of the root."""
        return self.object_store.url

    @property
    def identity(self) -> str:
        """The URL, which is the same from everywhere."""
        return self.object_store.url

    def clock(self) -> float:
        """Return the current time of the store, in seconds."""
        return self.object_store.clock()

    def free_space(self) -> int:
        """Return a very large number: an object store does not fill up."""
        return sys.maxsize

    def reserve_space(self, floor: int) -> None:
        """Do nothing: an object store does not fill up."""

    def release_space(self) -> bool:
        """Return False: no space is reserved."""
        return False

    # -- content-addressed copies ------------------------------------------------------------------

    def keep(self, content: bytes) -> str:
        """Store bytes; see `FileStore`."""
        digest = hashlib.sha256(content).hexdigest()
        self.object_store.put({copy_key(digest): content})
        return digest

    def keep_file(self, source: Path) -> tuple[str, int]:
        """Store a copy of a file; see `FileStore`."""
        with our_errors(source.name):
            digest, size = hash_file(source)
            if size >= PART_SIZE and self.object_store.size(copy_key(digest)) == size:
                self.object_store.renew(copy_key(digest))  # cheaper than sending it again
            else:
                self.object_store.put_file(copy_key(digest), source, digest)
        return digest, size

    # -- runs --------------------------------------------------------------------------------------

    @contextmanager
    def create_runs(self, new_directories: Sequence[NewRunDirectory], notebook: str) -> Iterator[None]:
        """Store the initial files of runs; see `FileStore`.

        Other instances know runs by their rows. Stored files without rows are kept for as long as an
        instance may be about to commit them.

        Raises
        ------
        UnknownFileError
            An upload was deleted in the meantime.
        """
        contents: dict[str, bytes] = {}
        copies: list[tuple[str, str]] = []
        for directory in new_directories:
            contents[run_key(directory.run_id, RUN_FILE)] = directory.describe()
            if directory.secrets:
                contents[run_key(directory.run_id, SECRETS)] = directory.serialize_secrets()
            for file_id, key in directory.uploads.items():
                copies.append((key, run_key(directory.run_id, f"{UPLOADS}/{file_id}")))
        try:
            self.object_store.put(contents)
            reach("folder begun")
            try:
                self.object_store.copy(copies)
            except FileNotFoundError as error:
                raise UnknownFileError("arguments", "a file that they name was deleted") from error
            yield
        except BaseException:
            try:
                self.object_store.remove([*contents, *(target for _, target in copies)])
            except RunWidgetsError as error:
                log.warning("runwidgets: files of rejected runs are left to the retention: %s", error)
            raise

    def is_locked(self, run_id: str) -> bool:
        """Return False: an object store has no locks, and no runner works in it."""
        return False

    def forget_secrets(self, *run_ids: str) -> None:
        """Remove the secret values of runs whose kernels no longer need them."""
        self.object_store.remove([run_key(run_id, SECRETS) for run_id in run_ids])

    def delete_run(self, run_id: str) -> None:
        """Remove the stored files of a run."""
        self.object_store.delete(run_key(run_id))

    def delete_runs(self, run_ids: Iterable[str]) -> None:
        """Remove the stored files of runs, concurrently."""
        self.object_store.delete(*map(run_key, run_ids))

    def size_of_run(self, run_id: str) -> int:
        """Return the number of bytes that the removal of a run frees."""
        return sum(each.size for each in self.object_store.find(run_key(run_id)))

    @contextmanager
    def view_run(self, run_id: str, *names: str) -> Iterator[Path]:
        """Download the stored files of a run to a temporary folder; see `FileStore`."""
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".view-") as temporary:
            folder = Path(temporary) / run_id
            begin = len(run_key(run_id)) + 1
            paths = {each.key: folder / each.key[begin:] for each in self.object_store.find(run_key(run_id))}
            if names:
                paths = {key: path for key, path in paths.items() if key[begin:] in names}
            for parent in {path.parent for path in paths.values()}:
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self.object_store.fetch(paths)
                if paths and not names:
                    notebook = notebook_of(json.loads((folder / RUN_FILE).read_bytes()))
                    self.object_store.fetch({copy_key(notebook): folder / TEMPLATE})
            except (FileNotFoundError, LookupError, TypeError, ValueError):
                log.debug("runwidgets: run %s is not complete", run_id)  # the caller sees what is missing
            yield folder

    @contextmanager
    def edit_notebook(self, run_id: str) -> Iterator[Path]:
        """Provide the executed notebook of a run without processes for a change; see `FileStore`."""
        key = run_key(run_id, OUTPUT)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".edit-") as folder:
            path = Path(folder) / OUTPUT
            content = self.object_store.read_all([key]).get(key)
            if content is not None:
                path.write_bytes(content)
            yield path
            if path.exists() and path.read_bytes() != content:
                self.object_store.put_file(key, path)

    # -- results -----------------------------------------------------------------------------------

    def open_result(self, run_id: str, name: str | None) -> IO[bytes]:
        """Open a file of the working folder, or the executed notebook; see `FileStore`."""
        try:
            return self.object_store.open(result_key(run_id, name))
        except FileNotFoundError as error:
            raise _lost(run_id, name) from error

    def open_notebook(self, run_id: str) -> IO[bytes]:
        """Open the current executed notebook, or the template; see `FileStore`.

        It is read at once: while the run executes, the next snapshot may replace it at any time.

        Raises
        ------
        UnknownRunError
            The files of the run no longer exist.
        """
        contents = self.object_store.read_all([run_key(run_id, OUTPUT), run_key(run_id, RUN_FILE)])
        if run_key(run_id, OUTPUT) in contents:
            return io.BytesIO(contents[run_key(run_id, OUTPUT)])
        try:
            notebook = notebook_of(json.loads(contents[run_key(run_id, RUN_FILE)]))
            return io.BytesIO(self.object_store.read(copy_key(notebook)))
        except (KeyError, FileNotFoundError) as error:
            raise UnknownRunError(f"run {run_id}", "its files no longer exist") from error

    def read_log(self, run_id: str, offset: int, limit: int) -> tuple[bytes, int, int]:
        """Return a part of the log, its offset, and the size of the log."""
        key = run_key(run_id, LOG)
        size = self.object_store.size(key) or 0
        begin = max(0, size + offset) if offset < 0 else min(offset, size)
        try:
            return self.object_store.read(key, begin, min(begin + limit, size)), begin, size
        except FileNotFoundError:  # the run was deleted just now
            return b"", 0, 0

    def open_archive(self, run_id: str, names: Iterable[tuple[str, str | None]]) -> IO[bytes]:
        """Return a ``.tar.gz`` of result files as a stream; see `FileStore`."""
        sizes = {each.key: each.size for each in self.object_store.find(run_key(run_id))}
        members: list[tuple[str, Callable[[], IO[bytes]]]] = []
        for archive_name, name in names:
            key = result_key(run_id, name)
            if key not in sizes:
                raise _lost(run_id, name)
            members.append((archive_name, partial(self.object_store.open, key, sizes[key])))
        return open_archive(members, max_open=0)  # an open object does not survive its deletion

    # -- uploads -----------------------------------------------------------------------------------

    def open_upload(self, group_id: str, file_id: str, name: str) -> IO[bytes]:
        """Open an upload; see `FileStore`."""
        try:
            return self.object_store.open(upload_key(group_id, file_id, name))
        except FileNotFoundError as error:
            raise UnknownFileError(f"file {file_id}", "it was deleted in the meantime") from error

    def store_upload(self, key: str, stream: IO[bytes], limit: int) -> tuple[str, int]:
        """Store an upload; see `FileStore`."""
        return self.object_store.put_stream(key, stream, limit=limit)

    def delete_upload(self, group_id: str, file_id: str) -> None:
        """Remove an upload."""
        self.object_store.delete(upload_key(group_id, file_id))

    def delete_uploads(self, group_id: str) -> None:
        """Remove all uploads of a group."""
        self.object_store.delete(upload_key(group_id))

    # -- orphans ---------------------------------------------------------------------------------

    def find_orphans(
        self, referenced: ReferencedFiles, moment: float, ages: MinimumAges = REMOVAL_AGES
    ) -> Iterator[Orphan]:
        """Find orphans; see `orphans`."""
        return find_orphaned_objects(self.object_store, referenced, moment, ages)

    def find_copies(self, needed: Set[str], moment: float) -> Iterator[Orphan]:
        """Find the copies that no template still needs."""
        return find_orphaned_copies(self.object_store, needed, moment, REMOVAL_AGES)

    def discard(self, orphan: Orphan) -> bool:
        """Remove an orphan; return False if it was stored again since, or was removed by somebody else."""
        objects = self.object_store.find(orphan.key)
        if max((each.touched for each in objects), default=None) != orphan.touched:
            return False
        self.object_store.remove([each.key for each in objects])
        return True

    def find_hash(self, key: str) -> str | None:
        """Return the SHA-256 of a copy or an upload; see `FileStore`."""
        digest = hashlib.sha256()
        try:
            with self.object_store.open(key) as stream:
                while piece := stream.read(PART_SIZE):
                    digest.update(piece)
        except FileNotFoundError:
            return None
        return digest.hexdigest()


def _lost(run_id: str, name: str | None) -> UnknownFileError:
    return UnknownFileError(f"file {name or OUTPUT}", f"this file of run {run_id} no longer exists")
