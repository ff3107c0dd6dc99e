"""The papermill engine of runwidgets, which reports events at once and stores only what is true.

papermill's own engine rewrites the whole notebook twice per cell and marks cells as finished that were never
executed. This one writes a snapshot atomically and at a limited rate, limits what is stored, and informs a
`Recorder` about cells, metrics and progress. It is registered with papermill as ``runwidgets``.
"""

import asyncio
import json
import logging
import math
import re
import threading
import time
from typing import Any

from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

from runwidgets.execution.kernels.kernel import Kernel
from runwidgets.execution.run_outcome import Outcome, reason_of
from runwidgets.execution.runner.recorder import Recorder, strict
from runwidgets.failpoints import reach
from runwidgets.record import METRIC_TYPE, PROGRESS_TYPE
from runwidgets.schema import RunReason

ENGINE = "runwidgets"
SCRAP_TYPE = re.compile(r"application/scrapbook\.scrap\.(json|text)\+json")
"""**Source:** scrapbook 0.5, ``scrapbook/encoders.py``."""


log = logging.getLogger(__name__)


class _Manager(NotebookExecutionManager):
    """papermill's manager of cell metadata, without parsing of dates and without trust in the wall clock."""

    def cell_start(self, cell: NotebookNode, cell_index: int | None = None, **options: Any) -> None:
        """Record the start of a cell."""
        super().cell_start(cell, cell_index, **options)
        self._began = time.monotonic()

    def cell_complete(self, cell: NotebookNode, cell_index: int | None = None, **options: Any) -> None:
        """Record the end of a cell, and its duration."""
        metadata = cell.metadata.papermill
        began, metadata["start_time"] = metadata["start_time"], None
        super().cell_complete(cell, cell_index, **options)
        metadata["start_time"], metadata["duration"] = began, time.monotonic() - self._began


