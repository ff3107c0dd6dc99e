"""The environment of a run: what it inherits, what it never inherits, and what is added to it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runwidgets as rw
from runwidgets.errors import InvalidArgumentError
from runwidgets.execution.processes import RUN_VARIABLE
from runwidgets.execution.runner.environment import MAX_ENVIRONMENT, run_environment
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from tests.builders import Json, ended, finished, group_of, wait_until, workflow, write_notebook
from tests.execution.comparison import PATHS

NAMES = "import os, runwidgets\nrunwidgets.record('names', sorted(os.environ))"
PRIVATE = [
    "CONFIGPROXY_AUTH_TOKEN",
    "CONFIGPROXY_SSL_KEY_PASSPHRASE",
    "EG_AUTH_TOKEN",
    "JPY_API_TOKEN",
    "JPY_COOKIE_NAME",
    "JPY_PARENT_PID",
    "JPY_SESSION_NAME",
    "JUPYTERHUB_API_TOKEN",
    "JUPYTERHUB_COOKIE_SECRET",
    "JUPYTERHUB_CRYPT_KEY",
    "JUPYTERHUB_SSL_KEYFILE",
    "JUPYTER_GATEWAY_AUTH_TOKEN",
    "JUPYTER_GATEWAY_CLIENT_KEY",
    "JUPYTER_GATEWAY_HEADERS",
    "JUPYTER_GATEWAY_HTTP_PWD",
    "JUPYTER_SERVER_PASSWORD",
    "JUPYTER_TOKEN",
    "KG_AUTH_TOKEN",
    "RUNWIDGETS_TOKEN",
    "RUNWIDGETS_URL",
]


@pytest.fixture
def private_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """Open an instance in a process that has private variables and others."""
    for name in (*PRIVATE, "AWS_SECRET_ACCESS_KEY", "JUPYTERHUB_USER", "DATA_FOLDER"):
        monkeypatch.setenv(name, "something")
    instance = open_instance(tmp_path / "root", slots=1)
    yield instance
    instance.close()


@pytest.mark.parametrize("config", PATHS.values(), ids=PATHS)
def test_a_run_sees_what_a_kernel_of_the_server_would_see(
    private_instance: Instance, tmp_path: Path, config: Json
) -> None:
    """All variables but the secrets of Jupyter's servers and the address of this one."""
    names = set(finished(private_instance.api(), tmp_path, NAMES, config=config)["metrics"]["names"])

    assert {"PATH", "AWS_SECRET_ACCESS_KEY", "JUPYTERHUB_USER", "DATA_FOLDER", RUN_VARIABLE} <= names
    assert names & set(PRIVATE) <= {"JPY_PARENT_PID"}  # the one of the run's own kernel


def test_a_list_of_names_narrows_what_runs_inherit() -> None:
    """What a kernel needs remains, even if it is not listed."""
    inherited = dict.fromkeys(["A", "B", "PATH", "OMP_NUM_THREADS", "JUPYTER_TOKEN"], "x")

    assert set(run_environment(inherited, ["A", "Z"])) == {"A", "PATH", "OMP_NUM_THREADS"}


@pytest.mark.parametrize("config", PATHS.values(), ids=PATHS)
def test_the_config_adds_variables_to_one_run(
    private_instance: Instance, tmp_path: Path, config: Json
) -> None:
    """Modules that a warm process has loaded see them too; they replace inherited ones; others lack them."""
    cells = [
        "import json, os, time\nimport matplotlib",
        "print(json.dumps([os.environ.get('WORD'), os.environ['DATA_FOLDER'], matplotlib.get_backend()]))",
    ]
    api = private_instance.api()
    group = group_of(workflow(api, tmp_path, *cells))
    variables = {"WORD": "a=b c\nü", "DATA_FOLDER": "other", "MPLBACKEND": "svg"}

    plain = ended(api, api.runs.start_run(group, [], config)["id"])
    added = ended(api, api.runs.start_run(group, [], {**config, "environment": variables})["id"])
    after = ended(api, api.runs.start_run(group, [], config)["id"])

    logs = [api.runs.get_log(each["id"])["text"] for each in (plain, added, after)]
    assert json.loads(logs[1]) == ["a=b c\nü", "other", "svg"]
    assert [json.loads(logs[at])[:2] for at in (0, 2)] == [[None, "something"]] * 2
    assert added["config"] == {**config, "environment": variables}


