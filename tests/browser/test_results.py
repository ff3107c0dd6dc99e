from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.axe import violations
from tests.browser.conftest import Lab, set_theme
from tests.builders import write_notebook
from tests.conftest import JupyterServer

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("lab")]

HOSTILE = '<img src=x onerror="parent.hacked=1">\\u202e\\x1b[31m'
ATTACK = """<p id=said>waiting</p><script>
const said = [];
const thefts = [() => parent.document.title, () => document.cookie, () => localStorage.length,
  () => top.location.href];
for (const steal of thefts)
  try { steal(); said.push('REACHED') } catch { said.push('refused') }
const told = document.baseURI.includes('token') || document.referrer !== '';
said.push(told ? 'REACHED' : 'refused');
const asked = ['runwidgets/api/workflows', 'api/contents'].map((path) =>
  fetch('SERVER' + path, {credentials: 'include'})
    .then((answer) => answer.text()).then(() => 'REACHED', () => 'refused'));
Promise.all(asked).then((results) => {
  document.getElementById('said').textContent = [...said, ...results].join(' ') });
</script>"""
WRITE = r"""
import json, struct, wave, zlib
from pathlib import Path

def png(width, height, colour):
    pack = lambda number: struct.pack('>I', number)
    chunk = lambda kind, body: pack(len(body)) + kind + body + pack(zlib.crc32(kind + body))
    rows = b''.join(b'\0' + bytes(colour) * width for _ in range(height))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))

HOSTILE = '@HOSTILE@'
Path('a.png').write_bytes(png(900, 500, (30, 120, 180)))
Path('b.png').write_bytes(png(300, 300, (180, 90, 30)))
Path('broken.png').write_bytes(b'no picture')
Path('c.svg').write_text('<svg xmlns="http://www.w3.org/2000/svg" width="200" height="90">'
    '<circle cx="50" cy="45" r="40" fill="teal"/>'
    '<script>try { parent.hacked = 1 } catch {}</script></svg>')
Path('table.csv').write_text('name,value,' + ','.join(f'c{k}' for k in range(60)) + '\n'
    + ''.join(f'row {k},{(k * 7) % 450},' + ','.join('x' * 60) + '\n' for k in range(450)) + f'{HOSTILE},,\n')
Path('tree.json').write_text(json.dumps({'deep': {'a': {'b': [1, 2, {HOSTILE: HOSTILE}]}}}))
Path('words.md').write_text('# Title\n\n- one\n- **two** `code` <b>raw</b>\n\n'
    '[away](javascript:alert(1)) [docs](https://example.org)')
Path('page.html').write_text(@ATTACK@)
Path('code.py').write_text('import os\n\nprint("' + HOSTILE + '")\n')
Path('latin.txt').write_bytes('caf\xe9'.encode('latin-1'))
Path('data.parquet').write_bytes(b'PAR1')
Path('film.mp4').write_bytes(b'no film')
with wave.open('tone.wav', 'wb') as tone:
    tone.setparams((1, 2, 8000, 0, 'NONE', ''))
    tone.writeframes(bytes(16000))
Path('bad<img src=x onerror=alert(1)>.txt').write_text('x')
"""
SHOW = r"""
import sys
from IPython.display import HTML, Markdown, JSON, display
print('\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[0m')
print('to stderr', file=sys.stderr)
display(HTML('<b id=bold>bold</b><script>try { parent.hacked = 1 } catch {}</script>'))
display(Markdown('*slanted*'), JSON({'k': [1, 2]}))
"""
OUTPUTS = {
    "outputs": [
        {"source": "b.png", "title": "The second picture", "caption": "Declared, so it comes first."},
    ]
}
CELL = "run = rw.run('every.ipynb')\nrun.wait(120)\nrw.Results(run)"


@pytest.fixture(autouse=True)
def patience() -> None:
    """Wait for what is expected as long as a slow machine needs."""
    expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def pages(browser: Browser, lab_server: JupyterServer) -> Iterator[dict[str, tuple[Lab, Locator]]]:
    """Show the files of one run that wrote a file of every type, in both themes."""
    attack = repr(ATTACK.replace("SERVER", lab_server.url))
    write = WRITE.replace("@HOSTILE@", HOSTILE).replace("@ATTACK@", attack)
    write_notebook(lab_server.folder / "every.ipynb", write, SHOW, runwidgets=OUTPUTS)
    shown, failures = {}, []
    for theme in ("Light", "Dark"):
        set_theme(lab_server, f"JupyterLab {theme}")
        context = browser.new_context(viewport={"width": 1300, "height": 1000}, accept_downloads=True)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("dialog", lambda dialog: failures.append(dialog.message))
        lab = Lab(lab_server, page)
        shown[theme] = lab, lab.show(f"results-{theme}.ipynb", CELL)
        expect(shown[theme][1].get_by_role("button", name="Preview table.csv")).to_be_visible()
    yield shown
    for lab, _ in shown.values():
        assert lab.page.evaluate("window.hacked") is None
        lab.page.context.close()
    lab.shut_down()
    assert not failures


def opened(card: Locator, name: str) -> Locator:
    """Open the preview of a file, and return its element."""
    row = card.locator(".rw-files > li").filter(has=card.page.locator(f".rw-path:text-is('{name}')"))
    row.get_by_role("button", name=f"Preview {name}").click()
    return row.locator(".rw-preview")


