"""Reading a notebook from disk; files are untrusted, and reading never blocks."""

import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import nbformat
import nbformat.reader
from nbformat import NotebookNode

from runwidgets.errors import InvalidTemplateError
from runwidgets.limits import Limits
from runwidgets.schema import JsonValue
from runwidgets.templates.conform import conform
from runwidgets.templates.texts import float_name, shorten, text_problem

MALFORMED = (LookupError, AttributeError, TypeError, ValueError, RecursionError)
"""Exceptions that nbformat raises for a notebook whose parts have unexpected types."""
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
ENCODINGS = {
    "UTF-32": ["utf-32"],
    "UTF-16": ["utf-16", "utf-16-le", "utf-16-be"],
    "Latin-1, Windows-1252 or another encoding of 8 bits": ["cp1252", "latin-1"],
}
"""Encodings that editors write beside UTF-8, and their codecs."""
CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_notebook(path: Path, limits: Limits, root: Path | None) -> NotebookNode:
    """Read a notebook of any format, and convert it to a valid one of format 4.5 without outputs.

    Parameters
    ----------
    path : Path
        The notebook; special characters in the path are taken literally.
    limits : Limits
        ``template_size`` (bytes).
    root : Path or None
        The folder that must contain it, after symbolic links are resolved; None for no restriction.

    Returns
    -------
    NotebookNode
        Every cell has an id: its own, or one derived from its position.

    Raises
    ------
    InvalidTemplateError
        The file is not a notebook, or may not be read.
    """
    check_location(path, root)
    content = _read_json(path, read_bytes(path, limits.template_size))
    version = content["nbformat"]
    is_known = isinstance(version, int) and 1 <= version <= nbformat.current_nbformat
    if not is_known or isinstance(version, bool):
        raise InvalidTemplateError(path.name, f"nbformat {version!r:.20} is unknown", "save it as version 4")
    try:
        notebook = conform(_upgrade(content))
        nbformat.writes(notebook, allow_nan=False)
    except (nbformat.ValidationError, *MALFORMED) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InvalidTemplateError(path.name, f"it is not a valid notebook ({reason})") from error
    return notebook


def check_location(path: Path, root: Path | None) -> None:
    """Refuse a path that may not be read.

    Parameters
    ----------
    path : Path
        An absolute path, which need not exist.
    root : Path or None
        See `read_notebook`.

    Raises
    ------
    InvalidTemplateError
        It is outside the root, hidden, or a URL.
    """
    name = shorten(path.name.replace("\0", "?")) or "source"
    try:
        real = path.resolve()
        inside = real.relative_to(root.resolve()) if root is not None else Path(real.name)
        exists = path.exists()
    except ValueError as error:
        if text_problem(str(path)):
            raise InvalidTemplateError(name, "there is no such notebook") from error
        if URL.search(str(path)):
            _refuse_url(name)
        raise InvalidTemplateError(name, "it is outside the folder that is served") from error
    except (OSError, RuntimeError) as error:
        raise InvalidTemplateError(name, "there is no such notebook") from error
    if not exists and URL.search(str(path)):
        _refuse_url(name)
    if any(part.startswith(".") for part in (*inside.parts, path.name)):
        raise InvalidTemplateError(name, "it is hidden")


def _refuse_url(name: str) -> NoReturn:
    raise InvalidTemplateError(name, "it is a URL", "give the path of a notebook on this server")


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a regular file without blocking.

    Parameters
    ----------
    path : Path
        The file.
    limit : int
        Its greatest size in bytes.

    Raises
    ------
    InvalidTemplateError
        It is too large, of another kind, such as a FIFO, or cannot be read.
    """
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        raise InvalidTemplateError(path.name, "there is no such notebook") from error
    except OSError as error:
        reason = error.strerror or "it is not a file"
        raise InvalidTemplateError(path.name, f"it cannot be read ({reason})") from error
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise InvalidTemplateError(path.name, f"it is {kind}", "give the path of an .ipynb file")
        with open(file, "rb", closefd=False) as stream:
            content = stream.read(limit + 1) if status.st_size <= limit else b""
    finally:
        os.close(file)
    if (size := max(status.st_size, len(content))) > limit:
        raise InvalidTemplateError(
            path.name,
            f"it has {size:,} bytes, more than {limit:,}",
            "clear its outputs" if path.suffix == ".ipynb" else None,
        )
    return content


def _read_json(path: Path, content: bytes) -> dict[str, JsonValue]:
    try:
        read = parse_json(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        if encoding := _find_encoding(content):
            raise InvalidTemplateError(
                path.name, f"it is encoded as {encoding}", "save it as UTF-8"
            ) from error
        raise InvalidTemplateError(path.name, "it is not JSON, and therefore not a notebook") from error
    if not isinstance(read, dict) or "nbformat" not in read:
        raise InvalidTemplateError(path.name, "it is JSON, but not a notebook: it has no nbformat")
    return read


def parse_json(text: str) -> Any:
    """Parse JSON as Python writes it: NaN and infinity, which JSON does not have, become their names."""
    return json.loads(text, parse_constant=str, parse_float=_parse_float)


def _parse_float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else float_name(value)


def _find_encoding(content: bytes) -> str | None:
    """Return the name of an encoding other than UTF-8 in which a text is JSON, or None."""
    for name, text in decode(content, ENCODINGS):
        try:
            found = parse_json(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return name
    return None


def decode(content: bytes, encodings: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yield the name of each encoding that some bytes may have, with their text in it."""
    for name, codecs in encodings.items():
        for codec in codecs:
            try:
                text = content.decode(codec)
            except ValueError:
                continue
            yield name, text.removeprefix("\ufeff")


def _upgrade(content: dict[str, JsonValue]) -> NotebookNode:
    """Convert a notebook to format 4.5; new ids are the same on every reading, so the hash is stable."""
    notebook: NotebookNode = nbformat.reader.reads(json.dumps(content))
    minor = content.get("nbformat_minor", 0)
    ids = []
    if notebook.nbformat == 4 and isinstance(minor, int) and minor >= 5:
        ids = [cell.get("id") for cell in notebook.cells]
        for position, cell in enumerate(notebook.cells):
            cell.id = f"cell-{position}"
    notebook = nbformat.v4.upgrade(nbformat.convert(notebook, 4))
    notebook.nbformat_minor = min(notebook.nbformat_minor, nbformat.v4.nbformat_minor)
    used_ids: set[str] = set()
    for position, cell in enumerate(notebook.cells):
        cell_id = ids[position] if position < len(ids) else None
        is_usable = isinstance(cell_id, str) and CELL_ID.fullmatch(cell_id) and cell_id not in used_ids
        cell.id = cell_id if is_usable else f"cell-{position}"
        while cell.id in used_ids:
            cell.id += "-"
        used_ids.add(cell.id)
    return notebook
