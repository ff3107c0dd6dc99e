import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runwidgets.execution import processes
from runwidgets.execution.processes import find_processes
from tests.builders import DOUBLE, wait_until, workflow
from tests.conftest import JupyterServer

PROJECT = Path(__file__).parents[2]
REFUSAL = (
    "Windows: runs cannot be stored or executed here; "
    "use Linux, macOS or the Windows Subsystem for Linux, or connect to a server there by its URL"
)

RUNS = """
import json, os, signal, sys
from pathlib import Path
import runwidgets
from runwidgets.limits import Limits
from runwidgets.service.factory import open_instance
from tests.builders import DOUBLE, SLEEP, accepted, ended, group_of, running, workflow
from tests.execution.test_local import STUBBORN, journal, pid_of

folder = Path(sys.argv[1])
instance = open_instance(folder / "root", slots=2, limits=Limits(cancel_grace=1.0))
api = instance.api()
runs = {
    "finished": api.runs.start_run(group_of(workflow(api, folder, DOUBLE, parameters="x = 2")), [])["id"],
    "dead": accepted(api, folder, "import os\\nos.kill(os.getpid(), 9)")["id"],
    "cancelled": running(api, folder, STUBBORN)["id"],
    "lost": running(api, folder, SLEEP)["id"],
}
api.runs.cancel_run(runs["cancelled"])
os.kill(pid_of(folder / "root", runs["lost"], "started"), signal.SIGKILL)
outcome = {name: ended(api, run_id) for name, run_id in runs.items()}
kernels = [each for each in journal(folder / "root", runs["finished"]) if each["kind"] == "kernel"]
print(json.dumps({"platform": sys.platform, "way": kernels[0]["way"], **outcome}))
instance.close()
"""

WINDOWS = """
import tests.execution.windows
import runwidgets as rw

rw.record("loss", 1.0)
rw.progress(0.5)
for name in rw.__all__:
    getattr(rw, name)
"""


def run_program(program: str, *arguments: str, **variables: str) -> str:
    """Run a program in a process of its own; return what it printed last."""
    command = [sys.executable, "-c", program, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Execute runs on a system that lacks what only Linux has; its folder for temporary files is deep."""
    home, site = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("site")
    temporary = home / "var" / "folders" / "zyxvpxvq6csfxvn_n0000000000000" / "temporary" / "T"
    temporary.mkdir(parents=True)
    shutil.copyfile(Path(__file__).with_name("macos.py"), site / "sitecustomize.py")
    printed = run_program(
        RUNS, str(home), PYTHONPATH=f"{site}:{PROJECT}", HOME=str(home), TMPDIR=str(temporary)
    )
    return dict(json.loads(printed))


@pytest.mark.local
def test_a_run_succeeds_without_what_only_linux_has(outcome: dict[str, Any]) -> None:
    """It is spawned, records its metrics and leaves its result files."""
    run = outcome["finished"]

    assert (outcome["platform"], outcome["way"]) == ("darwin", "spawned")
    assert (run["state"], run["metrics"]["double"]) == ("SUCCESS", 4)
    assert "x.csv" in {each["name"] for each in run["files"]}


@pytest.mark.local
def test_a_dead_kernel_ends_a_run_without_what_only_linux_has(outcome: dict[str, Any]) -> None:
    """The run ends in ERROR and names the signal, as it does on Linux."""
    run = outcome["dead"]

    assert run["state"] == "ERROR"
    assert "the kernel was killed by SIGKILL" in run["messages"][0]


@pytest.mark.local
def test_a_lost_runner_ends_a_run_without_what_only_linux_has(outcome: dict[str, Any]) -> None:
    """The run ends in ERROR and says how the runner ended."""
    assert outcome["lost"]["state"] == "ERROR"
    assert outcome["lost"]["messages"] == ["the runner was lost: killed by SIGKILL"]


@pytest.mark.local
def test_a_run_is_cancelled_without_what_only_linux_has(outcome: dict[str, Any]) -> None:
    """A kernel that ignores the interrupt is cancelled, and no process of any of the runs is left."""
    assert outcome["cancelled"]["state"] == "CANCELED"
    for name in ("finished", "dead", "lost", "cancelled"):
        run_id = outcome[name]["id"]
        wait_until(lambda run_id=run_id: not find_processes(run_id), within=10)
        assert not Path("/tmp", f"runwidgets-{run_id}").exists()


@pytest.mark.local
def test_an_end_is_seen_where_linux_has_no_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptor is readable once the process has ended, and the exit code is still there."""
    monkeypatch.setattr(processes, "HAS_PIDFD", False)
    process = subprocess.Popen([sys.executable, "-c", "input(); raise SystemExit(7)"], stdin=subprocess.PIPE)
    descriptor = processes.watch_for_end(process.pid)

    process.communicate(b"\n")

    os.set_blocking(descriptor, True)
    assert os.read(descriptor, 1)
    os.close(descriptor)
    assert process.returncode == 7


def test_windows_has_the_public_names() -> None:
    """Notebooks record and report there, and every public name can be imported."""
    assert run_program(WINDOWS)


def test_windows_runs_notebooks_of_a_server_elsewhere(server: JupyterServer, folder: Path) -> None:
    """A form opens and a run of a workflow succeeds over HTTP."""
    with server.api() as api:
        workflow_id = workflow(api, folder, DOUBLE, parameters="x: int = 2")["id"]
    program = f"""{WINDOWS}
api = rw.connect({server.url!r}, token={server.token!r})
form = rw.RunForm({workflow_id!r}, api=api)
print(rw.run({workflow_id!r}, api=api, x=4).wait().metrics["double"])
"""

    assert run_program(program) == "8"


def test_windows_is_refused_where_runs_would_be_stored() -> None:
    """Instance, server extension and verbs end in the sentence that says what to use instead."""
    program = f"""{WINDOWS}
from runwidgets.errors import ServiceUnavailableError
from runwidgets.server import _jupyter_server_extension_points

said = []
for door in (
    lambda: rw.connect(root="runs"),
    _jupyter_server_extension_points,
    lambda: __import__("runwidgets.service.factory"),
    lambda: __import__("runwidgets.server.voila"),
    lambda: __import__("runwidgets.cli.command"),
):
    try:
        door()
    except ServiceUnavailableError as error:
        said.append(str(error))
print(*said, sep="|")
"""

    assert run_program(program).split("|") == [REFUSAL] * 5


def test_the_command_line_is_refused_on_windows() -> None:
    """It exits with the sentence and no traceback."""
    program = "import tests.execution.windows\nfrom runwidgets.cli.main import main\nmain(['doctor'])"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)

    assert (done.returncode, done.stderr.strip()) == (1, REFUSAL)
