"""Access to fsspec: concurrent requests, and conversion of driver errors.

Drivers are used through fsspec only, which imports them when a URL needs them. Their errors have no common
base class, so every exception of a driver is treated as an error of the store: a missing object is
`FileNotFoundError`, a full disk `StorageFullError`, anything else `ServiceUnavailableError`. Driver errors
are handled nowhere else.
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

from runwidgets.errors import RunWidgetsError, ServiceUnavailableError, StorageFullError, describe
from runwidgets.store.files.disk_reserve import DISK_FULL

MAX_CALLS = 64
"""Maximum number of concurrent requests."""
TIME_KEYS = ("LastModified", "mtime", "updated", "last_modified", "created")
"""Keys under which file systems report when an object was stored."""


class FileSystem:
    """The file system of a URL; thread-safe, and usable in a forked child.

    Parameters
    ----------
    url : str
        URL of any file system that fsspec supports; opened on first use.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._opened: tuple[int, Any, str] | None = None

    def path(self, key: str) -> str:
        """Return the path of an object in the file system; without a key, the path of the root."""
        _, root_path = self._open()
        return f"{root_path}/{key}" if key else root_path

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the file system; used inside `our_errors`."""
        return getattr(self._open()[0], method)(*arguments, **options)

    def each(self, method: str, calls: Mapping[str, tuple[Any, ...]], is_new: bool = False) -> dict[str, Any]:
        """Call a method for each key, concurrently; all calls have ended when this returns or raises.

        Parameters
        ----------
        method : str
            Method of the file system.
        calls : mapping of str to tuple
            The arguments of each call, by key.
        is_new : bool, optional
            See `our_errors`.

        Returns
        -------
        dict
            The results by key; for a missing object, the `FileNotFoundError` itself.
        """
        system, _ = self._open()
        if system.async_impl:  # fsspec documents an underscore prefix for its coroutines
            results = sync(system.loop, _call_all, getattr(system, f"_{method}"), list(calls.values()))
        else:
            results = [_call(getattr(system, method), arguments) for arguments in calls.values()]
        results_by_key: dict[str, Any] = {}
        for key, result in zip(calls, results, strict=True):
            try:
                with self.our_errors(key, is_new):
                    if isinstance(result, BaseException):
                        raise result
                results_by_key[key] = result
            except FileNotFoundError as error:
                results_by_key[key] = error
        return results_by_key

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects that may be missing, a thousand per request if the store supports that.

        Parameters
        ----------
        keys : sequence of str
            Keys without wildcard characters, because fsspec expands them.
        """
        system, _ = self._open()
        if system.async_impl:
            with self.our_errors(keys[0], is_new=True):
                system.rm([self.path(key) for key in keys])
        else:
            self.each("rm_file", {key: (self.path(key),) for key in keys})

    def make_parents(self, keys: Iterable[str]) -> None:
        """Create the parent folders of objects, if the file system has folders; object stores have none."""
        system, _ = self._open()
        if not system.async_impl:
            for parent in {self.path(key).rpartition("/")[0] for key in keys}:
                with self.our_errors(parent, is_new=True):
                    system.makedirs(parent, exist_ok=True)

    @contextmanager
    def our_errors(self, key: str, is_new: bool = False) -> Iterator[None]:
        """Convert exceptions of a driver.

        Parameters
        ----------
        key : str
            The object in question.
        is_new : bool, optional
            Whether the object need not exist: then a missing path means that the root is missing.

        Yields
        ------
        None
            Runs the block.

        Raises
        ------
        FileNotFoundError
            The object does not exist.
        StorageFullError
            The disk of the store is full.
        ServiceUnavailableError
            The driver failed in another way.
        RunWidgetsError
            An error of runwidgets is passed on.
        """
        try:
            yield
        except RunWidgetsError:
            raise
        except FileNotFoundError as error:
            if not is_new:
                raise
            raise ServiceUnavailableError("root", f"there is no {self._url}", "create the bucket") from error
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise StorageFullError(name_of(key), "the disk is full") from error
            problem = f"{self._url} does not respond ({type(error).__name__})"
            if isinstance(error, PermissionError):
                problem = f"{self._url} denies access"
            name = name_of(key)
            subject = "root" if not name or name.startswith(".") else name
            raise ServiceUnavailableError(subject, problem) from error

    def _open(self) -> tuple[Any, str]:
        """Return the file system of this process, and the path of the root in it."""
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():  # file systems do not survive a fork
                try:
                    system, root_path = url_to_fs(self._url, **_options(self._url))
                except ImportError as error:
                    problem = f"a driver for {self._url} is not installed here"
                    raise ServiceUnavailableError("root", problem, str(error)) from error
                except Exception as error:
                    problem = f"{self._url} cannot be opened ({describe(error)})"
                    remedy = "give a folder, or a URL that fsspec knows, such as s3://bucket/prefix"
                    raise ServiceUnavailableError("root", problem, remedy) from error
                self._opened = os.getpid(), system, root_path.rstrip("/")
            return self._opened[1:]


def name_of(key: str) -> str:
    """Return the last component of a key."""
    return key.rpartition("/")[2]


def time_of_object(info: Mapping[str, object]) -> float:
    """Return when an object was stored, in seconds; infinity if the file system does not report it."""
    for name in TIME_KEYS:
        value = info.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    return math.inf


def _options(url: str) -> dict[str, Any]:
    """Return the options of a file system: its own instance for each store, without a listing cache."""
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if url.startswith(("s3://", "s3a://")):
        configured = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        options["config_kwargs"] = {"max_pool_connections": MAX_CALLS, **configured}  # the default is ten
    return options


async def _call_all(method: Any, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    semaphore = asyncio.Semaphore(MAX_CALLS)

    async def call(arguments: tuple[Any, ...]) -> Any:
        async with semaphore:
            return await method(*arguments)

    return await asyncio.gather(*map(call, calls), return_exceptions=True)


def _call(method: Any, arguments: tuple[Any, ...]) -> Any:
    try:
        return method(*arguments)
    except Exception as error:
        return error
