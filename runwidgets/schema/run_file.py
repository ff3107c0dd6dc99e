"""What ``run.json`` tells a runner, and what it is made of: templates as they are stored."""

from typing_extensions import TypedDict

from runwidgets.schema.catalog import OutputDeclaration, ResultsDeclaration, TemplateHandle
from runwidgets.schema.config import RunConfig
from runwidgets.schema.json_value import JsonValue
from runwidgets.schema.parameters import Argument
from runwidgets.schema.runs import FileDisplay


class PlacedFile(TypedDict):
    """A file that is put into the working folder of a run."""

    path: str
    """Relative to the working folder."""
    sha256: str
    size: int
    """Bytes."""


class PlacedUpload(PlacedFile):
    """An upload that is put into the working folder of a run."""

    fileId: str


class RunnerTemplate(TypedDict):
    """What a runner needs to know of a template."""

    name: str
    """File name of the notebook."""
    folder: str
    """Where the notebook was registered."""
    kernelName: str
    language: str
    outputs: list[OutputDeclaration]
    constructors: dict[str, str]
    """dtype of the parameters that the notebook wants as Python objects, by name."""
    imports: list[str]
    """Modules that may be imported ahead."""


class StoredTemplate(RunnerTemplate):
    """A version of a template, as it is stored."""

    handle: TemplateHandle
    inputs: list[PlacedFile]
    """Its static files."""
    results: ResultsDeclaration
    defaults: dict[str, JsonValue]
    """Values that are declared, but that the parameters cell does not set."""


class RunTemplate(RunnerTemplate):
    """The template of one run."""

    sha256: str
    """Of the notebook, the declarations and the files beside it."""
    notebook: str
    """SHA-256 of the stored copy of the notebook."""


class SharedDescription(TypedDict):
    """What the descriptions of runs that are accepted together have in common."""

    workflowId: str
    groupId: str
    config: RunConfig
    stops: str | None
    """The sweep that is stopped when a run ends in ERROR."""
    template: RunTemplate
    inputs: list[PlacedFile]
    """Static files of the template."""
    limits: dict[str, float]
    """The fields of `Limits`."""


class RunDescription(SharedDescription):
    """Content of ``run.json``."""

    id: str
    arguments: list[Argument]
    """As the handle shows them: a secret one is masked."""
    values: dict[str, JsonValue]
    """What the notebook is given, by name; without what is secret."""
    files: list[PlacedUpload]
    """Uploads that its arguments name."""
    fingerprint: str | None
    """Equal for runs that must come to the same; null where that cannot be known."""


class ResultDisplay(FileDisplay, total=False):
    """How a result file is shown, and whether it is the executed notebook."""

    isNotebook: bool
    """True for the executed notebook."""


class ListedResult(TypedDict):
    """What is listed of a file that a run left behind."""

    name: str
    """Relative to the working folder."""
    size: int
    """Bytes."""
    sha256: str
    display: ResultDisplay


class FoundResult(ListedResult):
    """A file that a run left behind, as its runner found it."""

    id: str
    mimeType: str
