"""The magics: a sweep from the cell that it runs, a run from one line."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import runwidgets as rw
from runwidgets.client import connect as client
from runwidgets.client.magics import OPTIONS, WORDS, complete, parse_line
from tests.builders import write_notebook
from tests.conftest import JupyterServer

CELL = "import runwidgets\nrunwidgets.record('loss', lr * depth)\nprint(model)"


@pytest.fixture
def shell(server: JupyterServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """Open a shell whose kernel belongs to the server, with the magics loaded."""
    monkeypatch.setenv("RUNWIDGETS_URL", server.url)
    monkeypatch.setenv("RUNWIDGETS_TOKEN", server.token)
    monkeypatch.chdir(folder)
    shell: InteractiveShell = InteractiveShell()
    shell.run_line_magic("load_ext", "runwidgets")
    yield shell
    rw.connect().close()
    client._default.cache_clear()


def test_a_cell_runs_at_every_point_and_its_sweep_is_named(shell: InteractiveShell, folder: Path) -> None:
    """The line may use the user's own names, and mix whole and decimal numbers of one parameter."""
    shell.user_ns["depths"] = [2, 3]

    sweep = shell.run_cell_magic("sweep", "name=study lr=[1, 0.5] depth=depths model='tree'", CELL)

    assert shell.user_ns["study"] is sweep and isinstance(sweep, rw.Sweep)
    frame = sweep.wait(60).to_frame()
    assert frame["loss"].tolist() == [2.0, 3.0, 1.0, 1.5] and sweep.name == "study"
    parameters = next(iter(sweep)).notebook.cells[0].source
    assert parameters.splitlines()[1:] == ["lr = 1.0", "depth = 2", "model = 'tree'"]
    assert not list(folder.glob("*.sweep.ipynb"))
    again = shell.run_cell_magic("sweep", "lr=[1, 0.5] depth=depths model='tree' name=study reuse=True", CELL)
    assert {row["id"] for row in again.wait(60).points()} == set(frame["run"])
    assert next(iter(sweep)).rerun().wait(60).metrics == {"loss": 2.0}


def test_a_cell_runs_at_the_points_of_a_space(shell: InteractiveShell) -> None:
    """The space may contain dates and files."""
    shell.user_ns["my"] = rw.zip(day=[datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)], n=[1, 2])

    sweep = shell.run_cell_magic(
        "sweep", "space=my", "import runwidgets\nrunwidgets.record('d', day.day * n)"
    )

    assert sweep.wait(60).to_frame()["d"].tolist() == [1, 4] and "cell" not in shell.user_ns


def test_a_line_runs_a_notebook(shell: InteractiveShell, folder: Path) -> None:
    """The path may contain spaces."""
    path = write_notebook(
        folder / "a line.ipynb", "import runwidgets\nrunwidgets.record('y', 2 * x)", parameters="x = 1"
    )

    run = shell.run_line_magic("run_workflow", f"'{path.name}' x=3 + 4")

    assert run.wait(60).metrics == {"y": 14}


