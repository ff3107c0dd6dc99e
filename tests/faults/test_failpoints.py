import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runwidgets.execution.processes import find_processes
from runwidgets.failpoints import FAILPOINT_VARIABLE, INSTANCE_STEPS, RUNNER_STEPS
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import open_instance
from runwidgets.service.integrity.doctor import check
from tests.builders import accepted, ended, group_of, read, wait_until

CELL = "open('out.txt', 'w').write('whole')"

ACT = """
import sys
from pathlib import Path
from runwidgets.service.factory import open_instance
from tests.builders import ACTIVE, accepted, ended, running, wait_until

root, folder, step = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
instance = open_instance(root, slots=1)
api = instance.api()
if step == "cancelled":
    run_id = running(api, folder, "print('begun', flush=True)\\nimport time; time.sleep(600)")["id"]
    api.runs.cancel_run(run_id)
else:
    run_id = accepted(api, folder, CELL)["id"]
    ended(api, run_id)
    wait_until(lambda: not instance._backend._tracked)
    api.runs.delete_run(run_id)
""".replace("CELL", repr(CELL))


def act(root: Path, folder: Path, step: str, code: str = ACT) -> int:
    """Let an instance in another process work until it is killed at a step."""
    command = [sys.executable, "-c", code, str(root), str(folder), step]
    process = subprocess.run(
        command,
        env={**os.environ, FAILPOINT_VARIABLE: step},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    return process.returncode


def attempts(root: Path, run_id: str) -> int:
    """Return how often a run began."""
    text = (root / "runs" / run_id / "journal.jsonl").read_text()
    return sum(json.loads(line)["kind"] == "started" for line in text.splitlines())


@pytest.mark.parametrize("step", INSTANCE_STEPS)
def test_an_instance_killed_at_any_step_loses_and_repeats_nothing(tmp_path: Path, step: str) -> None:
    """Accepted runs end as usual; others leave no trace."""
    root = tmp_path / "root"
    act(root, tmp_path, step)

    instance = open_instance(root, slots=1)
    api = instance.api()
    (workflow_id,) = (each["id"] for each in api.workflows.list_workflows()["workflows"])
    runs = api.runs.list_runs(group_of(api.workflows.get_workflow(workflow_id)))["runs"]
    states = [ended(api, each["id"])["state"] for each in runs]
    wait_until(lambda: not any(find_processes(each["id"]) for each in runs), within=10)
    wait_until(lambda: not instance._backend._tracked)
    wait_until(lambda: len(list((root / "runs").iterdir())) == len(runs))
    kept = {each["id"]: attempts(root, each["id"]) for each in runs}
    files = [
        read(api.runs.get_result_file(each["id"], file_id(api, each["id"])))
        for each in runs
        if "CANCELED" not in states
    ]
    instance.close()

    gone = step in {"folder begun", "folder made", "row deleted", "folder renamed"}
    assert states == ([] if gone else ["CANCELED"] if step == "cancelled" else ["SUCCESS"])
    assert set(kept.values()) <= {1}
    assert set(files) <= {b"whole"}
    assert sorted(each.name for each in (root / "runs").iterdir()) == sorted(kept)
    assert check(root) == []


ACT_AT_ONCE = """
import sys
from pathlib import Path
from runwidgets.service.factory import open_instance
from tests.builders import arguments, group_of, workflow

instance = open_instance(Path(sys.argv[1]), slots=1)
api = instance.api()
group = group_of(workflow(api, Path(sys.argv[2]), "open('x.txt', 'w').write(str(x))", parameters="x = 1"))
api.sweeps.start_sweep(group, [arguments(x=x) for x in range(30)])
"""


@pytest.mark.parametrize("step", ["folder begun", "folder made", "accepted"])
def test_an_instance_killed_while_it_accepts_a_sweep_accepts_all_of_it_or_nothing(
    tmp_path: Path, step: str
) -> None:
    """No directory of a run that was not accepted remains."""
    root = tmp_path / "root"
    act(root, tmp_path, step, ACT_AT_ONCE)

    instance = open_instance(root, slots=2)
    api = instance.api()
    (made,) = api.workflows.list_workflows()["workflows"]
    sweeps = api.sweeps.list_sweeps(group_of(api.workflows.get_workflow(made["id"])))["sweeps"]
    for each in sweeps:
        wait_until(lambda each=each: api.sweeps.get_sweep(each["id"])["isDone"])
    counts = [api.sweeps.get_sweep(each["id"])["counts"]["SUCCESS"] for each in sweeps]
    wait_until(lambda: not instance._backend._tracked)
    wait_until(lambda: len(list((root / "runs").iterdir())) == sum(counts))
    instance.close()

    assert counts == ([30] if step == "accepted" else [])
    assert check(root) == []


def file_id(api: Api, run_id: str) -> str:
    """Return the id of the run's first result file."""
    return str(api.runs.get_run(run_id)["files"][0]["id"])


@pytest.mark.parametrize(
    "config", [{}, {"transport": "zmq"}, {"isolation": "spawn"}], ids=["direct", "zmq", "spawn"]
)
@pytest.mark.parametrize("step", RUNNER_STEPS)
def test_a_runner_killed_at_any_step_ends_its_run_and_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, config: dict[str, str]
) -> None:
    """The error says so, unless the journal has the end already; the notebook remains readable."""
    monkeypatch.setenv(FAILPOINT_VARIABLE, step)
    instance = open_instance(tmp_path / "root", slots=1, environment=[FAILPOINT_VARIABLE])
    api = instance.api()
    pause = "import time; time.sleep(0.7)" if step == "cell saved" else "1"
    handle = ended(api, accepted(api, tmp_path, CELL, pause, config=config)["id"])
    wait_until(lambda: not instance._backend._tracked)
    notebook = json.loads(read(api.runs.get_notebook(handle["id"])))
    left = find_processes(handle["id"])
    instance.close()

    if step == "finished":
        assert handle["state"] == "SUCCESS"
    else:
        assert (handle["state"], handle["reason"]) == ("ERROR", "runner_died")
        assert handle["messages"] == ["the runner was lost: killed by SIGKILL"]
    assert not left
    assert len(notebook["cells"]) == 3
    assert attempts(tmp_path / "root", handle["id"]) == 1
    assert check(tmp_path / "root") == []
