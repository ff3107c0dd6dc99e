"""The command `jupyter runwidgets`, which has only verbs."""

import sys
from importlib.metadata import version as installed_version
from typing import Any

from jupyter_core.application import JupyterApp

from runwidgets.cli.clean import CleanApp
from runwidgets.cli.demo import DemoApp
from runwidgets.cli.doctor import DoctorApp
from runwidgets.server.extension import RunWidgetsApp

USAGE_ERROR = 2
"""Exit code for an invalid command line. **Source:** argparse, ``ArgumentParser.error``."""


class RunWidgetsCommand(JupyterApp):
    """Notebooks as workflows."""

    name = "jupyter-runwidgets"
    version = installed_version("runwidgets")
    description = (
        "Turns notebooks into workflows that anyone on the server can run.\n\n"
        "The settings below are those of the server extension; set them in jupyter_server_config.py, "
        "or on the command line of Jupyter."
    )
    classes = [RunWidgetsApp]  # noqa: RUF012
    subcommands = {  # noqa: RUF012
        "clean": (CleanApp, "Remove old runs and orphans."),
        "demo": (DemoApp, "Open JupyterLab on the quickstart."),
        "doctor": (DoctorApp, "Check the invariants of the runs and their files."),
    }

    def start(self) -> Any:
        """Run the verb, or print the help if there is none."""
        if self.subapp is not None:
            return self.subapp.start()
        if self.extra_args:
            verbs = ", ".join(self.subcommands)
            print(f"{self.extra_args[0]}: the first argument is one of the verbs {verbs}", file=sys.stderr)
            self.exit(USAGE_ERROR)
        self.print_help()
        return None
