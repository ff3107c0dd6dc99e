"""The verb `doctor`: checks the invariants of a root."""

import sys

from runwidgets.cli.root import RootApp
from runwidgets.service.integrity.doctor import examine
from runwidgets.service.integrity.invariants import INVARIANTS

PAGE = "docs/reference/invariants.md"
"""The page of the documentation that explains the invariants, in the sources of the package."""


class DoctorApp(RootApp):
    """Check the invariants of a root."""

    name = "jupyter-runwidgets-doctor"
    description = (
        "Checks the invariants of runs and their files, at rest or while a server uses the root. "
        "Changes nothing. Prints a line for each violation and, on the error stream, the text of each "
        "violated invariant; exits with status 1 if there is a violation."
    )
    examples = "jupyter runwidgets doctor --root=/data/runwidgets"

    def start(self) -> None:
        """Check the root and print the violations."""
        report = examine(self.location, self.db_url or None)
        for violation in report.violations:
            print(violation)
        for number in sorted({violation.invariant for violation in report.violations}):
            print(f"invariant {number}: {INVARIANTS[number]}", file=sys.stderr)
        if report.violations:
            print(f"what to do about each: {PAGE}", file=sys.stderr)
        if not report.violations:
            print(f"no problem found: {report.runs:,} runs, {report.files:,} files checked")
        self.exit(1 if report.violations else 0)
