"""A real JupyterLab in a real Chromium."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Error, Locator, Page, TimeoutError, sync_playwright

from tests.builders import write_notebook
from tests.conftest import JupyterServer, start_server

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
EXPOSED = "--LabApp.expose_app_in_browser=True"
THEME = "settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
PATIENCE = 60_000
"""Milliseconds after which something that should have been seen counts as missing."""
OPEN = """
async ([path, theme]) => {
  const { commands, restored, shell } = window.jupyterapp;
  await restored; // otherwise what was open before a reload may come on top
  for (const widget of [...shell.widgets('main')]) widget.dispose();
  if (document.body.dataset.jpThemeName !== theme) await commands.execute('apputils:change-theme', { theme });
  await commands.execute('docmanager:open', { path });
}
"""
"""Opens a notebook in a JupyterLab that is loaded, in place of whatever is open there."""
CLOSE = """
for (const widget of [...window.jupyterapp.shell.widgets('main')]) widget.dispose();
"""
"""Closes all notebooks; a widget manager may fail at what was on its way to it, which is not ours."""


@dataclass
class Lab:
    """A page of JupyterLab, with the actions of a user."""

    server: JupyterServer
    page: Page

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook that imports the package and then runs some cells."""
        write_notebook(self.server.folder / name, "import runwidgets as rw", *cells)
        return name

    def open(self, name: str, kernel: str = "Python 3 (ipykernel)") -> None:
        """Open a notebook alone, and wait for its kernel; JupyterLab is loaded if necessary."""
        if self.page.evaluate("typeof window.jupyterapp") == "undefined":
            self.page.goto(f"{self.server.url}lab/tree/{name}?reset&token={self.server.token}")
        else:
            self.page.evaluate(OPEN, [name, theme_of(self.server)])
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        idle = self.page.get_by_text(f"{kernel} | Idle")
        try:
            idle.wait_for(timeout=PATIENCE / 2)
        except TimeoutError:  # another process took a TCP port that Jupyter had chosen for the kernel
            self.page.evaluate("void window.jupyterapp.commands.execute('kernelmenu:shutdown')")
            self.page.goto(f"{self.server.url}lab/tree/{name}?reset&token={self.server.token}")
            idle.wait_for()

    def run_all(self) -> None:
        """Run all cells, without waiting for them."""
        self.page.click("#jp-MainMenu >> text=Run")
        self.page.click("text=Run All Cells")

    def show(self, name: str, *cells: str) -> Locator:
        """Write, open and run a notebook; return the widget that it shows."""
        self.open(self.write(name, *cells))
        self.run_all()
        card = self.page.locator(".rw").first
        card.wait_for()
        return card

    def kernels(self) -> list[str]:
        """Return the ids of the running kernels."""
        answer = httpx.get(f"{self.server.url}api/kernels", headers=self._headers, timeout=30)
        return [each["id"] for each in answer.json()]

    def restart_kernels(self) -> None:
        """Restart every kernel of the server."""
        for kernel in self.kernels():
            url = f"{self.server.url}api/kernels/{kernel}/restart"
            httpx.post(url, headers=self._headers, timeout=60).raise_for_status()

    def shut_down(self) -> None:
        """End all kernels."""
        for kernel in self.kernels():
            httpx.delete(f"{self.server.url}api/kernels/{kernel}", headers=self._headers, timeout=60)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.server.token}"}


@pytest.fixture(scope="module")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Serve JupyterLab on a copy of the examples."""
    base = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, base / "notebooks")
    server = start_server(base / "root", base / "notebooks", "--RunWidgetsApp.slots=2", EXPOSED, app="lab")
    yield server
    server.stop()


def theme_of(server: JupyterServer) -> str:
    """Return the theme that was selected last."""
    (settings,) = server.root.parent.glob(f"runtime-*/{THEME}")
    return str(json.loads(settings.read_text())["theme"])


def set_theme(server: JupyterServer, theme: str) -> None:
    """Select JupyterLab's theme, and disable its news."""
    for settings in server.root.parent.glob("runtime-*"):
        file = settings / THEME
        folder = file.parent
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"theme": theme}))
        news = {"fetchNews": "false", "checkForUpdates": False}
        (folder / "notification.jupyterlab-settings").write_text(json.dumps(news))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; Playwright keeps a loop in this thread, so it must end before other tests continue."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def loaded(browser: Browser, lab_server: JupyterServer) -> Iterator[Lab]:
    """Load JupyterLab once, because that takes most of the time of a test."""
    set_theme(lab_server, "JupyterLab Light")
    context = browser.new_context(viewport={"width": 1300, "height": 1000}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield Lab(lab_server, page)
    context.close()


@pytest.fixture
def lab(loaded: Lab) -> Iterator[Lab]:
    """Provide the page, and fail if a script on it raised an error."""
    set_theme(loaded.server, "JupyterLab Light")
    failures: list[str] = []

    def note(error: Error) -> None:
        scripts = re.findall(r"https?://[^\s)]+", error.stack or "")
        # JupyterLab goes on with a notebook that was closed while it was being drawn.
        is_theirs = scripts and all("/static/lab/" in each for each in scripts)
        if not (is_theirs and "null (reading 'observe')" in str(error)):
            failures.append(error.stack or str(error))

    loaded.page.on("pageerror", note)
    yield loaded
    own = list(failures)
    loaded.page.unroute_all()
    if loaded.page.evaluate("typeof window.jupyterapp") != "undefined":
        loaded.page.evaluate(CLOSE)
    loaded.shut_down()
    loaded.page.evaluate("new Promise(requestAnimationFrame)")
    loaded.page.remove_listener("pageerror", note)
    assert not own
