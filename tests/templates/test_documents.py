import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from runwidgets.errors import ConstraintViolationError, InvalidParameterError, InvalidTemplateError
from runwidgets.schema import StaticFile
from runwidgets.templates.notebook import read_template
from runwidgets.templates.surroundings.fingerprint import fingerprint
from tests.builders import PYTHON, wait_until, write_notebook

Json = dict[str, Any]


def code(source: Any = "x = 1", **more: Any) -> Json:
    """Return a tagged code cell as in a file."""
    cell = {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": source}
    return {**cell, "outputs": [], "execution_count": None, **more}


def write(folder: Path, **more: Any) -> Path:
    """Write a notebook as JSON, valid or not."""
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": PYTHON}, "cells": [code()]}
    path = folder / "n.ipynb"
    path.write_text(json.dumps({**content, **more}))
    return path


def declare(folder: Path, source: str = "x = 1", **section: Any) -> Path:
    """Write a notebook with a `runwidgets` section."""
    return write(folder, metadata={"kernelspec": PYTHON, "runwidgets": section}, cells=[code(source)])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"5",
        b"null",
        b"[" * 100_000,
        b'{"nbformat": NaN}',
        b'{"nbformat": true}',
        b'{"nbformat": 4}',
        '{"nbformat": 4}'.encode("utf-16"),
        b'{"nbformat": 4, "cells": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
    ids=["empty", "binary", "number", "null", "deep", "nan", "true", "bare", "utf-16", "deep cells"],
)
def test_bytes_that_are_not_a_notebook_are_refused(tmp_path: Path, content: bytes) -> None:
    """The error is a sentence."""
    path = tmp_path / "n.ipynb"
    path.write_bytes(content)

    with pytest.raises(InvalidTemplateError, match=r"n\.ipynb"):
        read_template(path)


@pytest.mark.parametrize(
    "more",
    [
        {"cells": "abc"},
        {"cells": [1]},
        {"cells": None},
        {"cells": [code(source=5)]},
        {"cells": [code(metadata=[])]},
        {"metadata": []},
        {"metadata": {"kernelspec": "x"}},
        {"metadata": {"kernelspec": {"display_name": "x"}}},
        {"metadata": {"kernelspec": PYTHON, "runwidgets": 5}},
        {"nbformat_minor": "x"},
        {"nbformat": -1},
        {"cells": [code("x = (")]},
        {"cells": [code("x = " + "[" * 5000)]},
        {"cells": [code("x = " + "9" * 5000)]},
        {"cells": [code("x = 1\0")]},
        {"cells": [code("x = '\ud800'")]},
    ],
    ids=repr,
)
def test_a_notebook_with_malformed_parts_is_refused(tmp_path: Path, more: Json) -> None:
    """No part is trusted to have its expected type."""
    with pytest.raises(InvalidTemplateError, match=r"n\.ipynb"):
        read_template(write(tmp_path, **more))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"parametrs": []}, "'parametrs' is unknown"),
        ({"parameters": [5]}, "its declaration needs a name"),
        ({"parameters": [{"name": "x"}, {"name": "x"}]}, "parameter 'x': it is declared twice"),
        ({"parameters": [{"name": "x", "range": "[2,3]"}]}, "its default: must be 2 to 3, got 1"),
        ({"outputs": [{"source": "../x"}]}, "is outside the project"),
        ({"outputs": [{"title": "x"}]}, "each needs a source"),
        ({"outputs": [{"source": "x", "title": 5}]}, "described by strings"),
        ({"results": {"schema": [{"label": "x"}]}}, "each needs a name"),
        ({"results": {"columns": []}}, "results: only 'schema' and 'orderBy' are allowed"),
        ({"results": {"schema": {}}}, "results.schema: it must be a list"),
        ({"results": {"orderBy": "loss"}}, "results.orderBy: it must be a list"),
        ({"results": {"schema": [{"name": "a"}, {"name": "a"}]}}, "results.schema: 'a' is declared twice"),
        (
            {"results": {"schema": [{"name": "a", "dtype": "number"}]}},
            "'a' has the unknown dtype 'number'; use int, float, bool",
        ),
        (
            {"results": {"schema": [{"name": "a", "direction": "up"}]}},
            "'a' has the unknown direction 'up'; use minimize, maximize",
        ),
        ({"results": {"schema": [{"name": "a", "label": 5}]}}, "'a': its label must be a string"),
        ({"results": {"schema": [{"name": "a", "unit": "m"}]}}, "'a': 'unit' is unknown"),
        ({"results": {"schema": [{"name": "a"}], "orderBy": ["a"]}}, "orderBy: 'a' has no direction"),
        ({"results": {"schema": [{"name": "a"}], "orderBy": ["b:asc"]}}, "'b' is not in results.schema"),
        ({"results": {"orderBy": [5]}}, "orderBy: 5 is not the name of a metric"),
        ({"files": [5]}, "each must be a string with a path or glob"),
        ({"parameterGroups": ["g"]}, "each needs a name"),
        ({"name": "a\0b"}, "NUL"),
        ({"name": "\ud800"}, "half a character"),
    ],
)
def test_a_wrong_section_is_refused_in_words(tmp_path: Path, section: Json, said: str) -> None:
    """It could otherwise break a page or a query."""
    with pytest.raises(ConstraintViolationError, match=said):
        read_template(declare(tmp_path, **section))


