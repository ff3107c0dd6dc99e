"""The output of a run: what a kernel sends becomes outputs of cells, lines of the log, metrics and progress.

A notebook can send any message, so nothing in one is taken for granted: a message that cannot be read is
reported in the log and ignored, whatever is wrong with it.
"""

import asyncio
import json
import logging
import math
import re
from typing import Any

import zmq
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager

from runwidgets.errors import describe
from runwidgets.execution.kernels.kernel import Kernel
from runwidgets.execution.run_outcome import DETAIL_SIZE, omit_middle
from runwidgets.execution.runner.recorder import Recorder
from runwidgets.execution.runner.snapshots import strict
from runwidgets.failpoints import reach
from runwidgets.record import METRIC_SIZE, METRIC_TYPE, NON_FINITE, PROGRESS_TYPE
from runwidgets.templates.texts import text_problem

SCRAP_TYPE = re.compile(r"application/scrapbook\.scrap\.(json|text)\+json")
"""**Source:** scrapbook 0.5, ``scrapbook/encoders.py``."""
REPLY_DELAY = 2.0
"""Seconds after the end of a cell after which a missing reply is asked for."""
NESTING = 100
"""Levels of lists and dicts in one output at most; JSON encoders fail at some ten times as many."""
NAME_SIZE = 255
"""Characters of a metric's name at most."""
TEXT_SIZE = 1_000
"""Characters of a text about the progress at most."""
CUT = "\n[output cut here: the run's outputs are full; the log has more]\n"
OMITTED_OUTPUT = "[output omitted here: it has too many levels of lists and dicts]"

DISPLAY: dict[str, Any] = {"data": dict, "metadata": dict}
FIELDS: dict[str, dict[str, Any]] = {
    "stream": {"name": str, "text": str},
    "display_data": DISPLAY,
    "update_display_data": DISPLAY,
    "execute_result": {**DISPLAY, "execution_count": int | None},
    "execute_input": {"execution_count": int | None},
    "error": {"ename": str, "evalue": str, "traceback": list},
}
"""By type of message: fields from which an output is made. **Source:** ``nbformat.v4.output_from_msg``."""
JSON_MIME_TYPES = re.compile(r"application/(.*\+)?json")
"""MIME types whose data may be any JSON. **Source:** nbformat's schema 4.5, ``mimebundle``."""

log = logging.getLogger(__name__)


class LostReplyError(Exception):
    """The kernel executed a cell and did not reply."""


