"""A run's kernel, as its runner sees it: how to talk to it, when it has ended, how it ended.

Three kinds: spawned by its kernelspec's own launcher, over IPC sockets (any language); forked, over IPC
sockets; forked and direct, over a socket pair. All are told apart here and nowhere else.
"""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session

from runwidgets.execution.channel import Receiver, Sender, open_pair
from runwidgets.execution.client import DirectClient
from runwidgets.execution.processes import count_oom_kills, die_with, signal_name

HISTORY = "--HistoryManager.hist_file=:memory:"
"""What papermill, through nbclient, gives to every IPython kernel."""

SHUTDOWN_WAIT = 5.0
"""Seconds in which a kernel that was asked to end must be gone. **Source:** jupyter_client 8,
``KernelManager.shutdown_wait_time``."""
STATUS_WAIT = 0.05
"""Seconds in which the first idle status follows the first reply, unless the subscription came too late."""
RECONNECT_PAUSE = 2
"""Milliseconds between two tries to connect to a kernel that has not bound its sockets yet."""

DRAIN_WAIT = 100
"""Milliseconds of silence after which nothing more comes from a kernel that has ended."""
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
        self._pidfd = -1
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
            self._pidfd = os.pidfd_open(self.pid)
            asyncio.get_running_loop().add_reader(self._pidfd, self._see_end)
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
        if self._pidfd >= 0 and not self._has_ended.is_set():
            self._ask()
            try:
                await asyncio.wait_for(self._has_ended.wait(), SHUTDOWN_WAIT)
            except asyncio.TimeoutError:
                os.kill(self.pid, signal.SIGKILL)
                await self._has_ended.wait()
        await self._close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def last_words(self) -> str:
        """Say how the process ended."""
        if self._code is None:
            return "the kernel died"
        if self._code >= 0:
            return f"the kernel exited with code {self._code}"
        name = signal_name(-self._code)
        is_oom = name == "SIGKILL" and count_oom_kills() > self._oom_kills
        return f"the kernel was killed by {name}{': out of memory' if is_oom else ''}"

    def _see_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
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


class DirectKernel(Kernel):
    """A kernel in a forked child, over a socket pair.

    Parameters
    ----------
    fork : callable
        See `Fork`.
    session : Session
        Has the kernel's key.
    connection_file : str
        What the kernel is told of a connection file; without sockets there is none.
    """

    way = "direct"

    def __init__(self, fork: Fork, session: Session, connection_file: str) -> None:
        super().__init__()
        ours, theirs = open_pair()
        self.pid = fork(theirs, connection_file)
        theirs.close()
        self._end = ours
        self._receiver = Receiver(ours)
        self.client = DirectClient(Sender(ours), session)

    async def _greet(self) -> None:
        asyncio.get_running_loop().add_reader(self._end.fileno(), self._read)
        await self.client.iopub_channel.get_msg()  # its first message says that it starts

    async def _drain(self) -> None:
        self._read()
        while not self.client.is_read:
            await asyncio.sleep(0)

    def _ask(self) -> None:
        self._end.shutdown(socket.SHUT_WR)

    async def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._end.fileno())
        self._end.close()

    def _read(self) -> None:
        for parts in self._receiver.receive():
            self.client.take(parts)
        if self._receiver.is_closed:
            asyncio.get_running_loop().remove_reader(self._end.fileno())


def private_folder(run_id: str) -> Path:
    """Return where the sockets of a run's kernel are; their paths must be short."""
    return Path(tempfile.gettempdir(), f"runwidgets-{run_id}")


def find_kernelspec(name: str) -> KernelSpec:
    """Return a kernelspec by its name.

    Parameters
    ----------
    name : str
        ``"python"`` is another word for the native kernel, as in
        ``jupyter_client.KernelManager.kernel_name``.

    Returns
    -------
    KernelSpec
        What is installed under the name.

    Raises
    ------
    NoSuchKernel
        Nothing is.
    """
    return KernelSpecManager().get_kernel_spec(NATIVE_KERNEL_NAME if name == "python" else name)


class ZmqKernel(Kernel):
    """A kernel behind IPC sockets: spawned by its kernelspec's launcher, or forked.

    Parameters
    ----------
    name : str
        The kernelspec.
    cwd : Path
        Its working folder.
    private : Path
        Folder for its sockets, which does not exist yet.
    fork : callable, optional
        See `Fork`; None to spawn what the kernelspec says.

    Raises
    ------
    NoSuchKernel
        It is not installed.
    """

    def __init__(self, name: str, cwd: Path, private: Path, fork: Fork | None = None) -> None:
        super().__init__()
        self.way = "spawned" if fork is None else "forked"
        self._name = name
        self._cwd = cwd
        self._private = private
        self._manager: AsyncKernelManager | None = None
        self._end: socket.socket | None = None
        if fork is None:
            find_kernelspec(name)  # raises before anything is made
        private.mkdir(mode=0o700)
        self._file = str(private / "kernel.json")
        if fork is not None:
            # What a manager would do, which looks for all kernelspecs and provisioners first.
            key = secrets.token_hex().encode()
            write_connection_file(
                self._file, transport="ipc", ip=str(private / "kernel"), key=key, kernel_name=name
            )
            self._end, theirs = open_pair()
            self.pid = fork(theirs, self._file)
            theirs.close()

    async def _start(self) -> None:
        self._context = context = zmq.asyncio.Context()
        context.set(zmq.IPV6, 0)
        context.setsockopt(zmq.RCVHWM, 0)
        context.setsockopt(zmq.RECONNECT_IVL, RECONNECT_PAUSE)
        if self._end is None:
            await self._spawn(context)
        self.client = AsyncKernelClient(connection_file=self._file, context=context)
        self.client.load_connection_file()
        self.client.start_channels(hb=False, stdin=False)
        self.client.allow_stdin = False

    async def _spawn(self, context: zmq.asyncio.Context) -> None:
        manager = self._manager = AsyncKernelManager(
            kernel_name=self._name, transport="ipc", connection_file=self._file, context=context
        )
        await manager.start_kernel(
            extra_arguments=[HISTORY] if manager.ipykernel else [],
            cwd=str(self._cwd),
            preexec_fn=partial(die_with, os.getpid()),
        )
        provisioner: Any = manager.provisioner
        self.pid, self._process = provisioner.pid, provisioner.process

    async def _greet(self) -> None:
        """Wait until the kernel answers, and for its first output: then no later one is missed.

        A kernel of today welcomes who listens. To others a request is repeated until its status comes.
        """
        heard = asyncio.ensure_future(self.client.iopub_channel.get_msg())
        try:
            while not heard.done():
                self.client.kernel_info()
                await self.client.shell_channel.get_msg()
                await asyncio.wait({heard}, timeout=STATUS_WAIT)
        finally:
            heard.cancel()

    async def _drain(self) -> None:
        """Wait until it is quiet for a moment: what a dead kernel sent may still be on its way."""
        while await self.client.iopub_channel.socket.poll(DRAIN_WAIT):
            await asyncio.sleep(0)

    def _ask(self) -> None:
        if self._end is None:
            self.client.shutdown()
        else:
            self._end.close()

    def _reap(self) -> int:
        return super()._reap() if self._end is not None else int(self._process.wait())

    async def _close(self) -> None:
        if self._manager is not None:
            await self._manager.cleanup_resources()
        if hasattr(self, "client"):
            self.client.stop_channels()
        self._context.destroy(linger=0)
        shutil.rmtree(self._private, ignore_errors=True)
