"""The report of a run: one document to keep, mail and print, which loads nothing."""

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import nbformat
from wcwidth import strip_sequences

from runwidgets.errors import RunWidgetsError
from runwidgets.report.ansi import ansi_html
from runwidgets.report.formatting import (
    STATE_LABELS,
    escape,
    moment_text,
    remarks_text,
    size_text,
    times_of,
    value_text,
    visible,
)
from runwidgets.report.previews import Previews, frame, note
from runwidgets.schema import PartialFileHandle, ResultFileHandle, RunHandle
from runwidgets.service.contracts.api import Api

CONTENT_SECURITY_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
NOTEBOOK_SIZE = 10_000_000
"""Maximum size of an executed notebook that is included, in bytes."""
LOG_SIZE = 32 * 1024
"""Bytes at the end of the log that are included."""
PARTIAL_NOTE = "These files are not results: the run left them when it ended without success."
OUTPUT_TYPES = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "text/latex",
    "text/plain",
)
"""Types of output that are kept in the notebook; output that needs scripts falls back to its plain form."""


def report_html(api: Api, handle: RunHandle) -> str:
    """Return a run as one HTML document without scripts and without links to resources.

    It contains the state, the failure with its traceback, times, arguments, metrics, result files with
    previews (pictures are embedded, up to stated limits), the end of the log and the executed notebook.

    Parameters
    ----------
    api : Api
        The services that know the run.
    handle : mapping
        The run handle.

    Returns
    -------
    str
        The document.

    Raises
    ------
    UnknownRunError
        The run was deleted.
    """
    state, name = handle["state"], handle.get("notebook") or handle["id"]
    with api.runs.get_notebook(handle["id"]) as stream:
        executed = stream.read()
    notebook = nbformat.reads(executed.decode(), as_version=4)
    created = datetime.now(timezone.utc).isoformat()
    sections = [
        _failure(handle, notebook),
        _progress(handle),
        _section("Times", _pairs({label: escape(time) for label, time in times_of(handle).items()})),
        _section("Arguments", _arguments(api, handle)),
        _section(
            "Metrics",
            _pairs({key: escape(value_text(each)) for key, each in handle.get("metrics", {}).items()}),
        ),
        _section("Partial files" if "partialFiles" in handle else "Results", _files(api, handle, executed)),
        _section("Log", _log(api, handle["id"]), is_open=False),
        _section("Notebook", _notebook(notebook, len(executed)), is_open=False),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(name)}: {STATE_LABELS[state]}</title>\n"
        f"<style>\n{read_style('colours.css')}{read_style('report.css')}</style>\n</head>\n"
        f'<body>\n<main>\n<header class="{state.lower()}">\n<h1>{escape(name)}</h1>\n'
        f'<p><strong class="state" title="{state}">{STATE_LABELS[state]}</strong> '
        f"<span>run <code>{escape(handle['id'])}</code></span></p>\n</header>\n"
        + "".join(sections)
        + f"</main>\n<footer>Made by runwidgets, {moment_text(created)}.</footer>\n</body>\n</html>\n"
    )


@lru_cache
def read_style(name: str) -> str:
    """Return a style sheet of the report."""
    return (Path(__file__).parent / name).read_text("utf-8")


def _section(title: str, content: str, is_open: bool = True) -> str:
    if not content:
        return ""
    if is_open:
        return f"<section>\n<h2>{title}</h2>\n{content}\n</section>\n"
    return f"<details>\n<summary><h2>{title}</h2></summary>\n{content}\n</details>\n"


def _pairs(rows: Mapping[str, str]) -> str:
    """Return a table of names and HTML."""
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{content}</td></tr>' for name, content in rows.items()
    )
    return f'<table class="pairs"><tbody>{lines}</tbody></table>' if lines else ""


def _failure(handle: RunHandle, notebook: Any) -> str:
    messages = handle.get("messages", [])
    if not messages:
        return ""
    kind = "calm" if handle["state"] == "CANCELED" else "failure"
    content = f"<p>{escape(messages[0])}</p>"
    for message in messages[1:]:
        content += f'<pre tabindex="0">{ansi_html(_coloured(message, notebook))}</pre>'
    return f'<section class="{kind}">\n{content}\n</section>\n'


