"""REST: one generic handler for the whole route table.

Handlers hold no logic. They parse a request (`arguments`), call the service in a thread, and write
its result. Errors become responses in one method, `RestHandler.write_error`. The body of a request is
received as a stream, so that its limit is enforced before the body is held in memory.
"""

import json
from collections.abc import Awaitable, Sequence
from http.client import responses
from types import TracebackType
from typing import Any

from jupyter_server.auth import IdentityProvider
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from runwidgets.errors import (
    ConstraintViolationError,
    MethodNotAllowedError,
    QueueFullError,
    RequestTooLargeError,
    RunWidgetsError,
    ServiceUnavailableError,
    UnauthenticatedAccessError,
    UnauthorizedAccessError,
    UnknownObjectError,
    UnsupportedMediaTypeError,
)
from runwidgets.schema import ServiceDescriptor
from runwidgets.server.arguments import check_content_type, read_body, read_path, read_query
from runwidgets.server.downloads import UnsatisfiedRangeError, open_download, send_download
from runwidgets.server.handler_context import Context
from runwidgets.server.identity import translate_token
from runwidgets.service.contracts.api import Api
from runwidgets.service.routes.route import Route
from runwidgets.service.routes.routes import DESCRIBE_SERVICE, ROUTES, not_allowed

BASE = "runwidgets/api/"
"""Path of the routes, below the server's base URL."""
RESOURCE = "runwidgets"
"""The resource that Jupyter's Authorizer is asked about."""
RETRY_AFTER = {QueueFullError: 5, ServiceUnavailableError: 1}
"""Seconds after which the client should try again."""
HTTP_ERRORS: dict[int, type[RunWidgetsError]] = {
    401: UnauthenticatedAccessError,
    403: UnauthorizedAccessError,
    404: UnknownObjectError,
    413: RequestTooLargeError,
    415: UnsupportedMediaTypeError,
    503: ServiceUnavailableError,
}
"""Error classes for errors of Jupyter and Tornado; any other below 500 is a `ConstraintViolationError`."""


def unauthenticated() -> UnauthenticatedAccessError:
    """Return the error for a request without a token and without a cookie."""
    return UnauthenticatedAccessError(
        "", "the request is not authenticated", "send a token or log in to the server"
    )