def test_parameters_have_tab_completion(shell: InteractiveShell, folder: Path) -> None:
    """The completions are the parameters of the named notebook, or notebooks if none is named."""
    write_notebook(folder / "completion.ipynb", "1", parameters="rate = 0.1\ndepth = 3")

    def offered(line: str) -> list[str]:
        return complete(shell, SimpleNamespace(line=line, symbol=""))

    assert offered("%run_workflow completion.ipynb ") == ["rate=", "depth="]
    assert "completion.ipynb" in offered("%run_workflow ")
    assert offered("%%sweep ") == [f"{name}=" for name in OPTIONS]
    line = "%run_workflow completion.ipynb ra"
    with provisionalcompleter():
        found = {each.text for each in shell.Completer.completions(line, len(line))}
    assert "rate=" in found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("a=1", {"a": 1}),
        ("a=[1, 2] b = range(3)", {"a": [1, 2], "b": range(3)}),
        ("a='x b=2' b=\"y = z\"", {"a": "x b=2", "b": "y = z"}),
        ("a=dict(b=1, c=[2]) d=1 == 1", {"a": {"b": 1, "c": [2]}, "d": True}),
        ("a='tree', b=known", {"a": "tree", "b": 5}),
        ("name=known on_error=stop", {"name": "known", "on_error": "stop"}),
    ],
)
def test_items_of_a_line_are_python_values(line: str, expected: dict[str, Any]) -> None:
    """The value of some options is a word."""
    assert parse_line(line, {"known": 5}, WORDS) == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lr", "'lr': write arguments as name=value"),
        ("1 a=2", "'1': write arguments as name=value"),
        ("a=1 a=2", "a: it is given twice"),
        ("a=[1", "a: '[1' is not a value: '[' was never closed"),
        ("a=", "a: '' is not a value: invalid syntax"),
        ("a=unknown(1)", "a: unknown(1) raised NameError: name 'unknown' is not defined"),
        ("a=unknown", "a: there is no variable unknown; for text write a='unknown'"),
        ("a=[unknown, 2]", "a: [unknown, 2] raised NameError: name 'unknown' is not defined"),
        ("a=unknown.b", "a: unknown.b raised NameError: name 'unknown' is not defined"),
        ("name=study", "name: there is no variable study; for text write name='study'"),
    ],
)
def test_an_invalid_item_is_named(line: str, said: str) -> None:
    """The error also says what would be right."""
    with pytest.raises(UsageError) as raised:
        parse_line(line, {})
    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "give at least one parameter"),
        ("name='my study' a=1", "name='my study' is not a valid variable name"),
        ("a=[]", "a: it has no values"),
        ("a=[1, 'b']", "point 2: a: 'b' is not a whole number"),
        ("a=1 parallel=0", "config.parallel: it must be a whole number from 1"),
        ("a=unknown", "a: there is no variable unknown; for text write a='unknown'"),
        ("space=unknown", "space: there is no variable unknown"),
        ("a=1 on_error=unknown", "config.on_error: it must be 'continue' or 'stop'"),
    ],
)
def test_a_cell_without_a_sweep_raises_a_usage_error(shell: InteractiveShell, line: str, said: str) -> None:
    """The error has no traceback through the package, and no notebook is left."""
    with pytest.raises(UsageError, match=said):
        shell.run_cell_magic("sweep", line, "1")
    assert not list(Path.cwd().glob("*.sweep.ipynb"))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("x = 1\nfor", "the cell has an error in line 2: invalid syntax"),
        ("def f():\nreturn 1", "the cell has an error in line 2: expected an indented block"),
        ("return 1", "the cell has an error in line 1: 'return' outside function"),
        ("x = '\0'", "the cell "),
    ],
)
def test_a_cell_that_is_not_python_starts_nothing(shell: InteractiveShell, cell: str, said: str) -> None:
    """No workflow is made of it."""
    before = rw.connect().workflows.list_workflows()

    with pytest.raises(UsageError, match=said):
        shell.run_cell_magic("sweep", "name=wrong a=[1, 2]", cell)

    assert rw.connect().workflows.list_workflows() == before
    assert "wrong" not in shell.user_ns and not list(Path.cwd().glob("*.sweep.ipynb"))


def test_a_cell_may_use_what_ipython_allows(shell: InteractiveShell) -> None:
    """Magics, commands and await are not syntax errors."""
    cell = "%time a\n!true\nimport asyncio\nawait asyncio.sleep(0)\na?\nprint('\\d')"

    assert shell.run_cell_magic("sweep", "a=[1]", cell).wait(60).counts["SUCCESS"] == 1


def test_an_interrupt_leaves_no_notebook(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come while the sweep is being started."""
    with monkeypatch.context() as patched:
        patched.setattr("runwidgets.client.magics.sweep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            shell.run_cell_magic("sweep", "a=[1]", "1")

    assert not list(Path.cwd().glob("*.sweep.ipynb"))


def interrupt(path: Path, *_: object, **__: object) -> None:
    """Interrupt a magic whose notebook is there."""
    assert path.exists()
    raise KeyboardInterrupt


def test_a_file_of_the_same_name_is_kept(shell: InteractiveShell, folder: Path) -> None:
    """It may be a notebook of the user."""
    path = folder / "own.sweep.ipynb"
    path.write_text("mine")

    with pytest.raises(UsageError, match=r"there is a file own\.sweep\.ipynb already; delete it"):
        shell.run_cell_magic("sweep", "name=own a=[1]", "1")
    assert path.read_text() == "mine"
    path.unlink()


def test_a_name_that_does_not_exist_starts_no_run(shell: InteractiveShell, folder: Path) -> None:
    """Neither an argument of a notebook nor the notebook itself."""
    path = write_notebook(folder / "names.ipynb", "1", parameters="x = ''\nname = ''")

    for line, said in {
        f"{path.name} x=tree": "x: there is no variable tree; for text write x='tree'",
        f"{path.name} name=tree": "name: there is no variable tree; for text write name='tree'",
        "nowhere.ipynb": "there is no such notebook",
        "nowhere": "there is no such workflow",
    }.items():
        with pytest.raises(UsageError, match=said):
            shell.run_line_magic("run_workflow", line)


def test_a_sweep_may_begin_with_nan(shell: InteractiveShell) -> None:
    """The default of the parameter is then another value."""
    shell.user_ns["nan"] = float("nan")

    sweep = shell.run_cell_magic("sweep", "a=[nan, 0.5]", "import runwidgets\nrunwidgets.record('a', a)")

    assert str(sweep.wait(60).to_frame()["a"].tolist()) == "[nan, 0.5]"
