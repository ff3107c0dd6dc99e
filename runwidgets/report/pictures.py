"""Pictures of several runs, side by side, each with the arguments of its run."""

import base64
from collections.abc import Sequence

from runwidgets.report.formatting import escape

LABEL_LENGTH = 200
"""Characters of a label; a maximum."""
GRID_STYLE = "display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:12px"


class Pictures:
    """Pictures that a notebook displays side by side; all text is escaped.

    Parameters
    ----------
    pictures : sequence of tuple
        Label, content and media type of each picture.
    left_out : int, optional
        Number of further pictures that are not included.
    """

    def __init__(self, pictures: Sequence[tuple[str, bytes, str]], left_out: int = 0) -> None:
        self._pictures = pictures
        self._left_out = left_out

    def __len__(self) -> int:
        return len(self._pictures)

    def __repr__(self) -> str:
        return f"<{len(self)} pictures>"

    def _repr_html_(self) -> str:
        figures = "".join(_figure(*each) for each in self._pictures)
        rest = f"<p>{self._left_out:,} more are not shown.</p>" if self._left_out else ""
        return f'<div style="{GRID_STYLE}">{figures}</div>{rest}'


def _figure(label: str, content: bytes, kind: str) -> str:
    text = escape(label, LABEL_LENGTH)
    data = f"data:{escape(kind)};base64,{base64.b64encode(content).decode()}"
    image = f'<img style="max-width:100%;background:#fff" alt="{text}" src="{data}">'
    return f'<figure style="margin:0">{image}<figcaption>{text}</figcaption></figure>'
