"""The base class of the verbs that work on a root."""

from importlib.metadata import version as installed_version
from pathlib import Path

from jupyter_core.application import JupyterApp
from traitlets import Unicode

from runwidgets.client.connect import default_root
from runwidgets.store.files.layout import folder_of, is_url


class RootApp(JupyterApp):
    """Work on a root without a server."""

    version = installed_version("runwidgets")
    aliases = {"root": "RootApp.root", "db-url": "RootApp.db_url"}  # noqa: RUF012

    root = Unicode(help="Folder or URL of the runs. Empty means `runwidgets` in Jupyter's data folder.").tag(
        config=True
    )
    db_url = Unicode(help="SQLAlchemy URL of the database. Empty means SQLite in the root.").tag(config=True)

    @property
    def location(self) -> Path | str:
        """The root: a folder, absolute, or a URL."""
        if is_url(self.root):
            return self.root
        return folder_of(self.root or default_root()).expanduser().absolute()
