"""Identifiers: what the id of an object may look like, and the error for an id that nothing has."""

import re
from typing import Literal, TypeAlias

from runwidgets.errors import (
    UnknownFileError,
    UnknownObjectError,
    UnknownRunError,
    UnknownSweepError,
    UnknownWorkflowError,
    UnknownWorkflowGroupError,
)

ObjectKind: TypeAlias = Literal["workflow", "group", "run", "sweep", "file"]
"""A kind of object that has an id, as messages name it."""

UNKNOWN_ERRORS: dict[ObjectKind, type[UnknownObjectError]] = {
    "workflow": UnknownWorkflowError,
    "group": UnknownWorkflowGroupError,
    "run": UnknownRunError,
    "sweep": UnknownSweepError,
    "file": UnknownFileError,
}
"""The error for an id that no object of a kind has."""
POSSIBLE_ID = re.compile(r"[A-Za-z0-9._~:@-]{1,255}")
SHOWN_LENGTH = 64
"""Characters of an impossible id that a message repeats."""


def check_id(kind: ObjectKind, given: object) -> str:
    """Return an id that an object may have.

    Parameters
    ----------
    kind : str
        The kind of object.
    given : object
        What the caller passes as its id.

    Returns
    -------
    str
        The id.

    Raises
    ------
    UnknownObjectError
        In the class of the kind: no object can have this id, because it is not text, is empty or too long,
        or has a character that ids never have.
    """
    if not isinstance(given, str) or not POSSIBLE_ID.fullmatch(given):
        raise UNKNOWN_ERRORS[kind](f"{kind} {given!a:.{SHOWN_LENGTH}}", f"there is no such {kind}")
    return given
