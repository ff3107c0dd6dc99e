"""A warm process from which runners and their kernels are forked.

It makes a kernel without channels, imports the modules of the templates it is for, then what a runner needs,
and waits. For each request it forks a runner in a new session; the runner forks its kernel before it
has a loop or a thread of its own. The server itself stays single-threaded and never opens a ZeroMQ context.

A request is one packet: JSON with ``folder``, ``copies`` and ``run``, and the descriptor that holds the
run's lock. The server answers ``{"run", "code"}`` when a runner has ended; its first word is
``{"ready": pid}``, or ``{"unfit": module, "reason"}`` when a module cannot be imported ahead, after which it
ends. When the other end is closed it waits for its runners, and ends too.

What a child renews and hides is in `renewal`; modules that print or warn while they are imported, or that
leave threads behind, are not fit to be imported ahead, because a notebook would see the difference.
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
import traceback
import uuid
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from jupyter_client.session import Session

from runwidgets.execution.direct import ForkableApp
from runwidgets.execution.kernels import HISTORY, DirectKernel, Kernel, ZmqKernel
from runwidgets.execution.processes import die_with, mark_process
from runwidgets.execution.renewal import Generators, HiddenModules
from runwidgets.states import RunState

PACKET = 64 * 1024
"""Bytes of a request or an answer, at most."""


class ForkServer:
    """The warm process.

    Parameters
    ----------
    control : socket.socket
        Where requests come from.
    launcher : str
        What ``sys.argv[0]`` is in a kernel that is spawned.
    """

    def __init__(self, control: socket.socket, launcher: str) -> None:
        self._control = control
        self._launcher = launcher
        self._app = ForkableApp.instance()
        self._hidden = HiddenModules()
        self._generators = Generators()
        self._runners: dict[int, str] = {}

    def prepare(self, modules: Sequence[str]) -> None:
        """Make the kernel and import what children will need.

        Parameters
        ----------
        modules : sequence of str
            Modules of the templates, in order.
        """
        inherited = dict(os.environ)
        with self._generators.watch():
            self._app.prepare()
            self._app.warm_up()
            self._given = {
                key: os.environ[key] for key in os.environ if os.environ[key] != inherited.get(key)
            }
            self._visible = {name for name in sys.modules if not name.startswith("runwidgets")}
            with self._hidden.watch():
                for module in modules:
                    self._import(module)
                self._filters = warnings.filters[:]
                self._import_runner()
        self._generators.find()
        self._session = Session(key=self._app.session.key)
        self._hidden.choose(self._visible, self._forgotten)
        self._descriptors = _descriptors()
        gc.collect()
        gc.freeze()

    def serve(self) -> None:
        """Fork a runner for each request, until the other end is closed and all runners have ended."""
        waker, wakened = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakened)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._tell({"ready": os.getpid()})
        is_open = True
        while is_open or self._runners:
            watched = [waker, self._control.fileno()] if is_open else [waker]
            readable, _, _ = select.select(watched, [], [])
            if self._control.fileno() in readable:
                request, descriptors, _, _ = socket.recv_fds(self._control, PACKET, 1)
                is_open = bool(request)
                if request:
                    self._fork_runner(json.loads(request), descriptors[0])
            if waker in readable:
                os.read(waker, 512)
                self._reap()

    def _import(self, name: str) -> None:
        """Import a module ahead; say so and end when a notebook would see that."""
        with open(os.devnull, "w") as nothing, warnings.catch_warnings(record=True) as warned:
            said = _Said(nothing)
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                try:
                    _import(name)
                except Exception as error:
                    self._refuse(name, f"{type(error).__name__}: {error}")
        _calm()
        if said.is_loud or warned:
            self._refuse(name, "it prints or warns while it is imported")
        if len(os.listdir("/proc/self/task")) > 1:
            self._refuse(name, "it leaves threads behind")

    def _import_runner(self) -> None:
        """Import what a runner needs, and touch what it would otherwise do late."""
        before = set(sys.modules)
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # see runwidgets.execution.__main__
        from runwidgets.execution.warmup import warm_up

        warm_up()
        del sys.modules["rfc3987_syntax"]
        self._forgotten = self._hidden.pure(set(sys.modules) - before)

    def _refuse(self, module: str, reason: str) -> NoReturn:
        self._tell({"unfit": module, "reason": reason})
        os._exit(0)

    def _tell(self, answer: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nobody listens any more
            self._control.send(json.dumps(answer).encode())

    def _reap(self) -> None:
        while self._runners:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            run = self._runners.pop(pid)
            self._tell({"run": run, "code": os.waitstatus_to_exitcode(status)})

    def _fork_runner(self, request: dict[str, Any], lock: int) -> None:
        pid = os.fork()
        if pid == 0:
            _become(lambda: self._run(request))
        os.close(lock)
        self._runners[pid] = request["run"]

    def _run(self, request: dict[str, Any]) -> int:
        """Be a runner."""
        from runwidgets.execution.runner import execute_run
        from runwidgets.store.files import RUNNER_LOG

        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        folder = Path(request["folder"])
        os.setsid()
        os.umask(0o077)
        mark_process(request["run"])
        log = os.open(folder / RUNNER_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        self._control.close()
        os.chdir(folder)
        self._generators.renew()
        state = execute_run(folder, Path(request["copies"]), self._launch)
        return 0 if state is RunState.SUCCESS else 1

    def _launch(self, name: str, cwd: Path, kind: str) -> Kernel:
        """Fork a kernel; called in a runner."""
        runner = os.getpid()

        def fork(end: socket.socket, file: str) -> int:
            pid = os.fork()
            if pid == 0:
                _become(lambda: self._be_kernel(runner, cwd, kind, end, file))
            return pid

        if kind == "zmq":
            return ZmqKernel(name, cwd, fork)
        self._session.pid, self._session.session = os.getpid(), str(uuid.uuid4())
        return DirectKernel(fork, self._session)

    def _be_kernel(self, runner: int, cwd: Path, kind: str, end: socket.socket, file: str) -> int:
        """Be a kernel."""
        os.setsid()
        die_with(runner)
        for descriptor in _descriptors() - self._descriptors - {end.fileno()}:
            os.close(descriptor)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(cwd)
        os.environ["JPY_PARENT_PID"] = str(runner)
        sys.argv = [self._launcher, "-f", file, HISTORY]
        self._generators.renew()
        warnings.filters[:] = self._filters  # type: ignore[index]
        self._hidden.hide()
        if kind == "zmq":
            self._app.connect_zmq(end, file)
        else:
            self._app.connect_direct(end)
        self._app.serve()
        self._app.leave()
        return 0


class _Said:
    """A text stream that notes whether anything was written."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self.is_loud = False

    def write(self, text: str) -> int:
        self.is_loud = self.is_loud or bool(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


def _become(function: Callable[[], int]) -> NoReturn:
    """Call a function in a forked child, and end with the code that it returns."""
    code = 1
    try:
        code = function()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _import(name: str) -> None:
    """Import a module; what turns out to be a name in a module is there already."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        parent, _, attribute = name.rpartition(".")
        if not hasattr(sys.modules.get(parent), attribute):
            raise


def _calm() -> None:
    """Fork once: thread pools such as OpenBLAS's end before a fork, and start again when needed."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _descriptors() -> set[int]:
    """Return the open descriptors, without the one that lists them."""
    found = {int(name) for name in os.listdir("/proc/self/fd")}
    return {each for each in found if os.path.exists(f"/proc/self/fd/{each}")}


def main(arguments: Sequence[str]) -> None:
    """Serve: the descriptor of the control socket, the launcher's name, and the modules as JSON."""
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    os.umask(0o077)
    server = ForkServer(control, arguments[1])
    server.prepare(json.loads(arguments[2]))
    server.serve()
    os._exit(0)


if __name__ == "__main__":
    if sys.path and sys.path[0] in {"", os.getcwd()}:
        del sys.path[0]  # as ipykernel's launcher does: the working folder is the notebook's, and comes later
    from runwidgets.execution.forkserver import (
        main as serve,
    )  # by its name: `__main__` will be the notebook's

    serve(sys.argv[1:])
