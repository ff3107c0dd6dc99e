"""Values that no method accepts: both implementations refuse them alike, for every route of the table."""

import inspect
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runwidgets.errors import InvalidArgumentError, InvalidParameterError, RunWidgetsError
from runwidgets.service.contracts.api import Api
from runwidgets.service.routes.route import Route, RouteArgument
from runwidgets.service.routes.routes import ROUTES
from runwidgets.store.identifiers import UNKNOWN_ERRORS
from tests.builders import Json, arguments, ended, group_of, workflow

WRONG: dict[str, list[Any]] = {
    "id": [5, 0, True, 1.5, b"run", ["a"], {}, "", " ", "a\0b", "x" * 300, "../a", "a/b", "é", "\ud800"],
    "text": [1.5, True, ["a"], {"a": 1}, b"a", "a\0b", "\ud800"],
    "whole": ["x", "", "None", "1e3", 1.5, True, ["1"], "9" * 30],
    "flag": [0, 1, "yes", "true", [], None],
    "names": ["a", 5, {"a": 1}, [5], [None], ["a\0b"], ["\ud800"], ("a",)],
    "any": [5, "x", 1.5, True],
}
"""By the kind of an argument, values that it never has."""
ERRORS = {"parameters": InvalidParameterError}
"""The error of an argument, if it is another than usual."""
BESIDE: Json = {"arguments": [], "name": "x", "source": "nowhere.ipynb", "path": "nowhere.txt"}
"""Valid values of required arguments."""


def cases() -> Iterator[Any]:
    """Yield each argument of each route with each wrong value."""
    for route in ROUTES:
        for argument in route.path + route.query + route.body:
            for value in WRONG[argument.kind]:
                name = f"{route.id}-{argument.wire_name}-{value!a:.20}"
                yield pytest.param(route, argument, value, id=name)


@pytest.fixture(scope="module")
def known() -> dict[str, Json]:
    """Remember the objects of each service."""
    return {}


@pytest.fixture
def objects(api: Api, folder: Path, known: dict[str, Json]) -> Json:
    """Return the ids of objects that exist, by the name of their parameter."""
    if api.store() not in known:
        made = workflow(api, folder, "1", parameters="x: int = 1")
        sweep = api.sweeps.start_sweep(group_of(made), [arguments(x=2)])
        run_id = str(api.sweeps.get_points(sweep["id"])["rows"][0][1])
        file = ended(api, run_id)["files"][0]
        known[api.store()] = {
            "workflow_id": made["id"],
            "group_id": group_of(made),
            "run_id": run_id,
            "sweep_id": sweep["id"],
            "file_id": file["id"],
        }
    return known[api.store()]


def call(api: Api, route: Route, given: Json) -> None:
    """Call the method behind a route; a stream ends at once."""
    if route.response == "stream":
        stop = threading.Event()
        stop.set()
        given = {"after": 0, "stop": stop, **given}
    answer = route.call(api, **given)
    if inspect.isgenerator(answer):
        list(answer)


@pytest.mark.parametrize(("route", "argument", "value"), list(cases()))
def test_a_value_that_cannot_be_is_refused_with_the_right_class(
    api: Api, objects: Json, route: Route, argument: RouteArgument, value: Any
) -> None:
    """An impossible id is unknown, and any other value is an invalid argument."""
    required = {each.name for each in route.path} | {each.name for each in route.body if each.required}
    given = {name: each for name, each in {**BESIDE, **objects}.items() if name in required}
    if argument.kind == "id":
        expected: type[RunWidgetsError] = UNKNOWN_ERRORS[argument.name.removesuffix("_id")]  # type: ignore[index]
    else:
        expected = ERRORS.get(argument.name, InvalidArgumentError)

    with pytest.raises(RunWidgetsError) as refused:
        call(api, route, {**given, argument.name: value})

    assert type(refused.value) is expected, refused.value


@pytest.mark.parametrize("state", ["", "None", "success", " SUCCESS", "DONE"])
def test_a_state_that_is_not_one_is_refused(api: Api, objects: Json, state: str) -> None:
    """Also if a query would express that none is given."""
    with pytest.raises(InvalidArgumentError, match="state"):
        api.runs.list_runs(objects["group_id"], state)


def test_an_upload_with_an_impossible_name_is_refused(api: Api, objects: Json, tmp_path: Path) -> None:
    """The method that takes an open file has no route of its own."""
    (tmp_path / "a").write_text("a")

    for name in (5, None, "", "a/b", "a\0b", ".hidden", b"a"):
        with (tmp_path / "a").open("rb") as file, pytest.raises(InvalidArgumentError):
            api.uploads.upload_file(objects["group_id"], file, name)  # type: ignore[arg-type]
