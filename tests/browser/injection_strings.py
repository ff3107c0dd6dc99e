"""Strings that would have an effect if they were interpreted as more than text."""

HOSTILE = [
    "<img src=x onerror=window.hit=1>",
    "<script>window.hit=2</script>",
    "</script><svg onload=window.hit=3>",
    "\" onmouseover=window.hit=4 x='",
    "javascript:window.hit=5",
    "\x1b[31mred\x1b]8;;javascript:window.hit=6\x07link\x1b]8;;\x07",
    "\u202egnp.exe\u2066",
    "{{constructor.constructor('window.hit=8')()}}" + "x" * 300,
]


def as_written(text: str) -> str:
    """Return a text as a view shows it: invisible characters and direction marks are named."""
    for sign in "\u202e\u2066":
        text = text.replace(sign, f"⟨U+{ord(sign):X}⟩")
    return "".join(chr(0x2400 + ord(sign)) if ord(sign) < 32 else sign for sign in text)
