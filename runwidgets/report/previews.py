"""Previews of result files in a report: pictures, tables, text and HTML, with limits on their size."""

import base64
import contextlib
import csv
import html
import io
import json
from collections.abc import Callable
from typing import IO

from runwidgets.errors import RunWidgetsError
from runwidgets.report.formatting import escape, size_text
from runwidgets.schema import PartialFileHandle, ResultFileHandle

PICTURE_TYPES = {
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif", "image/svg+xml",
}  # fmt: skip
TABLE_SEPARATORS = {"text/csv": ",", "text/tab-separated-values": "\t"}
HTML_TYPES = {"text/html", "application/xhtml+xml"}
PICTURE_SIZE = 5_000_000
"""Maximum size of one picture or page that is included, in bytes."""
TOTAL_SIZE = 25_000_000
"""Maximum size of all pictures and pages of a report, in bytes."""
HEAD_SIZE = 64 * 1024
"""Bytes of a table or a text that are read."""
ROWS, COLUMNS, LINES = 20, 20, 100
MAX_PREVIEWS = 50
"""Files with a preview; further ones are only named."""


class Previews:
    """Renders the files of one run, until a report reaches its size limit.

    Parameters
    ----------
    open_file : callable
        Opens a file by its id.
    notebook : str
        SHA-256 of the executed notebook, which has its own section in the report.
    """

    def __init__(self, open_file: Callable[[str], IO[bytes]], notebook: str) -> None:
        self._open_file = open_file
        self._notebook = notebook
        self._remaining = TOTAL_SIZE
        self._shown = 0

    def show(self, file: ResultFileHandle | PartialFileHandle) -> str:
        """Return a preview of a file as HTML, or the reason why there is none.

        Parameters
        ----------
        file : mapping
            An item of the handle's ``files`` or ``partialFiles``.

        Returns
        -------
        str
            HTML without scripts that loads nothing.
        """
        kind, size = file["mimeType"], file["size"]
        if file.get("sha256") == self._notebook:
            return note("The executed notebook: see below.")
        if size == 0:
            return note("This file is empty.")
        if self._shown >= MAX_PREVIEWS:
            return note(f"Not shown: only the first {MAX_PREVIEWS} files have a preview.")
        self._shown += 1
        is_whole = kind in PICTURE_TYPES or kind in HTML_TYPES
        if is_whole and (size > PICTURE_SIZE or size > self._remaining):
            limit = f"the limit is {size_text(PICTURE_SIZE)} for one file and {size_text(TOTAL_SIZE)} for all"
            return note(f"Omitted: it has {size_text(size)}; {limit}.")
        try:
            with self._open_file(file["id"]) as stream:
                content = stream.read(size if is_whole else min(size, HEAD_SIZE))
        except (RunWidgetsError, OSError) as error:
            return note(f"Not shown: {error}")
        if is_whole:
            self._remaining -= size
        if kind in PICTURE_TYPES:
            data = base64.b64encode(content).decode()
            name = escape(file.get("title") or file["name"])
            return f'<img src="data:{kind};base64,{data}" alt="{name}">'
        if kind in HTML_TYPES:
            return frame(content.decode("utf-8", "replace"), file["name"], "page") + note(
                "Shown without its scripts."
            )
        if b"\0" in content or not (text := _text(content, len(content) < size)).strip():
            return note(
                "Not shown: the file is not UTF-8 text."
                if kind.startswith("text/")
                else f"No preview of {kind}."
            )
        is_cut = len(content) < size
        if kind in TABLE_SEPARATORS:
            with contextlib.suppress(csv.Error):
                return _table(text, TABLE_SEPARATORS[kind], is_cut)
        if (kind == "application/json" or kind.endswith("+json")) and not is_cut:
            with contextlib.suppress(ValueError):
                text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        return _lines(text, is_cut, size)


def note(text: str) -> str:
    """Return a remark as HTML."""
    return f'<p class="note">{escape(text)}</p>'


def frame(page: str, title: str, kind: str) -> str:
    """Return a page in a frame that executes no script; the policy of the document applies to it too.

    Parameters
    ----------
    page : str
        Any HTML.
    title : str
        Accessible title of the frame.
    kind : str
        Class of the frame.
    """
    page = page.encode("utf-8", "replace").decode()
    return (
        f'<iframe class="{kind}" sandbox="" title="{escape(title)}" loading="lazy" '
        f'srcdoc="{html.escape(page)}"></iframe>'
    )


def _text(content: bytes, is_cut: bool) -> str:
    """Return the beginning of a file as text, or an empty string if it is not UTF-8."""
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
        rows.pop()  # it may be incomplete
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
    html_text = f'<pre tabindex="0">{escape("".join(lines[:LINES]))}</pre>'
    if is_cut or len(lines) > LINES:
        html_text += note(f"Shown: the first {min(LINES, len(lines))} lines of {size_text(size)}.")
    return html_text
