"""The command `jupyter runwidgets`."""

import os
import shutil
import site
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from jupyter_core.application import JupyterApp
from traitlets import Bool, Integer, Unicode

from runwidgets.client import default_root
from runwidgets.errors import RunWidgetsError
from runwidgets.server.extension import RunWidgetsApp
from runwidgets.service.doctor import examine
from runwidgets.service.retention import MAX_DAYS
from runwidgets.service.wiring import clean_root
from runwidgets.store.layout import folder_of, is_url

NOTEBOOKS = Path("share", "runwidgets", "notebooks")


def find_notebooks() -> Path:
    """Return the folder of the example notebooks.

    Returns
    -------
    Path
        Where the installation put them.

    Raises
    ------
    FileNotFoundError
        They are not installed.
    """
    bases = [Path(sys.prefix), Path(sysconfig.get_path("data")), Path(site.getuserbase())]
    for base in bases:
        if (base / NOTEBOOKS / "quickstart.ipynb").is_file():
            return base / NOTEBOOKS
    raise FileNotFoundError(f"the example notebooks are not in {bases[0] / NOTEBOOKS}")


class DemoApp(JupyterApp):
    """Open JupyterLab on the quickstart."""

    name = "jupyter-runwidgets-demo"
    version = installed_version("runwidgets")
    description = "Copies the example notebooks into a folder and opens JupyterLab on the quickstart."
    examples = "jupyter runwidgets demo --no-browser --folder=play"
    aliases = {"folder": "DemoApp.folder"}  # noqa: RUF012
    flags = {  # noqa: RUF012
        "no-browser": ({"DemoApp": {"opens_browser": False}}, "Do not open a browser; print the address.")
    }

    folder = Unicode(
        "runwidgets-demo",
        help="Folder that the notebooks are copied into; made where it is missing, and what is there stays.",
    ).tag(config=True)
    opens_browser = Bool(True, help="Whether a browser is opened.").tag(config=True)

    def start(self) -> None:
        """Copy what is missing, and become JupyterLab."""
        folder = Path(self.folder).absolute()
        for source in find_notebooks().rglob("*"):
            target = folder / source.relative_to(find_notebooks())
            if source.is_file() and not target.exists() and ".ipynb_checkpoints" not in source.parts:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
        command += ["--LabApp.default_url=/lab/tree/quickstart.ipynb"]
        command += [] if self.opens_browser else ["--no-browser"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            self.log.warning("The demo runs as root, as it does in most containers.")
            command += ["--allow-root"]
        os.execv(command[0], [*command, *self.extra_args])


class RootApp(JupyterApp):
    """Does something with a root, with no server."""

    version = installed_version("runwidgets")
    aliases = {"root": "RootApp.root", "db-url": "RootApp.db_url"}  # noqa: RUF012

    root = Unicode(help="Folder or URL of the runs. Empty means `runwidgets` in Jupyter's data folder.").tag(
        config=True
    )
    db_url = Unicode(help="SQLAlchemy URL of the database. Empty means SQLite in the root.").tag(config=True)

    @property
    def place(self) -> Path | str:
        """The root: a folder, absolute, or a URL."""
        if is_url(self.root):
            return self.root
        return folder_of(self.root or default_root()).expanduser().absolute()


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


class CleanApp(RootApp):
    """Remove what is old."""

    name = "jupyter-runwidgets-clean"
    description = (
        "Removes runs that are older than you say, and whatever under the root belongs to nobody. A run goes "
        "as soon as one of the two options says so; active runs stay. A server may work on the root."
    )
    examples = "jupyter runwidgets clean --keep-days=30 --keep-runs=100 --dry-run"
    aliases = {  # noqa: RUF012
        **RootApp.aliases,
        "keep-days": "CleanApp.keep_days",
        "keep-runs": "CleanApp.keep_runs",
    }
    flags = {"dry-run": ({"CleanApp": {"is_dry": True}}, "Only say what would be removed.")}  # noqa: RUF012

    keep_days = Integer(
        0, min=0, max=MAX_DAYS, help="Days for which a run is kept after its end. 0 means for ever."
    ).tag(config=True)
    keep_runs = Integer(0, min=0, help="Newest runs of each group that are kept. 0 means all.").tag(
        config=True
    )
    is_dry = Bool(False, help="Whether it is only said what would be removed.").tag(config=True)

    def start(self) -> None:
        """Clean the root and say what went."""
        verb, runs, others, size = "would remove" if self.is_dry else "removed", 0, 0, 0
        options = self.db_url or None, self.keep_days, self.keep_runs
        try:
            for removal in clean_root(self.place, *options, is_dry=self.is_dry):
                print(f"{verb} {removal.subject}, {removal.size:,} bytes")
                is_run = removal.subject.startswith("run ")
                runs, others, size = runs + is_run, others + (not is_run), size + removal.size
        except RunWidgetsError as error:
            sys.exit(error.message)
        print(f"{verb} {runs:,} runs and {others:,} leftovers, {size:,} bytes")


class RunWidgetsCommand(JupyterApp):
    """Notebooks as workflows."""

    name = "jupyter-runwidgets"
    version = installed_version("runwidgets")
    description = (
        "Turns notebooks into workflows that anyone on the server can run.\n\n"
        "The settings below are those of the server extension; they go into jupyter_server_config.py, "
        "or onto the command line of Jupyter."
    )
    classes = [RunWidgetsApp]  # noqa: RUF012
    subcommands = {  # noqa: RUF012
        "clean": (CleanApp, "Remove runs that are older than you say."),
        "demo": (DemoApp, "Open JupyterLab on the quickstart."),
        "doctor": (DoctorApp, "Check what must always be true of the runs and their files."),
    }

    def start(self) -> Any:
        """Run the subcommand, or say which there are."""
        if self.subapp is None:
            self.print_help()
            return None
        return self.subapp.start()


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        None for those of the process.

    Returns
    -------
    Any
        What the subcommand returns.
    """
    return RunWidgetsCommand.launch_instance(list(arguments) if arguments is not None else None)
