"""Thousands of runs in one table, by mouse and by keyboard."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import Locator, expect
from sqlalchemy import insert, select

from runwidgets.store.database.database import Database
from runwidgets.store.database.tables import groups, runs, workflows
from tests.browser.axe import violations
from tests.browser.conftest import Lab, set_theme
from tests.builders import arguments, ended, group_of, wait_until, write_notebook
from tests.conftest import JupyterServer, url_of

pytestmark = [pytest.mark.timeout(300)]

MANY = 10_000
TELLS = """
import ipywidgets
told = ipywidgets.Label()
table.observe(lambda change: setattr(told, "value", f"{len(change.new)} are selected"), "selected")
told
"""
BIDI = "<img src=x onerror=alert(1)>\u202egnp.exe"


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def many(lab_server: JupyterServer) -> Iterator[str]:
    """Put ten thousand finished runs into the group of a workflow, and return the notebook's name."""
    write_notebook(lab_server.folder / "many.ipynb", "1", parameters="x = 1\nnote = ''")
    with lab_server.api() as api:
        group = group_of(api.workflows.create_workflow(str(lab_server.folder / "many.ipynb")))
    database = Database(url_of(lab_server.root))
    with database.write() as connection:
        workflow, version = connection.execute(
            select(workflows.c.id, workflows.c.version_id).join(groups).where(groups.c.id == group)
        ).one()
        connection.execute(
            insert(runs),
            [
                {
                    "id": f"{number:032x}",
                    "group_id": group,
                    "workflow_id": workflow,
                    "version_id": version,
                    "state": "ERROR" if number % 10 == 3 else "SUCCESS",
                    "arguments": arguments(x=number, note=BIDI if number == MANY - 1 else "plain"),
                    "config": {},
                    "reason": "cell_error" if number % 10 == 3 else None,
                    "messages": ["cell 1 raised ValueError: no"] if number % 10 == 3 else [],
                    "metrics": {} if number % 10 == 3 else {"loss": 1 / (number + 1)},
                    "created_at": moment(number),
                    "started_at": moment(number),
                    "finished_at": moment(number + 5),
                    "holds_slot": False,
                }
                for number in range(MANY)
            ],
        )
    database.close()
    yield "many.ipynb"


