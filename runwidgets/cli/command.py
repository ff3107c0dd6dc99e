"""The command `jupyter runwidgets`, which has only verbs."""

from collections.abc import Sequence
from typing import Any

from traitlets import TraitError

from runwidgets.cli.clean import CleanApp
from runwidgets.cli.demo import DemoApp
from runwidgets.cli.doctor import DoctorApp
from runwidgets.cli.verb import Verb


class RunWidgetsCommand(Verb):
    """Notebooks as workflows."""

    name = "jupyter-runwidgets"
    description = (
        "Turns notebooks into workflows that anyone on the server can run.\n\n"
        "`jupyter runwidgets --help-all` lists the settings of the server extension, which are set in "
        "jupyter_server_config.py, or on the command line of Jupyter."
    )
    subcommands = {  # noqa: RUF012
        "clean": (CleanApp, "Remove old runs and orphans."),
        "demo": (DemoApp, "Open JupyterLab on the quickstart."),
        "doctor": (DoctorApp, "Check the invariants of the runs and their files."),
    }

    def initialize(self, argv: Sequence[str] | None = None) -> None:
        """Read the command line, which is that of the verb if there is one."""
        self.parse_command_line(None if argv is None else list(argv))
        if self.subapp is None:
            try:
                self.check_command_line()
            except TraitError as error:
                self.refuse(str(error))

    def check_command_line(self) -> None:
        """Raise an error for an unknown verb or setting."""
        if self.extra_args:
            verbs = ", ".join(self.subcommands)
            raise TraitError(f"{self.extra_args[0]}: the first argument is one of the verbs {verbs}")
        super().check_command_line()

    def start(self) -> Any:
        """Run the verb, or print the help if there is none."""
        if self.subapp is not None:
            return self.subapp.start()
        self.print_help()
        return None
