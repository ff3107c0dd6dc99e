import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.axe import violations
from tests.browser.conftest import PATIENCE, Lab, set_theme
from tests.builders import write_notebook
from tests.conftest import JupyterServer

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("lab")]

EVIL = "<img src=x onerror=window.hurt=1>\u202egnp\u202c {{7*7}} \x1b[31m"
EVERY = """import datetime
from pathlib import Path
from typing import Annotated, Literal
from pydantic import Field
whole: int  # how many there are
number: Annotated[float, Field(ge=0, le=1)] = 0.5
rate: Annotated[float, Field(ge=0.00001, le=1)] = 0.01
flag: bool = False
text: str = "a"
side: Literal["left", "right"] = "left"
size: Literal["1", "2", "3", "4", "5"] = "2"
city = "c3"
evil = ""
layer: dict | None = None
layers = []
numbers: list[float] = [1.0, 2.0]
words: list[str] = []
days: list[datetime.date] = []
anything: list = []
record: dict = {}
day: datetime.date = datetime.date(2024, 1, 1)
moment: datetime.datetime | None = None
secret: str = ""
table: Path = Path("none.csv")
city = "c3"
evil = ""
layer = None
layers = []
"""
LAYER = [{"name": "size", "dtype": "int"}, {"name": "name", "dtype": "string", "defaultValue": EVIL}]
CITIES = [{"name": f"city {at}", "value": f"c{at}"} for at in range(60)]
DECLARED = {
    "parameters": [
        {"name": "secret", "secret": True},
        {"name": "text", "label": EVIL, "help": EVIL},
        {"name": "whole", "group": "numbers"},
        {"name": "number", "group": "numbers"},
        {"name": "rate", "group": "numbers"},
        {"name": "city", "dtype": "select", "values": CITIES, "defaultValue": "c3"},
        {"name": "evil", "dtype": "select", "values": [{"name": EVIL, "value": EVIL}], "defaultValue": EVIL},
        {"name": "layer", "dtype": "record", "fields": LAYER, "isRequired": False},
        {
            "name": "layers",
            "dtype": "list",
            "para": {"dtype": "record", "fields": LAYER},
            "defaultValue": [{"size": 1, "name": "first"}],
        },
    ],
    "parameterGroups": [{"name": "numbers", "title": f"Numbers {EVIL}"}],
    "config": {"timeout": 500},
}
NAMES = (
    "whole number rate flag text side size numbers words days anything record day moment city layer layers"
)
GIVEN = (
    f"import runwidgets\nnames = {NAMES!r}.split()\n"
    "runwidgets.record('given', {name: str(globals()[name]) for name in names})\n"
    "runwidgets.record('rest', [len(secret), Path(table).exists() and open(table).read()])"
)


@pytest.fixture(scope="module")
def form_lab(browser: Browser, lab_server: JupyterServer) -> Iterator[Lab]:
    """Open one page with a form of every type of field, for all tests of this file."""
    expect.set_options(timeout=60_000)
    set_theme(lab_server, "JupyterLab Light")
    context = browser.new_context(viewport={"width": 1300, "height": 1400})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    lab = Lab(lab_server, page)
    write_notebook(lab_server.folder / "all.ipynb", GIVEN, parameters=EVERY, runwidgets=DECLARED)
    (lab_server.folder / "tables").mkdir(exist_ok=True)
    (lab_server.folder / "tables" / "small.csv").write_text("a,b\n")
    lab.show("all-form.ipynb", 'form = rw.RunForm("all.ipynb")\nform')
    yield lab
    lab.shut_down()
    context.close()
    assert not failures


@pytest.fixture
def card(form_lab: Lab) -> Locator:
    """Return the form, with every field at its default."""
    card = form_lab.page.locator(".rw").first
    card.get_by_role("button", name="Reset all").click()
    return card


def field(card: Locator, name: str) -> Locator:
    """Return a field by its parameter."""
    return card.locator(f"[data-parameter={name}]").first


def given(card: Locator) -> dict[str, str]:
    """Return the values that the notebook printed."""
    expect(card.locator(".rw-badge").first).to_have_text("✓ Succeeded")
    text = card.locator(".rw-metrics dd").first.get_attribute("title") or ""
    found: dict[str, str] = json.loads(text)
    return found


