"""The routes in a standalone Voilà, which loads no server extensions.

Voilà calls its `page_config_hook` with the application before the kernel of a page starts. The first
call adds the routes to the application, and publishes their address to kernels. Put this into a file
``voila.py`` in the folder where Voilà is started, in Jupyter's configuration folder, or in one of
``--Voila.config_file_paths``::

    from runwidgets.server.voila import open_routes
    c.VoilaConfiguration.page_config_hook = open_routes

Everybody with access to the page may then use the routes; Voilà's own `token` restricts the access.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

from jupyter_events import EventLogger
from jupyter_server.base.handlers import path_regex
from tornado.web import StaticFileHandler

from runwidgets.server.event_stream import EventsHandler
from runwidgets.server.extension import RunWidgetsApp
from runwidgets.server.route_handlers import make_handlers

KEY = "runwidgets"
"""Key of the extension in Voilà's settings."""


def open_routes(
    current_page_config: dict[str, Any], base_url: str, settings: dict[str, Any], **others: Any
) -> dict[str, Any]:
    """Serve the routes in addition to Voilà's own; a hook for ``VoilaConfiguration.page_config_hook``.

    Parameters
    ----------
    current_page_config : dict
        The configuration of the page; returned unchanged.
    base_url : str
        Base URL of Voilà.
    settings : dict
        Settings of Voilà's web application.
    **others
        Further arguments of a hook: ``log``, ``voila_configuration``, ``notebook_path``.

    Returns
    -------
    dict
        `current_page_config`.
    """
    if KEY not in settings and "voila" in settings:  # a Jupyter server has already loaded the extension
        voila = settings["voila"]
        settings[KEY] = _open(voila, base_url, settings, others["voila_configuration"])
    return current_page_config


def _open(voila: Any, base_url: str, settings: dict[str, Any], configuration: Any) -> RunWidgetsApp:
    from voila.tornado.contentshandler import VoilaContentsHandler

    settings.setdefault("last_activity_times", {})
    app = RunWidgetsApp(log=voila.log)
    app.read_config(lambda: app.update_config(voila.config))
    server: Any = SimpleNamespace(
        base_url=base_url,
        event_logger=EventLogger(),
        identity_provider=voila.identity_provider,
        local_url=f"http://{voila.ip or 'localhost'}:{voila.port}{base_url}",
        root_dir=voila.root_dir,
        web_app=voila.app,
    )
    app.serverapp = server
    app.publish_address()  # now: Voilà reads the environment of its first kernel before the loop continues
    prefix = voila.server_url.rstrip("/")
    rules = [(f"{prefix}{pattern}", *rest) for pattern, *rest in make_handlers(app.context, EventsHandler)]
    options = {"voila_configuration": configuration}
    listing = (rf"{prefix}/api/contents{path_regex}", VoilaContentsHandler, options)  # read-only
    views = (rf"{prefix}/static/{KEY}/(.*)", StaticFileHandler, {"path": app.static_paths[0]})
    voila.app.add_handlers(".*$", [*rules, listing, views])
    routing_rules = voila.app.default_router.rules
    routing_rules.insert(0, routing_rules.pop(-2))  # before Voilà's rules, one of which matches every path
    settings[f"{KEY}.start"] = asyncio.ensure_future(app._start_jupyter_server_extension(server))
    return app
