"""Programs that a kernel drives through a terminal of their own, such as the shell of bash's kernel.

Such a kernel types the code of a cell into the terminal, and reads what appears there. Of the program itself
it sees little: if the program exits, the kernel starts another one, and if it waits for input, the kernel
waits for the end of the cell.
"""

import asyncio
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

READ_CALLS = {"x86_64": 0, "aarch64": 63, "riscv64": 63, "ppc64le": 3, "s390x": 3}
"""Number of the system call ``read`` on Linux, by machine. **Source:** ``asm/unistd.h``."""
READ_INTERVAL = 1.0
"""Seconds between two looks at who reads a terminal; the system reports no such event."""
CONTROLLING_TERMINAL = "/dev/tty"
"""Another name that each process has for its terminal."""


@dataclass(frozen=True)
class TerminalProgram:
    """A program that leads the session of a terminal."""

    process: psutil.Process
    name: str
    terminal: str
    """Path of the terminal."""

    @property
    def has_ended(self) -> bool:
        """Whether the program has ended."""
        with suppress(psutil.NoSuchProcess):
            return not self.process.is_running() or self.process.status() == psutil.STATUS_ZOMBIE
        return True

    def find_reader(self) -> int | None:
        """Return the process that waits for input from the terminal, or None.

        It is in the foreground, has one thread, and that is in the system call ``read``. A program that waits
        with a time limit, or also for something else, is in another call. Linux alone can tell.
        """
        for process in self._foreground():
            if _reads(process, {self.terminal, CONTROLLING_TERMINAL}):
                return process
        return None

    def _foreground(self) -> list[int]:
        """Return the processes to which the terminal sends what is typed."""
        group = _read_stat(self.process.pid)[5:6]
        descendants: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            descendants = self.process.children(recursive=True)
        return [
            pid
            for pid in (self.process.pid, *(each.pid for each in descendants))
            if _read_stat(pid)[2:3] == group
        ]


def find_terminal_programs(kernel: int) -> list[TerminalProgram]:
    """Return the programs that a kernel, given by its process id, drives now."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(kernel).children(recursive=True):
            with suppress(psutil.NoSuchProcess, ProcessLookupError, psutil.AccessDenied):
                terminal = process.terminal()
                if terminal is not None and os.getsid(process.pid) == process.pid:
                    found.append(TerminalProgram(process, process.name(), terminal))
    return found


async def wait_for_reader(programs: Sequence[TerminalProgram]) -> None:
    """Wait until one of the programs waits for input: it did so in two looks in a row."""
    if not programs:
        await asyncio.Event().wait()
    before: set[int] = set()
    while True:
        readers = {reader for each in programs if (reader := each.find_reader()) is not None}
        if readers & before:
            return
        before = readers
        await asyncio.sleep(READ_INTERVAL)


def _reads(pid: int, terminals: set[str]) -> bool:
    try:
        call = Path(f"/proc/{pid}/syscall").read_text().split()
        is_reading = (
            call[0] == str(READ_CALLS.get(platform.machine())) and len(os.listdir(f"/proc/{pid}/task")) == 1
        )
        return is_reading and os.readlink(f"/proc/{pid}/fd/{int(call[1], 16)}") in terminals
    except OSError:  # it has ended, or nobody may look
        return False


def _read_stat(pid: int) -> list[str]:
    """Return the state of a process, its parent, group, session, terminal and the group in front."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
