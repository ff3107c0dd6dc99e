"""The verb `doctor`: checks a root."""

from runwidgets.cli.root import RootApp
from runwidgets.service.integrity.doctor import examine


class DoctorApp(RootApp):
    """Check a root."""

    name = "jupyter-runwidgets-doctor"
    description = (
        "Checks what must always be true of runs and their files, at rest or while a server works on them. "
        "Changes nothing; prints a line for each thing that is wrong, and then exits with 1."
    )
    examples = "jupyter runwidgets doctor --root=/data/runwidgets"

    def start(self) -> None:
        """Examine the root and say what came of it."""
        report = examine(self.place, self.db_url or None)
        for finding in report.findings:
            print(finding)
        if not report.findings:
            print(f"all is well: {report.runs:,} runs, {report.files:,} files checked")
        self.exit(1 if report.findings else 0)
