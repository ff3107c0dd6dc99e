"""The services over HTTP: the route table in, requests out.

Every method looks up its route, and `Wire` does the rest: the path, the query and the body out of the
arguments, and the error of the answer back into the class that the other side raised. Files are read
while they come, and a reader that seeks asks for the range that it wants. The live stream is read by a
thread that connects again, from the last event seen, whenever it is cut.
"""

import contextlib
import io
import json
import queue
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from typing import IO, Any, cast
from urllib.parse import quote, urlsplit
from weakref import WeakSet

import httpx

from runwidgets.errors import InvalidArgumentError, RunWidgetsError, ServiceUnavailableError, from_json
from runwidgets.service.base import (
    Api,
    EventService,
    GroupService,
    RunService,
    UploadService,
    WorkflowService,
)
from runwidgets.service.routes import BY_ID, Route

Json = dict[str, Any]

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Seconds; a start may wait for the database's busy timeout and a slow disk."""
SILENCE = httpx.Timeout(40.0, connect=5.0)
"""Seconds; the live stream says something every 15."""
CHUNK = 256 * 1024
"""Bytes of a file that are read at once."""
BACK_OFF = (0.1, 5.0)
"""Seconds before the live stream connects again: at first, and at most."""
PATIENCE = 60.0
"""Seconds without any answer after which the live stream is given up."""
AHEAD = 1_000
"""Events that are read before the caller takes them."""
TICK = 0.25
"""Seconds between two looks at the caller's `stop`."""


