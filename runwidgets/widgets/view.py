"""The base class of all widgets: loads the built front end, and provides a static representation."""

import html
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anywidget
import traitlets

from runwidgets.errors import describe
from runwidgets.service.contracts.api import Api
from runwidgets.widgets.kernel_bridge import KernelBridge
from runwidgets.widgets.static import read_static

log = logging.getLogger(__name__)


class View(anywidget.AnyWidget):
    """A widget whose view talks to the server directly, or to this kernel if the page cannot reach it.

    An exception raised by an observer of its traits is shown in the view, and has no other effect.
    """

    _bundle: str
    """Name of the bundle of the built front end that draws the view."""
    _css = traitlets.Unicode().tag(sync=True)
    _store = traitlets.Unicode(help="Where its runs are stored: the result of `Api.store`.").tag(sync=True)
    _failure = traitlets.Unicode(help="The exception that an observer raised last.").tag(sync=True)

    _bridge: KernelBridge | None = None
    _own_layout: Any = None

    def __init__(self, api: Api, **options: object) -> None:
        self._api = api
        self._esm = read_static(f"{self._bundle}.js")
        super().__init__(_css=read_static("style.css"), _store=api.store(), **options)
        self._own_layout = None if "layout" in options else self.layout
        self.on_msg(self._on_message)

    def close(self) -> None:
        """Remove the view, and the layout that ipywidgets created for it."""
        if self._bridge is not None:
            self._bridge.close()
        super().close()
        if self._own_layout is not None:
            self._own_layout.close()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Apply the state that the view sends; called by ipywidgets."""
        with self._show_errors():
            super().set_state(sync_data)

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        """Pass a custom message of the view to the kernel bridge."""
        if self._bridge is None:
            self._bridge = KernelBridge(self._api, self.send)
        self._bridge.on_message(content, buffers)

    @contextmanager
    def _show_errors(self) -> Iterator[None]:
        """Show exceptions in the view, because no cell would display them."""
        try:
            yield
        except Exception as error:
            log.exception("runwidgets: an observer of %r", self)
            self._failure = describe(error)

    def _static_html(self) -> str:
        """Return the static representation of the widget."""
        return f"<pre>{html.escape(repr(self))}</pre>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        fallback = {"text/plain": repr(self), "text/html": self._static_html()}
        return {**(data or {}), **fallback}, metadata
