"""Reading a notebook and its sidecar from disk; both are untrusted, and reading never blocks."""

import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import nbformat
import nbformat.reader
import yaml
from nbformat import NotebookNode

from runwidgets.errors import InvalidTemplateError
from runwidgets.limits import Limits
from runwidgets.schema import JsonValue, RunConfig, TemplateSection
from runwidgets.templates.conform import conform
from runwidgets.templates.scalars import tag_floats
from runwidgets.templates.texts import float_name, shorten, text_problem

SECTIONS = {"name", "description", "parameters", "parameterGroups", "outputs", "results", "files", "config"}
SIDECAR_SIZE = 1_000_000
"""Bytes of a sidecar; parsing a megabyte of YAML takes some seconds."""
MALFORMED = (LookupError, AttributeError, TypeError, ValueError, RecursionError)
"""Exceptions that nbformat raises for a notebook whose parts have unexpected types."""
MAX_LEVELS = 100
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
    content = _read_json(path, _read_bytes(path, limits.template_size))
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


def read_sidecar(
    path: Path, limits: Limits, root: Path | None
) -> tuple[TemplateSection, Path | None, list[str]]:
    """Read the sidecar of a notebook: ``train.ipynb.yaml``, or else ``train.yaml``.

    A file with the first name is always a sidecar. A file with the second name may be data of the notebook,
    so it is a sidecar only if it is a mapping with no other keys than our sections and settings, or with
    ``parameters`` or ``outputs``.

    Parameters
    ----------
    path : Path
        The notebook.
    limits : Limits
        ``template_size`` (bytes).
    root : Path or None
        As in `read_notebook`.

    Returns
    -------
    section : dict
        The content; empty if there is no sidecar.
    sidecar : Path or None
        Path of the sidecar.
    warnings : list of str
        A sentence about a file with the second name that cannot be read, so that it counts as data.

    Raises
    ------
    InvalidTemplateError
        The sidecar cannot be read, or has invalid content.
    """
    certain, possible = sidecars(path)
    if certain.is_file():
        text, encoding = _read_text(certain, limits, root)
        _check_encoding(certain, encoding)
        return check_section(_parse_yaml(certain, text), certain.name), certain, []
    if possible.is_file():
        try:
            text, encoding = _read_text(possible, limits, root)
            content = _parse_yaml(possible, text)
        except InvalidTemplateError as error:
            return {}, None, [f"{error.message}; it is not used as a sidecar"]
        if _is_section(content):
            _check_encoding(possible, encoding)
            return check_section(content, possible.name), possible, []
    return {}, None, []


def _is_section(content: Any) -> bool:
    """Return whether the content of a YAML file is that of a sidecar, and not data of the notebook."""
    if not isinstance(content, dict):
        return False
    keys, config = set(content), content.get("config")
    is_config = config is None or (isinstance(config, dict) and set(config) <= set(RunConfig.__annotations__))
    return bool(keys & {"parameters", "outputs"}) or (keys <= SECTIONS and is_config)


def sidecars(path: Path) -> tuple[Path, Path]:
    """Return the two possible paths of a notebook's sidecar."""
    return path.with_name(path.name + ".yaml"), path.with_suffix(".yaml")


