"""A JupyterLab whose server lacks our routes: views ask the kernel."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.axe import violations
from tests.browser.conftest import EXPOSED, NOTEBOOKS, Lab
from tests.builders import write_notebook
from tests.conftest import JupyterServer, start_server

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("comm")]

NOTE = "Without the server extension, actions wait while the kernel is busy."
WORK = """
import matplotlib.pyplot as plt, pathlib, time
for step in range(n):
    print('step', step, flush=True)
    time.sleep(0.3)
print(given.read_text() if given else 'nothing')
plt.plot(range(n))
plt.savefig('curve.png')
pathlib.Path('table.csv').write_text('a,b\\n' + '1,2\\n' * 400_000)
"""
PARAMETERS = "import pathlib\nn: int = 3\ngiven: pathlib.Path | None = None"


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Serve JupyterLab with our extension disabled."""
    base = tmp_path_factory.mktemp("comm")
    shutil.copytree(NOTEBOOKS, base / "notebooks")
    write_notebook(base / "notebooks" / "work.ipynb", WORK, parameters=PARAMETERS)
    server = start_server(base / "root", base / "notebooks", EXPOSED, app="lab", has_routes=False)
    yield server
    server.stop()


def shown(lab: Lab, name: str, view: str, *more: str) -> Locator:
    """Show a view of an instance that is opened in the kernel."""
    root = lab.server.root.parent / name
    return lab.show(f"{name}.ipynb", f"api = rw.connect(root={str(root)!r})", view, *more)


def test_the_server_has_no_routes_of_ours(lab_server: JupyterServer) -> None:
    """The other tests therefore use the kernel."""
    token = {"token": lab_server.token}
    assert httpx.get(f"{lab_server.api_url}workflows", params=token).status_code == 404


def test_a_form_starts_a_run_whose_results_are_shown_and_downloaded(lab: Lab, tmp_path: Path) -> None:
    """Upload, start, progress, picture, table and download use the kernel."""
    card = shown(lab, "form", "rw.RunForm('work.ipynb', api=api)")
    given = tmp_path / "given.txt"
    given.write_text("words " + "x" * 2_500_000)
    expect(card.get_by_role("note")).to_have_text(NOTE)

    card.locator("input[type=file]").set_input_files(given)
    expect(card.get_by_text("given.txt is uploaded, 2.5 MB.")).to_be_visible()
    card.get_by_role("button", name="Start").click()
    expect(card.locator(".rw-badge")).to_have_text("✓ Succeeded")

    picture = card.get_by_role("img").first
    expect(picture).to_be_visible()
    lab.page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())
    card.get_by_role("button", name="Preview table.csv").click()
    expect(card.get_by_role("columnheader", name="b", exact=True)).to_be_visible()
    with lab.page.expect_download() as kept:
        card.get_by_role("link", name="Download table.csv").click()
    assert kept.value.suggested_filename == "table.csv"
    assert kept.value.path().stat().st_size == 4 + 4 * 400_000
    with lab.page.expect_download() as archive:
        card.get_by_role("link", name="Download all").first.click()
    assert archive.value.suggested_filename.endswith(".tar.gz")
    assert violations(lab.page, ".rw") == []


def test_a_view_follows_its_run_while_the_kernel_is_busy_and_its_action_waits(lab: Lab) -> None:
    """Events are pushed; responses arrive once the cell has ended."""
    lab_cells = (
        "rw.RunView(rw.run('work.ipynb', n=200, api=api))",
        "import time\ntime.sleep(8)\nprint('free now')",
    )
    card = shown(lab, "busy", *lab_cells)
    expect(card.locator(".rw-badge")).to_have_text("▶ Running")

    card.get_by_role("button", name="Cancel run").click()
    card.get_by_role("button", name="Yes, cancel").click()

    expect(card.locator(".rw-badge")).to_have_text("■ Cancelled")
    expect(lab.page.get_by_text("free now", exact=True)).to_be_visible()
