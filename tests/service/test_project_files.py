"""Runs of notebooks that use files and modules of their project, outside their own folder."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runwidgets.errors import InvalidArgumentError, InvalidTemplateError
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from tests.builders import Json, arguments, checked_instance, ended, group_of, read, wait_until, workflow

HELPER = """from pathlib import Path
from .more import NAME
ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "conf" / "c.txt").read_text()
"""


@pytest.fixture
def project(folder: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a project with data, a package and a folder for notebooks."""
    top = folder / request.node.name.replace("[", "-").replace("]", "")
    files = {
        "pyproject.toml": "",
        ".env": "hidden",
        "data/a.csv": "A",
        "data/b.csv": "B",
        "conf/c.txt": "C",
        "src/tools/__init__.py": HELPER,
        "src/tools/more.py": "NAME = 'tools'",
        "src/lonely.py": "import tools\nNAME = tools.NAME",
        "out/old.txt": "old",
        "notebooks/own.txt": "own",
    }
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    (top / "empty").mkdir()
    (folder / "above.txt").write_text("above")
    yield top


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Instance]:
    """Open an instance, and check its invariants at the end."""
    with checked_instance(tmp_path / "root", slots=2) as instance:
        yield instance


def start(api: Api, made: Json, config: Any = None, **values: Any) -> Json:
    """Run a workflow to its end."""
    return ended(api, api.runs.start_run(group_of(made), arguments(**values), config)["id"])


def printed(api: Api, project: Path, *cells: str, **more: Any) -> str:
    """Return what a notebook in the project prints, as a run."""
    handle = start(api, workflow(api, project / "notebooks", *cells, **more))
    assert handle["state"] == "SUCCESS", handle["messages"]
    return str(api.runs.get_log(handle["id"])["text"]).strip()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("print(open('../data/a.csv').read(), open('own.txt').read())", "A own"),
        ("import os\nprint(open(os.path.join('..', 'data', 'a.csv')).read())", "A"),
        ("import os\nprint(sorted(os.listdir(os.path.join(os.pardir, 'data'))))", "['a.csv', 'b.csv']"),
        ("from pathlib import Path\nprint((Path('..') / 'data' / 'a.csv').read_text())", "A"),
        ("from pathlib import Path\nROOT = Path.cwd().parent\nprint((ROOT / 'data/b.csv').read_text())", "B"),
        ("from pathlib import Path\nprint(len(list(Path().resolve().parents[0].rglob('*.csv'))))", "2"),
        ("print(*[open(f'../data/{name}.csv').read() for name in 'ab'])", "A B"),
        ("print(*[open('../data/{}.csv'.format(name)).read() for name in 'ab'])", "A B"),
        ("import glob\nprint(len(glob.glob('../**/*.csv', recursive=True)))", "2"),
        ("import sys\nsys.path.append('../src')\nimport lonely\nprint(lonely.NAME)", "tools"),
        ("import sys\nsys.path.insert(0, '../src')\nfrom tools import TEXT as t\nprint(t)", "C"),
        ("import sys\nsys.path += ['..']\nimport src.tools\nprint(src.tools.NAME)", "tools"),
        (
            "import sys, os\nsys.path.append(os.path.dirname(os.getcwd()))\n"
            "import src.tools\nprint(src.tools.NAME)",
            "tools",
        ),
        ("import os\nos.chdir('..')\nprint(open('data/a.csv').read())", "A"),
        ("%cd -q ..\nprint(open('data/a.csv').read())", "A"),
        ("%run ../src/tools/more.py\nprint(NAME)", "tools"),
        (
            "from pathlib import Path\nROOT = Path.cwd()\nwhile not (ROOT / 'pyproject.toml').exists():\n"
            "    ROOT = ROOT.parent\nprint((ROOT / 'data' / 'a.csv').read_text())",
            "A",
        ),
    ],
    ids=[
        "literal", "join", "pardir", "path", "parent", "parents", "f-string", "format", "glob", "append",
        "insert", "extend", "dirname", "chdir", "cd", "run", "marker",
    ],
)  # fmt: skip
def test_a_notebook_that_works_in_its_folder_works_as_a_run(
    api: Api, project: Path, code: str, text: str
) -> None:
    """Files, folders, globs and modules of the project are available, wherever the code refers to them."""
    assert printed(api, project, code) == text