def test_every_type_has_its_preview(pages: dict[str, tuple[Lab, Locator]]) -> None:
    """Tables sort and continue, trees open, code has lines, sound plays, and other files have a reason."""
    _, card = pages["Light"]

    expect(card.locator(".rw-path").first).to_have_text("b.png")
    table = opened(card, "table.csv")
    expect(table.locator("tbody tr")).to_have_count(200)
    expect(table.get_by_role("status")).to_contain_text(
        "first 200 of 451 rows and the first 50 of 62 columns"
    )
    table.get_by_role("button", name="value").click()
    expect(table.locator("th[aria-sort=ascending]")).to_contain_text("value")
    expect(table.locator("tbody tr").nth(2).locator("td").nth(1)).to_have_text("2")
    table.get_by_role("button", name="Show 200 more rows").click()
    expect(table.locator("tbody tr")).to_have_count(400)
    expect(opened(card, "tree.json").locator("summary").first).to_have_text("{1}")
    words = opened(card, "words.md")
    expect(words.get_by_role("heading", name="Title")).to_be_visible()
    words.get_by_role("button", name="As text").click()
    expect(words.locator(".rw-source")).to_contain_text("- **two** `code` <b>raw</b>")
    words.get_by_role("button", name="As text").click()
    expect(words.get_by_role("heading", name="Title")).to_be_visible()
    code = opened(card, "code.py")
    expect(code.locator(".rw-numbers")).to_have_text("1\n2\n3")
    expect(code.locator(".rw-source")).to_be_visible()
    expect(opened(card, "latin.txt")).to_contain_text("63 61 66 e9")
    expect(opened(card, "data.parquet")).to_contain_text("pandas.read_parquet")
    expect(opened(card, "film.mp4")).to_contain_text("cannot play")
    expect(opened(card, "tone.wav").locator("audio")).to_be_visible()
    expect(
        opened(card, "broken.png").or_(card.get_by_text("This image cannot be shown")).last
    ).to_be_visible()
    notebook = opened(card, "every.ipynb")
    expect(notebook.locator(".rw-stderr")).to_have_text("to stderr\n")
    expect(notebook.locator("em")).to_have_text("slanted")
    expect(notebook.frame_locator("iframe").locator("#bold")).to_have_text("bold")


def test_a_script_in_a_result_reaches_neither_page_nor_server(pages: dict[str, tuple[Lab, Locator]]) -> None:
    """It is executed in its frame, and all its requests are refused; names and cells remain text."""
    lab, card = pages["Light"]

    said = opened(card, "page.html").frame_locator("iframe").locator("#said")

    expect(said).to_have_text(" ".join(["refused"] * 7))
    address = card.get_by_role("link", name="Download page.html").get_attribute("href")
    answer = lab.page.request.get(f"{lab.server.url.rstrip('/')}{address}?inline=1")
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"
    expect(card.locator(".rw-path", has_text="bad<img")).to_have_text("bad<img src=x onerror=alert(1)>.txt")
    assert card.locator("[onerror]").count() == 0


def test_files_are_filtered_selected_and_downloaded(
    pages: dict[str, tuple[Lab, Locator]], tmp_path: Path
) -> None:
    """A filter finds names; one, several or all files are downloaded; a path is copied."""
    lab, card = pages["Light"]

    card.get_by_role("searchbox", name="Filter by name").fill(".PNG")
    expect(card.locator(".rw-files > li:visible")).to_have_count(3)
    card.get_by_label("Choose a.png", exact=True).check()
    with lab.page.expect_download() as download:
        card.get_by_role("button", name="Download chosen (1)").click()
    assert download.value.suggested_filename == "a.png"
    with lab.page.expect_download() as download:
        card.get_by_role("link", name="Download all").click()
    assert download.value.suggested_filename.endswith(".tar.gz")
    card.get_by_role("button", name="Copy path a.png").click()
    expect(card.get_by_role("button", name="Copy path a.png")).to_have_text("Copied")
    assert lab.page.evaluate("navigator.clipboard.readText()") == "a.png"
    card.get_by_role("searchbox", name="Filter by name").fill("")


def test_previews_and_gallery_need_no_mouse(pages: dict[str, tuple[Lab, Locator]]) -> None:
    """Keys open a preview, sort, zoom, turn the gallery's pages and return; the notebook gets none."""
    lab, card = pages["Dark"]
    keys = lab.page.keyboard

    card.get_by_role("button", name="Preview table.csv").focus()
    keys.press("Enter")
    card.locator(".rw-sort").nth(1).focus()
    keys.press("Space")
    keys.press("Space")
    expect(card.locator("th[aria-sort=descending] button")).to_be_focused()
    view = card.locator(".rw-zoom").first
    view.focus()
    keys.press("1")
    expect(card.locator(".rw-zoombar [role=status]").first).to_have_text("100 %")
    keys.press("+")
    expect(card.locator(".rw-zoombar [role=status]").first).to_have_text("125 %")
    keys.press("d")
    keys.press("d")
    card.get_by_role("button", name="Gallery (4)").focus()
    keys.press("Enter")
    card.locator(".rw-thumbnail").nth(1).focus()
    keys.press("Enter")
    dialog = card.get_by_role("dialog")
    expect(dialog.get_by_text("(2/4)")).to_be_visible()
    keys.press("ArrowRight")
    expect(dialog.get_by_text("(3/4)")).to_be_visible()
    keys.press("Escape")
    expect(card.locator(".rw-thumbnail").nth(2)).to_be_focused()
    card.get_by_role("button", name="Gallery (4)").press("Enter")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_results_are_accessible(pages: dict[str, tuple[Lab, Locator]], theme: str) -> None:
    """There is no serious violation with previews of all kinds open."""
    lab, card = pages[theme]
    closed = card.locator("button:text-is('Preview')")
    while closed.count():
        closed.first.click()
    expect(card.locator(".rw-shown").last).not_to_have_text("Loading…")

    assert violations(lab.page, ".rw") == []
