"""The outcome of an attempt to execute a run: the content of the journal's last record."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from typing_extensions import TypedDict

from runwidgets.mixed_versions import read_member
from runwidgets.schema import ReasonName, RunReason, StateName
from runwidgets.states import RunState

DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT}
"""Error numbers of a full disk and of an exceeded quota."""


class OutcomeRecord(TypedDict):
    """An `Outcome` as plain values."""

    state: StateName
    reason: ReasonName | None
    messages: list[str]


OMITTED = " … [{:,} characters are omitted here] … "
"""Stands for the middle of a long text."""
SENTENCE_SIZE = 2_000
"""Characters of the first message of a run at most, which lists of runs show."""
DETAIL_SIZE = 64 * 1024
"""Characters of each further message at most, such as a traceback."""


def omit_middle(text: str, limit: int) -> str:
    """Return a text of at most a number of characters: of a longer one its head and its tail.

    Parameters
    ----------
    text : str
        Any text.
    limit : int
        Characters, at least 100.

    Returns
    -------
    str
        The text, which says how many characters are omitted.
    """
    if len(text) <= limit:
        return text
    kept = (limit - len(OMITTED.format(len(text)))) // 2
    return text[:kept] + OMITTED.format(len(text) - 2 * kept) + text[-kept:]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; the messages are shortened to their limits."""

    state: RunState
    reason: RunReason | None = None
    """None for SUCCESS only."""
    messages: Sequence[str] = ()
    """Messages for people; nothing branches on them."""

    def __post_init__(self) -> None:
        limits = [SENTENCE_SIZE, *[DETAIL_SIZE] * (len(self.messages) - 1)]
        shortened = [omit_middle(text, limit) for text, limit in zip(self.messages, limits, strict=False)]
        object.__setattr__(self, "messages", shortened)

    @classmethod
    def failed(cls, reason: RunReason, *messages: str) -> "Outcome":
        """Return the outcome of an attempt that ended in ERROR; empty messages are omitted."""
        return cls(RunState.ERROR, reason, [message for message in messages if message])

    @classmethod
    def from_json(cls, record: OutcomeRecord) -> "Outcome":
        """Parse the result of `to_json`.

        Raises
        ------
        VersionMismatchError
            It has a state or a reason that this version does not know.
        """
        reason = None if record["reason"] is None else read_member(RunReason, "reason", record["reason"])
        return cls(read_member(RunState, "state", record["state"]), reason, record["messages"])

    def adding(self, messages: Sequence[str]) -> "Outcome":
        """Return the outcome with further messages."""
        return Outcome(self.state, self.reason, [*self.messages, *messages])

    def to_json(self) -> OutcomeRecord:
        """Return the outcome as plain values."""
        reason = None if self.reason is None else self.reason.value
        record = {"state": self.state.value, "reason": reason, "messages": list(self.messages)}
        return cast(OutcomeRecord, record)


WORKER_LOST = Outcome.failed(RunReason.WORKER_LOST, "its worker was lost")
"""The outcome of a run that ends with its worker."""


class RunFailedError(Exception):
    """Ends an attempt: raised where it fails, and caught by the runner or the backend's thread.

    Parameters
    ----------
    outcome : Outcome
        The outcome of the attempt.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def reason_of(error: OSError) -> RunReason:
    """Return the reason of a run whose files could not be read or written."""
    return RunReason.STORAGE_FULL if error.errno in DISK_FULL_ERRORS else RunReason.FILE_ERROR
