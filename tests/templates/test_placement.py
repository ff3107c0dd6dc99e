from typing import Any

import pytest

from runwidgets.errors import InvalidArgumentError
from runwidgets.templates.placement import GivenFile, Placement

STATIC = {"data.csv": "own", "tables/old.csv": "own", "helpers.py": "own", "apart/note.txt": "own"}
"""SHA-256 of the files beside the notebook, by path."""


def given(parameter: str, name: str = "x.csv", sha256: str = "given", **more: Any) -> GivenFile:
    """Return an upload that is an argument."""
    return GivenFile(parameter=parameter, name=name, sha256=sha256, **more)


def place(*files: GivenFile, imports: tuple[str, ...] = ()) -> list[str]:
    """Place uploads beside `STATIC`."""
    return Placement(STATIC, imports).place(files)


@pytest.mark.parametrize(
    ("files", "paths"),
    [
        ([given("a"), given("b", "y.csv")], ["x.csv", "y.csv"]),
        ([given("a"), given("b")], ["a/x.csv", "b/x.csv"]),
        ([given("a"), given("b"), given("c", "a")], ["a-2/x.csv", "b/x.csv", "a"]),
        ([given("apart"), given("b")], ["apart-2/x.csv", "b/x.csv"]),
        ([given("a", target="in/"), given("b", target="in/y.csv")], ["in/x.csv", "in/y.csv"]),
        ([given("a"), given("b", target="x.csv")], ["a/x.csv", "x.csv"]),
        ([given("a"), given("b", target="x.csv/deep")], ["a/x.csv", "x.csv/deep"]),
        ([given("a", "data.csv", target="data.csv")], ["data.csv"]),
        ([given("a", target=".//tables/./old.csv")], ["tables/old.csv"]),
        ([given("a", "data.csv", sha256="own")], ["data.csv"]),
        ([given("a", "data.csv", sha256="own", is_used=True)], ["a/data.csv"]),
        ([given("a", is_used=True), given("b", "y.csv")], ["a/x.csv", "y.csv"]),
        ([given("a", target="x.csv", is_used=True)], ["x.csv"]),
        ([given("a", "data.csv", defaults=("./data.csv",))], ["a/data.csv"]),
        (
            [given("a", "numpy.py"), given("b", "json.py"), given("c", "numpy.txt")],
            ["a/numpy.py", "b/json.py", "numpy.txt"],
        ),
    ],
)
def test_every_upload_has_a_place_of_its_own(files: list[GivenFile], paths: list[str]) -> None:
    """A target is followed; a name that is taken, used, or found by an import gets a folder of its own."""
    assert place(*files, imports=("numpy.linalg",)) == paths


@pytest.mark.parametrize(
    "targets",
    [("a.csv", "a.csv"), ("a.csv", "./a.csv"), ("in//a.csv", "in/a.csv"), ("in/", "in/x.csv"), ("in/", "in/"),
     ("in", "in/x.csv"), ("in/x.csv", "in")],
)  # fmt: skip
def test_two_targets_that_exclude_each_other_are_refused(targets: tuple[str, str]) -> None:
    """One file would replace the other, or would be the folder of the other."""
    with pytest.raises(InvalidArgumentError, match=r"b: its file is to lie at .* and that of a at"):
        place(given("a", target=targets[0]), given("b", target=targets[1]))


@pytest.mark.parametrize(
    "file",
    [
        given("a", "data.csv"),
        given("a", "helpers.py"),
        given("a", "tables"),
        given("a", target="tables"),
        given("a", "old.csv", target="tables/"),
        given("a", target="data.csv/in.csv"),
        given("a", "data.csv", defaults=("other.csv",)),
    ],
)
def test_an_upload_that_would_cover_a_file_beside_the_notebook_is_refused(file: GivenFile) -> None:
    """The notebook would read the upload where it names the file."""
    with pytest.raises(InvalidArgumentError, match=r"a: its file .* would cover .* beside the notebook"):
        place(file)


def test_no_upload_gets_into_a_reserved_folder() -> None:
    """The folder has another name if a file or folder beside the notebook has its name."""
    placement = Placement(STATIC)

    assert placement.reserve("runs", "results") == "runs"
    assert placement.reserve("tables", "results") == "tables-2"
    assert placement.place([given("a", "runs")]) == ["a/runs"]
    with pytest.raises(
        InvalidArgumentError, match="a: its file is to lie at 'runs/x', and results at 'runs'"
    ):
        placement.place([given("a", target="runs/x")])


@pytest.mark.parametrize(
    ("file", "path"),
    [
        (given("a"), "x.csv"),
        (given("a", "a.csv"), "a.csv"),
        (given("a", "tools.py"), "a/tools.py"),
        (given("a", "package.py"), "a/package.py"),
        (given("a", target="out/"), "out/x.csv"),
        (given("out"), "x.csv"),
        (given("a", "own.csv", target="own.csv"), "own.csv"),
    ],
    ids=["plain", "elsewhere", "module", "package", "folder", "parameter", "named"],
)
def test_uploads_lie_where_the_notebook_runs_in_a_project(file: GivenFile, path: str) -> None:
    """Files elsewhere in the project are not covered, and their modules not hidden."""
    assert mirrored().place([file]) == [path]


@pytest.mark.parametrize(
    "file",
    [given("a", "own.csv"), given("a", "out"), given("a", "x", target="out"), given("a", "deep")],
    ids=["file", "folder", "named-folder", "outer-folder"],
)
def test_what_the_notebook_has_beside_it_in_a_project_is_not_covered(file: GivenFile) -> None:
    """Neither a file, nor a folder that the run needs, even if the target names it."""
    with pytest.raises(InvalidArgumentError, match="would cover"):
        mirrored().place([file])


def mirrored() -> Placement:
    """Return the placement of a notebook in the folder ``nb`` of a project."""
    static = dict.fromkeys(["nb/own.csv", "data/a.csv", "src/tools.py", "src/package/__init__.py"], "own")
    return Placement(static, place="nb", folders=[".", "data", "nb/out", "nb/deep/er"])
