"""Archives that are created while they are read: nothing is written to disk, and memory use is constant."""

import io
import os
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

CHUNK = 1 << 20
"""Bytes that are read or written at once."""


MAX_OPEN_FILES = 256
"""Files that are opened at the start, so that a deletion does not affect them; the others are opened when
they are needed, because a process may open only a limited number of files."""


def open_archive(
    members: list[tuple[str, Callable[[], IO[bytes]]]], max_open: int | None = None
) -> IO[bytes]:
    """Return a ``.tar.gz`` as a stream.

    Parameters
    ----------
    members : list of (str, callable)
        Name in the archive, and a function that opens the file; all files are closed at the end.
    max_open : int, optional
        Maximum number of files that are opened at the start; None for `MAX_OPEN_FILES`.

    Returns
    -------
    IO
        A readable binary stream.
    """
    opened = [opener() for _, opener in members[: MAX_OPEN_FILES if max_open is None else max_open]]
    return io.BufferedReader(_Stream(_archive(members, opened)), CHUNK)


class _Stream(io.RawIOBase):
    """A generator of bytes as a readable file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def close(self) -> None:
        if isinstance(self._pieces, Iterator) and hasattr(self._pieces, "close"):
            self._pieces.close()
        super().close()


def _size_and_time(stream: IO[bytes]) -> tuple[int, int]:
    """Return the size and the modification time of a file, if they are known."""
    try:
        status = os.fstat(stream.fileno())
    except io.UnsupportedOperation:  # an object, which is not a local file
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        return size, int(time.time())
    return status.st_size, int(status.st_mtime)


def _archive(members: list[tuple[str, Callable[[], IO[bytes]]]], opened: list[IO[bytes]]) -> Iterator[bytes]:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    try:
        for number, (name, opener) in enumerate(members):
            if number >= len(opened):
                opened.append(opener())
            stream = opened[number]
            info = tarfile.TarInfo(name)
            (info.size, info.mtime), info.mode = _size_and_time(stream), 0o644
            yield packer.compress(info.tobuf(tarfile.PAX_FORMAT))
            while chunk := stream.read(CHUNK):
                yield packer.compress(chunk)
            stream.close()
            yield packer.compress(b"\0" * (-info.size % tarfile.BLOCKSIZE))
        yield packer.compress(b"\0" * tarfile.BLOCKSIZE * 2) + packer.flush()
    finally:
        for stream in opened:
            stream.close()
