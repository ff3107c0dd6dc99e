"""What a kernel answers where a view's page reaches no server of ours.

The requests are those of the REST routes. They travel as custom messages of the widget, are read by the
same route table, and are refused in the same words. A message of a view is ``{"runwidgets": {...}}``:

=========  ================================================================================
``ask``    ``id``, ``verb``, ``path``, ``body`` (JSON text)?, ``limit`` (bytes)?: a request
``load``   ``id``, ``name``: the code of one of our bundles
``piece``  ``id``, ``path``, ``name``, ``at``, ``isLast``, and bytes: a file on its way in
``watch``  ``id``, ``client``, ``keys``: the runs, groups and sweeps of which it wants to hear
``stop``   ``id``: whatever it was, it is not wanted any more
=========  ================================================================================

An answer carries the id of its request and comes in pieces: ``status``, ``at``, ``isLast``, ``type``,
``name``, ``size`` (bytes, null where not known), ``now`` (milliseconds), and bytes. A piece of a file is
acknowledged with ``got``, so that one is on its way at a time. What is followed comes as ``events`` with
a ``count``, by which the view sees that a message was lost on the way.

A request that may block is answered in a thread of its own, so that neither the kernel waits for it nor
one request for another; only taking a message waits for the kernel.
"""

import io
import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, unquote

from runwidgets.errors import (
    InvalidArgumentError,
    RequestTooLargeError,
    RunWidgetsError,
    UnauthorizedAccessError,
    UnknownFileError,
)
from runwidgets.limits import Limits
from runwidgets.server.arguments import read_body, read_path, read_query
from runwidgets.server.downloads import Download, open_download
from runwidgets.service.contracts.runs import Api
from runwidgets.service.routes.routes import BY_ID, ROUTES, find_route
from runwidgets.store.files.disk import our_errors
from runwidgets.widgets.live import follower
from runwidgets.widgets.static import read_static

PIECE = 1_000_000
"""Bytes of one message, at most."""
RATE = 20_000_000
"""Bytes per second of one answer, at most: what queues up between kernel and page would be dropped."""
AT_ONCE = 8
"""Requests of one widget that are worked on at once; more wait."""
CONTENTS = "../../api/contents/"
"""Where views look for files of the server."""
BUNDLES = {"form", "run", "results", "table", "sweep", "browser", "markdown"}
JSON = "application/json"

Json = dict[str, Any]
Send = Callable[[Json, list[bytes]], None]

log = logging.getLogger(__name__)