def test_every_field_is_filled_with_the_mouse_and_its_value_reaches_the_notebook(card: Locator) -> None:
    """Fields are typed, selected, ticked, slid, picked and uploaded; the notebook gets the values."""
    field(card, "whole").get_by_role("textbox").fill("12345678901234567890")
    field(card, "number").get_by_role("slider").fill("75")
    field(card, "rate").get_by_role("textbox").fill("1e-3")
    field(card, "flag").get_by_role("checkbox").check()
    field(card, "text").get_by_role("textbox").fill('it\'s "so" <b>')
    card.get_by_role("radio", name="right").check()
    field(card, "size").get_by_role("combobox").select_option("5")
    field(card, "numbers").get_by_role("button", name="Remove 1").click()
    field(card, "numbers").get_by_role("textbox").press_sequentially("3, 4.5")
    field(card, "words").get_by_role("textbox").fill("one, two")
    field(card, "days").get_by_role("button", name="Add to days").click()
    field(card, "days").get_by_label("days 1", exact=True).fill("2024-02-29")
    field(card, "anything").get_by_role("textbox").fill('[1, "two"]')
    field(card, "record").get_by_role("textbox").fill('{"a": [1]}')
    field(card, "day").locator("input").fill("2024-02-29")
    field(card, "moment").locator("input").fill("2024-02-29T18:30:15")
    field(card, "secret").locator("input").fill("hunter2")
    field(card, "city").get_by_role("combobox").fill("city 4")
    field(card, "city").get_by_role("option", name="city 42").click()
    field(card, "layer").get_by_label("size", exact=True).fill("7")
    field(card, "layers").get_by_role("button", name="Add to layers").click()
    field(card, "layers").get_by_label("size", exact=True).nth(1).fill("9")
    field(card, "table").get_by_role("button", name="From the server").click()
    field(card, "table").get_by_role("button", name="Open folder tables").click()
    field(card, "table").get_by_role("button", name="small.csv").click()
    expect(card.locator(".rw-upload > [role=status]")).to_contain_text("small.csv is uploaded")

    card.get_by_role("button", name="Start").click()

    assert given(card) == {
        "whole": "12345678901234567890",
        "number": "0.75",
        "rate": "0.001",
        "flag": "True",
        "text": 'it\'s "so" <b>',
        "side": "right",
        "size": "5",
        "numbers": "[2.0, 3.0, 4.5]",
        "words": "['one, two']",
        "days": "[datetime.date(2024, 2, 29)]",
        "anything": "[1, 'two']",
        "record": "{'a': [1]}",
        "day": "2024-02-29",
        "moment": "2024-02-29 18:30:15",
        "city": "c42",
        "layer": str({"name": EVIL, "size": 7}),
        "layers": str([{"name": "first", "size": 1}, {"name": EVIL, "size": 9}]),
    }
    assert json.loads(card.locator(".rw-metrics dd").nth(1).get_attribute("title") or "") == [7, "a,b\n"]


def test_the_keyboard_alone_fills_in_starts_and_never_reaches_the_notebook(
    form_lab: Lab, card: Locator
) -> None:
    """Arrows, Enter, Backspace and letters stay in the form; Enter starts nothing, Ctrl+Enter does."""
    press = form_lab.page.keyboard.press
    cells = form_lab.page.locator(".jp-Cell").count()
    runs = card.locator(".rw-started .rw-badge").count()

    field(card, "whole").get_by_role("textbox").focus()
    form_lab.page.keyboard.type("8")
    press("Enter")
    press("Tab")
    press("ArrowRight")
    expect(field(card, "number").get_by_role("textbox")).to_have_value("0.51")
    field(card, "city").get_by_role("combobox").focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        press(key)
    expect(field(card, "city").get_by_role("combobox")).to_have_value("city 1")
    field(card, "numbers").get_by_role("textbox").focus()
    for key in ("Backspace", "5", "Enter", "ArrowLeft", "Delete"):
        press(key)
    expect(field(card, "numbers").locator(".rw-tag")).to_have_text(["1✕"])
    press("ArrowLeft")
    press("d")
    press("d")
    field(card, "days").get_by_role("button", name="Add to days").focus()
    press("Enter")
    expect(field(card, "days").get_by_label("days 1", exact=True)).to_be_focused()
    press("Shift+Enter")
    expect(field(card, "days").locator(".rw-itemrow")).to_have_count(2)
    for _ in range(2):
        field(card, "days").get_by_role("button", name="Remove days 1").focus()
        press("Enter")
    card.get_by_role("radio", name="left").focus()
    press("ArrowDown")
    expect(card.get_by_role("radio", name="right")).to_be_checked()
    assert card.locator(".rw-started .rw-badge").count() == runs
    press("Control+Enter")

    metric = card.locator(".rw-metrics dd").first
    expect(metric).to_have_attribute("title", re.compile(r'"numbers": ?"\[1\.0\]"'))
    assert form_lab.page.locator(".jp-Cell").count() == cells


def test_options_are_closed_at_first_and_are_sent_with_the_run(form_lab: Lab, card: Locator) -> None:
    """A refused one is shown at its field; the code says them too."""
    options = card.locator(".rw-run-options")
    expect(field(card, "retries")).to_be_hidden()
    options.locator("summary").click()
    expect(field(card, "timeout")).to_contain_text("default 500")
    field(card, "whole").get_by_role("textbox").fill("3")
    field(card, "retries").get_by_role("textbox").fill("11")
    card.get_by_role("button", name="Start").click()
    expect(field(card, "retries").locator(".rw-problem")).to_have_text(
        "it must be a whole number from 0 to 10"
    )
    expect(field(card, "retries").get_by_role("textbox")).to_be_focused()

    field(card, "retries").get_by_role("textbox").fill("2")
    card.get_by_role("button", name="Copy as code").click()
    expect(card.get_by_text("The code was copied.")).to_be_visible()
    assert 'config={"retries": 2}' in form_lab.page.evaluate("navigator.clipboard.readText()")
    card.get_by_role("button", name="Start").click()

    metric = card.locator(".rw-metrics dd").first
    expect(metric).to_have_attribute("title", re.compile(r'"whole": ?"3"'))
    card.get_by_role("button", name="Reset all").click()
    expect(field(card, "retries").get_by_role("textbox")).to_have_value("")
    options.locator("summary").click()


