"""The templates of an instance: read when a workflow is created, and again after they have changed."""

import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import IO, Any

from sqlalchemy import Row

from runwidgets.errors import InvalidArgumentError, InvalidTemplateError, UnknownFileError
from runwidgets.limits import Limits
from runwidgets.schema import StaticFile
from runwidgets.service.local.run_config import check_defaults
from runwidgets.store.database.catalog import Catalog
from runwidgets.store.database.columns import NewVersion, WorkflowChange
from runwidgets.store.files.base import FileStore
from runwidgets.templates.cells.overwrites import describe_overwrites
from runwidgets.templates.documents import check_location
from runwidgets.templates.notebook import Template, read_template
from runwidgets.templates.surroundings.fingerprint import fingerprint
from runwidgets.templates.surroundings.working_folder import find_top, in_working_folder
from runwidgets.templates.texts import shorten

MAX_COPIES = 5
"""How often files that change meanwhile are copied."""


class Templates:
    """Reads notebooks, and stores their templates.

    Parameters
    ----------
    catalog : Catalog
        The database with the versions of templates.
    files : FileStore
        Stores the copies.
    limits : Limits
        Limits of notebooks.
    root : Path, optional
        The folder that must contain all notebooks; None for no restriction.
    prepare : callable
        Called with the kernelspec and the imports of each template that was read, because runs may follow.
    """

    def __init__(
        self,
        catalog: Catalog,
        files: FileStore,
        limits: Limits,
        *,
        root: Path | None,
        prepare: Callable[[str, list[str]], None],
    ) -> None:
        self._catalog = catalog
        self._files = files
        self._limits = limits
        self._prepare = prepare
        self.root = root.resolve() if root is not None else None

    def locate(self, source: str) -> Path:
        """Return the path that a source names.

        Parameters
        ----------
        source : str
            Absolute, or relative to the root of the templates (to the working directory, if there is none).

        Returns
        -------
        Path
            An absolute path.

        Raises
        ------
        InvalidTemplateError
            The source is empty, may not be read, or does not exist.
        """
        if not source:
            raise InvalidTemplateError(
                "source", "it does not name a notebook", "give the path of an .ipynb file"
            )
        path = (self.root or Path.cwd()) / source
        check_location(path, self.root)
        if path.exists():
            return path
        folder, name = os.path.split(source)  # as it was given: the root of the templates is not disclosed
        where = f"in {shorten(folder)}" if folder else "in the folder of the templates"
        raise InvalidTemplateError(shorten(name) or "source", f"there is no such notebook {where}")

    def open_file(self, source: str, instance: Path) -> IO[bytes]:
        """Open a file in the folder of the templates.

        Parameters
        ----------
        source : str
            As in `locate`.
        instance : Path
            Root of the instance, whose files may not be opened: it contains the runs of other users.

        Returns
        -------
        IO
            A regular file; the caller closes it.

        Raises
        ------
        InvalidArgumentError
            The file is hidden, outside the folder of the templates, or cannot be read.
        UnknownFileError
            There is no such file.
        """
        if not source:
            raise InvalidArgumentError("path", "it does not name a file", "give the path of a file")
        where = f"'{shorten(source)}'"
        try:
            path = ((self.root or Path.cwd()) / source).resolve()
            below = path.relative_to(self.root) if self.root is not None else PurePath(path.name)
            if path.is_relative_to(instance.resolve()) or any(part.startswith(".") for part in below.parts):
                raise InvalidArgumentError("path", f"{where} is hidden", "copy the file to another folder")
            if not path.exists():
                raise UnknownFileError("path", f"there is no file {where}")
            if not path.is_file():  # opening a pipe would block
                raise InvalidArgumentError("path", f"{where} is not a file", "give the path of a file")
            return path.open("rb")
        except InvalidArgumentError:
            raise
        except ValueError as error:
            raise InvalidArgumentError(
                "path", f"{where} is outside the folder of the templates", "give a path inside it"
            ) from error
        except (OSError, RuntimeError) as error:  # resolve() raises RuntimeError for a loop of links
            raise InvalidArgumentError("path", f"{where} cannot be read") from error

    @staticmethod
    def list_warnings(version: Row[Any], group: Row[Any]) -> list[str]:
        """Return the warnings about a template, and about the parameters that a group adds to it."""
        names = {each["name"] for each in group.parameters}
        own: list[str] = version.template["handle"].get("warnings", [])
        return [*own, *describe_overwrites(version.template["assignments"], names)]

    def read(self, path: Path) -> tuple[Template, NewVersion, str]:
        """Read a notebook, and store copies of it and of the files that it uses.

        Returns
        -------
        template : Template
            The template.
        version : dict
            The new version, to be stored.
        fingerprint : str
            The fingerprint, which changes with the notebook.
        """
        before = None
        while before != (before := fingerprint(path, root=self.root)):  # until it no longer changes
            template = read_template(path, self._limits, self.root, runs=self._files.folder)
            static = template.static
            used = [static.top / name for name in static.files]
            folders = [static.top / name for name in (*static.folders, *static.watched)]
            new_fingerprint = fingerprint(path, used, folders, self.root)
        if template.kernel_name:
            self._prepare(template.kernel_name, static.imports)
        for _ in range(MAX_COPIES):  # until they are of one moment, such as a database and its log
            inputs = [self._keep(static.top, name) for name in static.files]
            copied, new_fingerprint = new_fingerprint, fingerprint(path, used, folders, self.root)
            if copied == new_fingerprint:
                break
        version: NewVersion = {
            "sha256": template.hash(inputs),
            "notebook": self._files.keep(template.content),
            "template": {
                "handle": template.to_json(),
                "name": path.name,
                "folder": str(template.folder),
                "place": static.place,
                "folders": static.folders,
                "watched": static.watched,
                "usedNames": static.used_names,
                "kernelName": template.kernel_name,
                "language": template.language,
                "inputs": inputs,
                "outputs": [
                    {**each, "source": in_working_folder(static.place, each["source"])}
                    for each in template.outputs
                ],
                "results": template.results,
                "config": check_defaults(template.config, path.name),
                "defaults": template.defaults,
                "imports": static.imports,
                "constructions": template.constructions,
                "injections": template.injections,
                "prelude": template.prelude,
                "assignments": template.assignments,
                "cellTags": template.cell_tags,
                "isOpen": template.is_open,
            },
        }
        return template, version, new_fingerprint

    def _keep(self, folder: Path, name: str) -> StaticFile:
        """Store a copy of a static file."""
        try:
            with (folder / name).open("rb") as stream:
                about = os.fstat(stream.fileno())
        except OSError as error:
            raise InvalidTemplateError(name, "the notebook uses it, but it cannot be read") from error
        digest, size = self._files.keep_file(folder / name)
        return {
            "path": name,
            "sha256": digest,
            "size": size,
            "mtime": about.st_mtime_ns,
            "isExecutable": bool(about.st_mode & stat.S_IXUSR),
        }

    def current(self, workflow: Row[Any]) -> Row[Any]:
        """Return the current version of a workflow's template.

        If the notebook no longer exists, this is the last version, so that the workflow keeps working.

        Raises
        ------
        InvalidTemplateError
            The notebook has changed, and can no longer be read.
        """
        path = Path(workflow.source)
        version = self._catalog.get_version(workflow.version_id)
        top = find_top(version.template["folder"], version.template["place"])
        template = version.template
        used = [top / each["path"] for each in template["inputs"]]
        folders = [top / name for name in (*template["folders"], *template["watched"])]
        if path.is_file() and fingerprint(path, used, folders, self.root) != workflow.fingerprint:
            current, new_version, new_fingerprint = self.read(path)
            change: WorkflowChange = {"fingerprint": new_fingerprint}
            if not workflow.is_named:
                change["name"] = current.name
            if not workflow.is_described:
                change["description"] = current.description
            self._catalog.update_workflow(workflow.id, change, new_version)
            version = self._catalog.get_version(self._catalog.get_workflow(workflow.id).version_id)
        return version