class KernelBridge:
    """KernelBridge the messages of one widget's views.

    Parameters
    ----------
    api : Api
        The services that answer.
    send : callable
        Takes the content of a message and its buffers; called from any thread.
    """

    def __init__(self, api: Api, send: Send) -> None:
        self._api = api
        self._send = send
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._running: dict[str, threading.Event] = {}
        self._incoming: dict[str, IO[bytes]] = {}
        self._watches: dict[str, set[str]] = {}
        self._heard: set[str] = set()
        self._watching = threading.Lock()
        self._count = 0
        self._is_closed = False

    def take(self, content: Any, buffers: Sequence[Any] | None = None) -> None:
        """Take a message of a view; never waits.

        Parameters
        ----------
        content : object
            What it says; messages that are not ours are left alone.
        buffers : sequence of bytes-like, optional
            What came with it.
        """
        asked = content.get("runwidgets") if isinstance(content, dict) else None
        if not isinstance(asked, dict) or self._is_closed:
            return
        name, kind = str(asked.get("id")), asked.get("kind")
        if kind == "ask":
            self._begin(name, lambda: answer(self._api, asked), asked.get("limit"))
        elif kind == "load":
            self._begin(name, lambda: (200, _bundle(str(asked.get("name")))))
        elif kind == "piece":
            self._keep(name, asked, buffers or [])
        elif kind == "watch":
            self._watches[str(asked.get("client"))] = set(asked["keys"])
            self._begin(name, self._watch)
        elif kind == "stop":
            self._stop(name)

    def close(self) -> None:
        """Stop all that is going on, and let go of it."""
        self._is_closed = True
        for name in {*self._running, *self._incoming}:
            self._stop(name)
        if self._watches:
            self._watch()

    def _stop(self, name: str) -> None:
        running, incoming = self._running.get(name), self._incoming.pop(name, None)
        if running is not None:
            running.set()
        if incoming is not None:
            incoming.close()

    def _begin(self, name: str, work: Callable[[], tuple[int, Download]], limit: int | None = None) -> None:
        stop = self._running[name] = threading.Event()
        threading.Thread(
            target=self._work, args=(name, work, limit, stop), name="runwidgets-answer", daemon=True
        ).start()

    def _work(
        self,
        name: str,
        work: Callable[[], tuple[int, Download]],
        limit: int | None,
        stop: threading.Event,
    ) -> None:
        try:
            with self._turns:
                status, download = work()
            self._give(name, status, download, limit, stop)
        except Exception as error:
            self._refuse(name, error)
        finally:
            self._running.pop(name, None)

    def _give(
        self, name: str, status: int, download: Download, limit: int | None, stop: threading.Event
    ) -> None:
        """Send an answer in pieces, up to one byte more than its limit: the view sees that there is more."""
        about = {"type": download.mime_type, "name": download.name, "size": download.size}
        end = download.size if limit is None else min(limit + 1, download.size or limit + 1)
        at, is_last = 0, False
        with download.file:
            while not is_last and not stop.is_set():
                piece = download.file.read(PIECE if end is None else min(PIECE, end - at))
                is_last = not piece or at + len(piece) == end
                self._say({"id": name, "status": status, "at": at, "isLast": is_last, **about}, piece)
                at += len(piece)
                if not is_last:
                    stop.wait(len(piece) / RATE)

    def _refuse(self, name: str, error: Exception) -> None:
        if not isinstance(error, RunWidgetsError):
            log.error("runwidgets: a request failed", exc_info=error)
            error = RunWidgetsError("", "the kernel failed; its log says why")
        body = json.dumps(error.to_response()).encode()
        self._say({"id": name, "status": error.status, "at": 0, "isLast": True, "type": JSON}, body)

    def _say(self, message: Json, *pieces: bytes) -> None:
        self._send({"runwidgets": {**message, "now": round(time.time() * 1000)}}, list(pieces))

    # -- files on their way in ---------------------------------------------------------------------

    def _keep(self, name: str, asked: Json, buffers: Sequence[Any]) -> None:
        """Keep a piece of a file, and give the file to the service when all of it is there."""
        try:
            if asked["at"] == 0:
                self._incoming[name] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the upload
            file = self._incoming.get(name)
            if file is None:  # it was stopped
                return
            with our_errors("upload"):
                if file.tell() != asked["at"]:
                    raise InvalidArgumentError("upload", "a piece of it was lost", "send it again")
                file.write(b"".join(bytes(each) for each in buffers))
                got = file.tell()
        except Exception as error:
            self._stop(name)
            self._refuse(name, error)
            return
        if not asked["isLast"]:
            self._say({"id": name, "got": got})
            return
        self._incoming.pop(name)
        file.seek(0)
        self._begin(name, lambda: store(self._api, asked, file))

    # -- what is followed --------------------------------------------------------------------------

    def _watch(self) -> tuple[int, Download]:
        """Listen to what the views want to hear of now, and to nothing else."""
        with self._watching:
            wanted = set[str]().union(*([] if self._is_closed else self._watches.values()))
            live = follower(self._api.events)
            for key in wanted - self._heard:
                live.listen(key, self._hear)
                self._heard.add(key)
            for key in self._heard - wanted:
                live.ignore(key, self._hear)
                self._heard.discard(key)
        return 200, _json({})

    def _hear(self, events: list[Json]) -> None:
        self._count += 1
        self._say({"events": events, "count": self._count})


