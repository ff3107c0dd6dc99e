import asyncio

import pytest

from runwidgets.errors import ServiceUnavailableError
from runwidgets.server.multipart import BUFFER_SIZE, Form, Part, Pipe

BODY = (
    b"a preamble\r\n"
    b'--b--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    b'--b--x\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\nX: y\r\n\r\n'
    b"\r\n--b--y\r\n--b-\r\n\x00\xff--b--x\r\n\r\n\r\n"
    b'--b--x\r\nContent-Disposition: form-data; name="empty"; filename=""\r\n\r\n\r\n'
    b"--b--x--\r\nan epilogue"
)
PARTS = [
    (Part("note", None), b"hello"),
    (Part("file", "a.bin"), b"\r\n--b--y\r\n--b-\r\n\x00\xff--b--x\r\n\r\n"),
    (Part("empty", ""), b""),
]


def parse(pieces: list[bytes]) -> tuple[list[tuple[Part, bytes]], bool]:
    """Parse a form in chunks."""
    form = Form('multipart/form-data; boundary="b--x"')
    parts: list[tuple[Part, bytes]] = []
    for piece in pieces:
        for item in form.feed(piece):
            if isinstance(item, Part):
                parts.append((item, b""))
            else:
                parts[-1] = (parts[-1][0], parts[-1][1] + item)
    return parts, form.finish()


class TestForm:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 61, 1_000])
    def test_a_form_is_parsed_in_chunks_of_any_size(self, size: int) -> None:
        """The socket determines the chunks."""
        pieces = [BODY[at : at + size] for at in range(0, len(BODY), size)]

        assert parse(pieces) == (PARTS, True)

    def test_a_form_is_parsed_in_any_two_chunks(self) -> None:
        """The cut may be inside a boundary, a header or a line end."""
        for at in range(len(BODY)):
            assert parse([BODY[:at], BODY[at:]]) == (PARTS, True), at

    def test_a_form_without_its_end_is_not_finished(self) -> None:
        """An incomplete file is not mistaken for a file."""
        end = BODY.index(b"--b--x--\r\n")

        assert not parse([BODY[:end]])[1]

    @pytest.mark.parametrize(
        ("head", "name"),
        [
            (b'filename="a.txt"', "a.txt"),
            (b"filename=a.txt", "a.txt"),
            ('filename="grün.txt"'.encode(), "grün.txt"),
            (b'filename="a%22b.txt"', 'a"b.txt'),
            (b'filename="a\\"b.txt"', 'a"b.txt'),
            (b"filename=\"plain.txt\"; filename*=UTF-8''gr%C3%BCn.txt", "grün.txt"),
            (b"filename*=utf-8'de'%2522.txt; filename=\"plain.txt\"", "%22.txt"),
        ],
    )
    def test_the_name_of_a_file_is_read_as_its_sender_meant_it(self, head: bytes, name: str) -> None:
        """Browsers, curl and older clients escape it differently."""
        part = b'--b--x\r\nContent-Disposition: form-data; name="f"; ' + head + b"\r\n\r\n"

        assert parse([part])[0] == [(Part("f", name), b"")]


class TestPipe:
    async def fill(self, pipe: Pipe, pieces: list[bytes]) -> bytes:
        """Write chunks while a thread reads, and return what it read."""
        read = asyncio.get_running_loop().run_in_executor(None, pipe.read)
        for piece in pieces:
            await pipe.put(piece)
        pipe.end()
        return await read

    def test_what_is_written_is_read(self) -> None:
        """All bytes arrive in order, although they exceed the buffer."""
        pieces = [bytes([n]) * 300_000 for n in range(10)]

        async def check() -> None:
            assert await self.fill(Pipe(), pieces) == b"".join(pieces)

        asyncio.run(check())

    def test_a_writer_waits_for_its_reader(self) -> None:
        """The memory is limited."""

        async def check() -> None:
            pipe = Pipe()
            putting = asyncio.ensure_future(pipe.put(bytes(BUFFER_SIZE)))
            assert not (await asyncio.wait([putting], timeout=0.05))[0]
            await asyncio.to_thread(pipe.read, BUFFER_SIZE)
            await asyncio.wait_for(putting, 5)

        asyncio.run(check())

    def test_a_reader_gets_the_error_of_a_writer_that_fails(self) -> None:
        """A writer does not wait for a reader that has stopped."""

        async def check() -> None:
            pipe = Pipe()
            reading = asyncio.get_running_loop().run_in_executor(None, pipe.read)
            pipe.fail(ServiceUnavailableError("upload", "its sender went away"))
            with pytest.raises(ServiceUnavailableError, match="its sender went away"):
                await reading
            await asyncio.wait_for(pipe.put(bytes(3 * BUFFER_SIZE)), 5)

        asyncio.run(check())

    def test_a_complete_file_remains_valid(self) -> None:
        """A sender that disconnects after the end does not invalidate it."""

        async def check() -> None:
            pipe = Pipe()
            await pipe.put(b"all")
            pipe.end()
            pipe.fail(ServiceUnavailableError("upload", "its sender went away"))
            assert await asyncio.to_thread(pipe.read) == b"all"

        asyncio.run(check())
