"""Objects below a URL, which several machines can share.

A thin layer over fsspec, which implements the protocols; credentials and endpoints come from the environment
and from fsspec's own configuration. An object appears under its key as a whole or not at all.
"""

import hashlib
import io
import math
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from runwidgets.errors import ConstraintViolationError, FileTooLargeError
from runwidgets.store.files.disk import our_errors
from runwidgets.store.files.fsspec_filesystem import FileSystem, name_of, time_of_object

TRANSFER_THREADS = 8
"""Concurrent listings or uploads."""
PART_SIZE = 8 << 20
"""Bytes of one object that are held in memory during an upload; a larger object is sent in parts."""
READ_SIZE = 4 << 20
"""Number of bytes that a reader requests at once."""


@dataclass(frozen=True)
class StoredObject:
    """An object in a listing."""

    key: str
    """Key relative to the object store."""
    size: int
    """Size in bytes."""
    touched: float
    """When it was stored, in seconds of the store's clock; infinity if the store does not report it."""


class ObjectStore:
    """The objects below a URL; thread-safe, and usable in a forked child.

    Parameters
    ----------
    url : str
        URL of any file system that fsspec supports, such as ``s3://bucket/prefix``.

    Attributes
    ----------
    url : str
        The URL without a trailing slash.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._system = FileSystem(self.url)

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, or None if it does not exist."""
        try:
            with self._system.our_errors(key):
                info = self._system.call("info", self._system.path(key))
        except FileNotFoundError:
            return None
        return None if info["type"] == "directory" else int(info["size"])

    def find(self, prefix: str) -> list[StoredObject]:
        """Return all objects below a prefix, or the one with exactly that key; sorted, never from a cache."""
        try:
            with self._system.our_errors(prefix):
                found = self._system.call("find", self._system.path(prefix), detail=True)
        except FileNotFoundError:
            return []
        begin = len(self._system.path("")) + 1
        return sorted(
            (
                StoredObject(path[begin:], int(info["size"]), time_of_object(info))
                for path, info in found.items()
                if info["type"] != "directory"  # s3fs: a prefix that was empty until just now
            ),
            key=lambda each: each.key,
        )

    def find_all(self, prefixes: Iterable[str]) -> list[StoredObject]:
        """Return all objects below several prefixes, concurrently."""
        with ThreadPoolExecutor(TRANSFER_THREADS, "runwidgets-object_store") as pool:
            return [each for found in pool.map(self.find, prefixes) for each in found]

    def clock(self) -> float:
        """Return the current time of the store, in seconds; raises if the store is not writable."""
        key = f"copies/.clock-{uuid.uuid4().hex}"  # an orphan if its removal fails
        self.put({key: b""})
        try:
            return max((each.touched for each in self.find(key)), default=math.inf)
        finally:
            self.remove([key])

    # -- uploads -----------------------------------------------------------------------------------

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Store objects by key, concurrently; all transfers have ended if one fails."""
        calls = {key: (self._system.path(key), content) for key, content in contents.items()}
        self._system.make_parents(calls)
        self._system.each("pipe_file", calls, is_new=True)

    def put_file(self, key: str, path: Path, expected: str | None = None) -> tuple[str, int]:
        """Store a file; see `put_stream`."""
        with path.open("rb") as stream:
            return self.put_stream(key, stream, expected=expected)

    def put_files(self, files: Mapping[str, tuple[Path, str | None]]) -> None:
        """Store files by key, concurrently, each with its expected SHA-256 if that is known.

        Raises
        ------
        ConstraintViolationError
            A file has another content, or does not exist.
        """

        def put(key: str) -> None:
            try:
                self.put_file(key, *files[key])
            except FileNotFoundError as error:
                raise ConstraintViolationError(name_of(key), "it was deleted after it was listed") from error

        with ThreadPoolExecutor(TRANSFER_THREADS, "runwidgets-object_store") as pool:
            for future in [pool.submit(put, key) for key in files]:
                future.result()

    def put_stream(
        self,
        key: str,
        stream: IO[bytes],
        *,
        limit: int | None = None,
        expected: str | None = None,
    ) -> tuple[str, int]:
        """Store the content of a stream, with constant memory use.

        Parameters
        ----------
        key : str
            The key; its last component is the name in error messages.
        stream : IO
            Read to its end.
        limit : int, optional
            Maximum size in bytes.
        expected : str, optional
            Its SHA-256, if that is known.

        Returns
        -------
        (str, int)
            The SHA-256 and the size in bytes.

        Raises
        ------
        FileTooLargeError
            The stream has more than `limit` bytes; nothing of it is kept.
        ConstraintViolationError
            The content differs from the expected one; nothing of it is kept.
        """
        digest, size = hashlib.sha256(), 0

        def read() -> bytes:
            nonlocal size
            piece = _read_whole(stream, PART_SIZE)
            digest.update(piece)
            size += len(piece)
            if limit is not None and size > limit:
                raise FileTooLargeError(
                    name_of(key), f"it has more than {limit:,} bytes, the limit for one file"
                )
            return piece

        piece = read()
        if len(piece) < PART_SIZE:
            _check(key, expected, digest.hexdigest())
            self.put({key: piece})
        else:
            with self._in_parts(key) as target:
                while piece:
                    with self._system.our_errors(key, is_new=True):
                        target.write(piece)
                    piece = read()
                _check(key, expected, digest.hexdigest())
        return digest.hexdigest(), size

    @contextmanager
    def _in_parts(self, key: str) -> Iterator[Any]:
        """Open an object for writing; it exists after the block has succeeded, else nothing of it is kept."""
        self._system.make_parents([key])
        with self._system.our_errors(key, is_new=True):
            target = self._system.call(
                "open", self._system.path(key), "wb", block_size=PART_SIZE, autocommit=False
            )
        try:
            yield target
            with self._system.our_errors(key, is_new=True):
                target.close()
                target.commit()
        except BaseException:
            target.forced = True  # else the rest of a buffered file is sent on close
            with self._system.our_errors(key, is_new=True):
                target.close()
                target.discard()
            raise

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects inside the store, concurrently, from source to target.

        Raises
        ------
        FileNotFoundError
            A source does not exist.
        """
        calls = {target: (self._system.path(source), self._system.path(target)) for source, target in pairs}
        self._system.make_parents(calls)
        for result in self._system.each("cp_file", calls).values():
            if isinstance(result, FileNotFoundError):
                raise result

    def renew(self, key: str) -> None:
        """Renew the age of an object."""
        temporary_key = f"{key}.{uuid.uuid4().hex}"  # stores do not copy an object onto itself
        try:
            self.copy([(key, temporary_key)])
            self.copy([(temporary_key, key)])
        finally:
            self.remove([temporary_key])

    # -- downloads ---------------------------------------------------------------------------------

    def read(self, key: str, begin: int = 0, end: int | None = None) -> bytes:
        """Return a range of the bytes of an object, in one request.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        if end is not None and begin >= end:
            return b""
        with self._system.our_errors(key):
            content = self._system.call("cat_file", self._system.path(key), start=begin or None, end=end)
        return bytes(content)

    def read_all(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the content of objects by key, concurrently, without missing ones."""
        found = self._system.each("cat_file", {key: (self._system.path(key),) for key in keys})
        return {key: each for key, each in found.items() if not isinstance(each, FileNotFoundError)}

    def open(self, key: str, size: int | None = None) -> IO[bytes]:
        """Open an object for reading; it is seekable, and is read in ranges.

        Parameters
        ----------
        key : str
            The key.
        size : int, optional
            Its size in bytes, if known.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        size = self.size(key) if size is None else size
        if size is None:
            raise FileNotFoundError(key)
        return io.BufferedReader(_Reader(self, key, size), READ_SIZE)

    def fetch(self, paths: Mapping[str, Path]) -> None:
        """Download objects by key to local paths, concurrently; each file appears as a whole, with mode 0600.

        Raises
        ------
        FileNotFoundError
            An object does not exist.
        """
        staged = {key: path.with_name(f".{uuid.uuid4().hex}") for key, path in paths.items()}
        try:
            for path in staged.values():
                with our_errors(path.parent.name):
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            calls = {key: (self._system.path(key), str(path)) for key, path in staged.items()}
            for key, result in self._system.each("get_file", calls).items():
                if isinstance(result, FileNotFoundError):
                    raise result
                os.replace(staged[key], paths[key])
        finally:
            for path in staged.values():
                path.unlink(missing_ok=True)

    # -- removal -----------------------------------------------------------------------------------

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; missing ones are ignored."""
        key_list = list(keys)
        if len(key_list) > 1 and not any(set("*?[") & set(key) for key in key_list):
            self._system.remove(key_list)
        else:
            self._system.each("rm_file", {key: (self._system.path(key),) for key in key_list})

    def delete(self, *prefixes: str) -> None:
        """Remove all objects below prefixes."""
        self.remove([each.key for each in self.find_all(prefixes)])


class _Reader(io.RawIOBase):
    """An object as a readable file."""

    def __init__(self, object_store: ObjectStore, key: str, size: int) -> None:
        self._object_store = object_store
        self._key = key
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = max(0, offset + (0, self._position, self._size)[whence])
        return self._position

    def readall(self) -> bytes:
        piece = self._object_store.read(
            self._key, self._position, self._size
        )  # else it is requested in small ranges
        self._position += len(piece)
        return piece

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        piece = self._object_store.read(self._key, self._position, end)
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def _read_whole(stream: IO[bytes], size: int) -> bytes:
    """Read a number of bytes, or to the end; a pipe may return fewer per read."""
    pieces = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _check(key: str, expected: str | None, digest: str) -> None:
    if expected not in (None, digest):
        raise ConstraintViolationError(
            name_of(key), f"its SHA-256 is {digest}, not {expected}: it was changed after it was listed"
        )