@pytest.mark.parametrize("name", ["a\0b.ipynb", "\ud800.ipynb", "x" * 300 + ".ipynb", "loop.ipynb", ""])
@pytest.mark.parametrize("is_rooted", [True, False])
def test_an_impossible_path_is_refused(tmp_path: Path, name: str, is_rooted: bool) -> None:
    """The error is that of a template, and reveals no folder."""
    (tmp_path / "loop.ipynb").symlink_to("loop.ipynb")

    with pytest.raises(InvalidTemplateError) as refused:
        read_template(tmp_path / name, root=tmp_path if is_rooted else None)

    assert str(tmp_path.parent) not in str(refused.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_notebook_is_refused(tmp_path: Path) -> None:
    """The error is that of the path, not of the instance."""
    path = write(tmp_path)
    path.chmod(0)

    with pytest.raises(InvalidTemplateError, match="cannot be read"):
        read_template(path)


@pytest.mark.parametrize(
    "cells",
    [[{**code(), "id": None}], [code(), code(metadata={})], [code(id="a b/<>")], [code(id="x" * 65)]],
    ids=["none", "twice", "signs", "long"],
)
def test_missing_cell_ids_are_generated_deterministically(tmp_path: Path, cells: list[Json]) -> None:
    """An unchanged notebook keeps its hash."""
    cells = [
        {key: value for key, value in cell.items() if value is not None or key != "id"} for cell in cells
    ]
    path = write(tmp_path, cells=cells, nbformat_minor=5)

    first, second = read_template(path), read_template(path)

    assert first.hash([]) == second.hash([])
    nbformat.validate(first.notebook)
    assert len({cell.id for cell in first.notebook.cells}) == len(cells)


def test_the_hash_depends_on_the_content_of_every_input(tmp_path: Path) -> None:
    """A changed helper makes another version."""
    template = read_template(write(tmp_path, cells=[code("import helper")]))
    one, other = (
        StaticFile(path="helper.py", sha256=sha256, size=1, mtime=0, isExecutable=False)
        for sha256 in ("a" * 64, "b" * 64)
    )

    assert template.hash([one]) == template.hash([one]) != template.hash([other]) != template.hash([])


def test_the_fingerprint_depends_on_every_input(tmp_path: Path) -> None:
    """A file that was changed in place is noticed, even if its size and its time are what they were."""
    path = write(tmp_path, cells=[code("import helper")])
    helper = tmp_path / "helper.py"
    helper.write_text("A = 1")
    before, about = fingerprint(path, [helper]), helper.stat()

    wait_until(lambda: (helper.write_text("A = 2"), helper.stat().st_ctime_ns)[1] != about.st_ctime_ns)
    os.utime(helper, ns=(about.st_atime_ns, about.st_mtime_ns))

    assert helper.stat().st_mtime_ns == about.st_mtime_ns
    assert fingerprint(path, [helper]) != before


@pytest.mark.parametrize(
    ("source", "declared", "injected"),
    [
        ("x = 1", {"name": "x", "label": "X"}, {}),
        ("x = 1", {"name": "x", "defaultValue": None}, {"x": None}),
        ("x = 0", {"name": "x", "dtype": "bool", "defaultValue": False}, {"x": False}),
        ("x: int | None", {"name": "x", "label": "X"}, {"x": None}),
        ("x: int = f()", {"name": "x", "label": "X"}, {}),
        ("x: int = f()", {"name": "x", "defaultValue": 2}, {"x": 2}),
        ("x: int = Field(3, ge=1)", {"name": "x", "label": "X"}, {"x": 3}),
        ("x = f()", {"name": "x", "dtype": "int"}, {}),
        ("x: float", {"name": "x", "isRequired": False}, {"x": None}),
        ("x = float('nan')", {"name": "x", "label": "X"}, {}),
        ("x = 1.0", {"name": "x", "defaultValue": "NaN"}, {"x": "NaN"}),
        ("k = ''", {"name": "k", "secret": True}, {}),
    ],
)
def test_the_notebook_gets_every_default_that_it_does_not_set(
    tmp_path: Path, source: str, declared: Json, injected: Json
) -> None:
    """Nothing else is injected, so a run without arguments executes the notebook unchanged."""
    assert read_template(declare(tmp_path, source, parameters=[declared])).defaults == injected


def test_a_secret_has_no_default_that_would_be_stored(tmp_path: Path) -> None:
    """Defaults are stored with each run."""
    declared = {"name": "k", "dtype": "string", "secret": True, "defaultValue": "hunter2"}

    with pytest.raises(InvalidParameterError, match="a secret cannot have a default"):
        read_template(declare(tmp_path, "k = ''", parameters=[declared]))


@pytest.mark.parametrize("name", ["class", "a.b"])
def test_a_name_that_python_cannot_assign_to_is_refused(tmp_path: Path, name: str) -> None:
    """Other languages have it; here the injected cell would be a syntax error."""
    declared = {"name": name, "dtype": "int"}

    with pytest.raises(InvalidParameterError, match="Python identifier and not a keyword"):
        read_template(declare(tmp_path, "from settings import *", parameters=[declared]))


def test_names_that_the_cell_does_not_show_can_be_declared(tmp_path: Path) -> None:
    """A cell may assign them in a way that cannot be read."""
    for source in ("from settings import *", "%run settings.py", "globals()['y'] = 1", "if a:\n    y = 1"):
        template = read_template(declare(tmp_path, source, parameters=[{"name": "y", "dtype": "int"}]))
        assert "y" in [each.name for each in template.parameters]


@pytest.mark.parametrize("source", ["x = 1", "# y = 1", "def f():\n    y = 1", "[y for y in range(3)]"])
def test_a_declaration_that_no_cell_assigns_is_refused(tmp_path: Path, source: str) -> None:
    """Another cell could assign it, and overwrite the argument."""
    declared = [{"name": "y", "dtype": "int"}]
    untagged = write(
        tmp_path,
        cells=[code("y = 1", metadata={})],
        metadata={"kernelspec": PYTHON, "runwidgets": {"parameters": declared}},
    )
    with pytest.raises(InvalidTemplateError, match=r"'y'.* no cell tagged 'parameters' assigns it"):
        read_template(untagged)
    with pytest.raises(InvalidTemplateError, match=r"'y'.* no cell tagged 'parameters' assigns it"):
        read_template(declare(tmp_path, source, parameters=declared))


def test_parameters_need_a_language_that_they_can_be_set_in(tmp_path: Path) -> None:
    """Otherwise the run would fail, or use the notebook's own values."""
    spec = {"name": "ihaskell", "display_name": "Haskell", "language": "haskell"}
    section = {"parameters": [{"name": "x", "dtype": "int"}]}

    with pytest.raises(InvalidTemplateError, match="haskell"):
        read_template(
            write(tmp_path, metadata={"kernelspec": spec, "runwidgets": section}, cells=[code(metadata={})])
        )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# Title #\n\nWords\nand more.\n\nNext", ("Title", "Words and more.")),
        ("```\n# no title\n```\n## Title\n- list", ("Title", None)),
        ("# " + "x" * 1000, ("x" * 255, None)),
        ("# T" + " " * 1_000_000 + "x", ("T".ljust(255), None)),
        ("no title", ("n", None)),
        ("# a\0b", ("n", None)),
    ],
    ids=["plain", "fenced", "long", "spaces", "none", "nul"],
)
def test_the_first_heading_is_the_name(tmp_path: Path, text: str, found: tuple[str, str | None]) -> None:
    """The paragraph below it is the description."""
    cell = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": text}

    template = read_template(write(tmp_path, cells=[cell]))

    assert (template.name, template.description) == found


def test_a_template_says_what_the_handle_shows(tmp_path: Path) -> None:
    """Only declared keys are included, and the notebook is the stored one."""
    path = write_notebook(
        tmp_path / "n.ipynb", "1", parameters="x = 1", runwidgets={"outputs": [{"source": "*.png"}]}
    )

    template = read_template(path)

    assert set(template.to_json()) == {"name", "description", "parameters", "outputs"}
    assert nbformat.reads(template.content.decode(), as_version=4) == template.notebook
