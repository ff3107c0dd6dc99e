"""ANSI sequences as HTML: colours and weights become spans.

`wcwidth` detects the sequences: it knows links and titles (OSC) in addition to colours (CSI), with both
terminators. Colour sequences are interpreted here, because the page has a palette of its own that keeps its
contrast on a light and on a dark background.

Notes
-----
**Source:** ECMA-48, 8.3.117 (SGR); ITU-T T.416, 13.1.8, for colours with colons. nbconvert's filter
supports neither links nor colons, and rich no colons.
"""

import re
from collections.abc import Iterator

from wcwidth import iter_sequences

from runwidgets.report.formatting import escape

COLOURS = re.compile(r"\x1b\[([0-9;:]*)m")
LEVELS = (0, 95, 135, 175, 215, 255)
"""Levels of red, green and blue in the colour cube of a terminal."""
SWITCHES = {
    "1": ("font-weight", "600"),
    "3": ("font-style", "italic"),
    "4": ("text-decoration", "underline"),
}
OFF = {
    "22": "font-weight",
    "23": "font-style",
    "24": "text-decoration",
    "4:0": "text-decoration",
    "39": "color",
    "49": "box-shadow",
}


def ansi_html(text: str) -> str:
    """Return the output of a terminal as HTML: colours as spans, other text unchanged."""
    text = re.sub(r"[^\n]*\r(?=[^\n])", "", text.replace("\r\n", "\n"))
    pieces: list[str] = []
    style: dict[str, str] = {}
    for piece, is_sequence in iter_sequences(text):
        if not is_sequence:
            css = ";".join(f"{name}:{value}" for name, value in style.items())
            pieces.append(f'<span style="{css}">{escape(piece)}</span>' if css else escape(piece))
        elif match := COLOURS.fullmatch(piece):
            _apply(style, match[1].split(";"))
    return "".join(pieces)


def _apply(style: dict[str, str], codes: list[str]) -> None:
    rest = iter(codes)
    for code in rest:
        kind, _, inner = code.partition(":")
        if not code.strip("0"):
            style.clear()
        elif code in OFF:
            style.pop(OFF[code], None)
        elif kind in SWITCHES:
            name, value = SWITCHES[kind]
            style[name] = value
        elif kind in ("38", "48"):
            colour = _with_colons(inner.split(":")) if inner else _with_semicolons(rest)
            if colour:
                _paint(style, kind == "48", colour)
        elif code.isdigit():
            _paint_basic(style, int(code))


def _with_colons(codes: list[str]) -> str | None:
    """Return the colour of ``38:5:index``, ``38:2:space:r:g:b`` or its variant ``38:2:r:g:b``."""
    if codes[0] == "5" and len(codes) > 1:
        return _indexed(_number(codes[1]))
    if codes[0] == "2" and len(codes) > 3:
        red, green, blue = codes[2:5] if len(codes) > 4 else codes[1:4]
        return _mixed(_number(red), _number(green), _number(blue))
    return None


def _with_semicolons(codes: Iterator[str]) -> str | None:
    """Return the colour of ``38;5;index`` or ``38;2;r;g;b``, from the codes after the 38."""
    kind = next(codes, "")
    if kind == "5":
        return _indexed(_number(next(codes, "")))
    if kind == "2":
        return _mixed(*(_number(next(codes, "")) for _ in range(3)))
    return None


def _number(code: str) -> int:
    """Return a component of a colour, at most 255; a missing one is 0."""
    return min(255, int(code)) if code.isdigit() else 0


def _paint_basic(style: dict[str, str], code: int) -> None:
    """Set one of the sixteen colours: 30 to 37 and 90 to 97, or 40 to 47 and 100 to 107 as a background."""
    is_bright = code >= 90
    colour = code - (90 if is_bright else 30)
    if 0 <= colour % 10 <= 7 and 0 <= colour < 20:
        _paint(style, colour >= 10, _indexed(colour % 10 + 8 * is_bright))


def _paint(style: dict[str, str], is_background: bool, colour: str) -> None:
    """Set a colour. A background is shown as a line below, so that text keeps its contrast."""
    if is_background:
        style["box-shadow"] = f"inset 0 -2px {colour}"
    else:
        style["color"] = colour


def _indexed(index: int) -> str:
    """Return one of the 256 colours; the first sixteen are taken from the page's palette."""
    if index < 16:
        return f"var(--ansi-{index % 8})"
    if index >= 232:
        return _mixed(*[8 + (index - 232) * 10] * 3)
    cube_index = index - 16
    return _mixed(LEVELS[cube_index // 36 % 6], LEVELS[cube_index // 6 % 6], LEVELS[cube_index % 6])


def _mixed(red: int, green: int, blue: int) -> str:
    """Return a colour mixed with that of the text, so that it is readable on light and dark backgrounds."""
    return f"color-mix(in srgb, rgb({red}, {green}, {blue}) 35%, var(--ink))"
