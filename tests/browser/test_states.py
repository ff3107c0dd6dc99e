"""Unusual states of every widget: an unavailable server, and deleted objects."""

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.conftest import Lab
from tests.builders import arguments, ended, group_of, wait_until, write_notebook

pytestmark = [pytest.mark.timeout(300)]

WORK = "import runwidgets\nrunwidgets.record('a', x)\nopen('x.csv', 'w').write('a,b\\n1,2\\n')"
VIEWS = """\
from IPython.display import display
display(rw.RunForm({workflow!r}), rw.RunView({run!r}), rw.Results({run!r}), rw.RunTable({workflow!r}),
        rw.SweepView({sweep!r}), rw.RunBrowser({workflow!r}))"""
FORM, RUN, RESULTS, TABLE, SWEEP, BROWSER = range(6)


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=60_000)


def show_all(lab: Lab, name: str) -> dict[str, str]:
    """Show every widget of one workflow, wait until each has drawn its content, and return ids."""
    notebook = write_notebook(lab.server.folder / f"of_{name}.ipynb", WORK, parameters="x = 1")
    with lab.server.api() as api:
        made = api.workflows.create_workflow(str(notebook))
        group = group_of(made)
        run = ended(api, api.runs.start_run(group, [])["id"])["id"]
        sweep = api.sweeps.start_sweep(group, [arguments(x=x) for x in (1, 2)])["id"]
        wait_until(lambda: api.sweeps.get_sweep(sweep)["isDone"])
    ids = {"workflow": made["id"], "group": group, "run": run, "sweep": sweep}
    lab.show(f"{name}.ipynb", VIEWS.format(**ids))
    cards = lab.page.locator(".jp-OutputArea-output .rw")
    expect(cards).to_have_count(6)
    for at, part in enumerate(
        ("[data-parameter=x]", ".rw-badge", ".rw-file", "tr[data-run]", ".rw-grid-of button", ".rw-workflow")
    ):
        expect(cards.nth(at).locator(part).first).to_be_visible()
    return ids


def test_every_view_shows_that_the_server_is_unavailable_and_recovers(lab: Lab) -> None:
    """Its content remains, and it recovers without an action when the server is back."""
    stream = "**/runwidgets/api/events*"
    lab.page.route(stream, lambda route: route.abort())
    ids = show_all(lab, "away")
    cards = lab.page.locator(".jp-OutputArea-output .rw")
    live = [cards.nth(at) for at in (FORM, RUN, RESULTS, TABLE, SWEEP, BROWSER)]

    for card in live:
        expect(card.get_by_text("has not responded since").locator("visible=true").first).to_be_visible()
    expect(cards.nth(TABLE).locator("tr[data-run]")).to_have_count(3)
    expect(cards.nth(SWEEP).get_by_text("2 of 2 done")).to_be_visible()
    assert violations(lab.page, ".rw") == []
    lab.page.unroute(stream)

    for card in live:
        expect(card.get_by_text("has not responded since").locator("visible=true")).to_have_count(0)
    with lab.server.api() as api:
        ended(api, api.runs.start_run(ids["group"], [])["id"])
    expect(cards.nth(TABLE).locator("tr[data-run]")).to_have_count(4)


def test_every_view_shows_deletions(lab: Lab) -> None:
    """A deleted object is marked, and no actions are offered."""
    ids = show_all(lab, "gone")
    cards = lab.page.locator(".jp-OutputArea-output .rw")

    with lab.server.api() as api:
        api.runs.delete_run(ids["run"])
        api.sweeps.delete_sweep(ids["sweep"])
        api.workflows.delete_workflow(ids["workflow"])

    expect(cards.nth(RUN)).to_contain_text("This run was deleted.")
    expect(cards.nth(SWEEP)).to_contain_text("This server has no such sweep")
    expect(cards.nth(BROWSER)).to_contain_text("This workflow has been deleted")
    expect(cards.nth(RESULTS)).to_contain_text("This run was deleted.")
    cards.nth(FORM).get_by_role("button", name="Start").click()
    expect(cards.nth(FORM).get_by_role("alert")).to_contain_text("there is no such group")
    expect(cards.nth(TABLE)).to_contain_text("This group of runs was deleted.")
    assert violations(lab.page, ".rw") == []
