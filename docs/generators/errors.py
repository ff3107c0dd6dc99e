"""The errors, from the classes."""

import inspect

from runwidgets import errors
from runwidgets.errors import RunWidgetsError


def list_errors() -> str:
    """Return the error tree as a table: class, status, what it says."""
    return "| class | status | meaning |\n|---|---|---|\n" + "\n".join(_rows(RunWidgetsError, 0))


def _rows(cls: type[RunWidgetsError], depth: int) -> list[str]:
    sentence = (inspect.getdoc(cls) or "").splitlines()[0]
    builtin = [base.__name__ for base in cls.__bases__ if base.__module__ == "builtins" and depth]
    also = f" Also a `{builtin[0]}`." if builtin else ""
    rows = [f"| {'&emsp;' * depth}`{cls.__name__}` | {cls.status} | {sentence}{also} |"]
    children = [each for each in cls.__subclasses__() if each.__module__ == errors.__name__]
    return rows + [row for child in children for row in _rows(child, depth + 1)]
