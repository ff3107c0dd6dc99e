"""The verb `clean`: removes old runs and orphans from a root."""

import sys

from traitlets import Bool, Integer

from runwidgets.cli.root import RootApp
from runwidgets.errors import RunWidgetsError
from runwidgets.limits import MAX_DAYS
from runwidgets.service.factory import clean_root


class CleanApp(RootApp):
    """Remove old runs and orphans."""

    name = "jupyter-runwidgets-clean"
    description = (
        "Removes runs that are older than the options allow, and orphans under the root. A run is removed "
        "as soon as one of the two options applies; active runs are kept. A server may use the root."
    )
    examples = "jupyter runwidgets clean --keep-days=30 --keep-runs=100 --dry-run"
    aliases = {  # noqa: RUF012
        **RootApp.aliases,
        "keep-days": "CleanApp.keep_days",
        "keep-runs": "CleanApp.keep_runs",
    }
    flags = {"dry-run": ({"CleanApp": {"is_dry": True}}, "Only print what would be removed.")}  # noqa: RUF012

    keep_days = Integer(
        0, min=0, max=MAX_DAYS, help="Days for which a run is kept after its end. 0 means forever."
    ).tag(config=True)
    keep_runs = Integer(0, min=0, help="Newest runs of each group that are kept. 0 means all.").tag(
        config=True
    )
    is_dry = Bool(False, help="Whether to print what would be removed without removing it.").tag(config=True)

    def start(self) -> None:
        """Clean the root and print what was removed."""
        verb, runs, others, size = "would remove" if self.is_dry else "removed", 0, 0, 0
        options = self.db_url or None, self.keep_days, self.keep_runs
        try:
            for removal in clean_root(self.location, *options, is_dry=self.is_dry):
                print(f"{verb} {removal.subject}, {removal.size:,} bytes")
                runs, others = runs + removal.is_run, others + (not removal.is_run)
                size += removal.size
        except RunWidgetsError as error:
            sys.exit(error.message)
        print(f"{verb} {runs:,} runs and {others:,} orphans, {size:,} bytes")
