"""A warm process from which runners and their kernels are forked.

It creates a kernel without channels, imports the modules of its templates, then what a runner needs, and
waits. For each request it forks a runner in a new session; the runner forks its kernel before it has a loop
or a thread of its own (`child`). The server itself remains single-threaded and never opens a ZeroMQ context.

A request is one packet: JSON with ``run``, ``folder`` and ``copies``, and the descriptor that holds the run's
lock. The server responds with ``{"run", "code"}`` when a runner has ended; its first message is
``{"ready": pid}``, or ``{"unfit": module, "reason"}`` if a module cannot be preloaded, after which it ends.
When the other end is closed, it waits for its runners and then ends.

The state that a child seeds again is in `reseed`, the modules that it hides in `import_isolation`. Modules
that print or warn while they are imported, or that leave threads, cannot be preloaded, because a notebook
would notice the difference. This module imports little itself, because what is loaded before the kernel is
created remains visible to notebooks.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from runwidgets.execution.forkserver.huge_pages import collapse_pages
from runwidgets.execution.forkserver.import_isolation import ImportIsolation
from runwidgets.execution.forkserver.reseed import Generators
from runwidgets.execution.kernels.in_process import ForkableApp

if TYPE_CHECKING:
    from runwidgets.execution.forkserver.child import ForkedRunner
    from runwidgets.execution.forkserver.messages import ForkRequest, ServerMessage

PACKET = 64 * 1024
"""Maximum size of a request or a response in bytes."""
START_TIMEOUT = 60
"""Seconds within which the modules must be imported."""
SAFE_THREADS = {"jemalloc_bg_thd"}
"""Threads whose library handles forks itself: jemalloc's, which pyarrow starts. **Source:** jemalloc 5,
``background_thread_prefork0`` to ``background_thread_postfork_child``."""
SERVER_MODULES = ("runwidgets", "gc", "secrets")
"""Modules that a server has loaded when its kernel is created, and a spawned kernel has not."""


class ForkServer:
    """The warm process.

    Parameters
    ----------
    control : socket.socket
        The socket from which requests are received.
    arguments : sequence of str
        Content of ``sys.argv`` of a spawned kernel, without its connection file.
    """

    def __init__(self, control: socket.socket, arguments: Sequence[str]) -> None:
        self._control = control
        self._arguments = arguments
        self._isolation = ImportIsolation()
        self._generators = Generators()
        self._runners: dict[int, str] = {}

    def prepare(self, modules: Sequence[str]) -> None:
        """Create the kernel, and import what children will need.

        Parameters
        ----------
        modules : sequence of str
            Modules of the templates.
        """
        app = ForkableApp.instance()
        with self._generators.watch(), self._isolation.watch():
            app.prepare(self._arguments[1:])
            visible = {name for name in sys.modules if not name.startswith(SERVER_MODULES)}
            for module in modules:
                self._import(module)
            filters = warnings.filters[:]
            notebook_modules = set(sys.modules)
            app.warm_up()
            make_runner = self._import_runner()
            not_restored = self._isolation.find_pure(set(sys.modules) - notebook_modules)
        self._generators.find()
        self._runner = make_runner(
            app, self._isolation, self._generators, filters=filters, arguments=self._arguments
        )
        self._isolation.hide(visible, make_runner.__module__, not_restored, modules)
        gc.collect()
        gc.freeze()
        collapse_pages()

    def serve(self) -> None:
        """Fork a runner for each request, until the other end is closed and all runners have ended."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._send({"ready": os.getpid()})
        is_open = True
        while is_open or self._runners:
            watched = [wake_read, self._control.fileno()] if is_open else [wake_read]
            readable, _, _ = select.select(watched, [], [])
            if self._control.fileno() in readable:
                request, descriptors, _, _ = socket.recv_fds(self._control, PACKET, 1)
                is_open = bool(request)
                if request:
                    self._fork(json.loads(request), descriptors[0])
            if wake_read in readable:
                os.read(wake_read, 512)
                self._reap()

    def _fork(self, request: "ForkRequest", lock: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._control.close()
            self._runner.run(request)
        os.close(lock)
        self._runners[pid] = request["run"]

    def _reap(self) -> None:
        while self._runners:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._send({"run": self._runners.pop(pid), "code": os.waitstatus_to_exitcode(status)})

    def _import(self, name: str) -> None:
        """Preload a module; report it and end if a notebook would notice that."""
        with warnings.catch_warnings(record=True) as caught_warnings:
            output = _OutputDetector()
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                try:
                    _import(name)
                except Exception as error:
                    self._refuse(name, f"{type(error).__name__}: {error}")
        _fork_once()
        if output.has_output or caught_warnings:
            self._refuse(name, "it prints or warns while it is imported")
        if threads := _other_threads() - SAFE_THREADS:
            self._refuse(name, f"it leaves threads behind: {', '.join(threads)}")

    def _import_runner(self) -> "type[ForkedRunner]":
        from runwidgets.execution.runner.slim_imports import slim_imports

        with slim_imports():
            from runwidgets.execution.forkserver.child import ForkedRunner
        return ForkedRunner

    def _refuse(self, module: str, reason: str) -> NoReturn:
        self._send({"unfit": module, "reason": reason})
        os._exit(0)

    def _send(self, message: "ServerMessage") -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the other end is closed
            self._control.send(json.dumps(message).encode())


class _OutputDetector:
    """A text stream that records whether anything was written."""

    has_output = False

    def write(self, text: str) -> int:
        self.has_output = self.has_output or bool(text)
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def _import(name: str) -> None:
    """Import a module; the name may also be that of an attribute, which is then loaded already."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        parent, _, attribute = name.rpartition(".")
        if not hasattr(sys.modules.get(parent), attribute):
            raise


def _other_threads() -> set[str]:
    """Return the names of the threads of this process except the main one."""
    names = set()
    for task in set(os.listdir("/proc/self/task")) - {str(os.getpid())}:
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{task}/comm") as name:
            names.add(name.read().strip())
    return names


def _fork_once() -> None:
    """Fork once: thread pools such as OpenBLAS's end before a fork, and restart when needed."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def main(arguments: Sequence[str]) -> None:
    """Serve; given the descriptor of the control socket, and JSON with the kernel's arguments and modules."""
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    os.umask(0o077)
    server = ForkServer(control, json.loads(arguments[1]))
    signal.alarm(START_TIMEOUT)  # kills this process, whatever it does; waiting runs are then spawned
    server.prepare(json.loads(arguments[2]))
    signal.alarm(0)
    server.serve()
    os._exit(0)


if __name__ == "__main__":
    if sys.path and sys.path[0] in {"", os.getcwd()}:
        del sys.path[0]  # as ipykernel's launcher does: the working folder is the notebook's, and comes later
    from runwidgets.execution.forkserver.server import main as serve

    serve(sys.argv[1:])
