import io
import math
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runwidgets.errors import InvalidArgumentError, InvalidTemplateError, UnknownFileError
from runwidgets.service.contracts.api import Api
from tests.builders import PYTHON, Json, arguments, ended, group_of, read, workflow

SHOW = "import runwidgets\nrunwidgets.record('seen', repr(x))"


def seen(api: Api, folder: Path, parameters: str, **values: Any) -> str:
    """Run a notebook with the parameter `x`, and return what it has there."""
    made = workflow(api, folder, SHOW, parameters=parameters)
    handle = ended(api, api.runs.start_run(group_of(made), arguments(**values))["id"])
    assert handle["state"] == "SUCCESS", handle.get("messages")
    return str(handle["metrics"]["seen"])


@pytest.mark.parametrize(
    ("parameters", "given", "expected"),
    [
        ("x = None", 1, "1"),
        ("x = None", "a", "'a'"),
        ("x = None", None, "None"),
        ("x = 1.0", math.nan, "nan"),
        ("x = 1.0", "NaN", "nan"),
        ("x = 1.0", "-Infinity", "-inf"),
        ("x = None", math.inf, "inf"),
        ("x = None", ["NaN", math.nan], "['NaN', nan]"),
        ("x: tuple[int, int] = (2, 3)", [4, 5], "(4, 5)"),
        ("x: set = {1}", [2, 2], "{2}"),
        ("x: int | None = 3", None, "None"),
        ("x = 24*60*60", 5, "5"),
        ("x: Literal['a', 'b'] = 'a'", "b", "'b'"),
    ],
)
def test_a_value_arrives_as_it_was_meant(
    api: Api, folder: Path, parameters: str, given: Any, expected: str
) -> None:
    """Whatever the notebook declares, or does not declare, about it."""
    assert seen(api, folder, parameters, x=given) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("x = 24*60*60", "86400"),
        ("import os\nx: str = os.environ.get('NOT_THERE', 'me')", "'me'"),
        ("y = 2\nx = y + 1", "3"),
        ("x = float('nan')", "nan"),
        ("x: tuple[int, int] = (2, 3)", "(2, 3)"),
        ("x: Annotated[int, Field(ge=1)] = 2", "2"),
        ("x: int | None", "None"),
    ],
)
def test_without_a_value_the_notebook_has_its_own(
    api: Api, folder: Path, parameters: str, expected: str
) -> None:
    """It is not injected, so that a computed one is computed."""
    assert seen(api, folder, parameters) == expected


def test_a_computed_value_is_computed_from_what_is_given(api: Api, folder: Path) -> None:
    """It is in the handle with its code, and in no cell that is injected."""
    made = workflow(api, folder, SHOW, parameters="import math\ny = 2\nx = math.sqrt(y)")
    parameters = {each["name"]: each for each in made["parameters"]}
    handle = ended(api, api.runs.start_run(group_of(made), arguments(y=9))["id"])
    notebook = nbformat.reads(read(api.runs.get_notebook(handle["id"])).decode(), as_version=4)
    (injected,) = [each for each in notebook.cells if "injected-parameters" in each.metadata.get("tags", [])]

    assert (parameters["x"]["computed"], parameters["x"]["source"]) == (True, "math.sqrt(y)")
    assert "defaultValue" not in parameters["x"] and not parameters["x"]["isRequired"]
    assert injected.source == "# Parameters\ny = 9\n"


