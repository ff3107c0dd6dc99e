from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import Browser, Locator, expect

import runwidgets as rw
from runwidgets.client.run import RUN_TYPE
from runwidgets.client.sweep import SWEEP_TYPE
from runwidgets.service.contracts.api import Api
from tests.browser.axe import violations
from tests.browser.conftest import Lab, set_theme
from tests.builders import DOUBLE, PYTHON, SLEEP, wait_until, write_notebook
from tests.conftest import JupyterServer

pytestmark = [pytest.mark.timeout(300)]

LISTENERS = """[...(window[Symbol.for('runwidgets.hubs')]?.values() ?? [])]
    .reduce((sum, hub) => sum + hub.followers.size, 0)"""
HOSTILE = '<img src=x onerror="window.hacked=1">\u202e\x1b[31m</script>'


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def api(lab_server: JupyterServer) -> Iterator[Api]:
    """Connect to the server that the pages show."""
    write_notebook(lab_server.folder / "quick.ipynb", DOUBLE, parameters="x = 1")
    write_notebook(lab_server.folder / "slow.ipynb", SLEEP)
    write_notebook(lab_server.folder / "fails.ipynb", "1 / 0")
    with lab_server.api() as api:
        yield api


def save(lab: Lab, name: str, *outputs: dict[str, Any]) -> None:
    """Save a notebook with outputs as another program would, without trust."""
    made = [new_output("display_data", {RUN_TYPE: output, "text/plain": "a run"}) for output in outputs]
    cell = new_code_cell("run", outputs=made, execution_count=1)
    nbformat.write(new_notebook(cells=[cell], metadata={"kernelspec": PYTHON}), lab.server.folder / name)


def start(lab: Lab, api: Api, name: str) -> rw.Run:
    """Start a run of a notebook in the same folder."""
    return rw.run(lab.server.folder / name, api=api)


def cards(lab: Lab) -> Locator:
    """Return the runs that the page shows."""
    return lab.page.locator(f"[data-mime-type='{RUN_TYPE}'] .rw")


def test_a_saved_sweep_is_live_without_its_cell(lab: Lab, api: Api) -> None:
    """It is saved and opened by a user who has not trusted it: it is shown, without actions."""
    sweep = rw.sweep(lab.server.folder / "quick.ipynb", x=[1, 2, 3], api=api).wait(60)
    bundle = sweep._repr_mimebundle_()
    made = new_output("display_data", bundle)
    cell = new_code_cell("sweep", outputs=[made], execution_count=1)
    nbformat.write(
        new_notebook(cells=[cell], metadata={"kernelspec": PYTHON}), lab.server.folder / "saved_sweep.ipynb"
    )

    lab.open("saved_sweep.ipynb")
    card = lab.page.locator(f"[data-mime-type='{SWEEP_TYPE}'] .rw").first

    expect(card.get_by_text("3 of 3 done")).to_be_visible()
    expect(card.locator("tr[data-run]")).to_have_count(3)
    expect(card.get_by_text("This notebook is not trusted")).to_be_visible()
    expect(card.get_by_role("button", name="Delete sweep")).to_have_count(0)
    card.get_by_role("checkbox", name="Select all runs shown").check()
    expect(card.get_by_text("3 selected", exact=True)).to_be_visible()
    expect(card.get_by_role("button", name="Delete 3")).to_have_count(0)
    card.locator("tr[data-run]").first.get_by_role("button").click()
    expect(card.locator(".rw-detail .rw-badge")).to_have_text("✓ Succeeded")
    expect(card.locator(".rw-detail").get_by_text("This notebook is not trusted")).to_be_visible()
    expect(card.get_by_role("button", name="Run again")).to_have_count(0)
    expect(card.get_by_role("button", name="Delete", exact=True)).to_have_count(0)


def save_sweep(lab: Lab, name: str, sweep: rw.Sweep) -> None:
    """Save a notebook with the output of a sweep."""
    made = new_output("display_data", sweep._repr_mimebundle_())
    cell = new_code_cell("sweep", outputs=[made], execution_count=1)
    nbformat.write(new_notebook(cells=[cell], metadata={"kernelspec": PYTHON}), lab.server.folder / name)


def test_a_saved_sweep_that_was_deleted_says_so(lab: Lab, api: Api) -> None:
    """It says where the sweep may be, whether it was deleted before or while the page shows it."""
    sweep = rw.sweep(lab.server.folder / "quick.ipynb", x=[1, 2], api=api, name="short").wait(60)
    save_sweep(lab, "gone_sweep.ipynb", sweep)
    card = lab.page.locator(f"[data-mime-type='{SWEEP_TYPE}'] .rw").first
    lab.open("gone_sweep.ipynb")
    expect(card.get_by_text("2 of 2 done")).to_be_visible()

    sweep.delete()

    for _ in range(2):
        expect(card.get_by_text("This server has no such sweep")).to_be_visible()
        expect(card).not_to_contain_text("0 of 0 done")
        lab.open("gone_sweep.ipynb")


