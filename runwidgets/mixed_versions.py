"""Mixed versions: what another version of runwidgets wrote or says, and this version does not know."""

from enum import Enum
from typing import TypeVar

from runwidgets.errors import VersionMismatchError

Member = TypeVar("Member", bound=Enum)

REMEDY = "install the same version of runwidgets on both sides"


def check_format(subject: str, found: int, known: int) -> None:
    """Reject a file whose format is not the one that this version reads and writes.

    Parameters
    ----------
    subject : str
        Name of the file.
    found : int
        The number of its format.
    known : int
        The number that this version knows.

    Raises
    ------
    VersionMismatchError
        The numbers differ.
    """
    if found != known:
        problem = f"it has format {found}, and this version of runwidgets reads format {known}"
        raise VersionMismatchError(subject, problem, REMEDY)


def read_member(kind: type[Member], noun: str, value: str) -> Member:
    """Return the member of an enum that the other side names.

    Parameters
    ----------
    kind : type
        The enum.
    noun : str
        What its members are, for the message.
    value : str
        The value of the member.

    Raises
    ------
    VersionMismatchError
        This version has no such member.

    Examples
    --------
    >>> from runwidgets.states import RunState
    >>> read_member(RunState, "state", "SUCCESS")
    <RunState.SUCCESS: 'SUCCESS'>
    """
    try:
        return kind(value)
    except ValueError:
        problem = "it is not known to this version of runwidgets"
        raise VersionMismatchError(f"{noun} {value!r:.80}", problem, REMEDY) from None
