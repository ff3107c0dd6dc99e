import time
from pathlib import Path

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
from tests.builders import SLEEP, arguments, ended, group_of, workflow, write_notebook

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


def test_the_leaderboard_ranks_runs_by_a_metric(api: Api, folder: Path) -> None:
    """The best run comes first; there is one run of each group, or all of them."""
    made = workflow(api, folder, RECORD, parameters="x: float = 0.0", runwidgets=SCHEMA)
    started = [api.runs.start_run(group_of(made), arguments(x=x))["id"] for x in (0.2, 0.1, 0.3)]
    for run_id in started:
        ended(api, run_id)

    best = api.workflows.get_leaderboard(made["id"], ["loss:asc"])
    every = api.workflows.get_leaderboard(made["id"], None, True)

    assert best["schema"] == [{"name": "loss", "label": "Loss", "dtype": "float"}]
    assert [each["run"]["id"] for each in best["ranking"]] == [started[1]]
    assert [each["results"] for each in every["ranking"]] == [
        [{"name": "loss", "value": x}] for x in (0.3, 0.2, 0.1)
    ]
    frame = rw.leaderboard(made["id"], order_by="loss:asc", include_all=True, api=api)
    assert list(frame.columns) == ["group", "run", "finished", "loss"]
    assert frame["loss"].tolist() == [0.1, 0.2, 0.3] and frame["run"][0] == started[1]
    with pytest.raises(InvalidArgumentError, match="orderBy: 'speed' is not one of loss"):
        rw.leaderboard(made["id"], order_by="speed", api=api)
