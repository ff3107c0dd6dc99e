"""Reading a template from a notebook and its other sources; later sources override earlier ones.

1. The cells tagged ``parameters``; see `runwidgets.templates.cells`.
2. The notebook's ``metadata.runwidgets``.
3. A sidecar with the same structure, ``train.ipynb.yaml`` or ``train.yaml`` beside ``train.ipynb``;
see `runwidgets.templates.sections` for when the second name applies.
"""

import hashlib
import itertools
import json
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from runwidgets.errors import InvalidArgumentError, InvalidParameterError, InvalidTemplateError
from runwidgets.limits import Limits
from runwidgets.schema import (
    Construction,
    Declared,
    JsonValue,
    OutputDeclaration,
    ParameterGroup,
    ResultsDeclaration,
    RunConfig,
    StaticFile,
    TemplateHandle,
    TemplateSection,
)
from runwidgets.templates.cells.cell_tags import VALUE_TAGS, read_tags
from runwidgets.templates.cells.overwrites import find_assignments, find_overwrites
from runwidgets.templates.cells.reading import ParametersCells, read_parameters_cells
from runwidgets.templates.cells.signature import Signature
from runwidgets.templates.documents import read_notebook
from runwidgets.templates.parameters import Parameter, cast, check_names, parse_parameters
from runwidgets.templates.ranking import check_results
from runwidgets.templates.sections import check_section, read_sidecar
from runwidgets.templates.surroundings.project import find_project
from runwidgets.templates.surroundings.static_files import StaticFiles, find_static_files
from runwidgets.templates.texts import leaves_folder, text_problem
from runwidgets.templates.translators import find_translator

OUTPUT_KEYS = {"source", "title", "caption", "widget", "format"}
DTYPE_KEYS = {"range", "multipleOf", "minLength", "maxLength", "pattern", "values", "para", "items", "fields"}
"""Keys of a declaration that belong to its dtype."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """The parameters and outputs of a workflow, with its notebook."""

    name: str
    description: str | None
    parameters: list[Parameter]
    parameter_groups: list[ParameterGroup]
    outputs: list[OutputDeclaration]
    """``[{source, title?, caption?, widget?, format?}]``."""
    results: ResultsDeclaration
    """``{"schema": [{name, label?, dtype?}]}``, or empty."""
    config: RunConfig
    """The default config of its runs, as declared."""
    notebook: NotebookNode
    """Notebook format 4.5, valid, without outputs."""
    content: bytes
    """The stored notebook: format 4.5, valid."""
    declared: TemplateSection
    """The merged declarations."""
    kernel_name: str
    """The kernelspec; empty if the notebook only names its language."""
    language: str
    folder: Path
    static: StaticFiles
    """What it uses of its folder and its project."""
    defaults: dict[str, JsonValue]
    """Declared values that the parameters cell does not assign."""
    constructions: dict[str, Construction]
    """By name, of the parameters that the notebook expects as Python objects."""
    injections: dict[str, list[str]]
    """Names by id of a further parameters cell."""
    prelude: str
    """Imports without which the annotations of parameters would fail."""
    assignments: list[list[str]]
    """The names that each code cell assigns after arguments were set, if the notebook is in Python."""
    cell_tags: list[list[str]]
    """The tags of each code cell that is not empty."""
    is_open: bool
    """Whether arguments may have any name, because the parameters cell cannot be read."""
    warnings: list[str]
    """What could not be understood or will not work, in sentences."""

    def hash(self, inputs: Iterable[StaticFile]) -> str:
        """Return the SHA-256 of the notebook, its declarations and the stored copies of its static files."""
        digest = hashlib.sha256(self.content)
        digest.update(json.dumps(self.declared, sort_keys=True, default=str).encode())
        for each in inputs:
            mode = "x" if each.get("isExecutable") else ""
            digest.update(f"{each['path']}\0{each['sha256']}{mode}".encode("utf-8", "surrogateescape"))
        digest.update("\0".join([self.static.place, *self.static.folders]).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def to_json(self) -> TemplateHandle:
        """Return the part of the workflow's handle that describes the template."""
        handle: TemplateHandle = {
            "name": self.name,
            "parameters": [each.to_json() for each in self.parameters],
        }
        if self.description:
            handle["description"] = self.description
        if self.parameter_groups:
            handle["parameterGroups"] = self.parameter_groups
        if self.outputs:
            handle["outputs"] = self.outputs
        if self.results:
            handle["results"] = self.results
        if self.config:
            handle["config"] = self.config
        if self.warnings:
            handle["warnings"] = self.warnings
        return handle


