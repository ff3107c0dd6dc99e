"""As a `sitecustomize`: makes a Python process of Linux one of macOS, as far as runwidgets can tell.

What only Linux has is gone before anything of ours is imported, in every process that inherits the path, and
``kqueue`` is there. Other libraries are compiled for Linux, so what they would do differently is settled
first.
"""

import os
import platform
import select
import socket
import sys
import sysconfig
import urllib.request  # noqa: F401  # else it would ask macOS for its proxies
from typing import Any

import psutil  # noqa: F401  # else its part for macOS would be looked for

LINUX = (
    "pidfd_open pipe2 sched_getaffinity memfd_create eventfd O_PATH O_TMPFILE posix_fadvise posix_fallocate "
    "copy_file_range splice waitid"  # waitid: before Python 3.13
)
"""Names that `os` has not in macOS."""

open_pidfd = os.pidfd_open


class KernelEvent:
    """What ``select.kevent`` is."""

    def __init__(self, ident: int, *_: int) -> None:
        self.ident = ident


class KernelQueue:
    """What ``select.kqueue`` does for the end of one process."""

    def control(self, changes: list[KernelEvent], _: int, timeout: float | None = None) -> list[Any]:
        """Wait for the process; one that is not there is an error, as in macOS."""
        descriptor = open_pidfd(changes[0].ident)
        try:
            return select.select([descriptor], [], [], timeout)[0]
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of nothing."""


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what macOS has not: ``/proc`` (to our modules), calls of Linux, packet sockets."""
    if event in {"open", "os.listdir", "os.scandir"} and str(arguments[0]).startswith("/proc"):
        if "/runwidgets/" in sys._getframe(1).f_code.co_filename:
            raise FileNotFoundError(2, "No such file or directory", arguments[0])
    elif event == "ctypes.dlsym" and arguments[1] in {"prctl", "syncfs"}:
        raise AttributeError(arguments[1])
    elif event == "socket.__new__" and arguments[2] == socket.SOCK_SEQPACKET:
        raise OSError(43, "Protocol not supported")


sysconfig.get_config_vars()  # read from a file that is named after the system
platform.mac_ver = lambda *_: ("10.0", ("", "", ""), "")
for name in LINUX.split():
    if hasattr(os, name):
        delattr(os, name)
for name in ("KQ_FILTER_PROC", "KQ_EV_ADD", "KQ_EV_ONESHOT", "KQ_NOTE_EXIT"):
    setattr(select, name, 0)
select.kevent, select.kqueue = KernelEvent, KernelQueue
sys.addaudithook(refuse)
sys.platform = "darwin"
