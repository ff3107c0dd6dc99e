"""Responses of a kernel to a view whose page cannot reach the server."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runwidgets as rw
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from runwidgets.service.routes.routes import ROUTES
from runwidgets.widgets.kernel_bridge import MESSAGE_SIZE, KernelBridge
from tests.builders import SLEEP, Json, ended, finished, group_of, running, wait_until, workflow


class Page:
    """The page of one view, which sends requests and stores the messages that it receives."""

    def __init__(self, api: Api) -> None:
        self.bridge = KernelBridge(api, self._hear)
        self.told: list[tuple[Json, bytes]] = []
        self._asked = 0

    def _hear(self, content: Json, buffers: list[bytes]) -> None:
        self.told.append((content["runwidgets"], b"".join(buffers)))

    def say(self, kind: str, content: bytes = b"", **asked: Any) -> str:
        """Send a message, and return its id."""
        self._asked += 1
        message = {"kind": kind, "id": f"a{self._asked}", **asked}
        self.bridge.on_message({"runwidgets": message}, [memoryview(content)])
        return str(message["id"])

    def pieces(self, name: str) -> list[tuple[Json, bytes]]:
        """Wait for a complete response, and return its chunks."""

        def found() -> list[tuple[Json, bytes]]:
            return [each for each in list(self.told) if each[0].get("id") == name and "status" in each[0]]

        return wait_until(found, lambda pieces: bool(pieces) and pieces[-1][0]["isLast"])

    def ask(self, verb: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request, and return the status and the content of the response."""
        text = {} if body is None else {"body": json.dumps(body)}
        pieces = self.pieces(self.say("ask", verb=verb, path=path, **text))
        content = b"".join(piece for _, piece in pieces)
        return pieces[-1][0]["status"], json.loads(content) if content else None

    def events(self) -> list[Json]:
        """Return the events received so far."""
        return [event for message, _ in list(self.told) for event in message.get("events", [])]


@pytest.fixture
def page(api: Api) -> Iterator[Page]:
    """Open a page whose kernel hosts the services, or uses a server."""
    page = Page(api)
    yield page
    page.bridge.close()
    live = ("runwidgets-live", "runwidgets-request")
    wait_until(lambda: not [each.name for each in threading.enumerate() if each.name in live])


def test_a_run_is_started_read_and_deleted(page: Page, api: Api, folder: Path) -> None:
    """Paths, bodies and responses are those of the REST routes."""
    made = workflow(api, folder, "print(x)", parameters="x = 1")

    status, run = page.ask(
        "POST", f"groups/{group_of(made)}/runs", {"arguments": [{"name": "x", "value": 7}]}
    )
    ended(api, run["id"])

    assert status == 201
    assert page.ask("GET", f"runs/{run['id']}") == (200, api.runs.get_run(run["id"]))
    assert page.ask("GET", f"runs/{run['id']}/log?offset=0")[1]["text"] == "7\n"
    assert page.ask("GET", f"groups/{group_of(made)}/runs?state=SUCCESS&limit=1")[1]["runs"]
    assert page.ask("GET", f"runs/{run['id']}/notebook")[1]["nbformat"] == 4
    assert page.ask("DELETE", f"runs/{run['id']}") == (204, None)
    assert page.ask("GET", f"runs/{run['id']}")[1]["error"] == "UnknownRunError"


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "error", "subject"),
    [
        ("GET", "runs/none", None, 404, "UnknownRunError", "run none"),
        ("GET", "runs/%2e%2e%2f", None, 404, "UnknownRunError", "run '../'"),
        ("GET", "nothing/here", None, 404, "UnknownObjectError", "path"),
        ("PATCH", "workflows", None, 405, "MethodNotAllowedError", "PATCH"),
        ("GET", "groups/g/runs?state=ERROR&state=SUCCESS", None, 400, "InvalidArgumentError", "state"),
        ("GET", "../../api/kernels", None, 404, "UnknownObjectError", "path"),
        ("GET", "events", None, 400, "InvalidArgumentError", "path"),
        ("POST", "workflows", {}, 400, "InvalidArgumentError", "source"),
        ("POST", "workflows", {"source": 7}, 400, "InvalidArgumentError", "source"),
        ("POST", "workflows", {"source": "a", "more": 1}, 400, "InvalidArgumentError", "'more'"),
        ("GET", "workflows/w/leaderboard?includeAll=maybe", None, 400, "InvalidArgumentError", "includeAll"),
    ],
)
def test_errors_are_those_of_the_routes(
    page: Page, verb: str, path: str, body: Any, status: int, error: str, subject: str
) -> None:
    """They have status, class, subject and problem."""
    answered, told = page.ask(verb, path, body)

    assert (answered, told["error"], told["subject"]) == (status, error, subject)
    assert told["problem"] and told["subject"] in told["message"]


