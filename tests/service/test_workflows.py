import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

import runwidgets as rw
from runwidgets.errors import (
    ConstraintViolationError,
    InvalidArgumentError,
    InvalidRunStateError,
    InvalidTemplateError,
    UnknownWorkflowError,
    UnknownWorkflowGroupError,
)
from runwidgets.service.contracts.api import Api
from tests.builders import SLEEP, Json, arguments, ended, group_of, workflow, write_notebook

RECORD = "import runwidgets\nrunwidgets.record('loss', x)"
SCHEMA = {"results": {"schema": [{"name": "loss", "label": "Loss", "dtype": "float"}]}}


def test_a_workflow_has_the_name_and_parameters_of_its_notebook(api: Api, folder: Path) -> None:
    """The heading is the name, the paragraph below it the description, the tagged cell the parameters."""
    made = workflow(api, folder, "1", parameters="alpha: float = 0.5  # learning rate")

    assert (made["name"], made["description"]) == ("A small notebook", "It does little.")
    assert made["parameters"] == [
        {
            "name": "alpha",
            "dtype": "float",
            "index": 0,
            "isRequired": False,
            "defaultValue": 0.5,
            "help": "learning rate",
        }
    ]
    assert api.workflows.get_workflow(made["id"]) == made
    assert made["id"] in [each["id"] for each in api.workflows.list_workflows()["workflows"]]


def test_the_list_says_when_a_workflow_was_last_run_and_what_is_active(api: Api, folder: Path) -> None:
    """All of its groups count; the time is absent for a workflow that was never run."""
    idle, busy = workflow(api, folder, "1"), workflow(api, folder, SLEEP)
    other = api.groups.create_group(busy["id"], "other")["id"]
    api.runs.cancel_run(api.runs.start_run(group_of(busy), [])["id"])
    newest = api.runs.start_run(other, [])

    listed = {each["id"]: each for each in api.workflows.list_workflows()["workflows"]}

    assert listed[idle["id"]]["activeRuns"] == 0 and "lastRunAt" not in listed[idle["id"]]
    assert listed[busy["id"]]["activeRuns"] == 1
    assert listed[busy["id"]]["lastRunAt"] == newest["createdAt"]
    api.runs.cancel_run(newest["id"])


def test_the_same_notebook_is_the_same_workflow(api: Api, folder: Path) -> None:
    """Registering it twice does not create a second workflow."""
    path = write_notebook(folder / "twice.ipynb", "1")

    first = api.workflows.create_workflow(str(path))

    assert api.workflows.create_workflow(str(path))["id"] == first["id"]
    with pytest.raises(ConstraintViolationError, match="already registered"):
        api.workflows.create_workflow(str(path), identifier="another-id")
    api.workflows.delete_workflow(first["id"])


def test_a_changed_notebook_is_read_again_and_old_runs_keep_theirs(api: Api, folder: Path) -> None:
    """The new version has the new parameters; the run of the old version shows the old ones."""
    path = write_notebook(folder / f"changes-{time.monotonic_ns()}.ipynb", "1", parameters="a: int = 1")
    made = api.workflows.create_workflow(str(path))
    run_id = api.runs.start_run(group_of(made), arguments(a=2))["id"]

    write_notebook(path, "1", parameters="a: int = 1\nb: str = 'new'")

    assert [each["name"] for each in api.workflows.get_workflow(made["id"])["parameters"]] == ["a", "b"]
    assert [each["name"] for each in ended(api, run_id)["parameters"]] == ["a"]


def test_a_changed_file_beside_the_notebook_is_copied_again(api: Api, folder: Path) -> None:
    """The next run reads the new content of the table; the earlier run keeps the old content."""
    table = folder / f"table-{time.monotonic_ns()}.txt"
    table.write_text("old")
    made = workflow(api, folder, f"print(open('{table.name}').read(), end='')")
    first = ended(api, api.runs.start_run(group_of(made), [])["id"])

    table.write_text("new")
    second = ended(api, api.runs.start_run(group_of(made), [])["id"])

    assert [api.runs.get_log(each["id"])["text"] for each in (first, second)] == ["old", "new"]


def test_a_name_given_by_the_user_wins(api: Api, folder: Path) -> None:
    """Name, description and id can be chosen."""
    path = write_notebook(folder / "named.ipynb", "1")
    identifier = f"chosen-{time.monotonic_ns()}"

    made = api.workflows.create_workflow(str(path), "My name", "My words", identifier)

    assert (made["id"], made["name"], made["description"]) == (identifier, "My name", "My words")
    api.workflows.delete_workflow(identifier)


