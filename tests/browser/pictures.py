"""Takes the pictures of the README from the real thing: `python -m tests.browser.pictures docs`."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, NOTEBOOKS, PATIENCE, Lab, set_theme
from tests.conftest import start_server


def take_pictures(folder: Path) -> None:
    """Fill in the form, start it, and take the widget in both themes."""
    base = Path(tempfile.mkdtemp())
    shutil.copytree(NOTEBOOKS, base / "notebooks")
    server = start_server(base / "root", base / "notebooks", app="lab")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for theme in ("Light", "Dark"):
            set_theme(server, f"JupyterLab {theme}")
            page = browser.new_page(viewport={"width": 1250, "height": 1900}, device_scale_factor=1.5)
            page.set_default_timeout(PATIENCE)
            lab = Lab(server, page)
            card = lab.show(f"{theme}.ipynb", 'rw.RunForm("templates/classify_digits.ipynb")')
            card.get_by_role("textbox", name="Trees").fill("250")
            card.get_by_role("button", name="Start").click()
            card.locator(".rw-badge.rw-success").wait_for()
            card.get_by_role("img").wait_for()
            page.mouse.move(0, 0)
            card.screenshot(path=folder / f"form-{theme.lower()}.png")
            lab.shut_down()
            page.close()
        browser.close()
    server.stop()
    shutil.rmtree(base)


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]))
