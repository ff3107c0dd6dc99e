"""Read a template out of a notebook, from all its sources; later ones win.

1. The cell tagged ``parameters``: Python by its syntax tree, other languages through papermill.
2. The notebook's ``metadata.runwidgets``.
3. A sidecar of the same shape, ``train.ipynb.yaml`` or ``train.yaml`` beside ``train.ipynb``.
"""

import hashlib
import json
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import nbformat.reader
import yaml
from nbformat import NotebookNode
from papermill.exceptions import PapermillException
from papermill.inspection import _infer_parameters

from runwidgets.errors import InvalidParameterError, InvalidTemplateError
from runwidgets.limits import Limits
from runwidgets.templates.inputs import find_inputs
from runwidgets.templates.parameters import Parameter, leaves_folder, parse_parameters
from runwidgets.templates.signature import Signature, read_signature

Json = dict[str, Any]

SECTIONS = {"name", "description", "parameters", "parameterGroups", "outputs", "results", "files"}
OUTPUT_KEYS = {"source", "title", "caption", "widget", "format"}
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Template:
    """What a workflow asks for and gives."""

    name: str
    description: str | None
    parameters: list[Parameter]
    parameter_groups: list[Json]
    outputs: list[Json]
    """``[{source, title?, caption?, widget?, format?}]``."""
    results: Json
    """``{"schema": [{name, label?, dtype?}]}``, or empty."""
    content: bytes
    """The notebook as it is stored: format 4.5, valid."""
    sha256: str
    """Of the notebook, the declarations and the files beside it."""
    kernel_name: str
    language: str
    folder: Path
    inputs: list[str]
    """Static files, relative to the folder."""
    defaults: Json
    """Values that are declared, but that the parameters cell does not set."""
    constructors: dict[str, str]
    """dtype of the parameters that the notebook wants as Python objects, by name."""

    def to_json(self) -> Json:
        """Return what the workflow's handle shows of it."""
        shown: Json = {"name": self.name, "parameters": [each.to_json() for each in self.parameters]}
        optional = {
            "description": self.description,
            "parameterGroups": self.parameter_groups,
            "outputs": self.outputs,
            "results": self.results,
        }
        return shown | {key: value for key, value in optional.items() if value}


