import datetime
import threading
from pathlib import Path

import pytest

import runwidgets as rw
from runwidgets.errors import (
    InvalidArgumentError,
    MissingArgumentError,
    UnknownParameterError,
    UnknownRunError,
)
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from tests.builders import DOUBLE, SLEEP, ended, finished, running, wait_until, write_notebook


@pytest.fixture
def api(instance: Instance) -> Api:
    """Take the instance in this process."""
    return instance.api()


def test_a_view_follows_its_run_to_the_end(api: Api, folder: Path) -> None:
    """Traits change in the background, and the last state always arrives."""
    run = rw.Run(api, running(api, folder, "print(1)\nimport time\ntime.sleep(1)")["id"])
    view = rw.RunView(run)
    seen: list[str] = []
    view.observe(lambda change: seen.append(change["new"]), names="value")

    wait_until(lambda: view.value == "SUCCESS")

    assert seen == ["SUCCESS"]
    assert view.progress["cells"] == 1
    view.close()


def test_the_background_thread_ends_with_its_last_view(api: Api, folder: Path) -> None:
    """No thread remains."""
    run = rw.Run(api, running(api, folder, SLEEP)["id"])
    views = [rw.RunView(run) for _ in range(3)]
    wait_until(lambda: any(thread.name == "runwidgets-live" for thread in threading.enumerate()))

    for view in views:
        view.close()

    wait_until(lambda: not any(thread.name == "runwidgets-live" for thread in threading.enumerate()))
    run.cancel()


def test_a_view_can_show_another_run(api: Api, folder: Path) -> None:
    """`run_id` can be set."""
    first, second = (finished(api, folder, cell)["id"] for cell in ("1", "1 / 0"))
    view = rw.RunView(first, api=api)

    view.run_id = second

    assert (view.value, view.run.state) == ("ERROR", "ERROR")
    view.close()


def test_a_view_of_an_unknown_run_is_refused(api: Api) -> None:
    """The run must exist."""
    with pytest.raises(UnknownRunError):
        rw.RunView("nothing", api=api)


def test_a_form_starts_a_run_of_its_values(api: Api, folder: Path) -> None:
    """`submit` does the same as the button; the service validates the values."""
    path = write_notebook(folder / "form-start.ipynb", DOUBLE, parameters="x: int")
    form = rw.RunForm(path, api=api)

    with pytest.raises(MissingArgumentError, match="x: it is required"):
        form.submit()
    form.arguments = {"x": "21"}
    run = form.submit()

    assert ended(api, run.id)["metrics"] == {"double": 42}
    assert form.run_id == run.id and form.run is not None and form.run.state == "SUCCESS"
    assert repr(form) == "RunForm('A small notebook')"


def test_a_form_starts_its_runs_with_the_options_that_were_given(api: Api, folder: Path) -> None:
    """They take precedence over the defaults of the notebook; the service validates them."""
    defaults = {"config": {"timeout": 60, "retries": 1}}
    path = write_notebook(folder / "form-options.ipynb", DOUBLE, parameters="x = 1", runwidgets=defaults)
    form = rw.RunForm(path, api=api, config={"retries": 0})

    run = form.submit()
    form.several = {"x": [1, 2]}
    sweep = form.submit()
    form.config = {"retries": 11}

    runs = [run, *(rw.Run(api, each["id"]) for each in api.runs.list_runs(form.group_id)["runs"])]
    assert isinstance(sweep, rw.Sweep) and len(runs) == 4
    assert [each.handle["config"] for each in runs] == [{"timeout": 60, "retries": 0}] * 4
    with pytest.raises(
        InvalidArgumentError, match=r"config\.retries: it must be a whole number from 0 to 10"
    ):
        form.submit()


