"""The child of a fork server: a runner, and then the kernel of the runner."""

import gc
import os
import signal
import socket
import sys
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import nbformat.v4
from jupyter_client.session import Session
from papermill.parameterize import parameterize_notebook

from runwidgets.execution.forkserver.import_isolation import ImportIsolation
from runwidgets.execution.forkserver.reseed import Generators
from runwidgets.execution.kernels.client import InProcessKernel
from runwidgets.execution.kernels.in_process import ForkableApp
from runwidgets.execution.kernels.kernel import Kernel, KernelRequest
from runwidgets.execution.kernels.zmq import ZmqKernel
from runwidgets.execution.processes import become, die_with, mark_process
from runwidgets.execution.runner.runner import execute_run, read_stored
from runwidgets.execution.runner.snapshots import serialise
from runwidgets.states import RunState
from runwidgets.store.files.layout import RUNNER_LOG

if TYPE_CHECKING:
    from runwidgets.execution.forkserver.messages import ForkRequest

GC_THRESHOLD = 100_000
"""Allocations after which a runner collects garbage: most runs end with fewer."""


class ForkedRunner:
    """The objects that all runners of a fork server share, created before any fork.

    Parameters
    ----------
    app : ForkableApp
        The application with the kernel.
    isolation : ImportIsolation
        Modules that must be hidden from a kernel.
    generators : Generators
        Random generators that a process must seed again.
    filters : sequence
        The warning filters of a new kernel.
    arguments : sequence of str
        Content of ``sys.argv`` of a spawned kernel, without its connection file.
    """

    def __init__(
        self,
        app: ForkableApp,
        isolation: ImportIsolation,
        generators: Generators,
        *,
        filters: Sequence[Any],
        arguments: Sequence[str],
    ) -> None:
        self._app = app
        self._isolation = isolation
        self._generators = generators
        self._filters = filters
        self._arguments = arguments
        self._session = Session(key=app.session.key)
        self._descriptors = _descriptors()
        self._threshold = gc.get_threshold()
        _warm_up()

    def run(self, request: "ForkRequest") -> NoReturn:
        """Act as a runner, and end with its exit code; called in a forked process.

        Parameters
        ----------
        request : dict
            ``run``, its id, ``folder``, its directory, ``copies``, the folder of static files, and
            optionally ``keeper``, a process with which it ends.
        """
        become(lambda: self._run_as_runner(request))

    def _run_as_runner(self, request: "ForkRequest") -> int:
        """Execute the run, and return the exit code."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.umask(0o077)
        mark_process(request["run"])
        folder = Path(request["folder"])
        log = os.open(folder / RUNNER_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        os.chdir(folder)
        gc.set_threshold(GC_THRESHOLD)
        self._isolation.show_runner_modules()
        state = execute_run(folder, Path(request["copies"]), self._launch, request.get("keeper"))
        return 0 if state is RunState.SUCCESS else 1

    def _launch(self, request: KernelRequest) -> Kernel:
        """Fork a kernel; called in a runner."""
        runner, transport = os.getpid(), request.transport

        def fork(end: socket.socket, file: str) -> int:
            pid = os.fork()
            if pid == 0:
                become(lambda: self._run_as_kernel(runner, request.cwd, transport, end, file))
            self._isolation.restore_runner_packages()
            return pid

        if transport == "zmq":
            return ZmqKernel(request, fork)
        self._session.pid, self._session.session = os.getpid(), str(uuid.uuid4())
        return InProcessKernel(fork, self._session, str(request.socket_folder / "kernel.json"))

    def _run_as_kernel(self, runner: int, cwd: Path, transport: str, end: socket.socket, file: str) -> int:
        """Act as a kernel until its end, and return its exit code."""
        os.setsid()
        die_with(runner)
        for descriptor in _descriptors() - self._descriptors - {end.fileno()}:
            os.close(descriptor)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        read_end, write_end = os.pipe()  # a spawned kernel has a pipe as its standard input
        os.close(write_end)
        os.dup2(read_end, 0)
        os.close(read_end)
        os.chdir(cwd)
        os.environ["JPY_PARENT_PID"] = str(runner)
        launcher, *options = self._arguments
        sys.argv = [launcher, "-f", file, *options]
        gc.set_threshold(*self._threshold)
        self._generators.renew()
        warnings.filters[:] = self._filters  # type: ignore[index]
        self._isolation.hide_runner_modules()
        if transport == "zmq":
            self._app.connect_zmq(end, file)
        else:
            self._app.connect_direct(end, file)
        self._app.serve()
        self._app.leave()
        return 0


def _descriptors() -> set[int]:
    """Return the open descriptors, without the one that lists them."""
    found = {int(name) for name in os.listdir("/proc/self/fd")}
    return {each for each in found if os.path.exists(f"/proc/self/fd/{each}")}


def _warm_up() -> None:
    """Find translators, and parse and write a notebook, so that no runner does it for the first time."""
    cell = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    parsed = read_stored(serialise(notebook))
    serialise(parameterize_notebook(parsed, {"x": 2}, kernel_name="python3", language="python"))
