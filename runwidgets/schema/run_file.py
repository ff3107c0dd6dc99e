"""The content of ``run.json``, which describes a run to its runner, and of stored templates."""

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.catalog import OutputDeclaration, ResultsDeclaration, TemplateHandle
from runwidgets.schema.config import RunConfig
from runwidgets.schema.json_value import JsonValue
from runwidgets.schema.parameters import Argument
from runwidgets.schema.runs import FileDisplay

RUN_FORMAT = 1
"""Version of the format of ``run.json``; increased when older readers would misread it."""


class PlacedFile(TypedDict):
    """A file that is copied into the working folder of a run."""

    path: str
    """Path relative to the working folder."""
    sha256: str
    size: int
    """Size in bytes."""


class StaticFile(PlacedFile):
    """A file beside the notebook that is copied into the working folder of each run."""

    mtime: int
    """Time of its last change, in nanoseconds."""
    isExecutable: bool
    """Whether its owner may execute it."""


class PlacedUpload(PlacedFile):
    """An upload that is copied into the working folder of a run."""

    fileId: str


class Construction(TypedDict):
    """How the notebook's object is made from a JSON value."""

    kind: str
    """In Python ``file``, ``date``, ``datetime``, ``list``, ``tuple``, ``set`` or ``frozenset``, made from
    the injected value; in other languages ``literal``, a list that papermill would inject in another form."""
    form: NotRequired[str]
    """Of a literal: the code of a list, with ``{}`` in the place of its items."""
    item: NotRequired["Construction"]
    """How each item of a container is made; absent if they are what they are in JSON."""
    items: NotRequired[list["Construction | None"]]
    """How the items are made by position, if they differ."""


class RunnerTemplate(TypedDict):
    """The part of a template that a runner needs."""

    name: str
    """File name of the notebook."""
    folder: str
    """Folder of the registered notebook."""
    place: str
    """Path of that folder in the working folder, which mirrors the project if it is not ``.``."""
    folders: list[str]
    """Folders that are created in the working folder even if no static file is in them."""
    kernelName: str
    language: str
    outputs: list[OutputDeclaration]
    """Their sources are relative to the working folder."""
    constructions: dict[str, Construction]
    """By name, of the parameters that the notebook expects as Python objects."""
    injections: dict[str, list[str]]
    """Names by id of a further parameters cell; all other values are injected after the first such cell."""
    prelude: str
    """Code that runs before the first cell, unseen: imports that the annotations of parameters need."""
    imports: list[str]
    """Modules that may be preloaded."""


class StoredTemplate(RunnerTemplate):
    """A stored version of a template."""

    handle: TemplateHandle
    inputs: list[StaticFile]
    """The static files."""
    watched: list[str]
    """Folders in which static files may appear, relative to the folder that the working folder mirrors."""
    usedNames: list[str]
    """Names in the folder of the notebook with which paths in its code may begin."""
    results: ResultsDeclaration
    config: RunConfig
    """The default settings of its runs."""
    defaults: dict[str, JsonValue]
    """Declared values that the parameters cell does not assign."""
    assignments: list[list[str]]
    """The names that each code cell assigns after arguments were set, if the notebook is in Python."""
    cellTags: list[list[str]]
    """The tags of each code cell that is not empty."""
    isOpen: bool
    """Whether arguments may have any name, because the parameters cell cannot be read."""


class RunTemplate(RunnerTemplate):
    """The template of one run."""

    sha256: str
    """Hash of the notebook, the declarations and the files beside it."""
    notebook: str
    """SHA-256 of the stored copy of the notebook."""


class SharedDescription(TypedDict):
    """What the descriptions of runs that are accepted together share."""

    format: int
    """Format of ``run.json``: the `RUN_FORMAT` of its writer."""
    workflowId: str
    groupId: str
    config: RunConfig
    stops: str | None
    """The sweep to be stopped when the run ends in ERROR."""
    template: RunTemplate
    inputs: list[StaticFile]
    """Static files of the template."""
    limits: dict[str, float]
    """The fields of `Limits`."""


class RunDescription(SharedDescription):
    """Content of ``run.json``."""

    id: str
    arguments: list[Argument]
    """The arguments as in the handle: secret ones are masked."""
    values: dict[str, JsonValue]
    """The values by name, without secret ones."""
    files: list[PlacedUpload]
    """Uploads that the arguments name."""
    located: list[str]
    """Names of the values that are paths of such files, or of the folder in which they lie."""
    fingerprint: str | None
    """Equal for runs with the same results; null if that is unknown."""


class ResultDisplay(FileDisplay, total=False):
    """Display options of a result file, and whether it is the executed notebook."""

    isNotebook: bool
    """True for the executed notebook."""


class ListedResult(TypedDict):
    """A result file in a list."""

    name: str
    """Path relative to the working folder."""
    size: int
    """Size in bytes."""
    sha256: str | None
    """Null for a large file of a run that did not succeed."""
    display: ResultDisplay


class FoundResult(ListedResult):
    """A result file, as its runner found it."""

    id: str
    mimeType: str
