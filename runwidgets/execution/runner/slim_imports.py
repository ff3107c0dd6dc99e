"""Imports of papermill without what no runner uses: cloud libraries, other engines, a grammar of IRIs.

With pyarrow or an engine installed, they made up half of a runner's imports and half of its memory, whose
page tables every fork copies.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import entrypoints

UNUSED_MODULES = ("azure", "boto3", "gcsfs", "github", "pyarrow", "rfc3987_syntax")
"""Modules that papermill's input and output try to import (**Source:** papermill 2, ``iorw.py``), and the one
with which jsonschema compiles a grammar for 1.1 s (**Source:** rfc3987-syntax 1.1.0)."""


@contextmanager
def slim_imports() -> Iterator[None]:
    """Make `UNUSED_MODULES` appear not installed, and hide papermill's plug-ins, in the block."""
    missing = [name for name in UNUSED_MODULES if name not in sys.modules]
    find = entrypoints.get_group_all
    entrypoints.get_group_all = lambda *_, **__: []
    sys.modules.update(dict.fromkeys(missing))  # type: ignore[arg-type]
    try:
        yield
    finally:
        entrypoints.get_group_all = find
        for name in missing:
            del sys.modules[name]
