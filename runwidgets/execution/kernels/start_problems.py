"""Why a kernel does not start: its program, its interpreter, and what it wrote."""

import errno
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from runwidgets.execution.run_outcome import omit_middle

TAIL_SIZE = 16 * 1024
"""Bytes at the end of a kernel's output that are read."""
TAIL_LINES = 10
"""Lines at the end of a kernel's output that a message has at most."""
LINE_SIZE = 300
"""Characters of each of these lines at most."""
MODULE_PROBE_TIMEOUT = 10.0
"""Seconds within which an interpreter must say whether it has a module."""
PROBE = "import importlib.util, sys; sys.exit(42 * (importlib.util.find_spec(sys.argv[1]) is None))"
"""A program that exits with `PROBE_MISSING` if there is no module with the name in its first argument."""
PROBE_MISSING = 42
INTERPRETER = re.compile(r"(python|pypy)[\d.]*")
PACKAGES = {"ipykernel_launcher": "ipykernel"}
"""What to install for a module with another name."""


class OutputTail:
    """The end of what a kernel writes into a file that others write too.

    Parameters
    ----------
    path : Path
        The file; what it holds now is not part of the output.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.skip()

    def skip(self) -> None:
        """Leave out what was written until now."""
        try:
            self._start = self._path.stat().st_size
        except FileNotFoundError:
            self._start = 0

    def read(self) -> str:
        """Return the last lines as text; empty if there are none."""
        from wcwidth import strip_sequences  # most runs do not need it

        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                start = self._start if self._start <= size else 0  # it has been shortened
                file.seek(max(start, size - TAIL_SIZE))
                content = file.read(TAIL_SIZE)
        except FileNotFoundError:
            return ""
        text = strip_sequences(content.decode("utf-8", "replace"))
        lines = [_printable(line) for line in text.splitlines() if line.strip()]
        return "\n".join(omit_middle(line, LINE_SIZE) for line in lines[-TAIL_LINES:])


def describe_launch(program: str, error: OSError) -> str:
    """Return why the system did not start a program.

    Parameters
    ----------
    program : str
        The first word of the command.
    error : OSError
        What the system said.

    Returns
    -------
    str
        A part of a sentence that names the program.
    """
    is_path = os.sep in program
    if error.errno == errno.ENOENT and is_path and os.path.exists(program):
        return f"the interpreter that the first line of '{program}' names does not exist"
    if error.errno == errno.ENOENT:
        return f"the program '{program}' " + ("does not exist" if is_path else "is not on the PATH")
    if error.errno == errno.EACCES and os.path.isdir(program):
        return f"'{program}' is a folder, not a program"
    if error.errno == errno.EACCES:
        return f"the program '{program}' may not be executed: permission denied"
    return f"the program '{program}' cannot be executed: {error.strerror}"


def find_missing_module(command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> str | None:
    """Return what is missing if a command executes a module of Python that is not installed.

    The interpreter itself is asked, because its message may be in any words.

    Parameters
    ----------
    command : sequence of str
        Such as ``["/usr/bin/python3", "-m", "ipykernel_launcher", …]``.
    environment : mapping of str to str
        Its environment.
    cwd : Path
        Its working folder.

    Returns
    -------
    str or None
        A part of a sentence that names the package and the interpreter; None if nothing is missing, or the
        command is not of this kind.
    """
    at = command.index("-m") if "-m" in command[:-1] else 0
    options = command[1:at]
    is_python = INTERPRETER.fullmatch(os.path.basename(command[0])) is not None
    if not at or not is_python or not all(each.startswith("-") for each in options):
        return None
    module = command[at + 1]
    try:
        probe = subprocess.run(
            [command[0], *options, "-c", PROBE, module],
            env=dict(environment),
            cwd=cwd,
            timeout=MODULE_PROBE_TIMEOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if probe.returncode != PROBE_MISSING:
        return None
    package = PACKAGES.get(module, module)
    return f"'{package}' is not installed for {command[0]}: install it there"


def _printable(line: str) -> str:
    """Return a line without characters that a message cannot hold."""
    return "".join(each if each.isprintable() else " " for each in line).rstrip()
