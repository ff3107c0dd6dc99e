import inspect
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import runwidgets as rw
from runwidgets.client.optimize import Search
from runwidgets.client.run_files import ResultFile

HEAD = """\
import runwidgets as rw
from runwidgets.client.optimize import Search
from runwidgets.client.run_files import ResultFile

def reveal(
    api: rw.Api, run: rw.Run, sweep: rw.Sweep, search: Search, file: ResultFile, space: rw.Space
) -> None:
"""
FRAME = """\
class DataFrame:
    columns: list[str]
class Index: ...
"""
"""What takes the place of pandas, which has no types of its own."""
OBJECTS = {"run": rw.Run, "sweep": rw.Sweep, "search": Search, "file": ResultFile, "space": rw.Space}


def public(cls: type) -> list[str]:
    """Return the names of the attributes that a class defines for its users."""
    own = {name for each in cls.__mro__ if each.__module__.startswith("runwidgets") for name in vars(each)}
    return sorted(name for name in own if not name.startswith("_"))


def questions() -> list[str]:
    """Return the expressions to reveal: public names, methods of services, attributes of objects."""
    services = {each.name: each.type for each in fields(rw.Api) if inspect.isabstract(each.type)}
    methods = [f"api.{name}.{each}" for name, cls in services.items() for each in public(cls)]
    return [
        *(f"rw.{name}" for name in rw.__all__),
        *(f"api.{each.name}" for each in fields(rw.Api)),
        *methods,
        *(f"{name}.{attribute}" for name, cls in OBJECTS.items() for attribute in public(cls)),
        "api.runs.start_run('', [])",
        "run.handle['arguments']",
        "space[0]",
    ]


@pytest.fixture(scope="module")
def revealed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the type that mypy reveals for each expression."""
    folder = tmp_path_factory.mktemp("types")
    asked = questions()
    (folder / "pandas").mkdir()
    (folder / "pandas/__init__.pyi").write_text(FRAME)
    (folder / "asked.py").write_text(HEAD + "".join(f"    reveal_type({each})\n" for each in asked))
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--follow-imports=silent", "asked.py"],
        cwd=folder,
        env={"MYPYPATH": f"{folder}:{Path(rw.__file__).parents[1]}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r'^asked\.py:(\d+): note: Revealed type is "(.*)"$', checked.stdout, re.M)
    first = HEAD.count("\n") + 1
    assert len(found) == len(asked), checked.stdout + checked.stderr
    return {asked[int(line) - first]: told for line, told in found}


def test_the_public_api_has_types(revealed: dict[str, str]) -> None:
    """An editor can complete and check code that uses it."""
    told = {each: text.replace("def (*Any, **Any)", "def (...)") for each, text in revealed.items()}
    untyped = [f"{each}: {text}" for each, text in told.items() if re.search(r"\bAny\b", text)]

    assert untyped == []


def test_what_starts_a_run_returns_its_handle(revealed: dict[str, str]) -> None:
    """A key that a handle does not have is an error for the type checker."""
    told = revealed["api.runs.start_run('', [])"]

    assert "RunHandle" in told
