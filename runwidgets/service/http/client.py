"""The HTTP client: builds requests from the route table, raises the server's errors, and streams files."""

import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Protocol, cast
from urllib.parse import quote
from weakref import WeakSet

import httpx

from runwidgets.errors import (
    InvalidArgumentError,
    ServiceUnavailableError,
    UnauthenticatedAccessError,
    UnauthorizedAccessError,
    from_json,
)
from runwidgets.schema import UploadHandle
from runwidgets.service.http.transport import (
    Verify,
    is_this_machine,
    parse_url,
    trusted_certificates,
    unreachable,
)
from runwidgets.service.routes.catalog import TAKE_FILE
from runwidgets.service.routes.route import NOT_GIVEN, P, R, Route, RouteArgument
from runwidgets.service.server_socket import is_usable
from runwidgets.templates.scalars import tag_floats
from runwidgets.templates.texts import is_list_of_texts, text_problem

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Seconds; the start of a run may wait for the database's busy timeout and a slow disk."""
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=10)
PLAIN_NAME = re.compile(r"(?!None$)[^\s\[,](?:[^,]*[^\s,])?")
"""A name that can stand between commas in a query; with any other one, the query is a JSON list."""
RECEIVE_CHUNK = 256 * 1024
"""Bytes of a file that are read at once."""


class StreamListener(Protocol):
    """A reader of an event stream on a connection."""

    def stop(self) -> None:
        """End the stream."""


class HttpClient:
    """A connection to a server, shared by the services of one `Api`; thread-safe.

    Parameters
    ----------
    url : str
        Base URL of the routes.
    token : str or None
        A token that the server accepts; None for no token.
    verify : bool, str, path or ssl.SSLContext, optional
        Which certificates are trusted; see `trusted_certificates`.
    socket : Path, optional
        A Unix socket of the server, which is used instead of the URL if it is there.
    timeout : httpx.Timeout, optional
        Seconds that the steps of a request may take.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        verify: Verify = True,
        socket: Path | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        self.url = url if url.endswith("/") else f"{url}/"
        base_url = parse_url(self.url)
        has_socket = socket is not None and is_usable(socket)
        is_secure = base_url.scheme == "https" and not has_socket
        self.client = httpx.Client(
            base_url=base_url.copy_with(scheme="http", host="localhost") if has_socket else base_url,
            headers={"Authorization": f"token {token}"} if token else {},
            timeout=timeout,
            limits=LIMITS,
            verify=trusted_certificates(verify) if is_secure else False,
            transport=httpx.HTTPTransport(uds=str(socket), limits=LIMITS) if has_socket else None,
            trust_env=not (has_socket or is_this_machine(base_url)),
        )
        self.listeners: WeakSet[StreamListener] = WeakSet()

    def close(self) -> None:
        """Close the connections, and end the event streams."""
        for listener in list(self.listeners):
            listener.stop()
        self.client.close()

    def call(self, route: Route[P, R], *_: P.args, **arguments: P.kwargs) -> R:
        """Send a request, and return the JSON of the response, or None if it is empty.

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
            The error of the server, or `ServiceUnavailableError` if there is no response.
        """
        values = {each.wire_name: _checked(each, arguments.get(each.name)) for each in route.body}
        body = {name: value for name, value in values.items() if value is not None}
        content = None
        if route.body:
            content = _to_json(body)
        with self.our_errors():
            response = self.client.request(
                route.verb,
                route.url(arguments),
                params=self.query(route, arguments),
                content=content,
                headers={"Content-Type": "application/json"} if content is not None else {},
            )
            raise_error(response)
            return cast(R, response.json() if response.content else None)

    def check(self) -> None:
        """Ask the server who it is.

        Raises
        ------
        ServiceUnavailableError
            Nothing responds at the address, or not a server with the extension, or it is not ready.
        UnauthenticatedAccessError, UnauthorizedAccessError
            The server refuses the token, or needs one.
        """
        with self.our_errors():
            response = self.client.get("")
        refusal = {401: UnauthenticatedAccessError, 403: UnauthorizedAccessError}.get(response.status_code)
        if refusal is not None:
            problem = "refuses it" if "Authorization" in self.client.headers else "needs one"
            remedy = "give the one that `jupyter server list` shows"
            raise refusal("token", f"the server at {self.url} {problem}", remedy)
        if response.status_code == ServiceUnavailableError.status:
            raise_error(response)
        if not response.is_success or not _is_descriptor(response):
            raise ServiceUnavailableError(
                self.url, "this is not a Jupyter server with runwidgets", "check the address, and the server"
            )

    def query(self, route: Route, arguments: Mapping[str, object]) -> dict[str, str]:
        """Return the query of a route for some arguments; None values are omitted."""
        values: dict[str, str] = {}
        for each in route.query:
            value = _checked(each, arguments.get(each.name))
            if value is not None:
                text = _query_text(each, value)
                if problem := text_problem(text):
                    raise InvalidArgumentError(each.wire_name, problem)
                values[each.wire_name] = text
        return values

    def open(self, route: Route[P, IO[bytes]], *_: P.args, **arguments: P.kwargs) -> IO[bytes]:
        """Open the file that a route offers for download; nothing is read ahead.

        Parameters
        ----------
        route : Route
            The route.
        **arguments
            Those of the method behind it, all by name.

        Returns
        -------
        IO
            A readable binary file, seekable if the server supports ranges.
        """
        download = RemoteFile(self, route.url(arguments))
        return cast("IO[bytes]", io.BufferedReader(download, RECEIVE_CHUNK))

    def upload(self, group_id: str, file: IO[bytes], name: str) -> UploadHandle:
        """Send a file to a group as it is read, and return its handle."""
        if not isinstance(name, str):
            raise InvalidArgumentError("name", f"{name!r:.80} is not a file name")
        exact = quote(name.encode("utf-8", "surrogatepass"), safe="")
        content_type = f"application/octet-stream; name*=UTF-8''{exact}"
        with self.our_errors():
            response = self.client.request(
                "POST",
                TAKE_FILE.url({"group_id": group_id}),
                files={"file": ("file", cast("IO[bytes]", _PlainReader(file)), content_type)},
            )
            raise_error(response)
            return cast(UploadHandle, response.json())

    def stream(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """Begin a GET request whose response is read later."""
        if self.client.is_closed:
            raise ServiceUnavailableError(self.url, "the connection was closed", "connect again")
        with self.our_errors():
            request = self.client.build_request("GET", path, headers=headers)
            response = self.client.send(request, stream=True)
            if not response.is_success:
                response.read()
                response.close()
            raise_error(response)
            return response

    @contextlib.contextmanager
    def our_errors(self) -> Iterator[None]:
        """Convert transport errors into `ServiceUnavailableError`."""
        try:
            yield
        except (httpx.TransportError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise unreachable(self.url, error) from error


def raise_error(response: httpx.Response) -> None:
    """Raise the error that a response contains.

    Parameters
    ----------
    response : httpx.Response
        Already read, if it is not a success.

    Raises
    ------
    RunWidgetsError
        An instance of the class that the server raised.
    """
    if response.is_success:
        return
    try:
        body = response.json()
    except (ValueError, UnicodeDecodeError):
        body = {}
    if not isinstance(body, dict):
        body = {}
    error = from_json(body, response.status_code)
    raise error


def _is_descriptor(response: httpx.Response) -> bool:
    """Return whether a response is the descriptor of the service."""
    try:
        body = response.json()
    except (ValueError, UnicodeDecodeError):
        return False
    return isinstance(body, dict) and body.get("name") == "runwidgets"


class _PlainReader:
    """A file that can only be read.

    httpx then reads it from its current position and does not ask for its size: for a pipe or a decompressor
    it would use the size of another file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read


