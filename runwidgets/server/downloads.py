"""Downloads: the file of a route, with its name, type and size."""

import mimetypes
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import IO, cast

from runwidgets.service.contracts.api import Api
from runwidgets.service.routes import catalog, runs
from runwidgets.service.routes.route import Route

NOTEBOOK_TYPE = "application/x-ipynb+json"


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
