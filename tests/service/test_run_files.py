"""The files that runs read: each finds its own, and never another one in its place."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runwidgets.errors import InvalidArgumentError, UnknownFileError
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from runwidgets.service.retention import clean
from tests.builders import DOUBLE, Json, arguments, checked_instance, ended, group_of, wait_until, workflow

TABLE = "import pathlib\ntable: pathlib.Path"
TWO_TABLES = "import pathlib\nbefore: pathlib.Path\nafter: pathlib.Path"


@pytest.fixture
def home(folder: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a folder for a notebook and its own files."""
    place = folder / request.node.name.replace("[", "-").replace("]", "")
    place.mkdir()
    (place / "data.csv").write_text("OWN")
    (place / "helpers.py").write_text("NAME = 'OWN'")
    yield place


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Instance]:
    """Open an instance, and check its invariants at the end."""
    with checked_instance(tmp_path / "root", slots=2) as instance:
        yield instance


def upload(api: Api, group: str, content: str, name: str = "data.csv", target: str | None = None) -> Json:
    """Upload a file, and return the argument that names it."""
    file_id = api.uploads.upload_file(group, io.BytesIO(content.encode()), name)["id"]
    return {"type": "$file", "value": {"fileId": file_id, **({"targetPath": target} if target else {})}}


def run(api: Api, group: str, config: Any = None, **values: Any) -> str:
    """Run to the end, and return what the notebook printed."""
    handle = ended(api, api.runs.start_run(group, arguments(**values), config)["id"])
    assert handle["state"] == "SUCCESS", handle["messages"]
    return str(api.runs.get_log(handle["id"])["text"]).strip()


def test_two_uploads_of_one_name_are_two_files(api: Api, home: Path) -> None:
    """Each parameter names the file that was given for it, also where both are one upload."""
    made = workflow(api, home, "print(before.read_text(), after.read_text())", parameters=TWO_TABLES)
    group = group_of(made)
    one, other = upload(api, group, "2023", "x.csv"), upload(api, group, "2024", "x.csv")

    assert run(api, group, before=one, after=other) == "2023 2024"
    assert run(api, group, before=other, after=other) == "2024 2024"


@pytest.mark.parametrize("name", ["data.csv", "helpers.py"])
def test_an_upload_does_not_cover_what_the_notebook_has_beside_it(api: Api, home: Path, name: str) -> None:
    """The start is refused, unless the target names the path; nothing is left of a refused one."""
    cell = "import helpers\nprint(open('data.csv').read(), helpers.NAME, open(given).read())"
    group = group_of(workflow(api, home, cell, parameters="import pathlib\ngiven: pathlib.Path"))

    with pytest.raises(InvalidArgumentError, match=f"given: its file '{name}' would cover '{name}'"):
        api.runs.start_run(group, arguments(given=upload(api, group, "NAME = 'GIVEN'", name)))

    assert api.runs.list_runs(group)["runs"] == []
    given = upload(api, group, "GIVEN", "data.csv", "data.csv")
    assert run(api, group, given=given) == "GIVEN OWN GIVEN"


def test_an_upload_for_a_parameter_leaves_its_default_to_other_cells(api: Api, home: Path) -> None:
    """The parameter names the upload, and the literal in another cell the file beside the notebook."""
    declared = "import pathlib\ntable: pathlib.Path = pathlib.Path('data.csv')"
    group = group_of(
        workflow(api, home, "print(table.read_text(), open('data.csv').read())", parameters=declared)
    )

    assert run(api, group, table=upload(api, group, "GIVEN")) == "GIVEN OWN"
    assert run(api, group) == "OWN OWN"


@pytest.mark.parametrize(
    ("cell", "declared"),
    [
        ("open('mine.csv', 'w').write('WRITTEN')", ""),
        ("import pathlib\n(pathlib.Path() / 'mine.csv').write_text('WRITTEN')", ""),
        ("name = 'mine' + '.csv'\nopen(name, 'w').write('WRITTEN')", ""),
        ("import os\nassert not os.path.exists('./mine.csv')", ""),
        ("open(out, 'w').write('WRITTEN')", "\nout: str = 'mine.csv'"),
        ("out.write_text('WRITTEN')", "\nout: pathlib.Path = pathlib.Path('mine.csv')"),
    ],
    ids=["written", "path", "built", "looked-for", "value", "default"],
)
def test_an_upload_is_not_what_the_code_means_by_its_name(
    api: Api, folder: Path, cell: str, declared: str
) -> None:
    """The parameter still names the upload after the notebook wrote a file of that name."""
    cells = f"{cell}\nprint(table.read_text())"
    group = group_of(workflow(api, folder, cells, parameters=TABLE + declared))

    assert run(api, group, table=upload(api, group, "GIVEN", "mine.csv")) == "GIVEN"


