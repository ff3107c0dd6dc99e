"""Papermill without what no runner uses: libraries of clouds, other people's engines, a grammar of IRIs.

With pyarrow or an engine installed, half of a runner's imports and half of its memory, which every fork
copies the tables of, were theirs.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import entrypoints

UNUSED = ("azure", "boto3", "gcsfs", "github", "pyarrow", "rfc3987_syntax")
"""Modules that papermill's input and output try to import (**Source:** papermill 2, ``iorw.py``), and the
one that jsonschema compiles a grammar with, for 1.1 s (**Source:** rfc3987-syntax 1.1.0)."""


@contextmanager
def lean_imports() -> Iterator[None]:
    """Have `UNUSED` count as not installed, and papermill find no plug-ins, in the block."""
    missing = [name for name in UNUSED if name not in sys.modules]
    find = entrypoints.get_group_all
    entrypoints.get_group_all = lambda *_, **__: []
    sys.modules.update(dict.fromkeys(missing))  # type: ignore[arg-type]
    try:
        yield
    finally:
        entrypoints.get_group_all = find
        for name in missing:
            del sys.modules[name]
