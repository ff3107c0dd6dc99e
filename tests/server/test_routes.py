import inspect
import re

import httpx
import pytest

from runwidgets.service.contracts import api as contracts
from runwidgets.service.contracts.api import Api
from runwidgets.service.routes.route import Route
from runwidgets.service.routes.routes import DESCRIBE_SERVICE, ROUTES

FLOWSERV = {
    "files:delete": "uploads/{userGroupId}/files/{fileId}",
    "files:download": "uploads/{userGroupId}/files/{fileId}",
    "files:list": "uploads/{userGroupId}/files",
    "files:upload": "uploads/{userGroupId}/files",
    "groups:create": "workflows/{workflowId}/groups",
    "groups:delete": "groups/{userGroupId}",
    "groups:get": "groups/{userGroupId}",
    "groups:list": "groups",
    "groups:runs": "groups/{userGroupId}/runs?state={state}",
    "groups:update": "groups/{userGroupId}",
    "leaderboard": "workflows/{workflowId}/leaderboard?orderBy={orderBy}&includeAll={includeAll}",
    "runs:cancel": "runs/{runId}",
    "runs:delete": "runs/{runId}",
    "runs:download:archive": "runs/{runId}/downloads/archive",
    "runs:download:file": "runs/{runId}/downloads/files/{fileId}",
    "runs:get": "runs/{runId}",
    "runs:start": "groups/{userGroupId}/runs",
    "service": "",
    "workflows:get": "workflows/{workflowId}",
    "workflows:groups": "workflows/{workflowId}/groups",
    "workflows:list": "workflows",
}
"""What flowserv-core 0.9.4 asks for, in `flowserv/service/descriptor.py`."""
SERVICES = {
    "workflows": contracts.WorkflowService,
    "groups": contracts.GroupService,
    "uploads": contracts.UploadService,
    "runs": contracts.RunService,
    "sweeps": contracts.SweepService,
    "events": contracts.EventService,
}
WITH_SERVICE = [route for route in ROUTES if route != DESCRIBE_SERVICE]


@pytest.mark.parametrize("route", WITH_SERVICE, ids=lambda route: route.id)
def test_a_route_gives_its_method_arguments_that_it_has(api: Api, route: Route) -> None:
    """The names in the table are parameters of the contract, and the required ones are in the table."""
    assert route.method is not None
    known = inspect.signature(route.method(api)).parameters

    argument_names = {each.name for each in route.path + route.query + route.body}

    required = {name for name, each in known.items() if each.default is inspect.Parameter.empty}
    assert argument_names <= set(known)
    if route.id != "events":  # which creates the rest itself
        assert required <= argument_names


def test_every_method_of_every_service_has_a_route(api: Api) -> None:
    """Every method is available over HTTP."""
    methods = {(name, method) for name, cls in SERVICES.items() for method in cls.__abstractmethods__}

    routed = {found.__func__ for route in WITH_SERVICE if route.method for found in [route.method(api)]}

    # The first message of the stream has the last event; an upload as a form uses the route of the copy.
    assert {name for name in methods if getattr(getattr(api, name[0]), name[1]).__func__ not in routed} == {
        ("events", "last_event"),
        ("uploads", "upload_file"),
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.id)
def test_the_parts_of_a_pattern_are_its_path_arguments(route: Route) -> None:
    """None is missing, and the order is the same."""
    assert re.findall(r"\{(\w+)\}", route.pattern) == [each.wire_name for each in route.path]


def test_an_id_is_unique_and_so_are_pattern_and_verb() -> None:
    """A request has at most one route."""
    asked = [(route.pattern, verb) for route in ROUTES for verb in (route.verb, *route.aliases)]

    assert len({route.id for route in ROUTES}) == len(ROUTES)
    assert len(set(asked)) == len(asked)


def test_the_descriptor_lists_every_route_with_the_patterns_of_flowserv(client: httpx.Client) -> None:
    """A client of flowserv finds its routes."""
    answer = client.get("").json()
    patterns = {route["id"]: route["pattern"] for route in answer["routes"]}

    assert answer["name"] == "runwidgets" and answer["version"]
    assert answer["url"] == str(client.base_url)
    assert "username" not in answer
    assert list(patterns) == [route.id for route in ROUTES]
    assert FLOWSERV.items() <= patterns.items()


def test_an_unknown_path_is_refused_in_json(client: httpx.Client) -> None:
    """No path below the base responds with a page."""
    for path in ("nowhere", "runs", "runs/", "groups/x/y/z", "runs//log"):
        answer = client.get(path)

        assert (answer.status_code, answer.json()["error"]) == (404, "UnknownObjectError")