def test_an_upload_lies_under_its_name_if_only_its_parameter_names_it(api: Api, folder: Path) -> None:
    """The default of the parameter is not another use of the name, and a target is followed."""
    declared = "import pathlib\ntable: pathlib.Path = pathlib.Path('mine.csv')"
    group = group_of(workflow(api, folder, "print(table)", parameters=declared))
    named = group_of(workflow(api, folder, "print(table, open('mine.csv').read())", parameters=declared))

    assert run(api, group, table=upload(api, group, "GIVEN", "mine.csv")) == "mine.csv"
    given = upload(api, named, "GIVEN", "mine.csv", "mine.csv")
    assert run(api, named, table=given) == "mine.csv GIVEN"


def test_an_upload_is_no_module(api: Api, folder: Path) -> None:
    """A file named like a module that the notebook imports is found by its parameter only."""
    cell = "import json\nprint(json.dumps([given.read_text()]))"
    group = group_of(workflow(api, folder, cell, parameters="import pathlib\ngiven: pathlib.Path"))

    assert run(api, group, given=upload(api, group, "GIVEN", "json.py")) == '["GIVEN"]'


def test_a_run_in_the_notebooks_own_folder_reads_its_uploads(own: Instance, home: Path) -> None:
    """It gets absolute paths, and the own file of that name stays as it is."""
    api = own.api()
    cell = "print(open(before).read(), after.is_absolute(), open('data.csv').read())"
    group = group_of(workflow(api, home, cell, parameters=TWO_TABLES))
    given = [upload(api, group, content) for content in ("GIVEN", "OTHER")]

    shown = run(api, group, {"cwd": "notebook"}, before=given[0], after=given[1])

    assert shown == "GIVEN True OWN"
    assert (home / "data.csv").read_text() == "OWN"


def test_a_target_in_the_notebooks_own_folder_is_refused(api: Api, home: Path) -> None:
    """Nothing is written there, so that the notebook would find another file at the target."""
    group = group_of(workflow(api, home, "1", parameters="import pathlib\ntable: pathlib.Path"))

    with pytest.raises(InvalidArgumentError, match="table: it has a targetPath, but the run works in"):
        given = upload(api, group, "GIVEN", target="data.csv")
        api.runs.start_run(group, arguments(table=given), {"cwd": "notebook"})


@pytest.mark.parametrize("cwd", ["run", "notebook"])
def test_the_results_of_a_sweep_are_found_and_not_mixed_with_other_files(
    own: Instance, home: Path, cwd: str
) -> None:
    """Neither if a folder `runs` is beside the notebook, nor in the notebook's own folder."""
    api = own.api()
    (home / "runs" / "00009").mkdir(parents=True)
    (home / "runs" / "00009" / "x.csv").write_text("OWN")
    study = group_of(workflow(api, home, DOUBLE, parameters="x = 1"))
    sweep = api.sweeps.start_sweep(study, [arguments(x=1), arguments(x=2)])
    wait_until(lambda: api.sweeps.get_sweep(sweep["id"])["isDone"])
    cell = (
        "import pathlib\nfound = sorted(pathlib.Path(runs).glob('*/x.csv'))\n"
        "print(*(path.parent.name for path in found), pathlib.Path('runs').exists())"
    )
    group = group_of(workflow(api, home, cell, parameters="runs = 'runs'"))

    assert run(api, group, {"results_of": sweep["id"], "cwd": cwd}) == "00001 00002 True"


def test_a_run_in_the_notebooks_own_folder_is_not_reused(api: Api, home: Path) -> None:
    """It reads files as they are when it executes, so that an equal start may have another result."""
    group = group_of(workflow(api, home, "print(open('dat' + 'a.csv').read())", parameters="x = 1"))

    shown = []
    for content in ("OWN", "NEW"):
        (home / "data.csv").write_text(content)
        config = {"cwd": "notebook", "reuse": True}
        sweep = api.sweeps.start_sweep(group, [arguments(x=1)], config)
        wait_until(lambda sweep=sweep: api.sweeps.get_sweep(sweep["id"])["isDone"])
        (row,) = api.sweeps.get_points(sweep["id"])["rows"]
        shown.append(api.runs.get_log(row[1])["text"].strip())

    assert shown == ["OWN", "NEW"]


