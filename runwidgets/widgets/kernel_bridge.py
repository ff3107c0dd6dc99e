"""The kernel as a substitute for the REST API, for views whose page cannot reach the server.

The requests are those of the REST routes. They travel as custom messages of the widget, are parsed with the
same route table, and fail with the same errors. A message of a view is ``{"runwidgets": {...}}``:

=========  ================================================================================
``ask``    ``id``, ``verb``, ``path``, ``body`` (JSON text)?, ``limit`` (bytes)?: a request
``load``   ``id``, ``name``: the code of one of the front end's bundles
``piece``  ``id``, ``path``, ``name``, ``at``, ``isLast``, and bytes: a chunk of an upload
``watch``  ``id``, ``client``, ``keys``: the runs, groups and sweeps whose events it subscribes to
``stop``   ``id``: cancels that request
=========  ================================================================================

A response carries the id of its request and arrives in chunks: ``status``, ``at``, ``isLast``, ``type``,
``name``, ``size`` (bytes, null if unknown), ``now`` (milliseconds), and bytes. Each chunk of an upload is
acknowledged with ``got``, so that one chunk is in flight at a time. Events arrive as ``events`` with a
``count``, by which the view detects a lost message.

A request that may block is served in a thread of its own, so that it delays neither the kernel nor other
requests; only the receipt of a message waits for the kernel.
"""

import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, Literal, TypeAlias, cast

from typing_extensions import TypedDict

from runwidgets.errors import InvalidArgumentError, RunWidgetsError
from runwidgets.schema import RunEvent
from runwidgets.server.downloads import Download
from runwidgets.service.contracts.api import Api
from runwidgets.store.files.disk import our_errors
from runwidgets.widgets.kernel_requests import (
    JSON_TYPE,
    make_json_download,
    open_bundle,
    serve_request,
    store_upload,
)
from runwidgets.widgets.live import get_follower

MESSAGE_SIZE = 1_000_000
"""Maximum size of one message in bytes."""
SEND_RATE = 20_000_000
"""Maximum rate of one response in bytes per second; the kernel drops messages that wait too long."""
MAX_REQUESTS = 8
"""Requests of one widget that are served at once; more wait."""

Send: TypeAlias = Callable[[dict[str, object], list[bytes]], None]

log = logging.getLogger(__name__)


class ViewMessage(TypedDict, total=False):
    """A message of a view; its keys depend on its kind, as described above."""

    id: str
    kind: Literal["ask", "load", "piece", "watch", "stop"]
    verb: str
    path: str
    """Path of a route, with its query."""
    body: str
    """Body of the request, as JSON text."""
    limit: int
    """Maximum size of the response in bytes."""
    name: str
    """Name of a bundle, or of the file that is uploaded."""
    at: int
    """Byte of the file at which the piece begins."""
    isLast: bool
    client: str
    """The view that subscribes to events."""
    keys: list[str]
    """Ids of the runs, groups and sweeps whose events it subscribes to."""


