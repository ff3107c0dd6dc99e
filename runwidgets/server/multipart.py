"""An upload on its way from the socket to the service, in chunks.

`Form` splits a ``multipart/form-data`` body into its parts while it arrives. `Pipe` is the file that the
service reads in a thread at the same time: the loop writes to it, the service reads from it, and the faster
side waits for the other. An upload of any size therefore needs a megabyte of memory, is stored on the disk
once, and can be refused by the service (no such group, no member, a bad name) before most of it is sent.

Notes
-----
**Source:** `multipart` parses forms as in RFC 7578 and the HTML standard ("Multipart form data"),
and limits the headers of a part. Tornado's own parser holds the whole body in memory.
"""

import asyncio
import io
import re
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from runwidgets.errors import InvalidArgumentError, ServiceUnavailableError, UnsupportedMediaTypeError

BUFFER_SIZE = 1024 * 1024
"""Bytes in a pipe before the sender has to wait."""
STALL_TIMEOUT = 60.0
"""Seconds without a byte after which an upload is aborted."""
BOUNDARY = re.compile(r"[ -~]{1,70}")
EXACT_NAME = re.compile(r";\s*(?:file)?name\*=utf-8'[^']*'([^;\s]*)", re.IGNORECASE)
"""A name in the encoding of RFC 2231, which keeps every character."""


@dataclass(frozen=True)
class Part:
    """The headers of a part."""

    name: str
    """Name of the form field."""
    filename: str | None
    """Name of the file; None for a plain field."""


class Form:
    """An incremental parser of ``multipart/form-data``.

    Parameters
    ----------
    content_type : str
        The content type of the request, with its boundary.

    Raises
    ------
    UnsupportedMediaTypeError
        The content type is not ``multipart/form-data``, or has no boundary.
    """

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not BOUNDARY.fullmatch(boundary):
            raise UnsupportedMediaTypeError(
                "Content-Type",
                f"{content_type!a:.80} is not accepted here",
                "send multipart/form-data with a boundary",
            )
        self._parser = PushMultipartParser(boundary)

    def feed(self, data: bytes) -> Iterator[Part | bytes]:
        """Parse the next bytes of the body.

        Parameters
        ----------
        data : bytes
            The bytes as received.

        Yields
        ------
        Part or bytes
            The headers of each part, followed by its content in chunks.

        Raises
        ------
        InvalidArgumentError
            The body is not a valid form.
        """
        if not data:
            return  # the parser would take it for the end
        try:
            for event in self._parser.parse(data):
                if isinstance(event, MultipartSegment):
                    yield Part(event.name or "", _file_name(event))
                elif event:
                    yield bytes(event)  # multipart 1 gives a bytearray
        except ParserLimitReached:
            raise InvalidArgumentError("body", "the headers of a part are too long") from None
        except MultipartError as error:
            raise InvalidArgumentError("body", f"it is not a form ({error})") from error

    def finish(self) -> bool:
        """Stop parsing, and return whether the form was complete."""
        try:
            self._parser.close()
        except MultipartError:
            return False
        return True


def _file_name(segment: MultipartSegment) -> str | None:
    """Return the file name of a part, the exact one if the sender gave it.

    In the plain ``filename`` a quote and a literal ``%22`` look the same, so older clients add
    ``filename*``; httpx cannot send that, so our client sends it as ``name*`` of the content type.
    """
    for header in ("Content-Disposition", "Content-Type"):
        exact = EXACT_NAME.search(segment.header(header, ""))
        if exact:
            return unquote(exact[1], errors="replace")
    plain: str | None = segment.filename
    return plain


class Pipe(io.RawIOBase):
    """A file that the loop writes and a thread reads.

    The reader reaches the end only after `end`; before that it waits, or raises the error of `fail`.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._change = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._is_ended = False
        self._failure: Exception | None = None
        self._has_capacity = asyncio.Event()
        self._has_capacity.set()

    async def put(self, piece: bytes) -> None:
        """Write a chunk; waits while the reader is slower. Called in the loop.

        Parameters
        ----------
        piece : bytes
            The next bytes.
        """
        with self._change:
            if self._failure is not None or self.closed:
                return
            self._pieces.append(piece)
            self._waiting += len(piece)
            if self._waiting >= BUFFER_SIZE:
                self._has_capacity.clear()
            self._change.notify()
        await self._has_capacity.wait()

    def end(self) -> None:
        """Mark the end of the file."""
        with self._change:
            self._is_ended = True
            self._change.notify()

    def fail(self, error: Exception) -> None:
        """Make the reader raise an error, unless it has reached the end. Called in the loop.

        Parameters
        ----------
        error : Exception
            The error to raise.
        """
        with self._change:
            if not self._is_ended:
                self._failure = self._failure or error
                self._pieces.clear()
                self._change.notify()
        self._has_capacity.set()

    def abandon(self) -> None:
        """Discard all further chunks, because the reader has stopped. Called in the loop."""
        self.fail(ServiceUnavailableError("upload", "the reader has stopped"))

    def readable(self) -> bool:
        """Return True: the pipe is readable."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for bytes and copy them. Called in the thread of the reader."""
        with self._change:
            ready = self._change.wait_for(
                lambda: self._pieces or self._is_ended or self._failure is not None, STALL_TIMEOUT
            )
            if self._failure is not None:
                raise self._failure
            if not ready:
                raise ServiceUnavailableError("upload", f"no data arrived for {STALL_TIMEOUT:.0f} seconds")
            if not self._pieces:
                return 0
            piece = self._pieces.popleft()
            size = min(len(piece), len(buffer))
            buffer[:size] = piece[:size]
            if size < len(piece):
                self._pieces.appendleft(piece[size:])
            self._waiting -= size
            has_capacity = self._waiting < BUFFER_SIZE // 2
        if has_capacity:
            self._loop.call_soon_threadsafe(self._has_capacity.set)
        return size
