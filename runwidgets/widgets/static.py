"""The built front end, as text."""

from functools import lru_cache
from pathlib import Path

STATIC = Path(__file__).parent.parent / "static"


@lru_cache
def read_static(name: str) -> str:
    """Return the content of a file of the built front end.

    The content is passed to the browser as text: an anywidget whose code is a file watches that file, and the
    watch keeps the widget alive.

    Raises
    ------
    FileNotFoundError
        The front end was not built; ``pip install .`` builds it.
    """
    return (STATIC / name).read_text("utf-8")
