"""ipykernel's own kernel, created before a fork and started after it.

`ForkableApp` is the application of every IPython kernel, in two halves. `prepare` does what takes time and is
independent of the process: configuration, the kernel, its shell. After the fork, `connect_direct` or
`connect_zmq` binds it to a channel, and `serve` runs it until its end. A direct kernel communicates over a
socket pair (`socket_channel`); the other uses ZeroMQ, like any kernel. Both run ipykernel's own code towards
the notebook: its streams with their capture of file descriptors, its display hooks, its handling of
interrupts.
"""

import asyncio
import atexit
import gc
import heapq
import importlib
import itertools
import os
import queue
import socket
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import zmq
from ipykernel.iostream import BackgroundSocket, IOPubThread
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from IPython.core.application import BaseIPythonApplication
from tornado.ioloop import IOLoop
from tornado.log import app_log
from traitlets import Any as AnyTrait

from runwidgets.execution.kernels.socket_channel import IOPUB, SHELL, Receiver, Sender

LATE_IMPORTS = ("IPython.core.logger", "faulthandler", "tornado.platform.asyncio")
"""Modules that a spawned kernel imports only after its start."""


class Publisher(IOPubThread):
    """ipykernel's output thread, with a socket pair in place of a ZeroMQ socket.

    Parameters
    ----------
    sender : Sender
        Sends the messages.
    """

    def __init__(self, sender: Sender) -> None:
        # Not the parent's: it would make a ZeroMQ context and an event loop.
        self.socket = sender
        self.session = None
        self.io_loop: Any = self
        self.background_socket = BackgroundSocket(self)
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self.thread = threading.Thread(target=self._thread_main, name="IOPub", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def stop(self) -> None:
        """Send queued messages and stop the thread; later messages are sent directly."""
        if self.thread.is_alive():
            self._queue.put(None)
            self.thread.join()

    def close(self) -> None:
        """Do nothing: all resources are released by `stop`."""

    def schedule(self, f: Callable[[], object]) -> None:
        """Call a function in the thread; at once if the thread is not running, as in a notebook's fork."""
        if self.thread.is_alive():
            self._queue.put(f)
        else:
            f()

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Call a function in the thread after a delay in seconds; called from the thread only."""
        heapq.heappush(
            self._timers, (time.monotonic() + delay, next(self._numbers), lambda: callback(*arguments))
        )

    def send_multipart(self, parts: list[Any], *_: Any, **__: Any) -> None:
        """Send a message on the output channel."""
        self.send(IOPUB, parts)

    def send(self, channel: bytes, parts: list[Any]) -> None:
        """Send a message, in the order of the calls."""
        message = [channel, *parts]
        self.schedule(lambda: self.socket.send(message))

    def _thread_main(self) -> None:
        while True:
            try:
                wait = self._timers[0][0] - time.monotonic() if self._timers else None
                function = self._queue.get(timeout=wait if wait is None else max(0.0, wait))
            except queue.Empty:
                function = heapq.heappop(self._timers)[2]
            if function is None:
                return
            try:
                function()
            except BaseException:  # of a text that cannot be encoded, or of a hook of the notebook
                self._log_exception(function)

    @staticmethod
    def _log_exception(function: Callable[[], object]) -> None:
        """Log an exception in the thread as tornado does; then the thread goes on."""
        try:
            app_log.error("Exception in callback %r", function, exc_info=True)
        except BaseException:  # of a stream that the notebook replaced
            traceback.print_exc(file=sys.__stderr__)


class _ShellStream:
    """The stream on which the kernel sends replies."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def send_multipart(self, parts: list[Any], *_: Any, **__: Any) -> None:
        self._publisher.send(SHELL, parts)

    def flush(self, *_: Any) -> None:
        """Do nothing: no message is queued; ipykernel 6 calls it after each request."""


class ForkableKernel(IPythonKernel):
    """IPython's kernel, whose channels may be set after its creation."""

    shell_stream = AnyTrait()
    control_stream = AnyTrait()
    debugpy_stream = AnyTrait()

    @classmethod
    def instance(cls, *arguments: Any, **traits: Any) -> "ForkableKernel":
        """Return the kernel, with the channels that it has at present."""
        if not cls.initialized():
            created: ForkableKernel = super().instance(*arguments, **traits)
            return created
        kernel: ForkableKernel = super().instance()
        del traits["parent"], traits["user_ns"]
        for name, value in traits.items():
            setattr(kernel, name, value)
        kernel.ident = str(uuid.uuid4())
        kernel._stdout, kernel._stderr = sys.stdout, sys.stderr
        shell: Any = kernel.shell
        for publisher in (shell.displayhook, shell.display_pub):
            publisher.session = kernel.session
            publisher.pub_socket = kernel.iopub_socket
        shell.displayhook.topic = kernel._topic("execute_result")
        return kernel

    @property
    def is_direct(self) -> bool:
        """Whether messages are sent over the socket pair."""
        return isinstance(self.shell_stream, _ShellStream)

    @property
    def _supports_kernel_subshells(self) -> bool:
        return not self.is_direct and getattr(self, "shell_channel_thread", None) is not None

    def _abort_queues(self, *arguments: Any, **options: Any) -> None:
        if not self.is_direct:  # the runner sends a cell after the previous one has ended: nothing to abort
            super()._abort_queues(*arguments, **options)

    def start(self) -> None:
        """Publish the start of the kernel, and wait for messages."""
        if not self.is_direct:
            super().start()
            return
        assert self.shell is not None
        self.shell.exit_now = False
        self.io_loop = IOLoop.current()
        self._publish_status("starting", "shell")


class ForkableApp(IPKernelApp):
    """IPython's kernel application, split at the fork."""

    kernel_class = ForkableKernel

    def prepare(self, arguments: Sequence[str]) -> None:
        """Create the kernel and its shell; called in the process that will be forked.

        Parameters
        ----------
        arguments : sequence of str
            Arguments of its command line, without a connection file.
        """
        BaseIPythonApplication.initialize(self, ["-f", "kernel.json", *arguments])
        self.init_pdb()
        self.kernel = ForkableKernel.instance(
            parent=self,
            session=self.session,
            log=self.log,
            profile_dir=self.profile_dir,
            user_ns=self.user_ns,
        )
        self.init_path()
        self.init_shell()
        if self._runs_no_user_code:
            self._initialize_user()

    @property
    def _runs_no_user_code(self) -> bool:
        """Whether no code of the user is executed when a kernel starts."""
        assert self.profile_dir is not None
        folder = Path(self.profile_dir.startup_dir)
        startup = [each for each in folder.iterdir() if each.suffix in {".py", ".ipy"}]
        user_code = (self.extensions, self.exec_lines, self.exec_files, self.code_to_run, self.file_to_run)
        user_options = (self.extra_extensions, self.module_to_run, self.gui, self.matplotlib, self.pylab)
        has_store_magics = "StoreMagics" in self.config
        return not (
            any(user_code + user_options) or has_store_magics or startup or os.environ.get("PYTHONSTARTUP")
        )

    def warm_up(self) -> None:
        """Use what is created on first use: compilers, formatters, tracebacks."""
        shell: Any = self.shell
        shell.run_cell("pass", store_history=False, silent=True)
        shell.display_formatter.format(1)
        try:
            compile("1 +", "<warm-up>", "exec")
        except SyntaxError:
            shell.InteractiveTB.structured_traceback(*sys.exc_info())
        for name in LATE_IMPORTS:
            importlib.import_module(name)

    def connect_direct(self, end: socket.socket, connection_file: str) -> None:
        """Bind the kernel to a socket pair; called in the child.

        Parameters
        ----------
        end : socket.socket
            The kernel's end.
        connection_file : str
            The connection file whose path it gets; it does not exist.
        """
        self._set_connection_file(connection_file)
        self.configure_tornado_logger()
        self._renew_session(self.session.key)
        self.iopub_thread = publisher = Publisher(Sender(end))
        publisher.start()
        self.iopub_socket = publisher.background_socket
        self.init_io()
        self.init_signal()
        self.kernel = ForkableKernel.instance(
            parent=self,
            user_ns=self.user_ns,
            session=self.session,
            shell_stream=_ShellStream(publisher),
            iopub_thread=publisher,
            iopub_socket=self.iopub_socket,
            # It tells ipykernel 7 which thread is interrupted.
            shell_channel_thread=SimpleNamespace(parent_thread=threading.current_thread()),
            _execute_sleep=0.0,  # the channel preserves the order of output and reply
        )
        self.displayhook.get_execution_count = lambda: self.kernel.execution_count
        self._end = end
        self._begin()

    def connect_zmq(self, end: socket.socket, connection_file: str) -> None:
        """Bind the kernel to the sockets that a connection file names; called in the child.

        Parameters
        ----------
        end : socket.socket
            Closed at the other side to end the kernel.
        connection_file : str
            The connection file.
        """
        self._end = end
        self._set_connection_file(connection_file)
        self.load_connection_file()
        self._renew_session(self.session.key)
        self.init_sockets()
        self.init_heartbeat()
        self.init_io()
        self.init_signal()
        self.init_kernel()
        self._begin()

    def init_iopub(self, context: "zmq.Context[Any]") -> None:
        """Bind the output socket without a limit, so that it never drops a message, such as the idle one."""
        context.setsockopt(zmq.SNDHWM, 0)
        super().init_iopub(context)

    def serve(self) -> None:
        """Run the kernel until the other end is closed, or the notebook ends it."""
        loop = IOLoop.current()
        messages: asyncio.Queue[list[zmq.Message]] = asyncio.Queue()
        receiver = Receiver(self._end)

        def read() -> None:
            for parts in receiver.receive():
                messages.put_nowait([zmq.Message(part) for part in parts])
            if receiver.is_closed:
                asyncio_loop.remove_reader(end)
                loop.add_callback(loop.stop)

        async def shell_main() -> None:  # the name of IPython's own function, which tracebacks show
            while True:  # one task for all cells, so that context variables persist between cells
                try:
                    await self.kernel.dispatch_shell(await messages.get())
                except asyncio.CancelledError:  # a notebook may cancel all tasks
                    continue
                except Exception:  # of a stream of the notebook, which is flushed before the kernel is idle
                    self.log.exception("Error in message handler")
                    self.kernel._publish_status("idle", "shell")

        end = self._end.fileno()
        asyncio_loop: asyncio.AbstractEventLoop = loop.asyncio_loop  # type: ignore[attr-defined]
        asyncio_loop.add_reader(end, read)
        worker = asyncio_loop.create_task(shell_main())
        worker.add_done_callback(lambda _: loop.stop())  # it ends only with an error of ipykernel
        self.start()
        if worker.done():
            worker.result()
        worker.cancel()

    def leave(self) -> None:
        """End like an interpreter: threads, exit handlers, and open files of the notebook."""
        if _has_children():
            asyncio.run(self.kernel._at_shutdown())
        threading._shutdown()  # type: ignore[attr-defined]
        _flush_streams()  # an exit handler closes the sockets
        atexit._run_exitfuncs()
        gc.collect()  # IPython's exit handler emptied the namespace: files that were left open are written
        _flush_streams()
        if isinstance(self.iopub_thread, Publisher):
            self.iopub_thread.stop()

    def _renew_session(self, key: bytes) -> None:
        self.session.pid = os.getpid()
        self.session.session = str(uuid.uuid4())
        if key != self.session.key:
            self.session.key = key

    def _set_connection_file(self, connection_file: str) -> None:
        self.config.IPKernelApp.connection_file = self.connection_file = connection_file

    def _begin(self) -> None:
        if not self._runs_no_user_code:
            self._initialize_user()
        sys.stdout.flush()
        sys.stderr.flush()

    def _initialize_user(self) -> None:
        """Run the steps that may execute code of the user: extensions, startup files."""
        self.init_gui_pylab()
        self.init_extensions()
        self.init_code()


for _ours, _theirs in ((ForkableKernel, IPythonKernel), (ForkableApp, IPKernelApp)):
    # A notebook sees the same names as in every kernel, also in settings and log lines.
    _ours.__name__, _ours.__qualname__, _ours.__module__ = (
        _theirs.__name__,
        _theirs.__qualname__,
        _theirs.__module__,
    )


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except Exception:  # of a stream of the notebook
            app_log.exception("A stream cannot be flushed")


def _has_children() -> bool:
    """Return whether this process has children, including zombies."""
    for task in os.listdir("/proc/self/task"):
        with (
            suppress(FileNotFoundError, ProcessLookupError),
            open(f"/proc/self/task/{task}/children") as children,
        ):
            if children.read():
                return True
    return False