class RestHandler(APIHandler):
    """Serve one pattern of the route table."""

    context: Context
    routes: Sequence[Route] = ()
    """The routes of the pattern."""

    def initialize(self, context: Context) -> None:
        """Store the objects that the handlers share: the services, the limits and the threads."""
        self.context = context
        self._is_kernel = False
        self._content: list[bytes] = []
        self._size = 0

    @property
    def identity_provider(self) -> IdentityProvider:
        """The provider that authenticates the request: the server's, or ours for the token of kernels."""
        return self.context.kernel_identity if self._is_kernel else super().identity_provider

    @property
    def api(self) -> Api:
        """The services of the user; raises `ServiceUnavailableError` while the instance is not open."""
        return self.context.api(self.current_user)

    @property
    def limit(self) -> int:
        """Maximum size of the body of this request in bytes."""
        return self.context.limits.json_body

    async def prepare(self) -> None:  # type: ignore[override]  # as in Jupyter's own APIHandler
        """Authenticate the request, and reject it before the body is read where possible."""
        translate_token(self.request.headers)
        self._is_kernel = self.context.kernel_identity.is_authenticated(self.request.headers)
        await super().prepare()
        if self.request.method == "OPTIONS":
            return
        if self.current_user is None:
            raise unauthenticated()
        # Bodies over the limit are rejected below; Tornado's own limit would respond without a message.
        self.request.connection.set_max_body_size(2**62)  # type: ignore[union-attr]
        length = self.request.headers.get("Content-Length", "0")
        if length.isdigit() and int(length) > self.limit:
            raise self.too_large(int(length))

    def too_large(self, size: int) -> RunWidgetsError:
        """Return the error for a body that exceeds the limit.

        Parameters
        ----------
        size : int
            Bytes that were announced, or received so far.
        """
        return RequestTooLargeError("body", f"{size:,} bytes are more than the limit of {self.limit:,}")

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Store a chunk of the body, up to the limit."""
        self._size += len(chunk)
        if self._size > self.limit:
            self._content.clear()
            self.refuse(self.too_large(self._size))
        elif not self._finished:
            self._content.append(chunk)
        return None

    def refuse(self, error: Exception) -> None:
        """Respond with an error before the body has arrived, and close the connection."""
        if not self._finished:
            self.log_exception(type(error), error, None)
            self.send_error(500, exc_info=(type(error), error, None))

    def check_xsrf_cookie(self) -> None:
        """Check as Jupyter does, or as JupyterHub does, which replaces the check of Jupyter's handlers.

        The token of kernels comes in a header, which no page of another site can send. Requests without
        authentication are left to the authentication error.
        """
        if not self._is_kernel and getattr(self, "_jupyter_current_user", None) is not None:
            super().check_xsrf_cookie()

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """Reject pages of other sites, with a message instead of Jupyter's 404."""
        if not super().check_origin(origin_to_satisfy_tornado):
            raise UnauthorizedAccessError("Origin", "requests from pages of other sites are not allowed")
        return True

    def get_login_url(self) -> str:
        """Raise the authentication error instead of redirecting an API client to a login page."""
        raise unauthenticated()

    async def serve(self, route: Route, parts: tuple[str, ...]) -> None:
        """Serve a request whose route and user are known.

        Parameters
        ----------
        route : Route
            The route.
        parts : tuple of str
            The parts of the path that match the ``{name}`` parts of the pattern.
        """
        if route == DESCRIBE_SERVICE:
            self.xsrf_token  # noqa: B018  # sets the cookie, which a page of Voilà does not have yet
            self._write_json(200, json.dumps(self._descriptor()))
            return
        path_arguments = read_path(route, parts)
        if route.response == "file":
            download = await self.context.in_thread(open_download, self.api, route, path_arguments)
            await send_download(self, download, self.context.in_thread)
            return
        arguments = read_query(route, self.request.query_arguments) | path_arguments
        if route.body:
            content = b"".join(self._content)
            if content.strip():
                check_content_type(self.request.headers.get("Content-Type", ""))
            arguments |= await self.context.in_thread(read_body, route, content)
        api = self.api
        text = await self.context.in_thread(lambda: json.dumps(route.call(api, **arguments), allow_nan=False))
        self._write_json(route.status, "" if route.response == "nothing" else text)

    def _write_json(self, status: int, text: str) -> None:
        self.set_status(status)
        self.finish(text) if text else self.finish()

    def _descriptor(self) -> ServiceDescriptor:
        api = self.api  # a client that reads the descriptor may rely on the other routes
        url = f"{self.request.protocol}://{self.request.host}{self.base_url}{BASE}"
        user = self.context.user_of(self.current_user)
        descriptor: ServiceDescriptor = {
            "name": "runwidgets",
            "store": api.store(),
            "version": self.context.release,
            "url": url,
            "limits": {"upload": self.context.limits.upload},
            "routes": [route.descriptor for route in ROUTES],
        }
        if user is not None:
            descriptor["username"] = user
        return descriptor

    # -- errors ------------------------------------------------------------------------------------

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Convert any exception into ``{"message", "error", "subject"?, "problem"?, "point"?}``.

        This is the only place where errors become HTTP. An exception that is neither an error of runwidgets
        nor one that Jupyter or Tornado meant for the client becomes a 500 without details.
        """
        exception = (kwargs.get("exc_info") or (None, None))[1]
        error, status = self._classify(exception, status_code)
        self.set_status(status)
        if hasattr(self, "_jupyter_current_user"):
            self.set_cors_headers()
        body_read = getattr(self.request, "_body_future", None)
        if body_read is not None and not body_read.done():
            # Tornado closes a connection whose body was not read, without announcing it.
            self.set_header("Connection", "close")
        if isinstance(exception, UnsatisfiedRangeError):
            self.set_header("Content-Range", f"bytes */{exception.size}")
        if status == 401:
            self.set_header("WWW-Authenticate", "token")
        if isinstance(error, MethodNotAllowedError):
            self.set_header("Allow", ", ".join(error.allowed))
        for kind, seconds in RETRY_AFTER.items():
            if isinstance(error, kind):
                self.set_header("Retry-After", str(getattr(error, "retry_after", None) or seconds))
        self.finish(json.dumps(error.to_json()))

    def _classify(self, exception: BaseException | None, status: int) -> tuple[RunWidgetsError, int]:
        if isinstance(exception, RunWidgetsError):
            return exception, exception.status
        if status >= 500 and status != 503:
            return RunWidgetsError("", "the server failed; its log says why"), status
        if status == 403 and getattr(self, "_jupyter_current_user", self) is None:
            status = 401
        if status == 401:
            return unauthenticated(), status
        if status == 405:
            return not_allowed(self.request.method or "", self.routes), status
        message = responses.get(status, "refused")
        if isinstance(exception, web.HTTPError) and exception.log_message:
            args = exception.args
            message = exception.log_message % args if args else exception.log_message
        return HTTP_ERRORS.get(status, ConstraintViolationError)("", message), status

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log an error of the client in one line, and an internal error with its traceback."""
        request = f"{self.request.method} {self.request.path!a}"
        if isinstance(value, StreamClosedError):
            self.log.debug("%s: the client disconnected", request)
        elif isinstance(value, (RunWidgetsError, web.HTTPError)):
            status = value.status if isinstance(value, RunWidgetsError) else value.status_code
            self.log.log(30 if status >= 500 else 20, "%s: %d %a", request, status, str(value))
        else:
            self.log.error("%s failed", request, exc_info=value)

    def update_api_activity(self) -> None:
        """Record the activity, even if the query is malformed."""
        try:
            super().update_api_activity()
        except web.HTTPError:
            self.log.debug("The query is not UTF-8.")