def check_section(content: Any, where: str) -> TemplateSection:
    """Check the structure of a ``runwidgets`` section.

    Parameters
    ----------
    content : Any
        The section, from metadata or YAML.
    where : str
        Name of the file, for error messages.

    Returns
    -------
    dict
        The section as JSON.

    Raises
    ------
    InvalidTemplateError
        A key is unknown, or its value has the wrong type.
    """
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidTemplateError(where, "its runwidgets section must be a mapping")
    unknown = set(map(str, content)) - SECTIONS
    if unknown:
        raise InvalidTemplateError(
            where, f"'{min(unknown):.60}' is unknown", f"there are {', '.join(sorted(SECTIONS))}"
        )
    kinds: dict[str, type] = {"name": str, "description": str, "results": dict, "config": dict}
    for key, value in content.items():
        kind = kinds.get(key, list)
        if not isinstance(value, kind):
            raise InvalidTemplateError(where, f"{key}: it must be a {kind.__name__}")
    try:
        text = json.dumps(_tag_defaults(content), default=_time_text, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidTemplateError(where, "its runwidgets section has no JSON form") from error
    if problem := text_problem(text.replace("\\u0000", "\0")):
        raise InvalidTemplateError(where, f"its runwidgets section: {problem}")
    return _parse_json(text)  # type: ignore[no-any-return]


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


def _read_bytes(path: Path, limit: int) -> bytes:
    """Read a regular file without blocking; any other kind of file, such as a FIFO, raises an error."""
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
        read = _parse_json(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        if encoding := _find_encoding(content):
            raise InvalidTemplateError(
                path.name, f"it is encoded as {encoding}", "save it as UTF-8"
            ) from error
        raise InvalidTemplateError(path.name, "it is not JSON, and therefore not a notebook") from error
    if not isinstance(read, dict) or "nbformat" not in read:
        raise InvalidTemplateError(path.name, "it is JSON, but not a notebook: it has no nbformat")
    return read


def _parse_json(text: str) -> Any:
    """Parse JSON as Python writes it: NaN and infinity, which JSON does not have, become their names."""
    return json.loads(text, parse_constant=str, parse_float=_parse_float)


def _parse_float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else float_name(value)


def _find_encoding(content: bytes) -> str | None:
    """Return the name of an encoding other than UTF-8 in which a text is JSON, or None."""
    for name, text in _decode(content, ENCODINGS):
        try:
            found = _parse_json(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return name
    return None


def _decode(content: bytes, encodings: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
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


def _check_encoding(path: Path, encoding: str | None) -> None:
    if encoding is not None:
        raise InvalidTemplateError(path.name, f"it is encoded as {encoding}", "save it as UTF-8")


def _tag_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """Return a section in which NaN and infinity in defaults are distinct from the texts of their names."""
    if "parameters" not in content:
        return content
    tagged = [
        {**each, "defaultValue": tag_floats(each["defaultValue"])}
        if isinstance(each, dict) and "defaultValue" in each
        else each
        for each in content["parameters"]
    ]
    return {**content, "parameters": tagged}


def _time_text(value: object) -> str:
    """Return the text of a date or time, which YAML has; raise `TypeError` for what has no JSON form."""
    if isinstance(value, date):  # or datetime
        return str(value)
    raise TypeError


def _check_keys(root: yaml.Node | None, path: Path) -> None:
    """Refuse a mapping that has a key several times, of which YAML would take the last."""
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for (_, key), count in Counter(keys).items():
                if count > 1:
                    place = f"in the mapping that begins in line {node.start_mark.line + 1}"
                    raise InvalidTemplateError(path.name, f"it has '{key:.60}' {count} times {place}")
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def _read_text(path: Path, limits: Limits, root: Path | None) -> tuple[str, str | None]:
    """Return the text of a sidecar, which is a mapping, and the name of its encoding if that is not UTF-8."""
    check_location(path, root)
    content = _read_bytes(path, min(SIDECAR_SIZE, limits.template_size))
    for name, text in _decode(content, {"": ["utf-8-sig"], **ENCODINGS}):
        if "\0" not in text and (not name or ":" in text):
            return text, name or None
    raise InvalidTemplateError(path.name, "it is not YAML (its encoding is not UTF-8)")


def _parse_yaml(path: Path, text: str) -> Any:
    """Parse flat YAML without aliases: a few aliases expand to gigabytes, and deep nesting takes minutes."""
    try:
        level = 0
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise InvalidTemplateError(path.name, "it has an alias (*name)", "write the value out")
            level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if level > MAX_LEVELS:
                raise InvalidTemplateError(path.name, f"it is nested deeper than {MAX_LEVELS} levels")
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _check_keys(node, path)
        return None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidTemplateError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise InvalidTemplateError(path.name, f"it is not YAML ({reason})") from error