def test_a_default_of_a_file_parameter_may_be_in_the_project(api: Api, project: Path) -> None:
    """An upload takes its place, and lies where the notebook runs."""
    code = "import pathlib\ntable: pathlib.Path = pathlib.Path('../data/a.csv')"
    made = workflow(api, project / "notebooks", "print(table, table.read_text())", parameters=code)
    file_id = api.uploads.upload_file(group_of(made), io.BytesIO(b"MINE"), "a.csv")["id"]

    default = start(api, made)
    given = start(api, made, table={"type": "$file", "value": {"fileId": file_id}})

    logs = [api.runs.get_log(each["id"])["text"] for each in (default, given)]
    assert logs == ["../data/a.csv A\n", "a.csv MINE\n"]
    assert [each["name"] for each in given["files"]] == [given["notebook"]]


def upload(api: Api, made: Json, content: bytes, target: str | None = None) -> Json:
    """Return an argument that is an upload."""
    value = {"fileId": api.uploads.upload_file(group_of(made), io.BytesIO(content), "mine.csv")["id"]}
    return {"type": "$file", "value": value if target is None else {**value, "targetPath": target}}


def test_the_target_of_an_upload_may_be_elsewhere_in_the_project(api: Api, project: Path) -> None:
    """It covers a file of the project if the target names that, and only in this run."""
    cells = [
        "print(table, open('../data/a.csv').read(), open('../data/b.csv').read())",
        "print(table.read_text())",
    ]
    made = workflow(api, project / "notebooks", *cells, parameters="import pathlib\ntable: pathlib.Path")

    covering = start(api, made, table=upload(api, made, b"MINE", "../data/a.csv"))
    beside = start(api, made, table=upload(api, made, b"MINE", "../data/"))
    around = start(api, made, table=upload(api, made, b"MINE", "../notebooks/c.csv"))

    logs = [api.runs.get_log(each["id"])["text"] for each in (covering, beside, around)]
    assert logs == ["../data/a.csv MINE B\nMINE\n", "../data/mine.csv A B\nMINE\n", "c.csv A B\nMINE\n"]
    assert (project / "data/a.csv").read_text() == "A"


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("../../x.csv", r"its targetPath '\.\./\.\./x\.csv' is outside"),
        ("../", "would cover"),
        ("../data", "would cover"),
        ("../data/a.csv/x.csv", "would cover"),
        ("../data/../../x.csv", "inside the project"),
    ],
    ids=["outside", "file", "folder", "below-a-file", "dots"],
)
def test_a_target_that_leaves_the_project_or_covers_a_folder_is_refused(
    api: Api, project: Path, target: str, problem: str
) -> None:
    """So is one that covers a file although it names only a folder."""
    (project / "mine.csv").write_text("own")
    code = "open('../data/a.csv'); open('../mine.csv')"
    made = workflow(api, project / "notebooks", code, parameters="import pathlib\ntable: pathlib.Path")

    with pytest.raises(InvalidArgumentError, match=f"table: .*{problem}"):
        start(api, made, table=upload(api, made, b"MINE", target))


def test_a_declared_target_elsewhere_in_the_project_is_followed(api: Api, project: Path) -> None:
    """A run then works in a copy of the project, also if the code names no other file of it."""
    parameter = {"name": "table", "dtype": "file", "target": "../data/"}
    declared = {"parameters": [parameter]}
    code = "import pathlib\ntable: pathlib.Path"
    made = workflow(api, project / "notebooks", "print(table)", parameters=code, runwidgets=declared)

    handle = start(api, made, table=upload(api, made, b"MINE"))

    assert api.runs.get_log(handle["id"])["text"] == "../data/mine.csv\n"
    parameter["target"] = "../../data/"
    with pytest.raises(InvalidTemplateError, match=r"parameter 'table': its target '../../data/' is outside"):
        workflow(api, project / "notebooks", "print(table)", parameters=code, runwidgets=declared)


