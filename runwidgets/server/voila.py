"""The routes in a standalone Voilà, which loads no server extensions.

Voilà's `page_config_hook` is called before a page's kernel starts and is given the application. The first
call adds the routes to it and tells kernels where they are. In a file ``voila.py``, in the folder where
Voilà is started, in Jupyter's configuration folder, or where ``--Voila.config_file_paths`` says::

    from runwidgets.server.voila import open_routes
    c.VoilaConfiguration.page_config_hook = open_routes

Whoever reaches the page may then do what the routes offer; Voilà's own `token` keeps others out.
"""

import asyncio
import atexit
from types import SimpleNamespace
from typing import Any

from jupyter_events import EventLogger
from jupyter_server.base.handlers import path_regex
from tornado.web import StaticFileHandler

from runwidgets.server.events import EventsHandler
from runwidgets.server.extension import RunWidgetsApp
from runwidgets.server.table import make_handlers

KEY = "runwidgets"
"""Under which the settings of Voilà hold the extension."""


def open_routes(
    current_page_config: dict[str, Any], base_url: str, settings: dict[str, Any], **others: Any
) -> dict[str, Any]:
    """Serve the routes beside Voilà's own; a hook for ``VoilaConfiguration.page_config_hook``.

    Parameters
    ----------
    current_page_config : dict
        What the page is told; returned as it is.
    base_url : str
        Where Voilà is served.
    settings : dict
        Of Voilà's web application.
    **others
        What else a hook is given: ``log``, ``voila_configuration``, ``notebook_path``.

    Returns
    -------
    dict
        `current_page_config`.
    """
    if KEY not in settings and "voila" in settings:  # in a Jupyter server the extension is there already
        voila = settings["voila"]
        settings[KEY] = _open(voila, base_url, settings, others["voila_configuration"])
    return current_page_config


def _open(voila: Any, base_url: str, settings: dict[str, Any], configuration: Any) -> RunWidgetsApp:
    from voila.tornado.contentshandler import VoilaContentsHandler

    settings.setdefault("last_activity_times", {})
    app = RunWidgetsApp(config=voila.config, log=voila.log)
    server: Any = SimpleNamespace(
        base_url=base_url,
        event_logger=EventLogger(),
        identity_provider=voila.identity_provider,
        local_url=f"http://{voila.ip or 'localhost'}:{voila.port}{base_url}",
        root_dir=voila.root_dir,
        web_app=voila.app,
    )
    app.serverapp = server
    app.tell_kernels()  # now: Voilà takes the environment of its first kernel before the loop goes on
    prefix = voila.server_url.rstrip("/")
    rules = [(f"{prefix}{pattern}", *rest) for pattern, *rest in make_handlers(app, EventsHandler)]
    about = {"voila_configuration": configuration}
    listing = (rf"{prefix}/api/contents{path_regex}", VoilaContentsHandler, about)  # it only reads
    views = (rf"{prefix}/static/{KEY}/(.*)", StaticFileHandler, {"path": app.static_paths[0]})
    voila.app.add_handlers(".*$", [*rules, listing, views])
    known = voila.app.default_router.rules
    known.insert(0, known.pop(-2))  # before Voilà's rules, of which one takes whatever is left
    settings[f"{KEY}.start"] = asyncio.ensure_future(app._start_jupyter_server_extension(server))
    atexit.register(_close, app)
    return app


def _close(app: RunWidgetsApp) -> None:
    if app.hosted is not None:
        app.hosted.close()
