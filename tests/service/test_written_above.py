"""Paths that lead above the folder in which a run works, and are known only when it executes."""

import os
import signal
from pathlib import Path

import pytest

from runwidgets.execution.processes import find_processes
from runwidgets.execution.runner.files.written_files import take_in_files
from runwidgets.service.contracts.api import Api
from runwidgets.store.files.layout import LOG, WORKDIR
from tests.builders import (
    SLEEP,
    Json,
    accepted,
    arguments,
    ended,
    group_of,
    read,
    running,
    wait_until,
    workflow,
)

LEVELS = 8
"""Folders above the working folder that are the run's own."""
MIRROR = "import os\nif os.path.exists('../pyproject.toml'):\n    print('mirrored')"
"""Names a file above the notebook, so that a run works in a copy of its project, if there is one."""
LIST = """
from pathlib import Path
top = next(each for each in Path.cwd().parents if each.name == 'above')
print(sum(1 for each in top.rglob('*') if each.is_dir()), [each.name for each in top.rglob('*.*')])
"""
"""Prints how many folders there are above and in the working folder, and the files."""
WRITE = """
import os
os.makedirs(out, exist_ok=True)
open(os.path.join(out, 'x.csv'), 'w').write('x')
"""


@pytest.fixture(params=["plain", "mirrored"])
def place(request: pytest.FixtureRequest, folder: Path) -> Path:
    """Return the folder of a notebook, without a project and in one."""
    top = folder / request.node.name.replace("[", "-").replace("]", "").replace("/", "-")
    (top / "notebooks").mkdir(parents=True)
    if request.param == "mirrored":
        (top / "pyproject.toml").write_text("")
    return top / "notebooks"


def start(api: Api, made: Json, **values: object) -> Json:
    """Run a workflow to its end."""
    return ended(api, api.runs.start_run(group_of(made), arguments(**values))["id"])


def names_of(handle: Json) -> list[str]:
    """Return the names of the result files of a successful run, without its notebook."""
    assert handle["state"] == "SUCCESS", handle["messages"]
    return [each["name"] for each in handle["files"] if each["name"] != handle["notebook"]]


def test_nothing_is_above_the_folder_of_a_run(api: Api, place: Path) -> None:
    """Neither what describes the run, nor other runs, nor what they wrote there."""
    write = f"for number in range(1, {LEVELS + 1}):\n    open('../' * number + 'leak.txt', 'w')"

    assert len(names_of(start(api, workflow(api, place, MIRROR, write)))) == LEVELS
    handle = start(api, workflow(api, place, MIRROR, LIST))

    assert handle["state"] == "SUCCESS", handle["messages"]
    is_plain = not (place.parent / "pyproject.toml").exists()
    expected = f"{LEVELS} []\n" if is_plain else f"mirrored\n{LEVELS + 1} ['pyproject.toml']\n"
    assert api.runs.get_log(handle["id"])["text"] == expected


@pytest.mark.parametrize("levels", [2, LEVELS])
def test_what_a_run_writes_above_its_folder_is_a_result(api: Api, place: Path, levels: int) -> None:
    """The value of a parameter leads there; the log says where it is kept."""
    made = workflow(api, place, MIRROR, WRITE, parameters="out = 'results'")
    out = "../" * levels + "results"

    handle = start(api, made, out=out)

    assert names_of(handle) == ["results/x.csv"]
    assert read(api.runs.get_result_file(handle["id"], handle["files"][0]["id"])) == b"x"
    assert f"'{out}' as 'results'" in api.runs.get_log(handle["id"])["text"]