def test_a_notebook_that_climbs_to_a_folder_runs_in_a_copy_of_it(api: Api, project: Path) -> None:
    """It reads neither the original, nor does it climb for ever."""
    code = (
        "from pathlib import Path\nROOT = Path.cwd()\n"
        "while not (ROOT / 'conf').exists():\n    ROOT = ROOT.parent\n"
        "print((ROOT / 'conf' / 'c.txt').read_text(), 'above' in ROOT.parts)"
    )
    assert printed(api, project, code) == "C True"


def test_an_upload_covers_no_file_where_the_notebook_runs(api: Api, project: Path) -> None:
    """An upload that would hide a module of the project has a folder of its own."""
    cells = [
        "import sys\nsys.path.append('../src')\nimport lonely",
        "print(lonely.NAME, table, len(open('own.txt').read()))",
    ]
    made = workflow(api, project / "notebooks", *cells, parameters="import pathlib\ntable: pathlib.Path")
    group = group_of(made)
    value = {
        name: {
            "type": "$file",
            "value": {"fileId": api.uploads.upload_file(group, io.BytesIO(b"x"), name)["id"]},
        }
        for name in ("lonely.py", "own.txt", "a.csv")
    }

    module, plain = (start(api, made, table=value[name]) for name in ("lonely.py", "a.csv"))

    assert api.runs.get_log(module["id"])["text"] == "tools table/lonely.py 3\n"
    assert api.runs.get_log(plain["id"])["text"] == "tools a.csv 3\n"
    with pytest.raises(InvalidArgumentError, match=r"its file 'own\.txt' would cover 'own\.txt'"):
        start(api, made, table=value["own.txt"])


def test_files_written_elsewhere_in_the_project_are_results(api: Api, project: Path) -> None:
    """They are named from the project's folder; existing folders are there, and the original is untouched."""
    cells = [
        "import os\nos.makedirs('../new/deep')",
        "for name in ('../empty/x.txt', '../new/deep/y.txt', 'z.txt', '../data/a.csv', '../out/new.txt'):\n"
        "    open(name, 'w').write(name)",
    ]
    declared = {"outputs": [{"source": "z.txt", "title": "Last"}, {"source": "../empty/*.txt"}]}
    before = sorted(str(each) for each in project.rglob("*"))
    made = workflow(api, project / "notebooks", *cells, runwidgets=declared)

    handle = start(api, made)

    names = [each["name"] for each in handle["files"]]
    assert names == [
        "notebooks/z.txt",
        "empty/x.txt",
        "data/a.csv",
        "new/deep/y.txt",
        "out/new.txt",
        handle["notebook"],
    ]
    assert handle["files"][0]["title"] == "Last"
    assert read(api.runs.get_result_file(handle["id"], handle["files"][1]["id"])) == b"../empty/x.txt"
    assert (project / "data/a.csv").read_text() == "A"
    after = {str(each) for each in project.rglob("*")} - set(before)
    assert [Path(each).suffix for each in after] == [".ipynb"]


def test_a_failed_run_keeps_what_it_wrote_elsewhere_in_the_project(api: Api, project: Path) -> None:
    """Inputs that it did not change are not partial files."""
    handle = start(api, workflow(api, project / "notebooks", "open('../data/c.csv', 'w').write('C')\n1 / 0"))

    assert [each["name"] for each in handle["partialFiles"]] == ["data/c.csv", handle["notebook"]]


def test_a_change_in_the_project_is_another_version(api: Api, project: Path) -> None:
    """Also an added file, alone or in a new folder; a rerun has what the run had, and reuse notices it."""
    code = "import glob, os\nprint(*sorted(glob.glob('../data/*.csv')), os.path.exists('../later/x.txt'))"
    made = workflow(api, project / "notebooks", code)
    sweep: Any = {"reuse": True}
    first = start(api, made)
    (project / "data/c.csv").write_text("C")
    second = start(api, made)
    (project / "later").mkdir()
    (project / "later/x.txt").write_text("x")
    third = start(api, made)
    again = ended(api, api.runs.rerun(first["id"])["id"])
    reused = api.sweeps.start_sweep(group_of(made), [[]], sweep)

    logs = [api.runs.get_log(each["id"])["text"] for each in (first, second, third, again)]
    assert logs[0] == logs[3] == "../data/a.csv ../data/b.csv False\n"
    assert logs[1].split()[-2:] == ["../data/c.csv", "False"] and logs[2].endswith("True\n")
    assert len({each["version"] for each in (first, second, third)}) == 3
    assert reused["isDone"]


