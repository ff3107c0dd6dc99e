"""The Unix socket of a Jupyter server: the way to it for programs of the same user on the same machine.

It needs neither a port nor a certificate: it leads to the server also if that has a certificate of its own,
asks for one, or listens at another address than that of this machine.
"""

import os
import stat
import tempfile
from pathlib import Path

SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
"""Where the socket is if the path of the folder for temporary files is too long for one."""
MAX_PATH = 100
"""Bytes of the path of a socket. **Source:** ``sun_path`` has 108 on Linux, 104 on macOS."""


def server_socket(pid: int) -> Path:
    """Return the path at which a server has its socket, in a folder of its own.

    Parameters
    ----------
    pid : int
        The server's process.
    """
    name = f"runwidgets-server-{os.getuid()}-{pid}"
    paths = [Path(folder, name, "server.sock") for folder in (tempfile.gettempdir(), *SHORT_FOLDERS)]
    return next((path for path in paths if len(os.fsencode(path)) <= MAX_PATH), paths[0])


def is_usable(path: Path) -> bool:
    """Return whether a socket is there that nobody but this user can have made."""
    try:
        folder, found = path.parent.lstat(), path.lstat()
    except OSError:
        return False
    is_private = stat.S_ISDIR(folder.st_mode) and folder.st_uid == os.getuid() and not folder.st_mode & 0o077
    return is_private and stat.S_ISSOCK(found.st_mode)