def answer(api: Api, asked: Json) -> tuple[int, Download]:
    """Answer a request as the REST routes do. Blocks.

    Parameters
    ----------
    api : Api
        The services.
    asked : dict
        ``verb``, ``path`` with its query, and ``body``, JSON text, where there is one.

    Returns
    -------
    status : int
        As of HTTP.
    download : Download
        What comes back; the caller closes its file.

    Raises
    ------
    InvalidArgumentError
        It asks for the stream, or its path, query or body cannot be read.
    RequestTooLargeError
        Its body is over the limit.
    RunWidgetsError
        What the service raised.
    """
    path, _, query = str(asked.get("path")).partition("?")
    if path.startswith(CONTENTS) and not api.url:
        return 200, _json(list_folder(unquote(path.removeprefix(CONTENTS))))
    route, parts = find_route(str(asked.get("verb")), path)
    if not route.service:
        return 200, _json(_descriptor(api))
    if route.answer == "stream":
        raise InvalidArgumentError("path", "the stream is no request", "watch it")
    values = {name.decode(): each for name, each in parse_qs(query.encode()).items()}
    given = read_path(route, parts) | read_query(route, values)
    if route.answer == "file":
        return route.status, open_download(api, route, given)
    if route.body:
        content, limit = str(asked.get("body") or "").encode("utf-8", "replace"), Limits().json_body
        if len(content) > limit:
            raise RequestTooLargeError("body", f"{len(content):,} bytes are more than the limit of {limit:,}")
        given |= read_body(route, content)
    is_copy = route.id == "files:upload"  # as JSON it names a file of the server
    method = api.uploads.take_file if is_copy else getattr(getattr(api, route.service), route.method)
    told = method(**given)
    return route.status, _json(None if route.answer == "nothing" else told)


def store(api: Api, asked: Json, file: IO[bytes]) -> tuple[int, Download]:
    """Store a file that came in pieces. Blocks.

    Parameters
    ----------
    api : Api
        The services.
    asked : dict
        ``path`` of the route, and ``name`` of the file.
    file : IO
        Its content; closed at the end.

    Returns
    -------
    status : int
        As of HTTP.
    download : Download
        The upload's handle.

    Raises
    ------
    InvalidArgumentError
        The path is not that of a group's uploads.
    RunWidgetsError
        What the service raised.
    """
    with file:
        route, parts = find_route("POST", str(asked.get("path")))
        if route != BY_ID["files:upload"]:
            raise InvalidArgumentError("path", "no file is taken here")
        given = read_path(route, parts)
        return route.status, _json(api.uploads.upload_file(**given, file=file, name=str(asked.get("name"))))


def list_folder(folder: str) -> Json:
    """Return what is in a folder, in the words of Jupyter's contents API.

    Parameters
    ----------
    folder : str
        Relative to the folder in which the kernel works, and in it.

    Returns
    -------
    dict
        ``{"content": [{"name", "path", "type", "size"}, …]}``; what begins with a dot is not told.

    Raises
    ------
    UnknownFileError
        There is no such folder.
    UnauthorizedAccessError
        It may not be read.
    """
    root = Path.cwd().resolve()
    place = (root / folder).resolve()
    if not place.is_relative_to(root) or not place.is_dir():
        raise UnknownFileError(f"folder {folder!a:.80}", "there is no such folder")
    try:
        entries = [entry for entry in os.scandir(place) if not entry.name.startswith(".")]
    except PermissionError as error:
        raise UnauthorizedAccessError(f"folder {folder!a:.80}", "it may not be read") from error
    return {"content": [_entry(entry, Path(entry).relative_to(root).as_posix()) for entry in entries]}


def _entry(entry: os.DirEntry[str], path: str) -> Json:
    kind = "directory" if entry.is_dir() else "file"
    size = entry.stat().st_size if entry.is_file() else None
    return {"name": entry.name, "path": path, "type": kind, "size": size}


def _descriptor(api: Api) -> Json:
    """Return the service descriptor; the limits of a server that is asked over HTTP are its own."""
    limits = {} if api.url else {"limits": {"upload": Limits().upload}}
    return {
        "name": "runwidgets",
        "store": api.store(),
        **limits,
        "routes": [route.description for route in ROUTES],
    }


def _bundle(name: str) -> Download:
    if name not in BUNDLES:
        raise UnknownFileError(f"bundle {name!a:.80}", "there is no such thing")
    return _made(read_static(f"{name}.js").encode(), "text/javascript")


def _json(told: Any) -> Download:
    return _made(b"" if told is None else json.dumps(told, allow_nan=False).encode(), JSON)


def _made(content: bytes, mime_type: str) -> Download:
    return Download(io.BytesIO(content), "", mime_type, len(content))
