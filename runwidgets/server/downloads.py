"""Downloads: the file of a route with its name and type, sent as a whole or one range of it."""

import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import IO, Any, TypeAlias, cast
from urllib.parse import quote

from jupyter_server.base.handlers import APIHandler
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from runwidgets.server.arguments import read_text
from runwidgets.service.contracts.api import Api
from runwidgets.service.routes import catalog, runs
from runwidgets.service.routes.route import Route

NOTEBOOK_TYPE = "application/x-ipynb+json"
SEND_CHUNK = 256 * 1024
"""Bytes of a file that are read and sent at once."""
InThread: TypeAlias = Callable[..., Awaitable[Any]]
"""Calls a blocking function, with its arguments, in a thread."""


@dataclass
class Download:
    """A file to be sent to a client."""

    file: IO[bytes]
    """Readable; seekable if it has a size."""
    name: str
    """Name without a folder."""
    mime_type: str
    """MIME type as in the handle."""
    _: KW_ONLY
    size: int | None = None
    """Size in bytes; None for a stream that is created while it is read."""
    tag: str | None = None
    """The entity tag, if the content never changes."""


def open_download(api: Api, route: Route, arguments: Mapping[str, str]) -> Download:
    """Open the file that a route offers for download, with its name and type. Blocks.

    Parameters
    ----------
    api : Api
        The services of the user.
    route : Route
        The route.
    arguments : dict
        The arguments of the service method.

    Returns
    -------
    Download
        The open download; the caller closes the file.
    """
    file = cast("IO[bytes]", route.call(api, **arguments))
    try:
        name, mime_type, tag = "file", "application/octet-stream", None
        if route in (runs.GET_RESULT_FILE, runs.GET_PARTIAL_FILE):
            run = api.runs.get_run(arguments["run_id"])
            files = [*run.get("files", []), *run.get("partialFiles", [])]
            entry = next(each for each in files if each["id"] == arguments["file_id"])
            name, mime_type = entry["name"], entry["mimeType"]
            tag = f'"{entry["sha256"]}"' if "sha256" in entry else None
        elif route == runs.GET_RESULT_ARCHIVE:
            name, mime_type = f"{arguments['run_id']}.tar.gz", "application/gzip"
        elif route == runs.GET_NOTEBOOK:
            name, mime_type = f"{arguments['run_id']}.ipynb", NOTEBOOK_TYPE
        elif route == catalog.GET_UPLOADED_FILE:
            uploads = api.uploads.list_uploaded_files(arguments["group_id"])["files"]
            name = next(each["name"] for each in uploads if each["id"] == arguments["file_id"])
            mime_type = mimetypes.guess_type(name)[0] or mime_type
            tag = f'"{arguments["file_id"]}"'
        if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", mime_type, re.ASCII):
            mime_type = "application/octet-stream"
        size = None
        if file.seekable():
            size = file.seek(0, 2)
            file.seek(0)
        return Download(file, name.rsplit("/", 1)[-1], mime_type, size=size, tag=tag)
    except BaseException:
        file.close()
        raise


class UnsatisfiedRangeError(HTTPError):
    """The requested range begins after the end of the file.

    Parameters
    ----------
    size : int
        Size of the file in bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(416, "the file has only %s bytes", size)
        self.size = size


async def send_download(handler: APIHandler, download: Download, in_thread: InThread) -> None:
    """Send a file, or the range of it that the request asks for, and close it.

    Parameters
    ----------
    handler : APIHandler
        The handler of the request.
    download : Download
        The open file.
    in_thread : callable
        Calls a blocking function in a thread.

    Raises
    ------
    UnsatisfiedRangeError
        The requested range begins after the end.
    """
    try:
        handler._transforms = []  # no gzip: it would remove Content-Length and ranges and change the bytes
        _set_headers(handler, download)
        if download.tag and handler.request.headers.get("If-None-Match") == download.tag:
            handler.set_status(304)
            await handler.finish(set_content_type=download.mime_type)
            return
        begin, length = _choose_range(handler, download)
        if begin:
            await in_thread(download.file.seek, begin)
        await handler.flush()
        while length is None or length > 0:
            size = SEND_CHUNK if length is None else min(SEND_CHUNK, length)
            piece = await in_thread(download.file.read, size)
            if not piece:
                break
            handler.write(piece)
            length = None if length is None else length - len(piece)
            await handler.flush()
        await handler.finish(set_content_type=download.mime_type)
    except StreamClosedError:
        handler.log.debug("The client disconnected during a download.")
    finally:
        await in_thread(download.file.close)


def _set_headers(handler: APIHandler, download: Download) -> None:
    is_inline = read_text(handler.request.query_arguments, "inline") in {"1", "true"}
    fallback = re.sub(r"[^ !#-$&-.0-:<-\[\]-~]", "_", download.name)
    handler.set_header("Content-Type", download.mime_type)
    handler.set_header(
        "Content-Disposition",
        f'{"inline" if is_inline else "attachment"}; filename="{fallback}"; '
        f"filename*=UTF-8''{quote(download.name.encode('utf-8', 'replace'), safe='')}",
    )
    handler.set_header("Content-Security-Policy", "sandbox")
    handler.set_header("Cross-Origin-Resource-Policy", "same-origin")
    handler.set_header("Cache-Control", "private, no-cache")
    handler.set_header("Accept-Ranges", "none" if download.size is None else "bytes")
    if download.tag:
        handler.set_header("Etag", download.tag)


def _choose_range(handler: APIHandler, download: Download) -> tuple[int, int | None]:
    """Return the first byte to send, and how many; None for all of a stream."""
    if download.size is None:
        return 0, None
    begin, end = 0, download.size
    headers = handler.request.headers
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", "").replace(" ", ""))
    if match and any(match.groups()) and headers.get("If-Range") in {None, download.tag}:
        first, last = match.groups()
        begin = int(first) if first else max(0, download.size - int(last))
        end = min(download.size, int(last) + 1) if first and last else download.size
        if begin >= end:
            raise UnsatisfiedRangeError(download.size)
        handler.set_status(206)
        handler.set_header("Content-Range", f"bytes {begin}-{end - 1}/{download.size}")
    handler.set_header("Content-Length", str(end - begin))
    return begin, end - begin
