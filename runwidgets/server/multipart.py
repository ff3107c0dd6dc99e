"""An upload, from the socket to the service, a piece at a time.

`Form` cuts a ``multipart/form-data`` body into its parts while it arrives. `Pipe` is the file that the
service reads meanwhile, in a thread: what the loop writes there the service reads, and whoever is
ahead waits. So an upload of any size needs a megabyte of memory, lies on the disk once, and is refused
by the service (no such group, no member, a bad name) before most of it was sent.

Notes
-----
**Source:** `multipart` reads forms as RFC 7578 and the HTML standard have them ("Multipart form data"),
and bounds the headers of a part. Tornado's own parser takes a whole body in memory.
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

ROOM = 1024 * 1024
"""Bytes that wait in a pipe before the sender has to."""
STALL = 60.0
"""Seconds without a byte after which an upload is given up."""
BOUNDARY = re.compile(r"[ -~]{1,70}")
EXACT_NAME = re.compile(r";\s*(?:file)?name\*=utf-8'[^']*'([^;\s]*)", re.IGNORECASE)
"""A name in the encoding of RFC 2231, which keeps every character."""


@dataclass(frozen=True)
class Part:
    """The head of a part."""

    name: str
    """Name of the form's field."""
    filename: str | None
    """Name of the file; None for a plain field."""


class Form:
    """A parser of ``multipart/form-data`` that is fed.

    Parameters
    ----------
    content_type : str
        The request's content type, with its boundary.

    Raises
    ------
    UnsupportedMediaTypeError
        It is not ``multipart/form-data``, or has no boundary.
    """

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not BOUNDARY.fullmatch(boundary):
            raise UnsupportedMediaTypeError(
                "Content-Type",
                f"{content_type!a:.80} is not taken here",
                "send multipart/form-data with a boundary",
            )
        self._parser = PushMultipartParser(boundary)

    def feed(self, data: bytes) -> Iterator[Part | bytes]:
        """Take the next bytes of the body.

        Parameters
        ----------
        data : bytes
            As they come.

        Yields
        ------
        Part or bytes
            The head of each part, followed by its content in pieces.

        Raises
        ------
        InvalidArgumentError
            This is no form.
        """
        if not data:
            return  # to the parser that would be the end
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
        """Take no more, and return whether the form has come to its end."""
        try:
            self._parser.close()
        except MultipartError:
            return False
        return True


def _file_name(segment: MultipartSegment) -> str | None:
    """Return the name of a part's file, the exact one where its sender gave it.

    In the plain ``filename`` a quote and a literal ``%22`` look the same, so older clients add
    ``filename*``; httpx, which has no place for that, sends ours as ``name*`` of the content type.
    """
    for header in ("Content-Disposition", "Content-Type"):
        exact = EXACT_NAME.search(segment.header(header, ""))
        if exact:
            return unquote(exact[1], errors="replace")
    plain: str | None = segment.filename
    return plain


class Pipe(io.RawIOBase):
    """A file that the loop writes and a thread reads.

    The reader sees the end only after `end`; before that it waits, and gets the error of `fail`.
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
        """Give the reader more; waits while it is behind. Called in the loop.

        Parameters
        ----------
        piece : bytes
            What comes next.
        """
        with self._change:
            if self._failure is not None or self.closed:
                return
            self._pieces.append(piece)
            self._waiting += len(piece)
            if self._waiting >= ROOM:
                self._has_capacity.clear()
            self._change.notify()
        await self._has_capacity.wait()

    def end(self) -> None:
        """Say that everything was written."""
        with self._change:
            self._is_ended = True
            self._change.notify()

    def fail(self, error: Exception) -> None:
        """Let the reader fail, unless it was told the end already. Called in the loop.

        Parameters
        ----------
        error : Exception
            What it will raise.
        """
        with self._change:
            if not self._is_ended:
                self._failure = self._failure or error
                self._pieces.clear()
                self._change.notify()
        self._has_capacity.set()

    def abandon(self) -> None:
        """Throw away what still comes: the reader is gone. Called in the loop."""
        self.fail(ServiceUnavailableError("upload", "nobody reads it any more"))

    def readable(self) -> bool:
        """Say that this is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for bytes and copy them. Called in the reader's thread."""
        with self._change:
            ready = self._change.wait_for(
                lambda: self._pieces or self._is_ended or self._failure is not None, STALL
            )
            if self._failure is not None:
                raise self._failure
            if not ready:
                raise ServiceUnavailableError("upload", f"nothing came for {STALL:.0f} seconds")
            if not self._pieces:
                return 0
            piece = self._pieces.popleft()
            size = min(len(piece), len(buffer))
            buffer[:size] = piece[:size]
            if size < len(piece):
                self._pieces.appendleft(piece[size:])
            self._waiting -= size
            has_capacity = self._waiting < ROOM // 2
        if has_capacity:
            self._loop.call_soon_threadsafe(self._has_capacity.set)
        return size
