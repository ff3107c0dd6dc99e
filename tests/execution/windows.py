"""Imported first: makes a Python process of Linux one of Windows, as far as runwidgets can tell.

What only Unix has is gone before anything of ours is imported. `os.name` stays, for `pathlib` would make
paths that it then refuses; nothing of ours asks for it.
"""

import asyncio  # noqa: F401
import ctypes
import os
import signal
import socket
import sys
from typing import Any

import anywidget  # noqa: F401  # other libraries are those of Linux, so they are imported before
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
"""Names that Windows's modules have not."""


class Library(ctypes.CDLL):
    """A shared library; the process itself is not one in Windows."""

    def __init__(self, name: str | None, *arguments: Any, **options: Any) -> None:
        if name is None:
            raise TypeError("LoadLibrary() argument 1 must be str, not None")
        super().__init__(name, *arguments, **options)


for module in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[module] = None  # type: ignore[assignment]  # an import of it fails
for owner, names in UNIX.items():
    for name in names.split():
        delattr(owner, name)
ctypes.CDLL = Library  # type: ignore[misc]
sys.platform = "win32"
