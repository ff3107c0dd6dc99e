"""The verb `clean`: removes old runs and orphans from a root."""

import sys

from traitlets import Bool

from runwidgets.cli.root import RootVerb
from runwidgets.errors import RunWidgetsError
from runwidgets.server.settings import SECTION
from runwidgets.service.factory import clean_root


class CleanApp(RootVerb):
    """Remove old runs and orphans."""

    name = "jupyter-runwidgets-clean"
    description = (
        "Removes runs that are older than the settings keep_days and keep_runs allow, and orphans under the "
        "root. A run is removed as soon as one of the two applies; active runs are kept. A server may use "
        "the root. Root, database and both settings are those of the server's configuration, unless options "
        "give others."
    )
    examples = "jupyter runwidgets clean --keep-days=30 --keep-runs=100 --dry-run"
    aliases = {  # noqa: RUF012
        **RootVerb.aliases,
        "keep-days": f"{SECTION}.keep_days",
        "keep-runs": f"{SECTION}.keep_runs",
    }
    flags = {  # noqa: RUF012
        **RootVerb.flags,
        "dry-run": ({"CleanApp": {"is_dry": True}}, "Only print what would be removed."),
    }

    is_dry = Bool(False, help="Whether to print what would be removed without removing it.").tag(config=True)

    def start(self) -> None:
        """Clean the root and print what was removed."""
        verb, runs, others, size = "would remove" if self.is_dry else "removed", 0, 0, 0
        keep = self.settings.keep_days, self.settings.keep_runs
        db_url = self.settings.db_url or None
        try:
            self.print_root()
            for removal in clean_root(
                self.settings.root, db_url, *keep, is_dry=self.is_dry, cache=self.cache
            ):
                print(f"{verb} {removal.subject}, {removal.size:,} bytes")
                runs, others = runs + removal.is_run, others + (not removal.is_run)
                size += removal.size
        except RunWidgetsError as error:
            sys.exit(error.message)
        print(f"{verb} {runs:,} runs and {others:,} orphans, {size:,} bytes")
