import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from runwidgets.errors import FileTooLargeError, UnknownFileError, UnknownWorkflowGroupError
from runwidgets.service.contracts.api import Api
from tests.builders import group_of, running, wait_until, workflow
from tests.conftest import JupyterServer, start_server
from tests.server.requests import connection

CONTENT = bytes(range(256)) * 4096


def entry(run: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a result file of the run that all tests share."""
    return next(file for file in run["files"] if file["name"] == name)


def path_of(run: dict[str, Any], name: str) -> str:
    """Return the URL of a result file."""
    return f"runs/{run['id']}/downloads/files/{entry(run, name)['id']}"


class TestDownloads:
    def test_a_file_is_sent_complete_and_unchanged(self, client: httpx.Client, run: dict[str, Any]) -> None:
        """It has its size and type, and is never compressed."""
        answer = client.get(path_of(run, "big.bin"), headers={"Accept-Encoding": "gzip"})

        assert answer.content == CONTENT
        assert answer.headers["Content-Length"] == str(len(CONTENT))
        assert answer.headers["Etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
        assert "Content-Encoding" not in answer.headers

    def test_an_html_result_is_harmless(self, client: httpx.Client, run: dict[str, Any]) -> None:
        """It is sent as an attachment; if displayed, it is sandboxed and cannot change its type."""
        saved = client.get(path_of(run, 'grün "1".html'))
        shown = client.get(path_of(run, 'grün "1".html'), params={"inline": "1"})

        for answer in (saved, shown):
            assert answer.headers["Content-Type"] == "text/html"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"] == "sandbox"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert saved.headers["Content-Disposition"] == (
            "attachment; filename=\"gr_n _1_.html\"; filename*=UTF-8''gr%C3%BCn%20%221%22.html"
        )
        assert shown.headers["Content-Disposition"].startswith("inline;")

    @pytest.mark.parametrize(
        ("wanted", "status", "content", "said"),
        [
            ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
            ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
            ("bytes=-2", 206, b"89", "bytes 8-9/10"),
            ("bytes=8-100", 206, b"89", "bytes 8-9/10"),
            ("bytes=-100", 206, b"0123456789", "bytes 0-9/10"),
            ("bytes=0-1,4-5", 200, b"0123456789", None),
            ("bytes=-", 200, b"0123456789", None),
            ("lines=1-2", 200, b"0123456789", None),
            ("bytes=10-", 416, None, "bytes */10"),
            ("bytes=5-2", 416, None, "bytes */10"),
        ],
    )
    def test_a_range_is_served(
        self,
        client: httpx.Client,
        run: dict[str, Any],
        wanted: str,
        status: int,
        content: bytes | None,
        said: str | None,
    ) -> None:
        """One range is served as in RFC 9110; several or invalid ranges get the whole file."""
        answer = client.get(path_of(run, "a b.txt"), headers={"Range": wanted})

        assert answer.status_code == status
        assert answer.headers.get("Content-Range") == said
        assert content is None or answer.content == content

    def test_a_cached_file_is_not_sent_again(self, client: httpx.Client, run: dict[str, Any]) -> None:
        """Its entity tag decides; ranges of different files are not mixed."""
        path = path_of(run, "a b.txt")
        tag = client.get(path).headers["Etag"]

        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
        assert client.get(path, headers={"Range": "bytes=1-", "If-Range": tag}).status_code == 206
        assert client.get(path, headers={"Range": "bytes=1-", "If-Range": '"x"'}).status_code == 200

    def test_the_archive_holds_every_result_file(self, client: httpx.Client, run: dict[str, Any]) -> None:
        """It is one stream, named after the run."""
        answer = client.get(f"runs/{run['id']}/downloads/archive")

        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            assert set(archive.getnames()) == {file["name"] for file in run["files"]}
        assert answer.headers["Content-Type"] == "application/gzip"
        assert f'filename="{run["id"]}.tar.gz"' in answer.headers["Content-Disposition"]

    def test_the_notebook_of_a_running_run_can_be_read(
        self, client: httpx.Client, remote: Api, folder: Path
    ) -> None:
        """It is valid JSON, with the type of notebooks."""
        handle = running(remote, folder, "print(1, flush=True)\nimport time\ntime.sleep(60)")

        answer = client.get(f"runs/{handle['id']}/notebook")

        remote.runs.cancel_run(handle["id"])
        assert answer.headers["Content-Type"] == "application/x-ipynb+json"
        assert answer.json()["nbformat"] == 4

    def test_our_client_reads_from_anywhere(self, remote: Api, run: dict[str, Any]) -> None:
        """A remote file is seekable, and skipped parts are not read."""
        with remote.runs.get_result_file(run["id"], entry(run, "big.bin")["id"]) as file:
            assert file.seek(-4, 2) == len(CONTENT) - 4
            assert file.read() == CONTENT[-4:]
            file.seek(256)
            assert file.read(300) == CONTENT[256:556]

    def test_a_client_that_disconnects_leaves_no_open_file(
        self, server: JupyterServer, client: httpx.Client, run: dict[str, Any]
    ) -> None:
        """The server closes the file that it was sending."""
        with client.stream("GET", path_of(run, "big.bin")) as answer:
            next(answer.iter_raw(1024))

        process = psutil.Process(server.process.pid)
        wait_until(
            lambda: [file.path for file in process.open_files() if "big.bin" in file.path], lambda x: not x
        )


class TestUploads:
    @pytest.fixture
    def group_id(self, remote: Api, folder: Path) -> str:
        """Create a group for uploads."""
        return group_of(workflow(remote, folder, "1"))

    @pytest.mark.parametrize("field", ["file", "files", "anything"])
    def test_a_file_is_stored_and_downloaded(self, client: httpx.Client, group_id: str, field: str) -> None:
        """The form field may have any name: flowserv's clients use files."""
        answer = client.post(f"uploads/{group_id}/files", files={field: ("data.bin", CONTENT)})

        handle = answer.json()
        path = f"uploads/{group_id}/files/{handle['id']}"
        assert answer.status_code == 201
        assert (handle["name"], handle["size"]) == ("data.bin", len(CONTENT))
        assert client.get(path).content == CONTENT
        assert client.delete(path).status_code == 204
        assert client.get(path).json()["error"] == "UnknownFileError"

    @pytest.mark.parametrize("name", ["grün.csv", "a b.csv", 'q"uote.csv', "100%.csv", "%22.csv", "☃.txt"])
    def test_our_client_keeps_the_name_of_a_file(self, remote: Api, group_id: str, name: str) -> None:
        """Any name is preserved exactly."""
        handle = remote.uploads.upload_file(group_id, io.BytesIO(b"x"), name)

        assert handle["name"] == name
        with remote.uploads.get_uploaded_file(group_id, handle["id"]) as file:
            assert file.read() == b"x"

    def test_an_empty_file_is_a_file(self, remote: Api, group_id: str) -> None:
        """Its size is 0."""
        assert remote.uploads.upload_file(group_id, io.BytesIO(), "empty")["size"] == 0

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "it has no file"),
            (b"--x--\r\n", "it has no file"),
            (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--', "it has no file"),
            (b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nabc', "in the middle"),
            (b"--x\r\nContent-Type: a/b\r\n\r\nabc\r\n--x--", "Content-Disposition"),
            (b"--x\r\n" + b"A: b\r\n" * 5_000, "headers of a part are too long"),
            (
                b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\n1\r\n'
                b'--x\r\nContent-Disposition: form-data; filename="b"\r\n\r\n2\r\n--x--',
                "more than one file",
            ),
        ],
    )
    def test_a_broken_form_is_refused_and_leaves_nothing(
        self, client: httpx.Client, remote: Api, group_id: str, content: bytes, sentence: str
    ) -> None:
        """The response is 400 with a message; no part of the file is kept."""
        headers = {"Content-Type": "multipart/form-data; boundary=x"}

        answer = client.post(f"uploads/{group_id}/files", content=content, headers=headers)

        assert answer.status_code == 400 and sentence in answer.json()["message"]
        assert remote.uploads.list_uploaded_files(group_id) == {"files": []}

    @pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", ""])
    def test_a_body_that_is_not_a_form_is_refused(
        self, client: httpx.Client, group_id: str, content_type: str
    ) -> None:
        """The status is 415."""
        answer = client.post(
            f"uploads/{group_id}/files", content=b"{}", headers={"Content-Type": content_type}
        )

        assert (answer.status_code, answer.json()["error"]) == (415, "UnsupportedMediaTypeError")

    @pytest.mark.parametrize("name", ["a/b", "..", ".", "a\0b", "a" * 300, ""])
    def test_a_name_that_is_not_a_plain_file_name_is_refused(
        self, remote: Api, group_id: str, name: str
    ) -> None:
        """No part of the file is kept."""
        with pytest.raises(ValueError, match=r".+"):
            remote.uploads.upload_file(group_id, io.BytesIO(b"x"), name)

        assert remote.uploads.list_uploaded_files(group_id) == {"files": []}

    def test_an_upload_to_an_unknown_group_is_refused_while_it_is_sent(self, remote: Api) -> None:
        """The client need not send it completely."""
        sent = 0

        class Endless(io.RawIOBase):
            def read(self, size: int = -1) -> bytes:
                nonlocal sent
                sent += size
                return bytes(size)

        with pytest.raises(UnknownWorkflowGroupError):
            remote.uploads.upload_file("nobody", Endless(), "a")  # type: ignore[arg-type]
        assert sent < 500_000_000

    def test_an_interrupted_upload_leaves_nothing(
        self, server: JupyterServer, remote: Api, group_id: str
    ) -> None:
        """The sender disconnects; no row and no file remain."""
        headers = {
            "Authorization": f"token {server.token}",
            "Content-Type": "multipart/form-data; boundary=x",
            "Content-Length": "10000000",
        }
        opened = connection(server, "POST", f"uploads/{group_id}/files", headers)
        opened.send(b'--x\r\nContent-Disposition: form-data; name="f"; filename="half"\r\n\r\n' + CONTENT)
        wait_until(lambda: stored(server, group_id))

        opened.close()

        wait_until(lambda: stored(server, group_id), lambda found: not found)
        assert remote.uploads.list_uploaded_files(group_id) == {"files": []}


