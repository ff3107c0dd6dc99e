"""What all widgets share: the built front end, and a text for where nothing is live."""

import html
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anywidget
import traitlets

from runwidgets.service.contracts.runs import Api
from runwidgets.widgets.kernel_bridge import KernelBridge
from runwidgets.widgets.static import read_static

log = logging.getLogger(__name__)


class View(anywidget.AnyWidget):
    """A widget whose view talks to the server by itself, or where its page reaches none, to this kernel.

    What an observer of its traits raises is shown in the view, and stops nothing.
    """

    _bundle: str
    """Name of the view's own code among the built front end."""
    _css = traitlets.Unicode().tag(sync=True)
    _store = traitlets.Unicode(help="Where what it shows is kept, as `Api.store` says.").tag(sync=True)
    _failure = traitlets.Unicode(help="What an observer raised last.").tag(sync=True)

    _answers: KernelBridge | None = None
    _own_layout: Any = None

    def __init__(self, api: Api, **options: Any) -> None:
        self._api = api
        self._esm = read_static(f"{self._bundle}.js")
        super().__init__(_css=read_static("style.css"), _store=api.store(), **options)
        self._own_layout = None if "layout" in options else self.layout
        self.on_msg(self._take)

    def close(self) -> None:
        """Take the view away, and what ipywidgets made for it."""
        if self._answers is not None:
            self._answers.close()
        super().close()
        if self._own_layout is not None:
            self._own_layout.close()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the view sends; called by ipywidgets."""
        with self._guarding():
            super().set_state(sync_data)

    def _take(self, _: Any, content: Any, buffers: Any) -> None:
        """Take a message of the view's own."""
        if self._answers is None:
            self._answers = KernelBridge(self._api, self.send)
        self._answers.take(content, buffers)

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
