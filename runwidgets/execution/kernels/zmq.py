"""A kernel behind IPC sockets: spawned by its kernelspec's launcher, or forked."""

import asyncio
import os
import secrets
import shutil
import socket
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from runwidgets.execution.kernels.kernel import Fork, Kernel
from runwidgets.execution.kernels.socket_channel import open_pair
from runwidgets.execution.processes import die_with

HISTORY_OPTION = "--HistoryManager.hist_file=:memory:"
"""The option that papermill, through nbclient, passes to every IPython kernel."""
STATUS_WAIT = 0.05
"""Seconds within which the idle status follows the first reply, unless the subscription was too late."""
RECONNECT_PAUSE = 2
"""Milliseconds between two attempts to connect to a kernel that has not bound its sockets yet."""
SOCKET_NAME = "kernel-ipc-5"
"""The longest name that jupyter_client gives to a socket beside ``kernel.json``."""
DRAIN_WAIT = 0.1
"""Seconds of silence after which a dead kernel's output counts as read, if a child holds its sockets open."""


def find_socket_folder(run_id: str) -> Path:
    """Return the folder for the sockets of a run's kernel.

    Socket paths must be short: if the folder for temporary files has a long path, as on macOS, the sockets
    are in ``/tmp``.
    """
    folder = Path(tempfile.gettempdir(), f"runwidgets-{run_id}")
    is_short = len(os.fsencode(folder / SOCKET_NAME)) <= zmq.IPC_PATH_MAX_LEN
    return folder if is_short else Path("/tmp", folder.name)


def find_kernelspec(name: str) -> KernelSpec:
    """Return the kernelspec with a name.

    Parameters
    ----------
    name : str
        ``"python"`` is an alias of the native kernel, as in
        ``jupyter_client.KernelManager.kernel_name``.

    Returns
    -------
    KernelSpec
        The installed kernelspec.

    Raises
    ------
    NoSuchKernel
        There is none.
    """
    return KernelSpecManager().get_kernel_spec(NATIVE_KERNEL_NAME if name == "python" else name)


class ZmqKernel(Kernel):
    """A kernel behind IPC sockets: spawned by its kernelspec's launcher, or forked.

    Parameters
    ----------
    name : str
        Name of the kernelspec.
    cwd : Path
        The working folder.
    socket_folder : Path
        Folder for its sockets, which does not exist yet.
    fork : callable, optional
        See `Fork`; None to spawn the kernelspec's command.

    Raises
    ------
    NoSuchKernel
        The kernelspec is not installed.
    """

    def __init__(self, name: str, cwd: Path, socket_folder: Path, fork: Fork | None = None) -> None:
        super().__init__()
        self.way = "spawned" if fork is None else "forked"
        self._name = name
        self._cwd = cwd
        self._socket_folder = socket_folder
        self._manager: AsyncKernelManager | None = None
        self._end: socket.socket | None = None
        if fork is None:
            find_kernelspec(name)  # raises before anything is created
        socket_folder.mkdir(mode=0o700)
        self._file = str(socket_folder / "kernel.json")
        if fork is not None:
            # As a kernel manager does, which would search all kernelspecs and provisioners first.
            key = secrets.token_hex().encode()
            write_connection_file(
                self._file, transport="ipc", ip=str(socket_folder / "kernel"), key=key, kernel_name=name
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
        self._closings = self.client.iopub_channel.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)

    async def _spawn(self, context: zmq.asyncio.Context) -> None:
        manager = self._manager = AsyncKernelManager(
            kernel_name=self._name, transport="ipc", connection_file=self._file, context=context
        )
        await manager.start_kernel(
            extra_arguments=[HISTORY_OPTION] if manager.ipykernel else [],
            cwd=str(self._cwd),
            preexec_fn=partial(die_with, os.getpid()),
        )
        provisioner: Any = manager.provisioner
        self.pid, self._process = provisioner.pid, provisioner.process

    async def _wait_until_ready(self) -> None:
        """Wait until the kernel is ready, and for its first output, so that no later output is lost.

        A current kernel sends a welcome message to subscribers. To others a request is repeated until its
        status arrives.
        """
        first_output = asyncio.ensure_future(self.client.iopub_channel.get_msg())
        try:
            while not first_output.done():
                self.client.kernel_info()
                await self.client.shell_channel.get_msg()
                await asyncio.wait({first_output}, timeout=STATUS_WAIT)
        finally:
            first_output.cancel()

    async def _drain(self) -> None:
        """Wait until the output socket is closed at the other side, after which no message is in transit."""
        output = self.client.iopub_channel.socket
        closing = asyncio.ensure_future(self._closings.poll())
        is_silent = False
        while not is_silent and not closing.done():
            await asyncio.wait({closing}, timeout=DRAIN_WAIT)
            is_silent = not await output.poll(0)
        closing.cancel()
        while await output.poll(0):
            await asyncio.sleep(0)

    def _request_shutdown(self) -> None:
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
        shutil.rmtree(self._socket_folder, ignore_errors=True)
