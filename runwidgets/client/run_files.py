"""The files of a run as Python objects."""

import os
from pathlib import Path
from typing import IO

from runwidgets.schema import PartialFileHandle, ResultFileHandle
from runwidgets.service.contracts.api import Api


class ResultFile:
    """A result file of a run.

    Attributes
    ----------
    name : str
        Path relative to the working folder of the run.
    size : int
        Size in bytes.
    mime_type, id : str
        As in the run handle.
    sha256 : str or None
        As in the run handle; None for a large partial file.
    """

    def __init__(self, api: Api, run_id: str, handle: ResultFileHandle | PartialFileHandle) -> None:
        self._api = api
        self._run_id = run_id
        self.id: str = handle["id"]
        self.name: str = handle["name"]
        self.size: int = handle["size"]
        self.mime_type: str = handle["mimeType"]
        self.sha256: str | None = handle.get("sha256")

    def open(self) -> IO[bytes]:
        """Open the file for reading; the caller closes it."""
        return self._api.runs.get_result_file(self._run_id, self.id)

    def read_bytes(self) -> bytes:
        """Return the content of the file."""
        with self.open() as stream:
            content: bytes = stream.read()
        return content

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the content of the file as text."""
        return self.read_bytes().decode(encoding)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Copy the file to a path, or into a folder under its own name.

        Returns
        -------
        Path
            The path of the copy.
        """
        target = Path(path)
        if target.is_dir():
            target = target / Path(self.name).name
        with self.open() as stream, target.open("wb") as copy:
            while chunk := stream.read(1 << 20):
                copy.write(chunk)
        return target

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.size:,} bytes)"


class PartialFile(ResultFile):
    """A file that a run without success left; it is not a result.

    It has the attributes and methods of a `ResultFile`.
    """

    def open(self) -> IO[bytes]:
        """Open the file for reading; the caller closes it."""
        return self._api.runs.get_partial_file(self._run_id, self.id)
