"""Settings of Voilà: its pages may use the routes of runwidgets; see `runwidgets.server.voila`."""

from runwidgets.server.voila import open_routes

c = get_config()  # noqa: F821  # Voilà gives it to this file
c.VoilaConfiguration.page_config_hook = open_routes
