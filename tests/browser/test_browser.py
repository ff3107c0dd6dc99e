"""Workflows, forms, runs and results in one place, in JupyterLab and on a page of Voilà."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Lab, set_theme
from tests.ladder import wait_until, write_notebook

pytestmark = [pytest.mark.timeout(300)]

WRITES = "import runwidgets\nrunwidgets.record('double', x * 2)\nopen('x.csv', 'w').write(f'x\\n{x}\\n')"


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=60_000)


def press(page: Page, key: str, role: str, name: str, tries: int = 80) -> None:
    """Press a key until an element has the focus, and then Enter: without a mouse."""
    target = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    for _ in range(tries):
        if target.count() and target.first.evaluate("each => each === document.activeElement"):
            page.keyboard.press("Enter")
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard does not reach {name!r}")


def start_and_download(card: Locator, page: Page, x: str, folder: Path) -> None:
    """Fill in the form, start it, watch the run succeed, and take its file."""
    card.get_by_role("spinbutton", name="x").or_(card.get_by_role("textbox", name="x")).first.fill(x)
    card.get_by_role("button", name="Start", exact=True).click()
    run = card.get_by_role("region", name="Run", exact=True)
    expect(run.locator(".rw-badge").first).to_have_text("✓ Succeeded")
    expect(run.locator(".rw-metrics")).to_contain_text("double")
    with page.expect_download() as download:
        run.get_by_role("link", name="Download x.csv").click()
    download.value.save_as(folder / "x.csv")
    assert (folder / "x.csv").read_text() == f"x\n{x}\n"


def test_a_notebook_is_added_run_and_looked_at(lab: Lab, tmp_path: Path) -> None:
    """By mouse, from no workflow to a result and back to the table; Python knows what is chosen."""
    (lab.server.folder / "mine").mkdir()
    write_notebook(lab.server.folder / "mine" / "double.ipynb", WRITES, parameters="x: int = 1")
    card = lab.show("app_mouse.ipynb", "browser = rw.RunBrowser()\nbrowser")
    expect(card.get_by_text("No workflow yet.")).to_be_visible()

    card.get_by_role("button", name="Add a notebook…").click()
    card.get_by_role("button", name="Open folder mine").click()
    expect(card.get_by_text("x.csv")).to_have_count(0)
    card.get_by_role("button", name="double.ipynb").click()

    expect(card.get_by_text("A small notebook can be run now.")).to_be_visible()
    expect(card.get_by_text("No runs yet.")).to_be_visible()
    start_and_download(card, lab.page, "21", tmp_path)
    card.get_by_role("button", name="All runs").click()
    expect(card.locator("tr[data-run]")).to_have_count(1)
    expect(card.get_by_role("navigation", name="Workflows")).to_contain_text("last run")
    card.get_by_role("checkbox", name="Select run").check()
    with lab.server.api() as api:
        (found,) = api.workflows.list_workflows()["workflows"]
        assert found["activeRuns"] == 0 and "lastRunAt" in found
