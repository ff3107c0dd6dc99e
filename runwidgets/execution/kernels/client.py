"""The client of an in-process kernel: the part of nbclient's interface that a runner uses."""

import asyncio
import json
import socket
from collections.abc import Callable
from datetime import datetime
from queue import Empty
from typing import Any

from jupyter_client.session import DELIM, Session
from nbclient.exceptions import DeadKernelError

from runwidgets.execution.kernels.kernel import Fork, Kernel
from runwidgets.execution.kernels.socket_channel import IOPUB, Receiver, Sender, open_pair


class InProcessChannel:
    """One Jupyter channel of an in-process kernel."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.send = send
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message, or raise `queue.Empty` after a timeout in seconds."""
        if timeout is None:
            return await self.messages.get()
        try:
            return await asyncio.wait_for(self.messages.get(), timeout)
        except asyncio.TimeoutError:
            raise Empty from None


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
        """Put a message into the queue of its channel.

        The result is that of ``Session.deserialize``, except that dates in parent headers, which nobody
        reads, are not parsed.
        """
        channel = self.iopub_channel if parts[0] == IOPUB else self.shell_channel
        start = parts.index(DELIM) + 2  # after the identities and the signature
        names = ("header", "parent_header", "metadata", "content")
        texts = [part.decode("utf-8", "replace") for part in parts[start : start + len(names)]]
        message: dict[str, Any] = dict(zip(names, map(json.loads, texts), strict=True))
        header = message["header"]
        header["date"] = datetime.fromisoformat(header["date"].replace("Z", "+00:00"))
        message["msg_id"], message["msg_type"] = header["msg_id"], header["msg_type"]
        message["buffers"] = [memoryview(part) for part in parts[start + len(names) :]]
        channel.messages.put_nowait(message)

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

    def __init__(self, fork: Fork, session: Session, connection_file: str) -> None:
        super().__init__()
        ours, theirs = open_pair()
        self.pid = fork(theirs, connection_file)
        theirs.close()
        self._end = ours
        self._receiver = Receiver(ours)
        self.client = InProcessClient(Sender(ours), session)

    async def _wait_until_ready(self) -> None:
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
            asyncio.get_running_loop().remove_reader(self._end.fileno())