def test_a_form_refuses_values_of_unknown_parameters(api: Api, folder: Path) -> None:
    """The error lists the known names."""
    path = write_notebook(folder / "form-names.ipynb", "1", parameters="alpha = 1")

    with pytest.raises(UnknownParameterError, match="beta: there is no such parameter; there are alpha"):
        rw.RunForm(path, api=api, arguments={"beta": 1})


TYPED = """import datetime
n: int
day: datetime.date = datetime.date(2024, 1, 1)
token: str = ""
"""


def test_the_arguments_of_a_form_are_read_set_and_observed(api: Api, folder: Path) -> None:
    """Python values become JSON, and problems are reported at once, by the service's rules."""
    path = write_notebook(folder / "form-traits.ipynb", "1", parameters=TYPED)
    form = rw.RunForm(path, api=api)
    seen: list[object] = []
    form.observe(lambda change: seen.append(change["new"]), names="arguments")

    assert form.errors == {"n": "no value was given"}
    form.arguments = {"n": "3.7", "day": datetime.date(2024, 2, 29)}
    assert form.errors == {"n": "'3.7' is not a whole number"}
    form.arguments = {"n": 3}

    assert seen == [{"n": "3.7", "day": "2024-02-29"}, {"n": 3}]
    assert form.errors == {}
    with pytest.raises(UnknownParameterError, match=r"dy: there is no such parameter; did you mean 'day'\?"):
        form.arguments = {"dy": 1}
    assert form.arguments == {"n": 3}


def test_a_form_with_several_values_starts_a_sweep(api: Api, folder: Path) -> None:
    """Every combination is a run; problems are reported by parameter, and then nothing starts."""
    path = write_notebook(folder / "form-several.ipynb", DOUBLE, parameters="x: int\ny: int = 2\nz: int = 3")
    form = rw.RunForm(path, api=api, several={"x": range(1, 3)}, arguments={"z": 5})

    form.several = {**form.several, "y": ["1", "no"]}
    assert form.errors == {"y": "item 2: 'no' is not a whole number"}
    form.several = {**form.several, "y": (1, 2)}
    started = form.submit()

    assert form.errors == {} and form.several == {"x": [1, 2], "y": [1, 2]}
    assert isinstance(started, rw.Sweep) and form.sweep is not None and form.run is None
    assert [run.arguments for run in form.sweep] == [
        {"z": 5, "x": x, "y": y} for x, y in [(1, 1), (1, 2), (2, 1), (2, 2)]
    ]
    started.wait()
    with pytest.raises(UnknownParameterError, match="did you mean 'x'"):
        form.several = {"xx": [1]}
    with pytest.raises(InvalidArgumentError, match="x: it has no values"):
        form.several = {"x": []}
    form.several = {}
    form.arguments = {"x": 1}
    assert isinstance(form.submit().wait(), rw.Run) and form.sweep is None


def test_problems_of_fields_are_among_the_errors_of_the_form(api: Api, folder: Path) -> None:
    """Such a problem is invalid JSON text, which is not an argument."""
    path = write_notebook(folder / "form-problems.ipynb", "1", parameters="x: int\nany: list = []")
    form = rw.RunForm(path, api=api)

    form.set_state({"arguments": {"x": "1"}, "problems": {"any": "this is not JSON"}})

    assert form.errors == {"any": "this is not JSON"}


def test_a_secret_is_never_in_the_traits_of_a_form(api: Api, folder: Path) -> None:
    """It is neither set nor taken from an earlier run; `submit` accepts it as an argument."""
    path = write_notebook(
        folder / "form-secret.ipynb",
        "import runwidgets\nrunwidgets.record('length', len(token) + n)",
        parameters="n: int = 1\ntoken: str",
        runwidgets={"parameters": [{"name": "token", "secret": True}]},
    )
    form = rw.RunForm(path, api=api)

    with pytest.raises(InvalidArgumentError, match="token: it is secret"):
        form.arguments = {"token": "hunter2"}
    run = form.submit({"token": "hunter2"}).wait()
    again = rw.RunForm(path, api=api, arguments=run)

    assert run.metrics == {"length": 8}
    assert again.arguments == {} and again.errors == {}
    assert "hunter2" not in str(form.get_state()) + str(again.get_state())