def test_the_base_lists_the_routes(page: Page, instance: Instance) -> None:
    """They are those of the service descriptor, with the limit of an upload if it is known."""
    _, told = page.ask("GET", "")

    assert [each["id"] for each in told["routes"]] == [route.id for route in ROUTES]
    assert told.get("limits", {"upload": 10**9}) == {"upload": 10**9}


def test_files_are_listed_from_the_working_directory_of_the_kernel(
    instance: Instance, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The format is that of Jupyter's contents API, without hidden files and parent folders."""
    (folder / "one" / "two").mkdir(parents=True)
    (folder / "one" / "a b.txt").write_text("words")
    (folder / "one" / ".hidden").write_text("words")
    monkeypatch.chdir(folder)

    page = Page(instance.api())

    _, told = page.ask("GET", "../../api/contents/one?type=directory&content=1")
    _, refused = page.ask("GET", "../../api/contents/..%2F..?content=1")

    assert (refused["error"], refused["subject"]) == ("UnknownFileError", "folder '../..'")

    assert sorted(told["content"], key=lambda entry: str(entry["name"])) == [
        {"name": "a b.txt", "path": "one/a b.txt", "type": "file", "size": 5},
        {"name": "two", "path": "one/two", "type": "directory", "size": None},
    ]


def test_a_file_is_sent_in_chunks_up_to_a_limit(page: Page, api: Api, folder: Path) -> None:
    """A chunk has at most a megabyte; one byte more than the limit is sent, so that the cut is detected."""
    run = finished(api, folder, f"open('x.bin', 'wb').write(b'abcde' * {MESSAGE_SIZE // 2})")
    path = f"runs/{run['id']}/downloads/files/{run['files'][0]['id']}"

    whole = page.pieces(page.say("ask", verb="GET", path=path))
    part = page.pieces(page.say("ask", verb="GET", path=path, limit=MESSAGE_SIZE))
    archive = page.pieces(page.say("ask", verb="GET", path=f"runs/{run['id']}/downloads/archive"))

    assert b"".join(piece for _, piece in whole) == b"abcde" * (MESSAGE_SIZE // 2)
    assert [(said["at"], len(piece)) for said, piece in whole] == [
        (0, MESSAGE_SIZE),
        (MESSAGE_SIZE, MESSAGE_SIZE),
        (2 * MESSAGE_SIZE, MESSAGE_SIZE // 2),
    ]
    assert {said["name"] for said, _ in whole} == {"x.bin"}
    assert sum(len(piece) for _, piece in part) == MESSAGE_SIZE + 1
    assert b"".join(piece for _, piece in archive)[:2] == b"\x1f\x8b"


def test_a_cancelled_download_sends_nothing_more(page: Page, api: Api, folder: Path) -> None:
    """Its file is closed, and its thread ends."""
    run = finished(api, folder, f"open('x.bin', 'wb').write(bytes({20 * MESSAGE_SIZE}))")
    name = page.say("ask", verb="GET", path=f"runs/{run['id']}/downloads/files/{run['files'][0]['id']}")
    wait_until(lambda: page.told)

    page.say("stop", id=name)

    wait_until(lambda: "runwidgets-request" not in {each.name for each in threading.enumerate()})
    assert len(page.told) < 20


def test_a_file_is_received_in_chunks(page: Page, api: Api, folder: Path) -> None:
    """Each chunk is acknowledged, and the last one gets the handle of the upload."""
    group = group_of(workflow(api, folder, "1"))
    piece = {"path": f"uploads/{group}/files", "name": "two.txt"}

    name = page.say("piece", b"one", at=0, isLast=False, **piece)
    assert [said["got"] for said, _ in page.told] == [3]
    page.say("piece", b"two", id=name, at=3, isLast=True, **piece)

    ((said, content),) = page.pieces(name)
    handle = json.loads(content)
    assert (said["status"], handle["name"], handle["size"]) == (201, "two.txt", 6)
    with api.uploads.get_uploaded_file(group, handle["id"]) as stored:
        assert stored.read() == b"onetwo"


@pytest.mark.parametrize(
    ("at", "path", "error"),
    [
        (7, "uploads/{}/files", "InvalidArgumentError"),
        (3, "runs/{}", "MethodNotAllowedError"),
        (3, "workflows", "InvalidArgumentError"),
        (3, "uploads/none/files", "UnknownWorkflowGroupError"),
    ],
)
def test_an_invalid_upload_is_refused(
    page: Page, api: Api, folder: Path, at: int, path: str, error: str
) -> None:
    """A lost chunk is detected; nothing is kept."""
    piece = {"path": path.format(group_of(workflow(api, folder, "1"))), "name": "two.txt"}

    name = page.say("piece", b"one", at=0, isLast=False, **piece)
    page.say("piece", b"two", id=name, at=at, isLast=True, **piece)

    ((_, content),) = page.pieces(name)
    assert json.loads(content)["error"] == error


def test_watched_subjects_send_events_until_they_are_unwatched(page: Page, api: Api, folder: Path) -> None:
    """The last state is always sent; other runs send nothing."""
    first = running(api, folder, "import time\nprint(1, flush=True)\ntime.sleep(1)")
    other = running(api, folder, SLEEP)
    page.pieces(page.say("watch", client="one", keys=[first["id"]]))

    wait_until(lambda: any(each["data"].get("state") == "SUCCESS" for each in page.events()))

    assert {each["runId"] for each in page.events()} == {first["id"]}
    page.pieces(page.say("watch", client="one", keys=[other["groupId"]]))
    api.runs.cancel_run(other["id"])
    wait_until(lambda: any(each["data"].get("state") == "CANCELED" for each in page.events()))
    counts = [message["count"] for message, _ in page.told if "events" in message]
    assert counts == list(range(1, len(counts) + 1))
    page.pieces(page.say("watch", client="one", keys=[]))


def test_many_events_are_sent_in_few_messages(page: Page, api: Api, folder: Path) -> None:
    """There are four messages a second, apart from changes of state, with the last value of each metric."""
    loop = (
        "import runwidgets, time\nprint(1, flush=True)\ntime.sleep(1)\n"
        "for step in range(200):\n    runwidgets.record('loss', step)\n    time.sleep(0.005)"
    )
    run = running(api, folder, loop)
    page.pieces(page.say("watch", client="one", keys=[run["id"], run["groupId"]]))

    wait_until(lambda: any(each["data"].get("state") == "SUCCESS" for each in page.events()))

    losses = [each["data"]["value"] for each in page.events() if each["kind"] == "metric"]
    assert losses[-1] == 199 and len(losses) < 20
    assert len({each["seq"] for each in page.events()}) == len(page.events())


def test_only_the_code_of_the_views_is_served(page: Page) -> None:
    """It is selected by name."""
    ((about, code),) = page.pieces(page.say("load", name="results"))
    ((refused, _),) = page.pieces(page.say("load", name="../limits"))

    assert (about["status"], about["type"], refused["status"]) == (200, "text/javascript", 404)
    assert b"export" in code


def test_a_widget_responds_to_its_view_until_it_is_closed(instance: Instance, folder: Path) -> None:
    """Foreign messages are ignored; nothing remains after `close`."""
    api = instance.api()
    run = running(api, folder, SLEEP)
    view = rw.Results(run["id"], api=api)
    told: list[Json] = []
    view.send = lambda content, buffers=None: told.append(content["runwidgets"])  # type: ignore[method-assign]

    view._handle_custom_msg({"kind": "anywidget-command"}, [])
    view._handle_custom_msg({"runwidgets": {"kind": "watch", "id": "w", "client": "c", "keys": [""]}}, [])
    api.runs.cancel_run(run["id"])
    wait_until(lambda: any(each["kind"] == "state" for said in told for each in said.get("events", [])))
    view.close()

    wait_until(lambda: "runwidgets-live" not in {each.name for each in threading.enumerate()})
