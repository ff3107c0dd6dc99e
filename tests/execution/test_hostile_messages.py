"""Hostile messages: whatever a notebook sends, its run ends, and in the same way over every transport."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from runwidgets.client.run import Run
from runwidgets.limits import Limits
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import open_instance
from runwidgets.service.integrity.doctor import check
from tests.builders import Json, accepted, ended, tagged
from tests.execution.comparison import PATHS

SETUP = """
kernel = get_ipython().kernel
circular = {}
circular["again"] = circular
def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value
VALUES = {
    "half": "\\ud83d", "NUL": "a\\0b", "long": "x" * 200_000, "NaN": float("nan"), "infinity": float("inf"),
    "bytes": b"\\xff", "set": {1}, "circular": circular, "keys": {1: 2, None: 3}, "odd keys": {(1,): 2},
    "deep": deep(150), "deeper": deep(900), "deepest": deep(100_000), "None": None, "number": 3,
    "list": [1, "a"], "dict": {"a": 1}, "object": object(), "empty": "", "true": True,
}
def attempt(name, function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:
        print(name, type(error).__name__)
def send(kind, content):
    kernel.session.send(kernel.iopub_socket, kind, content, parent=kernel.get_parent())
def vary(kind, content):
    for field in content:
        for name, value in VALUES.items():
            attempt(f"{field} {name}", send, kind, {**content, field: value})
        attempt(f"without {field}", send, kind, {key: content[key] for key in content if key != field})
    for raw in (None, b"", b"3", b"[]", b"{", b"\\xff", "null", deep(150)):
        attempt(f"as {raw!r:.20}", send, kind, raw)
    send(kind, content)
"""
DISPLAY = {"data": {"text/plain": "fine"}, "metadata": {}, "transient": {"display_id": "one"}}
WIDGET = {"_model_name": "M", "_model_module": "m", "_model_module_version": "1"}
TYPES: dict[str, Json] = {
    "stream": {"name": "stdout", "text": "fine\n"},
    "display_data": DISPLAY,
    "update_display_data": DISPLAY,
    "execute_result": {**DISPLAY, "execution_count": 7},
    "error": {"ename": "E", "evalue": "fine", "traceback": ["fine"]},
    "comm_open": {
        "comm_id": "c",
        "target_name": "jupyter.widget",
        "data": {"state": WIDGET, "buffer_paths": []},
    },
    "comm_msg": {"comm_id": "c", "data": {"method": "update", "state": {"x": 1}}},
    "comm_close": {"comm_id": "c", "data": {}},
    "clear_output": {"wait": False},
    "input_request": {"prompt": "?", "password": False},
    "status": {"execution_state": "busy"},
    "execute_input": {"code": "1", "execution_count": 3},
    "a type of its own": {"anything": 1},
}
DISPLAYED = """
from IPython.display import display
for name, value in VALUES.items():
    for kind in ("text/plain", "application/json", "image/png", "no type"):
        attempt(f"{kind} {name}", lambda: display({kind: value}, raw=True))
        attempt(f"metadata {kind} {name}", lambda: display({kind: "a"}, metadata={kind: value}, raw=True))
    attempt(f"transient {name}", lambda: display({"text/plain": "a"}, raw=True, transient={"a": value}))
    attempt(f"display id {name}", lambda: display({"text/plain": "a"}, raw=True, display_id=value))
"""
BUFFERS = """
import numpy
arrays = [
    numpy.zeros((0, 3)), numpy.arange(3, dtype=">f8"), numpy.zeros(2, dtype=complex), numpy.eye(3)[:, 1],
    numpy.zeros(2, dtype=[("a", "f4"), ("b", "i2")]), numpy.arange(200_000.0), numpy.array([None]),
]
def send_buffer(array):
    content = {"comm_id": "c", "data": {"state": {}, "buffer_paths": [["x"]]}}
    parent = kernel.get_parent()
    kernel.session.send(kernel.iopub_socket, "comm_msg", content, parent=parent, buffers=[array])
for array in arrays:
    attempt(array.dtype, send_buffer, array)
"""
CELLS = {
    **{kind: f"vary({kind!r}, {content!r})" for kind, content in TYPES.items()},
    "displays": DISPLAYED,
    "buffers": BUFFERS,
    "tasks that are cancelled": "import asyncio\nfor task in asyncio.all_tasks():\n    task.cancel()",
}
PRINTED = "for text in ('\\ud83d', 'a\\0b', 'x' * 200_000, '\\udcff'):\n    print(text)"
PAYLOAD = "get_ipython().payload_manager.write_payload({{'source': 'own', 'value': VALUES['{}']}})"
RAISED = "raise type('Own' + '\\ud83d', (Exception,), {})('\\ud83d')"
ENDINGS = {
    **{f"payload {name}": PAYLOAD.format(name) for name in ("half", "NaN", "bytes", "circular", "deeper")},
    "page": "get_ipython().set_next_input('x')\nprint?",
    "next input": "get_ipython().set_next_input('\\ud83d')",
    "printed": PRINTED,
    "printed as an error": "import sys\n" + PRINTED.replace("(text)", "(text, file=sys.stderr)"),
    "raised": RAISED,
    "raised with a NUL": "raise ValueError('a\\0b')",
    "input": "input('\\ud83d')",
    "a hook that exits": (
        "import sys\ndef hook(message):\n    raise SystemExit(3)\nsys.stdout.register_hook(hook)\nprint('x')"
    ),
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Open an instance, and check its invariants at the end."""
    root = tmp_path_factory.mktemp("hostile") / "root"
    instance = open_instance(root, slots=2, limits=Limits(cancel_grace=1.0))
    yield instance.api()
    instance.close()
    assert check(root) == []


def results_of(api: Api, folder: Path, paths: Iterable[str], *cells: str | Json) -> list[Json]:
    """Run a notebook in several ways; return how each run ended, with its outputs and its log."""
    handles = [accepted(api, folder, *cells, config=PATHS[path]) for path in paths]
    return [result_of(Run(api, ended(api, handle["id"]))) for handle in handles]


def result_of(run: Run) -> Json:
    """Return how a run ended, what it printed, in any order, and its other outputs; its notebook is valid."""
    nbformat.validate(run.notebook)
    others = [
        output
        for cell in run.notebook.cells
        for output in cell.get("outputs", ())
        if output["output_type"] != "stream"
    ]
    widgets = run.notebook.metadata.get("widgets", {})
    lines = [line for line in run.log.splitlines() if not line.startswith(" ")]
    ending = [run.state, run.reason, run.messages[:1]]
    return {"ending": ending, "outputs": json.loads(json.dumps([others, widgets])), "log": sorted(lines)}


@pytest.mark.parametrize("name", CELLS)
def test_a_hostile_message_does_not_end_a_run(api: Api, tmp_path: Path, name: str) -> None:
    """The last cell is executed; outputs and log are the same over a socket pair and over ZeroMQ."""
    cells = [tagged(code, "raises-exception") for code in (SETUP, CELLS[name])]

    direct, forked = results_of(api, tmp_path, ["direct", "forked"], *cells, "print('end')")

    assert direct["ending"] == forked["ending"] == ["SUCCESS", None, []]
    assert direct["outputs"] == forked["outputs"]
    assert "end" in direct["log"]
    if name != "tasks that are cancelled":  # those of ZeroMQ's streams log it
        assert direct["log"] == forked["log"]


@pytest.mark.parametrize("name", ENDINGS)
def test_a_run_ends_in_the_same_way_over_every_transport(api: Api, tmp_path: Path, name: str) -> None:
    """State, reason and message are the same: a reply that cannot be sent is an error, lost text is not."""
    results = results_of(api, tmp_path, PATHS, SETUP, ENDINGS[name], "print('end')")

    endings: list[Any] = [result["ending"] for result in results]
    assert endings[0] == endings[1] == endings[2]
    assert endings[0][0] == "SUCCESS" or endings[0][2]
    if name.startswith("printed"):
        assert endings[0][0] == "SUCCESS"
        assert all(any("UnicodeEncodeError" in line for line in result["log"]) for result in results)
