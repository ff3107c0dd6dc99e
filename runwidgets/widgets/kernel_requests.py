"""Requests of views that the kernel serves, with the same routes, arguments and errors as the REST API."""

import io
import json
import os
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, unquote

from runwidgets.errors import (
    InvalidArgumentError,
    RequestTooLargeError,
    UnauthorizedAccessError,
    UnknownFileError,
)
from runwidgets.limits import Limits
from runwidgets.schema import FolderContent, FolderEntry, KernelDescriptor
from runwidgets.server.arguments import read_body, read_path, read_query
from runwidgets.server.downloads import Download, open_download
from runwidgets.service.contracts.api import Api
from runwidgets.service.routes.catalog import TAKE_FILE
from runwidgets.service.routes.routes import DESCRIBE_SERVICE, ROUTES, find_route
from runwidgets.widgets.static import read_static

CONTENTS_PATH = "../../api/contents/"
"""The route under which views ask for files of the server."""
BUNDLES = {"form", "run", "results", "table", "sweep", "browser", "markdown"}
JSON_TYPE = "application/json"


def serve_request(api: Api, verb: str, path: str, body: str = "") -> tuple[int, Download]:
    """Respond to a request as the REST routes do. Blocks.

    Parameters
    ----------
    api : Api
        The services.
    verb : str
        GET, POST, PUT or DELETE.
    path : str
        The path of a route, with its query.
    body : str, optional
        JSON text.

    Returns
    -------
    status : int
        The HTTP status.
    download : Download
        The response; the caller closes its file.

    Raises
    ------
    InvalidArgumentError
        The request is for the event stream, or its path, query or body is invalid.
    RequestTooLargeError
        The body exceeds the limit.
    RunWidgetsError
        Any error of the service.
    """
    path, _, query = path.partition("?")
    if path.startswith(CONTENTS_PATH) and not api.url:
        return 200, make_json_download(list_folder(unquote(path.removeprefix(CONTENTS_PATH))))
    route, parts = find_route(verb, path)
    if route == DESCRIBE_SERVICE:
        return 200, make_json_download(_descriptor(api))
    if route.response == "stream":
        raise InvalidArgumentError("path", "the event stream is not a request", "send a 'watch' message")
    values = {name.decode(): each for name, each in parse_qs(query.encode()).items()}
    path_arguments = read_path(route, parts)
    if route.response == "file":
        return route.status, open_download(api, route, path_arguments)
    arguments = read_query(route, values) | path_arguments
    if route.body:
        content, limit = body.encode("utf-8", "replace"), Limits().json_body
        if len(content) > limit:
            raise RequestTooLargeError("body", f"{len(content):,} bytes are more than the limit of {limit:,}")
        arguments |= read_body(route, content)
    data = route.call(api, **arguments)
    return route.status, make_json_download(None if route.response == "nothing" else data)


def store_upload(api: Api, path: str, name: str, file: IO[bytes]) -> tuple[int, Download]:
    """Store an upload that arrived in chunks. Blocks.

    Parameters
    ----------
    api : Api
        The services.
    path : str
        The path of a group's uploads.
    name : str
        The name of the file.
    file : IO
        The content of the file; closed at the end.

    Returns
    -------
    status : int
        The HTTP status.
    download : Download
        The handle of the upload.

    Raises
    ------
    InvalidArgumentError
        The path is not the path of a group's uploads.
    RunWidgetsError
        Any error of the service.
    """
    with file:
        route, parts = find_route("POST", path)
        if route != TAKE_FILE:
            raise InvalidArgumentError("path", "this route accepts no file")
        arguments = read_path(route, parts)
        return route.status, make_json_download(api.uploads.upload_file(**arguments, file=file, name=name))


def list_folder(folder: str) -> FolderContent:
    """Return the content of a folder, in the format of Jupyter's contents API.

    Parameters
    ----------
    folder : str
        Path relative to the working directory of the kernel, which must contain the folder.

    Returns
    -------
    dict
        ``{"content": [{"name", "path", "type", "size"}, …]}``; names that begin with a dot are omitted.

    Raises
    ------
    UnknownFileError
        There is no such folder.
    UnauthorizedAccessError
        The folder cannot be read for lack of permission.
    """
    root = Path.cwd().resolve()
    target = (root / folder).resolve()
    if not target.is_relative_to(root) or not target.is_dir():
        raise UnknownFileError(f"folder {folder!a:.80}", "there is no such folder")
    try:
        entries = [entry for entry in os.scandir(target) if not entry.name.startswith(".")]
    except PermissionError as error:
        raise UnauthorizedAccessError(f"folder {folder!a:.80}", "permission denied") from error
    return {"content": [_entry(entry, Path(entry).relative_to(root).as_posix()) for entry in entries]}


def _entry(entry: os.DirEntry[str], path: str) -> FolderEntry:
    size = entry.stat().st_size if entry.is_file() else None
    return {"name": entry.name, "path": path, "type": "directory" if entry.is_dir() else "file", "size": size}


def _descriptor(api: Api) -> KernelDescriptor:
    """Return the service descriptor, without the limits that apply only to a server."""
    descriptor: KernelDescriptor = {
        "name": "runwidgets",
        "store": api.store(),
        "routes": [route.descriptor for route in ROUTES],
    }
    if not api.url:
        descriptor["limits"] = {"upload": Limits().upload}
    return descriptor


def open_bundle(name: str) -> Download:
    """Return the code of one of the front end's bundles.

    Raises
    ------
    UnknownFileError
        There is no such bundle.
    """
    if name not in BUNDLES:
        raise UnknownFileError(f"bundle {name!a:.80}", "there is no such bundle")
    return _make_download(read_static(f"{name}.js").encode(), "text/javascript")


def make_json_download(data: object) -> Download:
    """Return a response that is JSON; an empty one for None."""
    return _make_download(b"" if data is None else json.dumps(data, allow_nan=False).encode(), JSON_TYPE)


def _make_download(content: bytes, mime_type: str) -> Download:
    return Download(io.BytesIO(content), "", mime_type, size=len(content))
