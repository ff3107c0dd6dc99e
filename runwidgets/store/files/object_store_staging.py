"""Staging for workers that execute runs of a root that is a URL.

The run directory is created on the worker from the stored objects, and the results are stored again: at
intervals while the run executes, and completely at its end.
"""

import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runwidgets.errors import (
    ConstraintViolationError,
    InvalidRunStateError,
    ServiceUnavailableError,
    UnknownRunError,
)
from runwidgets.schema import ListedResult, RunDescription
from runwidgets.store.files.disk import hash_file, link_file, our_errors, remove_path, write_atomically
from runwidgets.store.files.layout import (
    JOURNAL,
    LOCK,
    LOG,
    OUTPUT,
    RUN_FILE,
    SECRETS,
    TEMPLATE,
    UPLOADS,
    WORKDIR,
    copy_key,
    folder_of,
    is_url,
    notebook_of,
    run_key,
)
from runwidgets.store.files.local import LocalFiles
from runwidgets.store.files.object_store import ObjectStore
from runwidgets.store.files.run_directories import read_description
from runwidgets.store.files.staging import SharedStaging, Staging
from runwidgets.store.locks import is_locked

SAVE_RATIO = 20
"""Ratio of interval and duration of saves: a save that took 1 s is repeated after 20 s, which costs 5 %."""

FINISHED = b'{"kind": "finished"'
"""The beginning of the journal record of the end of an attempt."""
STARTED_RECORD = b'{"kind": "started", "pid": 0, "format": 1}\n'
"""The journal record of an attempt about which nothing else is known."""


def open_staging(root: str, scratch: Path) -> Staging:
    """Return the staging in which a worker executes runs.

    Parameters
    ----------
    root : str
        Root of the instance: a folder that this machine shares, or a URL.
    scratch : Path
        Folder of this worker alone; created if missing, and used if the root is a URL.

    Returns
    -------
    Staging
        For any number of runs.

    Raises
    ------
    ServiceUnavailableError
        The folder cannot be created or written.
    """
    return (
        ObjectStoreStaging(ObjectStore(root), LocalFiles(scratch))
        if is_url(root)
        else SharedStaging(LocalFiles(folder_of(root)))
    )


@dataclass
class _SavedState:
    """The files of a run that are stored already."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    stored: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Identity of each file when it was stored, by name."""
    due: dict[str, float] = field(default_factory=dict)
    """Earliest time of the next save of each file, in monotonic seconds, by name."""


