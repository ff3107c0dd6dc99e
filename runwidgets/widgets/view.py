"""What all widgets share: the built front end, and a text for where nothing is live."""

import html
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

log = logging.getLogger(__name__)
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
    """A widget whose view talks to the server by itself.

    What an observer of its traits raises is shown in the view, and stops nothing.
    """

    is_served = traitlets.Bool(True, help="Whether a server has what it shows.").tag(sync=True)
    _failure = traitlets.Unicode(help="What an observer raised last.").tag(sync=True)

    _own_layout: Any = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._own_layout = None if "layout" in options else self.layout

    def close(self) -> None:
        """Take the view away, and what ipywidgets made for it."""
        super().close()
        if self._own_layout is not None:
            self._own_layout.close()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the view sends; called by ipywidgets."""
        with self._guarding():
            super().set_state(sync_data)

    @contextmanager
    def _guarding(self) -> Iterator[None]:
        """Show what goes wrong inside, where no cell waits for it."""
        try:
            yield
        except Exception as error:
            log.exception("runwidgets: an observer of %r", self)
            self._failure = f"{type(error).__name__}: {error}"

    def _static_html(self) -> str:
        """Return what stands in its place where nothing is live."""
        return f"<pre>{html.escape(repr(self))}</pre>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        fallback = {"text/plain": repr(self), "text/html": self._static_html()}
        return {**(data or {}), **fallback}, metadata
