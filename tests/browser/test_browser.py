"""Workflows, forms, runs and results in one widget, in JupyterLab and on a page of Voilà."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import NOTEBOOKS, Lab, set_theme
from tests.builders import SLEEP, ended, group_of, wait_until, write_notebook
from tests.conftest import free_port

pytestmark = [pytest.mark.timeout(300)]

WRITES = "import runwidgets\nrunwidgets.record('double', x * 2)\nopen('x.csv', 'w').write(f'x\\n{x}\\n')"


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=60_000)


def press(page: Page, key: str, role: str, name: str, tries: int = 80) -> None:
    """Press a key until an element has the focus, and then Enter on a button."""
    target = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    for _ in range(tries):
        if target.count() and target.first.evaluate("each => each === document.activeElement"):
            if role == "button":
                page.keyboard.press("Enter")
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard does not reach {name!r}")


def start_and_download(card: Locator, page: Page, x: str, folder: Path) -> None:
    """Fill in the form, start it, watch the run succeed, and download its file."""
    card.get_by_role("spinbutton", name="x").or_(card.get_by_role("textbox", name="x")).first.fill(x)
    card.get_by_role("button", name="Start", exact=True).click()
    run = card.get_by_role("region", name="Run", exact=True)
    expect(run.locator(".rw-badge").first).to_have_text("✓ Succeeded")
    expect(run.locator(".rw-metrics")).to_contain_text("double")
    with page.expect_download() as download:
        run.get_by_role("link", name="Download x.csv").click()
    download.value.save_as(folder / "x.csv")
    assert (folder / "x.csv").read_text() == f"x\n{x}\n"


def test_a_notebook_is_added_run_and_read(lab: Lab, tmp_path: Path) -> None:
    """The mouse leads from no workflow to a result and back to the table; Python has the selection."""
    (lab.server.folder / "mine").mkdir()
    (lab.server.folder / "mine" / "table.csv").touch()
    write_notebook(lab.server.folder / "mine" / "double.ipynb", WRITES, parameters="x: int = 1")
    card = lab.show("app_mouse.ipynb", "browser = rw.RunBrowser()\nbrowser")
    expect(card.get_by_text("No workflows yet.")).to_be_visible()

    card.get_by_role("button", name="Add a notebook…").click()
    card.get_by_role("button", name="Open folder mine").click()
    expect(card.get_by_role("button", name="double.ipynb")).to_be_visible()
    expect(card.get_by_text("table.csv")).to_have_count(0)
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


def test_a_run_is_started_and_closed_by_keyboard_alone(lab: Lab) -> None:
    """It is added by its path and started; an opened view has the focus, and no key reaches the notebook."""
    write_notebook(lab.server.folder / "keys.ipynb", WRITES, parameters="x: int = 1")
    card = lab.show("app_keys.ipynb", "rw.RunBrowser()")
    page = lab.page
    card.get_by_role("button", name="Add a notebook…").focus()

    page.keyboard.press("Enter")
    expect(card.get_by_role("button", name="keys.ipynb", exact=True)).to_be_visible()
    press(page, "Tab", "textbox", "Path of a notebook on the server")
    page.keyboard.type("missing.ipynb")
    page.keyboard.press("Enter")
    expect(card.get_by_role("alert").filter(has_text="missing.ipynb was not added")).to_be_visible()
    page.keyboard.press("Control+A")
    page.keyboard.type("keys.ipynb")
    page.keyboard.press("Enter")
    expect(card.locator(".rw-work > .rw-head .rw-title")).to_be_focused()
    press(page, "Tab", "button", "Start")
    back = card.get_by_role("button", name="All runs")
    expect(back).to_be_focused()
    expect(card.locator(".rw-runsof > [aria-label=Run] .rw-badge").first).to_have_text("✓ Succeeded")
    expect(card.locator("tr[data-run]")).to_have_count(1)
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.keyboard.press("Enter")

    expect(card.locator("tr[data-run]:focus")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(back).to_be_focused()
    assert page.locator(".jp-Notebook .jp-Cell").count() == 3


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_deletions_elsewhere_are_shown_and_the_widget_is_accessible(lab: Lab, theme: str) -> None:
    """In both themes, wide and narrow, axe reports nothing; a deleted workflow is marked in its position."""
    set_theme(lab.server, theme)
    path = write_notebook(
        lab.server.folder / f"gone-{theme[-4:].strip()}.ipynb", WRITES, parameters="x: int = 1"
    )
    with lab.server.api() as api:
        made = api.workflows.create_workflow(str(path))
        api.groups.create_group(made["id"], "others")
        run = ended(api, api.runs.start_run(group_of(made), [])["id"])
        card = lab.show(
            f"app_{theme[-4:].strip()}.ipynb", f"browser = rw.RunBrowser({made['id']!r})\nbrowser"
        )
        expect(card.locator("tr[data-run]")).to_have_count(1)
        assert violations(lab.page, ".rw-browser") == []
        card.evaluate("card => { card.style.width = '400px' }")
        card.get_by_role("button", name=f"Run {run['id'][:8]}").click()
        expect(card.get_by_role("link", name="Download x.csv")).to_be_visible()
        assert violations(lab.page, ".rw-browser") == []
        assert card.evaluate("card => card.scrollWidth <= card.clientWidth + 1")
        card.get_by_label("Group").select_option("others")
        expect(card.get_by_text("No runs yet.")).to_be_visible()

        api.workflows.delete_workflow(made["id"])
        lab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # who looks again

        expect(card.get_by_text("This workflow has been deleted.")).to_be_visible()
        expect(card.get_by_role("button", name="Add a notebook…").first).to_be_visible()


def test_a_workflow_is_deleted_after_one_question(lab: Lab) -> None:
    """While one of its runs is active the server refuses it; Python selects by setting traits."""
    path = write_notebook(lab.server.folder / "busy.ipynb", SLEEP)
    with lab.server.api() as api:
        made = api.workflows.create_workflow(str(path))
        active = api.runs.start_run(group_of(made), [])
        card = lab.show(
            "app_delete.ipynb", f"browser = rw.RunBrowser()\nbrowser.run_id = {active['id']!r}\nbrowser"
        )
        expect(card.locator(".rw-runsof > [aria-label=Run] .rw-badge").first).to_contain_text("Running")

        card.get_by_role("button", name="Delete workflow").click()
        card.get_by_role("button", name="Yes, delete").click()
        expect(card.get_by_text("cancel it first")).to_be_visible()
        card.get_by_role("button", name="Cancel run").click()
        card.get_by_role("button", name="Yes, cancel").click()
        expect(card.locator(".rw-runsof > [aria-label=Run] .rw-badge").first).to_contain_text("Cancelled")
        card.get_by_role("button", name="Delete workflow").click()
        card.get_by_role("button", name="Yes, delete").click()

        expect(card.get_by_text("was deleted.").first).to_be_visible()
        assert made["id"] not in [each["id"] for each in api.workflows.list_workflows()["workflows"]]


def test_voila_in_a_jupyter_server_serves_it(lab: Lab, tmp_path: Path) -> None:
    """Such a page has no XSRF token yet; a run is started and its file downloaded."""
    (lab.server.folder / "voila").mkdir()
    made = write_notebook(lab.server.folder / "voila" / "double.ipynb", WRITES, parameters="x: int = 1")
    lab.page.goto(f"{lab.server.url}voila/render/app.ipynb?token={lab.server.token}")
    card = lab.page.locator(".rw").first

    card.get_by_role("button", name="Add a notebook…").click()
    lab.page.context.clear_cookies(name="_xsrf")
    card.get_by_role("button", name="Open folder voila").click()
    card.get_by_role("button", name=made.name).click()
    start_and_download(card, lab.page, "4", tmp_path)
    assert violations(lab.page, ".rw-browser") == []


@pytest.mark.parametrize("settings", [["--Voila.config_file_paths=notebooks"], []], ids=["routes", "kernel"])
def test_voila_alone_serves_it(browser: Browser, tmp_path: Path, settings: list[str]) -> None:
    """With routes that a setting opens, or through the kernel, a run is started and its file downloaded."""
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    write_notebook(tmp_path / "notebooks" / "double.ipynb", WRITES, parameters="x: int = 1")
    port = free_port()
    private = {
        name: str(tmp_path / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    }
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "RUNWIDGETS"))
    }
    command = [sys.executable, "-m", "voila", "notebooks/app.ipynb", "--no-browser", f"--port={port}"]
    command += [*settings, "--Voila.port_retries=0"]
    with (tmp_path / "log").open("wb") as log:
        voila = subprocess.Popen(command, cwd=tmp_path, env=kept | private, stdout=log, stderr=log)
    try:
        wait_until(lambda: "Voilà is running at" in (tmp_path / "log").read_text("utf-8"))
        page = browser.new_page(accept_downloads=True)
        page.goto(f"http://localhost:{port}/")
        card = page.locator(".rw").first
        card.get_by_role("button", name="Add a notebook…").click()
        assert card.get_by_role("note").count() == (0 if settings else 1)
        card.get_by_role("button", name="double.ipynb").click()
        start_and_download(card, page, "5", tmp_path)
        page.close()
    finally:
        voila.terminate()
        voila.wait(20)
    assert (tmp_path / "jupyter_data_dir" / "runwidgets").is_dir()