def read_template(
    path: Path, limits: Limits | None = None, root: Path | None = None, *, runs: Path | None = None
) -> Template:
    """Read a template.

    Parameters
    ----------
    path : Path
        The notebook; special characters in the path are taken literally.
    limits : Limits, optional
        ``template_size`` (bytes), and the limits of parameters.
    root : Path, optional
        The folder that must contain it, after symbolic links are resolved; None for no restriction.
    runs : Path, optional
        The folder of the instance; see `find_static_files`.

    Returns
    -------
    Template
        The template.

    Raises
    ------
    InvalidTemplateError
        The notebook or its sidecar cannot be read as a template.
    InvalidParameterError
        A declaration is invalid.
    """
    limits = limits or Limits()
    notebook = read_notebook(path, limits, root)
    kernel_name, language = _kernel_and_language(notebook, path)
    cells = _read_cells(notebook, path, kernel_name, language)
    signature = cells.signature
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    section, sidecar, warnings = read_sidecar(path, limits, root, code)
    declared = _merge(
        path, signature.parameters, check_section(notebook.metadata.get("runwidgets"), path.name), section
    )
    title, text = _heading(notebook)
    parameters = parse_parameters(declared["parameters"], limits)
    _check_names(path, parameters, signature, kernel_name, language)
    defaults = {
        each.name: each.default for each in parameters if _must_inject(each, signature.assigned, limits)
    }
    folder = path.parent.resolve()
    _check_declared(declared, parameters, path, folder, root)
    results = declared.get("results", {})
    is_python = language.lower() == "python"
    names = {each.name for each in parameters}
    assignments = find_assignments(notebook, folder) if is_python else []
    static = find_static_files(
        path,
        code,
        declared.get("files", []),
        defaults=[file for each in parameters for file in each.default_paths],
        outputs=[each["source"] for each in declared.get("outputs", [])],
        targets=[each.target for each in parameters if each.target is not None],
        parameters=names,
        parameters_cells=[
            cell.source for cell in notebook.cells if VALUE_TAGS & set(cell.metadata.get("tags", []))
        ],
        excluded=[] if sidecar is None else [folder / sidecar.name],
        is_python=is_python,
        limits=limits,
        root=root,
        runs=runs,
    )
    content = nbformat.writes(notebook).encode("utf-8", "backslashreplace")
    return Template(
        name=(declared.get("name") or title or path.stem)[: limits.name_length],
        description=declared.get("description") or text,
        parameters=parameters,
        parameter_groups=declared.get("parameterGroups", []),
        outputs=declared.get("outputs", []),
        results=results,
        config=declared.get("config", {}),
        notebook=notebook,
        content=content,
        declared=declared,
        kernel_name=kernel_name,
        language=language,
        folder=folder,
        static=static,
        defaults=defaults,
        constructions=signature.constructions,
        injections=cells.injections,
        prelude=cells.prelude,
        assignments=assignments,
        cell_tags=read_tags(notebook),
        is_open=cells.is_open,
        warnings=[
            *warnings,
            *signature.warnings,
            *(find_overwrites(notebook, names, assignments) if is_python else []),
            *static.warnings,
        ],
    )


def _must_inject(parameter: Parameter, assigned: dict[str, JsonValue], limits: Limits) -> bool:
    """Return whether the notebook would otherwise run with a value other than the default, or without one."""
    if parameter.is_required or parameter.computed:
        return False
    if parameter.name not in assigned:
        differs = True
    else:
        own = _cast_own(parameter, assigned[parameter.name], limits)
        differs = own != parameter.default or isinstance(own, bool) != isinstance(parameter.default, bool)
    if differs and parameter.secret and parameter.default is not None:
        raise InvalidParameterError(
            f"parameter '{parameter.name}'", "a secret cannot have a default of its own", "omit the default"
        )
    return differs


def _cast_own(parameter: Parameter, value: JsonValue, limits: Limits) -> JsonValue:
    """Return the value that the cell assigns in the form of the parameter's default, if it fits."""
    if value is None or parameter.holds_files:
        return value
    try:
        return cast(parameter, value, limits)  # type: ignore[no-any-return]
    except InvalidArgumentError:
        return value


def _check_names(
    path: Path, parameters: list[Parameter], signature: Signature, kernel_name: str, language: str
) -> None:
    """Check that every declared parameter can be set: a cell assigns it, and the language has such names."""
    if parameters and find_translator(kernel_name, language) is None:
        raise InvalidTemplateError(
            "parameters", f"parameters of a notebook in {language:.60} cannot be set", "declare none"
        )
    check_names(parameters, language)
    for each in parameters:
        if signature.is_whole and each.name not in signature.names | signature.words:
            raise InvalidTemplateError(
                f"{path.name}, parameter '{each.name}'",
                "it is declared, but no cell tagged 'parameters' assigns it",
                "assign it in such a cell, before the cells that use it",
            )


