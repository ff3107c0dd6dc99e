"""Files that belong to those that are named, and warnings about what runs do not get."""

from pathlib import Path

import pytest

from runwidgets.limits import Limits
from runwidgets.templates.surroundings.static_files import find_static_files


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """Return a notebook in a folder of a project with data and a package."""
    files = (
        "pyproject.toml",
        "raw/a.csv",
        "data/a.csv",
        "data/b.csv",
        "package/__init__.py",
        "package/x.json",
    )
    for name in files:
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text("")
    (tmp_path / "project/sub").mkdir()
    return tmp_path / "project/sub/n.ipynb"


@pytest.fixture
def linked(notebook: Path) -> Path:
    """Add links to folders and files, in the project and out of it."""
    top = notebook.parent.parent
    outside = top.parent / "outside"
    outside.mkdir()
    (outside / "x.csv").write_text("")
    (top / "all").mkdir()
    for name, target in {"in": "../raw", "out": outside, "x.csv": outside / "x.csv", "up": ".."}.items():
        (top / "all" / name).symlink_to(target)
    (top / "raw/back").symlink_to("../all")
    return notebook


def warned(warnings: list[str]) -> dict[str, str]:
    """Return warnings by what they name."""
    pairs = (each.split("': ", 1) for each in warnings)
    return {name.lstrip("'"): problem for name, problem in pairs}


@pytest.mark.parametrize("code", ["os.walk('../all')", "glob('../all/**/*.csv')"], ids=["folder", "glob"])
def test_what_linked_folders_hold_is_copied_if_it_is_in_the_project(linked: Path, code: str) -> None:
    """What leads out of it, or to a folder in which the link lies, is a warning."""
    found = find_static_files(linked, [code])

    problems = warned(found.warnings)
    assert found.files == ["all/in/a.csv"]
    assert problems["../all/out"].startswith("it is a link that leads out of the project")
    assert problems["../all/x.csv"] == problems["../all/out"]
    assert problems["../all/up"].startswith("it is a link to a folder in which it lies itself")
    assert problems["../all/in/back"] == problems["../all/up"]


def test_a_named_link_that_leads_out_of_the_project_is_a_warning(linked: Path) -> None:
    """A file, a folder, and what is below one."""
    for name in ("../all/x.csv", "../all/out", "../all/out/x.csv"):
        found = find_static_files(linked, [f"open({name!r})"])
        link = name.removesuffix("out/x.csv") + "out" if "out/" in name else name
        assert (found.files, list(warned(found.warnings))) == ([], [link])


@pytest.mark.parametrize(
    ("named", "companions"),
    [
        ("a.shp", ["a.dbf", "a.prj", "a.shp.xml", "a.shx"]),
        ("a.SHP", ["a.DBF"]),
        ("a.sqlite", ["a.sqlite-wal"]),
        ("a.db", ["a.db-journal"]),
        ("a.mbtiles", ["a.mbtiles-wal"]),
        ("History", ["History-journal", "History-wal"]),
        ("a.duckdb", ["a.duckdb.wal"]),
        ("a.tiff", ["a.tfw", "a.tiff.aux.xml"]),
        ("a.jpg", ["a.jgw", "a.jpg.aux.xml"]),
        ("a.png", ["a.pgw"]),
        ("a.asc", ["a.prj"]),
        ("a.dbf", ["a.cpg", "a.fpt"]),
        ("a.csv", ["a.csvt"]),
        ("a.bam", ["a.bai", "a.bam.bai"]),
        ("a.vcf.gz", ["a.vcf.gz.csi", "a.vcf.gz.tbi"]),
        ("a.fasta", ["a.fasta.fai"]),
        ("a.fa", ["a.fa.fai"]),
        ("a.img", ["a.hdr"]),
        ("a.hdr", ["a.img"]),
        ("a.bil", ["a.hdr"]),
        ("a.vhdr", ["a.eeg", "a.vmrk"]),
    ],
)
def test_files_that_are_opened_along_with_a_named_one_are_copied(
    notebook: Path, named: str, companions: list[str]
) -> None:
    """Otherwise a library would fail, or read less without a word."""
    for name in (named, *companions, "a.other", "b.dbf", "a.sqlite-shm"):
        (notebook.parent / name).write_text("")

    assert find_static_files(notebook, [f"open({named!r})"]).files == sorted([named, *companions])


@pytest.mark.parametrize(
    ("code", "globs", "name"),
    [
        ("import sys\nsys.path.append('..')\nimport package", [], "package"),
        ("import sys\nsys.path.append('..')\nfrom package import x", [], "package"),
        ("", ["../data/*"], "../data/*"),
        ("", ["../data"], "../data"),
        ("os.listdir('../data')", [], "../data"),
        ("Path('..') / 'data' / f'{x}.csv'", [], "../data/*"),
    ],
    ids=["package", "name-of-package", "declared-glob", "declared-folder", "folder", "path"],
)
def test_what_is_too_large_is_a_warning_however_it_is_named(
    notebook: Path, code: str, globs: list[str], name: str
) -> None:
    """Runs get none of it."""
    found = find_static_files(notebook, [code], globs, limits=Limits(static_files=1))

    assert found.files == []
    assert warned(found.warnings)[name].startswith(
        "it names more than 1 files, so that runs get none of them"
    )


def test_globs_that_are_not_looked_up_are_a_warning(notebook: Path) -> None:
    """After ten that are too large."""
    code = "".join(f"glob('../data/a{'?' * number}.csv')\n" for number in range(12))

    warnings = find_static_files(notebook, [code], limits=Limits(static_entries=1)).warnings

    assert warnings[-1] == "further globs were not looked up, because 10 folders and globs are too large"


def test_a_declared_glob_that_matches_nothing_is_a_warning(notebook: Path) -> None:
    """It may be a typing error."""
    found = find_static_files(notebook, [], ["dat/*.csv", "../data/*.csv", "../../*.csv"], defaults=["x.csv"])

    assert found.files == ["data/a.csv", "data/b.csv"]
    assert found.warnings == [
        "files: 'dat/*.csv' matches no file in the project",
        "files: '../../*.csv' matches no file in the project",
    ]
