"""Objects below a URL: what a folder is to one machine, an object store is to several.

Thin over fsspec, which knows the protocols; credentials and endpoints come from the environment and from
fsspec's own configuration. An object appears whole under its key or not at all. What a driver raises has no
common root, so it becomes ours here and nowhere else: an absent object is `FileNotFoundError`, a full local
disk `StorageFullError`, anything else `ServiceUnavailableError`.
"""

import asyncio
import hashlib
import io
import math
import os
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import fsspec
from fsspec.asyn import sync
from fsspec.core import url_to_fs

from runwidgets.errors import (
    ConstraintViolationError,
    FileTooLargeError,
    RunWidgetsError,
    ServiceUnavailableError,
    StorageFullError,
)
from runwidgets.store.reserve import DISK_FULL

AT_ONCE = 64
"""Requests that are under way at once."""
PART = 8 << 20
"""Bytes that are held in memory of one object on its way in; what has more is sent in parts."""
WINDOW = 4 << 20
"""Bytes that one request of a reader asks for."""
MOMENTS = ("LastModified", "mtime", "updated", "last_modified", "created")
"""Under which name a file system may tell when an object was stored."""


@dataclass(frozen=True)
class Stored:
    """An object, as a listing tells it."""

    key: str
    """Relative to the depot."""
    size: int
    """Bytes."""
    touched: float
    """When it was stored, in seconds of the store's clock; infinite where the store does not say."""


