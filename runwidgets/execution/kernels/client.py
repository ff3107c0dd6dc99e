"""The client of an in-process kernel: the part of nbclient's interface that a runner uses."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from queue import Empty
from typing import Any

from jupyter_client.session import DELIM, Session
from nbclient.exceptions import DeadKernelError

from runwidgets.execution.kernels.kernel import Fork, Kernel
from runwidgets.execution.kernels.socket_channel import IOPUB, Receiver, Sender, open_pair

CLOSED_TIMEOUT = 2.0
"""Seconds within which a kernel must end after its end of the socket pair was closed."""


class InProcessChannel:
    """One Jupyter channel of an in-process kernel."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.send = send
        self.messages: asyncio.Queue[list[bytes]] = asyncio.Queue()

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message.

        Raises
        ------
        queue.Empty
            There was none within a timeout in seconds.
        ValueError, LookupError, TypeError, AttributeError
            The message is not one of Jupyter's.
        """
        try:
            return parse_message(await asyncio.wait_for(self.messages.get(), timeout))
        except asyncio.TimeoutError:
            raise Empty from None


def parse_message(parts: list[bytes]) -> dict[str, Any]:
    """Parse a message.

    The result is that of ``Session.deserialize``, except that dates in parent headers, which nobody reads,
    are not parsed.

    Parameters
    ----------
    parts : list of bytes
        Channel, identities, delimiter, signature, and the parts of the message.

    Returns
    -------
    dict
        The message.
    """
    start = parts.index(DELIM) + 2  # after the identities and the signature
    names = ("header", "parent_header", "metadata", "content")
    texts = [part.decode("utf-8", "replace") for part in parts[start : start + len(names)]]
    message: dict[str, Any] = dict(zip(names, map(json.loads, texts), strict=True))
    header = message["header"]
    message["msg_id"], message["msg_type"] = header["msg_id"], header["msg_type"]
    with suppress(ValueError):  # like jupyter_client, which leaves what is not a date as it is
        header["date"] = datetime.fromisoformat(header["date"].replace("Z", "+00:00"))
    message["buffers"] = [memoryview(part) for part in parts[start + len(names) :]]
    return message


class InProcessClient:
    """The part of a kernel client that nbclient uses, over a socket pair."""

    allow_stdin = False

    def __init__(self, sender: Sender, session: Session) -> None:
        self._sender = sender
        self.session = session
        self.shell_channel = InProcessChannel(self._send)
        self.iopub_channel = InProcessChannel(self._send)

    @property
    def is_read(self) -> bool:
        """Whether all received output has been requested."""
        return self.iopub_channel.messages.empty()

    def dispatch(self, parts: list[bytes]) -> None:
        """Put a message into the queue of its channel."""
        channel = self.iopub_channel if parts[:1] == [IOPUB] else self.shell_channel
        channel.messages.put_nowait(parts)

    def execute(
        self, code: str, *, silent: bool = False, store_history: bool = True, stop_on_error: bool = True
    ) -> str:
        """Request the execution of code, and return the id of the request."""
        content = {
            "code": code,
            "silent": silent,
            "store_history": store_history,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": stop_on_error,
        }
        return self._request("execute_request", content)

    def kernel_info(self) -> str:
        """Request the kernel's information, and return the id of the request."""
        return self._request("kernel_info_request", {})

    async def is_alive(self) -> bool:
        """Return True: the kernel's end is reported by `Kernel.wait`."""
        return True

    def _request(self, kind: str, content: dict[str, Any]) -> str:
        message = self.session.msg(kind, content)
        self._send(message)
        return str(message["header"]["msg_id"])

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._sender.send([*self.session.serialize(message), *message.get("buffers", ())])
        except (BrokenPipeError, ConnectionResetError) as error:
            raise DeadKernelError("Kernel died") from error


class InProcessKernel(Kernel):
    """A kernel in a forked child, over a socket pair.

    Parameters
    ----------
    fork : callable
        See `Fork`.
    session : Session
        The session with the kernel's key.
    connection_file : str
        The connection file whose path the kernel gets; it does not exist, because there are no sockets.
    """

    way = "direct"
    _is_unreachable = False

    def __init__(self, fork: Fork, session: Session, connection_file: str) -> None:
        super().__init__()
        ours, theirs = open_pair()
        self.pid = fork(theirs, connection_file)
        theirs.close()
        self._end = ours
        self._receiver = Receiver(ours)
        self.client = InProcessClient(Sender(ours), session)

    async def _wait_until_ready(self, timeout: float) -> None:
        asyncio.get_running_loop().add_reader(self._end.fileno(), self._read)
        await self.client.iopub_channel.get_msg()  # its first message has the state "starting"

    async def _drain(self) -> None:
        self._read()
        await asyncio.sleep(0)  # a task that waits for a reply gets it
        while not self.client.is_read:
            await asyncio.sleep(0)

    def _request_shutdown(self) -> None:
        self._end.shutdown(socket.SHUT_WR)

    async def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._end.fileno())
        self._end.close()

    def _read(self) -> None:
        for parts in self._receiver.receive():
            self.client.dispatch(parts)
        if self._receiver.is_closed:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._end.fileno())
            loop.call_later(CLOSED_TIMEOUT, self._end_unreachable)

    def _end_unreachable(self) -> None:
        """End a kernel that closed its end, as a notebook can do, and is still running."""
        if not self.has_ended:
            self._is_unreachable = True
            os.kill(self.pid, signal.SIGKILL)

    def exit_message(self) -> str:
        """Return a sentence about how the process ended.

        A process that was ending when it was killed has an exit code of its own.
        """
        was_killed = self._is_unreachable and self._code == -signal.SIGKILL
        return "the kernel closed its connection" if was_killed else super().exit_message()
