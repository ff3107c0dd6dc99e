"""The verb `demo`: opens JupyterLab on the quickstart."""

import os
import shutil
import site
import sys
import sysconfig
from importlib.metadata import version as installed_version
from pathlib import Path

from jupyter_core.application import JupyterApp
from traitlets import Bool, Unicode

NOTEBOOKS = Path("share", "runwidgets", "notebooks")


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
        help="Folder into which the notebooks are copied; created if missing. Existing files are kept.",
    ).tag(config=True)
    opens_browser = Bool(True, help="Whether to open a browser.").tag(config=True)

    def start(self) -> None:
        """Copy missing notebooks, and replace this process by JupyterLab."""
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
