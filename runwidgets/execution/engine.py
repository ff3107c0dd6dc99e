"""Our papermill engine: says what happens as it happens, and stores what is true.

papermill's own engine rewrites the whole notebook twice per cell and marks cells as completed that
never ran. This one writes a snapshot in one step and only so often, caps what is stored, and tells a
`Reporter` about cells, metrics and progress. It is registered with papermill as ``runwidgets``.
"""

import asyncio
import json
import math
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

from runwidgets.execution.journal import JournalWriter
from runwidgets.limits import Limits
from runwidgets.record import METRIC_TYPE, PROGRESS_TYPE
from runwidgets.states import RunState
from runwidgets.store.files import write_atomically

ENGINE = "runwidgets"
SCRAP_TYPE = re.compile(r"application/scrapbook\.scrap\.(json|text)\+json")
"""**Source:** scrapbook 0.5, ``scrapbook/encoders.py``."""
SNAPSHOT_PAUSE = 0.5
"""Seconds between two snapshots, at least."""
SNAPSHOT_SHARE = 20
"""A snapshot that took a second is followed by the next after this many, so they take 5 % of the time."""
PROGRESS_PAUSE = 0.25
"""Seconds between two reports of progress from one template; the last is always written."""
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MASK = "***"


class Stop:
    """Ends an execution before its time: the first reason counts.

    Called from signal handlers and timers. The kernel is interrupted; what lives after the grace
    period is killed.

    Parameters
    ----------
    grace : float
        Seconds between the interrupt and the kill.
    kill : callable
        Kills the kernel and all that it started.
    """

    def __init__(self, grace: float, kill: Callable[[], None]) -> None:
        self._grace = grace
        self._kill = kill
        self._kernel: int | None = None
        self._lock = threading.RLock()
        self.state: RunState | None = None
        self.message = ""

    @property
    def is_requested(self) -> bool:
        """Whether somebody asked."""
        return self.state is not None

    def watch(self, kernel: int | None) -> None:
        """Name the process to interrupt; None when there is none any more."""
        with self._lock:
            self._kernel = kernel
            if self.is_requested:
                self._interrupt()

    def request(self, state: RunState, message: str) -> None:
        """Ask for the end.

        Parameters
        ----------
        state : RunState
            The state that the run then has.
        message : str
            Why.
        """
        with self._lock:
            if self.is_requested:
                return
            self.state, self.message = state, message
            self._interrupt()
            timer = threading.Timer(self._grace, self._kill)
            timer.daemon = True
            timer.start()

    def _interrupt(self) -> None:
        if self._kernel is not None:
            try:
                os.kill(self._kernel, signal.SIGINT)
            except ProcessLookupError:
                self._kernel = None


