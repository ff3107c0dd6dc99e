"""The Unix socket on which the server also listens, for its kernels and the user's programs."""

import os
import shutil
from logging import Logger
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket

from runwidgets.service.server_socket import server_socket


class KernelSocket:
    """A listener in a folder that only the user may enter.

    Parameters
    ----------
    web_app : tornado.web.Application
        The server's application, which serves the same routes as at its address.
    """

    def __init__(self, web_app: Any) -> None:
        self.path: Path = server_socket(os.getpid())
        self._server = HTTPServer(web_app)

    def open(self, log: Logger) -> bool:
        """Listen, and return whether that succeeded; if not, kernels use the server's address.

        Parameters
        ----------
        log : Logger
            Told why not.
        """
        folder = self.path.parent
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)  # fails if another user has made it
            self._server.add_socket(bind_unix_socket(str(self.path)))
        except OSError as error:
            log.warning("runwidgets | kernels reach the server by its address only: %s", error)
            return False
        return True

    def close(self) -> None:
        """Listen no longer; requests that have begun are served."""
        self._server.stop()
        self.remove()

    def remove(self) -> None:
        """Remove the socket and its folder."""
        shutil.rmtree(self.path.parent, ignore_errors=True)
