"""The papermill engine of runwidgets, which reports events at once and stores only what is true.

papermill's own engine rewrites the whole notebook twice per cell and marks cells as finished that were never
executed. This one writes a snapshot atomically and at a limited rate, limits what is stored, and informs a
`Recorder` about cells, metrics and progress. It is registered with papermill as ``runwidgets``.
"""

import asyncio
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat.v4
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

from runwidgets.errors import describe, describe_cell_error
from runwidgets.execution.kernels.exits import Exits
from runwidgets.execution.kernels.kernel import KernelStartError
from runwidgets.execution.kernels.runner_log import limit_log
from runwidgets.execution.run_outcome import Outcome, RunFailedError, reason_of
from runwidgets.execution.runner.cell_outputs import last_line_of, traceback_of
from runwidgets.execution.runner.outputs import LostReplyError, OutputClient
from runwidgets.execution.runner.recorder import Recorder
from runwidgets.failpoints import reach
from runwidgets.schema import RunConfig, RunReason
from runwidgets.templates.cells.cell_tags import SKIP_TAG, why_left_out

ENGINE = "runwidgets"
SUCCESSFUL_EXITS = {"", "0", "None", "False"}
"""Texts of a ``SystemExit`` with which an interpreter exits with code 0."""
RAISES_TAG = "raises-exception"
"""Tag of a cell that may raise. **Source:** nbclient."""
LANGUAGE_TIMEOUT = 10.0
"""Seconds within which a kernel must describe its language after the last cell."""


class AbortedError(RunFailedError):
    """The kernel replied that it did not execute a cell."""


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