class Wire:
    """A connection to a server, shared by the services of one `Api`; any thread may use it.

    Parameters
    ----------
    url : str
        Base of the routes.
    token : str or None
        A token that the server takes; None for none.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url if url.endswith("/") else f"{url}/"
        host = urlsplit(self.url).hostname or ""
        self.client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"token {token}"} if token else {},
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=10),
            trust_env=not (host == "localhost" or host == "::1" or host.startswith("127.")),
        )

        self.listeners: WeakSet[_Listener] = WeakSet()

    def close(self) -> None:
        """Let go of the connections, and end the streams that are followed."""
        for listener in list(self.listeners):
            listener.stop()
        self.client.close()

    def call(self, route_id: str, **arguments: Any) -> Any:
        """Ask for a route and return the JSON of the answer, None where it is empty.

        Parameters
        ----------
        route_id : str
            Id of the route.
        **arguments
            By their Python names; what is None is not sent.

        Raises
        ------
        RunWidgetsError
            What the other side raised, or `ServiceUnavailableError` where none answered.
        """
        route = BY_ID[route_id]
        body = {each.wire: arguments[each.name] for each in route.body if arguments[each.name] is not None}
        content = None
        if route.body:
            content = json.dumps(body, default=_not_json).encode()
        with self.our_errors():
            answer = self.client.request(
                route.verb,
                route.url(arguments),
                params=self.query(route, arguments),
                content=content,
                headers={"Content-Type": "application/json"} if content is not None else {},
            )
            check(answer)
            return answer.json() if answer.content else None

    def query(self, route: Route, arguments: Json) -> dict[str, str]:
        """Return the query of a route for arguments; what is None is left out."""
        found: dict[str, str] = {}
        for each in route.query:
            value = arguments.get(each.name)
            if isinstance(value, list):
                found[each.wire] = ",".join(map(str, value))
            elif value is not None:
                found[each.wire] = str(value).lower() if isinstance(value, bool) else str(value)
        return found

    def open(self, route_id: str, **arguments: Any) -> IO[bytes]:
        """Open what a route offers for download; nothing is read ahead of the reader.

        Parameters
        ----------
        route_id : str
            Id of the route.
        **arguments
            By their Python names.

        Returns
        -------
        IO
            A readable binary file, seekable where the server serves ranges.
        """
        download = Download(self, BY_ID[route_id].url(arguments))
        return cast("IO[bytes]", io.BufferedReader(download, CHUNK))

    def upload(self, route_id: str, file: IO[bytes], name: str, **arguments: Any) -> Any:
        """Send a file as it is read and return the JSON of the answer."""
        boundary = secrets.token_hex(16)
        plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
        exact = quote(name.encode("utf-8", "surrogatepass"), safe="")
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{plain}"; '
            f"filename*=UTF-8''{exact}\r\nContent-Type: application/octet-stream\r\n\r\n"
        ).encode()

        def pieces() -> Iterator[bytes]:
            yield head
            while piece := file.read(CHUNK):
                yield piece
            yield f"\r\n--{boundary}--\r\n".encode()

        with self.our_errors():
            answer = self.client.request(
                "POST",
                BY_ID[route_id].url(arguments),
                content=pieces(),
                headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
            )
            check(answer)
            return answer.json()

    def stream(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """Begin a GET whose content is read later."""
        if self.client.is_closed:
            raise ServiceUnavailableError(self.url, "the connection was closed", "connect again")
        with self.our_errors():
            request = self.client.build_request("GET", path, headers=headers)
            answer = self.client.send(request, stream=True)
            if not answer.is_success:
                answer.read()
                answer.close()
            check(answer)
            return answer

    @contextlib.contextmanager
    def our_errors(self) -> Iterator[None]:
        """Turn what goes wrong on the way into `ServiceUnavailableError`."""
        try:
            yield
        except (httpx.TransportError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ServiceUnavailableError(
                self.url, "the server does not answer", "check that it runs, and its address"
            ) from error


def check(answer: httpx.Response) -> None:
    """Raise the error that an answer tells of.

    Parameters
    ----------
    answer : httpx.Response
        Read to its end where it is no success.

    Raises
    ------
    RunWidgetsError
        Of the class that the other side raised.
    """
    if answer.is_success:
        return
    try:
        body = answer.json()
    except (ValueError, UnicodeDecodeError):
        body = {}
    if not isinstance(body, dict):
        body = {}
    error = from_json(body, answer.status_code)
    error.subject = str(body.get("subject", ""))
    error.problem = str(body.get("problem", error.problem))
    raise error


def _not_json(value: object) -> object:
    raise InvalidArgumentError(f"{value!r:.80}", f"a {type(value).__name__} is no JSON")


class Download(io.RawIOBase):
    """A file at the other end; reads what is asked for, from where it is asked.

    Parameters
    ----------
    wire : Wire
        The connection.
    path : str
        Path of the route.
    """

    def __init__(self, wire: Wire, path: str) -> None:
        super().__init__()
        self._wire = wire
        self._path = path
        self._position = 0
        self._rest = b""
        self._answer: httpx.Response | None = None
        answer = self._begin()
        self._has_ranges = answer.headers.get("Accept-Ranges") == "bytes"
        self._size = int(answer.headers.get("Content-Length", 0))
        self._tag = answer.headers.get("Etag")

    def readable(self) -> bool:
        """Say that this is for reading."""
        return True

    def seekable(self) -> bool:
        """Say whether the server serves ranges of it."""
        return bool(self._has_ranges)

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Read on from another byte; the request for it is sent when it is read."""
        if not self._has_ranges:
            raise io.UnsupportedOperation("this file comes as one stream")
        target = offset + (0, self._position, self._size)[whence]
        if target < 0:
            raise ValueError(f"negative seek position {target}")
        if target != self._position:
            self._drop()
            self._position = target
        return target

    def readinto(self, buffer: Any) -> int:
        """Read what comes next."""
        if self._answer is None:
            if self._position >= self._size:
                return 0
            headers = {"Range": f"bytes={self._position}-"}
            if self._tag:
                headers["If-Range"] = self._tag
            if self._begin(headers).status_code != 206:
                raise ServiceUnavailableError("download", "the file has changed meanwhile", "open it again")
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return 0
            except httpx.HTTPError as error:
                raise ServiceUnavailableError("download", "it was cut", "try again") from error
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        self._position += size
        return size

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()
        super().close()

    def _begin(self, headers: dict[str, str] | None = None) -> httpx.Response:
        self._answer = self._wire.stream(self._path, {"Accept-Encoding": "identity", **(headers or {})})
        self._pieces = self._answer.iter_raw(CHUNK)
        return self._answer

    def _drop(self) -> None:
        answer = getattr(self, "_answer", None)
        if answer is not None:
            answer.close()
        self._answer, self._rest = None, b""


class RemoteRunService(RunService):
    """Runs at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def start_run(self, group_id: str, arguments: list[Json], config: Json | None = None) -> Json:
        """Accept a run; see `RunService`."""
        return cast(
            Json, self._wire.call("runs:start", group_id=group_id, arguments=arguments, config=config)
        )

    def get_run(self, run_id: str) -> Json:
        """Return the handle of a run; see `RunService`."""
        return cast(Json, self._wire.call("runs:get", run_id=run_id))

    def list_runs(
        self,
        group_id: str,
        state: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> Json:
        """List the runs of a group, oldest first; see `RunService`."""
        return cast(
            Json,
            self._wire.call("groups:runs", group_id=group_id, state=state, limit=limit, before=before),
        )

    def cancel_run(self, run_id: str, reason: str | None = None) -> Json:
        """Stop an active run; see `RunService`."""
        return cast(Json, self._wire.call("runs:cancel", run_id=run_id, reason=reason))

    def delete_run(self, run_id: str) -> Json:
        """Remove a run and its files; see `RunService`."""
        handle = self.get_run(run_id)
        self._wire.call("runs:delete", run_id=run_id)
        return handle

    def get_result_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a result file of a SUCCESS run; see `RunService`."""
        return self._wire.open("runs:download:file", run_id=run_id, file_id=file_id)

    def get_result_archive(self, run_id: str) -> IO[bytes]:
        """Open an archive of all result files of a SUCCESS run; see `RunService`."""
        return self._wire.open("runs:download:archive", run_id=run_id)

    def get_log(self, run_id: str, offset: int = 0) -> Json:
        """Return a piece of what the notebook printed; see `RunService`."""
        return cast(Json, self._wire.call("runs:log", run_id=run_id, offset=offset))

    def get_notebook(self, run_id: str) -> IO[bytes]:
        """Open the executed notebook, as far as the run has come; see `RunService`."""
        return self._wire.open("runs:notebook", run_id=run_id)