def moment(seconds: int) -> str:
    """Return a time in the format of the tables."""
    new_year = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return (new_year + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def test_ten_thousand_runs_are_filtered_sorted_and_scrolled(lab: Lab, many: str) -> None:
    """Only visible rows are drawn, little data is sent, and nothing is interpreted."""
    sizes: list[int] = []
    lab.page.on("response", lambda answer: "/table" in answer.url and sizes.append(len(answer.body())))

    card = lab.show("table.ipynb", f"table = rw.RunTable({many!r})\ntable", "table.selected")

    expect(card.get_by_text("10,000 of 10,000 runs")).to_be_visible()
    assert 0 < sum(sizes) < 5_000_000
    assert card.locator("tr[data-run]").count() < 60
    expect(card.get_by_role("grid")).to_have_attribute("aria-rowcount", "10001")
    expect(card.locator("tr[data-run]").first).to_contain_text(BIDI[:28])

    card.get_by_role("searchbox", name="Filter runs").fill("state:failed x>100 x<=133")
    expect(card.get_by_text("4 of 10,000 runs")).to_be_visible()
    card.get_by_role("button", name=re.compile("^x")).click()
    expect(card.get_by_role("columnheader", name=re.compile("^x"))).to_have_attribute(
        "aria-sort", "ascending"
    )
    assert [int(row.get_attribute("data-run") or "", 16) for row in card.locator("tr[data-run]").all()] == [
        103, 113, 123, 133,
    ]  # fmt: skip

    card.get_by_role("searchbox", name="Filter runs").fill("no such run")
    card.get_by_role("button", name="Clear the filter").click()
    expect(card.get_by_text("10,000 of 10,000 runs")).to_be_visible()
    card.locator(".rw-window").evaluate("place => { place.scrollTop = place.scrollHeight / 2 }")
    expect(card.locator(f"tr[data-run='{MANY // 2:032x}']")).to_be_visible()
    assert card.locator("tr[data-run]").count() < 60


def test_runs_are_selected_opened_and_compared_by_keyboard_alone(lab: Lab, many: str) -> None:
    """Arrows move, Space selects, Shift extends the selection, Enter opens; Python has the selection."""
    card = lab.show("keys.ipynb", f"table = rw.RunTable({many!r}, filter='state:succeeded')\ntable")
    expect(card.get_by_text("9,000 of 10,000 runs")).to_be_visible()
    page = lab.page

    card.get_by_role("searchbox", name="Filter runs").focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.part") == "row":
            break
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    expect(card.get_by_text("3 selected")).to_be_visible()
    page.keyboard.press("End")
    expect(card.locator("tr:focus")).to_have_attribute("data-run", f"{0:032x}")
    page.keyboard.press("Home")
    expect(card.locator("tr:focus")).to_have_attribute("data-run", f"{MANY - 1:032x}")

    card.get_by_role("button", name="Compare").focus()
    page.keyboard.press("Enter")
    detail = card.get_by_role("region", name="Comparison of runs").first
    expect(detail.locator("tr.rw-differs", has_text="loss")).to_be_visible()
    assert detail.locator(".rw-delta").count() > 0
    card.get_by_role("button", name="Remove run").first.focus()
    page.keyboard.press("Enter")
    expect(detail.locator("thead code")).to_have_count(2)
    card.get_by_label("Numbers are the same within").select_option("5 %")
    expect(detail.locator("tr.rw-differs", has_text="loss")).to_have_count(0)
    card.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")
    expect(detail).to_be_hidden()

    card.locator("tr[data-run]").nth(1).focus()
    page.keyboard.press("Enter")
    expect(card.locator(".rw-detail .rw-badge").first).to_contain_text("Succeeded")
    page.keyboard.press("Escape")
    assert page.locator(".jp-Notebook .jp-Cell").count() == 3  # no key reached the notebook


def names_of(card: Locator) -> list[str]:
    """Return the headings of the columns, without the marks of the sort order."""
    return [name.strip(" ▲▼") for name in card.get_by_role("columnheader").all_inner_texts()[1:]]


def test_columns_are_moved_and_widened_persistently(lab: Lab, many: str) -> None:
    """Mouse and keys do it, and a reload of the page keeps it."""
    card = lab.show("columns.ipynb", f"rw.RunTable({many!r}, filter='x<50')")
    expect(card.get_by_text("50 of 10,000 runs")).to_be_visible()
    assert names_of(card) == ["Run", "State", "Started", "Duration", "x", "note", "loss", "Message"]

    card.get_by_role("button", name="loss", exact=True).focus()
    lab.page.keyboard.press("Shift+ArrowLeft")
    lab.page.keyboard.press("Shift+ArrowLeft")
    card.get_by_role("button", name="x", exact=True).drag_to(card.get_by_role("columnheader", name="State"))
    assert names_of(card) == ["Run", "x", "State", "Started", "Duration", "loss", "note", "Message"]

    loss = card.get_by_role("columnheader", name="loss")
    before = loss.bounding_box()["width"]  # type: ignore[index]
    card.get_by_role("button", name="loss", exact=True).focus()
    for _ in range(5):
        lab.page.keyboard.press("+")
    wider = loss.bounding_box()["width"]  # type: ignore[index]
    assert wider == pytest.approx(before + 5 * 24, abs=2)
    note = card.get_by_role("columnheader", name="note")
    grip = note.locator(".rw-grip").bounding_box()
    assert grip is not None
    lab.page.mouse.move(grip["x"] + 3, grip["y"] + 10)
    lab.page.mouse.down()
    lab.page.mouse.move(grip["x"] + 103, grip["y"] + 10, steps=5)
    drawn = note.bounding_box()["width"]  # type: ignore[index]
    lab.page.mouse.up()
    card.get_by_role("button", name="loss", exact=True).click()
    expect(loss).to_have_attribute("aria-sort", "ascending")
    expect(card.locator("tr[data-run]").first).to_have_attribute("data-run", f"{49:032x}")

    lab.page.keyboard.press("Control+s")
    wait_until(lambda: "widget-view" in (lab.server.folder / "columns.ipynb").read_text())
    lab.page.reload()
    expect(card.get_by_text("50 of 10,000 runs")).to_be_visible()
    assert names_of(card) == ["Run", "x", "State", "Started", "Duration", "loss", "note", "Message"]
    expect(loss).to_have_attribute("aria-sort", "ascending")
    assert loss.bounding_box()["width"] == pytest.approx(wider, abs=2)  # type: ignore[index]
    assert note.bounding_box()["width"] == pytest.approx(drawn, abs=2)  # type: ignore[index]


LEAVES = """
with open("table.csv", "w") as table:
    table.write("n,x\\n1,2\\n" if x == 2 else "n,x,y\\n1,3,4\\n2,3,4\\n")
with open("raw.bin", "wb") as raw:
    raw.write(bytes([0, 255, x]))
open("same.txt", "w").write("the same")
open("long.txt", "w").write("".join(f"{n * x}\\n" for n in range(4000)))
"""


def test_a_comparison_shows_how_files_differ(lab: Lab) -> None:
    """It shows lines and columns of text, sizes of other files, and omits equal parts."""
    notebook = write_notebook(lab.server.folder / "leaves.ipynb", LEAVES, parameters="x = 1")
    with lab.server.api() as api:
        group = group_of(api.workflows.create_workflow(str(notebook)))
        for x in (2, 3):
            ended(api, api.runs.start_run(group, arguments(x=x))["id"])
    card = lab.show("differences.ipynb", "table = rw.RunTable('leaves.ipynb')\ntable")
    card.get_by_role("checkbox", name="Select all runs shown").check()
    card.get_by_role("button", name="Compare").click()
    files = card.get_by_role("region", name="Files that differ")
    expect(files.locator("summary")).to_have_text(["long.txt", "raw.bin", "table.csv", "Executed notebook"])

    files.get_by_text("table.csv", exact=True).click()
    expect(files).to_contain_text("1 rows instead of 2, 2 columns instead of 3; fewer columns: y")
    changed = files.locator(".rw-added, .rw-removed")
    expect(changed).to_have_text(["- n,x,y", "- 1,3,4", "- 2,3,4", "+ n,x", "+ 1,2"])
    card.get_by_label("Compared with").select_option(index=1)
    files.get_by_text("table.csv", exact=True).click()
    expect(changed).to_have_text(["- n,x", "- 1,2", "+ n,x,y", "+ 1,3,4", "+ 2,3,4"])
    files.get_by_text("table.csv", exact=True).click()

    files.get_by_text("raw.bin", exact=True).click()
    expect(files).to_contain_text("This is not text: 3 B compared with 3 B.")
    files.get_by_text("long.txt", exact=True).click()
    expect(files).to_contain_text("These files are too different to be shown line by line.")
    files.get_by_text("Executed notebook").click()
    expect(files.locator(".rw-removed:visible", has_text="x = 2")).to_be_visible()
    assert violations(lab.page, ".rw") == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_table_is_accessible(lab: Lab, many: str, theme: str) -> None:
    """Rows, the selection of columns, a comparison and a question are checked in both themes."""
    set_theme(lab.server, f"JupyterLab {theme}")
    card = lab.show(f"axe-{theme}.ipynb", f"rw.RunTable({many!r}, filter='x<50')")
    expect(card.get_by_text("50 of 10,000 runs")).to_be_visible()

    for row in (0, 1):
        card.locator("tr[data-run] input[type=checkbox]").nth(row).click()
    card.get_by_role("button", name="Compare").click()
    expect(card.get_by_role("region", name="Comparison of runs").first).to_contain_text("loss")
    card.get_by_role("button", name="Delete 2").click()
    card.locator("summary", has_text="Columns").click()

    assert violations(lab.page, ".rw") == []


def test_a_table_is_live_and_many_runs_are_deleted_with_one_question(lab: Lab) -> None:
    """A new run appears, is followed to its end, and is deleted with the others."""
    notebook = write_notebook(
        lab.server.folder / "live.ipynb", "import runwidgets\nrunwidgets.record('a', 1)"
    )
    with lab.server.api() as api:
        group = group_of(api.workflows.create_workflow(str(notebook)))
        card = lab.show("live_table.ipynb", "table = rw.RunTable('live.ipynb')\ntable", TELLS)
        expect(card.get_by_text("No runs yet.")).to_be_visible()

        started = [api.runs.start_run(group, [])["id"] for _ in range(3)]
        for run_id in started:
            ended(api, run_id)

        expect(card.locator(".rw-runs .rw-badge.rw-success")).to_have_count(3)
        expect(card.get_by_role("columnheader", name="a", exact=True)).to_be_visible()
        card.get_by_role("checkbox", name="Select all runs shown").check()
        expect(lab.page.get_by_text("3 are selected")).to_be_visible()
        card.get_by_role("button", name="Delete 3").click()
        expect(card.get_by_text("Delete 3 runs and their files?")).to_be_visible()
        card.get_by_role("button", name="Yes, delete").click()
        expect(card.get_by_text("No runs yet.")).to_be_visible()
        expect(lab.page.get_by_text("0 are selected")).to_be_visible()
        assert json.dumps(api.runs.list_runs(group)["runs"]) == "[]"


def test_a_click_is_not_lost_while_runs_change(lab: Lab) -> None:
    """The table is not redrawn between the press and the release of a click, but after it."""
    notebook = write_notebook(lab.server.folder / "click.ipynb", "1")
    with lab.server.api() as api:
        group = group_of(api.workflows.create_workflow(str(notebook)))
        first = ended(api, api.runs.start_run(group, [])["id"])["id"]
        card = lab.show("click_table.ipynb", "rw.RunTable('click.ipynb')")
        card.locator(f"tr[data-run='{first}'] .rw-link").hover()
        lab.page.mouse.down()
        with lab.page.expect_response(lambda answer: "/table" in answer.url):
            api.runs.start_run(group, [])
        lab.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        lab.page.mouse.up()

        expect(card.locator(".rw-detail .rw-badge")).to_be_visible()
        expect(card.locator("tr[data-run]")).to_have_count(2)


def test_the_deletion_of_many_runs_needs_their_number(lab: Lab, many: str) -> None:
    """Above fifty runs the number is typed; a click is enough for fewer."""
    card = lab.show("type.ipynb", f"rw.RunTable({many!r}, filter='x<60')")
    expect(card.get_by_text("60 of 10,000 runs")).to_be_visible()
    card.get_by_role("checkbox", name="Select all runs shown").check()
    card.get_by_role("button", name="Delete 60").click()
    typed = card.get_by_role("textbox", name="Type 60 to confirm")
    typed.fill("6")
    typed.press("Enter")
    expect(card.get_by_text("Delete 60 runs and their files?")).to_be_visible()
    expect(card.get_by_role("button", name="Yes, delete")).to_be_disabled()
    typed.fill("60")
    typed.press("Enter")

    expect(card.get_by_text("of 9,940 runs")).to_be_visible()
