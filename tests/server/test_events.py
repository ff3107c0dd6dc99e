import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from runwidgets.errors import ServiceUnavailableError, UnknownRunError, UnknownWorkflowGroupError
from runwidgets.service.contracts.api import Api
from runwidgets.service.http.events import read_stream
from runwidgets.service.http.services import open_remote
from tests.builders import accepted, ended, finished, running, wait_until
from tests.conftest import JupyterServer

TERMINAL = {"SUCCESS", "ERROR", "CANCELED"}


def until_end(events: Iterator[dict[str, Any]], run_id: str) -> list[dict[str, Any]]:
    """Read events up to the terminal state of a run."""
    seen = []
    for event in events:
        seen.append(event)
        if event["runId"] == run_id and event["data"].get("state") in TERMINAL:
            return seen
    raise AssertionError("the stream ended")


class TestStream:
    def test_it_begins_with_hello_and_the_position(self, client: httpx.Client, remote: Api) -> None:
        """A client can resume even before the first event."""
        with client.stream("GET", "events") as answer:
            name, data = next(read_stream(answer))

        assert (name, set(data)) == ("hello", {"seq"})
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert remote.events.last_event() >= data["seq"]

    def test_events_lead_from_the_start_of_a_run_to_its_end(self, remote: Api, folder: Path) -> None:
        """Each event is sent once and in order; the last one has the state in the database."""
        stop = threading.Event()
        live = remote.events.follow_events(remote.events.last_event(), stop=stop)

        run_id = accepted(remote, folder, "print('x')")["id"]
        seen = [event for event in until_end(live, run_id) if event["runId"] == run_id]

        stop.set()
        assert list(live) == []
        states = [event["data"]["state"] for event in seen if event["kind"] == "state"]
        assert states == ["PENDING", "RUNNING", "SUCCESS"]
        assert all(a["seq"] < b["seq"] for a, b in pairwise(seen))
        assert ended(remote, run_id)["state"] == states[-1]

    def test_a_resumed_stream_misses_and_repeats_nothing(
        self, remote: Api, client: httpx.Client, folder: Path
    ) -> None:
        """It resumes after any event, given by header or by query."""
        begin = remote.events.last_event()
        handle = finished(remote, folder, "print('x')")
        whole = [event["seq"] for event in until_end(remote.events.follow_events(begin), handle["id"])]

        for seen in (begin, whole[0], whole[len(whole) // 2]):
            rest = [each for each in whole if each > seen]
            for options in ({"headers": {"Last-Event-ID": str(seen)}}, {"params": {"after": seen}}):
                with client.stream("GET", "events", **options) as answer:
                    stream = read_stream(answer)
                    assert next(stream) == ("hello", {"seq": seen})
                    assert [next(stream)[1]["seq"] for _ in rest] == rest

    @pytest.mark.parametrize("after", [-5, 10**15])
    def test_an_unknown_position_is_brought_into_range(self, client: httpx.Client, after: int) -> None:
        """A client of a replaced database continues from its end."""
        with client.stream("GET", "events", params={"after": after}) as answer:
            assert 0 <= next(read_stream(answer))[1]["seq"] < 10**15

    def test_a_filter_shows_one_run_or_one_group(self, remote: Api, folder: Path) -> None:
        """The filter applies live and after a resume."""
        begin = remote.events.last_event()
        one, other = accepted(remote, folder, "1"), accepted(remote, folder, "2")
        for run_id in (one["id"], other["id"]):
            ended(remote, run_id)

        by_run = until_end(remote.events.follow_events(begin, run_id=other["id"]), other["id"])
        by_group = until_end(remote.events.follow_events(begin, group_id=one["groupId"]), one["id"])

        assert {event["runId"] for event in by_run} == {other["id"]}
        assert {event["groupId"] for event in by_group} == {one["groupId"]}

    def test_unknown_subjects_cannot_be_followed(self, remote: Api) -> None:
        """The error is the response, not an event in the stream."""
        with pytest.raises(UnknownRunError):
            remote.events.follow_events(0, run_id="nobody")
        with pytest.raises(UnknownWorkflowGroupError):
            remote.events.follow_events(0, group_id="nobody")

    def test_following_ends_within_a_second_of_its_stop(self, remote: Api) -> None:
        """It ends even without events, and leaves no thread."""
        stop = threading.Event()
        live = remote.events.follow_events(remote.events.last_event(), stop=stop)
        thread = threading.Thread(target=lambda: list(live))
        thread.start()
        wait_until(lambda: [t for t in threading.enumerate() if t.name == "runwidgets-listener"])

        stop.set()
        begin = time.monotonic()
        thread.join(5)

        assert time.monotonic() - begin < 1
        wait_until(
            lambda: [t for t in threading.enumerate() if t.name == "runwidgets-listener"],
            lambda left: not left,
        )


def test_closing_the_connection_ends_its_followers(server: JupyterServer) -> None:
    """A waiting follower gets an error, and no thread remains."""
    api = server.api()
    live = api.events.follow_events(api.events.last_event())
    failures: list[BaseException] = []

    def follow() -> None:
        try:
            next(live)
        except ServiceUnavailableError as error:
            failures.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    wait_until(lambda: [t for t in threading.enumerate() if t.name == "runwidgets-listener"])
    api.close()
    thread.join(5)

    assert "the connection was closed" in str(failures)


class Cutter:
    """Forwards connections to a server, and cuts them on demand."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}{parts.path}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Cut the open connections, and return their number."""
        cut, self._open = self._open, []
        for each in cut:
            with closing(each), suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        return len(cut)

    def close(self) -> None:
        """Accept no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class TestCuts:
    def test_a_cut_stream_continues_without_a_gap(
        self, remote: Api, server: JupyterServer, folder: Path
    ) -> None:
        """Our client reconnects from the last event that it saw."""
        cutter = Cutter(server.api_url)
        begin = remote.events.last_event()
        with open_remote(cutter.url, server.token) as through:
            live = through.events.follow_events(begin)
            handle = running(remote, folder, "import time\nprint(1, flush=True)\ntime.sleep(1)\nprint(2)")
            seen = [next(live)["seq"]]

            assert cutter.cut()
            seen += [event["seq"] for event in until_end(live, handle["id"])]

            live.close()
        cutter.close()
        whole = until_end(remote.events.follow_events(begin), handle["id"])
        assert seen == [event["seq"] for event in whole]

    def test_a_disconnected_client_is_removed(self, server: JupyterServer) -> None:
        """Its connection is closed on the server too."""
        process = psutil.Process(server.process.pid)
        headers = {"Authorization": f"token {server.token}"}

        def is_held(port: int) -> bool:
            return any(each.raddr and each.raddr.port == port for each in process.net_connections("tcp"))

        with (
            httpx.Client(base_url=server.api_url, headers=headers) as client,
            client.stream("GET", "events") as answer,
        ):
            port = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
            stream = read_stream(answer)
            assert next(stream)
            assert is_held(port)

        wait_until(lambda: not is_held(port))

    def test_a_client_that_does_not_read_is_disconnected_and_memory_use_is_constant(
        self, server: JupyterServer, remote: Api, folder: Path
    ) -> None:
        """Others are not affected; it can resume later."""
        process = psutil.Process(server.process.pid)
        threads, memory = process.num_threads(), process.memory_info().rss
        parts = urlsplit(server.api_url)
        idle = []
        for _ in range(20):
            each = socket.create_connection((parts.hostname or "", parts.port or 0))
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            lines = [f"GET {parts.path}events?after=0 HTTP/1.1", f"Host: {parts.netloc}"]
            lines += [f"api_key: {server.token}", "", ""]
            each.sendall("\r\n".join(lines).encode())
            idle.append(each)

        handle = finished(
            remote, folder, "import runwidgets\nfor n in range(3000):\n    runwidgets.record('m', n)"
        )

        assert handle["state"] == "SUCCESS"
        assert process.num_threads() <= threads + 16
        assert process.memory_info().rss - memory < 60_000_000
        for each in idle:
            each.close()


def test_an_event_is_one_line_of_json(client: httpx.Client, remote: Api, folder: Path) -> None:
    """A line end inside an event would corrupt the stream."""
    handle = finished(remote, folder, "raise ValueError('two\\nlines\\r\\n\\u2028')")

    with client.stream("GET", "events", params={"after": 0, "run": handle["id"]}) as answer:
        events = read_stream(answer)
        seen = [next(events)]
        while seen[-1][1].get("data", {}).get("state") != "ERROR":
            seen.append(next(events))

    assert "two\nlines" in json.dumps(seen[-1][1]).encode().decode("unicode_escape")
