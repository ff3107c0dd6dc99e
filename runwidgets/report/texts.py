"""Words of a report: escaped, with sizes, times and values as people read them."""

import html
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
SEQUENCE = re.compile(r"\x1b(?:\[([0-9;:?]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
UNITS = ("B", "kB", "MB", "GB", "TB")
LEVELS = (0, 95, 135, 175, 215, 255)
"""Levels of red, green and blue in the colour cube of a terminal."""

STATES = {
    "PENDING": "◷ Waiting",
    "RUNNING": "▶ Running",
    "SUCCESS": "✓ Succeeded",
    "ERROR": "✕ Failed",
    "CANCELED": "■ Cancelled",
}


def visible(text: str) -> str:
    """Make controls visible, those that turn the direction of text too; line ends and tabs stay."""
    return UNSEEN.sub(_name, text.replace("\r\n", "\n"))


def _name(found: "re.Match[str]") -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 32 else "␡" if code == 127 else f"⟨U+{code:04X}⟩"


def escape(given: object, limit: int | None = None) -> str:
    """Return something as HTML that shows it as it is written.

    Parameters
    ----------
    given : object
        Its `str` is shown.
    limit : int, optional
        Characters after which it is cut; None for all.
    """
    text = visible(str(given))
    if limit is not None and len(text) > limit:
        text = f"{text[: limit - 1]}…"
    return html.escape(text)


def value_text(given: Any) -> str:
    """Return a value as its JSON, text as it is; an upload by its id."""
    if isinstance(given, str):
        return given or '""'
    if (
        isinstance(given, Mapping)
        and given.get("type") == "$file"
        and isinstance(given.get("value"), Mapping)
    ):
        target = given["value"].get("targetPath")
        return f"upload {given['value'].get('fileId')}" + (f" as {target}" if target else "")
    if isinstance(given, float):
        return f"{given:.10g}"
    return json.dumps(given, ensure_ascii=False, default=str)


def size_text(size: int) -> str:
    """Return a number of bytes as people read it."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {UNITS[unit]}"


def moment_text(moment: str) -> str:
    """Return a moment of a handle to the second, in UTC."""
    return f"{moment[:19].replace('T', ' ')} UTC"


def duration_text(started: str, finished: str) -> str:
    """Return the time between two moments of a handle."""
    seconds = (_moment(finished) - _moment(started)).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def times_of(handle: Mapping[str, Any]) -> dict[str, str]:
    """Return when a run was created, started and finished, and how long it took."""
    times = {part: moment_text(handle[f"{part}At"]) for part in PARTS if handle.get(f"{part}At")}
    if handle.get("startedAt") and handle.get("finishedAt"):
        times["took"] = duration_text(handle["startedAt"], handle["finishedAt"])
    return times


PARTS = ("created", "started", "finished")


def plain(text: str) -> str:
    """Return what a terminal would print, without its colours."""
    return SEQUENCE.sub("", text)


def ansi_html(text: str) -> str:
    """Return what a terminal would show: colours as spans, everything else as it is written."""
    text = re.sub(r"[^\n]*\r(?=[^\n])", "", text.replace("\r\n", "\n"))
    pieces: list[str] = []
    style: dict[str, str] = {}
    start = 0
    for found in SEQUENCE.finditer(text):
        _add(pieces, text[start : found.start()], style)
        start = found.end()
        if found[2] == "m":
            _apply(style, [int(code) if code.isdigit() else 0 for code in re.split("[;:]", found[1])])
    _add(pieces, text[start:], style)
    return "".join(pieces)


def _add(pieces: list[str], text: str, style: Mapping[str, str]) -> None:
    if text:
        said = ";".join(f"{name}:{value}" for name, value in style.items())
        pieces.append(f'<span style="{said}">{escape(text)}</span>' if said else escape(text))


SWITCHES = {1: ("font-weight", "600"), 3: ("font-style", "italic"), 4: ("text-decoration", "underline")}
OFF = {22: "font-weight", 23: "font-style", 24: "text-decoration", 39: "color", 49: "box-shadow"}


def _apply(style: dict[str, str], codes: list[int]) -> None:
    rest = iter(codes)
    for code in rest:
        if code == 0:
            style.clear()
        elif code in SWITCHES:
            name, value = SWITCHES[code]
            style[name] = value
        elif code in OFF:
            style.pop(OFF[code], None)
        elif code in (38, 48):
            kind = next(rest, 0)
            _paint(
                style,
                code == 48,
                _indexed(next(rest, 0)) if kind == 5 else _mixed(next(rest, 0), next(rest, 0), next(rest, 0)),
            )
        elif 30 <= code % 60 <= 37 and code < 100:
            _paint(style, False, _indexed(code - 30 if code < 40 else code - 82))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            _paint(style, True, _indexed(code - 40 if code < 50 else code - 92))


def _paint(style: dict[str, str], is_ground: bool, colour: str) -> None:
    """Set a colour. A ground is a line below, so that words keep their contrast."""
    if is_ground:
        style["box-shadow"] = f"inset 0 -2px {colour}"
    else:
        style["color"] = colour


def _indexed(index: int) -> str:
    """Return a colour of the 256; the first sixteen are the page's."""
    if index < 16:
        return f"var(--ansi-{index % 8})"
    if index >= 232:
        return _mixed(*[8 + (index - 232) * 10] * 3)
    at = index - 16
    return _mixed(LEVELS[at // 36 % 6], LEVELS[at // 6 % 6], LEVELS[at % 6])


def _mixed(red: int, green: int, blue: int) -> str:
    """Return a colour mixed with the ink, so that it can be read on light and dark paper."""
    red, green, blue = (min(255, each) for each in (red, green, blue))
    return f"color-mix(in srgb, rgb({red}, {green}, {blue}) 35%, var(--ink))"
