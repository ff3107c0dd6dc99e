"""Rows about views in a browser: the time until a long table is shown, and the smoothness of scrolling."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.bulk_insert import insert_runs, insert_sweep
from tests.benchmarks.table import NotMeasuredError, Row
from tests.benchmarks.workload import TRIVIAL, Bench
from tests.browser.conftest import CHROMIUM, FLAGS, PATIENCE, Lab, set_theme
from tests.builders import group_of
from tests.conftest import start_server

OPEN = 2.0
"""Seconds in which a table is there once its data is."""
FRAME = 0.1
"""Seconds that no frame may take."""
TRAFFIC = 5_000_000
"""Bytes that may come over the wire for it."""
WATCH = """
window.addEventListener('DOMContentLoaded', () => {
  new MutationObserver(() => {
    const seen = window.tableSeen || document.querySelector('.rw')?.textContent.includes('%s');
    if (seen === true) window.tableSeen = performance.now();
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
});
"""
"""Notes when a text is first on the page."""
SINCE_DATA = """
() => {
  const parts = performance.getEntriesByType('resource').filter(({ name }) => /\\/(table|points)/.test(name));
  const sizes = parts.map(({ transferSize }) => transferSize);
  const last = Math.max(...parts.map(({ responseEnd }) => responseEnd));
  return [(window.tableSeen - last) / 1000, sizes.reduce((sum, size) => sum + size, 0)];
}
"""
SCROLL = """
async () => {
  const place = document.querySelector('.rw-window');
  const frames = [];
  let before = await new Promise(requestAnimationFrame);
  for (let step = 0; step < 300; step += 1) {
    place.scrollTop += step < 150 ? 333 : 9999;
    const now = await new Promise(requestAnimationFrame);
    frames.push((now - before) / 1000);
    before = now;
  }
  return frames;
}
"""
"""Scrolls a little with every frame, then far; returns the seconds of each."""


@contextmanager
def opened(bench: Bench, count: int, is_sweep: bool) -> Iterator[Page]:
    """Open a table or a sweep of many runs in a JupyterLab in Chromium."""
    if shutil.which(CHROMIUM) is None:
        raise NotMeasuredError(f"there is no {CHROMIUM}")
    notebook = bench.notebook(TRIVIAL)
    root = bench.new_folder() / "root"
    server = start_server(root, notebook.parent, app="lab")
    try:
        with server.api() as api:
            group = group_of(api.workflows.create_workflow(str(notebook)))
            if is_sweep:
                shown = f"rw.SweepView({insert_sweep(root, group, api, count)!r})"
            else:
                insert_runs(root, group, count)
                shown = f"rw.RunTable({notebook.name!r})"
        set_theme(server, "JupyterLab Light")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 1300, "height": 1000})
            page.set_default_timeout(PATIENCE)
            page.add_init_script(WATCH % f"{count:,} of {count:,} runs")
            Lab(server, page).show("shown.ipynb", shown)
            page.wait_for_function("window.tableSeen")
            yield page
            browser.close()
    finally:
        server.stop()


def table(bench: Bench) -> Row:
    """Open a table of 10,000 runs in JupyterLab, and scroll by small and large distances."""
    return _shown(bench, "RunTable", is_sweep=False)


def sweep(bench: Bench) -> Row:
    """Open a sweep of 10,000 runs in JupyterLab, with its grid, plot and table, and scroll alike."""
    return _shown(bench, "SweepView", is_sweep=True)


def _shown(bench: Bench, name: str, is_sweep: bool) -> Row:
    count = bench.size(10_000, 1_000)
    with opened(bench, count, is_sweep) as page:
        seconds, size = page.evaluate(SINCE_DATA)
        frames = sorted(page.evaluate(SCROLL))
    most = frames[int(0.95 * len(frames))] * 1000
    return Row(
        f"`{name}` of {count:,} runs in JupyterLab: from its data to its rows; longest frame; traffic",
        f"{seconds:.2f} s; {frames[-1] * 1000:.0f} ms; {size / 1e6:.2f} MB",
        target=f"≤ {OPEN:g} s; ≤ {FRAME * 1000:g} ms; ≤ {TRAFFIC / 1e6:g} MB",
        is_met=seconds <= OPEN and frames[-1] <= FRAME and size <= TRAFFIC,
        note=f"{len(frames)} frames of scrolling, p95 {most:.0f} ms",
    )
