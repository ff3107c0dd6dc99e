"""An upload, from the socket to the service, a piece at a time.

`Form` cuts a ``multipart/form-data`` body into its parts while it arrives. `Pipe` is the file that the
service reads meanwhile, in a thread: what the loop writes there the service reads, and whoever is
ahead waits. So an upload of any size needs a megabyte of memory, lies on the disk once, and is refused
by the service (no such group, no member, a bad name) before most of it was sent.

Notes
-----
**Source:** RFC 7578 and RFC 2046, section 5.1.1, for the form; the HTML standard, "Multipart form
data", for the escapes in file names. Tornado's own parser takes a whole body in memory.
"""

import asyncio
import io
import re
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import unquote

from runwidgets.errors import InvalidArgumentError, ServiceUnavailableError, UnsupportedMediaTypeError

HEADERS = 16 * 1024
"""Bytes of the headers of one part, at most."""
ROOM = 1024 * 1024
"""Bytes that wait in a pipe before the sender has to."""
STALL = 60.0
"""Seconds without a byte after which an upload is given up."""
BOUNDARY = re.compile(r"[ -~]{1,70}")


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
        message = Message()
        message["Content-Type"] = content_type.encode("ascii", "replace").decode()
        boundary = message.get_boundary("")
        if message.get_content_type() != "multipart/form-data" or not BOUNDARY.fullmatch(boundary or ""):
            raise UnsupportedMediaTypeError(
                "Content-Type",
                f"{content_type!a:.80} is not taken here",
                "send multipart/form-data with a boundary",
            )
        self._mark = b"\r\n--" + (boundary or "").encode()
        self._rest = b"\r\n"  # so that the first boundary looks like the others
        self._in_head = False
        self._in_body = False
        self.is_finished = False

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
        self._rest += data
        while not self.is_finished:
            if self._in_head:
                end = self._rest.find(b"\r\n\r\n")
                if end < 0 and len(self._rest) <= HEADERS:
                    return
                if not 0 <= end <= HEADERS:
                    raise InvalidArgumentError("body", "the headers of a part are too long")
                head, self._rest = self._rest[:end], self._rest[end + 4 :]
                self._in_head, self._in_body = False, True
                yield _part(head)
                continue
            at = self._rest.find(self._mark)
            if at < 0:
                keep = len(self._mark) - 1
                piece, self._rest = self._rest[:-keep], self._rest[-keep:]
                if piece and self._in_body:
                    yield piece
                return
            after = self._rest[at + len(self._mark) :]
            if len(after) < 2:
                if at and self._in_body:
                    yield self._rest[:at]
                self._rest = self._rest[at:]
                return
            if at and self._in_body:
                yield self._rest[:at]
            if after.startswith(b"--"):
                self.is_finished = True
            elif after.startswith(b"\r\n"):
                self._rest, self._in_head, self._in_body = after[2:], True, False
            else:
                raise InvalidArgumentError("body", "the boundary stands inside of a part")


def _part(head: bytes) -> Part:
    try:
        lines = [line.partition(":") for line in head.decode().split("\r\n")]
    except UnicodeDecodeError:
        raise InvalidArgumentError("body", "the headers of a part are not UTF-8") from None
    disposition = next((v for name, _, v in lines if name.strip().lower() == "content-disposition"), "")
    if not disposition.strip().lower().startswith("form-data"):
        raise InvalidArgumentError("body", "a part of the form says no Content-Disposition: form-data")
    extended = re.search(r";\s*filename\*=utf-8'[^']*'([^;\s]+)", disposition, re.IGNORECASE)
    quoted = re.search(r';\s*filename="((?:\\.|[^"\\])*)"', disposition)
    bare = re.search(r";\s*filename=([^;\s\"]+)", disposition)
    filename = None
    if extended:
        filename = unquote(extended[1], errors="replace")
    elif quoted:
        filename = re.sub(r'\\([\\"])', r"\1", quoted[1])
        for escape, meant in (("%22", '"'), ("%0D", "\r"), ("%0A", "\n")):
            filename = filename.replace(escape, meant)
    elif bare:
        filename = bare[1]
    name = re.search(r';\s*name="([^"]*)"', disposition)
    return Part(name[1] if name else "", filename)


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
