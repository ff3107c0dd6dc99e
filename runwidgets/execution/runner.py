"""Executes one run in its directory: the program that a backend starts and then may forget.

It reads ``run.json``, lays out the working folder, lets papermill parameterise the template and execute
it on our engine, collects what came out, and writes its end into the journal. It holds the run's lock
from before its first line to its last.
"""

import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import psutil
import zmq
import zmq.asyncio
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode
from papermill.engines import papermill_engines
from papermill.execute import remove_error_markers
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from papermill.translators import translate_parameters

from runwidgets.errors import RunWidgetsError
from runwidgets.execution.engine import ENGINE
from runwidgets.execution.journal import JournalWriter
from runwidgets.execution.processes import become_reaper, kill_descendants
from runwidgets.execution.recorder import Recorder
from runwidgets.execution.results import collect_results, place_inputs
from runwidgets.execution.stop import Stop
from runwidgets.limits import Limits
from runwidgets.states import RunState
from runwidgets.store.files import JOURNAL, LOG, OUTPUT, RUN_FILE, SECRETS, TEMPLATE, UPLOADS, WORKDIR
from runwidgets.templates.signature import construct


def execute_run(folder: Path, copies: Path) -> RunState:
    """Execute a run to its end, whatever that is.

    Parameters
    ----------
    folder : Path
        The run directory.
    copies : Path
        Folder of the content-addressed copies of static files.

    Returns
    -------
    RunState
        The state that the journal's last line has.
    """
    become_reaper()
    journal = JournalWriter(folder / JOURNAL)
    description = json.loads((folder / RUN_FILE).read_text("utf-8"))
    limits = Limits(**description["limits"])
    stop = Stop(limits.cancel_grace, kill_descendants)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request(RunState.CANCELED, "the run was cancelled"))
    journal.write("started", pid=os.getpid(), created=psutil.Process().create_time())
    state, messages, files = RunState.ERROR, [], []
    try:
        placed = place_inputs(folder, description, copies, limits)
        messages = _execute(folder, description, journal, stop, limits)
        if not messages and not stop.is_requested:
            template = description["template"]
            files = collect_results(folder, template["outputs"], placed, template["name"], limits)
            state = RunState.SUCCESS
    except RunWidgetsError as error:
        messages = [error.message]
    except Exception as error:
        messages = [f"{type(error).__name__}: {error}"]
        raise
    finally:
        kill_descendants()
        shutil.rmtree(folder / UPLOADS, ignore_errors=True)
        if stop.state is not None:
            state, files, messages = stop.state, [], [stop.message]
        journal.write("finished", state=state.value, messages=messages, files=files)
        journal.close()
    return state


def _execute(
    folder: Path, description: dict[str, Any], journal: JournalWriter, stop: Stop, limits: Limits
) -> list[str]:
    """Parameterise and execute the template; return what went wrong."""
    template, config = description["template"], description["config"]
    kernel, language = template["kernelName"], template["language"]
    notebook = load_notebook_node(nbformat.read(folder / TEMPLATE, as_version=4))
    if description["values"]:
        notebook = parameterize_notebook(
            notebook, description["values"], kernel_name=kernel, language=language, engine_name=ENGINE
        )
        _construct(notebook, description["values"], template["constructors"])
    notebook.metadata.papermill["input_path"] = template["name"]
    notebook.metadata.papermill["output_path"] = OUTPUT
    recorder = Recorder(
        folder / OUTPUT,
        folder / LOG,
        journal,
        stop,
        limits,
        cell_timeout=config.get("cell_timeout"),
        secrets=_read_secrets(folder / SECRETS, kernel, language),
    )
    timer = _start_timer(config.get("timeout"), stop)
    private = Path(tempfile.mkdtemp(prefix="runwidgets-"))
    context = zmq.asyncio.Context()
    context.set(zmq.IPV6, 0)
    context.setsockopt(zmq.RCVHWM, 0)
    try:
        manager = AsyncKernelManager(
            kernel_name=kernel,
            transport="ipc",
            connection_file=str(private / "kernel.json"),
            context=context,
        )
        cwd = folder / WORKDIR if config.get("cwd", "run") == "run" else Path(template["folder"])
        papermill_engines.execute_notebook_with_engine(
            ENGINE,
            remove_error_markers(notebook),
            kernel_name=kernel,
            recorder=recorder,
            km=manager,
            start={"cwd": str(cwd)},
        )
    except NoSuchKernel:
        return [f"kernel '{kernel}': it is not installed here; install it, or change the notebook's kernel"]
    except RuntimeError as error:
        return [f"the kernel did not start: {error}"]
    finally:
        if timer is not None:
            timer.cancel()
        recorder.close()
        context.destroy(linger=0)
        shutil.rmtree(private)
    return recorder.messages


def _construct(notebook: NotebookNode, values: dict[str, Any], constructors: dict[str, str]) -> None:
    """Give the notebook the objects that it annotated: papermill injects JSON and nothing else."""
    lines = [line for name, kind in constructors.items() if name in values for line in construct(name, kind)]
    for cell in notebook.cells if lines else ():
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = "\n".join([cell.source.rstrip("\n"), *dict.fromkeys(lines), ""])


def _start_timer(limit: float | None, stop: Stop) -> threading.Timer | None:
    if not limit:
        return None
    message = f"the run took longer than its limit of {limit:g} s (timeout)"
    timer = threading.Timer(limit, stop.request, [RunState.ERROR, message])
    timer.daemon = True
    timer.start()
    return timer


def _read_secrets(path: Path, kernel: str, language: str) -> list[tuple[str, str]]:
    """Read the secret arguments and remove them; return each value and the code that assigns it."""
    if not path.exists():
        return []
    values = json.loads(path.read_text("utf-8"))
    path.unlink()
    return [
        (str(value), translate_parameters(kernel, language, {name: value}, ""))
        for name, value in values.items()
    ]


def main(arguments: Sequence[str]) -> int:
    """Execute the run in the folder given; a second argument is the descriptor of its lock."""
    folder, copies, lock = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    os.set_inheritable(lock, False)
    os.umask(0o077)
    return 0 if execute_run(folder, copies) is RunState.SUCCESS else 1
