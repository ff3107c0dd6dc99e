"""Failpoints: named durable steps after which a process may die without harm; tests kill it there.

A process that reaches the step named by the environment variable ``RUNWIDGETS_CRASH_AT`` is killed at once.
Without the variable, failpoints do nothing.
"""

import os
import signal

FAILPOINT_VARIABLE = "RUNWIDGETS_CRASH_AT"

INSTANCE_STEPS = {
    "folder begun": "the directory of a run exists under a temporary name",
    "folder made": "the directories of all runs accepted together are on disk, their rows are not",
    "accepted": "the rows of all runs accepted together are committed",
    "claimed": "a run is RUNNING, its runner is not launched yet",
    "launched": "the runner is launched",
    "ending": "the end is read from the journal, but not stored yet",
    "ended": "the end is stored",
    "cancelled": "a run is CANCELED, its processes are not signalled yet",
    "row deleted": "the row of a run is deleted, its directory is not",
    "folder renamed": "the directory of a run is renamed for removal, its content is still there",
}
"""Steps of the process that opened the instance."""

RUNNER_STEPS = {
    "started": "the journal records that the run began",
    "laid out": "the working folder is populated",
    "kernel up": "the kernel is ready",
    "cell saved": "the notebook is stored up to the cell that was executed last",
    "executed": "all cells were executed",
    "collected": "result files are listed and hashed",
    "finished": "the journal records how the run ended",
}
"""Steps of a runner."""


def reach(step: str) -> None:
    """Pass a failpoint, or kill this process if the failpoint is the chosen one.

    Parameters
    ----------
    step : str
        One of `INSTANCE_STEPS` or `RUNNER_STEPS`.
    """
    if os.environ.get(FAILPOINT_VARIABLE) == step:
        os.kill(os.getpid(), signal.SIGKILL)