class RemoteWorkflowService(WorkflowService):
    """Workflows at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def create_workflow(
        self,
        source: str,
        name: str | None = None,
        description: str | None = None,
        identifier: str | None = None,
    ) -> Json:
        """Register a notebook; see `WorkflowService`."""
        return cast(
            Json,
            self._wire.call(
                "workflows:create",
                source=source,
                name=name,
                description=description,
                identifier=identifier,
            ),
        )

    def list_workflows(self) -> Json:
        """List the workflows; see `WorkflowService`."""
        return cast(Json, self._wire.call("workflows:list"))

    def get_workflow(self, workflow_id: str) -> Json:
        """Return the handle of a workflow; see `WorkflowService`."""
        return cast(Json, self._wire.call("workflows:get", workflow_id=workflow_id))

    def get_leaderboard(
        self, workflow_id: str, order_by: list[str] | None = None, include_all: bool = False
    ) -> Json:
        """Rank the successful runs of a workflow; see `WorkflowService`."""
        return cast(
            Json,
            self._wire.call(
                "leaderboard", workflow_id=workflow_id, order_by=order_by, include_all=include_all
            ),
        )

    def delete_workflow(self, workflow_id: str) -> None:
        """Remove a workflow with all that belongs to it; see `WorkflowService`."""
        self._wire.call("workflows:delete", workflow_id=workflow_id)


class RemoteGroupService(GroupService):
    """Groups at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def create_group(
        self,
        workflow_id: str,
        name: str,
        members: list[str] | None = None,
        parameters: list[Json] | None = None,
        engine_config: Json | None = None,
        identifier: str | None = None,
    ) -> Json:
        """Add a group to a workflow; see `GroupService`."""
        return cast(
            Json,
            self._wire.call(
                "groups:create",
                workflow_id=workflow_id,
                name=name,
                members=members,
                parameters=parameters,
                engine_config=engine_config,
                identifier=identifier,
            ),
        )

    def list_groups(self, workflow_id: str | None = None) -> Json:
        """List the groups that the user may read; see `GroupService`."""
        if workflow_id is None:
            return cast(Json, self._wire.call("groups:list"))
        return cast(Json, self._wire.call("workflows:groups", workflow_id=workflow_id))

    def get_group(self, group_id: str) -> Json:
        """Return the handle of a group; see `GroupService`."""
        return cast(Json, self._wire.call("groups:get", group_id=group_id))

    def update_group(self, group_id: str, name: str | None = None, members: list[str] | None = None) -> Json:
        """Rename a group, or set its members; see `GroupService`."""
        return cast(Json, self._wire.call("groups:update", group_id=group_id, name=name, members=members))

    def delete_group(self, group_id: str) -> None:
        """Remove a group with its uploads and runs; see `GroupService`."""
        self._wire.call("groups:delete", group_id=group_id)