def test_a_parameter_that_a_later_cell_assigns_again_is_a_warning(api: Api, folder: Path) -> None:
    """It stands in the handle of the workflow and in that of each run."""
    made = workflow(api, folder, "print(rate)", "rate = 5", parameters="rate = 1")

    (sentence,) = made["warnings"]
    handle = api.runs.start_run(group_of(made), arguments(rate=2))

    assert sentence == "rate: cell 3 assigns it again, which overwrites its argument"
    assert handle["warnings"] == [sentence]
    assert ended(api, handle["id"])["warnings"] == [sentence]
    assert "warnings" not in workflow(api, folder, "print(rate)", parameters="rate = 1")


@pytest.mark.parametrize("cwd", ["run", "notebook"])
def test_a_list_of_files_has_a_file_for_each_item(own: Instance, home: Path, cwd: str) -> None:
    """Also if they have one name, which is that of a file beside the notebook."""
    api = own.api()
    cell = "print(*(table.read_text() for table in tables), open('data.csv').read())"
    group = group_of(workflow(api, home, cell, parameters="import pathlib\ntables: list[pathlib.Path]"))
    given = [upload(api, group, content) for content in ("ONE", "TWO", "THREE")]

    assert run(api, group, {"cwd": cwd}, tables=given) == "ONE TWO THREE OWN"


def test_an_upload_is_kept_as_long_as_a_run_names_it(own: Instance, tmp_path: Path, home: Path) -> None:
    """Once deleted, it is neither listed nor accepted, but runs that named it can be started again."""
    api = own.api()
    group = group_of(workflow(api, home, "print(table.read_text())", parameters=TABLE))
    given = upload(api, group, "GIVEN")
    file_id = given["value"]["fileId"]
    first = ended(api, api.runs.start_run(group, arguments(table=given))["id"])["id"]

    api.uploads.delete_file(group, file_id)

    assert api.uploads.list_uploaded_files(group)["files"] == api.groups.get_group(group)["files"] == []
    for ask in (api.uploads.get_uploaded_file, api.uploads.delete_file):
        with pytest.raises(UnknownFileError):
            ask(group, file_id)
    with pytest.raises(UnknownFileError):
        api.runs.start_run(group, arguments(table=given))
    second = ended(api, api.runs.rerun(first)["id"])["id"]
    wait_until(lambda: not own._backend._tracked)
    api.runs.delete_run(first)
    third = ended(api, api.runs.rerun(second)["id"])["id"]
    assert api.runs.get_log(third)["text"].strip() == "GIVEN"
    wait_until(lambda: not own._backend._tracked)
    api.runs.delete_run(second)
    assert len(list((tmp_path / "root" / "uploads").glob("*/*"))) == 1
    api.runs.delete_run(third)
    assert list((tmp_path / "root" / "uploads").glob("*/*")) == []


def test_deleted_uploads_of_a_sweep_are_removed_with_it(own: Instance, tmp_path: Path, home: Path) -> None:
    """Before that, points that failed are run again with them; the retention removes them as well."""
    api = own.api()
    group = group_of(workflow(api, home, "assert table.read_text() == 'GOOD'", parameters=TABLE))
    for way in ("deleted", "cleaned"):
        given = [arguments(table=upload(api, group, content)) for content in ("GOOD", "BAD")]
        sweep = api.sweeps.start_sweep(group, given)
        for (argument,) in given:
            api.uploads.delete_file(group, argument["value"]["value"]["fileId"])
        wait_until(lambda sweep=sweep: api.sweeps.get_sweep(sweep["id"])["isDone"])
        api.sweeps.rerun_failed(sweep["id"])
        wait_until(lambda sweep=sweep: api.sweeps.get_sweep(sweep["id"])["isDone"])
        wait_until(lambda: not own._backend._tracked)
        assert api.sweeps.get_sweep(sweep["id"])["counts"]["ERROR"] == 1
        assert len(list((tmp_path / "root" / "uploads").glob("*/*"))) == 2

        if way == "deleted":
            api.sweeps.delete_sweep(sweep["id"])
        else:
            own._components.runs.delete(api.sweeps.get_points(sweep["id"])["rows"][0][1])
            list(clean(own._components.files, own._database, keep_days=1))
            assert len(list((tmp_path / "root" / "uploads").glob("*/*"))) == 1
            return
        assert list((tmp_path / "root" / "uploads").glob("*/*")) == []


