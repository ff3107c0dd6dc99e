"""What code branches on, as enums: a member is the text that stands in rows, in journals and on the wire."""

from enum import Enum


class RunReason(str, Enum):
    """Why a run ended before its time; beside the sentence for people, which nobody branches on."""

    CELL_ERROR = "cell_error"
    """A cell raised an exception."""
    KERNEL_DIED = "kernel_died"
    """The kernel exited or was killed."""
    OUT_OF_MEMORY = "out_of_memory"
    """The operating system killed the kernel for want of memory."""
    KERNEL_NOT_STARTED = "kernel_not_started"
    """The kernel is not installed, or did not answer in time."""
    TIMEOUT = "timeout"
    """The run, or one of its cells, took longer than its limit."""
    OUTPUTS_MISSING = "outputs_missing"
    """A declared output was not written."""
    RESULTS_TOO_LARGE = "results_too_large"
    """It left more result files, or more bytes in them, than a run may."""
    STORAGE_FULL = "storage_full"
    """The disk has no space left, or none that the user may take."""
    FILE_ERROR = "file_error"
    """A file of the run could not be read or written."""
    RUNNER_NOT_STARTED = "runner_not_started"
    """The process that executes the run could not be started."""
    RUNNER_DIED = "runner_died"
    """The process that executed the run is gone, and did not say how it ended."""
    WORKER_FAILED = "worker_failed"
    """No worker of the cluster could execute it, or hand over what it left."""
    WORKER_LOST = "worker_lost"
    """The worker of the cluster on which it ran is gone."""
    VERSION_MISMATCH = "version_mismatch"
    """Who executed it and who watched it have different versions of this software."""
    CANCELED = "canceled"
    """Somebody cancelled it."""
    SHUTDOWN = "shutdown"
    """The server that owned it was shut down."""
    SWEEP_STOPPED = "sweep_stopped"
    """Another run of its sweep failed, and the sweep ends at the first failure."""
    PRUNED = "pruned"
    """A search ended it, because it would not become the best."""
    INTERNAL_ERROR = "internal_error"
    """The fault is in this software."""

    @classmethod
    def _missing_(cls, value: object) -> "RunReason":
        raise ValueError(
            f"the reason {value!r} is not known to this version of runwidgets; "
            "install the same version where the run is watched and where it was executed"
        )


CANCELED_REASONS = frozenset(
    {RunReason.CANCELED, RunReason.SHUTDOWN, RunReason.SWEEP_STOPPED, RunReason.PRUNED}
)
"""Reasons of runs that are CANCELED; all others are those of runs that ended in ERROR."""


class SweepOnError(str, Enum):
    """What a sweep does when one of its runs fails."""

    CONTINUE = "continue"
    """Its other runs are executed."""
    STOP = "stop"
    """What still waits is cancelled."""


class EventKind(str, Enum):
    """What happened to a run."""

    STATE = "state"
    """It moved to another state."""
    PROGRESS = "progress"
    """A cell began, or the notebook said how far it is."""
    METRIC = "metric"
    """It recorded a metric."""
    LOG = "log"
    """Its log has grown."""
    DELETED = "deleted"
    """It was removed, with its files."""
    PAUSED = "paused"
    """Its sweep was paused or resumed; told of the first run that waits."""