class Depot:
    """Objects below a URL. May be used from any thread, and in a forked child as in its parent.

    Parameters
    ----------
    url : str
        Of any file system that fsspec knows, such as ``s3://bucket/prefix``.

    Attributes
    ----------
    url : str
        Without a slash at its end.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._lock = threading.Lock()
        self._opened: tuple[int, Any, str] | None = None

    def size(self, key: str) -> int | None:
        """Return the bytes of an object; None where there is none."""
        try:
            with self._our_errors(key):
                about = self._system.info(self._path(key))
        except FileNotFoundError:
            return None
        return None if about["type"] == "directory" else int(about["size"])

    def list(self, prefix: str) -> list[Stored]:
        """Return all objects below a prefix, or the one of that very key; sorted, never from a cache."""
        try:
            with self._our_errors(prefix):
                found = self._system.find(self._path(prefix), detail=True)
        except FileNotFoundError:
            return []
        begin = len(self._path("")) + 1
        return sorted(
            (Stored(path[begin:], int(about["size"]), _moment(about)) for path, about in found.items()),
            key=lambda each: each.key,
        )

    def clock(self) -> float:
        """Return what time it is for the store, in seconds; raises where it may not be written."""
        key = f".clock-{uuid.uuid4().hex}"
        self.put({key: b""})
        try:
            return max((each.touched for each in self.list(key)), default=math.inf)
        finally:
            self.remove([key])

    # -- in ----------------------------------------------------------------------------------------

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Store objects by their keys, many at once; where one fails, none is on its way any more."""
        calls = {key: (self._path(key), content) for key, content in contents.items()}
        self._make_parents(calls)
        self._each("pipe_file", calls, is_new=True)

    def put_file(self, key: str, path: Path, expected: str | None = None) -> tuple[str, int]:
        """Store a file; see `put_stream`."""
        with path.open("rb") as stream:
            return self.put_stream(key, stream, expected=expected)

    def put_stream(
        self,
        key: str,
        stream: IO[bytes],
        *,
        limit: int | None = None,
        expected: str | None = None,
    ) -> tuple[str, int]:
        """Store what a stream holds; memory stays flat.

        Parameters
        ----------
        key : str
            The object; its last part is the name that an error gives.
        stream : IO
            Read to its end.
        limit : int, optional
            Bytes that it may have.
        expected : str, optional
            Its SHA-256, where that is known.

        Returns
        -------
        (str, int)
            Its SHA-256 and its size in bytes.

        Raises
        ------
        FileTooLargeError
            It has more than `limit` bytes; nothing of it stays.
        ConstraintViolationError
            It has another content than expected; nothing of it stays.
        """
        digest, size = hashlib.sha256(), 0

        def read() -> bytes:
            nonlocal size
            piece = _read_whole(stream, PART)
            digest.update(piece)
            size += len(piece)
            if limit is not None and size > limit:
                raise FileTooLargeError(
                    _name(key), f"it has more than {limit:,} bytes, the limit for one file"
                )
            return piece

        piece = read()
        if len(piece) < PART:
            _check(key, expected, digest.hexdigest())
            self.put({key: piece})
        else:
            with self._in_parts(key) as target:
                while piece:
                    with self._our_errors(key, is_new=True):
                        target.write(piece)
                    piece = read()
                _check(key, expected, digest.hexdigest())
        return digest.hexdigest(), size

    @contextmanager
    def _in_parts(self, key: str) -> Iterator[Any]:
        """Open an object for writing; it is there when the block has ended well, else nothing of it."""
        self._make_parents([key])
        with self._our_errors(key, is_new=True):
            target = self._system.open(self._path(key), "wb", block_size=PART, autocommit=False)
        try:
            yield target
            with self._our_errors(key, is_new=True):
                target.close()
                target.commit()
        except BaseException:
            target.forced = True  # else the end of a buffered file is sent when it is closed
            with self._our_errors(key, is_new=True):
                target.close()
                target.discard()
            raise

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects inside the store, many at once: source and target of each.

        Raises
        ------
        FileNotFoundError
            A source is not there.
        """
        calls = {target: (self._path(source), self._path(target)) for source, target in pairs}
        self._make_parents(calls)
        for answer in self._each("cp_file", calls).values():
            if isinstance(answer, FileNotFoundError):
                raise answer

    def renew(self, key: str) -> None:
        """Have an object be as young as a new one."""
        aside = f"{key}.{uuid.uuid4().hex}"  # a store refuses to copy an object onto itself
        try:
            self.copy([(key, aside)])
            self.copy([(aside, key)])
        finally:
            self.remove([aside])

    # -- out ---------------------------------------------------------------------------------------

    def read(self, key: str, begin: int = 0, end: int | None = None) -> bytes:
        """Return the bytes of an object from one place to before another, all in one request.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        if end is not None and begin >= end:
            return b""
        with self._our_errors(key):
            content = self._system.cat_file(self._path(key), start=begin or None, end=end)
        return bytes(content)

    def read_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the content of objects by their keys, many at once; what is not there is left out."""
        found = self._each("cat_file", {key: (self._path(key),) for key in keys})
        return {key: each for key, each in found.items() if not isinstance(each, FileNotFoundError)}

    def open(self, key: str) -> IO[bytes]:
        """Open an object for reading; it can be sought, and is read in pieces.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        size = self.size(key)
        if size is None:
            raise FileNotFoundError(key)
        return io.BufferedReader(_Reader(self, key, size), WINDOW)

    def fetch(self, key: str, path: Path) -> None:
        """Bring an object to a local path, where it appears whole, 0600.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        staged = path.with_name(f".{uuid.uuid4().hex}")
        try:
            with self._our_errors(key):
                os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                self._system.get_file(self._path(key), str(staged))
                os.replace(staged, path)
        finally:
            staged.unlink(missing_ok=True)

    # -- away --------------------------------------------------------------------------------------

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are gone already."""
        chosen = list(keys)
        system = self._system
        if system.async_impl and len(chosen) > 1 and not any(set("*?[") & set(key) for key in chosen):
            with self._our_errors(chosen[0]):  # one request for a thousand; it takes names as patterns
                system.rm([self._path(key) for key in chosen])
        else:
            self._each("rm_file", {key: (self._path(key),) for key in chosen})

    def delete(self, *prefixes: str) -> None:
        """Remove all objects below prefixes."""
        found = [each for prefix in prefixes for each in self.list(prefix)]
        self.remove([each.key for each in found])

    # -- the file system ---------------------------------------------------------------------------

    @property
    def _system(self) -> Any:
        return self._open()[0]

    def _path(self, key: str) -> str:
        place = self._open()[1]
        return f"{place}/{key}" if key else place

    def _open(self) -> tuple[Any, str]:
        """Return the file system of this process, and where in it the depot is."""
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():  # none of them survives a fork
                try:
                    system, place = url_to_fs(self.url, **_options(self.url))
                except (ImportError, ValueError) as error:
                    raise ServiceUnavailableError("root", f"{self.url} cannot be opened: {error}") from error
                self._opened = os.getpid(), system, place.rstrip("/")
            return self._opened[1:]

    def _make_parents(self, keys: Iterable[str]) -> None:
        """Make the folders of objects, where the file system has folders; object stores have none."""
        if not self._system.async_impl:
            for parent in {self._path(key).rpartition("/")[0] for key in keys}:
                with self._our_errors(parent, is_new=True):
                    self._system.makedirs(parent, exist_ok=True)

    def _each(
        self, method: str, calls: Mapping[str, tuple[Any, ...]], is_new: bool = False
    ) -> dict[str, Any]:
        """Call a method for each key, many at once; all calls have ended when this returns or raises.

        Returns
        -------
        dict
            The answers by key; for what is not there, the `FileNotFoundError` itself.
        """
        system = self._system
        if system.async_impl:
            answers = sync(system.loop, _call_all, getattr(system, f"_{method}"), list(calls.values()))
        else:
            answers = [_call(getattr(system, method), each) for each in calls.values()]
        found: dict[str, Any] = {}
        for key, answer in zip(calls, answers, strict=True):
            try:
                with self._our_errors(key, is_new):
                    if isinstance(answer, BaseException):
                        raise answer
                found[key] = answer
            except FileNotFoundError as error:
                found[key] = error
        return found

    @contextmanager
    def _our_errors(self, key: str, is_new: bool = False) -> Iterator[None]:
        """Turn what a driver raises into our errors.

        Parameters
        ----------
        key : str
            What it is about.
        is_new : bool, optional
            Whether it need not be there: then what is not found is the store.
        """
        try:
            yield
        except RunWidgetsError:
            raise
        except FileNotFoundError as error:
            if not is_new:
                raise
            raise ServiceUnavailableError("root", f"there is no {self.url}", "make the bucket") from error
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise StorageFullError(_name(key), "the disk is full") from error
            problem = f"{self.url} does not answer ({type(error).__name__})"
            if isinstance(error, PermissionError):
                problem = f"{self.url} may not be read or written"
            raise ServiceUnavailableError(_name(key) or "root", problem) from error