def test_runs_with_equal_variables_share_a_warm_process(private_instance: Instance, tmp_path: Path) -> None:
    """The fork server has the variables from its start."""
    api = private_instance.api()
    group = group_of(workflow(api, tmp_path, "import os, psutil\nprint(psutil.Process().parent().ppid())"))
    config: Any = {"environment": {"WORD": "x"}}

    ids = [api.runs.start_run(group, [], config)["id"] for _ in range(2)]

    parents = [api.runs.get_log(ended(api, each)["id"])["text"] for each in ids]
    assert parents[0] == parents[1] != f"{os.getpid()}\n"


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        (["A"], "it must be an object with texts by name"),
        ({"": "x"}, "'' is not the name of a variable"),
        ({"A=B": "x"}, "'A=B' is not the name of a variable"),
        ({"A\0": "x"}, "is not the name of a variable"),
        ({"A": 1}, "the value of A must be text"),
        ({"A": None}, "the value of A must be text"),
        ({"A": "x\0"}, "the value of A has a character that no variable can have"),
        ({"RUNWIDGETS_RUN_ID": "x"}, "RUNWIDGETS_RUN_ID is reserved"),
        ({"JPY_PARENT_PID": "1"}, "JPY_PARENT_PID is reserved"),
        ({"A": "x" * MAX_ENVIRONMENT}, "bytes, more than 32,768"),
    ],
    ids=[
        "list",
        "empty",
        "equals",
        "null",
        "number",
        "none",
        "null-value",
        "ours",
        "jupyter",
        "large",
    ],
)
def test_variables_that_cannot_be_set_are_refused(
    api: Api, folder: Path, environment: Any, problem: str
) -> None:
    """The error names the variable, and nothing is started."""
    group = group_of(workflow(api, folder, "1"))

    with pytest.raises(InvalidArgumentError, match=r"config\.environment: ") as caught:
        api.runs.start_run(group, [], {"environment": environment})

    assert problem in str(caught.value)
    assert api.runs.list_runs(group)["runs"] == []


def test_a_run_with_other_variables_is_not_reused(api: Api, folder: Path) -> None:
    """The variables determine the results."""
    group = group_of(workflow(api, folder, "import os\nprint(os.environ['WORD'])"))

    def sweep(word: str) -> Json:
        config: Any = {"reuse": True, "environment": {"WORD": word}}
        started = api.sweeps.start_sweep(group, [[]], config)
        return wait_until(lambda: api.sweeps.get_sweep(started["id"]), lambda handle: handle["isDone"])

    for word in ("one", "two", "one"):
        sweep(word)

    assert len(api.runs.list_runs(group)["runs"]) == 2


def test_a_rerun_has_the_variables_of_the_run(private_instance: Instance, tmp_path: Path) -> None:
    """They are part of its config, not of the services through which it is repeated."""
    word = {"WORD": "first"}
    cell = "import os\nprint(os.environ['WORD'])"
    handle = finished(private_instance.api(environment=word), tmp_path, cell)

    api = private_instance.api(environment={"WORD": "other", "MORE": "x"})
    again = ended(api, api.runs.rerun(handle["id"])["id"])

    assert api.runs.get_log(again["id"])["text"] == "first\n"
    assert handle["config"] == again["config"] == {"environment": word}


def test_a_program_without_a_server_gives_variables_to_its_runs(tmp_path: Path) -> None:
    """Those of a run's own config are added, and replace equal names."""
    path = write_notebook(tmp_path / "a.ipynb", "import os\nprint(os.environ['A'], os.environ['B'])")
    api = rw.connect(root=tmp_path / "root", environment={"A": "1", "B": "2"})

    run = rw.run(path, api=api, config={"environment": {"B": "3"}}).wait(60)

    assert run.log == "1 3\n" and run.handle["config"] == {"environment": {"A": "1", "B": "3"}}
    assert "KeyError" in rw.run(path, api=rw.connect(root=tmp_path / "root")).wait(60).messages[0]


def test_variables_for_a_server_are_refused(tmp_path: Path) -> None:
    """A server has an environment of its own; invalid ones are refused everywhere."""
    with pytest.raises(InvalidArgumentError, match="environment: a server has its own; give a root"):
        rw.connect("http://localhost:1/", environment={"A": "1"})
    with pytest.raises(InvalidArgumentError, match="environment: the value of A must be text"):
        rw.connect(root=tmp_path / "root", environment={"A": 1})  # type: ignore[dict-item]
