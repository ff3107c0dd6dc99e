"""Named steps behind which a power cut must do no harm, and a way for tests to cut the power there.

A process that reaches the step that ``RUNWIDGETS_CRASH_AT`` names is killed, as it stands. Nothing else
depends on it, and without the variable nothing happens.
"""

import os
import signal

VARIABLE = "RUNWIDGETS_CRASH_AT"

SERVICE = {
    "folder begun": "a run's directory is made, but has no name yet",
    "folder made": "the directories of all runs that are accepted together are on disk, their rows are not",
    "accepted": "the rows of all runs that are accepted together are committed",
    "claimed": "a run is RUNNING, its runner is not launched",
    "launched": "the runner is launched",
    "ending": "the end in the journal is read, but not stored",
    "ended": "the end is stored",
    "cancelled": "a run is CANCELED, its processes are not told",
    "row deleted": "the row of a run is gone, its directory is not",
    "folder renamed": "the directory of a run has lost its name, but not its content",
}
"""Steps of the process that hosts the service."""

RUNNER = {
    "started": "the journal says that the run began",
    "laid out": "the working folder is filled",
    "kernel up": "the kernel answers",
    "cell saved": "the notebook is stored as far as it was executed",
    "executed": "all cells were executed",
    "collected": "result files are listed and hashed",
    "finished": "the journal says how the run ended",
}
"""Steps of a runner."""


def reach(step: str) -> None:
    """Pass a step, or end there.

    Parameters
    ----------
    step : str
        One of `SERVICE` or `RUNNER`.
    """
    if os.environ.get(VARIABLE) == step:
        os.kill(os.getpid(), signal.SIGKILL)