class OutputClient(PapermillNotebookClient):
    """papermill's client, which passes output to a `Recorder`.

    Parameters
    ----------
    nb_man : NotebookExecutionManager
        papermill's manager with the notebook.
    recorder : Recorder
        Receives log, metrics, progress and snapshots.
    kernel : Kernel
        The kernel.
    """

    def __init__(self, nb_man: NotebookExecutionManager, recorder: Recorder, kernel: Kernel) -> None:
        super().__init__(nb_man, raise_on_iopub_timeout=False, log=log)
        self.recorder = recorder
        self.kernel = kernel
        self._stream: NotebookNode | None = None
        self._chunks: list[str] = []
        self._snapshot_timer: asyncio.TimerHandle | None = None
        self._sizes: dict[str, int] = {}
        self._received = 0
        """Messages about outputs of the cells, which tell whether more may follow."""
        self._has_executed = False
        """Whether a cell has ended; what a kernel says before that is about itself."""

    async def _async_poll_kernel_alive(self) -> None:
        """Wait for the kernel's end, instead of checking every second."""
        await self.kernel.wait()
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    async def _async_check_alive(self) -> None:
        if self.kernel.has_ended:
            raise DeadKernelError("Kernel died")

    async def _async_poll_for_reply(
        self,
        msg_id: str,
        cell: NotebookNode,
        timeout: int | None,
        task_poll_output_msg: asyncio.Future[Any],
        task_poll_kernel_alive: asyncio.Future[Any],
    ) -> dict[str, Any]:
        """Wait for the reply to a cell, and then for the end of its outputs.

        A kernel replies in order. If it is idle and replies to a later request, the reply to the cell is
        lost: its content could not be sent.

        Raises
        ------
        LostReplyError
            The reply is lost.
        """
        assert self.kc is not None
        later = asyncio.ensure_future(self._ask_after(task_poll_output_msg))
        parent = None
        try:
            while parent != msg_id:
                reply = await self._receive(self.kc.shell_channel)
                parent = reply["parent_header"].get("msg_id")
                if later.done() and parent == later.result():
                    raise LostReplyError
            await self._wait_for_outputs(task_poll_output_msg)
            return reply
        finally:
            later.cancel()
            task_poll_kernel_alive.cancel()

    async def _wait_for_outputs(self, outputs: asyncio.Future[Any]) -> None:
        """Wait for the end of a cell's outputs, as long as some arrive, however slowly they are processed."""
        before = -1
        while not outputs.done() and before != self._received:
            before = self._received
            await asyncio.wait({outputs}, timeout=self.iopub_timeout)
        if outputs.done():
            outputs.result()
        else:
            outputs.cancel()
            self.log.warning("runwidgets: the kernel did not say that the outputs of a cell have ended")

    async def _ask_after(self, outputs: asyncio.Future[Any]) -> str:
        """Send a further request some time after the outputs of a cell have ended, and return its id."""
        assert self.kc is not None
        await asyncio.wait({outputs})
        await asyncio.sleep(REPLY_DELAY)
        request: str = self.kc.kernel_info()
        return request

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: NotebookNode, cell_index: int) -> None:
        """Process the output of a cell until the kernel is idle, and what earlier cells print until then."""
        assert self.kc is not None
        while True:
            message = await self._receive(self.kc.iopub_channel)
            try:
                if message["parent_header"].get("msg_id") == parent_msg_id:
                    self._received += 1
                    self.process_message(message, cell, cell_index)
                else:
                    self._take_late(message)
            except CellExecutionComplete:
                self._has_executed = True
                return
            except Exception as error:
                self._ignore(error)

    async def listen(self) -> None:
        """Process what the cells print after the last one has ended, until the task is cancelled."""
        assert self.kc is not None
        while True:
            message = await self._receive(self.kc.iopub_channel)
            try:
                self._take_late(message)
            except Exception as error:
                self._ignore(error)

    async def _receive(self, channel: Any) -> dict[str, Any]:
        """Return the next message of a channel that can be read, without the secrets in it."""
        while True:
            try:
                message: dict[str, Any] = await channel.get_msg(timeout=None)
                if self.recorder.secrets:
                    message["content"] = self.recorder.mask(message["content"])
                check_fields(message)
            except zmq.ZMQError:  # of the channel, not of a message
                raise
            except Exception as error:
                self._ignore(error)
            else:
                return message

    def _take_late(self, message: dict[str, Any]) -> None:
        """Process the output of a thread or task of an earlier cell: it reaches the log, not the notebook."""
        content = message["content"]
        if not self._has_executed:
            return
        if message["msg_type"] == "stream":
            self.recorder.print(content["text"])
        elif message["msg_type"] in {"display_data", "update_display_data"}:
            self._read(content["data"], content["metadata"])

    def _ignore(self, error: Exception) -> None:
        """Report a message that cannot be read."""
        log.warning("runwidgets: a message of the kernel cannot be read", exc_info=error)
        self.recorder.print(f"[an output cannot be read and is omitted: {describe(error):.500}]\n")

    def process_message(
        self, message: dict[str, Any], *arguments: Any, **options: Any
    ) -> NotebookNode | None:
        """Process a message of the current cell, and schedule a snapshot."""
        if message["msg_type"] == "update_display_data":
            self._read(message["content"]["data"], message["content"]["metadata"])
            message["content"] = self._cap(message["content"])
        output: NotebookNode | None = super().process_message(message, *arguments, **options)
        wait = self.recorder.snapshots.seconds_left()
        if self._snapshot_timer is None:
            self._snapshot_timer = asyncio.get_running_loop().call_later(max(wait, 0.05), self._snapshot)
        return output

    def handle_comm_msg(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """Handle a message of a widget, whose state is stored in the notebook; ignore what is not one."""
        match msg["content"]:
            case {"comm_id": str(), "data": dict() as data} if not is_deeply_nested(data):
                super().handle_comm_msg(outs, msg, cell_index)

    def _snapshot(self) -> None:
        self._snapshot_timer = None
        self.end_stream()
        self.recorder.flush_report()
        self.save()

    def save(self) -> None:
        """Store the current state of the notebook."""
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
            self._read(content["data"], content["metadata"])
        self.end_stream()
        content = self._cap(content)
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
        elif self._chunks[-1] != CUT:
            self._chunks.extend([text[:granted], CUT])
        return True

    def end_stream(self) -> None:
        """Join the chunks of the last stream; done once per stream, not once per chunk."""
        if self._stream is not None and len(self._chunks) > 1:
            self._stream["text"] = "".join(self._chunks)
        self._stream, self._chunks = None, []

    def _cap(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content of a message, truncated at the limit of the run's outputs."""
        if "text" in content:
            text = content["text"]
            granted = self.recorder.reserve_output(len(text))
            return content if granted == len(text) else {**content, "text": text[:granted] + CUT}
        if "traceback" in content:
            return self._cap_error(content)
        if "data" not in content:
            return content
        if is_deeply_nested([content["data"], content["metadata"]]):
            return {**content, "data": {"text/plain": OMITTED_OUTPUT}, "metadata": {}}
        display = (content.get("transient") or {}).get("display_id")
        size, before = len(json.dumps(content["data"])), 0
        if display is not None:  # an update replaces the previous output
            before = self._sizes.get(display, 0)
            self._sizes[display] = max(size, before)
        grown = max(0, size - before)
        if self.recorder.reserve_output(grown) == grown:
            return content
        return {**content, "data": {"text/plain": CUT.strip()}, "metadata": {}}

    def _cap_error(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content of an error, shortened if it exceeds the limit of the run's outputs."""
        size = len(content["evalue"]) + sum(map(len, content["traceback"]))
        if self.recorder.reserve_output(size) == size:
            return content
        text = omit_middle("\n".join(content["traceback"]), DETAIL_SIZE)
        return {**content, "evalue": omit_middle(content["evalue"], DETAIL_SIZE), "traceback": [text]}

    def _read(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Extract metrics and progress from a display; what is malformed is not one."""
        match data.get(METRIC_TYPE):
            case {"name": str(name), "value": value, "step": step} if _is_finite(step) and (
                _is_finite(value) or value in NON_FINITE
            ):
                self._record(name, value, step=step)
            case {"name": str(name), "value": value}:
                self._record(name, value)
        match data.get(PROGRESS_TYPE):
            case {"fraction": int() | float() as fraction, "text": str(text)} if 0 <= fraction <= 1:
                self.recorder.report(fraction, omit_middle(text, TEXT_SIZE))
        for mime_type, scrap in data.items():
            match metadata, scrap:
                case {"scrapbook": {"data": True}}, {"name": str(name), "data": value}:
                    if SCRAP_TYPE.fullmatch(mime_type):
                        self._record(name, value)

    def _record(self, name: str, value: Any, **step: float) -> None:
        """Record a metric that can be stored."""
        is_named = 0 < len(name) <= NAME_SIZE and text_problem(name) is None
        if is_named and not is_deeply_nested(value) and len(json.dumps(value)) <= METRIC_SIZE:
            self.recorder.write("metric", name=name, value=strict(value), **step)


def check_fields(message: dict[str, Any]) -> None:
    """Check the fields from which an output is made; data that is not text, but should be, becomes text.

    Parameters
    ----------
    message : dict
        A message of the output channel; changed in place.

    Raises
    ------
    TypeError
        A field is missing, or has a type with which the notebook would be invalid.
    """
    content = message["content"]
    fields = FIELDS.get(message["msg_type"], {})
    if "metadata" in fields:
        content["metadata"] = content.get("metadata") or {}  # some kernels send null or an empty list
    for name, kind in fields.items():
        if name not in content or not isinstance(content[name], kind):
            raise TypeError(f"{message['msg_type']}: {name} is missing or has the wrong type")
    if not all(isinstance(line, str) for line in content.get("traceback", ())):
        raise TypeError("error: a line of the traceback is not text")
    for mime_type, value in content["data"].items() if "data" in fields else ():
        lines = value if isinstance(value, list) else [value]
        if not JSON_MIME_TYPES.fullmatch(mime_type) and not all(isinstance(line, str) for line in lines):
            content["data"][mime_type] = json.dumps(value)


def is_deeply_nested(value: Any) -> bool:
    """Return whether a JSON value has more than `NESTING` levels of lists and dicts."""
    level = [value]
    for _ in range(NESTING):
        inner = [each for each in level if isinstance(each, (dict, list))]
        if not inner:
            return False
        level = [item for each in inner for item in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, (dict, list)) for each in level)


def _is_finite(value: Any) -> bool:
    """Return whether a value is a number that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of more than 300 digits
        return False
