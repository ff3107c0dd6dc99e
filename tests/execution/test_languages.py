import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runwidgets.errors import InvalidArgumentError
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import open_instance
from tests.builders import Json, arguments, ended, group_of, read

BASH = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]


@dataclass(frozen=True)
class Language:
    """A kernel in another language, and a notebook whose last cell prints its parameters."""

    kernelspec: Json
    parameters: str
    prints: str


R = Language(
    {"name": "ir", "display_name": "R", "language": "R"},
    'number <- 1\ntext <- "x"  # a text\nitems <- c(1, 2)\nlater <- number * 2\nflag <- TRUE',
    "cat(number, text, unlist(items), later, flag)",
)
SHELL = Language(
    {"name": "shell", "display_name": "bash", "language": "bash"},
    "number=1\ntext='x'  # a text\nitems=(1 2)\nlater=$((number * 2))\nflag=true",
    'printf "%s " $number "$text" "${items[@]}" $later $flag',
)
HOSTILE = ['it\'s "é" $(id) `id` $HOME \\n \\ %s !x', "☃ 😀", "two\nlines", "a\ttab", "'", "\\", "x' y", ""]
"""Texts that are code, an escape or an end of the text somewhere."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Open an instance that knows a kernel of bash; R's is installed for all users."""
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "kernels/shell").mkdir(parents=True)
    spec = {"argv": BASH, "display_name": "bash", "language": "bash", "env": {"PS1": "$"}}
    (folder / "kernels/shell/kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        known = os.environ.get("JUPYTER_PATH")
        patch.setenv("JUPYTER_PATH", os.pathsep.join(filter(None, [str(folder), known])))
        instance = open_instance(tmp_path_factory.mktemp("languages") / "root", slots=2)
        yield instance.api()
        instance.close()


def write(folder: Path, language: Language, prints: str | None = None) -> Path:
    """Write the notebook of a language."""
    parameters = new_code_cell(language.parameters, metadata={"tags": ["parameters"]})
    cells = [parameters, new_code_cell(prints or language.prints)]
    path = folder / "n.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": language.kernelspec}), path)
    return path


def run(api: Api, path: Path, **values: Any) -> Json:
    """Run a notebook to its end."""
    made = api.workflows.create_workflow(str(path))
    return ended(api, api.runs.start_run(group_of(made), arguments(**values))["id"])


def sources(notebook: Any) -> list[str]:
    """Return the code of all cells."""
    return [cell.source for cell in notebook.cells]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", [R, SHELL], ids=["R", "bash"])
@pytest.mark.parametrize(
    "values",
    [{}, {"number": 5}, {"text": "a b", "flag": False, "items": [3, 4, 5]}],
    ids=["none", "one", "some"],
)
def test_a_notebook_gets_its_values_as_papermill_gives_them(
    api: Api, tmp_path: Path, language: Language, values: Json
) -> None:
    """The injected cell and what the notebook prints are the same; a vector of R stays one."""
    path = write(tmp_path, language)

    handle = run(api, path, **values)
    theirs = papermill.execute_notebook(
        path, tmp_path / "out.ipynb", values, progress_bar=False, cwd=tmp_path
    )

    assert handle["state"] == "SUCCESS", handle.get("messages")
    ours = nbformat.reads(read(api.runs.get_notebook(handle["id"])).decode(), as_version=4)
    assert sources(ours) == [each.replace("items = list(", "items = c(") for each in sources(theirs)]
    assert ours.cells[-1].outputs[0].text.split() == theirs.cells[-1].outputs[0].text.split()


@pytest.mark.parametrize("language", [R, SHELL], ids=["R", "bash"])
def test_the_parameters_of_a_cell_are_read(api: Api, tmp_path: Path, language: Language) -> None:
    """They have types, defaults and help; a computed one shows its code."""
    handle = api.workflows.create_workflow(str(write(tmp_path, language)))
    parameters = {each["name"]: each for each in handle["parameters"]}

    assert list(parameters) == ["number", "text", "items", "later", "flag"]
    assert [parameters[name]["dtype"] for name in ("text", "items", "later", "flag")] == [
        "string",
        "list",
        "any",
        "bool",
    ]
    assert parameters["number"]["defaultValue"] == 1
    assert parameters["text"]["help"] == "a text"
    assert "number * 2" in parameters["later"]["source"]


@pytest.mark.parametrize(
    ("language", "writes"),
    [
        (
            replace(R, parameters="items <- list()"),
            "bytes <- lapply(items, function(text) c(charToRaw(enc2utf8(text)), as.raw(0)))\n"
            "writeBin(unlist(bytes), 'items.bin')",
        ),
        (replace(SHELL, parameters="items=()"), 'printf "%s\\0" "${items[@]}" > items.bin'),
    ],
    ids=["R", "bash"],
)
def test_a_text_arrives_as_it_is(api: Api, tmp_path: Path, language: Language, writes: str) -> None:
    """Nothing in it is executed, escaped or lost."""
    path = write(tmp_path, language, writes)

    handle = run(api, path, items=HOSTILE)

    assert handle["state"] == "SUCCESS", handle.get("messages")
    file = next(each for each in handle["files"] if each["name"] == "items.bin")
    written = read(api.runs.get_result_file(handle["id"], file["id"])).decode()
    assert written.split("\0")[:-1] == HOSTILE


@pytest.mark.parametrize(
    ("default", "given", "shown"),
    [
        ("c(1, 2)", [3, 4], "numeric 3 4"),
        ("c('a')", ["b", "c"], "character b c"),
        ("c()", ["b", None], "character b NA"),
        ("c(TRUE)", [False, True], "logical FALSE TRUE"),
        ("c()", ["a", 1], "list a 1"),
        ("c(1)", [], "NULL "),
        ("1:3", [4], "numeric 4"),
        ("c(length(letters), 2)", [4, 5.5], "numeric 4 5.5"),
        ("list(1, 2)", [3, 4], "list 3 4"),
    ],
)
def test_a_vector_of_r_stays_a_vector(
    api: Api, tmp_path: Path, default: str, given: list[Any], shown: str
) -> None:
    """A list that takes the place of a vector is one, unless its items have several types."""
    path = write(tmp_path, replace(R, parameters=f"items <- {default}"), "cat(class(items), paste(items))")

    handle = run(api, path, items=given)

    assert handle["state"] == "SUCCESS", handle.get("messages")
    assert api.runs.get_log(handle["id"])["text"].rstrip(" ") == shown.rstrip(" ")


def test_nan_and_infinity_have_the_names_of_the_language(api: Api, tmp_path: Path) -> None:
    """In R they are numbers."""
    path = write(tmp_path, R, "cat(is.nan(number), is.infinite(unlist(items)))")

    handle = run(api, path, number="NaN", items=["Infinity", "-Infinity", 1])

    assert api.runs.get_log(handle["id"])["text"] == "TRUE TRUE TRUE FALSE"


def test_a_value_that_the_language_has_no_form_for_is_refused(api: Api, tmp_path: Path) -> None:
    """It would fail when the run begins."""
    with pytest.raises(
        InvalidArgumentError, match=r"later: a record or a list of lists cannot be given .* in bash"
    ):
        run(api, write(tmp_path, SHELL), later={"a": 1})
