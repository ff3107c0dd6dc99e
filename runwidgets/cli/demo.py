"""The verb `demo`: opens JupyterLab on the quickstart."""

import os
import shutil
import site
import sys
import sysconfig
from pathlib import Path

from traitlets import Bool, Unicode

from runwidgets.cli.verb import Verb
from runwidgets.errors import RunWidgetsError
from runwidgets.store.files.disk import make_writable, our_errors

NOTEBOOKS = Path("share", "runwidgets", "notebooks")
GENERATED = {".ipynb_checkpoints", "__pycache__"}
"""Folders that Jupyter and Python create beside notebooks."""


def find_notebooks() -> Path:
    """Return the folder of the example notebooks.

    Returns
    -------
    Path
        The folder into which they were installed.

    Raises
    ------
    FileNotFoundError
        The notebooks are not installed.
    """
    bases = [Path(sys.prefix), Path(sysconfig.get_path("data")), Path(site.getuserbase())]
    for base in bases:
        if (base / NOTEBOOKS / "quickstart.ipynb").is_file():
            return base / NOTEBOOKS
    raise FileNotFoundError(f"the example notebooks are not in {bases[0] / NOTEBOOKS}")


class DemoApp(Verb):
    """Open JupyterLab on the quickstart."""

    name = "jupyter-runwidgets-demo"
    description = (
        "Copies the example notebooks into a folder and opens JupyterLab on the quickstart. What follows -- "
        "is passed on to JupyterLab."
    )
    examples = "jupyter runwidgets demo --no-browser --folder=play -- --ServerApp.port=9000"
    aliases = {**Verb.aliases, "folder": "DemoApp.folder"}  # noqa: RUF012
    flags = {  # noqa: RUF012
        **Verb.flags,
        "no-browser": ({"DemoApp": {"opens_browser": False}}, "Do not open a browser; print the address."),
    }

    passes_on = True

    folder = Unicode(
        "runwidgets-demo",
        help="Folder into which the notebooks are copied; created if missing. Existing files are kept.",
    ).tag(config=True)
    opens_browser = Bool(True, help="Whether to open a browser.").tag(config=True)

    def start(self) -> None:
        """Copy missing notebooks, and replace this process by JupyterLab."""
        folder = Path(self.folder).expanduser().absolute()
        try:
            copy_notebooks(folder)
        except RunWidgetsError as error:
            self.refuse(error.message)
        print(f"root: {self.settings.root}", flush=True)
        command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
        command += ["--LabApp.default_url=/lab/tree/quickstart.ipynb"]
        command += [] if self.opens_browser else ["--no-browser"]
        command += [f"--config={Path(self.config_file).absolute()}"] if self.config_file else []
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            self.log.warning("The demo runs as root, as it does in most containers.")
            command += ["--allow-root"]
        os.execv(command[0], [*command, *self.server_options, *self.passed_on])


def copy_notebooks(folder: Path) -> None:
    """Copy the example notebooks into a folder; files that exist there are kept.

    Parameters
    ----------
    folder : Path
        Created if missing.

    Raises
    ------
    ServiceUnavailableError
        The folder cannot be created or written.
    """
    notebooks = find_notebooks()
    make_writable("folder", folder)
    for source in notebooks.rglob("*"):
        target = folder / source.relative_to(notebooks)
        if source.is_file() and not target.exists() and not GENERATED.intersection(source.parts):
            make_writable("folder", target.parent)
            with our_errors(target.name):
                shutil.copyfile(source, target)