def test_problems_are_shown_while_typing_and_the_start_button_names_missing_values(card: Locator) -> None:
    """They appear after the field is left, then with every key; a click explains and focuses the first."""
    start = card.get_by_role("button", name="Start")
    expect(start).to_have_accessible_description("Missing: whole")
    number = field(card, "number").get_by_role("textbox")
    problem = field(card, "number").locator(".rw-problem")

    number.fill("5")
    expect(problem).to_be_hidden()
    number.blur()
    expect(problem).to_have_text("must be 0 to 1, got 5")
    number.fill("abc")
    expect(problem).to_have_text("'abc' is not a number")
    start.click()

    expect(card.get_by_role("alert").first).to_contain_text("Please correct 2 fields")
    expect(field(card, "whole").get_by_role("textbox")).to_be_focused()
    expect(number).to_have_value("abc")
    expect(field(card, "whole").locator(".rw-problem")).to_have_text("no value was given")
    field(card, "number").get_by_role("button", name="Reset to default").click()
    expect(number).to_have_value("0.5")
    expect(problem).to_be_hidden()


def test_an_earlier_run_fills_the_form_and_the_code_says_the_same(form_lab: Lab, card: Locator) -> None:
    """The list has times, ends and values that differ from defaults; secrets are neither kept nor copied."""
    field(card, "secret").locator("input").fill("hunter2")
    card.get_by_role("button", name="Earlier runs").click()
    row = card.get_by_role("button", name="Use the arguments").filter(has_text="12345678901234567890")
    expect(row).to_contain_text("Succeeded")
    row.click()

    expect(field(card, "whole").get_by_role("textbox")).to_have_value("12345678901234567890")
    expect(field(card, "numbers").locator(".rw-tag")).to_have_text(["2✕", "3✕", "4.5✕"])
    expect(field(card, "layers").get_by_label("size", exact=True).nth(1)).to_have_value("9")
    card.get_by_role("button", name="Copy as code").click()
    expect(card.get_by_text("The code was copied.")).to_be_visible()
    code = form_lab.page.evaluate("navigator.clipboard.readText()")
    assert "    whole=12345678901234567890,\n" in code and "  # small.csv\n" in code
    assert '"size": 9' in code and "hunter2" not in code
    compile(code, "copied", "eval")


def test_a_dropped_file_is_uploaded_and_one_over_the_limit_is_refused(card: Locator) -> None:
    """The limit is shown before; a second file is not silently ignored."""
    drop = """(zone, names) => {
        const data = new DataTransfer();
        for (const name of names) data.items.add(new File(['x'], name));
        zone.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
    }"""
    zone = field(card, "table").locator(".rw-upload")
    expect(zone).to_contain_text("or drop a file here, up to 1.0 GB")

    zone.evaluate(drop, ["one.csv", "two.csv"])
    zone.evaluate(drop, ["dropped.csv"])

    expect(zone.locator("> [role=status]")).to_have_text("dropped.csv is uploaded, 1 B.")
    expect(zone.get_by_role("combobox").locator("option:checked")).to_have_text("dropped.csv (1 B)")


def test_hostile_texts_are_shown_as_written(form_lab: Lab, card: Locator) -> None:
    """Labels, help, choices, defaults and group titles are text; nothing is executed."""
    for place in ("text", "evil", "layer"):
        expect(field(card, place)).to_contain_text("<img src=x onerror=window.hurt=1>")
    expect(card.locator(".rw-group legend").first).to_contain_text("{{7*7}}")
    assert card.locator(".rw-form img").count() == 0
    assert form_lab.page.evaluate("window.hurt") is None


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_form_is_accessible_in_both_themes(form_lab: Lab, card: Locator, theme: str) -> None:
    """There is no serious violation, with invalid fields and open panels."""
    page = form_lab.page
    page.click("#jp-MainMenu >> text=Settings")
    page.locator(".lm-Menu >> text=Theme").first.hover()
    page.locator(".lm-Menu-itemLabel", has_text=f"JupyterLab {theme}").first.click()
    page.wait_for_selector(
        f"body[data-jp-theme-light={'true' if theme == 'Light' else 'false'}]", state="attached"
    )

    field(card, "numbers").get_by_role("textbox").fill("x,")
    field(card, "days").get_by_role("button", name="Add to days").click()
    expect(field(card, "days").locator(".rw-itemrow")).to_have_count(1)
    card.get_by_role("button", name="Start").click()
    card.get_by_role("button", name="Earlier runs").click()
    expect(card.locator(".rw-entryrow").first).to_be_visible()
    field(card, "city").get_by_role("combobox").click()

    assert violations(page, ".rw-form") == []
    card.get_by_role("button", name="Close", exact=True).click()
