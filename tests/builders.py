"""Builders, each based on the previous one: notebook, workflow, accepted run, running run, finished run."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from runwidgets.service.integrity.doctor import check

Json = dict[str, Any]
Cell = str | Json
"""The code of a cell, or a cell."""
Value = TypeVar("Value")

PATIENCE = 60.0
"""Seconds after which a condition that should have become true counts as failed."""
PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
ACTIVE = {"PENDING", "RUNNING"}

DOUBLE = (
    "import runwidgets\nrunwidgets.record('double', x * 2)\nprint('x is', x)\n"
    "open('x.csv', 'w').write(f'x\\n{x}\\n')"
)
SLEEP = "import time\nfor step in range(600):\n    print(step, flush=True)\n    time.sleep(0.1)"
CLEAN = (
    "import time, pathlib\ntry:\n    print('begun', flush=True)\n    time.sleep(60)\n"
    "finally:\n    print('cleaned up', flush=True)"
)


def wait_until(
    get: Callable[[], Value], is_met: Callable[[Value], bool] = bool, within: float = PATIENCE
) -> Value:
    """Call a function until a condition holds for its result; fail with the last result after a timeout."""
    deadline = time.monotonic() + within
    while not is_met(value := get()):
        if time.monotonic() > deadline:
            raise AssertionError(
                f"the condition was not met within {within:g} s; the last value was {value!r}"
            )
        time.sleep(0.02)
    return value


@contextmanager
def checked_instance(root: Path, **options: Any) -> Iterator[Instance]:
    """Open an instance, and check its invariants at the end, when no run executes."""
    instance = open_instance(root, **options)
    try:
        yield instance
        wait_until(lambda: not instance._backend._tracked)
    finally:
        instance.close()
    assert check(root) == []


def write_notebook(path: Path, *cells: Cell, parameters: str | None = None, **metadata: Any) -> Path:
    """Write a notebook with a title, a parameters cell and code cells."""
    notebook_cells = [new_markdown_cell("# A small notebook\n\nIt does little.")]
    if parameters is not None:
        notebook_cells.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    notebook_cells += [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    nbformat.write(new_notebook(cells=notebook_cells, metadata={"kernelspec": PYTHON, **metadata}), path)
    return path


def tagged(code: str, *tags: str) -> Json:
    """Return a code cell with tags."""
    cell: Json = new_code_cell(code, metadata={"tags": list(tags)})
    return cell


def workflow(api: Api, folder: Path, *cells: Cell, parameters: str | None = None, **metadata: Any) -> Json:
    """Register a new notebook."""
    path = write_notebook(folder / f"{uuid.uuid4().hex}.ipynb", *cells, parameters=parameters, **metadata)
    return api.workflows.create_workflow(str(path))


def read(stream: IO[bytes]) -> bytes:
    """Return the content of a stream, and close it."""
    with stream:
        return stream.read()


def group_of(handle: Json) -> str:
    """Return the id of a workflow's default group."""
    return str(handle["groups"][0]["id"])


def arguments(**values: Any) -> list[Json]:
    """Return keywords as a list of arguments."""
    return [{"name": name, "value": value} for name, value in values.items()]


def accepted(api: Api, folder: Path, *cells: Cell, config: Json | None = None) -> Json:
    """Start a run of a notebook without parameters."""
    return api.runs.start_run(group_of(workflow(api, folder, *cells)), [], config)


def running(api: Api, folder: Path, *cells: Cell, config: Json | None = None) -> Json:
    """Start a run and wait until its first cell has printed."""
    run_id = accepted(api, folder, *cells, config=config)["id"]
    wait_until(lambda: api.runs.get_log(run_id)["size"] or api.runs.get_run(run_id)["state"] not in ACTIVE)
    return api.runs.get_run(run_id)


def ended(api: Api, run_id: str) -> Json:
    """Wait for the end of a run."""
    return wait_until(lambda: api.runs.get_run(run_id), lambda handle: handle["state"] not in ACTIVE)


def finished(api: Api, folder: Path, *cells: Cell, config: Json | None = None) -> Json:
    """Run a notebook to its end."""
    return ended(api, accepted(api, folder, *cells, config=config)["id"])
