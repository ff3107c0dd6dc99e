"""The Jupyter Server extension: the REST API and the event stream in a Jupyter server."""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server which application this package adds to it."""
    from runwidgets.server.extension import RunWidgetsApp

    return [{"module": "runwidgets.server.extension", "app": RunWidgetsApp}]
