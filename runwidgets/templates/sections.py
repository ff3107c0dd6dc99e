"""Sections: what the metadata of a notebook or its sidecar declares about its template.

The sidecar of ``train.ipynb`` is ``train.ipynb.yaml``. A file with the short name, ``train.yaml``, may be
data of the notebook: it is the sidecar only if there is no other, if its content is a section and nothing
else, and if the notebook does not read it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from runwidgets.errors import InvalidTemplateError
from runwidgets.limits import Limits
from runwidgets.schema import OutputDeclaration, ParameterDeclaration, RunConfig, TemplateSection
from runwidgets.templates.documents import ENCODINGS, check_location, decode, parse_json, read_bytes
from runwidgets.templates.scalars import tag_floats
from runwidgets.templates.texts import is_list_of_texts, text_problem

SECTIONS = {"name", "description", "parameters", "parameterGroups", "outputs", "results", "files", "config"}
KINDS: dict[str, type] = {"name": str, "description": str, "results": dict, "config": dict}
"""The types of the values of keys; those of all others are lists."""
SIDECAR_SIZE = 1_000_000
"""Bytes of a sidecar; parsing a megabyte of YAML takes some seconds."""
MAX_LEVELS = 100
YAML = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Reads dates, and times such as 12:30, as texts, which they are in JSON and in YAML 1.2."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """Return the tag of a node without one."""
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        is_time = tag == f"{YAML}timestamp" or (tag in {f"{YAML}int", f"{YAML}float"} and ":" in value)
        return f"{YAML}str" if is_time else tag


def read_sidecar(
    path: Path, limits: Limits, root: Path | None, code: Iterable[str]
) -> tuple[TemplateSection, Path | None, list[str]]:
    """Read the sidecar of a notebook.

    Parameters
    ----------
    path : Path
        The notebook.
    limits : Limits
        ``template_size`` (bytes).
    root : Path or None
        As in `documents.read_notebook`.
    code : iterable of str
        The code of its cells.

    Returns
    -------
    section : dict
        The content; empty if there is no sidecar.
    sidecar : Path or None
        Path of the sidecar.
    warnings : list of str
        A sentence about each other file that may have been meant as the sidecar.

    Raises
    ------
    InvalidTemplateError
        The sidecar cannot be read, or has invalid content.
    """
    certain, short, *misnamed = sidecars(path)
    sidecar, warnings = certain if certain.is_file() else None, []
    others = [short, *misnamed] if sidecar else misnamed
    if sidecar is None and short.is_file():
        is_section, problem = _judge(short, limits, root, code)
        sidecar = short if is_section else None
        if problem:
            warnings.append(f"{problem}; it is not used as a sidecar, which is called {certain.name}")
    for other in filter(Path.is_file, others):
        if other.name.startswith(path.name) or _judge(other, limits, root, code)[0]:
            right = f"the sidecar is {sidecar.name}" if sidecar else f"a sidecar is called {certain.name}"
            warnings.append(f"{other.name}: it is not read, because {right}")
    return {} if sidecar is None else _read_section(sidecar, limits, root), sidecar, warnings


def sidecars(path: Path) -> list[Path]:
    """Return the paths of a notebook's sidecar: its own name, the short one, and two that are not read."""
    own = path.with_name(path.name + ".yaml")
    return [own, path.with_suffix(".yaml"), own.with_suffix(".yml"), path.with_suffix(".yml")]


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
    for key, value in content.items():
        kind = KINDS.get(key, list)
        if not isinstance(value, kind):
            raise InvalidTemplateError(where, f"{key}: it must be a {kind.__name__}")
    try:
        for place, part in _name_parts(content):
            _check_keys(f"{where}, {place}", part)
        text = json.dumps(_tag_defaults(content), ensure_ascii=False)
    except (TypeError, RecursionError) as error:
        raise InvalidTemplateError(where, "its runwidgets section has no JSON form") from error
    if problem := text_problem(text.replace("\\u0000", "\0")):
        raise InvalidTemplateError(where, f"its runwidgets section: {problem}")
    return parse_json(text)  # type: ignore[no-any-return]


