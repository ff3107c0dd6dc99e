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


def open_archive(members: list[tuple[str, Callable[[], IO[bytes]]]], most: int | None = None) -> IO[bytes]:
    """Return a ``.tar.gz`` as a stream.

    Parameters
    ----------
    members : list of (str, callable)
        Name in the archive, and a function that opens the file; all files are closed at the end.
    most : int, optional
        Files that are opened at the start; None for `MAX_OPEN_FILES`.

    Returns
    -------
    IO
        A readable binary stream.
    """
    held = [opener() for _, opener in members[: MAX_OPEN_FILES if most is None else most]]
    return io.BufferedReader(_Stream(_archive(members, held)), CHUNK)


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


def _about(stream: IO[bytes]) -> tuple[int, int]:
    """Return the size and the modification time of a file, if they are known."""
    try:
        about = os.fstat(stream.fileno())
    except io.UnsupportedOperation:  # an object, which is not a local file
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        return size, int(time.time())
    return about.st_size, int(about.st_mtime)


def _archive(members: list[tuple[str, Callable[[], IO[bytes]]]], held: list[IO[bytes]]) -> Iterator[bytes]:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    try:
        for number, (name, opener) in enumerate(members):
            if number >= len(held):
                held.append(opener())
            stream = held[number]
            info = tarfile.TarInfo(name)
            (info.size, info.mtime), info.mode = _about(stream), 0o644
            yield packer.compress(info.tobuf(tarfile.PAX_FORMAT))
            while chunk := stream.read(CHUNK):
                yield packer.compress(chunk)
            stream.close()
            yield packer.compress(b"\0" * (-info.size % tarfile.BLOCKSIZE))
        yield packer.compress(b"\0" * tarfile.BLOCKSIZE * 2) + packer.flush()
    finally:
        for stream in held:
            stream.close()
