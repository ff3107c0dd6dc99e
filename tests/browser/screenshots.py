"""Takes the pictures of the README in a real browser: `python -m tests.browser.screenshots docs`.

Themes may follow the folder, for a look at the views: `light`, `dark` (both by default) and `contrast`.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, NOTEBOOKS, PATIENCE, Lab, set_theme
from tests.conftest import start_server

DIGITS = '"templates/classify_digits.ipynb"'
STUDY = f"""\
study = rw.sweep(
    {DIGITS}, model="logistic regression", regularisation=rw.geomspace(0.001, 10, 5),
    normalise=[True, False], test_size=[0.25, 0.5], config={{"reuse": True}}, name="How strict?",
)
rw.SweepView(study, metric="accuracy", direction="maximize")"""
SWEEP_PATIENCE = 900_000
"""Milliseconds for the sweep to end, however slow the machine is."""
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark", "contrast": "JupyterLab Dark High Contrast"}


def form(lab: Lab) -> Locator:
    """Fill in the form, start it, and wait for the results."""
    card = lab.show("form.ipynb", f"rw.RunForm({DIGITS})")
    card.get_by_role("textbox", name="Trees").fill("250")
    card.get_by_role("button", name="Start").click()
    card.locator(".rw-badge.rw-success").wait_for()
    card.get_by_role("img").wait_for()
    return card


def sweep(lab: Lab) -> Locator:
    """Start a sweep and wait for its end."""
    card = lab.show("sweep.ipynb", STUDY)
    card.get_by_text("20 of 20 done").wait_for(timeout=SWEEP_PATIENCE)
    card.locator(".rw-grid-of td.rw-best").wait_for()
    return card


def table(lab: Lab) -> Locator:
    """Select some of the runs, and compare them."""
    card = lab.show("table.ipynb", f'rw.RunTable({DIGITS}, filter="accuracy>0.9")')
    boxes = card.locator("tr[data-run] input[type=checkbox]")
    for row in range(3):
        boxes.nth(row).click()
    card.get_by_role("button", name="Compare").click()
    card.locator(".rw-side img").nth(2).wait_for()
    return card


def browser(lab: Lab) -> Locator:
    """Select a workflow."""
    card = lab.show("browser.ipynb", f"rw.RunBrowser({DIGITS})")
    card.locator("tr[data-run]").first.wait_for()
    return card


def take_pictures(folder: Path, *themes: str) -> None:
    """Take each picture in some themes."""
    base = Path(tempfile.mkdtemp())
    shutil.copytree(NOTEBOOKS, base / "notebooks")
    server = start_server(base / "root", base / "notebooks", app="lab")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for theme in themes or ("light", "dark"):
            set_theme(server, THEMES[theme])
            for show in (form, sweep, table, browser):
                page = chromium.new_page(viewport={"width": 1250, "height": 1900}, device_scale_factor=1.5)
                page.set_default_timeout(PATIENCE)
                lab = Lab(server, page)
                card = show(lab)
                page.mouse.move(0, 0)
                taken = Image.open(io.BytesIO(card.screenshot())).convert("RGB")
                small = taken.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
                small.save(folder / f"{show.__name__}-{theme}.png", optimize=True)
                lab.shut_down()
                page.close()
        chromium.close()
    server.stop()
    shutil.rmtree(base)


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]), *sys.argv[2:])