def _checked(argument: RouteArgument, value: object) -> object:
    """Return the value of an argument, unless it would arrive as another one than the caller passes."""
    if argument.kind == "id" and value is not None:
        return argument.check_id(value)
    if argument.kind == "flag" and not isinstance(value, bool):
        raise InvalidArgumentError(argument.wire_name, "it must be true or false")
    if argument.kind == "names" and value is not None and not is_list_of_texts(value):
        raise InvalidArgumentError(argument.wire_name, "it must be a list of strings")
    return value


def _query_text(argument: RouteArgument, value: object) -> str:
    """Return a value as it stands in a query."""
    if argument.kind == "names" and is_list_of_texts(value):
        return ",".join(value) if all(map(PLAIN_NAME.fullmatch, value)) else json.dumps(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if text in NOT_GIVEN:
        raise InvalidArgumentError(argument.wire_name, f"{text!r} is not a value")
    return text


def _to_json(body: dict[str, object]) -> bytes:
    """Return a body as JSON; NaN and infinity, which JSON does not have, are tagged."""
    try:
        return json.dumps(body, default=_not_json, allow_nan=False).encode()
    except ValueError:
        return json.dumps(tag_floats(body), default=_not_json).encode()


def _not_json(value: object) -> object:
    raise InvalidArgumentError(f"{value!r:.80}", f"a {type(value).__name__} is not JSON")


class RemoteFile(io.RawIOBase):
    """A file on the server, of which only the requested parts are read.

    Parameters
    ----------
    client : HttpClient
        The connection.
    path : str
        Path of the route.
    """

    def __init__(self, client: HttpClient, path: str) -> None:
        super().__init__()
        self._client = client
        self._path = path
        self._position = 0
        self._rest = b""
        self._response: httpx.Response | None = None
        response = self._begin()
        self._has_ranges = response.headers.get("Accept-Ranges") == "bytes"
        self._size = int(response.headers.get("Content-Length", 0))
        self._tag = response.headers.get("Etag")

    def readable(self) -> bool:
        """Return True: the file is readable."""
        return True

    def seekable(self) -> bool:
        """Return whether the server supports ranges."""
        return bool(self._has_ranges)

    def tell(self) -> int:
        """Return the current position."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Change the position; the next request is sent on the next read."""
        if not self._has_ranges:
            raise io.UnsupportedOperation("the server sends this file as one stream")
        target = offset + (0, self._position, self._size)[whence]
        if target < 0:
            raise ValueError(f"negative seek position {target}")
        if target != self._position:
            self._drop()
            self._position = target
        return target

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        if self._response is None:
            if self._position >= self._size:
                return 0
            headers = {"Range": f"bytes={self._position}-"}
            if self._tag:
                headers["If-Range"] = self._tag
            if self._begin(headers).status_code != 206:
                raise ServiceUnavailableError("download", "the file has changed since", "open it again")
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
        """Close the response."""
        self._drop()
        super().close()

    def _begin(self, headers: dict[str, str] | None = None) -> httpx.Response:
        self._response = self._client.stream(self._path, {"Accept-Encoding": "identity", **(headers or {})})
        self._pieces = self._response.iter_raw(RECEIVE_CHUNK)
        return self._response

    def _drop(self) -> None:
        response = getattr(self, "_response", None)
        if response is not None:
            response.close()
        self._response, self._rest = None, b""