class _Client(PapermillNotebookClient):
    """papermill's client, which informs a `Recorder`."""

    def __init__(self, nb_man: NotebookExecutionManager, recorder: Recorder, kernel: Kernel) -> None:
        super().__init__(nb_man, raise_on_iopub_timeout=False, log=log)
        self.recorder = recorder
        self.kernel = kernel
        self._stream: NotebookNode | None = None
        self._chunks: list[str] = []
        self._snapshot_timer: asyncio.TimerHandle | None = None
        self._sizes: dict[str, int] = {}

    def execute(self, **options: Any) -> NotebookNode:
        """Execute the cells on the kernel and end it; send nothing more to a dead kernel."""
        self.reset_execution_trackers()
        asyncio.run(self._run())
        executed: NotebookNode = self.nb
        return executed

    async def _run(self) -> None:
        recorder, stop = self.recorder, self.recorder.stop
        try:
            try:
                self.kc = await self.kernel.connect(recorder.limits.start_timeout)
            except (RuntimeError, OSError) as error:
                recorder.failure = _not_started(error)
                return
            recorder.write("kernel", pid=self.kernel.pid, way=self.kernel.way)
            stop.watch(self.kernel.pid)
            reach("kernel up")
            await self._execute_cells()
            stop.watch(None)
            if recorder.failure is None and not stop.is_requested:
                reply = await self.async_wait_for_reply(self.kc.kernel_info())
                if reply is not None:
                    self.nb.metadata["language_info"] = reply["content"]["language_info"]
                self.set_widgets_metadata()
        except DeadKernelError:  # between two cells, or after the last one: no messages are read
            await self.kernel.end()
            recorder.failure = Outcome.failed(self.kernel.reason, self.kernel.exit_message())
        finally:
            await self.kernel.shut_down()

    async def _execute_cells(self) -> None:
        """Execute the cells until one fails or a stop is requested."""
        recorder = self.recorder
        code_indices = {
            index for index, cell in enumerate(self.nb.cells) if self._is_code(cell) and cell.source.strip()
        }
        recorder.cells = len(code_indices)
        secrets_index = _after_parameters(self.nb.cells) if recorder.secrets else None
        if secrets_index == -1:
            await self._assign_secrets()
        for index, cell in enumerate(self.nb.cells):
            if recorder.stop.is_requested:
                break
            if index in code_indices:
                recorder.cell += 1
                first = next(line for line in cell.source.splitlines() if line.strip())
                recorder.flush_report()
                recorder.write("cell", cell=recorder.cell, cells=recorder.cells, source=first.strip()[:200])
            if not await self._execute(cell, index):
                break
            if index == secrets_index:
                await self._assign_secrets()

    async def _async_poll_kernel_alive(self) -> None:
        """Wait for the kernel's end, instead of checking every second."""
        await self.kernel.wait()
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    async def _async_check_alive(self) -> None:
        if self.kernel.has_ended:
            raise DeadKernelError("Kernel died")

    async def _execute(self, cell: NotebookNode, index: int) -> bool:
        """Execute one cell, and return whether the next one may follow."""
        recorder = self.recorder
        limit = recorder.cell_timeout
        timer = threading.Timer(limit or 0, self._time_out, [limit, recorder.cell])
        timer.daemon = True
        self.nb_man.cell_start(cell, index)
        is_code = self._is_code(cell)
        if is_code:
            cell.metadata["runwidgets"] = {"status": "running"}
        if limit:
            timer.start()
        try:
            await self.async_execute_cell(cell, index)
        except CellExecutionError as error:
            self.nb_man.cell_exception(cell, cell_index=index, exception=error)
            sentence = recorder.mask(f"cell {recorder.cell} raised {error.ename}: {error.evalue}")
            traceback = recorder.mask(_traceback(cell))
            recorder.failure = Outcome.failed(RunReason.CELL_ERROR, sentence, traceback)
            return False
        except DeadKernelError:
            await self.kernel.end()
            self.nb_man.cell_exception(cell, cell_index=index)
            message = f"cell {recorder.cell}: {self.kernel.exit_message()}"
            recorder.failure = Outcome.failed(self.kernel.reason, message)
            return False
        else:
            if is_code:
                cell.metadata["runwidgets"] = {"status": "ok"}
            return True
        finally:
            timer.cancel()
            self._end_stream()
            if is_code and cell.metadata["runwidgets"]["status"] == "running":
                cell.metadata["runwidgets"] = {"status": "error"}
            self.nb_man.cell_complete(cell, cell_index=index)
            if recorder.wait_for_snapshot() <= 0:
                self._save()

    def _is_code(self, cell: NotebookNode) -> bool:
        """Return whether a cell is executed: a code cell without the tag that skips it."""
        return cell.cell_type == "code" and self.skip_cells_with_tag not in cell.metadata.get("tags", [])

    def _time_out(self, limit: float, number: int) -> None:
        message = f"cell {number} took longer than its limit of {limit:g} s (cell_timeout)"
        self.recorder.stop.request(Outcome.failed(RunReason.TIMEOUT, message))

    async def _assign_secrets(self) -> None:
        """Assign the secret parameters, outside every cell and history."""
        assert self.kc is not None
        for _, code in self.recorder.secrets:
            await self.async_wait_for_reply(self.kc.execute(code, silent=True, store_history=False))

    def process_message(
        self, message: dict[str, Any], *arguments: Any, **options: Any
    ) -> NotebookNode | None:
        """Handle a message without the secrets in it, and schedule a snapshot."""
        if self.recorder.secrets:
            message["content"] = self.recorder.mask(message["content"])
        if message["msg_type"] == "update_display_data":
            self._read_display(message["content"].get("data", {}), message["content"].get("metadata", {}))
            message["content"] = self._truncate(message["content"])
        output: NotebookNode | None = super().process_message(message, *arguments, **options)
        wait = self.recorder.wait_for_snapshot()
        if self._snapshot_timer is None:
            self._snapshot_timer = asyncio.get_running_loop().call_later(max(wait, 0.05), self._snapshot)
        return output

    def _snapshot(self) -> None:
        self._snapshot_timer = None
        self._end_stream()
        self.recorder.flush_report()
        self._save()

    def _save(self) -> None:
        self.recorder.snapshot(self.nb)
        reach("cell saved")

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Store an output within the limit; streams also go to the log."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            self.recorder.print(content["text"])
            if self._extend(outs, content):
                return None
        elif "data" in content:
            self._read_display(content["data"], content.get("metadata", {}))
        self._end_stream()
        content = self._truncate(content)
        out: NotebookNode | None = super().output(outs, {**msg, "content": content}, display_id, cell_index)
        if out is not None and out.output_type == "stream" and outs and outs[-1] is out:
            self._stream, self._chunks = out, [out.text]
        return out

    def _extend(self, outs: list[NotebookNode], content: dict[str, Any]) -> bool:
        """Append text to the last output, if that is the same stream."""
        last = self._stream
        if last is None or not outs or outs[-1] is not last or last.name != content["name"]:
            return False
        if self.clear_before_next_output or any(self.output_hook_stack.values()):
            return False
        text = content["text"]
        granted = self.recorder.reserve_output(len(text))
        if granted == len(text):
            self._chunks.append(text)
        elif self._chunks[-1] != _CUT:
            self._chunks.extend([text[:granted], _CUT])
        return True

    def _end_stream(self) -> None:
        """Join the chunks of the last stream; done once per stream, not once per chunk."""
        if self._stream is not None and len(self._chunks) > 1:
            self._stream["text"] = "".join(self._chunks)
        self._stream, self._chunks = None, []

    def _truncate(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content of a message, truncated at the limit of the run's outputs."""
        if "text" in content:
            text = content["text"]
            granted = self.recorder.reserve_output(len(text))
            return content if granted == len(text) else {**content, "text": text[:granted] + _CUT}
        if "data" not in content:
            return content
        display = content.get("transient", {}).get("display_id")
        size, before = len(json.dumps(content["data"], default=str)), self._sizes.get(display, 0)
        if display is not None:  # an update replaces the previous output
            self._sizes[display] = max(size, before)
        grown = max(0, size - before)
        if self.recorder.reserve_output(grown) == grown:
            return content
        return {**content, "data": {"text/plain": _CUT.strip()}, "metadata": {}}

    def _read_display(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Extract metrics and progress from a display."""
        match data.get(METRIC_TYPE):
            case {"name": str(name), "value": value, "step": int() | float() as step} if math.isfinite(step):
                self.recorder.write("metric", name=name, value=strict(value), step=step)
            case {"name": str(name), "value": value}:
                self.recorder.write("metric", name=name, value=strict(value))
        match data.get(PROGRESS_TYPE):
            case {"fraction": int() | float() as fraction, "text": str(text)} if 0 <= fraction <= 1:
                self.recorder.report(fraction, text)
        for mime_type, value in data.items():
            if SCRAP_TYPE.fullmatch(mime_type) and metadata.get("scrapbook", {}).get("data"):
                self.recorder.write("metric", name=value["name"], value=strict(value["data"]))


_CUT = "\n[output cut here: the run's outputs are full; the log has more]\n"


class RunwidgetsEngine(Engine):
    """Executes a notebook for papermill with a `Recorder`."""

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, recorder: Recorder, **options: Any
    ) -> NotebookNode:
        """Execute a notebook.

        Parameters
        ----------
        nb : NotebookNode
            The parameterised notebook; changed in place.
        kernel_name : str
            The kernelspec.
        recorder : Recorder
            Provides the limits and receives reports; its `failure` tells what failed.
        **options
            ``kernel``, the `Kernel` to execute on.

        Returns
        -------
        NotebookNode
            The executed notebook; ``metadata.runwidgets.status`` of each code cell is ``ok``,
            ``error`` or ``not run``.
        """
        manager = _Manager(nb, output_path=None, progress_bar=False)
        manager.notebook_start()
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.metadata["runwidgets"] = {"status": "not run"}
        recorder.snapshot(nb)
        try:
            cls.execute_managed_notebook(manager, kernel_name, recorder=recorder, **options)
        finally:
            statuses = [dict(cell.metadata.papermill) for cell in nb.cells]
            manager.notebook_complete()
            for cell, status in zip(nb.cells, statuses, strict=True):
                cell.metadata["papermill"] = status
            recorder.snapshot(nb, is_last=True)
        return nb

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any
    ) -> NotebookNode:
        """Execute with our client; called by `execute_notebook`."""
        executed: NotebookNode = _Client(nb_man, options["recorder"], options["kernel"]).execute()
        return executed


def _not_started(error: RuntimeError | OSError) -> Outcome:
    """Return the outcome of a run whose kernel did not start."""
    reason = RunReason.KERNEL_NOT_STARTED
    if isinstance(error, OSError) and reason_of(error) is RunReason.STORAGE_FULL:
        reason = RunReason.STORAGE_FULL
    problem = error.strerror if isinstance(error, OSError) else error
    return Outcome.failed(reason, f"the kernel did not start: {problem}")


def _after_parameters(cells: list[NotebookNode]) -> int:
    """Return the index of the cell after which secrets are assigned; -1 for before the first."""
    tagged = {
        tag: index
        for index, cell in reversed(list(enumerate(cells)))
        for tag in cell.metadata.get("tags", [])
    }
    return tagged.get("injected-parameters", tagged.get("parameters", -1))


def _traceback(cell: NotebookNode) -> str:
    from wcwidth import strip_sequences  # most runs do not need it

    lines = [line for out in cell.outputs if out.output_type == "error" for line in out.traceback]
    return strip_sequences("\n".join(lines))[-64 * 1024 :]


papermill_engines.register(ENGINE, RunwidgetsEngine)
