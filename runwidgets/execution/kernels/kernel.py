"""The kernel of a run, as its runner sees it: communication, end and exit status.

There are three kinds: spawned by its kernelspec's own launcher, over IPC or TCP sockets (any language);
forked, over IPC sockets; forked and direct, over a socket pair. They are distinguished here and nowhere else.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runwidgets.execution.kernels.terminals import TerminalProgram
from runwidgets.execution.processes import count_oom_kills, signal_name, watch_for_end
from runwidgets.schema import RunReason

KERNEL_SHUTDOWN_TIMEOUT = 5.0
"""Seconds within which a kernel must end after a shutdown request. **Source:** jupyter_client 8,
``KernelManager.shutdown_wait_time``."""
KERNEL_DRAIN_TIMEOUT = 10.0
"""Seconds within which the remaining messages of a dead kernel must be read."""


class KernelStartError(Exception):
    """A kernel did not start; the text says why."""


@dataclass(frozen=True, kw_only=True)
class KernelRequest:
    """Which kernel a run needs."""

    name: str
    """Name of the kernelspec."""
    cwd: Path
    """The working folder."""
    socket_folder: Path
    """Folder for its sockets, which does not exist yet."""
    transport: str
    """``config.transport``: whether a forked kernel may communicate without ZeroMQ."""
    log: Path
    """The file into which this process, and with it a spawned kernel, writes its output."""


class Kernel:
    """A kernel of a run; used from one event loop."""

    pid: int
    """Process id, a child of this process, once it is started."""
    client: Any
    """The part of a ``KernelClient`` that nbclient needs, once it is connected."""
    way: str
    """How the kernel was started: ``direct``, ``forked`` or ``spawned``."""
    folder: Path
    """Folder that only the user may enter, of a kernel that is spawned; removed at its end."""
    implementation = ""
    """What a spawned kernel that is ready calls itself."""
    programs: Sequence[TerminalProgram] = ()
    """The programs that a spawned kernel, once it is ready, drives through terminals."""
    start_again: "Callable[[], Kernel] | None" = None
    """Returns another kernel that may start although this one did not; called after the end of this one."""

    def __init__(self) -> None:
        self._code: int | None = None
        self._exit_fd = -1
        self._oom_kills = count_oom_kills()
        self._has_ended = asyncio.Event()
        self._is_ready = False

    async def connect(self, limit: float, spent: float = 0.0) -> Any:
        """Start the kernel and wait until it is ready.

        Parameters
        ----------
        limit : float
            Seconds that a kernel may take.
        spent : float, optional
            Seconds of them that another kernel has taken, in whose place this one is started.

        Returns
        -------
        KernelClient
            A client with the part that nbclient needs.

        Raises
        ------
        KernelStartError
            Its program cannot be executed, the kernel ended, or it did not reply in time.
        """
        ready, timeout = None, max(0.0, limit - spent)
        try:
            await asyncio.wait_for(self._start(), timeout)
            self._exit_fd = watch_for_end(self.pid)
            asyncio.get_running_loop().add_reader(self._exit_fd, self._on_end)
            ready, ended = (
                asyncio.create_task(self._wait_until_ready(timeout)),
                asyncio.create_task(self._has_ended.wait()),
            )
            done, _ = await asyncio.wait({ready, ended}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            ended.cancel()
        except asyncio.TimeoutError:
            done = set()
        if ready is None or ready not in done:
            raise KernelStartError(await self._describe_start(f"no reply within {limit:g} s"))
        ready.result()
        self._is_ready = True
        return self.client

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._has_ended.is_set()

    async def end(self) -> None:
        """Wait until the process has ended."""
        await self._has_ended.wait()

    async def wait(self) -> None:
        """Wait until the process has ended and another task has read all its output."""
        await self.end()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._drain(), KERNEL_DRAIN_TIMEOUT)

    async def wait_for_input(self) -> None:
        """Wait until a cell waits for input; a kernel that refuses all input never does."""
        await asyncio.Event().wait()

    async def shut_down(self) -> None:
        """Request the shutdown of the kernel, and ensure it; another task reads the last output."""
        if self._exit_fd >= 0 and not self._has_ended.is_set():
            if self._is_ready:
                self._request_shutdown()
            else:
                self._kill()
            try:
                await asyncio.wait_for(self._has_ended.wait(), KERNEL_SHUTDOWN_TIMEOUT)
            except asyncio.TimeoutError:
                self._kill()
                await self._has_ended.wait()
        if hasattr(self, "client"):
            await self.wait()
        await self._close()
        if self._exit_fd >= 0:
            os.close(self._exit_fd)
            self._exit_fd = -1

    @property
    def reason(self) -> RunReason:
        """The reason of a run whose kernel has ended: the kernel died, or was out of memory."""
        is_oom = self._code == -signal.SIGKILL and count_oom_kills() > self._oom_kills
        return RunReason.OUT_OF_MEMORY if is_oom else RunReason.KERNEL_DIED

    def exit_message(self) -> str:
        """Return a sentence about how the process ended."""
        if self._code is None:
            return "the kernel died"
        if self._code >= 0:
            return f"the kernel exited with code {self._code}"
        is_oom = self.reason is RunReason.OUT_OF_MEMORY
        return f"the kernel was killed by {signal_name(-self._code)}{': out of memory' if is_oom else ''}"

    async def _describe_start(self, silence: str) -> str:
        """Return why the kernel did not start: how it ended, or what is said of one that is alive."""
        return self.exit_message() if self.has_ended else silence

    def _kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._exit_fd)
        self._code = self._reap()
        self._has_ended.set()

    def _reap(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    async def _start(self) -> None:
        """Start the process, unless it is running already."""

    async def _wait_until_ready(self, timeout: float) -> None:
        """Wait for the first sign that the kernel accepts requests, at most for some seconds."""
        raise NotImplementedError

    async def _drain(self) -> None:
        """Read the remaining output of a kernel that has ended."""
        raise NotImplementedError

    def _request_shutdown(self) -> None:
        """Send the shutdown request."""
        raise NotImplementedError

    async def _close(self) -> None:
        """Close sockets and files."""
        raise NotImplementedError


Fork = Callable[[socket.socket, str], int]
"""Starts a process that becomes a kernel, and returns its process id. The arguments are the kernel's end of a
socket pair, whose other end is closed to end the kernel, and the path of a connection file."""
