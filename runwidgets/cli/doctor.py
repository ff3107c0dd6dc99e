"""The verb `doctor`: checks the invariants of a root."""

from runwidgets.cli.root import RootApp
from runwidgets.service.integrity.doctor import examine


class DoctorApp(RootApp):
    """Check the invariants of a root."""

    name = "jupyter-runwidgets-doctor"
    description = (
        "Checks the invariants of runs and their files, at rest or while a server uses the root. "
        "Changes nothing; prints a line for each violation, and exits with status 1 if there is one."
    )
    examples = "jupyter runwidgets doctor --root=/data/runwidgets"

    def start(self) -> None:
        """Check the root and print the violations."""
        report = examine(self.location, self.db_url or None)
        for finding in report.findings:
            print(finding)
        if not report.findings:
            print(f"no problem found: {report.runs:,} runs, {report.files:,} files checked")
        self.exit(1 if report.findings else 0)