@pytest.mark.parametrize("source", ["", "missing.ipynb", ".", "../outside.ipynb", "http://host/x.ipynb"])
def test_a_file_that_is_not_a_notebook_of_the_folder_is_refused(api: Api, source: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(InvalidTemplateError):
        api.workflows.create_workflow(source)


@pytest.mark.parametrize("identifier", ["", "-x", "a b", "a/b", "x" * 65])
def test_a_malformed_id_is_refused(api: Api, folder: Path, identifier: str) -> None:
    """Ids consist of letters, digits, dashes and underscores."""
    path = write_notebook(folder / f"id-{time.monotonic_ns()}.ipynb", "1")

    with pytest.raises(ConstraintViolationError, match="identifier"):
        api.workflows.create_workflow(str(path), identifier=identifier)


def test_nothing_remains_of_a_deleted_workflow(api: Api, folder: Path) -> None:
    """Its groups and runs are deleted with it; it is not deleted while a run is active."""
    made = workflow(api, folder, SLEEP)
    run_id = api.runs.start_run(group_of(made), [])["id"]

    with pytest.raises(InvalidRunStateError, match="cancel it first"):
        api.workflows.delete_workflow(made["id"])
    api.runs.cancel_run(run_id)
    api.workflows.delete_workflow(made["id"])

    with pytest.raises(UnknownWorkflowError):
        api.workflows.get_workflow(made["id"])
    with pytest.raises(UnknownWorkflowGroupError):
        api.groups.get_group(group_of(made))


STRANGE = (
    "import runwidgets\nvalues = [0.2, float('inf'), float('nan'), -float('inf'), 0.1, 'text', None]\n"
    "runwidgets.record('loss', values[x])\nrunwidgets.record('size', x)\nif x > 0:\n"
    "    runwidgets.record('note', {'of': [x]})"
)
"""Records values of all kinds."""


def ranked(api: Api, folder: Path, *cells: str, xs: Any, **metadata: Any) -> tuple[str, dict[Any, str]]:
    """Run a notebook for each x; return the id of the workflow, and those of the runs by x."""
    made = workflow(api, folder, *cells, parameters="x: float = 0.0\nnote: str = 'as is'", **metadata)
    started = {x: api.runs.start_run(group_of(made), arguments(x=x))["id"] for x in xs}
    for run_id in started.values():
        ended(api, run_id)
    return made["id"], started


def test_the_leaderboard_ranks_runs_by_a_metric(api: Api, folder: Path) -> None:
    """The best run comes first; there is one run of each group, or all of them."""
    workflow_id, started = ranked(api, folder, RECORD, xs=(0.2, 0.1, 0.3), runwidgets=SCHEMA)

    best = api.workflows.get_leaderboard(workflow_id, ["loss:ASC"])
    every = api.workflows.get_leaderboard(workflow_id, ["loss:desc"], True)

    assert best["schema"] == [{"name": "loss", "label": "Loss", "dtype": "float", "direction": "minimize"}]
    assert [each["run"]["id"] for each in best["ranking"]] == [started[0.1]]
    assert [each["results"] for each in every["ranking"]] == [
        [{"name": "loss", "value": x}] for x in (0.3, 0.2, 0.1)
    ]
    run = api.runs.get_run(started[0.1])
    assert best["ranking"][0]["run"] == {
        "id": started[0.1],
        "values": {"x": 0.1, "note": "as is"},
        **{key: run[key] for key in ("createdAt", "startedAt", "finishedAt")},
    }


def test_a_direction_is_asked_for_or_declared(api: Api, folder: Path) -> None:
    """Without one the runs are not ranked, the newest comes first, and a metric alone is refused."""
    workflow_id, started = ranked(api, folder, RECORD, xs=(0.2, 0.3, 0.1), runwidgets=SCHEMA)

    assert ids_of(api, workflow_id) == [started[x] for x in (0.1, 0.3, 0.2)]
    assert [each["run"]["id"] for each in api.workflows.get_leaderboard(workflow_id)["ranking"]] == [
        started[0.1]
    ]
    with pytest.raises(
        InvalidArgumentError, match="orderBy: 'loss' has no direction; add ':asc' if the least"
    ):
        api.workflows.get_leaderboard(workflow_id, ["loss"])
    with pytest.raises(InvalidArgumentError, match="orderBy: 'loss:up' has no direction"):
        api.workflows.get_leaderboard(workflow_id, ["loss:up"])


@pytest.mark.parametrize(
    ("results", "order", "expected"),
    [
        ({"schema": [{"name": "loss", "direction": "maximize"}]}, None, (0.3, 0.2, 0.1)),
        ({"schema": [{"name": "loss", "direction": "minimize"}]}, ["loss"], (0.1, 0.2, 0.3)),
        ({"schema": [{"name": "loss", "direction": "minimize"}]}, ["loss:desc"], (0.3, 0.2, 0.1)),
        ({"schema": [{"name": "loss"}], "orderBy": ["loss:desc"]}, None, (0.3, 0.2, 0.1)),
        ({"orderBy": ["loss:asc"]}, [], (0.1, 0.2, 0.3)),
        (
            {"schema": [{"name": "x"}, {"name": "loss", "direction": "minimize"}], "orderBy": ["loss"]},
            None,
            (0.1, 0.2, 0.3),
        ),
    ],
)
def test_a_template_declares_the_order(
    api: Api, folder: Path, results: Json, order: list[str] | None, expected: tuple[float, ...]
) -> None:
    """It holds where no other is asked for."""
    workflow_id, started = ranked(api, folder, RECORD, xs=(0.2, 0.3, 0.1), runwidgets={"results": results})

    assert ids_of(api, workflow_id, order) == [started[x] for x in expected]


def ids_of(api: Api, workflow_id: str, order: list[str] | None = None) -> list[str]:
    """Return the ids of all ranked runs."""
    return [each["run"]["id"] for each in api.workflows.get_leaderboard(workflow_id, order, True)["ranking"]]


def test_any_recorded_metric_ranks_runs_without_a_schema(api: Api, folder: Path) -> None:
    """Infinity is a number; NaN, other values and missing ones come last in both directions."""
    made = workflow(api, folder, STRANGE, parameters="x: int = 0")
    runs = [api.runs.start_run(group_of(made), arguments(x=x))["id"] for x in range(7)]
    for run_id in runs:
        ended(api, run_id)

    rising, falling = (ids_of(api, made["id"], [f"loss:{way}", "size:asc"]) for way in ("asc", "desc"))

    assert [runs.index(run_id) for run_id in rising] == [3, 4, 0, 1, 2, 5, 6]
    assert [runs.index(run_id) for run_id in falling] == [1, 0, 4, 3, 2, 5, 6]
    board = api.workflows.get_leaderboard(made["id"], ["size:desc"], True)
    assert board["schema"] == [
        {"name": "size", "label": "size", "dtype": "int", "direction": "maximize"},
        {"name": "loss", "label": "loss", "dtype": "any"},
        {"name": "note", "label": "note", "dtype": "record"},
    ]
    assert board["ranking"][4]["results"][:2] == [
        {"name": "size", "value": 2},
        {"name": "loss", "value": "NaN"},
    ]
    with pytest.raises(
        InvalidArgumentError,
        match="no run has recorded 'los' as a number; the newest run recorded loss, note, size",
    ):
        api.workflows.get_leaderboard(made["id"], ["los:asc"])


@pytest.mark.parametrize("name", ["a, b", " a ", '["a"]', "[a", "None", 'a"\\', "é,☃"])
def test_a_metric_with_any_name_ranks_runs(api: Api, folder: Path, name: str) -> None:
    """Commas, blanks and brackets belong to the name, also if its declared direction is used."""
    schema = {"results": {"schema": [{"name": name, "direction": "maximize"}]}}
    cell = f"import runwidgets\nrunwidgets.record({name!r}, x)"
    workflow_id, started = ranked(api, folder, cell, xs=(0.2, 0.1), runwidgets=schema)

    assert ids_of(api, workflow_id, [name]) == [started[0.2], started[0.1]]
    assert ids_of(api, workflow_id, [f"{name}:asc", name]) == [started[0.1], started[0.2]]


def test_a_leaderboard_is_a_data_frame(api: Api, folder: Path) -> None:
    """It has the columns of runs, their values and their metrics, which are floats where they are numbers."""
    cell = (
        "import runwidgets\nrunwidgets.record('loss', float('nan') if x else x)\nrunwidgets.record('note', x)"
    )
    workflow_id, started = ranked(api, folder, cell, xs=(1.0, 0.0))

    frame = rw.leaderboard(workflow_id, order_by="loss:desc", include_all=True, api=api)

    own = ["group", "run", "created", "started", "finished", "duration"]
    assert list(frame.columns) == [*own, "x", "note", "loss", "metric.note"]
    assert frame["run"].tolist() == [started[0.0], started[1.0]]
    assert frame["loss"].dtype == frame["duration"].dtype == float and frame["loss"].mean() == 0
    assert frame["note"].tolist() == ["as is"] * 2 and frame["metric.note"].tolist() == [0.0, 1.0]
    assert (frame["finished"] > frame["created"]).all()
    empty = workflow(api, folder, "1")
    assert list(rw.leaderboard(empty["id"], order_by="loss:asc", api=api).columns) == [*own, "loss"]


def test_a_linked_notebook_works_in_the_folder_of_the_link(api: Api, folder: Path) -> None:
    """As in Jupyter; the link is a workflow of its own, with a sidecar of its own."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    for name in ("real", "linked"):
        (folder / name).mkdir()
        (folder / name / "where.txt").write_text(name)
    real = write_notebook(
        folder / "real" / "n.ipynb", "print(open('where.txt').read(), x)", parameters="x = 1"
    )
    link = folder / "linked" / "n.ipynb"
    link.symlink_to(real)
    (folder / "linked" / "n.ipynb.yaml").write_text("parameters: [{name: x, defaultValue: 2}]")

    made = [
        api.workflows.create_workflow(str(each)) for each in (real, link, folder / "linked/../linked/n.ipynb")
    ]

    assert made[1]["id"] == made[2]["id"] != made[0]["id"]
    runs = [ended(api, api.runs.start_run(group_of(each), [])["id"]) for each in made[:2]]
    logs = [api.runs.get_log(run["id"])["text"] for run in runs]
    assert logs == ["real 1\n", "linked 2\n"]
    write_notebook(real, "print(open('where.txt').read())", parameters="x = 1")
    run = ended(api, api.runs.start_run(group_of(made[1]), [])["id"])
    assert api.runs.get_log(run["id"])["text"] == "linked\n"
