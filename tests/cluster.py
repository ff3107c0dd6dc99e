"""A real Dask cluster for the tests: a scheduler and workers, each a process that can be killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.builders import wait_until

ENVIRONMENT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s", "PYTHONWARNINGS": "ignore"}


class Cluster:
    """A cluster on this machine, for this process alone.

    Parameters
    ----------
    workers : int
        Number of workers at the start.
    threads : int
        Threads of each worker.
    options : str
        Further options of ``dask worker``.
    """

    def __init__(self, workers: int = 2, threads: int = 2, *options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="runwidgets-dask-"))
        self._threads = threads
        self._options = options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self._port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.start_scheduler()
        for _ in range(workers):
            self.start_worker()
        wait_until(lambda: self.count_workers() == workers)

    def start_scheduler(self) -> None:
        """Start the scheduler, always at the same address."""
        self.scheduler = self._start("scheduler", "--port", str(self._port), "--no-dashboard")
        wait_until(self._is_ready)

    def start_worker(self) -> "subprocess.Popen[bytes]":
        """Start a worker, which registers with the scheduler soon afterwards."""
        options = ["--no-nanny", "--no-dashboard", "--nthreads", str(self._threads), *self._options]
        worker = self._start("worker", self.address, "--local-directory", str(self.folder), *options)
        self.workers.append(worker)
        return worker

    def count_workers(self) -> int:
        """Return the number of workers that the scheduler knows."""
        from distributed import Client

        with Client(self.address, set_as_default=False, timeout=5) as client:
            return len(client.scheduler_info(n_workers=-1)["workers"])

    def kill_scheduler(self) -> None:
        """Kill the scheduler, as a power cut would."""
        self.scheduler.send_signal(signal.SIGKILL)
        self.scheduler.wait()

    def close(self) -> None:
        """End all processes."""
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder)

    def _is_ready(self) -> bool:
        assert self.scheduler.poll() is None, (self.folder / "scheduler.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _start(self, program: str, *options: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", program, *options],
                env={**os.environ, **ENVIRONMENT},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
