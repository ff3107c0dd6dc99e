"""The socket pair over which a direct kernel and its runner exchange Jupyter messages.

A packet socket preserves message boundaries, so a process that dies in the middle of a message corrupts only
that message. A long message is sent in several packets; each begins with the id of the sending process,
because a notebook may fork and print in the child. Messages are not signed: no other process can reach the
pair.
"""

import logging
import os
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from typing import Any

SHELL, IOPUB = b"shell", b"iopub"
"""The first part of a message: its Jupyter channel."""

PACKET_SIZE = 96 * 1024
"""Bytes of one packet; the system's default socket buffer holds two."""
HEADER = struct.Struct("=IB")
COUNT = struct.Struct("=I")
FIRST, LAST = 1, 2

log = logging.getLogger(__name__)


def open_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new socket pair: the runner's and the kernel's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ours, theirs


class Sender:
    """Sends messages, from any thread, and from forks of this process.

    Parameters
    ----------
    end : socket.socket
        One end of the socket pair, blocking.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def send(self, parts: "Sequence[Any]") -> None:
        """Send a message; waits while the receiver is slower.

        Parameters
        ----------
        parts : sequence of bytes-like
            The parts of the message.

        Raises
        ------
        OSError
            The other end is closed.
        """
        contents = [memoryview(part).tobytes() for part in parts]
        sizes = map(len, contents)
        body = b"".join([struct.pack(f"={1 + len(contents)}I", len(contents), *sizes), *contents])
        if self._pid != os.getpid():  # a fork: another thread may have held the lock
            self._pid, self._lock = os.getpid(), threading.Lock()
        with self._lock:
            for start in range(0, len(body), PACKET_SIZE):
                flags = (FIRST if start == 0 else 0) | (LAST if start + PACKET_SIZE >= len(body) else 0)
                self._end.sendmsg([HEADER.pack(self._pid, flags), body[start : start + PACKET_SIZE]])


class Receiver:
    """Reassembles messages.

    Parameters
    ----------
    end : socket.socket
        One end of the socket pair.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._pieces: dict[int, list[bytes]] = {}
        self.is_closed = False

    def receive(self) -> Iterator[list[bytes]]:
        """Yield the complete messages that have arrived; sets `is_closed` when the other end is closed.

        Yields
        ------
        list of bytes
            The parts of a message.
        """
        while not self.is_closed:
            try:
                packet = self._end.recv(HEADER.size + PACKET_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:  # reported once, before the packets that arrived earlier
                continue
            if not packet:
                self.is_closed = True
                return
            try:
                message = self._add(packet)
            except (KeyError, struct.error):  # a notebook can write to any descriptor
                log.warning("runwidgets: a packet of a kernel cannot be read", exc_info=True)
            else:
                if message is not None:
                    yield message

    def _add(self, packet: bytes) -> list[bytes] | None:
        """Return the message that a packet completes, if it completes one."""
        pid, flags = HEADER.unpack_from(packet)
        if flags & FIRST:
            self._pieces[pid] = []
        self._pieces[pid].append(packet[HEADER.size :])
        return _split(b"".join(self._pieces.pop(pid))) if flags & LAST else None


def _split(body: bytes) -> list[bytes]:
    (count,) = COUNT.unpack_from(body)
    sizes = struct.unpack_from(f"={count}I", body, COUNT.size)
    offset = COUNT.size * (1 + count)
    parts = []
    for size in sizes:
        parts.append(body[offset : offset + size])
        offset += size
    return parts
