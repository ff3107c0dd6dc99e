"""The view of a run: its cells, its failure, its log, and another run next to it."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.axe import violations
from tests.browser.conftest import Lab, set_theme
from tests.browser.injection_strings import HOSTILE, as_written
from tests.builders import arguments, ended, group_of, write_notebook

pytestmark = [pytest.mark.timeout(300)]

CELLS = (
    "import time\ntime.sleep(0.2)\nprint('\\x1b[31mred words\\x1b[0m and plain ones')",
    "import runwidgets\nfor epoch in range(5):\n    runwidgets.record('loss', 1 / (x + epoch), step=epoch)\n"
    "if x == 3:\n    raise ValueError('no threes')",
)


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def made(lab_server: object) -> dict[str, str]:
    """Run one notebook twice, with a success and a failure, and return the ids."""
    assert hasattr(lab_server, "api")
    notebook = write_notebook(lab_server.folder / "cells.ipynb", *CELLS, parameters="x = 1\nname = ''")
    with lab_server.api() as api:
        group = group_of(api.workflows.create_workflow(str(notebook)))
        return {
            name: ended(api, api.runs.start_run(group, arguments(x=x))["id"])["id"]
            for name, x in (("good", 2), ("bad", 3))
        }


def tab_to(lab: Lab, target: Locator) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(60):
        if target.evaluate("element => element === document.activeElement"):
            return
        lab.page.keyboard.press("Tab")
    raise AssertionError("it is not reached by Tab")


def test_a_failure_is_shown_with_its_cells_its_colours_and_a_comparison(
    lab: Lab, made: dict[str, str]
) -> None:
    """The message comes first; details are one click away."""
    card = lab.show("failed.ipynb", f"rw.RunView({made['bad']!r})")
    failure = card.locator(".rw-card > .rw-failure").first
    expect(failure).to_contain_text("ValueError: no threes")

    failure.locator("summary").click()
    expect(failure.locator("span[style*=color]").first).to_be_visible()
    expect(card.locator(".rw-log span[style*='--rw-ansi-1']")).to_have_text("red words")
    card.get_by_text("Cells", exact=True).click()
    rows = card.locator(".rw-cells tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(2)).to_contain_text(re.compile(r"import time.*2\d\d ms"))
    expect(rows.nth(3)).to_contain_text("error")

    card.get_by_role("button", name="Compare with…").click()
    card.get_by_role("button", name=re.compile("^Compare with the run of .*x = 2")).click()
    comparison = card.get_by_role("region", name="Comparison of runs")
    expect(comparison.locator("tr.rw-differs", has_text="x")).to_contain_text("32")
    expect(
        card.get_by_role("img", name=re.compile("loss: .*: 0.1429 at step 4; .*: 0.1667 at step 4"))
    ).to_be_visible()
    expect(card.get_by_role("button", name="Close the comparison")).to_have_attribute("aria-expanded", "true")

    files = card.get_by_role("region", name="Files that differ")
    files.get_by_text("Executed notebook").click()
    lines = files.get_by_role("region", name="Lines that differ")
    expect(lines.locator(".rw-removed", has_text="ValueError: no threes")).to_be_visible()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_run_is_accessible(lab: Lab, made: dict[str, str], theme: str) -> None:
    """A successful and a failed run are open, in both themes."""
    set_theme(lab.server, f"JupyterLab {theme}")
    lab.show(
        f"axe-{theme}.ipynb",
        "from IPython.display import display",
        f"display(rw.RunView({made['good']!r}), rw.RunView({made['bad']!r}))",
    )
    for card in (lab.page.locator(".rw").nth(0), lab.page.locator(".rw").nth(1)):
        card.get_by_text("Cells", exact=True).click()
        expect(card.locator(".rw-cells tbody tr")).to_have_count(4)
        card.get_by_role("button", name="Run again").click()
        expect(card.get_by_role("button", name="Start")).to_be_visible()
    assert violations(lab.page, ".rw") == []


def test_a_run_is_cancelled_and_run_again_by_keyboard_alone(lab: Lab) -> None:
    """Tab reaches everything, Enter and Space act, Escape declines."""
    slow = write_notebook(lab.server.folder / "slow.ipynb", "import time\nprint('begun')\ntime.sleep(wait)",
                          parameters="wait = 60")  # fmt: skip
    with lab.server.api() as api:
        run_id = api.runs.start_run(group_of(api.workflows.create_workflow(str(slow))), [])["id"]
    card = lab.show("keys.ipynb", f"rw.RunView({run_id!r})")
    expect(card.locator(".rw-log")).to_contain_text("begun")
    cancel = card.get_by_role("button", name="Cancel run")
    card.locator("summary").first.focus()
    tab_to(lab, cancel)
    lab.page.keyboard.press("Enter")
    expect(card.get_by_role("button", name="No")).to_be_focused()
    lab.page.keyboard.press("Escape")
    expect(cancel).to_be_focused()
    lab.page.keyboard.press("Space")
    tab_to_yes = card.get_by_role("button", name="Yes, cancel")
    lab.page.keyboard.press("Shift+Tab")
    expect(tab_to_yes).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(card.locator(".rw-badge")).to_have_text("■ Cancelled")

    card.locator("summary").first.focus()
    tab_to(lab, card.get_by_role("button", name="Run again"))
    lab.page.keyboard.press("Enter")
    wait = card.get_by_label("wait", exact=True)
    expect(wait).to_be_visible()
    tab_to(lab, wait)
    lab.page.keyboard.press("Control+a")
    lab.page.keyboard.type("0")
    lab.page.keyboard.press("Control+Enter")
    expect(card.locator(".rw-badge").last).to_have_text("✓ Succeeded")
    assert lab.page.locator(".jp-NotebookPanel .jp-Cell").count() == 3


def test_hostile_strings_are_shown_as_written_and_nothing_runs(lab: Lab) -> None:
    """Names, arguments, errors, files, logs, metrics and table cells are text."""
    lines = "\n".join(
        [
            "import os, runwidgets",
            f"for at, text in enumerate({HOSTILE!r}):",
            "    print(text)",
            "    name = ''.join(each for each in text if each not in '/\\x00')[:80]",
            "    open(f'{at} {name}.txt', 'w').write(text)",
            "    runwidgets.record(name[:40], text[:60])",
            "if fails:",
            "    raise ValueError(word)",
        ]
    )
    notebook = write_notebook(
        lab.server.folder / "hostile.ipynb",
        lines,
        parameters=f"word = {HOSTILE[0]!r}  # {HOSTILE[1]}\nfails = False",
        runwidgets={"name": HOSTILE[2], "description": HOSTILE[3]},
    )
    with lab.server.api() as api:
        made = api.workflows.create_workflow(str(notebook))
        group = group_of(made)
        good = ended(api, api.runs.start_run(group, arguments(word=HOSTILE[4]))["id"])
        bad = [
            ended(api, api.runs.start_run(group, arguments(word=text, fails=True))["id"]) for text in HOSTILE
        ]
    assert good["state"] == "SUCCESS", good
    lab.show(
        "hostile-views.ipynb",
        "from IPython.display import display",
        f"display(rw.RunTable({made['id']!r}), rw.RunView({bad[0]['id']!r}), rw.RunView({good['id']!r}),"
        f" rw.RunForm({made['id']!r}, arguments={{'word': {HOSTILE[5]!r}}}))",
    )
    table, failed, whole, form = (
        lab.page.locator(".jp-OutputArea-output > .rw, .rw").nth(n) for n in range(4)
    )
    expect(table.locator("tr[data-run]")).to_have_count(9)
    for text in HOSTILE:
        expect(table).to_contain_text(as_written(text)[:60])
    expect(failed.locator(".rw-card > .rw-failure").first).to_contain_text(HOSTILE[0])
    for at, text in enumerate(HOSTILE):
        if "\x1b" not in text:  # which is coloured in a log
            expect(whole.locator(".rw-log")).to_contain_text(as_written(text))
        expect(whole.locator(".rw-metrics")).to_contain_text(as_written(text.replace("/", "")[:40]))
        expect(whole.locator(".rw-files")).to_contain_text(
            f"{at} {as_written(text.replace('/', '')[:80])}.txt"
        )
    expect(form).to_contain_text(HOSTILE[2])
    expect(form).to_contain_text(HOSTILE[1])
    previews = whole.get_by_role("button", name=re.compile("^Preview"))
    while previews.count():
        previews.first.click()
    expect(whole.locator(".rw-preview").first).to_contain_text(HOSTILE[0])
    for place in lab.page.locator(".rw *").all()[:400:5]:
        place.dispatch_event("mouseover")

    assert lab.page.evaluate("window.hit") is None


def test_a_run_is_started_again_as_it_was_or_with_todays_notebook(lab: Lab) -> None:
    """The latter is offered once the notebook has changed."""
    path = write_notebook(lab.server.folder / "changing.ipynb", "print('then', x)", parameters="x = 1")
    with lab.server.api() as api:
        group = group_of(api.workflows.create_workflow(str(path)))
        run_id = ended(api, api.runs.start_run(group, arguments(x=2))["id"])["id"]
    write_notebook(path, "print('today', x)", parameters="x = 1")
    card = lab.show("as-it-was.ipynb", f"rw.RunView({run_id!r})")
    card.get_by_role("button", name="Run again").click()

    for name, said in (("Run as it was", "then 2"), ("Run with today", "today 2")):
        card.get_by_role("button", name=name).click()
        expect(card.locator(".rw-started .rw-log")).to_contain_text(said)
        expect(card.locator(".rw-started .rw-badge")).to_have_text("✓ Succeeded")
