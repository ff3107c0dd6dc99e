import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Lab
from tests.builders import wait_until, write_notebook

pytestmark = [pytest.mark.timeout(300)]

SLOW = 'rw.run("templates/epidemic.ipynb", days=360, pause=30)'


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=60_000)


def cells_seen(page: Page) -> list[int]:
    """Watch the card until the run has succeeded, and return the cells that it counted."""
    seen: list[int] = []

    def look() -> bool:
        stage = page.locator(".rw-stage").first
        found = re.match(r"cell (\d+) of 9", stage.text_content() or "")
        if found and int(found[1]) not in seen:
            seen.append(int(found[1]))
        return page.locator(".rw-badge.rw-success").count() > 0

    wait_until(look, within=90)
    return seen


def test_a_form_starts_a_run_that_is_followed_to_its_results(lab: Lab, tmp_path: Path) -> None:
    """The form is filled in and started, cells are counted, and picture, metric and table are shown."""
    card = lab.show("form.ipynb", 'rw.RunForm("templates/classify_digits.ipynb")')

    card.get_by_role("textbox", name="Trees").fill("400")
    card.get_by_role("button", name="Start").click()

    expect(card.locator(".rw-badge")).to_contain_text("Running")
    seen = cells_seen(lab.page)
    assert len(seen) > 1 and seen == sorted(seen)
    expect(card.locator(".rw-badge")).to_have_text("✓ Succeeded")
    image = card.get_by_role("img", name="Confusion matrix")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.naturalWidth") > 300
    expect(card.locator(".rw-metrics")).to_contain_text("accuracy")
    assert "trees = 400" in (card.locator(".rw-given").text_content() or "")
    with lab.page.expect_download() as download:
        card.get_by_role("link", name="Download predictions.csv").click()
    download.value.save_as(tmp_path / "predictions.csv")
    assert (tmp_path / "predictions.csv").read_text().startswith("image,true,predicted,right\n")
    card.get_by_role("button", name="Preview predictions.csv").click()
    expect(card.locator(".rw-table tbody tr")).to_have_count(200)
    card.get_by_role("button", name="Preview classify_digits.ipynb").click()
    expect(card.locator(".rw-notebook")).to_contain_text("images to learn from")


def test_a_wrong_value_is_named_under_its_field_and_kept(lab: Lab) -> None:
    """Nothing is clamped or coerced; no run is started; Ctrl+Enter and the summary lead to the field."""
    card = lab.show("wrong.ipynb", 'rw.RunForm("templates/classify_digits.ipynb")')
    trees = card.get_by_role("textbox", name="Trees")

    for typed, said in [("abc", "'abc' is not a whole number"), ("5000", "must be 1 to 1000, got 5000")]:
        trees.fill(typed)
        trees.blur()
        expect(card.locator("[data-parameter=trees] .rw-problem")).to_have_text(said)
    trees.press("Control+Enter")

    expect(card.get_by_role("alert").first).to_contain_text("Please correct 1 field")
    expect(trees).to_have_value("5000")
    expect(trees).to_be_focused()
    expect(card.locator(".rw-badge")).to_have_count(0)


EVERY = """import datetime
from typing import Annotated, Literal
whole: int
number: float = 0.5
flag: bool = False
text: str = "a"
choice: Literal["left", "right"] = "left"
numbers: list[float] = [1.0, 2.0]
anything: list = []
record: dict = {}
day: datetime.date = datetime.date(2024, 1, 1)
moment: datetime.datetime | None = None
layer: dict | None = None
secret: str = ""
layer = None
"""
DECLARED = {
    "parameters": [
        {"name": "secret", "secret": True},
        {
            "name": "layer",
            "dtype": "record",
            "fields": [{"name": "size", "dtype": "int"}],
            "isRequired": False,
        },
    ]
}
GIVEN = [
    "import runwidgets",
    "names = 'whole number flag text choice numbers anything record day moment layer'.split()",
    "runwidgets.record('given', {name: str(globals()[name]) for name in names})",
    "runwidgets.record('length', len(secret))",
]


