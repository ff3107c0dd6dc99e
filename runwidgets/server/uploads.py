"""Uploads: a file is stored while it is received, and its size limit is enforced at the same time.

A file is sent as a form. A JSON body names a file on the server instead, which is copied.
"""

import asyncio
import functools
import json
from collections.abc import Awaitable
from typing import IO, cast

from jupyter_core.utils import ensure_async

from runwidgets.errors import (
    FileTooLargeError,
    InvalidArgumentError,
    RunWidgetsError,
    ServiceUnavailableError,
    UnauthorizedAccessError,
)
from runwidgets.server.arguments import read_body, read_path
from runwidgets.server.handler_context import Context
from runwidgets.server.handlers import RESOURCE, RestHandler
from runwidgets.server.multipart import Form, Part, Pipe
from runwidgets.service.routes.catalog import TAKE_FILE
from runwidgets.service.routes.route import Route

FRAMING = 64 * 1024
"""Bytes of a form in addition to the file in it."""


class UploadHandler(RestHandler):
    """Receives a file, and passes it to the service at the same time."""

    def initialize(self, context: Context) -> None:
        """Store the objects that the handlers share."""
        super().initialize(context)
        self._form: Form | None = None
        self._pipe: Pipe | None = None
        self._stored: asyncio.Future[str] | None = None
        self._is_in_file = False

    @property
    def _is_json(self) -> bool:
        kind = self.request.headers.get("Content-Type", "")
        return kind.split(";")[0].strip().lower() == "application/json"

    @property
    def limit(self) -> int:
        """Maximum size of the file together with the form around it, in bytes."""
        return super().limit if self._is_json else self.context.limits.upload + FRAMING

    def too_large(self, size: int) -> RunWidgetsError:
        """Return the error for a file that exceeds the limit."""
        if self._is_json:
            return super().too_large(size)
        limit = self.context.limits.upload
        return FileTooLargeError("file", f"{size:,} bytes are more than the limit of {limit:,}")

    async def prepare(self) -> None:  # type: ignore[override]  # as in Jupyter's own APIHandler
        """Reject requests without permission before the file is read."""
        await super().prepare()
        if self.request.method != "POST":
            return
        is_allowed = self.authorizer.is_authorized(self, self.current_user, "write", RESOURCE)
        if not await ensure_async(is_allowed):
            raise UnauthorizedAccessError("", "the server's Authorizer does not allow this")
        if self._is_json:
            return
        self._form = Form(self.request.headers.get("Content-Type", ""))
        (part,) = self.path_args
        self._arguments = read_path(TAKE_FILE, (part,))
        self._uploads = self.api.uploads

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass a chunk on to the service; waits while the service is slower than the sender."""
        return self._receive(chunk) if self._form is not None else super().data_received(chunk)

    async def _receive(self, chunk: bytes) -> None:
        if self._finished or self._form is None:
            return
        try:
            for piece in self._form.feed(chunk):
                await self._take(piece)
        except RunWidgetsError as error:
            self._give_up(error)
            return
        if self._stored is not None and self._stored.done() and self._pipe is not None:
            failure = self._stored.exception()
            if isinstance(failure, Exception):
                self.refuse(failure)

    async def _take(self, piece: Part | bytes) -> None:
        if isinstance(piece, bytes):
            if self._is_in_file and self._pipe is not None:
                self._size += len(piece)
                if self._size > self.context.limits.upload:
                    raise self.too_large(self._size)
                await self._pipe.put(piece)
            return
        self._is_in_file = piece.filename is not None
        if piece.filename is None:
            return
        if self._pipe is not None:
            raise InvalidArgumentError("body", "it has more than one file", "send one file per request")
        pipe = self._pipe = Pipe()
        self.context.pipes.add(pipe)
        store = functools.partial(
            self._uploads.upload_file, **self._arguments, file=cast("IO[bytes]", pipe), name=piece.filename
        )
        self._stored = self.context.in_upload_thread(lambda: json.dumps(store()))
        self._stored.add_done_callback(lambda _: pipe.abandon())
        self._stored.add_done_callback(lambda future: future.cancelled() or future.exception())

    def _give_up(self, error: Exception) -> None:
        if self._pipe is not None:
            self._pipe.fail(error)
        self.refuse(error)

    def on_connection_close(self) -> None:
        """Make the service discard the incomplete file of a client that disconnected."""
        super().on_connection_close()
        if self._pipe is not None:
            self._pipe.fail(ServiceUnavailableError("upload", "the sender disconnected"))

    async def store(self, route: Route) -> None:
        """Respond with the handle of the upload, after all of it has been received and stored."""
        if self._is_json:
            arguments = read_body(route, b"".join(self._content)) | read_path(route, tuple(self.path_args))
            take = functools.partial(route.call, self.api, **arguments)
            self._write_json(route.status, await self.context.in_upload_thread(lambda: json.dumps(take())))
            return
        if self._pipe is None or self._stored is None or self._form is None or not self._form.finish():
            problem = "it has no file" if self._pipe is None else "it ends in the middle of the file"
            error = InvalidArgumentError("body", problem, "send one file as multipart/form-data")
            if self._pipe is not None:
                self._pipe.fail(error)
            raise error
        self._pipe.end()
        self._write_json(route.status, await self._stored)
