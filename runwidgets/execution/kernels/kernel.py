"""A run's kernel, as its runner sees it: how to talk to it, when it has ended, how it ended.

Three kinds: spawned by its kernelspec's own launcher, over IPC sockets (any language); forked, over IPC
sockets; forked and direct, over a socket pair. All are told apart here and nowhere else.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from runwidgets.execution.processes import count_oom_kills, signal_name, watch_for_end
from runwidgets.schema import RunReason

SHUTDOWN_WAIT = 5.0
"""Seconds in which a kernel that was asked to end must be gone. **Source:** jupyter_client 8,
``KernelManager.shutdown_wait_time``."""
DRAIN_LIMIT = 10.0
"""Seconds in which what a dead kernel said must be read."""


class Kernel:
    """A kernel of a run; used from one event loop."""

    pid: int
    """Its process, a child of this one, once it is started."""
    client: Any
    """What nbclient needs of a ``KernelClient``, once it is connected."""
    way: str
    """How it came to be: ``direct``, ``forked`` or ``spawned``."""

    def __init__(self) -> None:
        self._code: int | None = None
        self._exit_fd = -1
        self._oom_kills = count_oom_kills()
        self._has_ended = asyncio.Event()

    async def connect(self, timeout: float) -> Any:
        """Start the kernel and wait until it answers.

        Parameters
        ----------
        timeout : float
            Seconds.

        Returns
        -------
        KernelClient
            What nbclient needs of one.

        Raises
        ------
        RuntimeError
            It ended, or did not answer in time.
        """
        ready = None
        try:
            await asyncio.wait_for(self._start(), timeout)
            self._exit_fd = watch_for_end(self.pid)
            asyncio.get_running_loop().add_reader(self._exit_fd, self._see_end)
            ready, ended = asyncio.create_task(self._greet()), asyncio.create_task(self._has_ended.wait())
            done, _ = await asyncio.wait({ready, ended}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            ended.cancel()
        except asyncio.TimeoutError:
            done = set()
        if ready is None or ready not in done:
            raise RuntimeError(self.last_words() if done else f"no answer within {timeout:g} s")
        ready.result()
        return self.client

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._has_ended.is_set()

    async def end(self) -> None:
        """Wait until the process has ended."""
        await self._has_ended.wait()

    async def wait(self) -> None:
        """Wait until the process has ended and somebody else has read all that it said."""
        await self.end()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._drain(), DRAIN_LIMIT)

    async def shut_down(self) -> None:
        """Ask the kernel to end, and see that it does."""
        if self._exit_fd >= 0 and not self._has_ended.is_set():
            self._ask()
            try:
                await asyncio.wait_for(self._has_ended.wait(), SHUTDOWN_WAIT)
            except asyncio.TimeoutError:
                os.kill(self.pid, signal.SIGKILL)
                await self._has_ended.wait()
        await self._close()
        if self._exit_fd >= 0:
            os.close(self._exit_fd)
            self._exit_fd = -1

    @property
    def reason(self) -> RunReason:
        """Why a run ends whose kernel has ended: the kernel died, or there was no memory for it."""
        is_oom = self._code == -signal.SIGKILL and count_oom_kills() > self._oom_kills
        return RunReason.OUT_OF_MEMORY if is_oom else RunReason.KERNEL_DIED

    def last_words(self) -> str:
        """Say how the process ended."""
        if self._code is None:
            return "the kernel died"
        if self._code >= 0:
            return f"the kernel exited with code {self._code}"
        is_oom = self.reason is RunReason.OUT_OF_MEMORY
        return f"the kernel was killed by {signal_name(-self._code)}{': out of memory' if is_oom else ''}"

    def _see_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._exit_fd)
        self._code = self._reap()
        self._has_ended.set()

    def _reap(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    async def _start(self) -> None:
        """Start the process, where that has not been done."""

    async def _greet(self) -> None:
        """Wait for the first sign that the kernel takes requests."""
        raise NotImplementedError

    async def _drain(self) -> None:
        """Take what is still to be read of a kernel that has ended."""
        raise NotImplementedError

    def _ask(self) -> None:
        """Ask for the end."""
        raise NotImplementedError

    async def _close(self) -> None:
        """Let go of sockets and files."""
        raise NotImplementedError


Fork = Callable[[socket.socket, str], int]
"""Starts a process that becomes a kernel, and returns its number. It is given its end of a channel, which
is closed at the other side when the kernel is to end, and a connection file's path."""
