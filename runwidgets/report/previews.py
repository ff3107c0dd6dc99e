"""Result files as they stand in a report: pictures, tables, text and HTML, each up to a size."""

import base64
import contextlib
import csv
import html
import io
import json

from runwidgets.errors import RunWidgetsError
from runwidgets.report.texts import escape, size_text
from runwidgets.schema import ResultFileHandle
from runwidgets.service.contracts.runs import Api

PICTURES = {
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif", "image/svg+xml",
}  # fmt: skip
TABLES = {"text/csv": ",", "text/tab-separated-values": "\t"}
PAGES = {"text/html", "application/xhtml+xml"}
PICTURE = 5_000_000
"""Bytes of one picture or page that is shown, at most."""
WHOLE = 25_000_000
"""Bytes of all pictures and pages of a report."""
HEAD = 64 * 1024
"""Bytes that are read of a table or a text."""
ROWS, COLUMNS, LINES = 20, 20, 100
FILES = 50
"""Files that are shown; the others are named."""


class Previews:
    """Shows the files of one run, until a report is large enough.

    Parameters
    ----------
    api : Api
        Where the run is.
    run_id : str
        The run.
    notebook : str
        SHA-256 of the executed notebook, which has a place of its own in the report.
    """

    def __init__(self, api: Api, run_id: str, notebook: str) -> None:
        self._api = api
        self._run_id = run_id
        self._notebook = notebook
        self._room = WHOLE
        self._shown = 0

    def show(self, file: ResultFileHandle) -> str:
        """Return the content of a file as HTML, or why it is not there.

        Parameters
        ----------
        file : mapping
            Of the handle's ``files``.

        Returns
        -------
        str
            HTML without scripts, in which nothing is loaded from elsewhere.
        """
        kind, size = file["mimeType"], file["size"]
        if file["sha256"] == self._notebook:
            return note("The executed notebook: see below.")
        if size == 0:
            return note("This file is empty.")
        if self._shown >= FILES:
            return note(f"Not shown: only the first {FILES} files are.")
        self._shown += 1
        is_whole = kind in PICTURES or kind in PAGES
        if is_whole and (size > PICTURE or size > self._room):
            limit = f"of one file {size_text(PICTURE)}, of all {size_text(WHOLE)} are kept at most"
            return note(f"Left out: it has {size_text(size)}; {limit}.")
        try:
            with self._api.runs.get_result_file(self._run_id, file["id"]) as stream:
                content = stream.read(size if is_whole else min(size, HEAD))
        except (RunWidgetsError, OSError) as error:
            return note(f"Not shown: {error}")
        if is_whole:
            self._room -= size
        if kind in PICTURES:
            data = base64.b64encode(content).decode()
            name = escape(file.get("title") or file["name"])
            return f'<img src="data:{kind};base64,{data}" alt="{name}">'
        if kind in PAGES:
            return frame(content.decode("utf-8", "replace"), file["name"], "page") + note(
                "Shown without its scripts."
            )
        if b"\0" in content or not (text := _text(content, len(content) < size)).strip():
            return note(
                "Not shown: this is no text in UTF-8."
                if kind.startswith("text/")
                else f"No preview of {kind}."
            )
        is_cut = len(content) < size
        if kind in TABLES:
            with contextlib.suppress(csv.Error):
                return _table(text, TABLES[kind], is_cut)
        if (kind == "application/json" or kind.endswith("+json")) and not is_cut:
            with contextlib.suppress(ValueError):
                text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        return _lines(text, is_cut, size)


def note(text: str) -> str:
    """Return a remark."""
    return f'<p class="note">{escape(text)}</p>'


def frame(page: str, title: str, kind: str) -> str:
    """Return a page in a frame in which no script runs; the document's policy holds in it too.

    Parameters
    ----------
    page : str
        Any HTML.
    title : str
        What the frame is called.
    kind : str
        Class of the frame.
    """
    page = page.encode("utf-8", "replace").decode()
    return (
        f'<iframe class="{kind}" sandbox="" title="{escape(title)}" loading="lazy" '
        f'srcdoc="{html.escape(page)}"></iframe>'
    )


def _text(content: bytes, is_cut: bool) -> str:
    """Return the head of a file as text, empty where it is none in UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        is_half = is_cut and error.start > len(content) - 4
        return content[: error.start].decode("utf-8-sig") if is_half else ""


def _table(text: str, separator: str, is_cut: bool) -> str:
    if separator == "," and text.partition("\n")[0].count(";") > text.partition("\n")[0].count(","):
        separator = ";"
    rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    if is_cut and len(rows) > 1:
        rows.pop()  # it may be half a row
    head, body = rows[0], rows[1:]
    width = max(map(len, rows[: ROWS + 1]))
    titles = "".join(f'<th scope="col">{escape(name, 200)}</th>' for name in head[:COLUMNS])
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell, 200)}</td>' for cell in row[:COLUMNS])}</tr>"
        for row in body[:ROWS]
    )
    table = (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table class="data">'
        f"<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
    cuts = []
    if len(body) > ROWS or is_cut:
        cuts.append(f"the first {min(ROWS, len(body))} of {'more than ' if is_cut else ''}{len(body):,} rows")
    if width > COLUMNS:
        cuts.append(f"the first {COLUMNS} of {width:,} columns")
    return table + (note(f"Shown: {' and '.join(cuts)}.") if cuts else "")


def _lines(text: str, is_cut: bool, size: int) -> str:
    lines = text.splitlines(keepends=True)
    shown = f'<pre tabindex="0">{escape("".join(lines[:LINES]))}</pre>'
    if is_cut or len(lines) > LINES:
        shown += note(f"Shown: the first {min(LINES, len(lines))} lines of {size_text(size)}.")
    return shown
