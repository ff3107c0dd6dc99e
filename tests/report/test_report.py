import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output

import runwidgets as rw
from runwidgets.errors import UnknownRunError
from runwidgets.report.formatting import size_text, visible
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from tests.builders import DOUBLE, SLEEP, running, wait_until, write_notebook

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\x1b[31mred\x1b[0m\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "left \u202e\u2066 right",
    "\"'><svg onload=alert(1)> &lt; &amp;",
    "</style></title></iframe><b>bold</b>",
    "[a](javascript:alert(1)) http://evil.example/?q=1",
    "long " * 2000,
]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WRITE = f"""
import json, runwidgets
from pathlib import Path
from IPython.display import HTML, Markdown, display
hostile = {HOSTILE!r}
for at, text in enumerate(hostile):
    print(text)
    runwidgets.record(f'm{{at}} ' + text[:20], text)
    name = text.replace('/', '_').replace(chr(27), '^')[:60]
    Path(f'{{at}} {{name}}.txt').write_text(text)
    display(HTML(text), Markdown(text))
Path('page.html').write_text(' '.join(hostile) + '<img src="http://evil.example/pixel.png">')
Path('cells.csv').write_text('a,b\\n' + ''.join(json.dumps(each) + ',1\\n' for each in hostile[:2]))
Path('wide.csv').write_text('a' * 70_000)
Path('dot.png').write_bytes({PNG!r})
Path('large.png').write_bytes(bytes(6_000_000))
"""


@pytest.fixture
def local(instance: Instance) -> Api:
    """Take the instance in this process."""
    return instance.api()


class Reader(HTMLParser):
    """Parses a document like a browser: elements, their attributes, and the text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Store an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Store text."""
        self.text += data


def assert_harmless(document: str) -> Reader:
    """Check that a document has no script, no handler, no resource, and only sandboxed frames."""
    read = Reader(document)
    for tag, attributes in read.elements:
        assert tag not in {"script", "link", "object", "embed", "base", "form", "svg", "a"}
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("src") or "data:").startswith("data:") and "href" not in attributes
        if tag == "iframe":
            assert attributes["sandbox"] == ""
    assert "<script" not in document
    return read