def test_every_type_has_a_field_whose_value_reaches_the_notebook(lab: Lab) -> None:
    """Values are typed, selected, ticked or picked, and the notebook gets them."""
    folder = lab.server.folder
    write_notebook(folder / "every.ipynb", "\n".join(GIVEN), parameters=EVERY, runwidgets=DECLARED)
    card = lab.show("types.ipynb", 'rw.RunForm("every.ipynb")')
    typed = {
        "whole": "12345678901234567890",
        "number": "1e-3",
        "text": 'it\'s "so" <b>',
        "numbers": "3, 4.5",
        "anything": '[1, "two"]',
        "record": '{"a": [1]}',
        "size": "7",
        "secret": "hunter2",
    }
    for name, value in typed.items():
        card.locator(f"[data-parameter={name}]").last.get_by_role("textbox").or_(
            card.locator(f"[data-parameter={name}] input[type=password]")
        ).first.fill(value)
    card.locator("[data-parameter=flag] input").check()
    card.get_by_role("radio", name="right").check()
    card.locator("[data-parameter=day] input").fill("2024-02-29")
    card.locator("[data-parameter=moment] input").fill("2024-02-29T18:30:15")
    card.get_by_role("button", name="Start").click()

    expect(card.locator(".rw-badge")).to_have_text("✓ Succeeded")
    given = json.loads(card.locator(".rw-metrics dd").first.get_attribute("title") or "")
    assert given == {
        "whole": "12345678901234567890",
        "number": "0.001",
        "flag": "True",
        "text": 'it\'s "so" <b>',
        "choice": "right",
        "numbers": "[1.0, 2.0, 3.0, 4.5]",
        "anything": "[1, 'two']",
        "record": "{'a': [1]}",
        "day": "2024-02-29",
        "moment": "2024-02-29 18:30:15",
        "layer": "{'size': 7}",
    }
    expect(card.locator(".rw-metrics")).to_contain_text("length7")
    assert "hunter2" not in (card.locator(".rw-started").text_content() or "")


def test_a_run_is_cancelled_in_its_view(lab: Lab) -> None:
    """It asks for confirmation in place."""
    card = lab.show("cancel.ipynb", 'rw.RunForm("templates/epidemic.ipynb", arguments={"pause": 30})')
    card.get_by_role("button", name="Start").click()
    expect(card.locator(".rw-badge")).to_have_text("▶ Running")
    expect(card.locator(".rw-log")).to_contain_text("day 30")

    card.get_by_role("button", name="Cancel run").click()
    expect(card.get_by_role("button", name="No")).to_be_focused()
    card.get_by_role("button", name="Yes, cancel").click()

    expect(card.locator(".rw-badge")).to_have_text("■ Cancelled")
    expect(card.get_by_text("the run was cancelled")).to_be_visible()


def test_start_cancel_and_delete_work_while_the_kernel_is_busy(lab: Lab) -> None:
    """A sleeping cell does not prevent a view from acting."""
    sleep = "import time\nprint('asleep')\ntime.sleep(120)"
    card = lab.show("busy.ipynb", f"rw.RunView({SLOW})", 'rw.RunForm("templates/epidemic.ipynb")', sleep)
    expect(lab.page.get_by_text("asleep", exact=True)).to_be_visible()
    expect(card.locator(".rw-badge")).to_have_text("▶ Running")

    card.get_by_role("button", name="Cancel run").click()
    card.get_by_role("button", name="Yes, cancel").click()
    expect(card.locator(".rw-badge")).to_have_text("■ Cancelled")
    card.get_by_role("button", name="Delete").click()
    card.get_by_role("button", name="Yes, delete").click()
    expect(card).to_contain_text("This run was deleted.")
    form = lab.page.locator(".rw").nth(1)
    form.get_by_role("button", name="Start").click()
    expect(form.locator(".rw-badge")).to_have_text("✓ Succeeded")

    assert lab.page.locator(".jp-Notebook-ExecutionIndicator[data-status=busy]").count() == 1


def test_a_run_continues_through_a_reload_and_a_new_kernel(lab: Lab) -> None:
    """A run belongs to no page and no kernel; a new view shows it."""
    start = (
        'run = rw.run("templates/epidemic.ipynb", days=360, pause=1)\nprint("id:" + run.id)\nrw.RunView(run)'
    )
    card = lab.show("reload.ipynb", start)
    expect(card.locator(".rw-badge")).to_have_text("▶ Running")
    printed = lab.page.get_by_text(re.compile("^id:")).first.text_content() or ""
    run_id = printed.strip().removeprefix("id:")

    lab.page.reload()
    lab.restart_kernels()
    card = lab.show("again.ipynb", f'rw.RunView("{run_id}")')

    expect(card.locator(".rw-badge")).to_have_text("▶ Running")
    expect(card.locator(".rw-log")).to_contain_text("day 30")
    expect(card.locator(".rw-badge")).to_have_text("✓ Succeeded")
    expect(card.get_by_role("img", name="Course of the epidemic")).to_be_visible()


