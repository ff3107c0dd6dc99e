"""Default settings of runs, which a notebook or its sidecar declares."""

from pathlib import Path
from typing import Any

import pytest

from runwidgets.errors import InvalidTemplateError
from runwidgets.service.contracts.api import Api
from tests.builders import Json, ended, group_of, tagged, wait_until, workflow, write_notebook


def declared(api: Api, folder: Path, *cells: str, **config: Any) -> Json:
    """Register a notebook whose metadata declare a default config."""
    return workflow(api, folder, *cells, runwidgets={"config": config})


def config_of(api: Api, group: str, config: Any = None) -> Json:
    """Return the config of a run that has ended."""
    return ended(api, api.runs.start_run(group, [], config)["id"])["config"]


def test_the_defaults_of_a_notebook_apply_to_its_runs(api: Api, folder: Path) -> None:
    """They are in the handle of the workflow; what is given takes precedence, key by key."""
    made = declared(api, folder, "1", timeout=60, retries=1, environment={"A": "1"})
    group = group_of(made)

    assert made["config"] == {"timeout": 60, "retries": 1, "environment": {"A": "1"}}
    assert config_of(api, group) == made["config"]
    assert config_of(api, group, {"retries": 0, "environment": {"B": "2"}}) == {
        "timeout": 60,
        "retries": 0,
        "environment": {"B": "2"},
    }


def test_a_default_has_its_effect(api: Api, folder: Path) -> None:
    """The run ends at the time limit, and has the variables."""
    made = declared(
        api,
        folder,
        "import os, time\nprint(os.environ['A'])",
        "time.sleep(60)",
        timeout=2,
        environment={"A": "x"},
    )

    handle = ended(api, api.runs.start_run(group_of(made), [])["id"])

    assert handle["reason"] == "timeout" and api.runs.get_log(handle["id"])["text"] == "x\n"


def test_a_sidecar_overrides_the_metadata_and_a_group_overrides_both(api: Api, folder: Path) -> None:
    """Each key by itself."""
    path = write_notebook(
        folder / "defaults.ipynb",
        "1",
        runwidgets={"config": {"timeout": 60, "retries": 1, "cell_timeout": 5}},
    )
    path.with_suffix(".yaml").write_text("config: {retries: 2, cell_timeout: 6}")
    made = api.workflows.create_workflow(str(path))
    group = api.groups.create_group(made["id"], "own", config={"cell_timeout": 7})

    assert made["config"] == {"timeout": 60, "retries": 2, "cell_timeout": 6}
    assert config_of(api, group["id"]) == {"timeout": 60, "retries": 2, "cell_timeout": 7}
    assert group["config"] == {"cell_timeout": 7}


def test_the_runs_of_a_sweep_have_the_defaults(api: Api, folder: Path) -> None:
    """In addition to the settings of the sweep."""
    group = group_of(declared(api, folder, "1", timeout=60, retries=1))
    sweep = api.sweeps.start_sweep(group, [[], []], {"parallel": 1, "retries": 0})
    wait_until(lambda: api.sweeps.get_sweep(sweep["id"])["isDone"])

    configs = [api.runs.get_run(each["id"])["config"] for each in api.runs.list_runs(group)["runs"]]
    assert configs == [{"timeout": 60, "retries": 0}] * 2


