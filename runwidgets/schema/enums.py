"""Enums of everything that code branches on; a member is the text in rows, in journals and on the wire."""

from enum import Enum


class RunReason(str, Enum):
    """Why a run ended without success; the messages for people are separate."""

    CELL_ERROR = "cell_error"
    """A cell raised an exception."""
    KERNEL_DIED = "kernel_died"
    """The kernel exited or was killed."""
    OUT_OF_MEMORY = "out_of_memory"
    """The operating system killed the kernel for lack of memory."""
    KERNEL_NOT_STARTED = "kernel_not_started"
    """The kernel is not installed, or was not ready in time."""
    NO_REPLY = "no_reply"
    """The kernel executed a cell and did not reply."""
    TIMEOUT = "timeout"
    """The run, or one of its cells, exceeded its time limit."""
    OUTPUTS_MISSING = "outputs_missing"
    """A declared output was not written."""
    RESULTS_TOO_LARGE = "results_too_large"
    """The run left more result files, or more bytes in them, than the limits allow."""
    STORAGE_FULL = "storage_full"
    """The disk is full, or the user's quota is exhausted."""
    FILE_ERROR = "file_error"
    """A file of the run could not be read or written."""
    INPUT_CHANGED = "input_changed"
    """A large input, which runs share, was changed while the run used it."""
    RUNNER_NOT_STARTED = "runner_not_started"
    """The runner could not be started."""
    RUNNER_DIED = "runner_died"
    """The runner has ended without reporting how the run ended."""
    WORKER_FAILED = "worker_failed"
    """No worker of the cluster could execute the run, or transfer its results."""
    WORKER_LOST = "worker_lost"
    """The worker of the cluster that executed the run has ended."""
    VERSION_MISMATCH = "version_mismatch"
    """The executing and the observing process have different versions of this software."""
    CANCELED = "canceled"
    """A user cancelled the run."""
    SHUTDOWN = "shutdown"
    """The server of the run was shut down."""
    SWEEP_STOPPED = "sweep_stopped"
    """Another run of the sweep failed, and the sweep stops at the first failure."""
    PRUNED = "pruned"
    """A search cancelled the run, because it was not promising."""
    SEARCH_INTERRUPTED = "search_interrupted"
    """The search of the run was interrupted; the run is executed again when the search is resumed."""
    INTERNAL_ERROR = "internal_error"
    """An error of this software."""


INTERRUPTED_REASONS = frozenset({RunReason.SEARCH_INTERRUPTED, RunReason.SHUTDOWN})
"""Reasons of CANCELED runs that say nothing about the run; a search that is resumed executes them again."""
CANCELED_REASONS = INTERRUPTED_REASONS | {RunReason.CANCELED, RunReason.SWEEP_STOPPED, RunReason.PRUNED}
"""Reasons of CANCELED runs; all others belong to ERROR."""


class SweepOnError(str, Enum):
    """What a sweep does when one of its runs fails."""

    CONTINUE = "continue"
    """The other runs are executed."""
    STOP = "stop"
    """The waiting runs are cancelled."""


class EventKind(str, Enum):
    """The kinds of events of a run."""

    STATE = "state"
    """The run moved to another state."""
    PROGRESS = "progress"
    """A cell began, or the notebook reported its progress."""
    METRIC = "metric"
    """The run recorded a metric."""
    LOG = "log"
    """The log has grown."""
    FILES = "files"
    """The processes of a cancelled run have ended, and its partial files are listed."""
    DELETED = "deleted"
    """The run was removed, with its files."""
    PAUSED = "paused"
    """The sweep was paused or resumed; the event names its first waiting run."""
