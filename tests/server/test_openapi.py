from functools import cache
from importlib.resources import files
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from runwidgets import errors
from runwidgets.errors import RunWidgetsError
from runwidgets.service.routes.route import Route
from runwidgets.service.routes.routes import ROUTES
from tests.conftest import JupyterServer

ERRORS = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, RunWidgetsError)]
BY_ROUTE = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.id)
Json = dict[str, Any]


@cache
def specification() -> Json:
    """Read ``openapi.yaml``."""
    text = (files("runwidgets.server") / "openapi.yaml").read_text("utf-8")
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def operation(route: Route) -> Json:
    """Return a route's operation in the specification."""
    found = specification()["paths"][f"/{route.pattern}"][route.verb.lower()]
    assert isinstance(found, dict)
    return found


def resolved(node: Json) -> Json:
    """Resolve a reference."""
    found: Json = node
    if "$ref" in node:
        found = specification()
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return found


def test_the_specification_is_valid() -> None:
    """Tools can parse it."""
    validate(specification())


@pytest.mark.parametrize(
    ("suffix", "mime_type"), [("yaml", "application/yaml"), ("json", "application/json")]
)
def test_the_server_provides_it(server: JupyterServer, suffix: str, mime_type: str) -> None:
    """It is served below the base URL, with the authentication of the other routes."""
    url = f"{server.api_url}openapi.{suffix}"
    headers = {"Authorization": f"token {server.token}"}

    answer = httpx.get(url, headers=headers)

    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, mime_type)
    assert yaml.safe_load(answer.text) == specification()
    assert httpx.get(url).status_code == 401
    assert httpx.post(url, headers=headers).headers["Allow"] == "GET"


def test_it_has_the_routes_of_the_table_and_no_others() -> None:
    """The route table and the specification have the same routes."""
    table = {(f"/{route.pattern}", verb) for route in ROUTES for verb in (route.verb, *route.aliases)}

    paths = specification()["paths"]

    assert {(path, verb.upper()) for path, item in paths.items() for verb in item} == table


@BY_ROUTE
def test_a_route_has_its_id_and_the_action_that_the_authorizer_is_asked_for(route: Route) -> None:
    """The specification and the server use the same permission."""
    assert operation(route)["operationId"] == route.id
    assert operation(route)["x-action"] == route.action


@BY_ROUTE
def test_a_route_has_the_parameters_of_the_table(route: Route) -> None:
    """Path and query are compared by their names on the wire."""
    parameters = [resolved(each) for each in operation(route).get("parameters", [])]
    listed = {(each["in"], each["name"]) for each in parameters}

    table = {("path", each.wire_name) for each in route.path} | {
        ("query", each.wire_name) for each in route.query
    }

    assert {each for each in listed if each[0] != "header" and each[1] != "inline"} == table


@BY_ROUTE
def test_a_route_has_the_body_of_the_table(route: Route) -> None:
    """The fields are the same, and the same ones are required."""
    content = operation(route).get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})

    assert set(schema.get("properties", {})) == {each.wire_name for each in route.body}
    assert set(schema.get("required", [])) == {each.wire_name for each in route.body if each.required}
    assert ("multipart/form-data" in content) == (route.id == "files:upload")


@BY_ROUTE
def test_a_route_has_its_success_and_the_errors_of_everybody(route: Route) -> None:
    """Each response has a description; each error status names classes of that status."""
    responses = operation(route)["responses"]

    assert str(route.status) in responses
    assert {"401", "403", "503"} <= set(responses)
    for status, response in responses.items():
        description = resolved(response)["description"]
        assert description
        if status >= "400" and status != "416":
            assert {getattr(errors, name).status for name in description.split(", ")} == {int(status)}


@pytest.mark.parametrize("cls", ERRORS)
def test_every_error_class_has_a_schema_by_its_name(cls: type[RunWidgetsError]) -> None:
    """A client finds the errors that it may have to catch."""
    schema = specification()["components"]["schemas"][cls.__name__]

    assert schema["allOf"][1]["properties"]["error"]["const"] == cls.__name__
    assert f"Status {cls.status}." in schema["description"]


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("", "ServiceDescriptor"),
        ("workflows", "WorkflowList"),
        ("workflows/{workflowId}", "WorkflowHandle"),
        ("workflows/{workflowId}/groups", "GroupList"),
        ("workflows/{workflowId}/leaderboard", "Leaderboard"),
        ("groups", "GroupList"),
        ("groups/{groupId}", "GroupHandle"),
        ("groups/{groupId}/runs", "RunList"),
        ("groups/{groupId}/sweeps", "SweepList"),
        ("sweeps/{sweepId}", "SweepHandle"),
        ("sweeps/{sweepId}/points", "TablePage"),
        ("runs/{id}", "RunHandle"),
        ("groups/{groupId}/table", "TablePage"),
        ("runs/{id}/log", "LogPiece"),
        ("runs/{id}/series", "RunSeries"),
        ("uploads/{groupId}/files", "UploadList"),
        ("runs/nobody", "ErrorBody"),
    ],
)
def test_responses_match_the_specification(
    client: httpx.Client, run: Json, sweep: Json, path: str, schema: str
) -> None:
    """Real responses fit their schemas."""
    rules = {"$ref": f"#/components/schemas/{schema}", "components": specification()["components"]}

    answer = client.get(path.format(**{**run, "sweepId": sweep["id"]})).json()

    Draft202012Validator(rules).validate(answer)
