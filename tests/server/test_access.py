from typing import Any

import httpx
import pytest

from runwidgets.errors import UnauthenticatedAccessError, UnauthorizedAccessError
from runwidgets.service.contracts.api import Api
from runwidgets.service.http.services import open_remote
from runwidgets.service.routes.route import Route
from runwidgets.service.routes.routes import ROUTES
from tests.builders import finished, group_of, workflow
from tests.conftest import JupyterServer
from tests.server.conftest import environment_of_a_kernel
from tests.server.requests import headers_only

BY_ROUTE = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.id)
BY_CHANGE = pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.verb != "GET"], ids=lambda route: route.id
)
NOBODY = {each.name: "nobody" for route in ROUTES for each in route.path}


def ask(client: httpx.Client, route: Route, **options: Any) -> httpx.Response:
    """Send a request for a route, with unknown ids."""
    return client.request(route.verb, route.url(dict(NOBODY)), **options)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return status and class of an error response, after a check of its format."""
    body = answer.json()
    assert body["message"] and answer.headers["Content-Type"] == "application/json"
    assert "Traceback" not in answer.text and "/" not in body["message"]
    return answer.status_code, body["error"]


def person(server: JupyterServer, name: str) -> Api:
    """Connect as a person to the server with people."""
    return open_remote(server.api_url, f"person-{name}")


class TestNobody:
    @BY_ROUTE
    def test_every_route_refuses_requests_without_a_token(self, stranger: httpx.Client, route: Route) -> None:
        """A request without authentication gets 401."""
        assert refusal(ask(stranger, route)) == (401, "UnauthenticatedAccessError")

    @BY_ROUTE
    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": "token wrong"},
            {"Authorization": "Bearer wröng".encode()},
            {"api_key": "wrong"},
            {"Authorization": "Basic !!"},
        ],
        ids=["token", "bearer", "api_key", "basic"],
    )
    def test_a_wrong_token_is_refused(
        self, stranger: httpx.Client, route: Route, headers: dict[str, Any]
    ) -> None:
        """It is refused in every form."""
        assert refusal(ask(stranger, route, headers=headers)) == (401, "UnauthenticatedAccessError")

    def test_an_upload_without_authentication_is_refused_before_it_is_read(
        self, server: JupyterServer
    ) -> None:
        """The response does not wait for the body."""
        headers = {"Content-Length": "1000000", "Content-Type": "multipart/form-data; boundary=x"}

        status, body = headers_only(server, "POST", "uploads/nobody/files", headers)

        assert (status, body["error"]) == (401, "UnauthenticatedAccessError")


class TestTokens:
    @pytest.mark.parametrize("form", ["token {}", "Bearer {}"])
    def test_the_servers_token_opens_the_routes(
        self, stranger: httpx.Client, server: JupyterServer, form: str
    ) -> None:
        """It is the same as for every other route of the server."""
        headers = {"Authorization": form.format(server.token)}

        assert stranger.get("workflows", headers=headers).status_code == 200

    def test_the_header_of_flowserv_carries_the_token(
        self, stranger: httpx.Client, server: JupyterServer
    ) -> None:
        """`api_key` is read like `Authorization: token …`, also where XSRF would be checked."""
        headers = {"api_key": server.token}

        assert stranger.get("workflows", headers=headers).status_code == 200
        assert stranger.put("runs/nobody", headers=headers, json={}).status_code == 404

    def test_a_password_of_netrc_carries_the_token(
        self, stranger: httpx.Client, server: JupyterServer
    ) -> None:
        """Clients that cannot set a header for downloads, such as flowserv's, can authenticate."""
        assert stranger.get("workflows", auth=("anyone", server.token)).status_code == 200

    def test_a_page_of_another_site_needs_a_token(
        self, stranger: httpx.Client, server: JupyterServer
    ) -> None:
        """A token is sent on purpose, a cookie is not."""
        headers = {"Origin": "https://elsewhere.example", "api_key": server.token}

        assert stranger.get("workflows", headers=headers).status_code == 200


class TestCookies:
    @pytest.fixture
    def browser(self, server: JupyterServer) -> Any:
        """Log in like a browser, and send the cookie from then on."""
        with httpx.Client(base_url=server.api_url) as client:
            client.get(f"{server.url}login?token={server.token}", follow_redirects=True).raise_for_status()
            assert client.get("workflows").status_code == 200
            yield client

    @BY_CHANGE
    def test_a_cookie_without_xsrf_changes_nothing(self, browser: httpx.Client, route: Route) -> None:
        """A form on another site could send it."""
        assert refusal(ask(browser, route)) == (403, "UnauthorizedAccessError")

    def test_a_cookie_with_xsrf_is_enough(self, browser: httpx.Client) -> None:
        """The views send both."""
        headers = {"X-XSRFToken": browser.cookies["_xsrf"]}

        assert browser.put("runs/nobody", headers=headers, json={}).status_code == 404

    @BY_ROUTE
    def test_a_page_of_another_site_is_refused(self, browser: httpx.Client, route: Route) -> None:
        """The browser sends the cookie, but the origin does not match."""
        headers = {"Origin": "https://elsewhere.example", "X-XSRFToken": browser.cookies["_xsrf"]}

        assert refusal(ask(browser, route, headers=headers)) == (403, "UnauthorizedAccessError")