def test_a_form_takes_the_arguments_of_an_earlier_run(api: Api, folder: Path) -> None:
    """They are copied unchanged."""
    path = write_notebook(folder / "form-again.ipynb", DOUBLE, parameters="x: int\ny: int = 2")
    run = rw.run(path, x="021", api=api)

    form = rw.RunForm(path, api=api, arguments=run)

    assert form.arguments == {"x": 21}
    run.wait()


def test_every_widget_has_a_static_representation(api: Api, folder: Path) -> None:
    """It has a plain line, and a table with escaped text."""
    path = write_notebook(folder / "plain.ipynb", "x", parameters="x = ''")
    run = rw.run(path, x="<img onerror=alert(1)>", api=api).wait()

    for shown in (
        run._repr_mimebundle_(),
        rw.RunView(run)._repr_mimebundle_()[0],
        rw.Results(run)._repr_mimebundle_()[0],
    ):
        assert "\n" not in shown["text/plain"]
        assert "SUCCESS" in shown["text/html"] and "<img" not in shown["text/html"]


def test_saved_state_contains_ids_and_no_data(api: Api, folder: Path) -> None:
    """Traits are small, and contain no secret."""
    run = rw.Run(api, finished(api, folder, "print('a' * 100_000)"))

    state = rw.Results(run).get_state()

    assert state["run_id"] == run.id
    assert len(str({key: value for key, value in state.items() if key not in {"_esm", "_css"}})) < 2000


def test_a_table_gives_its_runs_as_a_frame(api: Api, folder: Path) -> None:
    """The newest run comes first, with times, duration, arguments and metrics of the right types."""
    notebook = write_notebook(folder / "frame.ipynb", DOUBLE, parameters="x = 1")
    runs = [rw.run(notebook, api=api, x=x) for x in (1, 2)]
    for run in runs:
        run.wait(60)
    table = rw.RunTable(notebook, api=api)

    frame = table.to_frame()

    assert list(frame.index) == [runs[1].id, runs[0].id]
    assert list(frame.columns) == [
        "state", "created", "started", "finished", "duration", "x", "double", "message",
    ]  # fmt: skip
    assert frame["x"].tolist() == [2, 1] and frame["double"].tolist() == [4, 2]
    assert frame["x"].dtype.kind == frame["double"].dtype.kind == "i"
    assert (frame["duration"] > 0).all() and str(frame["started"].dt.tz) == "UTC"
    table.selected = [runs[0].id]
    assert table.value[0].id == runs[0].id
    assert "double = 4" in table._repr_mimebundle_()[0]["text/html"]
    table.close()


def test_a_table_without_runs_is_an_empty_frame(api: Api, folder: Path) -> None:
    """It is not an error."""
    assert rw.RunTable(write_notebook(folder / "none.ipynb", "1"), api=api).to_frame().empty


def test_a_browser_starts_with_a_notebook_and_has_the_open_run(api: Api, folder: Path) -> None:
    """Its traits are ids; its static representation lists the workflows."""
    path = write_notebook(folder / "browsed.ipynb", "1", parameters="note = '<b>'")
    browser = rw.RunBrowser(path, api=api)
    run_id = rw.run(path, api=api).wait().id

    browser.run_id, browser.selected = run_id, [run_id]

    assert api.workflows.get_workflow(browser.workflow_id)["groups"][0]["id"] == browser.group_id
    assert browser.run is not None and browser.run.state == "SUCCESS"
    assert [run.id for run in browser.value] == [run_id]
    shown = browser._repr_mimebundle_()[0]
    assert shown["text/plain"] == f"RunBrowser({browser.workflow_id!r})"
    assert "<td>A small notebook</td>" in shown["text/html"]
    browser.close()
