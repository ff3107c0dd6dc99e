"""What a process forked from a fork server becomes: a runner, and then the runner's kernel."""

import gc
import os
import signal
import socket
import sys
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import nbformat.v4
from jupyter_client.session import Session
from papermill.parameterize import parameterize_notebook

from runwidgets.execution.forkserver.import_isolation import ImportIsolation
from runwidgets.execution.forkserver.reseed import Generators
from runwidgets.execution.kernels.client import InProcessKernel
from runwidgets.execution.kernels.in_process import ForkableApp
from runwidgets.execution.kernels.kernel import Kernel
from runwidgets.execution.kernels.zmq import ZmqKernel
from runwidgets.execution.processes import become, die_with, mark_process
from runwidgets.execution.runner.recorder import serialise
from runwidgets.execution.runner.runner import execute_run, read_stored
from runwidgets.states import RunState
from runwidgets.store.files.layout import RUNNER_LOG

RUNNER_THRESHOLD = 100_000
"""Objects after which a runner looks for garbage: few runs make that many, and most end before."""


class ForkedRunner:
    """What all runners of a fork server have in common, made before any fork.

    Parameters
    ----------
    app : ForkableApp
        Holds the kernel.
    hidden : ImportIsolation
        What a kernel must not see.
    generators : Generators
        What a process must seed afresh.
    filters : sequence
        The warning filters that a kernel begins with.
    arguments : sequence of str
        What ``sys.argv`` of a spawned kernel holds, without its connection file.
    """

    def __init__(
        self,
        app: ForkableApp,
        hidden: ImportIsolation,
        generators: Generators,
        *,
        filters: Sequence[Any],
        arguments: Sequence[str],
    ) -> None:
        self._app = app
        self._hidden = hidden
        self._generators = generators
        self._filters = filters
        self._arguments = arguments
        self._session = Session(key=app.session.key)
        self._descriptors = _descriptors()
        self._threshold = gc.get_threshold()
        _warm_up()

    def run(self, request: dict[str, Any]) -> NoReturn:
        """Be a runner, and end with its exit code; called in a forked process.

        Parameters
        ----------
        request : dict
            ``run``, its id, ``folder``, its directory, ``copies``, the folder of static files, and
            ``keeper``, a process with which it ends, if there is one.
        """
        become(lambda: self._be_runner(request))

    def _be_runner(self, request: dict[str, Any]) -> int:
        """Execute the run; return the exit code."""
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
        gc.set_threshold(RUNNER_THRESHOLD)
        self._hidden.show_rest()
        state = execute_run(folder, Path(request["copies"]), self._launch, request.get("keeper"))
        return 0 if state is RunState.SUCCESS else 1

    def _launch(self, name: str, cwd: Path, private: Path, kind: str) -> Kernel:
        """Fork a kernel; called in a runner."""
        runner = os.getpid()

        def fork(end: socket.socket, file: str) -> int:
            pid = os.fork()
            if pid == 0:
                become(lambda: self._be_kernel(runner, cwd, kind, end, file))
            self._hidden.restore_rest()
            return pid

        if kind == "zmq":
            return ZmqKernel(name, cwd, private, fork)
        self._session.pid, self._session.session = os.getpid(), str(uuid.uuid4())
        return InProcessKernel(fork, self._session, str(private / "kernel.json"))

    def _be_kernel(self, runner: int, cwd: Path, kind: str, end: socket.socket, file: str) -> int:
        """Be a kernel until its end; return its exit code."""
        os.setsid()
        die_with(runner)
        for descriptor in _descriptors() - self._descriptors - {end.fileno()}:
            os.close(descriptor)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        closed, other = os.pipe()  # what a kernel that was spawned has as its input
        os.close(other)
        os.dup2(closed, 0)
        os.close(closed)
        os.chdir(cwd)
        os.environ["JPY_PARENT_PID"] = str(runner)
        launcher, *options = self._arguments
        sys.argv = [launcher, "-f", file, *options]
        gc.set_threshold(*self._threshold)
        self._generators.renew()
        warnings.filters[:] = self._filters  # type: ignore[index]
        self._hidden.hide_rest()
        if kind == "zmq":
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
    """Find translators, parse and write a notebook, so that no runner does so for the first time."""
    cell = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    made = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    read = read_stored(serialise(made))
    serialise(parameterize_notebook(read, {"x": 2}, kernel_name="python3", language="python"))
