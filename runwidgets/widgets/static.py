"""The built front end, as text."""

from functools import lru_cache
from pathlib import Path

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
