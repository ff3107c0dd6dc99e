"""The command `jupyter runwidgets`."""

from collections.abc import Sequence
from importlib.metadata import version as installed_version
from typing import Any

from jupyter_core.application import JupyterApp

from runwidgets.cli.clean import CleanApp
from runwidgets.cli.demo import DemoApp
from runwidgets.cli.doctor import DoctorApp
from runwidgets.server.extension import RunWidgetsApp


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
        """Run the subcommand, or print the help if there is none."""
        if self.subapp is None:
            self.print_help()
            return None
        return self.subapp.start()


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        None for the arguments of the process.

    Returns
    -------
    Any
        The return value of the subcommand.
    """
    return RunWidgetsCommand.launch_instance(list(arguments) if arguments is not None else None)
