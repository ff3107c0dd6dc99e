"""Records the effects of a notebook's execution in a form in which two executions can be compared."""

import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from runwidgets.execution.runner.environment import run_environment
from runwidgets.service.factory import open_instance
from tests.builders import Json, ended, group_of, read

PATHS: dict[str, Json] = {
    "direct": {},
    "forked": {"transport": "zmq"},
    "spawned": {"isolation": "spawn"},
}
"""Config of each way in which a run may be executed."""

PAPERMILL_PROGRAM = """
import json, os, signal, sys, warnings
warnings.simplefilter("ignore")
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as in runs, even if these tests were started by nohup
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import papermill
from papermill.exceptions import PapermillExecutionError
for line in sys.stdin:
    source, target, cwd = json.loads(line)
    answer = ""
    try:
        papermill.execute_notebook(source, target, cwd=cwd, progress_bar=False)
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), file=replies, flush=True)
"""
"""A process that executes notebooks one after another with papermill alone; kernels inherit its stdout."""


Mask = tuple[str, str]
"""A pattern in outputs that differs between executions, and its replacement."""

MASKS: list[Mask] = [
    # The address of an object in memory.
    (r"\b0x[0-9a-f]{6,}", "0x…"),
    # Widgets, comms and displays have random names.
    (r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", "<uuid>"),
    # The code of a cell is in a file that is named after the kernel's process.
    (r"ipykernel_\d+", "ipykernel_…"),
    # OpenMDAO's drivers print their duration.
    (r"(time *: +)[\d.E+-]+ s\b", r"\1… s"),
]


class Executions:
    """Executes notebooks in every way that runwidgets has, and by papermill alone.

    papermill gets the environment of a run, so that nothing else differs; the order of sets of strings is
    fixed.

    Parameters
    ----------
    folder : Path
        Folder for notebooks and results.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._patch = pytest.MonkeyPatch()
        self._patch.setenv("PYTHONHASHSEED", "0")
        self._instance = open_instance(folder / "root", slots=2)
        self._api = self._instance.api()
        self._runs: dict[tuple[str, str], str] = {}
        self._results: dict[tuple[str, str], NotebookNode] = {}
        self._papermill = subprocess.Popen(
            [sys.executable, "-c", PAPERMILL_PROGRAM],
            env=run_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._requested: list[str] = []

    def close(self) -> None:
        """Close the instance and end papermill."""
        self._patch.undo()
        self._instance.close()
        assert self._papermill.stdin is not None and self._papermill.stdout is not None
        self._papermill.stdin.close()
        self._papermill.stdout.close()
        self._papermill.wait()

    def own_folder(self, name: str, path: str) -> Path:
        """Return the folder in which a notebook is executed in one way."""
        return self.folder / path / name

    def start(self, name: str, source: Path, *beside: Path) -> None:
        """Start a notebook in all ways, each with its own copy of its files."""
        for path in [*PATHS, "plain"]:
            folder = self.own_folder(name, path)
            folder.mkdir(parents=True)
            for each in (source, *beside):
                (folder / each.name).write_bytes(each.read_bytes())
            notebook = folder / source.name
            if path == "plain":
                assert self._papermill.stdin is not None
                line = [str(notebook), str(folder / "executed.ipynb"), str(folder)]
                self._papermill.stdin.write(json.dumps(line) + "\n")
                self._papermill.stdin.flush()
                self._requested.append(name)
            else:
                workflow = self._api.workflows.create_workflow(str(notebook))
                config = {"cwd": "notebook", **PATHS[path]}
                self._runs[name, path] = self._api.runs.start_run(group_of(workflow), [], config)["id"]

    def result(self, name: str, path: str) -> NotebookNode:
        """Wait for the notebook executed in one way, or by papermill for ``plain``."""
        if (name, path) not in self._results:
            if path == "plain":
                self._wait_for_papermill(name)
                content = (self.own_folder(name, path) / "executed.ipynb").read_text("utf-8")
            else:
                run_id = self._runs[name, path]
                ended(self._api, run_id)
                journal = (self.folder / "root" / "runs" / run_id / "journal.jsonl").read_text().splitlines()
                assert {"kind": "kernel", "way": path}.items() <= json.loads(journal[1]).items(), journal[1]
                content = read(self._api.runs.get_notebook(self._runs[name, path])).decode()
            self._results[name, path] = nbformat.reads(content, as_version=4)
        return self._results[name, path]

    def state(self, name: str, path: str) -> Json:
        """Wait for the end of a run, and return its handle."""
        return ended(self._api, self._runs[name, path])

    def _wait_for_papermill(self, name: str) -> None:
        assert self._papermill.stdout is not None
        while name in self._requested:
            assert self._papermill.stdout.readline(), "papermill ended"
            self._requested.pop(0)

    def effects(self, name: str, path: str, masks: Iterable[Mask] = MASKS) -> list[Json]:
        """Return the effects of every code cell, and the final state of the widgets."""
        masks = [(re.escape(str(self.own_folder(name, path))), "<folder>"), *masks]
        notebook = self.result(name, path)
        cells = [
            {
                "source": cell.source,
                "execution_count": cell.execution_count,
                "outputs": masked(outputs_of(cell), masks),
            }
            for cell in notebook.cells
            if cell.cell_type == "code" and "papermill-error-cell-tag" not in cell.metadata.get("tags", [])
        ]
        states = [bundle["state"] for bundle in notebook.metadata.get("widgets", {}).values()]
        widgets = [masked(each, masks) for state in states for each in state.values()]
        return [*cells, {"widgets": sorted(widgets, key=lambda each: json.dumps(each, sort_keys=True))}]

    def assert_same(self, name: str, path: str, masks: Iterable[Mask] = MASKS) -> None:
        """Compare one way with papermill alone; differences are shown as a diff."""
        ours, theirs = self.effects(name, path, masks), self.effects(name, "plain", masks)
        assert any(each.get("execution_count") for each in theirs), "papermill executed nothing"
        if ours != theirs:
            raise AssertionError(
                "\n".join(difflib.unified_diff(_lines(theirs), _lines(ours), "papermill", path, lineterm=""))
            )


def _lines(effects: list[Json]) -> list[str]:
    return json.dumps(effects, indent=1, ensure_ascii=False).replace("\\n", "\n").splitlines()


def masked(value: Any, masks: list[Mask]) -> Any:
    """Return a copy in which unavoidable differences are masked."""
    if isinstance(value, str):
        for pattern, replacement in masks:
            value = re.sub(pattern, replacement, value)
        return value
    if isinstance(value, dict):
        return {masked(key, masks): masked(item, masks) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item, masks) for item in value]
    return value


def outputs_of(cell: NotebookNode) -> list[Json]:
    """Return the outputs of a cell, with consecutive texts of one stream joined.

    The division of a stream into messages is random: ipykernel sends its buffer every 0.2 s.
    """
    outputs: list[Json] = []
    for output in cell.outputs:
        each = json.loads(json.dumps(output))
        last = outputs[-1] if outputs else {}
        if each["output_type"] == "stream" == last.get("output_type") and each["name"] == last["name"]:
            last["text"] += each["text"]
        else:
            outputs.append(each)
    return outputs