def _name_parts(content: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield the parts of a section with their names in error messages."""
    for key, value in content.items():
        if key != "parameters":
            yield key, value
            continue
        for at, each in enumerate(value):
            name = each.get("name") if isinstance(each, dict) else None
            yield f"parameter '{name:.60}'" if isinstance(name, str) else f"parameters[{at}]", each


def _check_keys(where: str, value: object) -> None:
    """Refuse a key that is no text, which JSON would make one, and a tuple, which it would make a list."""
    if isinstance(value, tuple):
        raise InvalidTemplateError(where, "it has no JSON form")
    if isinstance(value, list):
        for at, item in enumerate(value):
            _check_keys(f"{where}[{at}]", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidTemplateError(where, f"its key {key!r:.40} is not a text", "put it in quotes")
            _check_keys(f"{where}.{key:.60}", item)


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


def _judge(path: Path, limits: Limits, root: Path | None, code: Iterable[str]) -> tuple[bool, str]:
    """Return whether a file with a short name is the sidecar, and if not, what its author should know."""
    name = re.compile(rf"(?<![\w./-])(\./)?{re.escape(path.name)}(?!\w)")
    is_read = any(name.search(each) for each in code)
    try:
        content, _ = _load(path, limits, root)
    except InvalidTemplateError as error:
        return False, "" if is_read else error.message
    problem = _section_problem(content)
    if problem is None and is_read:
        return False, f"{path.name}: the notebook reads it"
    is_meant = isinstance(content, dict) and not {"parameters", "outputs"}.isdisjoint(content)
    is_told = problem is not None and is_meant and not is_read
    return problem is None, f"{path.name}: {problem}" if is_told else ""


def _section_problem(content: Any) -> str | None:
    """Return why the content of a file is not a section, or None if it is one."""
    if not isinstance(content, dict):
        return "it is not a mapping"
    if unknown := sorted(map(str, content.keys() - SECTIONS)):
        return f"it has the key '{unknown[0]:.60}'"
    for key, value in content.items():
        if not isinstance(value, KINDS.get(key, list)):
            return f"its '{key}' is not a {KINDS.get(key, list).__name__}"
    for key, kind, needed in (
        ("parameters", ParameterDeclaration, "name"),
        ("outputs", OutputDeclaration, "source"),
    ):
        for each in content.get(key, []):
            is_declared = isinstance(each, dict) and isinstance(each.get(needed), str)
            if not is_declared or not each.keys() <= kind.__annotations__.keys():
                return f"its '{key}' are not those of a template"
    if not content.get("config", {}).keys() <= RunConfig.__annotations__.keys():
        return "its 'config' is not that of runs"
    return None if is_list_of_texts(content.get("files", [])) else "its 'files' are not paths"


def _read_section(path: Path, limits: Limits, root: Path | None) -> TemplateSection:
    content, encoding = _load(path, limits, root)
    if encoding is not None:
        raise InvalidTemplateError(path.name, f"it is encoded as {encoding}", "save it as UTF-8")
    return check_section(content, path.name)


def _load(path: Path, limits: Limits, root: Path | None) -> tuple[Any, str | None]:
    """Return the content of a file, and the name of its encoding if that is not UTF-8."""
    check_location(path, root)
    raw = read_bytes(path, min(SIDECAR_SIZE, limits.template_size))
    for name, text in decode(raw, {"": ["utf-8-sig"], **ENCODINGS}):
        if "\0" not in text and (not name or ":" in text):
            return _parse_yaml(path, text), name or None
    raise InvalidTemplateError(path.name, "it is not YAML (its encoding is not UTF-8)")


def _parse_yaml(path: Path, text: str) -> Any:
    """Parse flat YAML without aliases: a few aliases expand to gigabytes, and deep nesting takes minutes."""
    try:
        level = 0
        for event in yaml.parse(text, _Loader):
            if isinstance(event, yaml.AliasEvent):
                raise InvalidTemplateError(path.name, "it has an alias (*name)", "write the value out")
            level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if level > MAX_LEVELS:
                raise InvalidTemplateError(path.name, f"it is nested deeper than {MAX_LEVELS} levels")
        loader = _Loader(text)
        node = loader.get_single_node()
        _check_unique(node, path)
        return None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidTemplateError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise InvalidTemplateError(path.name, f"it is not YAML ({reason})") from error


def _check_unique(root: yaml.Node | None, path: Path) -> None:
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
