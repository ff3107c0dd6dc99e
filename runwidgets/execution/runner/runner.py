"""The runner: the program that executes one run in its directory, started by a backend.

It reads ``run.json``, populates the working folder, lets papermill parameterise the template and execute it
with our engine, collects the results, and writes its end into the journal. It holds the run's lock from
beginning to end. `main` is the entry point of a spawned runner; a fork server calls `execute_run` in a forked
process, and provides its own way to start a kernel.
"""

import json
import os
import shutil
import signal
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import nbformat.v4
from nbformat import NotebookNode
from papermill.engines import papermill_engines
from papermill.execute import remove_error_markers
from papermill.parameterize import parameterize_notebook
from papermill.version import version as papermill_version

from runwidgets.errors import UnknownKernelError, VersionMismatchError, describe
from runwidgets.execution.journal import JOURNAL_FORMAT, JournalWriter, count_attempts
from runwidgets.execution.kernels.kernel import Kernel, KernelRequest
from runwidgets.execution.kernels.kernelspecs import find_kernelspec, propose_kernels, select_kernel
from runwidgets.execution.kernels.zmq import ZmqKernel, find_socket_folder
from runwidgets.execution.processes import become_reaper, kill_descendants, reap_children, wait_for_end
from runwidgets.execution.run_outcome import WORKER_LOST, Outcome, RunFailedError, reason_of
from runwidgets.execution.runner.engine import ENGINE
from runwidgets.execution.runner.files.inputs import Inputs
from runwidgets.execution.runner.files.missing_files import find_missing
from runwidgets.execution.runner.files.partial_files import list_partial_files, remove_other_files
from runwidgets.execution.runner.files.results import collect_results
from runwidgets.execution.runner.files.written_files import is_replaced, take_in_files
from runwidgets.execution.runner.recorder import Recorder
from runwidgets.execution.runner.secret_values import read_secrets, to_code
from runwidgets.execution.runner.stop import Stop
from runwidgets.failpoints import reach
from runwidgets.limits import Limits
from runwidgets.schema import FoundResult, JsonValue, RunDescription, RunnerTemplate, RunReason
from runwidgets.states import RunState
from runwidgets.store.files.layout import (
    ENVIRONMENT,
    JOURNAL,
    LOG,
    OUTPUT,
    RUNNER_LOG,
    SECRETS,
    TEMPLATE,
    UPLOADS,
    WORKDIR,
)
from runwidgets.store.files.run_directories import read_description
from runwidgets.templates.cells.reading import INJECTED_TAG, is_injected, remove_injected
from runwidgets.templates.injection import append_constructions, injected_code, plain_values, split_values
from runwidgets.templates.translators import register_translators

register_translators()

CANCELED = Outcome(RunState.CANCELED, RunReason.CANCELED, ["the run was cancelled"])
Launch = Callable[[KernelRequest], Kernel]
"""Creates a kernel."""


def spawn_kernel(request: KernelRequest) -> Kernel:
    """Return a kernel that is started by its kernelspec's own launcher."""
    return ZmqKernel(request)


def execute_run(
    folder: Path, copies: Path, launch: Launch = spawn_kernel, keeper: int | None = None
) -> RunState:
    """Execute a run to its end, successful or not.

    Parameters
    ----------
    folder : Path
        The run directory.
    copies : Path
        Folder of the content-addressed copies of static files.
    launch : callable
        Creates the kernel, once the working folder is populated.
    keeper : int, optional
        A process with which the run ends; None for an independent run.

    Returns
    -------
    RunState
        The state in the journal's last record.
    """
    become_reaper()
    try:
        description = read_description(folder)
    except VersionMismatchError as error:
        return _refuse_run(folder, error)
    earlier_attempts = count_attempts(folder / JOURNAL)
    is_last = earlier_attempts >= description["config"].get("retries", 0)
    journal = JournalWriter(folder / JOURNAL)
    limits = Limits.from_json(description["limits"])
    stop = Stop(limits.cancel_grace, kill_descendants)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request(CANCELED))
    signal.signal(signal.SIGHUP, lambda *_: stop.request(WORKER_LOST))
    sockets = find_socket_folder(folder.name)
    journal.write("started", pid=os.getpid(), sockets=str(sockets), format=JOURNAL_FORMAT)
    outcome = Outcome.failed(RunReason.INTERNAL_ERROR, "the runner was interrupted")
    files: list[FoundResult] | None = None
    inputs = Inputs(folder, description, copies, limits)
    reach("started")
    try:
        inputs.place()
        reach("laid out")
        _execute(folder, description, journal, stop, limits, launch, is_last, keeper)
        kill_descendants()  # result files must not change from now on
        if not stop.is_requested:
            reach("executed")
            files = _collect(folder, description, inputs, limits)
            outcome = Outcome(RunState.SUCCESS)
            reach("collected")
    except RunFailedError as failure:
        outcome = failure.outcome
        kill_descendants()  # inputs must not change from now on
        if not stop.is_requested:
            hints = find_missing(folder, description, failure.outcome)
            outcome = failure.outcome.adding([*inputs.describe_changes(), *hints])
    except OSError as error:
        message = f"the files of the run could not be written or read: {error.strerror or describe(error)}"
        outcome = Outcome.failed(reason_of(error), message)
        traceback.print_exc()
    except Exception as error:
        outcome = Outcome.failed(RunReason.INTERNAL_ERROR, describe(error))
        raise
    finally:
        kill_descendants()
        reap_children()
        shutil.rmtree(sockets, ignore_errors=True)
        inputs.withdraw_changed()
        if stop.outcome is not None:
            outcome = stop.outcome
        if is_last or outcome.state is not RunState.ERROR:
            shutil.rmtree(folder / UPLOADS, ignore_errors=True)
            (folder / SECRETS).unlink(missing_ok=True)
            if outcome.state is not RunState.SUCCESS:
                files = _keep_partial_files(folder, description)
        journal.finish(outcome, files)
        journal.close()
    reach("finished")
    return outcome.state


