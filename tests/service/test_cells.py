"""The settings that choose the cells of a run, and those of a sweep and a group that contain them."""

from pathlib import Path

import pytest

from runwidgets.errors import InvalidArgumentError
from runwidgets.service.contracts.api import Api
from tests.builders import Json, arguments, ended, group_of, tagged, wait_until, workflow, write_notebook

CELLS = [tagged("print('slow')", "slow", "both"), tagged("print('fast')", "fast", "both"), "print('none')"]
PROBLEMS: dict[str, tuple[Json, str]] = {
    "unknown": (
        {"skip_tags": ["slwo"]},
        "config.skip_tags: no code cell of the notebook has the tag 'slwo'; there are 'both', 'fast', "
        "'parameters', 'slow'",
    ),
    "unknown only": (
        {"only_tags": ["slow", "a" * 200]},
        "config.only_tags: no code cell of the notebook has the tag",
    ),
    "values": (
        {"skip_tags": ["parameters"]},
        "config.skip_tags: cells with the tag 'parameters' assign the values of the run, and are always "
        "executed; omit this tag",
    ),
    "nothing": ({"only_tags": ["parameters"]}, "config.only_tags: no code cell would be executed"),
    "contradiction": (
        {"only_tags": ["slow"], "skip_tags": ["both"]},
        "config.skip_tags: no code cell would be",
    ),
    "text": ({"skip_tags": "slow"}, "config.skip_tags: it must be a list of at most 100 tags"),
    "number": ({"only_tags": [1]}, "config.only_tags: it must be a list of at most 100 tags"),
    "empty tag": ({"only_tags": [""]}, "config.only_tags: it must be a list of at most 100 tags"),
    "flag": ({"allow_errors": 1}, "config.allow_errors: it must be true or false"),
}


@pytest.fixture
def group(api: Api, folder: Path) -> str:
    """Register a notebook with tags."""
    return group_of(workflow(api, folder, *CELLS, parameters="x = 1"))


def log_of(api: Api, handle: Json) -> list[str]:
    """Wait for the end of a run, and return what it printed, by lines."""
    assert ended(api, handle["id"])["state"] == "SUCCESS"
    return api.runs.get_log(handle["id"])["text"].splitlines()


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_settings_that_choose_no_cells_are_refused(api: Api, group: str, name: str) -> None:
    """The error names the setting and the existing tags, and nothing is accepted."""
    config, message = PROBLEMS[name]

    with pytest.raises(InvalidArgumentError) as run:
        api.runs.start_run(group, [], config)
    with pytest.raises(InvalidArgumentError) as sweep:
        api.sweeps.start_sweep(group, [[]], config)

    assert str(run.value).startswith(message) and str(sweep.value) == str(run.value)
    assert api.runs.list_runs(group)["runs"] == []


def test_a_notebook_without_tags_says_so(api: Api, folder: Path) -> None:
    """There is no list of tags to choose from."""
    group = group_of(workflow(api, folder, "1"))

    with pytest.raises(InvalidArgumentError, match="'slow'; its code cells have no tags"):
        api.runs.start_run(group, [], {"skip_tags": ["slow"]})


def test_the_config_of_a_group_chooses_cells(api: Api, folder: Path) -> None:
    """It applies to runs whose own config does not choose others."""
    made = workflow(api, folder, *CELLS)
    group = api.groups.create_group(made["id"], "fast", config={"skip_tags": ["slow"]})["id"]

    assert log_of(api, api.runs.start_run(group, [])) == ["fast", "none"]
    assert log_of(api, api.runs.start_run(group, [], {"skip_tags": ["fast"]})) == ["slow", "none"]


def test_a_rerun_leaves_out_the_same_cells(api: Api, folder: Path) -> None:
    """Also when the notebook no longer has such a tag; with ``latest`` this is an error."""
    path = write_notebook(folder / "rerun.ipynb", *CELLS)
    group = group_of(api.workflows.create_workflow(str(path)))
    first = ended(api, api.runs.start_run(group, [], {"skip_tags": ["slow"]})["id"])
    write_notebook(path, "print('other')")

    assert log_of(api, api.runs.rerun(first["id"])) == ["fast", "none"]
    with pytest.raises(InvalidArgumentError, match=r"config\.skip_tags: no code cell .* 'slow'"):
        api.runs.rerun(first["id"], latest=True)


@pytest.mark.parametrize(
    "config",
    [{"skip_tags": ["slow"]}, {"only_tags": ["fast"]}, {"allow_errors": True}],
    ids=["skip", "only", "errors"],
)
def test_runs_with_other_cells_are_not_reused(api: Api, group: str, config: Json) -> None:
    """A sweep reuses a run only if it executed the same cells; the order of tags does not matter."""

    def sweep(config: Json) -> tuple[str, str]:
        sweep_id = api.sweeps.start_sweep(group, [arguments(x=2)], {**config, "reuse": True})["id"]
        wait_until(lambda: api.sweeps.get_sweep(sweep_id)["isDone"])
        page = api.sweeps.get_points(sweep_id)
        return tuple(page["rows"][0][page["columns"].index(name)] for name in ("id", "state"))

    whole, chosen = sweep({}), sweep(config)

    assert whole[1] == chosen[1] == "SUCCESS"
    assert whole[0] != chosen[0] == sweep(config)[0]
    assert sweep({})[0] == whole[0]
