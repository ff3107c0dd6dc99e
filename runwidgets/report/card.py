"""The static card of a run, for nbconvert, GitHub, and notebooks that are sent by mail.

It consists of plain elements with a few inline styles, because such viewers remove everything else.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

from runwidgets.report.formatting import (
    STATE_LABELS,
    escape,
    moment_text,
    remarks_text,
    size_text,
    times_of,
    value_text,
)
from runwidgets.schema import RunHandle, SweepHandle

MAX_ENTRIES = 20
"""Arguments, metrics or files on a card, each; a maximum."""
ENTRY_LENGTH = 200
"""Characters of one entry; a maximum."""
CELL_STYLE = "text-align:left;vertical-align:top"


def rows_html(title: str, rows: Mapping[str, str]) -> str:
    """Return a table with a row per name.

    Parameters
    ----------
    title : str
        HTML above the table.
    rows : mapping of str to str
        Names and HTML; empty entries are omitted.

    Returns
    -------
    str
        HTML.
    """
    cells = "".join(
        f'<tr><th scope="row" style="{CELL_STYLE}">{escape(name)}</th>'
        f'<td style="{CELL_STYLE}">{text}</td></tr>'
        for name, text in rows.items()
        if text
    )
    return f'<table><caption style="text-align:left">{title}</caption><tbody>{cells}</tbody></table>'


def card_html(handle: RunHandle) -> str:
    """Return a small table that describes a run and its result.

    Parameters
    ----------
    handle : mapping
        The run handle.

    Returns
    -------
    str
        HTML in which all text is escaped.
    """
    state = handle["state"]
    files = [*handle.get("files", []), *handle.get("partialFiles", [])]
    name = escape(handle.get("notebook", ""), ENTRY_LENGTH)
    title = f'<strong title="{escape(state)}">{STATE_LABELS[state]}</strong> {name}'
    is_active = "finishedAt" not in handle
    rows = {
        "run": f"<code>{escape(handle['id'])}</code>",
        "seen": moment_text(datetime.now(timezone.utc).isoformat()) if is_active else "",
        "why": escape(next(iter(handle.get("messages", [])), ""), 5 * ENTRY_LENGTH),
        "end": remarks_text(handle),
        **{name: escape(time) for name, time in times_of(handle).items()},
        "arguments": _lines(f"{each['name']} = {value_text(each['value'])}" for each in handle["arguments"]),
        "metrics": _lines(f"{name} = {value_text(each)}" for name, each in handle.get("metrics", {}).items()),
        f"{'partial ' if 'partialFiles' in handle else ''}files": _lines(
            f"{each['name']} ({size_text(each['size'])})" for each in files
        ),
    }
    return rows_html(title, rows)


def _lines(entries: Iterable[str]) -> str:
    """Return the first lines, and the number of the others."""
    lines = list(entries)
    rest = [f"and {len(lines) - MAX_ENTRIES} more"] if len(lines) > MAX_ENTRIES else []
    return "<br>".join([escape(line, ENTRY_LENGTH) for line in lines[:MAX_ENTRIES]] + rest)


def sweep_html(handle: SweepHandle) -> str:
    """Return a small table that describes a sweep and its progress.

    Parameters
    ----------
    handle : mapping
        The sweep handle.

    Returns
    -------
    str
        HTML in which all text is escaped.
    """
    rows = {
        "sweep": f"<code>{escape(handle['id'])}</code>",
        "varied": escape(", ".join(handle["varied"]), ENTRY_LENGTH),
        "points": str(handle["total"]),
        **{STATE_LABELS[state].lower(): str(count) for state, count in handle["counts"].items() if count},
        "seen": "" if handle["isDone"] else moment_text(datetime.now(timezone.utc).isoformat()),
    }
    return rows_html(f"<strong>{escape(handle['name'], ENTRY_LENGTH)}</strong>", rows)
