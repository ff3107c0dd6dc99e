"""A busy kernel delays no view, with any supported ipykernel."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import EXPOSED, NOTEBOOKS, Lab
from tests.builders import write_notebook
from tests.conftest import JupyterServer, start_server

pytestmark = [pytest.mark.timeout(400)]

SLEEPS = "print('sleeps')\ntime.sleep(120)"
HOLDS = (
    "import ctypes, time\nprint('holds the lock')\ntime.sleep(1)\nctypes.PyDLL(None).sleep(12)\n"
    "print('held no more')"
)
"""A call into C that keeps the interpreter's lock, once what was printed has left the kernel."""
SLOW = 'rw.RunView(rw.run("templates/epidemic.ipynb", days=3600, pause=1))'
NEWEST = "Python 3 (ipykernel)"


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Serve JupyterLab with two older ipykernels in addition to the environment's own."""
    base = tmp_path_factory.mktemp("busy")
    for version in ("6.31", "7.3"):
        place, spec = base / version, base / "data" / "kernels" / f"ipykernel-{version}"
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place)]
        subprocess.run([*command, f"ipykernel=={version}.*"], check=True)
        spec.mkdir(parents=True)
        about = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": f"ipykernel {version}",
            "language": "python",
            "env": {"PYTHONPATH": str(place)},
        }
        (spec / "kernel.json").write_text(json.dumps(about))
    shutil.copytree(NOTEBOOKS, base / "notebooks")
    server = start_server(
        base / "root",
        base / "notebooks",
        "--RunWidgetsApp.slots=2",
        EXPOSED,
        app="lab",
        JUPYTER_PATH=str(base / "data"),
    )
    yield server
    server.stop()


@pytest.mark.parametrize("kernel", ["ipykernel 6.31", "ipykernel 7.3", NEWEST])
def test_views_update_and_cancel_while_the_kernel_is_busy(lab: Lab, kernel: str) -> None:
    """Views communicate with the server, while a cell holds the lock, and while one sleeps."""
    name = "python3" if kernel == NEWEST else kernel.replace(" ", "-")
    notebook = f"busy-{name}.ipynb"
    write_notebook(
        lab.server.folder / notebook,
        "import ipykernel, runwidgets as rw\nfrom IPython.display import display\n"
        "print('it is', ipykernel.__version__)",
        f"display({SLOW}, {SLOW})",
        HOLDS,
        SLEEPS,
        kernelspec={"name": name, "display_name": kernel, "language": "python"},
    )
    lab.open(notebook, kernel)
    lab.run_all()
    if kernel != NEWEST:
        expect(lab.page.get_by_text(f"it is {kernel.removeprefix('ipykernel ')}")).to_be_visible()
    for number, said in enumerate(("holds the lock", "sleeps")):
        card = lab.page.locator(".rw").nth(number)
        expect(lab.page.get_by_text(said, exact=True)).to_be_visible()
        expect(card.locator(".rw-badge")).to_have_text("▶ Running")

        printed = card.locator(".rw-line").count()
        expect(card.locator(".rw-line").nth(printed + 1)).to_be_visible()
        card.get_by_role("button", name="Cancel run").click()
        card.get_by_role("button", name="Yes, cancel").click()
        expect(card.locator(".rw-badge")).to_have_text("■ Cancelled")

        assert lab.page.locator(".jp-OutputArea-output", has_text="held no more").count() == number
        assert lab.page.locator(".jp-Notebook-ExecutionIndicator[data-status=busy]").count() == 1
