"""What nbclient asks of a kernel's client, answered over a direct kernel's channel."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from queue import Empty
from typing import Any

from jupyter_client.session import DELIM, Session
from nbclient.exceptions import DeadKernelError

from runwidgets.execution.channel import IOPUB, Sender


class DirectChannel:
    """One Jupyter channel of a direct kernel."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.send = send
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message, or raise `queue.Empty` after some seconds."""
        if timeout is None:
            return await self.messages.get()
        try:
            return await asyncio.wait_for(self.messages.get(), timeout)
        except asyncio.TimeoutError:
            raise Empty from None


class DirectClient:
    """What nbclient asks of a kernel's client, over a channel of ours."""

    allow_stdin = False

    def __init__(self, sender: Sender, session: Session) -> None:
        self._sender = sender
        self.session = session
        self.shell_channel = DirectChannel(self._send)
        self.iopub_channel = DirectChannel(self._send)

    @property
    def is_read(self) -> bool:
        """Whether every message that came has been asked for."""
        return self.shell_channel.messages.empty() and self.iopub_channel.messages.empty()

    def take(self, parts: list[bytes]) -> None:
        """Put a message into its channel's queue.

        As ``Session.deserialize`` gives it, apart from the dates of parents, for which nobody asks.
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
        """Ask the kernel to execute code; return the request's id."""
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
        """Ask what the kernel is; return the request's id."""
        return self._request("kernel_info_request", {})

    async def is_alive(self) -> bool:
        """Say yes: the kernel's end is told by `Kernel.wait`."""
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
