"""The pool of fork servers: started in advance, selected for each run, replaced when they are outdated.

There is a server for each environment of runs and each set of modules that templates import: modules read
the environment when they are imported, so that setting it after a fork would be too late. A run uses the
server that has its environment and exactly the imports of its template; while that one starts, a server
with a part of them. A server is replaced when packages were installed or removed since its start, or when
it uses too much memory, and ends when it was idle for long. If no server can take a run, the caller spawns
it; so are all runs on a system other than Linux, whose libraries do not survive a fork.
"""

import importlib.util
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

import psutil

from runwidgets.execution.forkserver.preload import can_preload, fingerprint, kernelspecs, python_options
from runwidgets.execution.kernels.zmq import HISTORY_OPTION
from runwidgets.execution.processes import HAS_PIDFD, RUN_VARIABLE, UNMARKED

if TYPE_CHECKING:
    from runwidgets.execution.forkserver.messages import ForkRequest, ServerMessage

MAX_SERVERS = 4
"""Servers at once; each takes some 50 MB of its own, in addition to the modules that it holds."""
MAX_MEMORY = 1_000_000_000
"""Bytes above which a server is replaced."""
IDLE_TIME = 600.0
"""Seconds after which an unused server ends."""
RESTART_DELAY = 60.0
"""Seconds without a new server after one that failed to start; in the meantime, runs are spawned."""
MAINTENANCE_INTERVAL = 5.0
"""Seconds between two checks of idle time and memory."""
PACKET = 64 * 1024
"""Maximum size of a server's response in bytes."""

log = logging.getLogger(__name__)