def stored(server: JupyterServer, group_id: str) -> list[Path]:
    """Return the stored files of a group's uploads."""
    return [path for path in (server.root / "uploads" / group_id).rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[JupyterServer]:
    """Serve with a small limit for uploads."""
    root = tmp_path_factory.mktemp("small") / "root"
    started = start_server(root, folder, "--RunWidgetsApp.upload=3000000")
    yield started
    started.stop()


class TestLimits:
    @pytest.mark.parametrize("size", [3_000_001, 50_000_000])
    def test_a_file_over_the_limit_is_refused_and_leaves_nothing(
        self, small: JupyterServer, folder: Path, size: int
    ) -> None:
        """Both the announced and the received size count."""
        with small.api() as api:
            group_id = group_of(workflow(api, folder, "1"))

            with pytest.raises(FileTooLargeError, match="3,000,000"):
                api.uploads.upload_file(group_id, io.BytesIO(bytes(size)), "big")
            announced = httpx.post(
                f"{small.api_url}uploads/{group_id}/files",
                files={"file": ("big", bytes(size))},
                headers={"api_key": small.token},
            )

            assert (announced.status_code, announced.json()["error"]) == (413, "FileTooLargeError")
            wait_until(lambda: stored(small, group_id), lambda found: not found)
            assert api.uploads.list_uploaded_files(group_id) == {"files": []}
            assert (
                api.uploads.upload_file(group_id, io.BytesIO(bytes(3_000_000)), "fits")["size"] == 3_000_000
            )

    def test_an_upload_is_never_in_memory(self, remote: Api, server: JupyterServer, folder: Path) -> None:
        """The server's memory use remains constant while it receives 200 MB."""
        group_id = group_of(workflow(remote, folder, "1"))
        process = psutil.Process(server.process.pid)
        before, most = process.memory_info().rss, 0

        class Big(io.RawIOBase):
            left = 200_000_000

            def read(self, size: int = -1) -> bytes:
                nonlocal most
                most = max(most, process.memory_info().rss)
                size = min(size, self.left)
                self.left -= size
                return bytes(size)

        handle = remote.uploads.upload_file(group_id, Big(), "big")  # type: ignore[arg-type]

        assert handle["size"] == 200_000_000
        assert most - before < 50_000_000
        remote.uploads.delete_file(group_id, handle["id"])
        with pytest.raises(UnknownFileError):
            remote.uploads.get_uploaded_file(group_id, handle["id"])