class KernelBridge:
    """Serves the messages of one widget's views.

    Parameters
    ----------
    api : Api
        The services that respond to the requests.
    send : callable
        Takes the content of a message and its buffers; called from any thread.
    """

    def __init__(self, api: Api, send: Send) -> None:
        self._api = api
        self._send = send
        self._request_slots = threading.BoundedSemaphore(MAX_REQUESTS)
        self._running: dict[str, threading.Event] = {}
        self._incoming: dict[str, IO[bytes]] = {}
        self._watches: dict[str, set[str]] = {}
        self._subscribed: set[str] = set()
        self._watch_lock = threading.Lock()
        self._count = 0
        self._is_closed = False

    def on_message(self, content: Any, buffers: Sequence[Any] | None = None) -> None:
        """Start serving a message of a view; never blocks.

        Parameters
        ----------
        content : object
            The content of the message; foreign messages are ignored.
        buffers : sequence of bytes-like, optional
            The binary buffers of the message.
        """
        message = content.get("runwidgets") if isinstance(content, dict) else None
        if not isinstance(message, dict) or self._is_closed:
            return
        self._start_serving(cast(ViewMessage, message), buffers or [])

    def _start_serving(self, message: ViewMessage, buffers: Sequence[Any]) -> None:
        name, kind = str(message.get("id")), message.get("kind")
        if kind == "ask":
            verb, path, body = (str(message.get(key) or "") for key in ("verb", "path", "body"))
            self._start_request(
                name, lambda: serve_request(self._api, verb, path, body), message.get("limit")
            )
        elif kind == "load":
            self._start_request(name, lambda: (200, open_bundle(str(message.get("name")))))
        elif kind == "piece":
            self._receive_chunk(name, message, buffers)
        elif kind == "watch":
            self._watches[str(message.get("client"))] = set(message["keys"])
            self._start_request(name, self._update_subscriptions)
        elif kind == "stop":
            self._stop(name)

    def close(self) -> None:
        """Cancel all requests and subscriptions."""
        self._is_closed = True
        for name in {*self._running, *self._incoming}:
            self._stop(name)
        if self._watches:
            self._update_subscriptions()

    def _stop(self, name: str) -> None:
        running, incoming = self._running.get(name), self._incoming.pop(name, None)
        if running is not None:
            running.set()
        if incoming is not None:
            incoming.close()

    def _start_request(
        self, name: str, work: Callable[[], tuple[int, Download]], limit: int | None = None
    ) -> None:
        stop = self._running[name] = threading.Event()
        threading.Thread(
            target=self._serve, args=(name, work, limit, stop), name="runwidgets-request", daemon=True
        ).start()

    def _serve(
        self,
        name: str,
        work: Callable[[], tuple[int, Download]],
        limit: int | None,
        stop: threading.Event,
    ) -> None:
        try:
            with self._request_slots:
                status, download = work()
            self._send_download(name, status, download, limit, stop)
        except Exception as error:
            self._send_error(name, error)
        finally:
            self._running.pop(name, None)

    def _send_download(
        self, name: str, status: int, download: Download, limit: int | None, stop: threading.Event
    ) -> None:
        """Send a response in chunks, up to one byte more than the limit, so the view can detect the cut."""
        description = {"type": download.mime_type, "name": download.name, "size": download.size}
        end = download.size if limit is None else min(limit + 1, download.size or limit + 1)
        offset, is_last = 0, False
        with download.file:
            while not is_last and not stop.is_set():
                piece = download.file.read(MESSAGE_SIZE if end is None else min(MESSAGE_SIZE, end - offset))
                is_last = not piece or offset + len(piece) == end
                self._send_message(
                    {"id": name, "status": status, "at": offset, "isLast": is_last, **description}, piece
                )
                offset += len(piece)
                if not is_last:
                    stop.wait(len(piece) / SEND_RATE)

    def _send_error(self, name: str, error: Exception) -> None:
        if not isinstance(error, RunWidgetsError):
            log.error("runwidgets: a request failed", exc_info=error)
            error = RunWidgetsError("", "the kernel failed; its log says why")
        body = json.dumps(error.to_json()).encode()
        self._send_message(
            {"id": name, "status": error.status, "at": 0, "isLast": True, "type": JSON_TYPE}, body
        )

    def _send_message(self, message: dict[str, object], *pieces: bytes) -> None:
        self._send({"runwidgets": {**message, "now": round(time.time() * 1000)}}, list(pieces))

    # -- uploads -----------------------------------------------------------------------------------

    def _receive_chunk(self, name: str, message: ViewMessage, buffers: Sequence[Any]) -> None:
        """Store a chunk of an upload, and pass the file to the service after the last chunk."""
        try:
            if message["at"] == 0:
                self._incoming[name] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the upload
            file = self._incoming.get(name)
            if file is None:  # the upload was cancelled
                return
            with our_errors("upload"):
                if file.tell() != message["at"]:
                    raise InvalidArgumentError("upload", "a part of it was lost", "send it again")
                file.write(b"".join(bytes(each) for each in buffers))
                received = file.tell()
        except Exception as error:
            self._stop(name)
            self._send_error(name, error)
            return
        if not message["isLast"]:
            self._send_message({"id": name, "got": received})
            return
        self._incoming.pop(name)
        file.seek(0)
        path, file_name = str(message.get("path")), str(message.get("name"))
        self._start_request(name, lambda: store_upload(self._api, path, file_name, file))

    # -- events ------------------------------------------------------------------------------------

    def _update_subscriptions(self) -> tuple[int, Download]:
        """Subscribe to the events that the views watch at present, and unsubscribe from all others."""
        with self._watch_lock:
            wanted = set[str]().union(*([] if self._is_closed else self._watches.values()))
            live = get_follower(self._api.events)
            for key in wanted - self._subscribed:
                live.listen(key, self._on_events)
                self._subscribed.add(key)
            for key in self._subscribed - wanted:
                live.ignore(key, self._on_events)
                self._subscribed.discard(key)
        return 200, make_json_download({})

    def _on_events(self, events: list[RunEvent]) -> None:
        self._count += 1
        self._send_message({"events": events, "count": self._count})
