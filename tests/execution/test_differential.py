import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from runwidgets.execution.runner.environment import run_environment
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import open_instance
from tests.builders import Json, ended, group_of, read
from tests.execution.odd_notebooks import odd_notebooks
from tests.execution.other_kernels import CASES, install_kernels
from tests.execution.test_papermill import REFUSALS, outputs_of

NOTEBOOKS = {name: (text, arguments) for name, text, arguments in odd_notebooks()}

WORKERS = 6
"""Processes of papermill, which mostly wait for their kernels' heartbeats."""
WARM_PAPERMILL = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import papermill
from jupyter_client.manager import KernelManager
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
manager = KernelManager(kernel_name="python3")
manager.start_kernel()

class WarmEngine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        return Client(nb_man, km=manager).execute()

class Client(PapermillNotebookClient):
    def papermill_execute_cells(self):
        self.kc.execute("%reset -f", silent=True)
        super().papermill_execute_cells()

papermill_engines.register("warm", WarmEngine)
for line in sys.stdin:
    source, target, values, engine = json.loads(line)
    state = "SUCCESS"
    try:
        papermill.execute_notebook(
            source, target, values, engine_name=engine, progress_bar=False, start_timeout=600
        )
    except PapermillExecutionError:
        state = "ERROR"
    except Exception as error:
        state = f"{type(error).__name__}: {error}"
    print(json.dumps(state), file=replies, flush=True)
manager.shutdown_kernel(now=True)
"""
"""papermill, which executes one notebook after the other on one kernel that forgets each, or on their own."""


@dataclass(frozen=True)
class Notebook:
    """A notebook that both execute."""

    text: str
    values: Json
    engine: str
    """papermill's: ``warm``, or ``nbclient`` for other kernels than Jupyter's own."""


ALL = {
    **{name: Notebook(text, values, "warm") for name, (text, values) in NOTEBOOKS.items()},
    **{name: Notebook(json.dumps(case.notebook()), case.values, "nbclient") for name, case in CASES.items()},
}
REFUSED = "refused"
"""In the place of the id of a run that was not started."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, dict[str, str], Path]]:
    """Start a run of each notebook; papermill executes them in the same order."""
    folder = tmp_path_factory.mktemp("odd")
    with pytest.MonkeyPatch.context() as patch:
        install_kernels(folder, patch)
        instance = open_instance(folder / "root", slots=2)
        api = instance.api()
        runs = {}
        for at, (name, notebook) in enumerate(ALL.items()):
            path = folder / f"{at}.ipynb"
            path.write_text(notebook.text)
            given = [{"name": key, "value": value} for key, value in notebook.values.items()]
            try:
                made = api.workflows.create_workflow(str(path))
                runs[name] = api.runs.start_run(group_of(made), given)["id"]
            except REFUSALS:
                runs[name] = REFUSED
        yield api, runs, folder
        instance.close()


@pytest.fixture(scope="module")
def papermill_states(started: tuple[Api, dict[str, str], Path]) -> dict[str, str]:
    """Execute all notebooks with papermill alone."""
    folder = started[2]
    lines = [
        json.dumps(
            [str(folder / f"{at}.ipynb"), str(folder / f"{at}.out.ipynb"), notebook.values, notebook.engine]
        )
        for at, notebook in enumerate(ALL.values())
    ]
    workers = []
    for worker in range(WORKERS):
        (folder / f"{worker}.lines").write_text("\n".join(lines[worker::WORKERS]))
        with (folder / f"{worker}.lines").open() as asked, (folder / f"{worker}.states").open("w") as told:
            workers.append(
                subprocess.Popen(
                    [sys.executable, "-c", WARM_PAPERMILL],
                    env=run_environment(os.environ),
                    stdin=asked,
                    stdout=told,
                    stderr=subprocess.DEVNULL,
                    cwd=folder,
                )
            )
    assert [each.wait() for each in workers] == [0] * WORKERS
    told_states = [(folder / f"{worker}.states").read_text().splitlines() for worker in range(WORKERS)]
    return {name: json.loads(told_states[at % WORKERS][at // WORKERS]) for at, name in enumerate(ALL)}


def test_there_are_150_notebooks() -> None:
    """Each has a name of its own."""
    assert len(NOTEBOOKS) == 150


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_an_odd_notebook_runs_as_under_papermill(
    started: tuple[Api, dict[str, str], Path], papermill_states: dict[str, str], name: str
) -> None:
    """State, code and outputs are the same, and the executed notebook is valid and strict JSON."""
    ours, theirs = both(started, name)

    assert ended(started[0], started[1][name])["state"] == papermill_states[name]
    assert outputs_of(ours) == outputs_of(theirs)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
def test_a_notebook_for_another_kernel_runs_as_under_papermill(
    started: tuple[Api, dict[str, str], Path], papermill_states: dict[str, str], name: str
) -> None:
    """State, code and outputs are the same, but for what is named; a kernel that is not here is refused."""
    api, runs, _ = started
    case = CASES[name]
    if runs[name] == REFUSED:
        assert papermill_states[name] not in {"SUCCESS", "ERROR"}, "papermill executes it"
        return
    handle = ended(api, runs[name])
    ours, theirs = both(started, name)

    assert handle["state"] == (case.state or papermill_states[name]), handle.get("messages")
    assert outputs_of(ours)[: case.executed] == outputs_of(theirs)[: case.executed]


def both(started: tuple[Api, dict[str, str], Path], name: str) -> tuple[NotebookNode, NotebookNode]:
    """Return the notebook that the run executed, which is valid and strict JSON, and papermill's."""
    api, runs, folder = started
    ended(api, runs[name])
    stored = read(api.runs.get_notebook(runs[name])).decode()
    nbformat.validate(json.loads(stored, parse_constant=pytest.fail))
    theirs = nbformat.read(folder / f"{list(ALL).index(name)}.out.ipynb", as_version=4)
    return nbformat.reads(stored, as_version=4), theirs