class Execution:
    """One execution: what the engine is told, and what became of it.

    Parameters
    ----------
    output : Path
        Where the executed notebook goes.
    log : Path
        Where the notebook's prints go.
    journal : JournalWriter
        Told of cells, metrics and progress.
    stop : Stop
        Asked before every cell.
    limits : Limits
        ``outputs`` and ``log`` (bytes), ``start_timeout`` (seconds).
    cell_timeout : float, optional
        Seconds that one cell may take.
    secrets : list of (str, str)
        Value of each secret parameter, masked wherever it is printed, and the code that assigns it.
    """

    def __init__(
        self,
        output: Path,
        log: Path,
        journal: JournalWriter,
        stop: Stop,
        limits: Limits,
        cell_timeout: float | None = None,
        secrets: list[tuple[str, str]] | None = None,
    ) -> None:
        self.output = output
        self.journal = journal
        self.stop = stop
        self.limits = limits
        self.cell_timeout = cell_timeout
        self.secrets = secrets or []
        self.messages: list[str] = []
        self.cell = 0
        self.cells = 0
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._log_left = limits.log
        self._outputs_left = limits.outputs
        self._next_snapshot = 0.0
        self._next_report = 0.0
        self._report: dict[str, Any] | None = None

    def print(self, text: str) -> None:
        """Append to the log, as long as it has room."""
        content = text.encode("utf-8", "backslashreplace")
        if len(content) > self._log_left > 0:
            content = content[: self._log_left] + b"\n[log cut here: it is full]\n"
            self._log_left = 0
        elif self._log_left:
            self._log_left -= len(content)
        else:
            return
        os.write(self._log, content)

    def take(self, size: int) -> int:
        """Return how many bytes of an output may still be stored, at most `size`."""
        granted = min(size, self._outputs_left)
        self._outputs_left -= granted
        return granted

    def mask(self, text: str) -> str:
        """Return a text without secrets."""
        for value, _ in self.secrets:
            if value:
                text = text.replace(value, MASK)
        return text

    def report(self, fraction: float, text: str) -> None:
        """Write progress to the journal, at most four times a second and always the last."""
        self._report = {"fraction": fraction, "text": text}
        if time.monotonic() >= self._next_report:
            self.flush_report()

    def flush_report(self) -> None:
        """Write the progress that still waits."""
        if self._report is not None:
            self.journal.write("progress", **self._report)
            self._report = None
            self._next_report = time.monotonic() + PROGRESS_PAUSE

    def wait_for_snapshot(self) -> float:
        """Return the seconds until a snapshot is due."""
        return self._next_snapshot - time.monotonic()

    def snapshot(self, notebook: NotebookNode) -> None:
        """Replace the stored notebook by what it is now."""
        began = time.monotonic()
        write_atomically(self.output, serialise(notebook))
        ended = time.monotonic()
        self._next_snapshot = ended + max(SNAPSHOT_PAUSE, SNAPSHOT_SHARE * (ended - began))

    def close(self) -> None:
        """Close the log."""
        self.flush_report()
        os.close(self._log)