def test_many_views_share_one_connection(lab: Lab) -> None:
    """A page may show more runs than a browser opens connections to one server."""
    start = 'run = rw.run("templates/epidemic.ipynb", days=360, pause=30)'
    lab.show(
        "many.ipynb",
        start,
        "from IPython.display import display\ndisplay(*[rw.RunView(run) for _ in range(9)])",
    )
    badges = lab.page.locator(".rw-badge")
    expect(badges).to_have_text(["▶ Running"] * 9)

    lab.page.get_by_role("button", name="Cancel run").last.click()
    lab.page.get_by_role("button", name="Yes, cancel").click()

    expect(badges).to_have_text(["■ Cancelled"] * 9)


def test_plain_keys_in_a_widget_do_not_reach_the_notebook(lab: Lab) -> None:
    """`d` `d` on a focused button deletes no cell, and Shift+Enter runs none."""
    card = lab.show("keys.ipynb", 'rw.RunForm("templates/epidemic.ipynb")')
    cells = lab.page.locator(".jp-Notebook .jp-Cell")
    before = cells.count()
    days = card.get_by_role("textbox", name="Days")

    card.get_by_role("button", name="Reset all").focus()
    for key in ("d", "d", "a", "b", "x"):
        lab.page.keyboard.press(key)
    days.fill("42")
    days.press("Shift+Enter")
    days.press("Enter")

    assert cells.count() == before
    expect(days).to_have_value("42")
    expect(card.locator(".rw-badge")).to_have_count(0)


def test_a_file_is_uploaded_from_the_form(lab: Lab, tmp_path: Path) -> None:
    """The file is selected in the browser, stored with the group, and read by the run."""
    (tmp_path / "mine.csv").write_text("height,weight\n1,2\n3,4\n5,6\n")
    card = lab.show("upload.ipynb", 'rw.RunForm("templates/summarise_table.ipynb")')

    card.locator("input[type=file]").set_input_files(tmp_path / "mine.csv")
    chosen = card.get_by_role("combobox", name="Table").locator("option:checked")
    expect(chosen).to_have_text("mine.csv (26 B)")
    card.get_by_role("button", name="Start").click()

    expect(card.locator(".rw-badge")).to_have_text("✓ Succeeded")
    expect(card.locator(".rw-metrics")).to_contain_text("rows3")
    card.get_by_role("button", name="Preview columns.json").click()
    expect(card.locator(".rw-tree")).to_contain_text("height")


def test_a_failed_run_shows_its_error_and_runs_again(lab: Lab) -> None:
    """The message, the traceback, and the form with the invalid values are shown."""
    start = 'rw.RunView(rw.run("templates/summarise_table.ipynb", group_by="<b>x</b>"))'
    card = lab.show("failed.ipynb", start)

    expect(card.locator(".rw-badge")).to_have_text("✕ Failed")
    expect(card.get_by_role("alert")).to_contain_text("there is no column '<b>x</b>'")
    card.get_by_role("button", name="Run again").click()

    field = card.get_by_role("textbox", name="Group by")
    expect(field).to_have_value("<b>x</b>")
    field.fill("species")
    card.get_by_role("button", name="Start").click()
    expect(card.locator(".rw-started .rw-badge")).to_have_text("✓ Succeeded")


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("quickstart.ipynb", "A form", "What next?"),
        ("widgets.ipynb", "RunForm", "Observing"),
        ("sweeps.ipynb", "A grid", "A notebook over all results"),
    ],
)
def test_an_example_runs_from_top_to_bottom(lab: Lab, name: str, first: str, last: str) -> None:
    """Run All ends without an error, with its widgets drawn."""
    lab.open(name)
    lab.run_all()

    lab.page.get_by_role("heading", name=last).scroll_into_view_if_needed()
    lab.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=busy]")
    lab.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=150_000)

    assert lab.page.locator("[data-mime-type='application/vnd.jupyter.stderr'], .jp-mod-error").count() == 0
    lab.page.get_by_role("heading", name=first, exact=True).scroll_into_view_if_needed()
    expect(lab.page.locator(".rw").first).to_be_visible()
