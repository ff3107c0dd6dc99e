"""The card of a run where nothing is live: nbconvert, GitHub, a notebook mailed around.

Plain elements and a few inline styles, because that is all these places leave of a text.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

from runwidgets.report.texts import STATES, escape, moment_text, size_text, times_of, value_text
from runwidgets.schema import RunHandle, SweepHandle

MOST = 20
"""Arguments, metrics or files that a card names, each."""
LONGEST = 200
"""Characters of one of them."""
LEFT = "text-align:left;vertical-align:top"


def rows_html(title: str, rows: Mapping[str, str]) -> str:
    """Return a table with a row per name.

    Parameters
    ----------
    title : str
        HTML above the table.
    rows : mapping of str to str
        Names and HTML; empty ones are left out.

    Returns
    -------
    str
        HTML.
    """
    cells = "".join(
        f'<tr><th scope="row" style="{LEFT}">{escape(name)}</th><td style="{LEFT}">{said}</td></tr>'
        for name, said in rows.items()
        if said
    )
    return f'<table><caption style="text-align:left">{title}</caption><tbody>{cells}</tbody></table>'


def card_html(handle: RunHandle) -> str:
    """Return a small table that says what a run is and what became of it.

    Parameters
    ----------
    handle : mapping
        Of the run.

    Returns
    -------
    str
        HTML in which everything is escaped.
    """
    state = handle["state"]
    files = handle.get("files", [])
    name = escape(handle.get("notebook", ""), LONGEST)
    title = f'<strong title="{escape(state)}">{STATES[state]}</strong> {name}'
    is_active = "finishedAt" not in handle
    rows = {
        "run": f"<code>{escape(handle['id'])}</code>",
        "seen": moment_text(datetime.now(timezone.utc).isoformat()) if is_active else "",
        "why": escape(next(iter(handle.get("messages", [])), ""), 5 * LONGEST),
        **{name: escape(time) for name, time in times_of(handle).items()},
        "arguments": _lines(f"{each['name']} = {value_text(each['value'])}" for each in handle["arguments"]),
        "metrics": _lines(f"{name} = {value_text(each)}" for name, each in handle.get("metrics", {}).items()),
        "files": _lines(f"{each['name']} ({size_text(each['size'])})" for each in files),
    }
    return rows_html(title, rows)


def _lines(given: Iterable[str]) -> str:
    """Return lines, the first of many."""
    lines = list(given)
    rest = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return "<br>".join([escape(line, LONGEST) for line in lines[:MOST]] + rest)


def sweep_html(handle: SweepHandle) -> str:
    """Return a small table that says what a sweep is and how far it was.

    Parameters
    ----------
    handle : mapping
        Of the sweep.

    Returns
    -------
    str
        HTML in which everything is escaped.
    """
    rows = {
        "sweep": f"<code>{escape(handle['id'])}</code>",
        "varied": escape(", ".join(handle["varied"]), LONGEST),
        "points": str(handle["total"]),
        **{STATES[state].lower(): str(count) for state, count in handle["counts"].items() if count},
        "seen": "" if handle["isDone"] else moment_text(datetime.now(timezone.utc).isoformat()),
    }
    return rows_html(f"<strong>{escape(handle['name'], LONGEST)}</strong>", rows)