def test_a_name_that_is_taken_is_not_covered(api: Api, folder: Path) -> None:
    """Neither that of a result nor that of an input; folders of one name are merged."""
    place = folder / "taken"
    (place / "data").mkdir(parents=True, exist_ok=True)
    (place / "data" / "a.csv").write_text("input")
    cells = [
        "import os\nup, far = os.path.dirname(os.getcwd()), os.path.dirname(os.path.dirname(os.getcwd()))",
        "open('data/a.csv')\nopen('x.txt', 'w').write('own')",
        "for folder in (up, far):\n"
        "    os.mkdir(f'{folder}/data')\n"
        "    for name in ('x.txt', 'data/a.csv', 'data/new.csv'):\n"
        "        open(f'{folder}/{name}', 'w').write('above')",
    ]

    handle = start(api, workflow(api, place, *cells))

    found = {
        each["name"]: read(api.runs.get_result_file(handle["id"], each["id"])) for each in handle["files"]
    }
    found.pop(handle["notebook"])
    assert found.pop("x.txt") == b"own"
    assert sorted(found) == [
        "above-1/data/a.csv",
        "above-1/x.txt",
        "above-2/data/a.csv",
        "above-2/data/new.csv",
        "above-2/x.txt",
        "data/new.csv",
    ]
    assert set(found.values()) == {b"above"}


def test_a_run_that_fails_keeps_what_it_wrote_above_its_folder(api: Api, place: Path) -> None:
    """As partial files."""
    made = workflow(api, place, MIRROR, WRITE, "1 / 0", parameters="out = 'results'")

    handle = start(api, made, out="../../results")

    assert [each["name"] for each in handle["partialFiles"]] == ["results/x.csv", handle["notebook"]]


def test_a_run_whose_runner_is_killed_keeps_what_it_wrote_above_its_folder(api: Api, folder: Path) -> None:
    """The instance takes it in."""
    run_id = running(api, folder, "import os\nopen(os.pardir + '/x.csv', 'w').write('x')", SLEEP)["id"]
    processes = {each.pid: each.ppid() for each in find_processes(run_id)}
    (runner,) = [pid for pid, parent in processes.items() if parent not in processes]
    wait_until(lambda: b'"status": "ok"' in read(api.runs.get_notebook(run_id)))

    os.kill(runner, signal.SIGKILL)

    ended(api, run_id)
    handle = wait_until(lambda: api.runs.get_run(run_id), lambda handle: "isEnding" not in handle)
    assert "x.csv" in [each["name"] for each in handle["partialFiles"]]


def test_each_attempt_begins_with_empty_folders_above(api: Api, folder: Path) -> None:
    """What an earlier attempt wrote there is gone, also if it replaced a folder above by a link."""
    code = (
        "import os, pathlib\nassert os.listdir(os.pardir) == ['workdir']\n"
        "up = pathlib.Path.cwd().parents[2]\nos.rename(up, f'{up}-x')\nup.symlink_to(f'{up}-x')\n1 / 0"
    )
    made = workflow(api, folder, code)

    handle = ended(api, api.runs.start_run(group_of(made), [], {"retries": 1})["id"])

    assert "ZeroDivisionError" in handle["messages"][0]
    assert [each["name"] for each in handle["partialFiles"]] == [handle["notebook"]]


def test_what_a_run_put_in_the_place_of_its_folder_is_not_followed(
    api: Api, folder: Path, tmp_path: Path
) -> None:
    """Files elsewhere are no partial files."""
    (tmp_path / "elsewhere.txt").write_text("not of the run")
    code = f"import os\nown = os.getcwd()\nos.rename(own, own + '-x')\nos.symlink('{tmp_path}', own)\n1 / 0"

    handle = ended(api, accepted(api, folder, code)["id"])

    assert [each["name"] for each in handle["partialFiles"]] == [handle["notebook"]]


def test_files_are_taken_in_once(tmp_path: Path) -> None:
    """The second time nothing is moved or told; without a working folder there is nothing either."""
    take_in_files(tmp_path, ".")
    workdir = tmp_path / WORKDIR
    (workdir / "above-1").mkdir(parents=True)
    (workdir / "x").write_text("own")
    (workdir.parent / "x").write_text("above")

    for _ in range(2):
        take_in_files(tmp_path, ".")

    assert (workdir / "x").read_text() == "own" and (workdir / "above-1-2/x").read_text() == "above"
    assert (tmp_path / LOG).read_text().count("'../x' as 'above-1-2/x'") == 1
