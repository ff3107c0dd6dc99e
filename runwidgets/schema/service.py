"""What a server says of itself, and how it refuses."""

from typing import Literal

from typing_extensions import NotRequired, TypedDict


class ErrorBody(TypedDict):
    """An error, as it crosses the wire."""

    message: str
    """A sentence that names the thing at fault and what would be right."""
    error: str
    """Name of the class in `runwidgets.errors`."""
    subject: NotRequired[str]
    """Name of the thing at fault; absent where nothing has a name."""
    problem: NotRequired[str]
    """What is wrong with it."""


class RouteDescriptor(TypedDict):
    """A route."""

    id: str
    pattern: str
    """Relative to the service's URL, with ``{name}`` parts."""


class ServiceLimits(TypedDict):
    """What a client should know before it asks."""

    upload: int
    """Bytes that one uploaded file may have."""


class KernelDescriptor(TypedDict):
    """What a kernel says of itself to a page that reaches no server of ours."""

    name: Literal["runwidgets"]
    store: str
    """Says where runs are kept: of two services that say the same, each has the other's runs."""
    limits: NotRequired[ServiceLimits]
    """Absent where the kernel itself asks a server, whose limits hold."""
    routes: list[RouteDescriptor]


class ServiceDescriptor(TypedDict):
    """What a server says of itself."""

    name: Literal["runwidgets"]
    store: str
    """Says where runs are kept: of two services that say the same, each has the other's runs."""
    version: str
    url: str
    """Base of the routes."""
    limits: ServiceLimits
    routes: list[RouteDescriptor]
    username: NotRequired[str]
    """Who asks; absent where access is open."""


class FolderEntry(TypedDict):
    """A file or folder, in the words of Jupyter's contents API."""

    name: str
    path: str
    type: Literal["directory", "file"]
    size: int | None
    """Bytes; null for what is not a regular file."""


class FolderContent(TypedDict):
    """What is in a folder."""

    content: list[FolderEntry]