class _Client(OutputClient):
    """papermill's client, which informs a `Recorder` about cells."""

    _is_leaving = False
    """Whether a cell asked the kernel to end, which is then no longer of use."""
    _exits: Exits
    """Finds the cell that ends the run, once the kernel has started."""
    prelude = ""
    """Lines of code that are executed before the first cell, unseen."""
    runner_log: Path
    """The file into which the kernel writes what is no output."""

    def execute(self, **options: Any) -> NotebookNode:
        """Execute the cells on the kernel and end it; send nothing more to a dead kernel."""
        self.reset_execution_trackers()
        asyncio.run(self._run())
        executed: NotebookNode = self.nb
        return executed

    async def _run(self) -> None:
        listener: asyncio.Task[None] | None = None
        limiter = asyncio.create_task(limit_log(self.runner_log))
        try:
            if await self._connect():
                try:
                    await self._execute_notebook()
                finally:
                    listener = asyncio.create_task(self.listen())
        finally:
            await self.kernel.shut_down()
            if listener is not None:
                listener.cancel()
            limiter.cancel()
            await asyncio.wait({limiter})

    async def _connect(self) -> bool:
        """Start the kernel; return False if it does not start."""
        recorder = self.recorder
        try:
            self.kc = await self._start_kernel(recorder.limits.start_timeout)
        except (KernelStartError, OSError) as error:
            recorder.failure = self._not_started(error)
            return False
        recorder.write("kernel", pid=self.kernel.pid, way=self.kernel.way)
        recorder.stop.watch(self.kernel.pid)
        self._exits = Exits(self.kernel)
        reach("kernel up")
        return True

    async def _start_kernel(self, limit: float) -> Any:
        """Start the kernel, or another in its place, and return its client."""
        began = time.monotonic()
        while True:
            try:
                return await self.kernel.connect(limit, time.monotonic() - began)
            except KernelStartError:
                if self.kernel.start_again is None or self.recorder.stop.is_requested:
                    raise
            await self.kernel.shut_down()
            self.kernel = self.kernel.start_again()

    def _not_started(self, error: KernelStartError | OSError) -> Outcome:
        """Return the outcome of a run whose kernel did not start."""
        reason = RunReason.KERNEL_NOT_STARTED
        if isinstance(error, OSError) and reason_of(error) is RunReason.STORAGE_FULL:
            reason = RunReason.STORAGE_FULL
        problem = error.strerror or describe(error) if isinstance(error, OSError) else str(error)
        return Outcome.failed(reason, self.recorder.mask(f"the kernel did not start: {problem}"))

    async def _execute_notebook(self) -> None:
        """Execute the cells, and store what the kernel tells about itself and its widgets."""
        recorder = self.recorder
        refusal = asyncio.create_task(self._refuse_input())
        try:
            await self._execute_cells()
            recorder.stop.watch(None)
            if recorder.failure is None and not recorder.stop.is_requested:
                if not self._is_leaving:
                    await self._describe_language()
                self.set_widgets_metadata()
        except DeadKernelError:  # between two cells, or after the last one
            await self.kernel.end()
            recorder.failure = Outcome.failed(self.kernel.reason, self.kernel.exit_message())
        finally:
            refusal.cancel()

    async def _refuse_input(self) -> None:
        """End the run if a cell waits for input."""
        await self.kernel.wait_for_input()
        number = self.recorder.cell
        message = f"cell {number} waits for input, which a run does not have; use a parameter instead"
        self.recorder.stop.request(Outcome.failed(RunReason.CELL_ERROR, message))

    async def _describe_language(self) -> None:
        """Store the language of the kernel, unless a task of the notebook keeps it from replying."""
        assert self.kc is not None
        with suppress(asyncio.TimeoutError):
            reply = await asyncio.wait_for(self.async_wait_for_reply(self.kc.kernel_info()), LANGUAGE_TIMEOUT)
            match reply:
                case {"content": {"language_info": {"name": str()} as language}}:
                    self.nb.metadata["language_info"] = language

    async def _execute_cells(self) -> None:
        """Execute the cells until one fails or ends the run, or a stop is requested."""
        recorder = self.recorder
        if self._exits.preparation:
            await self._execute_unseen(self._exits.preparation)
        for line in self.prelude.splitlines():  # each by itself: a module may not be installed
            await self._execute_unseen(line)
        secrets_index = _after_parameters(self.nb.cells) if recorder.secrets else None
        if secrets_index == -1:
            await self._assign_secrets()
        for index, cell in enumerate(self.nb.cells):
            if recorder.is_over:
                break
            if "number" in cell.metadata.get("runwidgets", {}):
                recorder.cell = cell.metadata.runwidgets.number
                first = next(line for line in cell.source.splitlines() if line.strip())
                recorder.flush_report()
                recorder.write("cell", cell=recorder.cell, cells=recorder.cells, source=first.strip()[:200])
            if "leftOut" not in cell.metadata.get("runwidgets", {}):
                await self._execute(cell, index)
            if index == secrets_index and not recorder.is_over:
                await self._assign_secrets()

    async def _execute(self, cell: NotebookNode, index: int) -> None:
        """Execute one cell, and record how it ended."""
        recorder = self.recorder
        limit = recorder.cell_timeout
        timer = threading.Timer(limit or 0, self._time_out, [limit, recorder.cell])
        timer.daemon = True
        self.nb_man.cell_start(cell, index)
        metadata, status = cell.metadata.get("runwidgets", {}), "error"
        if is_executed(cell):
            metadata["status"] = "running"
        if limit:
            timer.start()
        try:
            await self._execute_once(cell, index)
            status = "ok"
        except CellExecutionError as error:
            self.nb_man.cell_exception(cell, cell_index=index, exception=error)
            if error.ename == "SystemExit" and error.evalue in SUCCESSFUL_EXITS:
                status = "ok"
                recorder.end_early()
            elif self.allow_errors and error.ename != "SystemExit" and not recorder.stop.is_requested:
                recorder.write("error", cell=recorder.cell)
            else:
                recorder.failure = self._cell_failure(error, cell)
        except RunFailedError as error:
            self.nb_man.cell_exception(cell, cell_index=index)
            recorder.failure = error.outcome
        except (DeadKernelError, LostReplyError) as error:
            self.nb_man.cell_exception(cell, cell_index=index)
            recorder.failure = await self._kernel_failure(error, cell)
        finally:
            timer.cancel()
            self.end_stream()
            if is_executed(cell):
                metadata["status"] = status
            self.nb_man.cell_complete(cell, cell_index=index)
            if recorder.snapshots.seconds_left() <= 0:
                self.save()

    async def _execute_once(self, cell: NotebookNode, index: int) -> None:
        """Execute a cell; a second request follows if the kernel left out the first one.

        A kernel may leave out what it was sent before it has replied to a cell that failed.
        """
        try:
            await self.async_execute_cell(cell, index)
        except AbortedError:
            await self.async_execute_cell(cell, index)

    def _cell_failure(self, error: CellExecutionError, cell: NotebookNode) -> Outcome:
        """Return the outcome of a run of which a cell raised an exception."""
        failed = describe_cell_error(error.ename, error.evalue)
        if not error.ename.strip() and (printed := last_line_of(cell)):
            failed += f"; it printed last: {printed}"
        sentence = self.recorder.mask(f"cell {self.recorder.cell} {failed}")
        return Outcome.failed(RunReason.CELL_ERROR, sentence, self.recorder.mask(traceback_of(cell)))

    async def _kernel_failure(self, error: Exception, cell: NotebookNode) -> Outcome:
        """Return the outcome of a run whose kernel died, or did not reply, while it executed a cell."""
        if isinstance(error, LostReplyError):
            message = f"cell {self.recorder.cell}: the kernel executed it, but did not reply"
            return Outcome.failed(RunReason.NO_REPLY, message, traceback_of(cell))
        await self.kernel.end()
        message = f"cell {self.recorder.cell}: {self.kernel.exit_message()}"
        return Outcome.failed(self.kernel.reason, message)

    async def _check_raise_for_error(
        self, cell: NotebookNode, cell_index: int, exec_reply: dict[str, Any] | None
    ) -> None:
        """End the run if the cell asked for it, and raise what it raised."""
        if exec_reply is None:
            return
        content = exec_reply["content"]
        if (end := self._exits.find(content)) is not None:
            self._is_leaving = end.program is None
            if end.status != 0:
                raise self._failed(end.describe())
            self.recorder.end_early()
        await super()._check_raise_for_error(cell, cell_index, exec_reply)
        if content["status"] == "error" and not _may_raise(cell):
            raise CellExecutionError.from_cell_and_msg(
                cell, content
            )  # with `allow_errors` nbclient raised nothing
        if content["status"] == "aborted":
            raise AbortedError(self._failed("was left out by the kernel").outcome)
        if content["status"] not in {"ok", "error"}:
            raise self._failed("was interrupted")

    def _failed(self, predicate: str) -> RunFailedError:
        """Return the end of a run whose present cell failed otherwise than by an exception."""
        message = f"cell {self.recorder.cell} {predicate}"
        return RunFailedError(Outcome.failed(RunReason.CELL_ERROR, message))

    def _time_out(self, limit: float, number: int) -> None:
        message = f"cell {number} took longer than its limit of {limit:g} s (cell_timeout)"
        self.recorder.stop.request(Outcome.failed(RunReason.TIMEOUT, message))

    async def _assign_secrets(self) -> None:
        """Assign the secret parameters."""
        for _, code in self.recorder.secrets:
            await self._execute_unseen(code)

    async def _execute_unseen(self, code: str) -> None:
        """Execute code outside every cell and history."""
        assert self.kc is not None
        await self.async_wait_for_reply(self.kc.execute(code, silent=True, store_history=False))


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
            ``kernel``, the `Kernel` to execute on; ``prelude``, code that is executed before the first cell;
            ``config``, that of the run, for the cells that it leaves out and the errors that it allows;
            ``runner_log``, the file into which the kernel writes what is no output.

        Returns
        -------
        NotebookNode
            The executed notebook; ``metadata.runwidgets.status`` of each code cell is ``ok``,
            ``error`` or ``not run``; its ``number`` counts the cells that are executed, from 1; ``leftOut``
            says why a cell is not to be executed.
        """
        manager = _Manager(nb, output_path=None, progress_bar=False)
        manager.notebook_start()
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.metadata["runwidgets"] = {"status": "not run"}
                _leave_out(cell, options["config"])
            if is_executed(cell) and cell.source.strip():
                recorder.cells += 1
                cell.metadata["runwidgets"]["number"] = recorder.cells
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
        client = _Client(nb_man, options["recorder"], options["kernel"])
        client.allow_errors = options["config"].get("allow_errors", False)
        client.prelude = options["prelude"]
        client.runner_log = options["runner_log"]
        executed: NotebookNode = client.execute()
        return executed


def _after_parameters(cells: list[NotebookNode]) -> int:
    """Return the index of the cell after which secrets are assigned; -1 for before the first."""
    tagged = {
        tag: index
        for index, cell in reversed(list(enumerate(cells)))
        for tag in cell.metadata.get("tags", [])
    }
    return tagged.get("injected-parameters", tagged.get("parameters", -1))


def _leave_out(cell: NotebookNode, config: RunConfig) -> None:
    """Mark a code cell that the run leaves out; a cell that its config leaves out shows why as its output."""
    tags = cell.metadata.get("tags", [])
    reason = why_left_out(tags, config)
    if reason is None:
        return
    cell.metadata["runwidgets"]["leftOut"] = reason
    if SKIP_TAG not in tags:  # what this tag does is known from the notebook itself
        cell.outputs = [nbformat.v4.new_output("display_data", {"text/plain": f"left out: {reason}"})]


def is_executed(cell: NotebookNode) -> bool:
    """Return whether a cell is executed: a code cell that is not left out."""
    return cell.cell_type == "code" and "leftOut" not in cell.metadata.get("runwidgets", {})


def _may_raise(cell: NotebookNode) -> bool:
    """Return whether the tags of a cell allow any exception, so that it is not even counted."""
    return RAISES_TAG in cell.metadata.get("tags", [])


papermill_engines.register(ENGINE, RunwidgetsEngine)
