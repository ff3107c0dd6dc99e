"""A sweep in one widget: followed to its end, read by its parameters, with up to ten thousand runs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect
from sqlalchemy import insert, select

from runwidgets.store.database.database import Database
from runwidgets.store.database.tables import groups, points, runs, sweeps, workflows
from tests.browser.axe import violations
from tests.browser.conftest import Lab, set_theme
from tests.browser.injection_strings import HOSTILE, as_written
from tests.browser.test_table import moment
from tests.builders import arguments, group_of, write_notebook
from tests.conftest import JupyterServer, url_of

pytestmark = [pytest.mark.timeout(300)]

MANY = 10_000
STUDY = """
import runwidgets, time
time.sleep(0.1)
if depth == 3:
    raise ValueError("<b>3</b> is too deep")
runwidgets.record("loss", lr * depth)
runwidgets.record("rate", lr)
"""
TELLS = """
import ipywidgets
out = ipywidgets.Output()
def tell(change):
    frame = form.sweep.wait().to_frame()
    out.append_stdout(f"{frame.loss.round(3).sort_values().tolist()} {form.several}")
form.observe(tell, "sweep_id")
out
"""


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def study(lab_server: JupyterServer) -> str:
    """Write a notebook with a loss."""
    return write_notebook(
        lab_server.folder / "study.ipynb", STUDY, parameters="lr: float = 0.1\ndepth: int = 2"
    ).name


@pytest.fixture(scope="module")
def many(lab_server: JupyterServer) -> Iterator[str]:
    """Put a sweep of ten thousand finished runs into the database, and return its id."""
    path = write_notebook(lab_server.folder / "manysweep.ipynb", "1", parameters="x = 1\ny = 1")
    with lab_server.api() as api:
        group = group_of(api.workflows.create_workflow(str(path)))
        sweep = api.sweeps.start_sweep(group, [arguments(x=-1, y=-1)])["id"]
    database = Database(url_of(lab_server.root))
    with database.write() as connection:
        workflow, version = connection.execute(
            select(workflows.c.id, workflows.c.version_id).join(groups).where(groups.c.id == group)
        ).one()
        common = {"group_id": group, "workflow_id": workflow, "version_id": version, "sweep_id": sweep}
        rows = [
            {
                **common,
                "id": f"s{number:031x}",
                "state": "SUCCESS",
                "arguments": arguments(x=number // 100, y=number % 100),
                "config": {},
                "messages": [],
                "metrics": {"loss": abs(number - 4321)},
                "created_at": moment(number),
                "started_at": moment(number),
                "finished_at": moment(number + 5),
                "holds_slot": False,
            }
            for number in range(MANY - 1)
        ]
        connection.execute(insert(runs), rows)
        numbered = [
            {"sweep_id": sweep, "number": number, "run_id": row["id"]} for number, row in enumerate(rows, 2)
        ]
        connection.execute(insert(points), numbered)
        connection.execute(
            sweeps.update().where(sweeps.c.id == sweep).values(last_number=MANY, varied=["x", "y"])
        )
    database.close()
    yield sweep


def draw_along(lab: Lab, card: Locator, axis: int, low: float, high: float) -> None:
    """Brush along an axis of the plot, between two shares of its height, upwards."""
    box = card.locator(".rw-grasp").nth(axis).bounding_box()
    assert box is not None
    x, bottom = box["x"] + box["width"] / 2, box["y"] + box["height"]
    lab.page.mouse.move(x, bottom - low * box["height"])
    lab.page.mouse.down()
    lab.page.mouse.move(x, bottom - high * box["height"], steps=5)
    expect(card.locator(".rw-band")).to_be_visible()
    lab.page.mouse.up()


def test_a_cell_is_swept_and_followed(lab: Lab) -> None:
    """`%%sweep` shows its sweep; grid, plot, best run, reasons and the data frame have the results."""
    cell = "%%sweep name=mine lr=[0.1, 1.0] depth=range(1, 4)\n" + STUDY
    card = lab.show(
        "cell.ipynb",
        "%load_ext runwidgets",
        cell,
        "rw.SweepView(mine)",
        "mine.wait().to_frame().groupby('state')['loss'].agg(['count', 'min']).round(3)",
    )
    card = lab.page.locator(".rw:has(.rw-sweep)").last

    expect(card.get_by_text("6 of 6 done · ✓ 4 succeeded · ✕ 2 failed")).to_be_visible()
    expect(card.get_by_text("Best loss: 0.1 at depth = 1, lr = 0.1")).to_be_visible()
    expect(card.locator(".rw-grid-of td.rw-best")).to_have_text("0.1")
    expect(card.locator(".rw-grid-of button", has_text="✕")).to_have_count(2)
    expect(card.get_by_role("img", name="Best loss: 0.1 at depth = 1, lr = 0.1")).to_be_visible()
    expect(card.locator(".rw-plot polyline")).to_have_count(4)
    card.get_by_text("2 failed", exact=True).click()
    expect(card.locator(".rw-reasons")).to_contain_text("cell 3 raised ValueError: <b>3</b> is too deep")
    expect(card.locator("tr[data-run]")).to_have_count(6)
    expect(lab.page.locator(".jp-OutputArea-output table", has_text="SUCCESS").last).to_contain_text("0.1")

    card.locator("tr[data-run] input[type=checkbox]").nth(1).click()
    expect(card.locator(".rw-plot .rw-chosen")).to_have_count(1)
    expect(card.locator(".rw-figure")).to_contain_text("1 selected, drawn thick and dashed")
    card.get_by_role("button", name="Clear selection").click()
    expect(card.locator(".rw-plot .rw-chosen")).to_have_count(0)

    draw_along(lab, card, 2, 0.03, 0.8)
    expect(card.get_by_text("2 selected", exact=True)).to_be_visible()
    lab.page.keyboard.down("Shift")
    draw_along(lab, card, 1, -0.02, 0.2)
    lab.page.keyboard.up("Shift")
    expect(card.get_by_text("1 selected", exact=True)).to_be_visible()
    expect(card.locator("tr[aria-selected=true]")).to_contain_text("0.2")
    expect(card.locator(".rw-plot .rw-chosen")).to_have_count(1)
    card.get_by_role("button", name="Clear selection").click()

    card.get_by_label("Better is").select_option("higher")
    expect(card.get_by_text("Best loss: 2 at depth = 2, lr = 1")).to_be_visible()
    card.get_by_role("button", name="Run 2 failed or cancelled runs again").click()
    expect(card.get_by_text("4 succeeded · ✕ 2 failed")).to_be_visible()
    card.get_by_role("button", name="Open best run").click()
    expect(
        card.get_by_role("heading", name="Open run").or_(card.locator(".rw-detail .rw-badge").first)
    ).to_be_visible()


def test_a_form_starts_a_sweep(lab: Lab, study: str) -> None:
    """Fields are switched to several values; the button has the number of runs, and asks above a hundred."""
    card = lab.show("form_sweep.ipynb", f"form = rw.RunForm({study!r})\nform", TELLS)
    rate, depth = (card.locator(f"[data-parameter={name}]") for name in ("lr", "depth"))

    expect(rate.get_by_role("button", name="several values: lr")).to_be_hidden()
    card.get_by_role("button", name="Sweep…").click()
    rate.get_by_role("button", name="several values: lr").click()
    rate.get_by_label("How the values of lr are given").select_option("Log range")
    for part, value in {"from": "0.01", "to": "1", "how many": "3"}.items():
        rate.get_by_label(f"lr: {part}").fill(value)
    expect(rate.get_by_text("3 values: 0.01, 0.1, 1")).to_be_visible()
    expect(card.get_by_role("button", name="Start 3 runs")).to_be_visible()
    depth.get_by_role("button", name="several values: depth").click()
    depth.get_by_label("How the values of depth are given").select_option("Range")
    depth.get_by_label("depth: to").fill("100")
    depth.get_by_label("depth: step").fill("1")
    card.get_by_role("button", name="Start 297 runs").click()
    expect(card.get_by_text("Start 297 runs?")).to_be_visible()
    card.get_by_role("button", name="No", exact=True).click()
    depth.get_by_label("How the values of depth are given").select_option("List")
    depth.get_by_role("textbox", name="Values of depth").fill("1, 4")
    expect(card.get_by_text("3 lr \u00d7 3 depth = 9 runs")).to_be_visible()
    for name in card.locator(".rw-name-of").all():
        box = name.bounding_box()
        assert box is not None and box["height"] < 30  # on one line, whatever stands beside it
    assert violations(lab.page, ".rw") == []
    depth.get_by_role("button", name="Remove 2").click()
    card.get_by_role("button", name="Start 6 runs").click()

    expect(card.get_by_text("6 of 6 done · ✓ 6 succeeded")).to_be_visible()
    expect(card.get_by_text("Best loss: 0.01 at lr = 0.01, depth = 1")).to_be_visible()
    expect(card.locator(".rw-grid-of td.rw-best")).to_have_text("0.01")
    told = "[0.01, 0.04, 0.1, 0.4, 1.0, 4.0] {'lr': [0.01, 0.1, 1], 'depth': ['1', '4']}"
    expect(lab.page.get_by_text(told)).to_be_visible()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_sweep_is_accessible(lab: Lab, study: str, theme: str) -> None:
    """It works without a mouse and with a screen reader, in both themes."""
    set_theme(lab.server, f"JupyterLab {theme}")
    view = f"rw.SweepView(rw.sweep({study!r}, lr=[0.1, 0.2, 0.5], depth=[1, 2, 3], config={{'reuse': True}}))"
    card = lab.show(f"keys-{theme}.ipynb", view)
    expect(card.get_by_text("9 of 9 done")).to_be_visible()
    expect(card.locator(".rw-grid-of td.rw-best")).to_be_visible()

    assert violations(lab.page, ".rw") == []
    card.locator(".rw-grid-of button").first.focus()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowDown")
    expect(card.locator(".rw-grid-of tbody tr").nth(1).locator("button").nth(1)).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(card.locator(".rw-detail .rw-badge").first).to_be_visible()
    assert lab.page.locator(".jp-Notebook .jp-Cell").count() == 3  # no key reached the notebook


def test_a_sweep_is_paused_and_cancelled_with_one_question(lab: Lab) -> None:
    """It is paused by a click and resumed elsewhere; waiting runs are cancelled, or all."""
    write_notebook(lab.server.folder / "slow.ipynb", "import time\ntime.sleep(600)", parameters="x = 1")
    card = lab.show("cancel.ipynb", "rw.SweepView(rw.sweep('slow.ipynb', x=range(5)))")
    expect(card.get_by_text("▶ 2 running · ◷ 3 waiting")).to_be_visible()

    card.get_by_role("button", name="Pause").click()
    expect(card.get_by_text("◷ 3 waiting · paused: no further runs are started")).to_be_visible()
    expect(card.get_by_role("button", name="Resume")).to_be_focused()
    with lab.server.api() as api:
        known = [
            api.workflows.get_workflow(each["id"]) for each in api.workflows.list_workflows()["workflows"]
        ]
        listed = [each for made in known for each in api.sweeps.list_sweeps(group_of(made))["sweeps"]]
        (paused,) = [each["id"] for each in listed if each["isPaused"]]
        api.sweeps.pause_sweep(paused, paused=False)
    expect(card.get_by_text("paused")).to_have_count(0)
    card.get_by_role("button", name="Cancel 3 waiting").click()
    expect(card.get_by_text("Cancel the 3 waiting runs?")).to_be_visible()
    card.get_by_role("button", name="Yes, cancel").click()
    expect(card.get_by_text("■ 3 cancelled · ▶ 2 running")).to_be_visible()
    card.get_by_role("button", name="Cancel all 2").click()
    card.get_by_role("button", name="Yes, cancel").click()
    expect(card.get_by_text("5 of 5 done · ■ 5 cancelled")).to_be_visible()
    card.get_by_role("button", name="Delete sweep").click()
    card.get_by_role("button", name="Yes, delete").click()
    expect(card.get_by_text("This server has no such sweep")).to_be_visible()


def test_hostile_strings_in_a_sweep_are_shown_as_written_and_nothing_runs(lab: Lab) -> None:
    """Values, a metric and reasons are text in grid, plot, selectors, table and comparison."""
    record = f"runwidgets.record({HOSTILE[0]!r}, len(word))"
    code = f"import runwidgets\nif fails:\n    raise ValueError(word)\n{record}"
    write_notebook(
        lab.server.folder / "hostile_study.ipynb", code, parameters="word: str = ''\nfails: bool = False"
    )
    space = f"word={HOSTILE!r}, fails=[False, True], name={HOSTILE[1]!r}"
    card = lab.show("hostile_sweep.ipynb", f"rw.SweepView(rw.sweep('hostile_study.ipynb', {space}))")
    expect(card.get_by_text("16 of 16 done")).to_be_visible()
    card.get_by_text("8 failed", exact=True).click()

    expect(card.locator(".rw-reasons li")).to_have_count(1)
    expect(card.locator(".rw-reasons")).to_contain_text(as_written(HOSTILE[0]))
    expect(card.locator(".rw-reasons")).to_contain_text("(one of 8 messages)")
    for text in HOSTILE:
        shown = as_written(text)
        expect(card.locator(".rw-grid-of th", has_text=shown)).to_have_count(1)
        expect(card.locator(".rw-plot", has_text=shown)).to_have_count(1)
        expect(card.locator("td", has_text=shown)).not_to_have_count(0)
    expect(card.locator(".rw-plot .rw-axis", has_text=HOSTILE[0])).to_have_count(1)
    for row in (12, 14):
        card.locator("tr[data-run] input[type=checkbox]").nth(row).click()
    card.get_by_role("button", name="Compare").click()
    comparison = card.get_by_role("region", name="Comparison of runs").first
    expect(comparison).to_contain_text(as_written(HOSTILE[6]))
    expect(comparison).to_contain_text(as_written(HOSTILE[7]))
    for place in lab.page.locator(".rw *").all()[:400:5]:
        place.dispatch_event("mouseover")
    assert lab.page.evaluate("window.hit") is None


def test_the_grid_keeps_its_place_and_its_focus_while_runs_change(lab: Lab) -> None:
    """A redrawn grid keeps its scroll position, and its focused cell."""
    write_notebook(
        lab.server.folder / "goes_on.ipynb", "import time\ntime.sleep(0.2)", parameters="x = 1\nlong = 1"
    )
    card = lab.show("goes_on_view.ipynb", "rw.SweepView(rw.sweep('goes_on.ipynb', x=range(1000, 1050)))")
    grid = card.get_by_role("region", name="Runs by parameter").locator(".rw-scroll")
    expect(grid.locator("button")).to_have_count(50)
    grid.evaluate("place => { place.scrollLeft = 200 }")
    chosen = grid.get_by_role("button", name="x = 1030")
    chosen.focus()
    scrolled = grid.evaluate("place => place.scrollLeft")
    assert scrolled > 0

    expect(chosen).to_have_text("✓")

    expect(chosen).to_be_focused()
    assert grid.evaluate("place => place.scrollLeft") == scrolled


def test_ten_thousand_runs_of_a_sweep_are_shown(lab: Lab, many: str) -> None:
    """Little data is sent and drawn, and omissions are stated."""
    sizes: list[int] = []
    lab.page.on("response", lambda answer: "/points" in answer.url and sizes.append(len(answer.body())))

    card = lab.show("many_sweep.ipynb", f"rw.SweepView({many!r}, metric='loss')")

    expect(card.get_by_text("10,000 of 10,000 done")).to_be_visible()
    expect(card.get_by_text("Best loss: 0 at x = 43, y = 21")).to_be_visible()
    assert 0 < sum(sizes) < 5_000_000
    expect(card.get_by_text("showing 2,000 of 9,999 runs")).to_be_visible()
    expect(card.get_by_text("more values are not shown")).to_be_visible()
    assert card.locator("tr[data-run]").count() < 60
    assert card.locator(".rw-plot polyline").count() <= 2_001
    card.get_by_role("button", name="Delete sweep").click()
    yes = card.get_by_role("button", name="Yes, delete")
    expect(yes).to_be_disabled()
    card.get_by_role("textbox", name="Type 10000 to confirm").fill("10")
    expect(yes).to_be_disabled()
    card.get_by_role("textbox", name="Type 10000 to confirm").fill("10000")
    expect(yes).to_be_enabled()
    card.get_by_role("button", name="No", exact=True).click()


def test_a_search_for_several_objectives_shows_its_front(lab: Lab, study: str) -> None:
    """The front is drawn and listed, a run of it opens, and no single run is named as the best."""
    card = lab.show(
        "front.ipynb",
        f"import runwidgets as rw\nfound = rw.optimize({study!r}, objective={{'loss': 'minimize', "
        "'rate': 'maximize'}, n_trials=4, seed=1, lr=[0.1, 0.2], depth=[2, 4])",
        "rw.SweepView(found.sweep)",
    ).locator(".rw-sweep")

    front = card.get_by_text("Pareto front: 2 of 4 runs").locator("..")
    expect(front.locator("circle.rw-best")).to_have_count(2)
    expect(front.locator("li").first).to_contain_text("rate = ")
    expect(card.get_by_text("Best loss")).to_have_count(0)
    front.get_by_role("button", name="Open").first.click()
    expect(card.locator(".rw-detail .rw-badge").first).to_be_visible()
    assert violations(lab.page, ".rw-sweep") == []