class ObjectStoreStaging(Staging):
    """A folder of this worker that is filled from an object store.

    Parameters
    ----------
    object_store : ObjectStore
        Root of the instance.
    files : LocalFiles
        The folder. Copies of static files remain in it for later runs.
    """

    def __init__(self, object_store: ObjectStore, files: LocalFiles) -> None:
        self.files: LocalFiles = files
        self._object_store = object_store
        self._saved: dict[str, _SavedState] = {}
        self._checked: dict[str, tuple[int, ...]] = {}
        """Identity of each copy when its content was last verified, by SHA-256."""

    # -- download ----------------------------------------------------------------------------------

    def fetch(self, run_id: str, attempts: int) -> None:
        """Create the run directory from the stored objects; see `Staging`."""
        folder, temporary = self.files.run_folder(run_id), self.files.runs / f".{uuid.uuid4().hex}"
        if is_locked(folder / LOCK):
            raise InvalidRunStateError(f"run {run_id}", "one of its runners is still alive on this machine")
        try:
            with our_errors("run directory"):
                (temporary / UPLOADS).mkdir(mode=0o700, parents=True)
                description = self._fetch_run_files(run_id, temporary)
                self._fetch_copies(description, temporary)
                attempts_begun = _complete_journal(temporary / JOURNAL, attempts)
                journal = _with_next_attempt(temporary / JOURNAL)  # for the attempt that is about to begin
                self._object_store.put({run_key(run_id, JOURNAL): journal})
                self.drop(run_id)
                os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if attempts_begun >= description["config"].get("retries", 0):
            self._object_store.remove([run_key(run_id, SECRETS)])  # no further attempt needs it

    def _fetch_run_files(self, run_id: str, folder: Path) -> RunDescription:
        """Download the files of the run itself, but not its results, and return its description."""
        prefix = run_key(run_id)
        stored = [each.key[len(prefix) + 1 :] for each in self._object_store.find(prefix)]
        if RUN_FILE not in stored:
            raise UnknownRunError(f"run {run_id}", f"it is not stored in {self._object_store.url}")
        wanted = [name for name in stored if not name.startswith(f"{WORKDIR}/")]
        try:
            self._object_store.fetch({run_key(run_id, name): folder / name for name in wanted})
        except FileNotFoundError as error:
            raise UnknownRunError(f"run {run_id}", "it was deleted in the meantime") from error
        description = read_description(folder)
        for each in description["files"]:
            _check(folder / UPLOADS / each["fileId"], each["sha256"], f"file {each['path']}")
        return description

    def _fetch_copies(self, description: RunDescription, folder: Path) -> None:
        """Download the static files that no earlier run left here."""
        names = {each["sha256"]: f"file {each['path']}" for each in description["inputs"]}
        names[notebook_of(description)] = "notebook"
        staged = {
            digest: self.files.copies / f".{uuid.uuid4().hex}" for digest in names if self._is_missing(digest)
        }
        try:
            self._object_store.fetch({copy_key(digest): path for digest, path in staged.items()})
            for digest, path in staged.items():
                _check(path, digest, names[digest])
                self.files.copy(digest).parent.mkdir(mode=0o700, exist_ok=True)
                os.replace(path, self.files.copy(digest))
                self._checked[digest] = _identity(self.files.copy(digest))
        except FileNotFoundError as error:
            raise ConstraintViolationError("notebook", f"{error.args[0]} is missing in the store") from error
        finally:
            for path in staged.values():
                path.unlink(missing_ok=True)
        link_file(self.files.copy(notebook_of(description)), folder / TEMPLATE)

    def _is_missing(self, digest: str) -> bool:
        """Return whether a copy is missing here; a copy that a notebook changed is removed."""
        path = self.files.copy(digest)
        if path.exists() and self._checked.get(digest) != _identity(path):
            if hash_file(path)[0] == digest:
                self._checked[digest] = _identity(path)
            else:
                path.unlink(missing_ok=True)
        return not path.exists()

    # -- upload ------------------------------------------------------------------------------------

    def save(self, run_id: str) -> None:
        """Store changed files; see `Staging`."""
        saved = self._saved.setdefault(run_id, _SavedState())
        with saved.lock:
            journal = _without_end(self._read_journal(run_id))  # read first: it must not mention later files
            for name in (OUTPUT, LOG):
                self._send(run_id, name, saved)
            self._send_journal(run_id, journal, saved)

    def publish(self, run_id: str, results: Sequence[ListedResult]) -> None:
        """Store all remaining files, the journal last; see `Staging`."""
        saved = self._saved.setdefault(run_id, _SavedState())
        folder = self.files.run_folder(run_id)
        with saved.lock:
            keys = {run_key(run_id, _stored_name(each)): each for each in results}
            workdir = run_key(run_id, f"{WORKDIR}/")
            self._object_store.put_files(
                {
                    key: (folder / WORKDIR / each["name"], each["sha256"])
                    for key, each in keys.items()
                    if key.startswith(workdir)
                }
            )
            for name in (OUTPUT, LOG):
                listed = keys.get(run_key(run_id, name))
                expected = None if listed is None else listed["sha256"]
                self._send(run_id, name, saved, is_last=True, expected=expected)
            stored = {each.key: each.size for each in self._object_store.find(run_key(run_id))}
            for key, each in keys.items():
                if stored.get(key) != each["size"]:
                    found = f"{self._object_store.url} has {stored.get(key)} bytes of it"
                    problem = f"{found} instead of {each['size']}"
                    raise ServiceUnavailableError(each["name"], problem)
            obsolete = [key for key in stored if key.startswith(workdir) and key not in keys]
            if folder.is_dir():  # files that the runner removed are not needed again
                names = [name for name in (SECRETS, UPLOADS) if not (folder / name).exists()]
                prefixes = tuple(run_key(run_id, name) for name in names)
                obsolete += [key for key in stored if key.startswith(prefixes)]
            self._send_journal(run_id, self._read_journal(run_id), saved)
            self._object_store.remove(obsolete)

    def drop(self, run_id: str) -> None:
        """Remove the run directory; see `Staging`."""
        remove_path(self.files.run_folder(run_id))
        self._saved.pop(run_id, None)

    def _send(
        self,
        run_id: str,
        name: str,
        saved: _SavedState,
        *,
        is_last: bool = False,
        expected: str | None = None,
    ) -> None:
        """Store a file of a run if it has changed and its save is due."""
        path = self.files.run_folder(run_id) / name
        began = time.monotonic()
        try:
            identity = _identity(path)
            is_stored = expected is None and saved.stored.get(name) == identity
            if is_stored or (not is_last and began < saved.due.get(name, 0.0)):
                return
            self._object_store.put_file(run_key(run_id, name), path, expected)
        except FileNotFoundError:
            return  # the runner has not created it yet
        ended = time.monotonic()
        saved.stored[name], saved.due[name] = identity, ended + SAVE_RATIO * (ended - began)

    def _read_journal(self, run_id: str) -> bytes:
        try:
            content = (self.files.run_folder(run_id) / JOURNAL).read_bytes()
        except FileNotFoundError:
            return b""
        return content[: content.rfind(b"\n") + 1]

    def _send_journal(self, run_id: str, content: bytes, saved: _SavedState) -> None:
        if saved.stored.get(JOURNAL, (0,)) != (len(content),):
            self._object_store.put({run_key(run_id, JOURNAL): content})
            saved.stored[JOURNAL] = (len(content),)


def _without_end(journal: bytes) -> bytes:
    """Return a journal without the end of the attempt, which lists files that only `publish` stores."""
    begin = journal.rfind(b"\n", 0, -1) + 1
    return journal[:begin] if journal.startswith(FINISHED, begin) else journal


def _stored_name(result: ListedResult) -> str:
    return OUTPUT if result["display"].get("isNotebook") else f"{WORKDIR}/{result['name']}"


def _complete_journal(path: Path, attempts: int) -> int:
    """Complete a journal with records of all attempts that began, and return their number.

    A worker that dies immediately stores nothing of its runner's journal.
    """
    content = path.read_bytes() if path.exists() else b""
    recorded = [json.loads(line)["kind"] for line in content.splitlines()].count("started")
    missing = max(0, attempts - recorded)
    if missing:
        write_atomically(path, content + missing * STARTED_RECORD, is_durable=False)
    return recorded + missing


def _with_next_attempt(path: Path) -> bytes:
    """Return the journal with a further attempt, for the case that nothing else is stored of it."""
    return (path.read_bytes() if path.exists() else b"") + STARTED_RECORD


def _check(path: Path, expected: str, subject: str) -> None:
    if not path.exists():
        raise ConstraintViolationError(subject, "it is missing in the store")
    digest, _ = hash_file(path)
    if digest != expected:
        raise ConstraintViolationError(
            subject, f"its stored content is damaged: its SHA-256 is {digest}, not {expected}"
        )


def _identity(path: Path) -> tuple[int, ...]:
    """Return a key that changes with the file."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
