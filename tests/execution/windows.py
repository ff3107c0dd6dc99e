"""Makes a Python process on Linux look like one on Windows to runwidgets; imported first.

The features that only Unix has are removed before runwidgets is imported. `os.name` is not changed, because
`pathlib` would create paths that it then rejects; runwidgets does not read it.
"""

import asyncio  # noqa: F401
import ctypes
import os
import signal
import socket
import sys
from typing import Any

import anywidget  # noqa: F401  # other libraries are compiled for Linux, so they are imported before
import httpx  # noqa: F401
import IPython  # noqa: F401
import jupyter_core.application  # noqa: F401
import jupyter_server.serverapp  # noqa: F401
import nbclient  # noqa: F401
import nbconvert  # noqa: F401
import papermill.execute  # noqa: F401
import psutil  # noqa: F401
import pydantic  # noqa: F401
import sqlalchemy  # noqa: F401
import zmq.asyncio  # noqa: F401

UNIX = {
    os: "fork register_at_fork geteuid getuid setsid killpg waitstatus_to_exitcode O_CLOEXEC O_NOFOLLOW "
    "O_DIRECTORY pidfd_open pipe2 mkfifo statvfs chown sched_getaffinity",
    signal: "SIGKILL SIGHUP SIGCHLD SIGALRM set_wakeup_fd alarm",
    socket: "AF_UNIX SOCK_SEQPACKET recv_fds send_fds",
}
"""Names that these modules do not have on Windows."""


class Library(ctypes.CDLL):
    """A shared library; on Windows, the process itself is not one."""

    def __init__(self, name: str | None, *arguments: Any, **options: Any) -> None:
        if name is None:
            raise TypeError("LoadLibrary() argument 1 must be str, not None")
        super().__init__(name, *arguments, **options)


for module in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[module] = None  # type: ignore[assignment]  # makes its import fail
for owner, names in UNIX.items():
    for name in names.split():
        delattr(owner, name)
ctypes.CDLL = Library  # type: ignore[misc]
sys.platform = "win32"