class _Reader(io.RawIOBase):
    """An object, read as a file."""

    def __init__(self, depot: Depot, key: str, size: int) -> None:
        self._depot = depot
        self._key = key
        self._size = size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = max(0, offset + (0, self._place, self._size)[whence])
        return self._place

    def readall(self) -> bytes:
        piece = self._depot.read(self._key, self._place, self._size)  # else it is asked for in small pieces
        self._place += len(piece)
        return piece

    def readinto(self, buffer: Any) -> int:
        end = min(self._place + len(buffer), self._size)
        piece = self._depot.read(self._key, self._place, end)
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


def _options(url: str) -> dict[str, Any]:
    """Return how a file system is opened: for this depot alone, and with no memory of what it listed."""
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if url.startswith(("s3://", "s3a://")):
        own = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        options["config_kwargs"] = {"max_pool_connections": AT_ONCE, **own}  # ten, where nobody asks for more
    return options


async def _call_all(method: Any, calls: Sequence[tuple[Any, ...]]) -> "list[Any]":
    free = asyncio.Semaphore(AT_ONCE)

    async def call(given: tuple[Any, ...]) -> Any:
        async with free:
            return await method(*given)

    return await asyncio.gather(*map(call, calls), return_exceptions=True)


def _call(method: Any, given: tuple[Any, ...]) -> Any:
    try:
        return method(*given)
    except Exception as error:
        return error


def _read_whole(stream: IO[bytes], size: int) -> bytes:
    """Read until there are as many bytes, or no more; a pipe gives what it has."""
    pieces = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _check(key: str, expected: str | None, digest: str) -> None:
    if expected not in (None, digest):
        raise ConstraintViolationError(
            _name(key), f"its SHA-256 is {digest}, not {expected}: it was changed after it was listed"
        )


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _moment(about: Mapping[str, Any]) -> float:
    for name in MOMENTS:
        value = about.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    return math.inf