def test_a_rerun_keeps_what_was_used(api: Api, folder: Path) -> None:
    """Also after the defaults have changed; the next run has the new ones."""
    path = write_notebook(folder / "rerun_defaults.ipynb", "1", runwidgets={"config": {"timeout": 60}})
    group = group_of(api.workflows.create_workflow(str(path)))
    first = ended(api, api.runs.start_run(group, [])["id"])
    write_notebook(path, "1", runwidgets={"config": {"timeout": 70, "retries": 1}})

    assert api.runs.rerun(first["id"])["config"] == {"timeout": 60}
    assert api.runs.rerun(first["id"], latest=True)["config"] == {"timeout": 60, "retries": 1}
    assert config_of(api, group) == {"timeout": 70, "retries": 1}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"timeout": 0}, r"config\.timeout: it must be a number of seconds above 0"),
        ({"timeouts": 5}, r"config\.timeouts: there is no such config key; there are timeout, cell_timeout"),
        ({"cwd": "here"}, r"config\.cwd: it must be 'run' or 'notebook'"),
        ({"environment": {"A": 1}}, r"config\.environment: the value of A must be text"),
        ({"key": "x"}, r"config\.key: it belongs to one run, and cannot be a default; give it when"),
        ({"results_of": "x"}, r"config\.results_of: it belongs to one run"),
        (["timeout"], r"config: it must be a dict"),
    ],
    ids=["value", "name", "choice", "environment", "key", "results_of", "list"],
)
def test_wrong_defaults_are_refused_when_the_workflow_is_created(
    api: Api, folder: Path, config: Any, said: str
) -> None:
    """The error names the notebook, the setting, and what would be right."""
    with pytest.raises(InvalidTemplateError, match=rf"\.ipynb[,:] {said}"):
        workflow(api, folder, "1", runwidgets={"config": config})


def test_a_yaml_file_with_other_settings_is_data_of_the_notebook(api: Api, folder: Path) -> None:
    """A sidecar of that name has settings of runs only."""
    path = write_notebook(folder / "hydra.ipynb", "print(open('hydra.yaml').read())")
    path.with_suffix(".yaml").write_text("config: {lr: 0.1}")

    assert "config" not in api.workflows.create_workflow(str(path))


@pytest.mark.parametrize(
    ("default", "given"),
    [
        ({"timeout": 1}, {"timeout": None}),
        ({"cell_timeout": 1}, {"cell_timeout": None}),
        ({"skip_tags": ["slow"]}, {"skip_tags": []}),
        ({"only_tags": ["fast"]}, {"only_tags": []}),
        ({"environment": {"A": "1"}}, {"environment": {}}),
        ({"kernel_name": "no-such"}, {"kernel_name": None}),
        ({"retries": 3}, {"retries": 0}),
        ({"cwd": "notebook"}, {"cwd": "run"}),
    ],
    ids=lambda value: next(iter(value)),
)
def test_every_default_can_be_undone(api: Api, folder: Path, default: Json, given: Json) -> None:
    """Also for the whole group, and again by a rerun with today's notebook; the cells run without it."""
    cells = [
        tagged("import os, time\ntime.sleep(1.2)\nprint(os.environ.get('A'))", "slow"),
        tagged("print(2)", "fast"),
    ]
    made = workflow(api, folder, *cells, runwidgets={"config": default})
    own = api.groups.create_group(made["id"], "own", config=given)["id"]
    first = ended(api, api.runs.start_run(group_of(made), [], given)["id"])  # type: ignore[arg-type]
    runs = [first, api.runs.start_run(own, []), api.runs.rerun(first["id"], latest=True)]

    for run in runs:
        handle = ended(api, run["id"])
        assert handle["state"] == "SUCCESS" and api.runs.get_log(run["id"])["text"] == "None\n2\n"
        assert handle["config"] == given


def test_errors_are_not_allowed_if_the_default_is_undone(api: Api, folder: Path) -> None:
    """A default of true is overridden by false."""
    group = group_of(declared(api, folder, "1 / 0", allow_errors=True))

    assert ended(api, api.runs.start_run(group, [])["id"])["state"] == "SUCCESS"
    assert ended(api, api.runs.start_run(group, [], {"allow_errors": False})["id"])["state"] == "ERROR"


def test_a_workflow_names_the_defaults_of_its_groups(api: Api, folder: Path) -> None:
    """A form shows those of its group."""
    made = declared(api, folder, "1", timeout=60)
    api.groups.create_group(made["id"], "own", config={"timeout": 5})

    groups = api.workflows.get_workflow(made["id"])["groups"]

    assert [each.get("config") for each in groups] == [None, {"timeout": 5}]