def test_a_run_that_read_results_of_a_sweep_is_repeated_with_the_same_ones_or_refused(
    own: Instance, home: Path
) -> None:
    """Results that were deleted in the meantime are reported as missing."""
    api = own.api()
    study = group_of(workflow(api, home, DOUBLE, parameters="x = 1"))
    sweep = api.sweeps.start_sweep(study, [arguments(x=1), arguments(x=2)])
    wait_until(lambda: api.sweeps.get_sweep(sweep["id"])["isDone"])
    cell = "import pathlib\nprint(len(list(pathlib.Path(runs).glob('*'))))"
    group = group_of(workflow(api, home, cell, parameters="runs = 'runs'"))
    first = ended(api, api.runs.start_run(group, [], {"results_of": sweep["id"]})["id"])["id"]

    again = ended(api, api.runs.rerun(first)["id"])["id"]
    assert api.runs.get_log(again)["text"] == "2\n"
    wait_until(lambda: not own._backend._tracked)
    api.runs.delete_run(api.sweeps.get_points(sweep["id"])["rows"][0][1])

    with pytest.raises(InvalidArgumentError, match=r"config\.results_of: the results of the sweep are not"):
        api.runs.rerun(first)
    latest = ended(api, api.runs.rerun(first, True)["id"])["id"]
    assert api.runs.get_log(latest)["text"] == "1\n"


def test_points_that_read_results_of_a_sweep_are_repeated_with_the_same_ones_or_refused(
    own: Instance, home: Path
) -> None:
    """As for a single run; ``latest`` takes the current results."""
    api = own.api()
    study = api.sweeps.start_sweep(
        group_of(workflow(api, home, DOUBLE, parameters="x = 1")), [arguments(x=1), arguments(x=2)]
    )
    wait_until(lambda: api.sweeps.get_sweep(study["id"])["isDone"])
    group = group_of(workflow(api, home, "raise ValueError(runs)", parameters="runs = 'runs'"))
    sweep = api.sweeps.start_sweep(group, [[]], {"results_of": study["id"]})["id"]

    for latest in (False, True):
        wait_until(lambda: api.sweeps.get_sweep(sweep)["isDone"])
        api.sweeps.rerun_failed(sweep, latest=latest)
    wait_until(lambda: api.sweeps.get_sweep(sweep)["isDone"] and not own._backend._tracked)
    api.runs.delete_run(api.sweeps.get_points(study["id"])["rows"][0][1])

    with pytest.raises(InvalidArgumentError, match=r"config\.results_of: the results of the sweep are not"):
        api.sweeps.rerun_failed(sweep)
    api.sweeps.rerun_failed(sweep, latest=True)


def test_files_beside_the_notebook_keep_their_time_and_may_be_executed(api: Api, home: Path) -> None:
    """Like the notebook in its own folder; a file that becomes executable makes another version."""
    tool = home / "tool.sh"
    tool.write_text("#!/bin/sh\necho ran\n")
    os.utime(tool, ns=(10**18 + 1, 10**18 + 1))
    cell = (
        "import os, subprocess\nprint(os.stat('tool.sh').st_mtime_ns, os.access('tool.sh', os.W_OK), "
        "os.access('./tool.sh', os.X_OK) and subprocess.check_output(['./tool.sh'], text=True))"
    )
    group = group_of(workflow(api, home, cell))

    assert run(api, group) == "1000000000000000001 True False"
    tool.chmod(0o744)
    assert run(api, group) == "1000000000000000001 True ran"


def test_stored_copies_and_uploads_are_read_only(own: Instance, tmp_path: Path, home: Path) -> None:
    """Nobody edits them by accident; what a run gets is its own."""
    api = own.api()
    cell = "for each in (table, pathlib.Path('data.csv')):\n    each.chmod(0o600)\n    each.write_text('new')"
    group = group_of(workflow(api, home, cell, "open('data.csv')", parameters=TABLE))
    given = upload(api, group, "GIVEN", "given.csv")

    handle = ended(api, api.runs.start_run(group, arguments(table=given))["id"])

    assert handle["state"] == "SUCCESS"
    stored = [each for kind in ("copies", "uploads") for each in (tmp_path / "root" / kind).rglob("*")]
    files = {each.read_bytes()[:5]: each.stat().st_mode & 0o777 for each in stored if each.is_file()}
    assert {b"OWN", b"GIVEN"} <= files.keys() and set(files.values()) == {0o400}


def test_files_that_appear_are_found_by_the_next_run(api: Api, home: Path) -> None:
    """Also in a folder that was empty before, which alone makes no other version."""
    made = workflow(api, home, "import glob\nprint(glob.glob('parts/*/x.csv'))")
    group = group_of(made)
    assert run(api, group) == "[]"
    (home / "parts" / "a").mkdir(parents=True)
    assert run(api, group) == "[]"
    (home / "parts" / "a" / "x.csv").write_text("1")

    assert run(api, group) == "['parts/a/x.csv']"
