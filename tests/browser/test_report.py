import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

import runwidgets as rw
from runwidgets.service.factory import Instance
from tests.browser.axe import violations
from tests.builders import write_notebook

ATTACK = (
    "<img src=URL/a.png onerror='top.hacked=1'><script>top.hacked=1</script>"
    "<meta http-equiv=refresh content='0;url=URL'><link rel=stylesheet href=URL/b.css>"
    "<iframe src=URL/c.html></iframe><style>p { background: url(URL/d.png) }</style>"
)
WRITE = f"""
import runwidgets
from pathlib import Path
from IPython.display import HTML, SVG, display
attack = {ATTACK!r}
svg = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="9" onload="top.hacked=1"></svg>'
Path('page.html').write_text('<p>a page</p>' + attack)
Path('drawn.svg').write_text(svg)
Path('cells.csv').write_text('a,b\\n' + attack + ',1\\n')
runwidgets.record('metric', attack)
print('\\x1b[38;5;28m' + attack)
display(HTML(attack), SVG(svg))
# a comment in code
assert not fails, attack
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """Serve at an address that must not be requested; return it and the requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("fails", [False, True], ids=["succeeded", "failed"])
def test_a_report_is_read_without_a_server_and_sends_no_request(
    theme: Literal["light", "dark"],
    fails: bool,
    elsewhere: tuple[str, list[str]],
    browser: Browser,
    instance: Instance,
    folder: Path,
    tmp_path: Path,
) -> None:
    """From a file, no script is executed, nothing is loaded, and it is accessible in both themes."""
    url, asked = elsewhere
    parameters = f"fails = False\ntext = {ATTACK!r}".replace("URL", url)
    path = write_notebook(folder / "told.ipynb", WRITE.replace("URL", url), parameters=parameters)
    run = rw.run(path, fails=fails, api=instance.api()).wait(60)
    context = browser.new_context(color_scheme=theme, viewport={"width": 900, "height": 900})
    page = context.new_page()

    page.goto(run.to_html(tmp_path).as_uri())
    for title in page.locator("summary").all():
        title.click()

    notebook = page.frame_locator("iframe.notebook")
    expect(notebook.get_by_text("# a comment in code").first).to_be_visible()
    assert violations(page, "html") == []
    if not fails:
        expect(page.frame_locator("iframe.page").get_by_text("a page")).to_be_visible()
        drawn = page.get_by_role("img", name="drawn.svg")
        assert drawn.evaluate("image => image.naturalWidth") == 90
    content = page.locator("iframe.notebook").get_attribute("srcdoc") or ""
    assert page.evaluate("window.hacked") is None
    assert asked == []
    alone = context.new_page()
    alone.set_content(re.sub("<iframe.*?</iframe>|refresh", "", content))
    assert violations(alone, "html") == []
    context.close()
