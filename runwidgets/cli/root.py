"""The base class of the verbs that work on a root."""

from pathlib import Path
from typing import Any

from traitlets import TraitError, Unicode, validate

from runwidgets.cli.verb import Verb
from runwidgets.errors import ServiceUnavailableError
from runwidgets.server.extension import RunWidgetsApp
from runwidgets.server.settings import SECTION
from runwidgets.store.database.url import parse_url
from runwidgets.store.files.layout import folder_of, is_url

OF_THE_ROOT = ("db_url", "cache", "keep_days", "keep_runs")
"""Settings that belong to the root of a server, and not to any other."""


class RootVerb(Verb):
    """Work on a root without a server."""

    aliases = {**Verb.aliases, "root": "RootVerb.root", "db-url": f"{SECTION}.db_url"}  # noqa: RUF012

    root = Unicode(
        help=(
            "Folder or URL of the runs, with the database in it, or that of --db-url. Empty means the root "
            'and the database of the server. Example: "/data/runwidgets".'
        )
    ).tag(config=True)

    @validate("root")
    def _validate_root(self, proposal: dict[str, Any]) -> str:
        root = str(proposal["value"])
        try:
            return root if is_url(root) else str(folder_of(root).absolute())
        except ServiceUnavailableError as error:
            raise TraitError(f"--root: {error.problem}; {error.remedy}") from error

    def check_command_line(self) -> None:
        """Refuse also an empty root: a variable of the shell that is not set must not mean another root."""
        super().check_command_line()
        if any(self.cli_config.get(cls.__name__, {}).get("root") == "" for cls in (RootVerb, type(self))):
            raise TraitError("--root: it is empty; give a folder or a URL, or leave the option out")

    def read_settings(self) -> RunWidgetsApp:
        """Return the settings; what the server's configuration says is about its own root only."""
        settings = super().read_settings()
        if self.root and self.root != settings.root:
            settings.root = self.root
            for name in OF_THE_ROOT:
                if name not in self.cli_config.get(SECTION, {}):
                    setattr(settings, name, settings.traits()[name].default_value)
        return settings

    @property
    def cache(self) -> Path | None:
        """The folder for local copies of a root that is a URL; None for the default one."""
        return Path(self.settings.cache) if self.settings.cache else None

    def print_root(self) -> None:
        """Print the root, and the database if it is not in the root."""
        print(f"root: {self.settings.root}")
        if self.settings.db_url:
            print(f"database: {parse_url(self.settings.db_url).render_as_string()}", flush=True)
