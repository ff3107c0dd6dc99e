"""The wire to a server: requests out of the route table, errors of the answers, files read as they come."""

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from typing import IO, Any, Protocol, cast
from urllib.parse import quote, urlsplit
from weakref import WeakSet

import httpx

from runwidgets.errors import InvalidArgumentError, ServiceUnavailableError, from_json
from runwidgets.schema import UploadHandle
from runwidgets.service.routes.catalog import TAKE_FILE
from runwidgets.service.routes.route import P, R, Route

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Seconds; a start may wait for the database's busy timeout and a slow disk."""
CHUNK = 256 * 1024
"""Bytes of a file that are read at once."""


class Listener(Protocol):
    """Who follows a live stream over a wire."""

    def stop(self) -> None:
        """End the stream."""


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

        self.listeners: WeakSet[Listener] = WeakSet()

    def close(self) -> None:
        """Let go of the connections, and end the streams that are followed."""
        for listener in list(self.listeners):
            listener.stop()
        self.client.close()

    def call(self, route: Route[P, R], *_: P.args, **arguments: P.kwargs) -> R:
        """Ask for a route and return the JSON of the answer, None where it is empty.

        Parameters
        ----------
        route : Route
            The route.
        **arguments
            Those of the method behind it, all by name; what is None is not sent.

        Returns
        -------
        object
            What the method returns on the other side.

        Raises
        ------
        RunWidgetsError
            What the other side raised, or `ServiceUnavailableError` where none answered.
        """
        given = {each.wire: arguments.get(each.name) for each in route.body}
        body = {name: value for name, value in given.items() if value is not None}
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
            return cast(R, answer.json() if answer.content else None)

    def query(self, route: Route, arguments: Mapping[str, object]) -> dict[str, str]:
        """Return the query of a route for arguments; what is None is left out."""
        found: dict[str, str] = {}
        for each in route.query:
            value = arguments.get(each.name)
            if isinstance(value, list):
                found[each.wire] = ",".join(map(str, value))
            elif value is not None:
                found[each.wire] = str(value).lower() if isinstance(value, bool) else str(value)
        return found

    def open(self, route: Route[P, IO[bytes]], *_: P.args, **arguments: P.kwargs) -> IO[bytes]:
        """Open what a route offers for download; nothing is read ahead of the reader.

        Parameters
        ----------
        route : Route
            The route.
        **arguments
            Those of the method behind it, all by name.

        Returns
        -------
        IO
            A readable binary file, seekable where the server serves ranges.
        """
        download = Download(self, route.url(arguments))
        return cast("IO[bytes]", io.BufferedReader(download, CHUNK))

    def upload(self, group_id: str, file: IO[bytes], name: str) -> UploadHandle:
        """Send a file to a group as it is read, and return its handle."""
        exact = quote(name.encode("utf-8", "surrogatepass"), safe="")
        content_type = f"application/octet-stream; name*=UTF-8''{exact}"
        with self.our_errors():
            answer = self.client.request(
                "POST",
                TAKE_FILE.url({"group_id": group_id}),
                files={"file": ("file", cast("IO[bytes]", _Unsized(file)), content_type)},
            )
            check(answer)
            return cast(UploadHandle, answer.json())

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


class _Unsized:
    """A file that can be read and nothing else.

    So httpx reads it from where it stands, and asks neither a pipe nor a decompressor for its size,
    where it would take that of another file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read


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
