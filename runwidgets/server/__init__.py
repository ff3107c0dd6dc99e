"""The Jupyter Server extension: REST, the live stream, and their place in a Jupyter server."""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server which app this package adds to it."""
    from runwidgets.server.extension import RunWidgetsApp

    return [{"module": "runwidgets.server.extension", "app": RunWidgetsApp}]