@pytest.mark.parametrize(
    ("parameters", "given", "problem"),
    [
        ("x: tuple[int, int] = (2, 3)", [1, 2, 3], "x: must have 2 items, has 3"),
        ("x: tuple[int, str] = (2, 'a')", [1], "x: must have 2 items, has 1"),
        ("x: tuple[int, str] = (2, 'a')", ["b", "a"], r"x\[0\]: 'b' is not a whole number"),
        ("x: Annotated[float, Field(ge=0)] = 1", "NaN", "x: must be at least 0, got NaN"),
        ("x: Annotated[float, Field(le=1)] = 1", "Infinity", "x: must be at most 1, got Infinity"),
        ("x: Annotated[int, Field(multiple_of=5)] = 5", 7, "x: must be a multiple of 5, got 7"),
        ("x: Annotated[str, Field(min_length=2)] = 'ab'", "a", "x: must have at least 2 characters, has 1"),
        ("x: Annotated[str, Field(pattern='^a')] = 'ab'", "b", r"x: 'b' does not match the pattern \^a"),
        ("x: Annotated[list[int], Field(max_length=1)] = []", [1, 2], "x: must have at most 1 item, has 2"),
        ("x: int = 3", None, "x: no value was given"),
        ("x: int = f()", None, "x: no value was given"),
        ("x = 1", math.nan, "x: NaN is not a whole number"),
        ("x = 'a'", math.nan, "x: .* is not text"),
        ("x = None", {"type": "$file", "value": {"fileId": "f"}}, "x: an uploaded file is a value for"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    api: Api, folder: Path, parameters: str, given: Any, problem: str
) -> None:
    """Before anything runs, in words."""
    made = workflow(api, folder, SHOW, parameters=parameters)

    with pytest.raises(InvalidArgumentError, match=problem):
        api.runs.start_run(group_of(made), arguments(x=given))


def test_what_is_not_understood_is_in_the_handle(api: Api, folder: Path) -> None:
    """A workflow says it, and a run of it is not refused."""
    made = workflow(api, folder, SHOW, parameters="x: Annotated[int, Field(strict=True)] = 1")

    assert made["warnings"] == ["x: `strict=True` is not understood and not checked"]
    assert api.workflows.get_workflow(made["id"])["warnings"] == made["warnings"]


def test_a_list_of_files_arrives_as_paths(api: Api, folder: Path) -> None:
    """Each is an upload of the group."""
    cell = "x = [(type(each).__name__, each.read_text()) for each in x]\n" + SHOW
    made = workflow(api, folder, cell, parameters="from pathlib import Path\nx: list[Path] = []")
    contents = {"one.txt": io.BytesIO(b"one"), "two.txt": io.BytesIO(b"two")}
    uploads = [api.uploads.upload_file(group_of(made), each, name) for name, each in contents.items()]
    files = [{"type": "$file", "value": {"fileId": each["id"]}} for each in uploads]

    handle = ended(api, api.runs.start_run(group_of(made), arguments(x=files))["id"])

    assert handle["state"] == "SUCCESS", handle.get("messages")
    assert handle["metrics"]["seen"] == "[('PosixPath', 'one'), ('PosixPath', 'two')]"
    assert handle["arguments"] == arguments(x=files)
    with pytest.raises(UnknownFileError, match="no file 'nil'"):
        api.runs.start_run(group_of(made), arguments(x=[{"type": "$file", "value": {"fileId": "nil"}}]))


def several(folder: Path, *cells: Json) -> Path:
    """Write a notebook with several parameters cells."""
    made = [
        new_code_cell(source, metadata={"tags": tags}) for source, tags in (each.values() for each in cells)
    ]
    path = folder / f"several-{len(list(folder.iterdir()))}.ipynb"
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": PYTHON}), path)
    return path


def test_each_of_several_parameters_cells_is_followed_by_its_values(api: Api, folder: Path) -> None:
    """A value of the second would be overwritten after the first."""
    path = several(
        folder,
        {"source": "a = 1\nb = a * 10", "tags": ["parameters"]},
        {"source": "c = b + 1\nx = 0", "tags": ["parameters"]},
        {"source": "x = [a, b, c, x]\n" + SHOW, "tags": []},
    )
    made = api.workflows.create_workflow(str(path))

    for given, expected in (
        ({}, "[1, 10, 11, 0]"),
        ({"a": 2, "x": 5}, "[2, 10, 11, 5]"),
        ({"b": 7}, "[1, 7, 8, 0]"),
    ):
        handle = ended(api, api.runs.start_run(group_of(made), arguments(**given))["id"])
        assert handle["metrics"]["seen"] == expected


@pytest.mark.parametrize(
    ("cells", "given", "expected"),
    [
        (["p:x = 1", "p:y = 2", "i:y = 6", "{}"], {"y": 8}, "(1, 8)"),
        (["p:x = 1", "p:y = 2", "i:y = 6", "{}"], {}, "(1, 6)"),
        (["p:x = 1", "i:x = 4", "p:y = 2", "i:y = 6", "{}"], {"x": 3, "y": 8}, "(3, 8)"),
        (["p:x = 1", "z = x", "p:y = 2", "i:y = 6", "x = z\n{}"], {"x": 3}, "(3, 6)"),
        (["p:x = 0\ny = 2", "i:x = 5", "i:x = 9", "{}"], {"x": 3}, "(3, 2)"),
        (["p:x = 0\ny = 2", "i:x = 5", "i:x = 9", "{}"], {}, "(9, 2)"),
        (["i:x = 5", "p:x = 0\ny = 2", "{}"], {"y": 3}, "(0, 3)"),
        (["i:x = 5", "i:y = 6", "{}"], {"y": 8}, "(5, 8)"),
    ],
    ids=["second", "none", "both", "first", "two", "two-none", "before", "top"],
)
def test_the_values_of_earlier_runs_are_superseded(
    api: Api, folder: Path, cells: list[str], given: Json, expected: str
) -> None:
    """No injected cell of an output is left to overwrite an argument, however many there are."""
    tags = {"p:": ["parameters"], "i:": ["injected-parameters"]}
    show = SHOW.replace("repr(x)", "repr((x, y))")
    path = several(
        folder,
        *(
            {"source": each[2:] if each[:2] in tags else each.format(show), "tags": tags.get(each[:2], [])}
            for each in cells
        ),
    )
    made = api.workflows.create_workflow(str(path))

    handle = ended(api, api.runs.start_run(group_of(made), arguments(**given))["id"])

    assert handle["metrics"]["seen"] == expected


def test_a_name_in_two_parameters_cells_is_refused(api: Api, folder: Path) -> None:
    """Which of them a value is for cannot be known."""
    cells = [{"source": source, "tags": ["parameters"]} for source in ("a = 1", "b = 2\nif b: a = 3")]

    with pytest.raises(InvalidTemplateError, match="two of them assign a; assign it in one of them"):
        api.workflows.create_workflow(str(several(folder, *cells)))
