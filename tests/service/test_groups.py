from pathlib import Path

import pytest

from runwidgets.errors import (
    ConstraintViolationError,
    InvalidArgumentError,
    InvalidParameterError,
    UnknownWorkflowError,
    UnknownWorkflowGroupError,
)
from runwidgets.service.contracts.api import Api
from tests.builders import arguments, ended, group_of, workflow


def test_a_group_has_members_parameters_and_files(api: Api, folder: Path) -> None:
    """The handle contains the group's own parameters after those of the template."""
    made = workflow(api, folder, "1", parameters="x: int = 1")

    group = api.groups.create_group(
        made["id"], "Team", ["ann", "bob"], [{"name": "note", "dtype": "string"}], {"timeout": 60}
    )

    assert set(group) >= {"id", "name", "workflow", "members", "parameters", "files", "config"}
    assert (group["name"], group["workflow"], group["config"]) == ("Team", made["id"], {"timeout": 60})
    assert {each["username"] for each in group["members"]} == {"ann", "bob"}
    assert [each["name"] for each in group["parameters"]] == ["x", "note"]
    assert api.groups.get_group(group["id"]) == group


def test_the_default_of_a_parameter_of_a_group_reaches_the_notebook(api: Api, folder: Path) -> None:
    """It is injected, unless another value is given."""
    made = workflow(api, folder, "import runwidgets\nrunwidgets.record('seen', k)", parameters="x: int = 1")
    declared = [{"name": "k", "dtype": "int", "defaultValue": 3}]
    group = api.groups.create_group(made["id"], "Defaults", parameters=declared)

    for given, expected in (({}, 3), ({"k": 4}, 4)):
        handle = ended(api, api.runs.start_run(group["id"], arguments(**given))["id"])
        assert (handle["state"], handle["metrics"]) == ("SUCCESS", {"seen": expected})


def test_a_group_has_no_parameter_that_the_notebook_cannot_assign(api: Api, folder: Path) -> None:
    """Its injected cell would be a syntax error."""
    made = workflow(api, folder, "1")

    with pytest.raises(
        InvalidParameterError, match="'class': it must be a Python identifier and not a keyword"
    ):
        api.groups.create_group(made["id"], "Keywords", parameters=[{"name": "class", "dtype": "int"}])


def test_the_config_of_a_group_has_two_names(api: Api, folder: Path) -> None:
    """Clients of flowserv use either; both at once are refused."""
    made = workflow(api, folder, "1")

    one = api.groups.create_group(made["id"], "one", config={"timeout": 60})
    other = api.groups.create_group(made["id"], "other", engine_config={"timeout": 60})

    assert one["config"] == other["config"] == {"timeout": 60}
    with pytest.raises(InvalidArgumentError, match="config: it is another name of engineConfig"):
        api.groups.create_group(made["id"], "both", config={"timeout": 1}, engine_config={"timeout": 1})
    with pytest.raises(InvalidArgumentError, match=r"config\.timeout"):
        api.groups.create_group(made["id"], "wrong", config={"timeout": 0})


def test_groups_are_listed_with_the_default_one_first(api: Api, folder: Path) -> None:
    """The list contains the groups of one workflow, or of all."""
    made = workflow(api, folder, "1")
    other = api.groups.create_group(made["id"], "other")

    listed = [each["id"] for each in api.groups.list_groups(made["id"])["groups"]]

    assert listed == [group_of(made), other["id"]]
    assert set(listed) <= {each["id"] for each in api.groups.list_groups()["groups"]}
    with pytest.raises(UnknownWorkflowError):
        api.groups.list_groups("nothing")


def test_a_group_is_renamed_and_its_members_are_set(api: Api, folder: Path) -> None:
    """Values that are not given are kept."""
    made = workflow(api, folder, "1")
    group = api.groups.create_group(made["id"], "before", ["ann"])

    renamed = api.groups.update_group(group["id"], name="after")
    changed = api.groups.update_group(group["id"], members=["carl"])

    assert renamed["name"] == "after" and [each["username"] for each in renamed["members"]] == ["ann"]
    assert changed["name"] == "after" and [each["username"] for each in changed["members"]] == ["carl"]


def test_an_invalid_group_is_refused(api: Api, folder: Path) -> None:
    """A used or empty name, a parameter of the template, and deleting the default group are refused."""
    made = workflow(api, folder, "1", parameters="x: int = 1")
    api.groups.create_group(made["id"], "taken")

    for name, said in [("taken", "already has a group 'taken'"), (" ", "1 to 255 characters")]:
        with pytest.raises(ConstraintViolationError, match=said):
            api.groups.create_group(made["id"], name)
    with pytest.raises(InvalidParameterError, match="x: the template already declares it"):
        api.groups.create_group(made["id"], "new", parameters=[{"name": "x", "dtype": "int"}])
    with pytest.raises(ConstraintViolationError, match="default group"):
        api.groups.delete_group(group_of(made))


def test_a_group_is_deleted_with_its_runs(api: Api, folder: Path) -> None:
    """Nothing of a deleted group is found."""
    made = workflow(api, folder, "1", parameters="x: int = 1")
    group = api.groups.create_group(made["id"], "short")
    ended(api, api.runs.start_run(group["id"], arguments(x=2))["id"])

    api.groups.delete_group(group["id"])

    for ask in (api.groups.get_group, api.runs.list_runs, api.uploads.list_uploaded_files):
        with pytest.raises(UnknownWorkflowGroupError):
            ask(group["id"])


@pytest.mark.parametrize("parameters", ["x = 1", None], ids=["cell", "no cell"])
def test_a_parameter_of_a_group_that_a_cell_overwrites_is_named(
    api: Api, folder: Path, parameters: str | None
) -> None:
    """In the handles of the group and its runs, not in those of others."""
    made = workflow(api, folder, "print(note)", "note = 'own'", parameters=parameters)
    number = 3 if parameters else 2
    group = api.groups.create_group(
        made["id"], "Team", parameters=[{"name": n, "dtype": "string"} for n in ("note", "other")]
    )

    run = api.runs.start_run(group["id"], arguments(note="given", other=""))

    named = [f"note: cell {number} assigns it again, which overwrites its argument"]
    assert group["warnings"] == api.groups.get_group(group["id"])["warnings"] == run["warnings"] == named
    assert ended(api, run["id"])["warnings"] == named
    assert "warnings" not in api.groups.get_group(group_of(made)) and "warnings" not in made
