"""What is done about a run whose runner is gone and did not say how the run ended: it is an ERROR."""

import shutil
from contextlib import suppress
from pathlib import Path

from runwidgets.execution.journal import JournalReader
from runwidgets.execution.kernels.zmq import socket_folder_name
from runwidgets.execution.processes import kill_run, signal_name
from runwidgets.execution.run_outcome import Outcome
from runwidgets.execution.runner.snapshots import correct_notebook
from runwidgets.schema import RunReason
from runwidgets.store.files.layout import JOURNAL, OUTPUT


def clean_up(run_id: str, folder: Path) -> None:
    """Kill the processes that a lost runner left, remove its sockets, and correct the executed notebook.

    Parameters
    ----------
    run_id : str
        The run.
    folder : Path
        Its run directory.
    """
    kill_run(run_id)
    for record in JournalReader(folder / JOURNAL).read():
        sockets = Path(record.get("sockets", "")) if record["kind"] == "started" else Path()
        if sockets.name == socket_folder_name(run_id):  # the run could have written another path
            shutil.rmtree(sockets, ignore_errors=True)
    with suppress(OSError, ValueError):  # a full disk or a missing directory does not allow it
        correct_notebook(folder / OUTPUT)


def lost_outcome(code: int | None) -> Outcome:
    """Return how a run ended whose runner was lost.

    Parameters
    ----------
    code : int or None
        Exit code of the runner, a negative signal number if it was killed; None if it is not known.
    """
    by = f": killed by {signal_name(-code)}" if code is not None and code < 0 else ""
    return Outcome.failed(RunReason.RUNNER_DIED, f"the runner was lost{by}")
