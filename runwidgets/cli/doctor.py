"""The verb `doctor`: checks the invariants of a root."""

import sys

from runwidgets.cli.root import RootVerb
from runwidgets.errors import RunWidgetsError
from runwidgets.service.integrity.doctor import Report, examine
from runwidgets.service.integrity.invariants import INVARIANTS, REMEDIES

NOT_CHECKED = 2
"""Exit code if the root could not be checked."""


class DoctorApp(RootVerb):
    """Check the invariants of a root."""

    name = "jupyter-runwidgets-doctor"
    description = (
        "Checks the invariants of runs and their files, at rest or while a server uses the root. "
        "Changes nothing. Prints a line for each violation and, on the error stream, the text of each "
        "violated invariant and what to do about it; exits with status 1 if there is a violation, and with 2 "
        "if the root cannot be checked. Root and database are those of the server's configuration, unless "
        "options give others."
    )
    examples = "jupyter runwidgets doctor\njupyter runwidgets doctor --root=/data/runwidgets"

    def start(self) -> None:
        """Check the root and print the violations."""
        try:
            self.print_root()
            report = examine(self.settings.root, self.settings.db_url or None, cache=self.cache)
        except RunWidgetsError as error:
            print(error.message, file=sys.stderr)
            self.exit(NOT_CHECKED)
        else:
            _print_report(report)
            self.exit(1 if report.violations else 0)


def _print_report(report: Report) -> None:
    for violation in report.violations:
        print(violation, flush=True)
    for number in sorted({violation.invariant for violation in report.violations}):
        print(f"invariant {number}: {INVARIANTS[number]} {REMEDIES[number]}", file=sys.stderr)
    if not report.violations:
        print(f"no problem found: {report.runs:,} runs, {report.files:,} files checked")
