"""How fsspec is spoken to: many requests at once, and what a driver raises becomes ours.

Drivers are asked through fsspec only and imported by it when a URL needs them. Their errors have no common
root, so everything that one raises is taken for the store's fault: an absent object is `FileNotFoundError`, a
full disk `StorageFullError`, anything else `ServiceUnavailableError`. Nowhere else are they looked at.
"""

import asyncio
import math
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import fsspec
from fsspec.asyn import sync
from fsspec.core import url_to_fs

from runwidgets.errors import RunWidgetsError, ServiceUnavailableError, StorageFullError
from runwidgets.store.files.disk_reserve import DISK_FULL

AT_ONCE = 64
"""Requests that are under way at once."""
MOMENTS = ("LastModified", "mtime", "updated", "last_modified", "created")
"""Under which name a file system may tell when an object was stored."""


class FileSystem:
    """The file system of a URL. May be used from any thread, and in a forked child as in its parent.

    Parameters
    ----------
    url : str
        Of any file system that fsspec knows; opened when it is first asked for something.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._opened: tuple[int, Any, str] | None = None

    def path(self, key: str) -> str:
        """Return how the file system calls an object; without a key, the place of all."""
        _, place = self._open()
        return f"{place}/{key}" if key else place

    def call(self, method: str, *given: Any, **options: Any) -> Any:
        """Call a method; used inside `our_errors`."""
        return getattr(self._open()[0], method)(*given, **options)

    def each(self, method: str, calls: Mapping[str, tuple[Any, ...]], is_new: bool = False) -> dict[str, Any]:
        """Call a method for each key, many at once; all calls have ended when this returns or raises.

        Parameters
        ----------
        method : str
            Of the file system.
        calls : mapping of str to tuple
            By key, what it is given.
        is_new : bool, optional
            See `our_errors`.

        Returns
        -------
        dict
            The answers by key; for what is not there, the `FileNotFoundError` itself.
        """
        system, _ = self._open()
        if system.async_impl:  # the names that fsspec documents for coroutines have a line before them
            answers = sync(system.loop, _call_all, getattr(system, f"_{method}"), list(calls.values()))
        else:
            answers = [_call(getattr(system, method), given) for given in calls.values()]
        found: dict[str, Any] = {}
        for key, answer in zip(calls, answers, strict=True):
            try:
                with self.our_errors(key, is_new):
                    if isinstance(answer, BaseException):
                        raise answer
                found[key] = answer
            except FileNotFoundError as error:
                found[key] = error
        return found

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects that may be missing, a thousand in one request where the store can.

        Parameters
        ----------
        keys : sequence of str
            Without characters of a pattern, because they are taken for patterns.
        """
        system, _ = self._open()
        if system.async_impl:
            with self.our_errors(keys[0], is_new=True):
                system.rm([self.path(key) for key in keys])
        else:
            self.each("rm_file", {key: (self.path(key),) for key in keys})

    def make_parents(self, keys: Iterable[str]) -> None:
        """Make the folders of objects, where the file system has folders; object stores have none."""
        system, _ = self._open()
        if not system.async_impl:
            for parent in {self.path(key).rpartition("/")[0] for key in keys}:
                with self.our_errors(parent, is_new=True):
                    system.makedirs(parent, exist_ok=True)

    @contextmanager
    def our_errors(self, key: str, is_new: bool = False) -> Iterator[None]:
        """Turn what a driver raises into our errors.

        Parameters
        ----------
        key : str
            What it is about.
        is_new : bool, optional
            Whether it need not be there: then what is not found is the store.

        Yields
        ------
        None
            To what may fail.

        Raises
        ------
        FileNotFoundError
            It is not there.
        StorageFullError
            The disk below is full.
        ServiceUnavailableError
            The driver failed in any other way.
        RunWidgetsError
            What was ours already.
        """
        try:
            yield
        except RunWidgetsError:
            raise
        except FileNotFoundError as error:
            if not is_new:
                raise
            raise ServiceUnavailableError("root", f"there is no {self._url}", "make the bucket") from error
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise StorageFullError(name_of(key), "the disk is full") from error
            problem = f"{self._url} does not answer ({type(error).__name__})"
            if isinstance(error, PermissionError):
                problem = f"{self._url} may not be read or written"
            raise ServiceUnavailableError(name_of(key) or "root", problem) from error

    def _open(self) -> tuple[Any, str]:
        """Return the file system of this process, and where in it the root is."""
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():  # none of them survives a fork
                try:
                    system, place = url_to_fs(self._url, **_options(self._url))
                except (ImportError, ValueError) as error:
                    raise ServiceUnavailableError("root", f"{self._url} cannot be opened: {error}") from error
                self._opened = os.getpid(), system, place.rstrip("/")
            return self._opened[1:]


def name_of(key: str) -> str:
    """Return the last part of a key."""
    return key.rpartition("/")[2]


def moment_of(about: Mapping[str, Any]) -> float:
    """Return when an object was stored, in seconds; infinite where the file system does not say."""
    for name in MOMENTS:
        value = about.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    return math.inf


def _options(url: str) -> dict[str, Any]:
    """Return how a file system is opened: for one object store alone, without a listing cache."""
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if url.startswith(("s3://", "s3a://")):
        own = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        options["config_kwargs"] = {"max_pool_connections": AT_ONCE, **own}  # ten, where nobody asks for more
    return options


async def _call_all(method: Any, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
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
