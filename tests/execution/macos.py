"""Makes a Python process on Linux look like one on macOS to runwidgets; used as a `sitecustomize`.

In every process that inherits the path, the features that only Linux has are removed before runwidgets is
imported, and ``kqueue`` is added. Other libraries are compiled for Linux, so those that would behave
differently are imported first.
"""

import os
import platform
import select
import socket
import sys
import sysconfig
import urllib.request  # noqa: F401  # imported later, it would ask macOS for its proxies
from typing import Any

import psutil  # noqa: F401  # imported later, it would look for its macOS part

LINUX = (
    "pidfd_open pipe2 sched_getaffinity memfd_create eventfd O_PATH O_TMPFILE posix_fadvise posix_fallocate "
    "copy_file_range splice waitid"  # waitid: before Python 3.13
)
"""Names that `os` does not have on macOS."""

open_pidfd = os.pidfd_open


class KernelEvent:
    """A replacement of ``select.kevent``."""

    def __init__(self, ident: int, *_: int) -> None:
        self.ident = ident


class KernelQueue:
    """A replacement of ``select.kqueue`` that reports the end of one process."""

    def control(self, changes: list[KernelEvent], _: int, timeout: float | None = None) -> list[Any]:
        """Wait for the process; raise an error if it does not exist, as on macOS."""
        descriptor = open_pidfd(changes[0].ident)
        try:
            return select.select([descriptor], [], [], timeout)[0]
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Do nothing."""


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Reject what macOS does not have: ``/proc`` (for our modules), Linux system calls, packet sockets."""
    if event in {"open", "os.listdir", "os.scandir"} and str(arguments[0]).startswith("/proc"):
        if "/runwidgets/" in sys._getframe(1).f_code.co_filename:
            raise FileNotFoundError(2, "No such file or directory", arguments[0])
    elif event == "ctypes.dlsym" and arguments[1] in {"prctl", "syncfs"}:
        raise AttributeError(arguments[1])
    elif event == "socket.__new__" and arguments[2] == socket.SOCK_SEQPACKET:
        raise OSError(43, "Protocol not supported")


sysconfig.get_config_vars()  # cached now, because it is read from a file that is named after the system
platform.mac_ver = lambda *_: ("10.0", ("", "", ""), "")
for name in LINUX.split():
    if hasattr(os, name):
        delattr(os, name)
for name in ("KQ_FILTER_PROC", "KQ_EV_ADD", "KQ_EV_ONESHOT", "KQ_NOTE_EXIT"):
    setattr(select, name, 0)
select.kevent, select.kqueue = KernelEvent, KernelQueue
sys.addaudithook(refuse)
sys.platform = "darwin"
