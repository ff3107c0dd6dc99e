import json
from contextlib import closing
from typing import Any

import httpx
import pytest

from runwidgets.errors import InvalidArgumentError, MethodNotAllowedError
from runwidgets.server.arguments import parse_json
from runwidgets.service.http.client import HttpClient
from runwidgets.service.routes import runs
from runwidgets.service.routes.route import Route
from runwidgets.service.routes.routes import ROUTES, by_pattern
from tests.conftest import JupyterServer
from tests.server.requests import headers_only

WITH_BODY = [route for route in ROUTES if route.body]
BODIES = {
    "truncated": (b'{"a": ', "it is not JSON"),
    "a list": (b"[1]", "it is not a JSON object"),
    "a number": (b"1", "it is not a JSON object"),
    "no UTF-8": (b'{"\xff": 1}', "it is not UTF-8"),
    "deep": (b'{"arguments": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "nested more than 100 levels"),
    "deep objects": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "nested more than 100 levels"),
    "duplicate keys": (b'{"name": "a", "name": "b"}', "has this key twice"),
    "a bare NaN": (b'{"name": NaN}', "NaN is not JSON"),
    "an infinity": (b'{"name": -Infinity}', "-Infinity is not JSON"),
    "a huge float": (b'{"name": 1e999}', "too large for a number"),
    "a huge integer": (b'{"name": ' + b"9" * 5_000 + b"}", "too many digits"),
    "an unknown field": (b'{"colour": 1}', "this request has no such field"),
}
IDS = {
    "unknown": "nobody",
    "traversal": "..%2F..%2Fetc%2Fpasswd",
    "a NUL": "a%00b",
    "300 characters": "a" * 300,
    "a separator": "a%2Fb",
    "a backslash": "a%5Cb",
    "markup": "%3Cimg%3E",
    "unicode": "%E2%98%83",
    "a newline": "a%0d%0aX-Evil: 1",
}
WITH_QUERY = [(route, each.wire_name) for route in ROUTES for each in route.query]
WITH_ID = [route for route in ROUTES if route.path]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return status and message of an error, after a check that it reveals nothing."""
    body = answer.json()
    assert set(body) <= {"message", "error", "subject", "problem", "allowed"}
    assert not any(word in answer.text for word in ("Traceback", "SELECT", "/root", "/tmp", ".py"))
    return answer.status_code, body["message"]


@pytest.mark.timeout(60)  # comparing each key with each other one would take hours
def test_many_keys_of_a_body_are_compared_at_once() -> None:
    """One key among many that is there twice is found in linear time."""
    keys = ",".join(f'"k{number}":1' for number in range(500_000))

    with pytest.raises(InvalidArgumentError, match="'k499999': the body has this key twice"):
        parse_json(f'{{{keys},"k499999":2}}'.encode())


class TestBodies:
    @pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.id)
    @pytest.mark.parametrize("name", BODIES)
    def test_a_body_that_is_not_a_strict_json_object_is_refused(
        self, client: httpx.Client, run: dict[str, Any], route: Route, name: str
    ) -> None:
        """The response is 400 with a message, on every route with a body."""
        content, sentence = BODIES[name]
        ids = {"workflow_id": run["workflowId"], "group_id": run["groupId"], "run_id": run["id"]}
        ids["sweep_id"] = "nobody"

        answer = client.request(
            route.verb, route.url(ids), content=content, headers={"Content-Type": "application/json"}
        )

        status, message = refusal(answer)
        assert status == 400 and sentence in message

    @pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.id)
    @pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
    def test_a_body_of_another_type_is_refused(
        self, client: httpx.Client, route: Route, content_type: str
    ) -> None:
        """A form on another site can send these types without a preflight request."""
        path = route.url({each.name: "nobody" for each in route.path})

        answer = client.request(route.verb, path, content=b"{}", headers={"Content-Type": content_type})

        assert refusal(answer)[0] == 415

    @pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.id)
    def test_a_body_over_the_limit_is_refused_by_its_length(
        self, server: JupyterServer, route: Route
    ) -> None:
        """The body need not be sent."""
        path = route.url({each.name: "nobody" for each in route.path})
        headers = {"Authorization": f"token {server.token}", "Content-Length": "10000001"}
        headers["Content-Type"] = "application/json"

        status, body = headers_only(server, route.verb, path, headers)

        assert (status, body["error"]) == (413, "RequestTooLargeError")
        assert "10,000,000" in body["message"]

    def test_a_body_without_a_length_is_refused_once_it_passes_the_limit(self, client: httpx.Client) -> None:
        """The bytes are counted while they arrive."""
        pieces = (b" " * 100_000 for _ in range(200))

        answer = client.post("workflows", content=pieces, headers={"Content-Type": "application/json"})

        assert refusal(answer)[0] == 413

    @pytest.mark.parametrize(
        ("path", "body", "sentence"),
        [
            ("workflows", None, "body: it is empty"),
            ("workflows", {}, "source: it is missing"),
            ("workflows", {"source": None}, "source: it is missing"),
            ("workflows", {"source": 5}, "source: it must be a string"),
            ("workflows", {"source": "a\0b"}, "source: it holds a character that cannot be stored"),
            ("workflows", {"source": "a", "name": "\ud800"}, "name: it holds a character"),
            ("workflows/{workflowId}/groups", {"name": ["a"]}, "name: it must be a string"),
            ("workflows/{workflowId}/groups", {"name": "a", "members": "me"}, "must be a list of strings"),
            ("groups/{groupId}/runs", {}, "arguments: it is missing"),
            ("groups/{groupId}/sweeps", {}, "arguments: it is missing"),
            ("groups/{groupId}/sweeps", {"arguments": [], "name": 1}, "name: it must be a string"),
            ("sweeps/nobody/points", {"arguments": None}, "arguments: it is missing"),
        ],
    )
    def test_a_field_that_is_missing_or_wrong_is_named(
        self, client: httpx.Client, run: dict[str, Any], path: str, body: Any, sentence: str
    ) -> None:
        """The message begins with the name of the field."""
        content = None if body is None else json.dumps(body).encode()

        answer = client.post(
            path.format(**run), content=content, headers={"Content-Type": "application/json"}
        )

        status, message = refusal(answer)
        assert status == 400 and sentence in message


class TestIds:
    @pytest.mark.parametrize("route", WITH_ID, ids=lambda route: route.id)
    @pytest.mark.parametrize("name", IDS)
    def test_an_id_that_nothing_has_is_unknown(self, client: httpx.Client, route: Route, name: str) -> None:
        """The response is a 404 with one of our errors."""
        path = route.pattern
        for each in route.path:
            path = path.replace(f"{{{each.wire_name}}}", IDS[name].replace("\n", ""))
        wanted = {"arguments": [], "name": "a"}
        body = {each.wire_name: wanted[each.wire_name] for each in route.body if each.wire_name in wanted}
        options: dict[str, Any] = {}
        if route.id == "files:upload":
            options["files"] = {"file": ("a.txt", b"a")}
        elif route.body:
            options["json"] = body

        answer = client.request(route.verb, path, **options)

        assert answer.status_code == 404
        assert answer.json()["error"] in {
            "UnknownRunError",
            "UnknownSweepError",
            "UnknownWorkflowError",
            "UnknownWorkflowGroupError",
            "UnknownFileError",
        }
        refusal(answer)

    def test_an_invalid_flag_is_refused(self, client: httpx.Client) -> None:
        """Other values are not interpreted as true."""
        status, message = refusal(client.put("sweeps/nobody", json={"pendingOnly": "yes"}))

        assert status == 400 and message == "pendingOnly: it must be true or false"

    def test_a_file_of_another_run_is_unknown(self, client: httpx.Client, run: dict[str, Any]) -> None:
        """An id is valid only for its own run."""
        file_id = run["files"][0]["id"]

        answer = client.get(f"runs/nobody/downloads/files/{file_id}")

        assert refusal(answer)[0] == 404


class TestQueries:
    @pytest.mark.parametrize("value", ["None", ""])
    @pytest.mark.parametrize("path", ["groups/{groupId}/runs?state=", "runs/{id}/log?offset=", "events?run="])
    def test_none_and_nothing_mean_not_given(
        self, client: httpx.Client, run: dict[str, Any], path: str, value: str
    ) -> None:
        """Clients that fill in patterns send such values."""
        with client.stream("GET", path.format(**run) + value) as answer:
            assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("path", "sentence"),
        [
            ("groups/{groupId}/runs?state=SUCCESS%20", "state: 'SUCCESS ' is not a state"),
            ("groups/{groupId}/runs?state=DONE", "state: 'DONE' is not a state; use one of PENDING"),
            ("groups/{groupId}/runs?limit=-1", "limit: must be 1 to 500"),
            ("groups/{groupId}/runs?limit=501", "limit: must be 1 to 500"),
            ("groups/{groupId}/runs?limit=1e3", "limit: '1e3' is not a whole number"),
            ("groups/{groupId}/runs?limit=99999999999999999999", "limit: '9"),
            ("groups/{groupId}/runs?before=forged", "before: 'forged' is not a whole number"),
            ("groups/{groupId}/runs?state=%ff", "state: it is not UTF-8"),
            ("groups/{groupId}/runs?state=a%00", "state: it holds a character"),
            ("runs/{id}/log?offset=x", "offset: 'x' is not a whole number"),
            ("workflows/{workflowId}/leaderboard?includeAll=maybe", "includeAll: 'maybe' is neither"),
            ("workflows/{workflowId}/leaderboard?orderBy=nothing", "nothing"),
            ("sweeps/nobody/points?limit=x", "limit: 'x' is not a whole number"),
            ("events?after=x", "after: 'x' is not a whole number"),
        ],
    )
    def test_an_invalid_query_is_refused(
        self, client: httpx.Client, run: dict[str, Any], path: str, sentence: str
    ) -> None:
        """The response is a 400 that names the argument."""
        status, message = refusal(client.get(path.format(**run)))

        assert status == 400 and sentence in message

    def test_a_broken_query_of_jupyters_own_is_refused_in_json(self, client: httpx.Client) -> None:
        """Jupyter reads it before our handler does."""
        assert refusal(client.get("workflows?token=%ff"))[0] == 400
        assert refusal(client.get("runs/nobody?no_track_activity=%ff"))[0] == 404

    @pytest.mark.parametrize(("route", "wire"), WITH_QUERY, ids=lambda each: getattr(each, "id", each))
    def test_a_repeated_argument_is_refused(self, client: httpx.Client, route: Route, wire: str) -> None:
        """Neither value is chosen, even if both are the same."""
        path = route.url({each.name: "nobody" for each in route.path})

        status, message = refusal(client.request(route.verb, f"{path}?{wire}=1&_=x&{wire}=1"))

        assert (status, message) == (400, f"{wire}: the query has it 2 times; give it once")

    def test_a_repeated_option_of_a_download_is_refused(
        self, client: httpx.Client, run: dict[str, Any]
    ) -> None:
        """It is read like the arguments of other routes."""
        answer = client.get(f"runs/{run['id']}/notebook?inline=1&inline=0")

        assert refusal(answer) == (400, "inline: the query has it 2 times; give it once")


def _id_of(each: str | list[Route]) -> str:
    """Name a pattern, or its routes, the same way in every process."""
    return each if isinstance(each, str) else "-".join(route.verb for route in each)


class TestVerbs:
    @pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "BREW"])
    @pytest.mark.parametrize(("pattern", "routes"), list(by_pattern()), ids=_id_of)
    def test_a_verb_that_a_path_does_not_have_is_refused(
        self, client: httpx.Client, pattern: str, routes: list[Route], verb: str
    ) -> None:
        """The response is a 405 with an error of its own, and says which verbs there are."""
        allowed = sorted(each for route in routes for each in route.verbs)
        if verb in allowed:
            return

        answer = client.request(verb, routes[0].url({each.name: "nobody" for each in routes[0].path}))

        assert answer.status_code == 405
        assert answer.headers["Allow"] == ", ".join(allowed)
        if verb != "HEAD":  # whose response has no body
            assert refusal(answer)[1] == f"{verb}: this path does not support it; use {' or '.join(allowed)}"
            assert answer.json()["error"] == "MethodNotAllowedError" and answer.json()["allowed"] == allowed

    def test_the_http_services_raise_the_error(self, server: JupyterServer) -> None:
        """An older server may not have a verb that a newer client uses."""
        route = Route(
            "runs:patch", "PATCH", runs.GET_RUN.pattern, None, action="write", path=runs.GET_RUN.path
        )

        client = HttpClient(server.api_url, server.token)
        with closing(client), pytest.raises(MethodNotAllowedError, match="PATCH") as refused:
            client.call(route, run_id="nobody")

        assert refused.value.allowed == ["DELETE", "GET", "PUT"]