def test_results_of_a_sweep_lie_where_the_notebook_runs(api: Api, project: Path) -> None:
    """The parameter `runs` is relative to the notebook's folder."""
    made = workflow(api, project / "notebooks", "open('x.txt', 'w').write(str(x))", parameters="x = 1")
    sweep = api.sweeps.start_sweep(group_of(made), [arguments(x=1), arguments(x=2)])
    wait_until(lambda: api.sweeps.get_sweep(sweep["id"])["isDone"])
    code = "import glob\nopen('../data/a.csv')\nprint(len(glob.glob(f'{runs}/*/x.txt')))"
    collect = workflow(api, project / "notebooks", code, parameters="runs = ''")

    handle = start(api, collect, {"results_of": sweep["id"]})

    assert api.runs.get_log(handle["id"])["text"] == "2\n"


def test_the_invariants_of_a_run_hold_in_a_project(own: Instance, project: Path) -> None:
    """A declared output is found among the results, wherever it lies."""
    declared = {"outputs": [{"source": "z[1].txt"}, {"source": "../empty/*.txt"}]}
    cell = "for name in ('z[1].txt', '../empty/x.txt'):\n    open(name, 'w').write(name)"

    handle = start(own.api(), workflow(own.api(), project / "notebooks", cell, runwidgets=declared))

    names = [each["name"] for each in handle["files"]]
    assert names == ["notebooks/z[1].txt", "empty/x.txt", handle["notebook"]]


def test_the_working_folder_is_the_notebooks_own_if_nothing_leaves_it(api: Api, project: Path) -> None:
    """Result files have their plain names."""
    handle = start(
        api, workflow(api, project / "notebooks", "open('own.txt')\nopen('x.txt', 'w').write('x')")
    )

    assert [each["name"] for each in handle["files"]] == ["x.txt", handle["notebook"]]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("open('../.env')", "../.env"),
        ("open('../../above.txt')", "../../above.txt"),
        ("from pathlib import Path\nPath('../../above.txt').resolve().read_text()", "../../above.txt"),
        ("open('../linked/x.txt')", "../linked/x.txt"),
        ("open('txt.nwo'[::-1])", "own.txt"),
        ("name = 'besi' + 'de'\n__import__(name)", "beside.py"),
        (
            "try:\n    open('txt.nwo'[::-1])\nexcept OSError as e:\n    raise ValueError('no') from e",
            "own.txt",
        ),
    ],
    ids=["hidden", "above", "resolved", "link", "computed", "module", "cause"],
)
def test_what_a_run_would_find_in_the_notebooks_folder_is_hinted_at(
    api: Api, project: Path, tmp_path: Path, code: str, name: str
) -> None:
    """The last message names the path, and the config with which it is found."""
    (tmp_path / "x.txt").write_text("x")
    (project / "linked").symlink_to(tmp_path)
    (project / "notebooks/beside.py").write_text("")
    made = workflow(api, project / "notebooks", code)

    handle = start(api, made)

    assert handle["state"] == "ERROR"
    assert handle["messages"][-1] == (
        f"'{name}' exists beside the notebook, but the run has no copy of it; with the config "
        '{"cwd": "notebook"} it would run there and find it'
    )
    assert start(api, made, {"cwd": "notebook"})["state"] == "SUCCESS"


def test_a_path_that_is_nowhere_has_no_hint(api: Api, project: Path) -> None:
    """The messages are the exception and its traceback."""
    handle = start(api, workflow(api, project / "notebooks", "open('../data/nowhere.csv')"))

    assert len(handle["messages"]) == 2


@pytest.mark.parametrize("source", ["../../x.txt", "/x.txt", "../.."], ids=["above", "absolute", "folder"])
def test_an_output_outside_the_project_is_refused(api: Api, project: Path, source: str) -> None:
    """The error names it."""
    with pytest.raises(InvalidTemplateError, match=f"outputs: '{source}' is outside the project"):
        workflow(api, project / "notebooks", "1", runwidgets={"outputs": [{"source": source}]})
