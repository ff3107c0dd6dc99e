"""A kernel behind ZeroMQ sockets: spawned by its kernelspec's launcher, or forked.

The sockets are files (IPC) in a folder of the run, which nobody else can enter. A spawned kernel that does
not support IPC, such as one whose ZeroMQ was built without it, is started again over TCP.
"""

import asyncio
import errno
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.manager import AsyncKernelManager

from runwidgets.execution.kernels.kernel import Fork, Kernel, KernelRequest, KernelStartError
from runwidgets.execution.kernels.kernelspecs import find_kernelspec
from runwidgets.execution.kernels.socket_channel import open_pair
from runwidgets.execution.kernels.start_problems import OutputTail, describe_launch, find_missing_module
from runwidgets.execution.kernels.terminals import find_terminal_programs, wait_for_reader
from runwidgets.execution.processes import die_with

HISTORY_OPTION = "--HistoryManager.hist_file=:memory:"
"""The option that papermill, through nbclient, passes to every IPython kernel."""
STATUS_WAIT = 0.05
"""Seconds within which the idle status follows the first reply, unless the subscription was too late."""
IPYKERNEL = "ipykernel_launcher"
"""The module that starts IPython's kernel, which supports IPC."""
RECONNECT_PAUSE = 2
"""Milliseconds between two attempts to connect to a kernel that has not bound its sockets yet."""
SOCKET_NAME = "kernel-ipc-5"
"""The longest name that jupyter_client gives to a socket beside ``kernel.json``."""
SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
"""Folders for sockets, if that for temporary files has a long path, as on macOS."""
BIND_CHECK_INTERVAL = 0.05
"""Seconds between two checks whether a kernel has bound its sockets."""
DRAIN_WAIT = 0.1
"""Seconds of silence after which a dead kernel's output counts as read, if a child holds its sockets open."""


def find_socket_folder(run_id: str) -> Path:
    """Return the folder for the sockets of a run's kernel.

    A socket's path must be short and text, which that of the folder for temporary files may not be; then the
    sockets are in the first folder for which this holds. Only the user may enter the folder, once it is made.
    """
    name = socket_folder_name(run_id)
    folders = [Path(folder, name) for folder in (tempfile.gettempdir(), *SHORT_FOLDERS)]
    return next((folder for folder in folders if _can_hold_sockets(folder)), folders[0])


def socket_folder_name(run_id: str) -> str:
    """Return the name of the folder for the sockets of a run's kernel."""
    return f"runwidgets-{run_id}"


def _can_hold_sockets(folder: Path) -> bool:
    try:
        size = len(str(folder / SOCKET_NAME).encode())
    except UnicodeEncodeError:  # a path that is not UTF-8 cannot be passed on in a connection file
        return False
    return size <= zmq.IPC_PATH_MAX_LEN and os.access(folder.parent, os.W_OK | os.X_OK)