def serialise(notebook: NotebookNode) -> bytes:
    """Return a notebook as strict JSON: no NaN, no lone surrogates.

    Parameters
    ----------
    notebook : NotebookNode
        Any notebook of format 4.

    Returns
    -------
    bytes
        UTF-8.
    """
    try:
        text: str = nbformat.writes(notebook, allow_nan=False)
    except ValueError:
        text = nbformat.writes(nbformat.from_dict(_strict(notebook)), allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def _strict(value: Any) -> Any:
    """Return a copy in which NaN and infinity are text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return value


class _Client(PapermillNotebookClient):
    """papermill's client, which tells an `Execution` what it sees."""

    def __init__(self, nb_man: NotebookExecutionManager, execution: Execution, **options: Any) -> None:
        super().__init__(nb_man, raise_on_iopub_timeout=False, **options)
        self.execution = execution
        self._stream: NotebookNode | None = None
        self._parts: list[str] = []
        self._later: asyncio.TimerHandle | None = None

    def execute(self, **options: Any) -> NotebookNode:
        """Start the kernel, execute the cells and end it; ask a dead kernel nothing more."""
        self.reset_execution_trackers()
        with self.setup_kernel(**options):
            self.papermill_execute_cells()
            if not self.execution.messages and not self.execution.stop.is_requested:
                reply = self.wait_for_reply(self.kc.kernel_info())
                self.nb.metadata["language_info"] = reply["content"]["language_info"]
                self.set_widgets_metadata()
        executed: NotebookNode = self.nb
        return executed

    def papermill_execute_cells(self) -> None:
        """Execute the cells until one fails or somebody asks to stop."""
        execution = self.execution
        assert self.km is not None
        kernel = self.km.provisioner.pid
        execution.journal.write("kernel", pid=kernel)
        execution.stop.watch(kernel)
        code = {
            index
            for index, cell in enumerate(self.nb.cells)
            if cell.cell_type == "code" and cell.source.strip()
        }
        execution.cells = len(code)
        assign = _after_parameters(self.nb.cells) if execution.secrets else None
        if assign == -1:
            self._assign_secrets()
        for index, cell in enumerate(self.nb.cells):
            if execution.stop.is_requested:
                break
            if index in code:
                execution.cell += 1
                first = next(line for line in cell.source.splitlines() if line.strip())
                execution.flush_report()
                execution.journal.write(
                    "cell", cell=execution.cell, cells=execution.cells, source=first.strip()[:200]
                )
            if not self._execute(cell, index):
                break
            if index == assign:
                self._assign_secrets()
        execution.stop.watch(None)

    def _execute(self, cell: NotebookNode, index: int) -> bool:
        """Execute one cell; return whether the next may follow."""
        execution = self.execution
        limit = execution.cell_timeout
        timer = threading.Timer(limit or 0, self._time_out, [limit, execution.cell])
        timer.daemon = True
        self.nb_man.cell_start(cell, index)
        if cell.cell_type == "code":
            cell.metadata["runwidgets"] = {"status": "running"}
        if limit:
            timer.start()
        try:
            self.execute_cell(cell, index)
        except CellExecutionError as error:
            self.nb_man.cell_exception(cell, cell_index=index, exception=error)
            sentence = execution.mask(f"cell {execution.cell} raised {error.ename}: {error.evalue}")
            execution.messages = [sentence, execution.mask(_traceback(cell))]
            return False
        except DeadKernelError:
            self.nb_man.cell_exception(cell, cell_index=index)
            execution.messages = [f"cell {execution.cell}: {self._last_words()}"]
            return False
        except CellTimeoutError as error:
            self.nb_man.cell_exception(cell, cell_index=index)
            execution.messages = [f"cell {execution.cell}: {error}"]
            return False
        else:
            if cell.cell_type == "code":
                cell.metadata["runwidgets"] = {"status": "ok"}
            return True
        finally:
            timer.cancel()
            self._end_stream()
            if cell.cell_type == "code" and cell.metadata["runwidgets"]["status"] == "running":
                cell.metadata["runwidgets"] = {"status": "error"}
            self.nb_man.cell_complete(cell, cell_index=index)
            if execution.wait_for_snapshot() <= 0:
                execution.snapshot(self.nb)

    def _time_out(self, limit: float, number: int) -> None:
        self.execution.stop.request(
            RunState.ERROR, f"cell {number} took longer than its limit of {limit:g} s (cell_timeout)"
        )

    def _last_words(self) -> str:
        """Say how the kernel died."""
        assert self.km is not None
        process = getattr(self.km.provisioner, "process", None)
        code = process.poll() if process else None
        if code is None:
            return "the kernel died"
        if code < 0:
            name = signal.Signals(-code).name
            memory = " (out of memory?)" if name == "SIGKILL" else ""
            return f"the kernel was killed by {name}{memory}"
        return f"the kernel exited with code {code}"

    def _assign_secrets(self) -> None:
        """Set the secret parameters, outside every cell and history."""
        assert self.kc is not None
        for _, code in self.execution.secrets:
            self.wait_for_reply(self.kc.execute(code, silent=True, store_history=False))

    def process_message(self, *arguments: Any, **options: Any) -> NotebookNode | None:
        """Take a message, and see that a snapshot follows."""
        output: NotebookNode | None = super().process_message(*arguments, **options)
        wait = self.execution.wait_for_snapshot()
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(max(wait, 0.05), self._snapshot)
        return output

    def _snapshot(self) -> None:
        self._later = None
        self._end_stream()
        self.execution.flush_report()
        self.execution.snapshot(self.nb)

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Store an output as far as there is room; streams also go to the log."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            content["text"] = self.execution.mask(content["text"])
            self.execution.print(content["text"])
            if self._extend(outs, content):
                return None
        elif "data" in content:
            self._read(content["data"], content.get("metadata", {}))
        self._end_stream()
        content = self._cap(content)
        out: NotebookNode | None = super().output(outs, {**msg, "content": content}, display_id, cell_index)
        if out is not None and out.output_type == "stream" and outs and outs[-1] is out:
            self._stream, self._parts = out, [out.text]
        return out

    def _extend(self, outs: list[NotebookNode], content: dict[str, Any]) -> bool:
        """Add text to the stream output that is already the last, if it is."""
        last = self._stream
        if last is None or not outs or outs[-1] is not last or last.name != content["name"]:
            return False
        if self.clear_before_next_output or any(self.output_hook_stack.values()):
            return False
        text = content["text"]
        granted = self.execution.take(len(text))
        if granted == len(text):
            self._parts.append(text)
        elif self._parts[-1] != _CUT:
            self._parts.extend([text[:granted], _CUT])
        return True

    def _end_stream(self) -> None:
        """Join the pieces of the last stream; done once per stream, not once per piece."""
        if self._stream is not None and len(self._parts) > 1:
            self._stream["text"] = "".join(self._parts)
        self._stream, self._parts = None, []

    def _cap(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return a message's content, cut where the run's outputs are full."""
        if "text" in content:
            text = content["text"]
            granted = self.execution.take(len(text))
            return content if granted == len(text) else {**content, "text": text[:granted] + _CUT}
        if "data" not in content:
            return content
        size = len(json.dumps(content["data"], default=str))
        if self.execution.take(size) == size:
            masked = json.dumps(content["data"]) if self.execution.secrets else ""
            return {**content, "data": json.loads(self.execution.mask(masked))} if masked else content
        return {**content, "data": {"text/plain": _CUT.strip()}, "metadata": {}}

    def _read(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Take metrics and progress out of a display."""
        journal = self.execution.journal
        if METRIC_TYPE in data:
            self.execution.journal.write("metric", **data[METRIC_TYPE])
        if PROGRESS_TYPE in data:
            self.execution.report(data[PROGRESS_TYPE]["fraction"], data[PROGRESS_TYPE]["text"])
        for mime_type, value in data.items():
            if SCRAP_TYPE.fullmatch(mime_type) and metadata.get("scrapbook", {}).get("data"):
                journal.write("metric", name=value["name"], value=_strict(value["data"]))


_CUT = "\n[output cut here: the run's outputs are full; the log has more]\n"


class RunwidgetsEngine(Engine):
    """Executes a notebook for papermill with an `Execution`."""

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, execution: Execution, **options: Any
    ) -> NotebookNode:
        """Execute a notebook.

        Parameters
        ----------
        nb : NotebookNode
            The parameterised notebook; changed in place.
        kernel_name : str
            The kernelspec.
        execution : Execution
            What to obey and whom to tell; its `messages` say what failed.
        **options
            For the client: ``km`` and what `start_kernel` takes.

        Returns
        -------
        NotebookNode
            The executed notebook; ``metadata.runwidgets.status`` of each code cell is ``ok``,
            ``error`` or ``not run``.
        """
        manager = NotebookExecutionManager(nb, output_path=None, progress_bar=False)
        manager.notebook_start()
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.metadata["runwidgets"] = {"status": "not run"}
        execution.snapshot(nb)
        try:
            cls.execute_managed_notebook(manager, kernel_name, execution=execution, **options)
        finally:
            statuses = [dict(cell.metadata.papermill) for cell in nb.cells]
            manager.notebook_complete()
            for cell, status in zip(nb.cells, statuses, strict=True):
                cell.metadata["papermill"] = status
            execution.snapshot(nb)
        return nb

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any
    ) -> NotebookNode:
        """Execute with our client; called by `execute_notebook`."""
        execution, km, start = options["execution"], options["km"], options["start"]
        client = _Client(
            nb_man,
            execution,
            km=km,
            kernel_name=kernel_name,
            startup_timeout=max(1, round(execution.limits.start_timeout)),
        )
        executed: NotebookNode = client.execute(cleanup_kc=True, **start)
        return executed


def _after_parameters(cells: list[NotebookNode]) -> int:
    """Return the index of the cell after which secrets are set; -1: before the first."""
    tagged = {
        tag: index
        for index, cell in reversed(list(enumerate(cells)))
        for tag in cell.metadata.get("tags", [])
    }
    return tagged.get("injected-parameters", tagged.get("parameters", -1))


def _traceback(cell: NotebookNode) -> str:
    lines = [line for out in cell.outputs if out.output_type == "error" for line in out.traceback]
    return ANSI.sub("", "\n".join(lines))[-64 * 1024 :]


papermill_engines.register(ENGINE, RunwidgetsEngine)