def _coloured(traceback: str, notebook: Any) -> str:
    """Return a traceback with its colours, which only the notebook contains."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if (
                output.output_type == "error"
                and strip_sequences(text := "\n".join(output.traceback)) == traceback
            ):
                return text
    return traceback


def _progress(handle: RunHandle) -> str:
    if "finishedAt" in handle:
        remarks = remarks_text(handle)
        return note(f"The run {remarks}.") if remarks else ""
    progress = handle.get("progress")
    position, text = "before its first cell", ""
    if progress is not None:
        if progress.get("cell"):
            position = f"in cell {progress['cell']} of {progress['cells']}"
        text = f": {progress['text']}" if progress["text"] else ""
    return note(f"The run was active when this report was made, {position}{text}.")


def _arguments(api: Api, handle: RunHandle) -> str:
    arguments = {each["name"]: each["value"] for each in handle["arguments"]}
    uploads = _uploads(api, handle["groupId"]) if "$file" in str(arguments) else {}
    declared = {each["name"]: each for each in handle["parameters"]}
    rows = {}
    for name in {**declared, **arguments}:
        parameter = declared.get(name)
        label = f"{parameter['label']} ({name})" if parameter and parameter.get("label") else name
        if name in arguments:
            text = value_text(arguments[name])
            for identifier, title in uploads.items():
                text = text.replace(f"upload {identifier}", f"upload {title}")
            rows[label] = f"<code>{escape(text)}</code>"
        elif parameter and parameter.get("defaultValue") is not None:
            rows[label] = (
                f"<code>{escape(value_text(parameter['defaultValue']))}</code> <small>default</small>"
            )
    return _pairs(rows)


def _uploads(api: Api, group_id: str) -> dict[str, str]:
    """Return the names of a group's uploads that the user may see."""
    try:
        return {each["id"]: each["name"] for each in api.uploads.list_uploaded_files(group_id)["files"]}
    except RunWidgetsError:
        return {}


def _files(api: Api, handle: RunHandle, executed: bytes) -> str:
    is_partial = "partialFiles" in handle
    files: list[ResultFileHandle | PartialFileHandle] = [
        *handle.get("files", []),
        *handle.get("partialFiles", []),
    ]
    open_file = partial(api.runs.get_partial_file if is_partial else api.runs.get_result_file, handle["id"])
    previews = Previews(open_file, hashlib.sha256(executed).hexdigest())
    figures = [note(PARTIAL_NOTE)] if is_partial and files else []
    for file in sorted(files, key=lambda each: not (each.get("title") or each.get("caption"))):
        title = f"{escape(file['title'])} " if file.get("title") else ""
        details = f"{escape(file['mimeType'])}, {size_text(file['size'])}"
        caption = f"<figcaption>{escape(file['caption'])}</figcaption>" if file.get("caption") else ""
        figures.append(
            f"<figure>\n<h3>{title}<code>{escape(file['name'])}</code> <small>{details}</small></h3>\n"
            f"{previews.show(file)}\n{caption}</figure>"
        )
    return "\n".join(figures)


def _log(api: Api, run_id: str) -> str:
    piece = api.runs.get_log(run_id, -LOG_SIZE)
    if not piece["text"]:
        return ""
    cut = (
        note(f"Shown: the last {size_text(LOG_SIZE)} of {size_text(piece['size'])}.")
        if piece["offset"]
        else ""
    )
    return f'{cut}<pre tabindex="0">{ansi_html(piece["text"])}</pre>'


def _notebook(notebook: Any, size: int) -> str:
    if size > NOTEBOOK_SIZE:
        return note(f"Omitted: it has {size_text(size)}; the limit is {size_text(NOTEBOOK_SIZE)}.")
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter

    for cell in notebook.cells:
        cell.source = visible(cell.source)
        why = cell.metadata.get("runwidgets", {}).get("leftOut")
        if why is not None and not cell.outputs:
            cell.outputs = [nbformat.v4.new_output("stream", text=visible(f"left out: {why}"))]
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = {kind: data for kind, data in output.data.items() if kind in OUTPUT_TYPES}
    exporter = HTMLExporter(template_name="basic", log=logging.Logger("nbconvert", logging.ERROR))
    exporter.register_filter("ansi2html", ansi_html)
    body, _ = exporter.from_notebook_node(notebook)
    light, dark = (
        HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark")
    )
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="color-scheme" content="light dark">'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">'
        "<title>Notebook</title>"
        f"<style>{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"
        f"{read_style('colours.css')}{read_style('notebook.css')}</style>"
        f"</head><body>{body}</body></html>"
    )
    return frame(page, "The executed notebook", "notebook")