def _keep_partial_files(folder: Path, description: RunDescription) -> list[FoundResult] | None:
    """Return the partial files within the limits, and remove all others; None if they cannot be read."""
    try:
        files, is_complete = list_partial_files(folder, description)
        if not is_complete:
            remove_other_files(folder, description, files)
    except OSError:
        traceback.print_exc()
        return None
    return files


def _refuse_run(folder: Path, error: VersionMismatchError) -> RunState:
    """Report that this version cannot execute the run."""
    journal = JournalWriter(folder / JOURNAL)
    journal.write("started", pid=os.getpid(), format=JOURNAL_FORMAT)
    outcome = Outcome.failed(RunReason.VERSION_MISMATCH, error.message)
    journal.finish(outcome, None)
    journal.close()
    return outcome.state


def _collect(folder: Path, description: RunDescription, inputs: Inputs, limits: Limits) -> list[FoundResult]:
    """Return the result files of a run whose cells have succeeded, or raise `RunFailedError`."""
    if is_replaced(folder):
        message = "the working folder: it was replaced by a link"
        raise RunFailedError(Outcome.failed(RunReason.FILE_ERROR, message))
    if inputs.find_changed():
        raise RunFailedError(Outcome.failed(RunReason.INPUT_CHANGED))
    template = description["template"]
    take_in_files(folder, template["place"])
    return collect_results(folder, template["outputs"], inputs.originals, template["name"], limits)


def _execute(
    folder: Path,
    description: RunDescription,
    journal: JournalWriter,
    stop: Stop,
    limits: Limits,
    launch: Launch,
    is_last: bool,
    keeper: int | None,
) -> None:
    """Parameterise and execute the template; a failing cell or kernel raises `RunFailedError`."""
    template, config = description["template"], description["config"]
    cwd = folder / WORKDIR / template["place"]
    if config.get("cwd", "run") == "notebook":
        cwd = Path(template["folder"])
        if not cwd.is_dir():
            message = f"the notebook's own folder '{cwd}' does not exist; omit the config key cwd"
            raise RunFailedError(Outcome.failed(RunReason.FILE_ERROR, message))
    secrets = _locate(folder, description, read_secrets(folder / SECRETS))
    if is_last:
        (folder / SECRETS).unlink(missing_ok=True)
    request = KernelRequest(
        name=select_kernel(template, config),
        cwd=cwd,
        socket_folder=find_socket_folder(folder.name),
        transport=config.get("transport", "auto"),
        log=folder / RUNNER_LOG,
    )
    try:
        kernel = launch(request)
    except UnknownKernelError as error:
        explained = UnknownKernelError(error.subject, error.problem, propose_kernels(template["language"]))
        failure = Outcome.failed(RunReason.KERNEL_NOT_STARTED, explained.message)
        raise RunFailedError(failure) from None
    if keeper is not None:  # after the kernel was forked from a single thread
        threading.Thread(target=_end_with, args=[keeper, stop], daemon=True).start()
    journal.sync()  # no cell of the notebook has been executed yet
    notebook = _parameterise(folder, description)
    recorder = Recorder(
        folder / OUTPUT,
        folder / LOG,
        journal,
        stop,
        limits=limits,
        cell_timeout=config.get("cell_timeout"),
        secrets=to_code(secrets, template),
    )
    timer = _start_timer(config.get("timeout"), stop)
    try:
        papermill_engines.execute_notebook_with_engine(
            ENGINE,
            notebook,
            kernel_name=request.name,
            recorder=recorder,
            kernel=kernel,
            prelude=template["prelude"],
            runner_log=request.log,
            config=config,
        )
    finally:
        if timer is not None:
            timer.cancel()
        recorder.close()
    if recorder.failure is not None:
        raise RunFailedError(recorder.failure)