def test_a_run_is_shown_live(lab: Lab, api: Api) -> None:
    """It is the last value of a cell, without a widget."""
    card = lab.show("value.ipynb", 'rw.run("quick.ipynb", x=21)')

    expect(card.locator(".rw-badge")).to_have_text("✓ Succeeded")
    expect(cards(lab)).to_have_count(1)
    expect(card).to_contain_text("double42")
    card.get_by_role("button", name="Preview x.csv").click()
    expect(card.locator(".rw-table tbody tr")).to_have_count(1)
    card.get_by_role("button", name="Run again").click()
    expect(card.get_by_role("textbox", name="x")).to_have_value("21")


def test_a_run_is_live_in_a_saved_notebook(lab: Lab, api: Api) -> None:
    """After a new kernel and a new page, it is cancelled and deleted there."""
    card = lab.show("saved.ipynb", 'rw.run("slow.ipynb")')
    expect(card.locator(".rw-log")).to_contain_text("3")
    lab.page.keyboard.press("Control+s")
    wait_until(lambda: RUN_TYPE in (lab.server.folder / "saved.ipynb").read_text())
    lab.restart_kernels()
    lab.open("saved.ipynb")

    expect(card.locator(".rw-badge")).to_have_text("▶ Running")
    card.get_by_role("button", name="Cancel run").click()
    card.get_by_role("button", name="Yes, cancel").click()
    expect(card.locator(".rw-badge")).to_have_text("■ Cancelled")
    card.get_by_role("button", name="Delete").click()
    card.get_by_role("button", name="Yes, delete").click()
    expect(card).to_contain_text("This run was deleted.")


def test_an_untrusted_notebook_shows_runs_and_can_do_nothing_to_them(lab: Lab, api: Api) -> None:
    """Actions need trust; its content is text, and its id can lead nowhere else."""
    run = start(lab, api, "slow.ipynb")
    asked: list[str] = []
    lab.page.on("request", lambda request: asked.append(request.url))
    hostile = {"run_id": "0" * 32, "notebook": HOSTILE, "state": "SUCCESS", "seen": "2026-01-02T03:04:05Z"}
    save(lab, "foreign.ipynb", {"run_id": run.id}, {"run_id": "../../../api/status"}, hostile)

    lab.open("foreign.ipynb")

    first, nowhere, gone = (cards(lab).nth(at) for at in range(3))
    expect(first.locator(".rw-badge")).to_have_text("▶ Running")
    expect(first).to_contain_text("This notebook is not trusted")
    assert first.locator(".rw-actions").get_by_role("button").count() == 0
    expect(nowhere).to_have_text("This output does not name a run.")
    expect(gone).to_contain_text('<img src=x onerror="window.hacked=1">⟨U+202E⟩␛[31m</script>, Succeeded')
    expect(gone).to_contain_text("This server has no such run")
    assert lab.page.evaluate("window.hacked") is None
    assert not [url for url in asked if "/api/status" in url and "runwidgets" in url]

    lab.page.evaluate("document.querySelector('.jp-Notebook').focus()")
    lab.page.keyboard.press("Control+Shift+c")
    lab.page.locator(".lm-CommandPalette-input").fill("Trust Notebook")
    lab.page.locator(".lm-CommandPalette-item[data-command='notebook:trust']").click()
    lab.page.locator(".jp-Dialog .jp-mod-accept").click()
    first.get_by_role("button", name="Cancel run").click()
    first.get_by_role("button", name="Yes, cancel").click()

    expect(first.locator(".rw-badge")).to_have_text("■ Cancelled")
    expect(first).not_to_contain_text("not trusted")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_cards_are_accessible_and_leave_no_listener(
    theme: str, browser: Browser, lab_server: JupyterServer, api: Api
) -> None:
    """There is no serious violation in any state, and no listener after the notebook is closed."""
    set_theme(lab_server, f"JupyterLab {theme}")
    page = browser.new_page(viewport={"width": 900, "height": 1400})
    page.set_default_timeout(60_000)
    lab = Lab(lab_server, page)
    run, failed = (start(lab, api, name).wait(60) for name in ("quick.ipynb", "fails.ipynb"))
    save(lab, f"read-{theme}.ipynb", *({"run_id": each} for each in (run.id, failed.id, "0" * 32, "")))

    lab.open(f"read-{theme}.ipynb")

    expect(cards(lab)).to_have_count(4)
    expect(cards(lab).nth(1).locator(".rw-badge")).to_have_text("✕ Failed")
    assert violations(page, f"[data-mime-type='{RUN_TYPE}']") == []
    assert page.evaluate(LISTENERS) == 2
    page.locator(".lm-TabBar-tab.jp-mod-active .lm-TabBar-tabCloseIcon").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Discard").click()
    wait_until(lambda: page.evaluate(LISTENERS) == 0)
    page.close()
