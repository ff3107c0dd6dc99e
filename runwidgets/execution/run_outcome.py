"""How an attempt to execute a run ended: what the journal's last record says, and what is sent home."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from typing_extensions import TypedDict

from runwidgets.schema import ReasonName, RunReason, StateName
from runwidgets.states import RunState

FULL = {errno.ENOSPC, errno.EDQUOT}
"""Errors of a disk that has no space, or of which somebody may not take more."""


class OutcomeRecord(TypedDict):
    """An `Outcome`, of plain values."""

    state: StateName
    reason: ReasonName | None
    messages: list[str]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    state: RunState
    reason: RunReason | None = None
    """None for SUCCESS only."""
    messages: Sequence[str] = ()
    """What is said of it to people; nobody branches on it."""

    @classmethod
    def failed(cls, reason: RunReason, *messages: str) -> "Outcome":
        """Return the outcome of an attempt that ended in ERROR."""
        return cls(RunState.ERROR, reason, messages)

    @classmethod
    def from_json(cls, told: OutcomeRecord) -> "Outcome":
        """Read what `to_json` gave."""
        reason = None if told["reason"] is None else RunReason(told["reason"])
        return cls(RunState(told["state"]), reason, told["messages"])

    def to_json(self) -> OutcomeRecord:
        """Return it as plain values."""
        reason = None if self.reason is None else self.reason.value
        record = {"state": self.state.value, "reason": reason, "messages": list(self.messages)}
        return cast(OutcomeRecord, record)


WORKER_LOST = Outcome.failed(RunReason.WORKER_LOST, "its worker was lost")
"""How a run ends that ends with its worker."""


class RunFailedError(Exception):
    """Ends an attempt: raised where that is found out, and caught by the runner or by the backend's thread.

    Parameters
    ----------
    outcome : Outcome
        How it ended.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def reason_of(error: OSError) -> RunReason:
    """Return why a run ends whose files could not be read or written."""
    return RunReason.STORAGE_FULL if error.errno in FULL else RunReason.FILE_ERROR
