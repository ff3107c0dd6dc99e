"""How a cell ends its run in languages other than Python, whose cells raise ``SystemExit``.

R's kernel replaces ``quit`` by a function that only asks for the end of the kernel in the reply to the cell,
without the status. bash's kernel starts another shell if the one that executes the cells exits, and replies
as if nothing had happened. So both are prepared before the first cell: R reports the status in its reply, and
the shell writes it into a file when it exits. Whether a shell has ended is seen from its process; one that
could not write its status, because a cell has a trap of its own, has ended with an unknown one.

Python's kernel, where it was not forked, is prepared to send what its threads print until the very end.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runwidgets.execution.kernels.kernel import Kernel

R_QUIT = """
local({
    executor <- environment(base::quit)
    original <- executor$quit
    assign("quit", function(save = "default", status = 0, runLast = TRUE) {
        before <- length(executor$payload)
        original(save, status, runLast)
        if (length(executor$payload) > before) {
            payload <- executor$payload
            payload[[length(payload)]]$status <- as.integer(status)
            assign("payload", payload, executor)
        }
        invisible()
    }, executor)
})
"""
"""Adds the status to the request for the end. **Source:** IRkernel 1.3, ``Executor$quit``."""
BASH_TRAP = "trap -- {command} EXIT"
BASH_COMMAND = "builtin echo $? >| {path}"
PYTHON_FLUSH = """
__import__("atexit").register(
    lambda: [getattr(__import__("sys"), name).flush() for name in ("stdout", "stderr")]
)
"""
"""Sends what the last thread printed. **Source:** ipykernel 7, ``OutStream``, which is closed at the exit."""
PYTHON_KERNEL, R_KERNEL, BASH_KERNEL = "ipython", "IRkernel", "bash_kernel"
"""The ``implementation`` in their replies to ``kernel_info_request``."""


@dataclass(frozen=True)
class Exit:
    """The end of a run that a cell asked for."""

    status: int | None
    """Its exit status; None if it is not known."""
    program: str | None = None
    """The program that the cell ended; None if that is the kernel, which still has to end."""

    def describe(self) -> str:
        """Return the part of a sentence whose subject is a cell."""
        if self.status is not None:
            return f"ended with exit status {self.status}"
        ended = "ended" if self.program is None else f"ended '{self.program}', which executes the cells,"
        return f"{ended} with an unknown exit status"


class Exits:
    """Finds the cell that ends a run.

    Parameters
    ----------
    kernel : Kernel
        The kernel, which is ready, and has executed no cell.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._programs = kernel.programs
        self._file: Path | None = None
        self.preparation = ""
        """Code that is executed before the first cell, unseen; empty if there is none."""
        if kernel.implementation == R_KERNEL:
            self.preparation = R_QUIT.strip()
        elif kernel.implementation == BASH_KERNEL:
            self._file = kernel.folder / "exit-status"
            command = BASH_COMMAND.format(path=shlex.quote(str(self._file)))
            self.preparation = BASH_TRAP.format(command=shlex.quote(command))
        elif kernel.implementation == PYTHON_KERNEL and kernel.way == "spawned":
            self.preparation = PYTHON_FLUSH.strip()

    def find(self, reply: dict[str, Any]) -> Exit | None:
        """Return the exit that the cell asked for to which a kernel has replied, or None.

        Parameters
        ----------
        reply : dict
            Content of the reply.
        """
        ended = [each for each in self._programs if each.has_ended]
        if ended:
            return Exit(self._read_status(), ended[0].name)
        payload = reply.get("payload")
        for each in payload if isinstance(payload, list) else ():
            match each:
                case {"source": "ask_exit", "status": status} if not each.get("keepkernel"):
                    return Exit(status if isinstance(status, int) else None)
                case {"source": "ask_exit"} if not each.get("keepkernel"):
                    return Exit(0)
        return None

    def _read_status(self) -> int | None:
        if self._file is None or not self._file.exists():
            return None
        return int(self._file.read_text())