def _parameterise(folder: Path, description: RunDescription) -> NotebookNode:
    """Return the template with the values of the run."""
    template, values = description["template"], _locate(folder, description, description["values"])
    notebook = read_stored((folder / TEMPLATE).read_bytes())
    if (name := select_kernel(template, description["config"])) != template["kernelName"]:
        spec = find_kernelspec(name)
        kernel = {"name": name, "display_name": spec.display_name or name, "language": spec.language}
        notebook.metadata["kernelspec"] = nbformat.from_dict(kernel)
    notebook = _inject(notebook, template, values)
    notebook.metadata.papermill["input_path"] = template["name"]
    notebook.metadata.papermill["output_path"] = OUTPUT
    if (folder / ENVIRONMENT).exists():
        environment = json.loads((folder / ENVIRONMENT).read_text("utf-8"))
        notebook.metadata["runwidgets"] = nbformat.from_dict({"environment": environment})
    unmarked: NotebookNode = remove_error_markers(notebook)
    return unmarked


def _inject(
    notebook: NotebookNode, template: RunnerTemplate, values: Mapping[str, JsonValue]
) -> NotebookNode:
    """Return a notebook with values injected by papermill after the first parameters cell, or as it does.

    The values of a further parameters cell follow that cell, which would overwrite them otherwise. They
    supersede those of earlier runs; papermill by itself replaces one cell of those at most.
    """
    first, *later = split_values(template, values)
    if values:
        remove_injected(notebook, keeps_first=bool(first))
    if first:
        notebook = parameterize_notebook(
            notebook,
            plain_values(template, first),
            kernel_name=template["kernelName"],
            language=template["language"],
            engine_name=ENGINE,
        )
        injected = next(cell for cell in notebook.cells if is_injected(cell))
        injected.source = append_constructions(injected.source, template["constructions"], first)
    for cell_id, own in zip(template["injections"], later, strict=True):
        if own:
            metadata = nbformat.from_dict({"tags": [INJECTED_TAG], "papermill": {}})
            cell = nbformat.v4.new_code_cell(injected_code(template, own), metadata=metadata)
            at = next(at for at, each in enumerate(notebook.cells) if each.id == cell_id)
            notebook.cells.insert(at + 1, cell)
    if values:
        notebook.metadata.papermill["parameters"] = nbformat.from_dict(dict(values))
    return notebook


def read_stored(content: bytes) -> NotebookNode:
    """Parse a stored notebook like papermill's ``load_notebook_node``; it was validated when it was stored.

    Parameters
    ----------
    content : bytes
        The notebook: format 4.5, valid.

    Returns
    -------
    NotebookNode
        With the metadata that papermill fills in.
    """
    notebook: NotebookNode = nbformat.v4.reads(content.decode())
    empty_metadata: dict[str, dict[str, str]] = {
        "default_parameters": {},
        "parameters": {},
        "environment_variables": {},
    }
    notebook.metadata.setdefault(
        "papermill", nbformat.from_dict({**empty_metadata, "version": papermill_version})
    )
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
        cell.metadata.setdefault("papermill", nbformat.NotebookNode())
    return notebook


def _start_timer(limit: float | None, stop: Stop) -> threading.Timer | None:
    if not limit:
        return None
    message = f"the run took longer than its limit of {limit:g} s (timeout)"
    timer = threading.Timer(limit, stop.request, [Outcome.failed(RunReason.TIMEOUT, message)])
    timer.daemon = True
    timer.start()
    return timer


def _end_with(keeper: int, stop: Stop) -> None:
    """Wait until a process has ended, and then end the run."""
    wait_for_end(keeper)
    stop.request(WORKER_LOST)
    kill_descendants()


def _locate(folder: Path, description: RunDescription, values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the values with absolute paths of the run's files, if it works in the notebook's own folder."""
    if description["config"].get("cwd", "run") == "run":
        return values
    located = [name for name in description["located"] if name in values]
    workdir = folder / WORKDIR / description["template"]["place"]
    return {**values, **{name: _absolute(workdir, values[name]) for name in located}}


def _absolute(workdir: Path, value: JsonValue) -> JsonValue:
    """Return the absolute path of a file, or of each of a list of files."""
    if isinstance(value, list):
        return [_absolute(workdir, item) for item in value]
    return str(workdir / value) if isinstance(value, str) else value


def main(arguments: Sequence[str]) -> int:
    """Execute the run in the given folder, with its copies, the descriptor of its lock, and its keeper."""
    folder, copies, lock = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    keeper = int(arguments[3]) if len(arguments) > 3 else None
    os.set_inheritable(lock, False)
    os.umask(0o077)
    return 0 if execute_run(folder, copies, keeper=keeper) is RunState.SUCCESS else 1
