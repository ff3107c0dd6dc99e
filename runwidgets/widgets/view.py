"""What all widgets share: the built front end, and a text for where nothing is live."""

import html
from functools import lru_cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

STATIC = Path(__file__).parent.parent / "static"


@lru_cache
def read_static(name: str) -> str:
    """Return a file of the built front end.

    It is given to the browser as text: a widget of a file keeps itself alive to watch it.

    Raises
    ------
    FileNotFoundError
        The front end was not built; ``pip install .`` builds it.
    """
    return (STATIC / name).read_text("utf-8")


class View(anywidget.AnyWidget):
    """A widget whose view talks to the server by itself."""

    is_served = traitlets.Bool(True, help="Whether a server has what it shows.").tag(sync=True)

    def _static_html(self) -> str:
        """Return what stands in its place where nothing is live."""
        return f"<pre>{html.escape(repr(self))}</pre>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        fallback = {"text/plain": repr(self), "text/html": self._static_html()}
        return {**(data or {}), **fallback}, metadata
