"""Texts of a report: escaped, and with human-readable sizes, times and values."""

import html
import json
import re
from datetime import datetime

from runwidgets.schema import JsonValue, RunHandle

INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
UNITS = ("B", "kB", "MB", "GB", "TB")

STATE_LABELS = {
    "PENDING": "◷ Waiting",
    "RUNNING": "▶ Running",
    "SUCCESS": "✓ Succeeded",
    "ERROR": "✕ Failed",
    "CANCELED": "■ Cancelled",
}


def visible(text: str) -> str:
    """Make control characters visible, also those that change the text direction; keep line ends and tabs."""
    return INVISIBLE.sub(_name, text.replace("\r\n", "\n"))


def _name(match: "re.Match[str]") -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 32 else "␡" if code == 127 else f"⟨U+{code:04X}⟩"


def escape(value: object, limit: int | None = None) -> str:
    """Return an object's text as escaped HTML.

    Parameters
    ----------
    value : object
        The object; its `str` is shown.
    limit : int, optional
        Characters at most; None for no limit.
    """
    text = visible(str(value))
    if limit is not None and len(text) > limit:
        text = f"{text[: limit - 1]}…"
    return html.escape(text)


def value_text(value: JsonValue) -> str:
    """Return a value as JSON; a string without its quotes, an upload as its id."""
    if isinstance(value, str):
        return value or '""'
    reference = value.get("value") if isinstance(value, dict) and value.get("type") == "$file" else None
    if isinstance(reference, dict):
        target = reference.get("targetPath")
        return f"upload {reference.get('fileId')}" + (f" as {target}" if target else "")
    if isinstance(value, float):
        return f"{value:.10g}"
    return json.dumps(value, ensure_ascii=False, default=str)


def size_text(size: int) -> str:
    """Return a size in a human-readable form."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {UNITS[unit]}"


def moment_text(moment: str) -> str:
    """Return a time of a handle with seconds, in UTC."""
    return f"{moment[:19].replace('T', ' ')} UTC"


def duration_text(started: str, finished: str) -> str:
    """Return the duration between two times of a handle."""
    seconds = (_moment(finished) - _moment(started)).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def remarks_text(handle: RunHandle) -> str:
    """Return in which cell a successful run ended early, and how many raised an error; may be empty."""
    progress = handle.get("progress")
    if progress is None or handle["state"] != "SUCCESS":
        return ""
    remarks = []
    if "endedEarly" in progress:
        remarks.append(f"ended early in cell {progress['endedEarly']} of {progress['cells']}")
    if count := progress.get("errors"):
        remarks.append(f"went on after errors in {count} cell{'s' if count > 1 else ''}")
    return " and ".join(remarks)


def times_of(handle: RunHandle) -> dict[str, str]:
    """Return when a run was created, started and finished, and its duration."""
    times = {"created": moment_text(handle["createdAt"])}
    if "startedAt" in handle:
        times["started"] = moment_text(handle["startedAt"])
    if "finishedAt" in handle:
        times["finished"] = moment_text(handle["finishedAt"])
    if "startedAt" in handle and "finishedAt" in handle:
        times["took"] = duration_text(handle["startedAt"], handle["finishedAt"])
    return times