class ZmqKernel(Kernel):
    """A kernel behind ZeroMQ sockets: spawned by its kernelspec's launcher, or forked.

    Parameters
    ----------
    request : KernelRequest
        The kernel.
    fork : callable, optional
        See `Fork`; None to spawn the kernelspec's command.
    protocol : {"ipc", "tcp"}, optional
        The transport of the sockets. A kernel that is spawned with ``"ipc"`` can be started again with
        ``"tcp"``, unless it is IPython's: not every kernel supports IPC. With ``"tcp"`` it can be started
        again if another process was faster in binding one of its ports.

    Raises
    ------
    UnknownKernelError
        The kernelspec is not installed, or damaged.
    """

    def __init__(self, request: KernelRequest, fork: Fork | None = None, protocol: str = "ipc") -> None:
        super().__init__()
        self.way = "spawned" if fork is None else "forked"
        self._request = request
        self._protocol = protocol
        self._manager: AsyncKernelManager | None = None
        self._end: socket.socket | None = None
        if fork is None:
            spec = find_kernelspec(request.name)  # raises before anything is created
            self._output = OutputTail(request.log)
            if protocol == "ipc" and IPYKERNEL not in spec.argv:
                self.start_again = partial(ZmqKernel, request, protocol="tcp")
        self.folder = request.socket_folder
        self.folder.mkdir(mode=0o700)
        self._file = str(self.folder / "kernel.json")
        if fork is not None:
            # As a kernel manager does, which would search all kernelspecs and provisioners first.
            key, ip = secrets.token_hex().encode(), str(request.socket_folder / "kernel")
            write_connection_file(self._file, transport="ipc", ip=ip, key=key, kernel_name=request.name)
            self._end, theirs = open_pair()
            self.pid = fork(theirs, self._file)
            theirs.close()

    def exit_message(self) -> str:
        """Return a sentence about how the process ended, with the last lines that it wrote."""
        return super().exit_message() + self._written()

    async def _start(self) -> None:
        self._context = context = zmq.asyncio.Context()
        context.set(zmq.IPV6, 0)
        context.setsockopt(zmq.RCVHWM, 0)
        context.setsockopt(zmq.RECONNECT_IVL, RECONNECT_PAUSE)
        if self._end is None:
            await self._spawn(context)
        self.client = AsyncKernelClient(connection_file=self._file, context=context)
        self.client.load_connection_file()
        self.client.start_channels(hb=False, stdin=self._end is None)
        self.client.allow_stdin = False
        self._closings = self.client.iopub_channel.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)

    async def _spawn(self, context: zmq.asyncio.Context) -> None:
        request = self._request
        manager = self._manager = AsyncKernelManager(
            kernel_name=request.name, transport=self._protocol, connection_file=self._file, context=context
        )
        self._output.skip()
        try:
            await manager.start_kernel(
                extra_arguments=[HISTORY_OPTION] if manager.ipykernel else [],
                cwd=str(request.cwd),
                preexec_fn=partial(die_with, os.getpid()),
            )
        except OSError as error:
            if error.filename != self._program:
                raise
            self.start_again = None
            raise KernelStartError(describe_launch(self._program, error)) from error
        provisioner: Any = manager.provisioner
        self.pid, self._process = provisioner.pid, provisioner.process

    @property
    def _program(self) -> str:
        """The first word of the command of a spawned kernel."""
        assert self._manager is not None
        return os.path.expanduser(self._manager.format_kernel_cmd()[0])

    def _written(self) -> str:
        """Return the end of a sentence: what a spawned kernel wrote last, if it wrote anything."""
        text = self._output.read() if self._manager is not None else ""
        return f"; '{self._program}' wrote: {text}" if text else ""

    async def _describe_start(self, silence: str) -> str:
        if self._manager is None:
            return await super()._describe_start(silence)
        assert self._manager.kernel_spec is not None
        environment = {**os.environ, **self._manager.kernel_spec.env}
        command = self._manager.format_kernel_cmd()
        if self.has_ended and (missing := find_missing_module(command, environment, self._request.cwd)):
            self.start_again = None
            return missing
        if self.has_ended and self._protocol == "tcp" and self._has_lost_port():
            self.start_again = partial(ZmqKernel, self._request, protocol="tcp")
        problem = await super()._describe_start(silence + self._written())
        return problem if self._output.read() else f"{problem}; '{self._program}' wrote nothing"

    def _has_lost_port(self) -> bool:
        """Return whether another process has one of the ports that were free when they were chosen."""
        assert self._manager is not None
        for port in self._manager.ports:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as ZeroMQ binds
                try:
                    probe.bind((self._manager.ip, port))
                except OSError as error:
                    if error.errno == errno.EADDRINUSE:
                        return True
                    raise
        return False

    async def _wait_until_bound(self, timeout: float) -> None:
        """Wait until a spawned kernel has bound its sockets, which are files.

        Raises
        ------
        KernelStartError
            It has bound others, or none: it does not support IPC, as far as can be told.
        """
        assert self._manager is not None
        first = Path(f"{self._manager.ip}-{self._manager.shell_port}")
        expected = {f"{self._manager.ip}-{port}" for port in self._manager.ports}
        deadline = time.monotonic() + timeout
        while not first.exists():
            sockets = {str(path) for path in self._request.socket_folder.iterdir() if path.is_socket()}
            if sockets - expected or time.monotonic() > deadline:
                raise KernelStartError(f"no socket within {timeout:g} s" + self._written())
            await asyncio.sleep(BIND_CHECK_INTERVAL)

    async def _wait_until_ready(self, timeout: float) -> None:
        """Wait until the kernel is ready, and for its first output, so that no later output is lost.

        A current kernel sends a welcome message to subscribers. To others a request is repeated until its
        status arrives.
        """
        if self.start_again is not None:
            await self._wait_until_bound(timeout / 2)
        first_output = asyncio.ensure_future(self.client.iopub_channel.get_msg())
        try:
            while not first_output.done():
                self.client.kernel_info()
                self._note_implementation(await self.client.shell_channel.get_msg())
                await asyncio.wait({first_output}, timeout=STATUS_WAIT)
        finally:
            first_output.cancel()
        if self._manager is not None:
            self._output.skip()
            self.programs = find_terminal_programs(self.pid)

    def _note_implementation(self, reply: dict[str, Any]) -> None:
        match reply["content"]:
            case {"implementation": str(implementation)}:
                self.implementation = implementation

    async def wait_for_input(self) -> None:
        """Wait until a cell waits for input: the kernel asks for it, or a program that it drives reads."""
        if self._manager is None:
            await super().wait_for_input()
        waits = [
            asyncio.create_task(self._wait_for_request()),
            asyncio.create_task(wait_for_reader(self.programs)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _wait_for_request(self) -> None:
        """Wait for a request for input; some kernels send it although they are told that there is none."""
        while (await self.client.stdin_channel.get_msg())["msg_type"] != "input_request":
            pass

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

    def _kill(self) -> None:
        if self._manager is None:
            super()._kill()
        else:  # it leads a session, and a script may have started the kernel itself
            os.killpg(self.pid, signal.SIGKILL)

    async def _close(self) -> None:
        if self._manager is not None:
            await self._manager.cleanup_resources()
        if hasattr(self, "client"):
            self.client.stop_channels()
        self._context.destroy(linger=0)
        shutil.rmtree(self._request.socket_folder, ignore_errors=True)