Key = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""Interpreter options and environment, which all runs of a server share in addition to its modules."""


@dataclass(kw_only=True)
class _Server:
    """A fork server, as its instance sees it."""

    key: Key
    preloaded: list[str]
    """Modules that it preloads."""
    modules: frozenset[str]
    """Those modules that are not in the standard library, by which servers are distinguished."""
    process: "subprocess.Popen[bytes]"
    control: socket.socket
    runs: set[str] = field(default_factory=set)
    is_ready: bool = False
    is_retired: bool = False
    last_used: float = field(default_factory=time.monotonic)


class ForkServers:
    """The fork servers of one instance; used from one thread."""

    def __init__(self) -> None:
        self._servers: list[_Server] = []
        self._not_preloadable: set[str] = set()
        self._fingerprint: tuple[object, ...] = ()
        self._failed_at: dict[Key, float] = {}
        self._forkable_again: set[str] = set()
        self._next_maintenance = 0.0
        self._can_fork = sys.platform == "linux" and HAS_PIDFD

    def prepare(self, kernel_name: str, imports: Iterable[str], environment: Mapping[str, str]) -> None:
        """Start the server for a template in advance, if there is none.

        Parameters
        ----------
        kernel_name : str
            The template's kernelspec.
        imports : iterable of str
            Modules that the template imports.
        environment : mapping of str to str
            The environment of runs, without the variables that this package sets.
        """
        key = self._key(kernel_name, environment)
        if key is not None:
            self._find(key, imports, is_needed=False)

    def fork(
        self,
        request: "ForkRequest",
        kernel_name: str,
        imports: Iterable[str],
        environment: Mapping[str, str],
        lock: int,
    ) -> bool:
        """Fork a run.

        Parameters
        ----------
        request : dict
            ``run``, ``folder`` and ``copies``; see `forkserver`.
        kernel_name : str
            The template's kernelspec.
        imports : iterable of str
            Modules that the template imports.
        environment : mapping of str to str
            The environment of the run, without the variables that this package sets.
        lock : int
            The descriptor that holds the run's lock.

        Returns
        -------
        bool
            False if no server can take the run.
        """
        key = self._key(kernel_name, environment)
        server = None if key is None else self._find(key, imports, is_needed=True)
        if server is None:
            return False
        try:
            socket.send_fds(server.control, [json.dumps(request).encode()], [lock])
        except OSError:
            self._retire(server)
            return False
        server.runs.add(request["run"])
        server.last_used = time.monotonic()
        return True

    def withdraw(self, run_id: str) -> None:
        """Withdraw a request: a server that has not read it yet is killed."""
        for server in self._servers:
            if run_id in server.runs and not server.is_ready:
                server.is_retired = True
                server.process.kill()

    def may_fork_again(self, run_id: str) -> bool:
        """Return, once, whether the server of a run that never began ended because it was withdrawn."""
        is_known = run_id in self._forkable_again
        self._forkable_again.discard(run_id)
        return is_known

    def has(self, run_id: str) -> bool:
        """Return whether a server has yet to report how a run ended."""
        return any(run_id in server.runs for server in self._servers)

    def sockets(self) -> list[socket.socket]:
        """Return the sockets that are readable when `read` has a message."""
        return [server.control for server in self._servers]

    def read(self) -> Iterator[tuple[str, int | None]]:
        """Receive the messages of the servers, and maintain them.

        Yields
        ------
        (str, int or None)
            A run that has ended and its exit code; None if it is unknown.
        """
        by_socket = {server.control: server for server in self._servers}
        for control in wait(list(by_socket), 0):
            server = by_socket[control]  # type: ignore[index]
            control = server.control
            try:
                packet = control.recv(PACKET)
            except ConnectionResetError:  # it ended with an unread request
                packet = b""
            if not packet:
                if not server.is_ready and not server.is_retired:
                    self._failed_at[server.key] = time.monotonic()
                self._discard(server)
                yield from ((run, None) for run in server.runs)
                continue
            report: ServerMessage = json.loads(packet)
            if "ready" in report:
                server.is_ready = True
            elif "unfit" in report:
                self._not_preloadable.add(report["unfit"])
                self._forkable_again |= server.runs
                self._retire(server)
                preloaded = [name for name in server.preloaded if name not in self._not_preloadable]
                self._start(server.key, preloaded)
                log.info("runwidgets: %s is not preloaded: %s", report["unfit"], report["reason"])
            else:
                server.runs.discard(report["run"])
                server.last_used = time.monotonic()
                yield report["run"], report["code"]
        if time.monotonic() >= self._next_maintenance:
            self._next_maintenance = time.monotonic() + MAINTENANCE_INTERVAL
            self._maintain()

    def close(self) -> None:
        """End all servers; their runs continue, and each server waits for its own."""
        for server in self._servers:
            server.control.close()
            if server.runs:
                threading.Thread(target=server.process.wait, daemon=True).start()
            elif not server.is_ready:
                server.process.kill()
        for server in self._servers:
            if not server.runs:
                server.process.wait()
        self._servers.clear()

    def _find(self, key: Key, imports: Iterable[str], is_needed: bool) -> _Server | None:
        """Return the best server, ready or not; start a better one if that is worthwhile."""
        current_fingerprint = fingerprint()
        if current_fingerprint != self._fingerprint:
            self._fingerprint = current_fingerprint
            self._not_preloadable.clear()
            can_preload.cache_clear()
            for server in self._servers:
                self._retire(server)
        preloaded = [
            name for name in sorted(set(imports)) if name not in self._not_preloadable and can_preload(name)
        ]
        wanted = _installed(preloaded)
        usable = [each for each in self._servers if not each.is_retired and each.key == key]
        usable = [each for each in usable if each.modules <= wanted]
        usable.sort(key=lambda each: (each.is_ready, len(each.modules)), reverse=True)
        if not any(each.modules == wanted for each in usable) and self._evict(usable[:1], is_needed):
            usable.append(self._start(key, preloaded))
        return usable[0] if usable else None

    def _evict(self, best: list[_Server], is_needed: bool) -> bool:
        """Return whether one more server may start; end the one that was idle for longest, if necessary.

        The best servers so far are kept. If there is none and one is needed, a server that was only prepared
        and is not ready yet is evicted too.
        """
        active = [server for server in self._servers if not server.is_retired]
        if len(active) < MAX_SERVERS:
            return True
        is_urgent = is_needed and not best
        idle = [
            each for each in active if not each.runs and (each.is_ready or is_urgent) and each not in best
        ]
        if idle:
            self._retire(min(idle, key=lambda server: server.last_used))
        return bool(idle)

    def _start(self, key: Key, preloaded: list[str]) -> _Server:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        launcher = importlib.util.find_spec("ipykernel_launcher")
        options, environment = key
        command = [
            sys.executable,
            *options,
            "-m",
            "runwidgets.execution.forkserver.server",
            str(theirs.fileno()),
        ]
        arguments = [str(launcher.origin) if launcher else "ipykernel_launcher.py", HISTORY_OPTION]
        command += [json.dumps(arguments), json.dumps(preloaded)]
        with theirs:
            process = subprocess.Popen(
                command,
                cwd="/",
                env={**dict(environment), RUN_VARIABLE: UNMARKED},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        server = _Server(
            key=key, preloaded=preloaded, modules=_installed(preloaded), process=process, control=ours
        )
        self._servers.append(server)
        return server

    def _maintain(self) -> None:
        now = time.monotonic()
        for server in self._servers:
            is_idle = not server.runs and now - server.last_used > IDLE_TIME
            if not server.is_retired and (is_idle or _memory(server.process.pid) > MAX_MEMORY):
                self._retire(server)

    def _retire(self, server: _Server) -> None:
        """Send no more requests to a server; it ends after its runs."""
        if not server.is_retired:
            server.is_retired = True
            server.control.shutdown(socket.SHUT_WR)

    def _discard(self, server: _Server) -> None:
        self._servers.remove(server)
        server.control.close()
        server.process.wait()

    def _key(self, kernel_name: str, environment: Mapping[str, str]) -> Key | None:
        """Return the key of the servers for a kernelspec, or None if its kernel cannot be forked."""
        if not self._can_fork:
            return None
        options = python_options(kernel_name, kernelspecs())
        if options is None:
            return None
        key = options, tuple(sorted(environment.items()))
        has_failed = time.monotonic() - self._failed_at.get(key, -RESTART_DELAY) < RESTART_DELAY
        return None if has_failed else key


def _installed(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if name.partition(".")[0] not in sys.stdlib_module_names)


def _memory(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