class RemoteUploadService(UploadService):
    """Uploads at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def upload_file(self, group_id: str, file: IO[bytes], name: str) -> Json:
        """Store a file with a group; see `UploadService`."""
        return cast(Json, self._wire.upload("files:upload", file, name, group_id=group_id))

    def list_uploaded_files(self, group_id: str) -> Json:
        """List the uploads of a group; see `UploadService`."""
        return cast(Json, self._wire.call("files:list", group_id=group_id))

    def get_uploaded_file(self, group_id: str, file_id: str) -> IO[bytes]:
        """Open an upload; see `UploadService`."""
        return self._wire.open("files:download", group_id=group_id, file_id=file_id)

    def delete_file(self, group_id: str, file_id: str) -> None:
        """Remove an upload; see `UploadService`."""
        self._wire.call("files:delete", group_id=group_id, file_id=file_id)


class RemoteEventService(EventService):
    """Events at the other end of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def last_event(self) -> int:
        """Return the number of the newest event; see `EventService`."""
        answer = self._wire.stream(BY_ID["events"].pattern, {"Accept": "text/event-stream"})
        with contextlib.closing(answer), self._wire.our_errors():
            for name, data in read_stream(answer):
                if name == "hello":
                    return int(data["seq"])
        raise ServiceUnavailableError("events", "the stream ended before it began", "try again")

    def follow_events(
        self,
        after: int,
        group_id: str | None = None,
        run_id: str | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[Json]:
        """Yield events in order, waiting for new ones; see `EventService`.

        A stream that was cut is connected again from the last event seen, until nothing answered for
        a minute.
        """
        arguments = {"group_id": group_id, "run_id": run_id}
        query = self._wire.query(BY_ID["events"], arguments)
        path = str(httpx.URL(BY_ID["events"].pattern, params=query))
        listener = _Listener(self._wire, path, after)
        # The first connection is made here, so that a group that is unknown is said to be at once.
        listener.connect()
        return self._take(listener, stop or threading.Event())

    def _take(self, listener: "_Listener", stop: threading.Event) -> Iterator[Json]:
        listener.start()
        try:
            while not stop.is_set():
                try:
                    item = listener.items.get(timeout=TICK)
                except queue.Empty:
                    if listener.is_stopped:
                        raise ServiceUnavailableError(
                            "events", "the connection was closed", "connect again"
                        ) from None
                    continue
                if isinstance(item, RunWidgetsError):
                    raise item
                yield item
        finally:
            listener.stop()


class _Listener:
    """A thread that reads the live stream into a queue, and connects again when it is cut."""

    def __init__(self, wire: Wire, path: str, after: int) -> None:
        self.items: queue.Queue[Json | RunWidgetsError] = queue.Queue(AHEAD)
        self._wire = wire
        self._path = path
        self._after = after
        self._stop = threading.Event()
        self._answer: httpx.Response | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="runwidgets-listener", daemon=True)
        wire.listeners.add(self)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more will come."""
        return self._stop.is_set()

    def connect(self) -> None:
        """Open the stream where it was left."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self._after)}
        answer = self._wire.stream(self._path, headers)
        with self._lock:
            self._answer = answer

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, also while it waits for the other end."""
        self._stop.set()
        with self._lock:
            if self._answer is not None:
                _shut_down(self._answer)
        if self._thread.is_alive():
            self._thread.join(TICK)

    def _read(self) -> None:
        pause, heard = BACK_OFF[0], time.monotonic()
        while not self._stop.is_set():
            try:
                if self._answer is None:
                    self.connect()
                answer = self._answer
                if answer is not None and not self._stop.is_set():
                    for name, data in read_stream(answer):
                        pause = BACK_OFF[0]
                        self._pass_on(name, data)
            except ServiceUnavailableError as error:
                if self._wire.client.is_closed or time.monotonic() - heard > PATIENCE:
                    self._put(error)
                    return
            except RunWidgetsError as error:
                self._put(error)
                return
            except (httpx.HTTPError, httpx.StreamError, OSError):
                pass  # cut; connected again below
            finally:
                with self._lock:
                    if self._answer is not None:
                        heard = time.monotonic()
                        self._answer.close()
                    self._answer = None
            self._stop.wait(pause)
            pause = min(2 * pause, BACK_OFF[1])

    def _pass_on(self, name: str, data: Json) -> None:
        self._after = int(data["seq"])
        if name == "run":
            self._put(data)

    def _put(self, item: Json | RunWidgetsError) -> None:
        while not self._stop.is_set():
            try:
                self.items.put(item, timeout=TICK)
            except queue.Full:
                continue
            return


def read_stream(answer: httpx.Response) -> Iterator[tuple[str, Json]]:
    """Cut a stream of server-sent events into its events.

    Parameters
    ----------
    answer : httpx.Response
        Not read yet.

    Yields
    ------
    name : str
        Type of the event; heartbeats are left out.
    data : dict
        Its content.
    """
    name, lines = "", []
    for line in answer.iter_lines():
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            lines.append(line[5:])
        elif not line and lines:
            yield name, json.loads("\n".join(lines))
            name, lines = "", []


def _shut_down(answer: httpx.Response) -> None:
    # A read in another thread ends when its socket is shut down, not when it is closed.
    stream = answer.extensions.get("network_stream")
    given = stream.get_extra_info("socket") if stream is not None else None
    if isinstance(given, socket.socket):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(given, socket.SHUT_RDWR)


def open_remote(url: str, token: str | None) -> Api:
    """Connect to the routes of a server. Nothing is sent before it is needed.

    Parameters
    ----------
    url : str
        Base of the routes, such as ``http://127.0.0.1:8888/runwidgets/api/``.
    token : str or None
        A token that the server takes.

    Returns
    -------
    Api
        Its `close` lets go of the connections.
    """
    wire = Wire(url, token)
    return Api(
        workflows=RemoteWorkflowService(wire),
        groups=RemoteGroupService(wire),
        uploads=RemoteUploadService(wire),
        runs=RemoteRunService(wire),
        events=RemoteEventService(wire),
        url=wire.url,
        close=wire.close,
    )