class TestKernels:
    def test_the_token_of_kernels_opens_our_routes_and_no_others(
        self, remote: Api, server: JupyterServer, folder: Any
    ) -> None:
        """A kernel finds the server in its environment; the token is valid for nothing else."""
        headers = {"Authorization": f"token {server.token}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=60) as jupyter:
            found = environment_of_a_kernel(jupyter)

        url, token = found["RUNWIDGETS_URL"], found["RUNWIDGETS_TOKEN"]
        with open_remote(url, token) as api:
            assert "workflows" in api.workflows.list_workflows()
            assert api.groups.list_groups()
            with pytest.raises(LookupError, match="nobody"):
                api.runs.cancel_run("nobody")
        mine = {"Authorization": f"token {token}"}
        assert httpx.get(f"{server.url}api/contents", headers=mine).status_code == 403
        assert httpx.get(f"{server.url}api/status?token={token}").status_code == 403
        assert token not in (next(server.root.parent.glob("runtime-*/server.log"))).read_text()

    def test_a_run_does_not_learn_the_token(self, remote: Api, folder: Any) -> None:
        """The code of a run may come from anybody."""
        handle = finished(remote, folder, "import os\nprint([n for n in os.environ if 'TOKEN' in n])")

        assert remote.runs.get_log(handle["id"])["text"].strip() == "[]"


class TestPeople:
    @BY_ROUTE
    def test_the_authorizer_is_asked(self, members_server: JupyterServer, route: Route) -> None:
        """Every route asks it for the action in the route table."""
        headers = {"Authorization": "token person-reader"}
        with (
            httpx.Client(base_url=members_server.api_url, headers=headers) as reader,
            reader.stream(route.verb, route.url(dict(NOBODY))) as answer,
        ):
            is_refused = answer.status_code == 403

        assert is_refused == (route.action != "read")

    def test_the_descriptor_names_the_user(self, members_server: JupyterServer) -> None:
        """With access by members, users have names."""
        answer = httpx.get(members_server.api_url, headers={"api_key": "person-ada"}).json()

        assert answer["username"] == "ada"

    def test_a_group_is_closed_to_others_until_its_owner_adds_them(
        self, members_server: JupyterServer, folder: Any
    ) -> None:
        """Others get 403 for the group, its runs and its uploads."""
        with person(members_server, "ada") as ada, person(members_server, "bob") as bob:
            handle = finished(ada, folder, "print(1)")
            group_id, run_id = handle["groupId"], handle["id"]

            for refused in (
                lambda: bob.groups.get_group(group_id),
                lambda: bob.runs.get_run(run_id),
                lambda: bob.runs.start_run(group_id, []),
                lambda: bob.runs.get_notebook(run_id),
                lambda: bob.uploads.list_uploaded_files(group_id),
                lambda: bob.events.follow_events(0, run_id=run_id),
            ):
                with pytest.raises(UnauthorizedAccessError, match="bob is not a member"):
                    refused()
            ada.groups.update_group(group_id, members=["ada", "bob"])
            assert bob.runs.get_run(run_id)["state"] == "SUCCESS"

    def test_events_of_closed_groups_are_not_seen(self, members_server: JupyterServer, folder: Any) -> None:
        """The stream contains only events that the user may read, live and after a resume."""
        with person(members_server, "ada") as ada, person(members_server, "bob") as bob:
            begin = ada.events.last_event()
            live = bob.events.follow_events(begin)
            finished(ada, folder, "print(1)")
            mine = group_of(workflow(bob, folder, "print(2)"))
            bob.runs.start_run(mine, [])

            assert next(iter(live))["groupId"] == mine
            assert next(iter(bob.events.follow_events(begin)))["groupId"] == mine
            assert next(iter(ada.events.follow_events(begin)))["groupId"] != mine

    def test_an_unknown_person_is_refused(self, members_server: JupyterServer) -> None:
        """The identity provider decides."""
        with open_remote(members_server.api_url, "mallory") as api, pytest.raises(UnauthenticatedAccessError):
            api.workflows.list_workflows()