def _kernel_and_language(notebook: NotebookNode, path: Path) -> tuple[str, str]:
    spec = notebook.metadata.get("kernelspec", {})
    languages = (spec.get("language"), notebook.metadata.get("language_info", {}).get("name"))
    language = next((each for each in languages if each and isinstance(each, str)), None)
    name = spec.get("name") or ""
    if not name and not language:
        raise InvalidTemplateError(
            path.name,
            "it does not say which kernel runs it",
            "open it in JupyterLab, choose a kernel and save it",
        )
    if not language and name.startswith("python"):
        language = "python"
    return name, language or name


def _read_cells(notebook: NotebookNode, path: Path, kernel_name: str, language: str) -> ParametersCells:
    """Return the declarations of the parameters cells; errors name the notebook."""
    try:
        return read_parameters_cells(notebook, kernel_name, language)
    except InvalidTemplateError as error:
        raise InvalidTemplateError(f"{path.name}, {error.subject}", error.problem, error.remedy) from error


def _merge(path: Path, parameters: list[Declared], *sections: TemplateSection) -> TemplateSection:
    """Merge the sections; the config and declarations of the same parameter are merged key by key."""
    merged: TemplateSection = {}
    config: RunConfig = {}
    by_name = {each["name"]: dict(each) for each in parameters}
    for section in sections:
        merged |= section
        config |= section.get("config", {})
        own: set[str] = set()
        for each in section.get("parameters", []):
            name = each.get("name") if isinstance(each, dict) else None
            if not isinstance(name, str):
                raise InvalidParameterError(f"{path.name}: parameter", "its declaration needs a name")
            if name in own:
                raise InvalidParameterError(f"{path.name}: parameter '{name:.60}'", "it is declared twice")
            own.add(name)
            declaration = by_name.setdefault(name, {"index": len(by_name)})
            if "dtype" in each and each["dtype"] != declaration.get("dtype"):
                for key in DTYPE_KEYS:
                    declaration.pop(key, None)
            declaration |= each
            if "defaultValue" in each and "isRequired" not in each:
                declaration["isRequired"] = False
            if declaration.get("isRequired") or declaration.get("defaultValue") is not None:
                declaration.pop("computed", None)
                declaration.pop("source", None)
    merged["parameters"] = list(by_name.values())
    if config:
        merged["config"] = config
    return merged


def _check_declared(
    declared: TemplateSection, parameters: list[Parameter], path: Path, folder: Path, root: Path | None
) -> None:
    """Check the outputs, the targets, the parameter groups and the schema of the leaderboard."""
    _check_entries(path, "outputs", declared.get("outputs", []), "source", OUTPUT_KEYS)
    place = folder.relative_to(find_project(folder, root.resolve() if root else None)).as_posix()
    for each in declared.get("outputs", []):
        if leaves_folder(posixpath.normpath(posixpath.join(place, each["source"]))):
            raise InvalidTemplateError(path.name, f"outputs: '{each['source']:.60}' is outside the project")
    for parameter in parameters:
        target = parameter.target
        if target is not None and leaves_folder(posixpath.normpath(posixpath.join(place, target, "x"))):
            problem = f"parameter '{parameter.name}': its target '{target:.60}' is outside the project"
            raise InvalidTemplateError(path.name, problem)
    _check_entries(path, "parameterGroups", declared.get("parameterGroups", []), "name", None)
    check_results(declared.get("results", {}), path.name)
    if not all(isinstance(each, str) for each in declared.get("files", [])):
        raise InvalidTemplateError(path.name, "files: each must be a string with a path or glob")


def _check_entries(path: Path, where: str, entries: list[Any], key: str, keys: set[str] | None) -> None:
    for each in entries:
        if not isinstance(each, dict) or not isinstance(each.get(key), str) or not each[key]:
            raise InvalidTemplateError(path.name, f"{where}: each needs a {key}")
        unknown = set(each) - keys if keys is not None else set()
        if unknown:
            raise InvalidTemplateError(path.name, f"{where}: '{min(unknown):.60}' is unknown")
        if keys is not None and not all(isinstance(value, (str, dict)) for value in each.values()):
            raise InvalidTemplateError(path.name, f"{where}: '{each[key]:.60}' must be described by strings")


def _heading(notebook: NotebookNode) -> tuple[str | None, str | None]:
    """Return the first heading of the notebook, and the paragraph after it."""
    for cell in notebook.cells:
        if cell.cell_type != "markdown" or text_problem(cell.source) is not None:
            continue
        is_code = False
        lines = cell.source.splitlines()
        for index, line in enumerate(lines):
            is_code ^= line.lstrip().startswith(("```", "~~~"))
            match = re.match(r"#{1,3}[ \t]+(\S.*)", line)
            title = match[1].rstrip(" \t#") if match and not is_code else ""
            if title:
                return title, _paragraph(lines[index + 1 :])
    return None, None


def _paragraph(lines: list[str]) -> str | None:
    rest = itertools.dropwhile(lambda line: not line.strip(), lines)
    text = " ".join(" ".join(itertools.takewhile(str.strip, rest)).split())
    return text if text and not text.startswith(("#", "-", "*", "|", "```")) else None