def read_template(path: Path, limits: Limits | None = None, root: Path | None = None) -> Template:
    """Read a template.

    Parameters
    ----------
    path : Path
        The notebook; taken literally, whatever signs it has.
    limits : Limits, optional
        ``template_size`` (bytes) and those of parameters.
    root : Path, optional
        Folder in which it must lie, also behind links; None for anywhere.

    Returns
    -------
    Template
        What was read.

    Raises
    ------
    InvalidTemplateError
        The notebook or its sidecar cannot be read as a template.
    InvalidParameterError
        A declaration is wrong.
    """
    limits = limits or Limits()
    _check_path(path, limits, root)
    notebook = _read_notebook(path)
    kernel_name, language = _kernel(notebook, path)
    signature, assigned = _read_cell(notebook, path, kernel_name, language)
    declared = _merge(
        path,
        signature.parameters,
        _section(notebook.metadata.get("runwidgets"), path.name),
        _sidecar(path, limits),
    )
    title, text = _heading(notebook)
    parameters = parse_parameters(declared["parameters"], limits)
    outputs = _outputs(declared.get("outputs", []), path)
    results = declared.get("results", {})
    code = (
        [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        if language.lower() == "python"
        else []
    )
    inputs = find_inputs(path, code, declared.get("files", []))
    content = nbformat.writes(notebook).encode("utf-8", "backslashreplace")
    digest = hashlib.sha256(content)
    digest.update(json.dumps(declared, sort_keys=True, default=str).encode())
    for name in inputs:
        digest.update(name.encode() + hashlib.sha256((path.parent / name).read_bytes()).digest())
    return Template(
        name=declared.get("name") or title or path.stem,
        description=declared.get("description") or text,
        parameters=parameters,
        parameter_groups=declared.get("parameterGroups", []),
        outputs=outputs,
        results=results,
        content=content,
        sha256=digest.hexdigest(),
        kernel_name=kernel_name,
        language=language,
        folder=path.parent.resolve(),
        inputs=inputs,
        defaults={
            each.name: each.default
            for each in parameters
            if each.default is not None
            and each.dtype != "file"
            and (each.name not in assigned or assigned[each.name] != each.default)
        },
        constructors=signature.constructors,
    )


def fingerprint(path: Path) -> str:
    """Return a text that changes when a template may have changed; cheap.

    Parameters
    ----------
    path : Path
        The notebook.

    Returns
    -------
    str
        Of the times and sizes of the files in the notebook's folder that may belong to it.
    """
    seen = []
    for each in (path, *_sidecars(path), path.parent):
        try:
            about = each.stat()
        except OSError:
            continue
        seen.append(f"{about.st_ino}:{about.st_mtime_ns}:{about.st_size if each is not path.parent else 0}")
    return "|".join(seen)


def _check_path(path: Path, limits: Limits, root: Path | None) -> None:
    name = path.name or str(path)
    if URL.match(str(path)) or ":/" in str(path):
        raise InvalidTemplateError(name, "it is a URL", "give the path of a notebook on this server")
    if root is not None and not path.resolve().is_relative_to(root.resolve()):
        raise InvalidTemplateError(name, "it lies outside the folder that is served")
    inside = path.relative_to(root) if root is not None and path.is_relative_to(root) else Path(name)
    if any(part.startswith(".") and part not in {".", ".."} for part in inside.parts):
        raise InvalidTemplateError(name, "it is hidden")
    try:
        about = path.stat()
    except (OSError, ValueError) as error:
        raise InvalidTemplateError(name, "there is no such notebook") from error
    if not stat.S_ISREG(about.st_mode):
        kind = "a folder" if stat.S_ISDIR(about.st_mode) else "no regular file"
        raise InvalidTemplateError(name, f"it is {kind}", "give the path of an .ipynb file")
    if about.st_size > limits.template_size:
        raise InvalidTemplateError(
            name, f"it has {about.st_size:,} bytes, more than {limits.template_size:,}", "clear its outputs"
        )


def _read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of any format, as a valid one of format 4.5."""
    try:
        text = path.read_bytes().decode()
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidTemplateError(path.name, "it is not JSON, so it is no notebook") from error
    if not isinstance(content, dict) or "nbformat" not in content:
        raise InvalidTemplateError(path.name, "it is JSON, but no notebook: it has no nbformat")
    version = content["nbformat"]
    if not isinstance(version, int) or not 1 <= version <= nbformat.current_nbformat:
        raise InvalidTemplateError(path.name, f"nbformat {version!r:.20} is unknown", "save it as version 4")
    try:
        notebook: NotebookNode = nbformat.convert(nbformat.reader.reads(text), 4)
        notebook = nbformat.v4.upgrade(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.validate(notebook)
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InvalidTemplateError(path.name, f"it is no valid notebook ({reason})") from error
    if not notebook.cells:
        raise InvalidTemplateError(path.name, "it has no cells")
    return notebook


def _kernel(notebook: NotebookNode, path: Path) -> tuple[str, str]:
    spec = notebook.metadata.get("kernelspec", {})
    language = spec.get("language") or notebook.metadata.get("language_info", {}).get("name")
    name = spec.get("name")
    if not name:
        raise InvalidTemplateError(
            path.name,
            "it does not say which kernel runs it",
            "open it in JupyterLab, choose a kernel and save it",
        )
    if not language and name.startswith("python"):
        language = "python"
    return name, language or name


def _read_cell(notebook: NotebookNode, path: Path, kernel_name: str, language: str) -> tuple[Signature, Json]:
    """Return what the parameters cell declares, and the values that it sets itself."""
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) > 1:
        raise InvalidTemplateError(
            path.name, f"{len(tagged)} cells are tagged 'parameters'", "tag one of them"
        )
    if not tagged:
        return Signature(), {}
    if language.lower() == "python":
        try:
            signature = read_signature(tagged[0].source)
        except InvalidTemplateError as error:
            raise InvalidTemplateError(f"{path.name}, {error.subject}", error.problem) from error
    else:
        signature = Signature(_inspected(notebook, kernel_name, language))
    assigned = {each["name"]: each.get("defaultValue") for each in signature.parameters}
    return signature, assigned


def _inspected(notebook: NotebookNode, kernel_name: str, language: str) -> list[Json]:
    """Read a cell of another language, as far as papermill can."""
    declared = []
    try:
        inferred = _infer_parameters(notebook, name=kernel_name, language=language)
    except PapermillException as error:
        raise InvalidTemplateError(
            "parameters cell", f"parameters of a notebook in {language} cannot be set", "remove the tag"
        ) from error
    for at, found in enumerate(inferred):
        each: Json = {"name": found.name, "index": at, "isRequired": False}
        try:
            default = json.loads(found.default)
        except ValueError:
            default = found.default.strip("'\"")
        kinds = {bool: "bool", int: "int", float: "float", list: "list", dict: "record"}
        each |= {"dtype": kinds.get(type(default), "string")}
        if default is not None:
            each["defaultValue"] = default
        if found.help:
            each["help"] = found.help
        declared.append(each)
    return declared


def _sidecars(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + ".yaml"), path.with_suffix(".yaml")


def _sidecar(path: Path, limits: Limits) -> Json:
    for sidecar in _sidecars(path):
        if sidecar.is_file():
            if sidecar.stat().st_size > limits.template_size:
                raise InvalidTemplateError(sidecar.name, f"it has more than {limits.template_size:,} bytes")
            try:
                return _section(yaml.safe_load(sidecar.read_text("utf-8")), sidecar.name)
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                raise InvalidTemplateError(sidecar.name, f"it is no YAML ({error})"[:300]) from error
    return {}


def _section(content: Any, where: str) -> Json:
    """Check the outline of a ``runwidgets`` section."""
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidTemplateError(where, "what it says of runwidgets must be a mapping")
    unknown = set(map(str, content)) - SECTIONS
    if unknown:
        raise InvalidTemplateError(
            where, f"'{min(unknown)}' is unknown", f"there are {', '.join(sorted(SECTIONS))}"
        )
    kinds: dict[str, type] = {"name": str, "description": str, "results": dict}
    for key, value in content.items():
        kind = kinds.get(key, list)
        if not isinstance(value, kind):
            raise InvalidTemplateError(where, f"{key}: it must be a {kind.__name__}")
    return json.loads(json.dumps(content, default=str))  # type: ignore[no-any-return]


def _merge(path: Path, parameters: list[Json], *sections: Json) -> Json:
    """Lay the sections over each other; declarations are merged by name, key by key."""
    merged: Json = {}
    by_name = {each["name"]: dict(each) for each in parameters}
    for section in sections:
        merged |= {key: value for key, value in section.items() if key != "parameters"}
        for each in section.get("parameters", []):
            if not isinstance(each, dict) or not isinstance(each.get("name"), str):
                raise InvalidParameterError(f"{path.name}: parameter", "its declaration needs a name")
            known = by_name.setdefault(each["name"], {"index": len(by_name)})
            if "dtype" in each and each["dtype"] != known.get("dtype"):
                known.pop("values", None)
                known.pop("para", None)
            known |= each
            if "defaultValue" in each and "isRequired" not in each:
                known["isRequired"] = False
    merged["parameters"] = list(by_name.values())
    return merged


def _outputs(declared: list[Any], path: Path) -> list[Json]:
    for each in declared:
        if not isinstance(each, dict) or not isinstance(each.get("source"), str):
            raise InvalidTemplateError(path.name, "outputs: each needs a source, a path or glob")
        unknown = set(each) - OUTPUT_KEYS
        if unknown:
            raise InvalidTemplateError(path.name, f"outputs: '{min(unknown)}' is unknown")
        if leaves_folder(each["source"]):
            raise InvalidTemplateError(path.name, f"outputs: {each['source']} leaves the working folder")
    return declared


def _heading(notebook: NotebookNode) -> tuple[str | None, str | None]:
    """Return the first heading of the notebook, and the paragraph that follows it."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = re.search(r"^#{1,3}[ \t]+(.+?)[ \t]*#*[ \t]*$", cell.source, re.MULTILINE)
            if found:
                paragraphs = re.split(r"\n\s*\n", cell.source[found.end() :].strip())
                text = " ".join(paragraphs[0].split())
                return found[1], text if text and not text.startswith(("#", "-", "*", "|", "```")) else None
    return None, None