def test_a_report_shows_hostile_text_as_it_is_written(api: Api, folder: Path) -> None:
    """Nothing can execute or load in names, arguments, metrics, files, tables, pages, log and outputs."""
    parameters = "\n".join(f"p{at} = ''" for at in range(len(HOSTILE)))
    path = write_notebook(folder / "hostile.ipynb", WRITE, parameters=parameters)
    given = {f"p{at}": text for at, text in enumerate(HOSTILE)}
    run = rw.run(path, given, api=api).wait(60)
    assert run.state == "SUCCESS", run.messages

    document = run.to_html()

    read = assert_harmless(document)
    policy = [each["content"] for tag, each in read.elements if tag == "meta" and "http-equiv" in each]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    for text in HOSTILE[:7]:
        assert read.text.count(visible(text)) >= 2  # the argument and the metric
    assert visible(HOSTILE[7].strip()) in read.text
    assert not re.search("[\u202e\u2066\x1b]", read.text)
    pictures = [each for tag, each in read.elements if tag == "img"]
    assert [each["alt"] for each in pictures] == ["dot.png"]
    assert pictures[0]["src"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert "Omitted: it has 6.0 MB" in read.text
    frames = [each["srcdoc"] or "" for tag, each in read.elements if tag == "iframe"]
    assert len(frames) == 2 and all("alert(1)" in frame for frame in frames)


def test_a_report_of_a_failure_has_its_reason_and_its_coloured_traceback(local: Api, folder: Path) -> None:
    """The message comes first; the colours are those of the notebook."""
    path = write_notebook(folder / "fails.ipynb", "raise ValueError('<b>no</b>')", parameters="x = 1")
    run = rw.run(path, api=local).wait(60)

    read = assert_harmless(document := run.to_html())

    assert "✕ Failed" in read.text
    assert "cell 2 raised ValueError: <b>no</b>" in read.text
    assert 'style="color:' in document and "\x1b" not in document
    assert re.search(r"x\s*1 default", read.text)


def test_a_report_of_an_active_run_says_so(local: Api, folder: Path) -> None:
    """The report states that the run was active when it was made."""
    run = rw.Run(local, running(local, folder, SLEEP)["id"])
    wait_until(lambda: run.progress.get("cell"))

    read = assert_harmless(run.to_html())

    assert "The run was active when this report was made, in cell 1 of 1" in read.text
    run.cancel("it was enough")
    assert "it was enough" in assert_harmless(run.to_html()).text


def test_a_report_is_written_to_a_path(local: Api, folder: Path, tmp_path: Path) -> None:
    """The path is a file, or a folder, in which the file is named after the run's id."""
    run = rw.run(write_notebook(folder / "written.ipynb", DOUBLE, parameters="x = 4"), api=local).wait(60)

    written = run.to_html(tmp_path / "report.html")
    named = run.to_html(tmp_path)

    assert written == tmp_path / "report.html" and named == tmp_path / f"run-{run.id}.html"
    text = Reader(written.read_text("utf-8")).text
    assert all(said in text for said in ("✓ Succeeded", "double", "8", "x.csv", "text/csv, 4 B", "x is 4"))
    run.delete()
    with pytest.raises(UnknownRunError):
        run.to_html()


def outputs(*shown: Any) -> list[Any]:
    """Return outputs as a kernel would put them into a notebook."""
    bundles = [each._repr_mimebundle_() for each in shown]
    data = [bundle[0] if isinstance(bundle, tuple) else bundle for bundle in bundles]
    return [new_output("display_data", each) for each in data]


def test_nbconvert_shows_every_widget_and_run(local: Api, folder: Path) -> None:
    """The static pages have state, arguments, times, metrics and files with sizes; text is escaped."""
    path = write_notebook(folder / "shown.ipynb", DOUBLE, parameters="x = 1\nname = '<b>me</b>'")
    run = rw.run(path, x=21, api=local).wait(60)
    widgets = [
        rw.RunView(run),
        rw.Results(run),
        rw.RunForm(path, api=local, arguments=run),
        rw.RunTable(path, api=local),
    ]
    notebook = new_notebook(cells=[new_code_cell("show", outputs=outputs(run, *widgets))])

    document, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)

    text = Reader(document).text
    assert "<script" not in document
    for said in ("✓ Succeeded shown.ipynb", run.id, "x = 21", "double = 42", "x.csv (5 B)", "finished"):
        assert text.count(said) >= 3, said
    assert "Form A small notebook" in text and "<b>me</b> (default)" in text
    assert run.id[:8] in text.split("Form A small notebook")[1]
    for widget in widgets:
        widget.close()


def test_a_card_says_why_a_run_failed(local: Api, folder: Path) -> None:
    """The reason is in the first line, shortened if it is long."""
    path = write_notebook(folder / "why.ipynb", "raise ValueError('<i>' + 'no ' * 1000)")
    run = rw.run(path, api=local).wait(60)

    card = run._repr_mimebundle_()["text/html"]

    assert "cell 1 raised ValueError: &lt;i&gt;no no" in card
    assert len(card) < 3000


def test_a_deleted_run_is_shown_in_its_last_state(local: Api, folder: Path) -> None:
    """A cell that shows a deleted run raises no exception."""
    run = rw.run(write_notebook(folder / "gone.ipynb", "1"), api=local)
    local.runs.cancel_run(run.id)
    local.runs.delete_run(run.id)

    assert run.id in run._repr_mimebundle_()["text/html"]


def test_sizes_are_written_as_people_read_them() -> None:
    """Sizes have a unit, and only significant digits."""
    assert [size_text(size) for size in (0, 999, 1500, 250_000)] == ["0 B", "999 B", "1.5 kB", "250 kB"]
