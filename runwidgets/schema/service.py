"""Descriptors of services, and errors on the wire."""

from typing import Literal

from typing_extensions import NotRequired, TypedDict


class ErrorBody(TypedDict):
    """An error, as it crosses the wire."""

    message: str
    """A message that names what is at fault and what would be right."""
    error: str
    """Name of the class in `runwidgets.errors`."""
    subject: NotRequired[str]
    """Name of what is at fault; absent if it has no name."""
    problem: NotRequired[str]
    """What is wrong."""
    point: NotRequired[int]
    """Number of the point of a sweep that is at fault; absent in other errors."""
    allowed: NotRequired[list[str]]
    """The HTTP methods that the route supports; present in a `MethodNotAllowedError` only."""


class RouteDescriptor(TypedDict):
    """A route."""

    id: str
    pattern: str
    """Path relative to the service's URL, with ``{name}`` parts."""


class ServiceLimits(TypedDict):
    """The limits that a client needs."""

    upload: int
    """Maximum size of one uploaded file in bytes."""


class KernelDescriptor(TypedDict):
    """The service descriptor of a kernel, for a page that cannot reach the server."""

    name: Literal["runwidgets"]
    store: str
    """Identifies the store: services with the same value share their runs."""
    limits: NotRequired[ServiceLimits]
    """Absent if the kernel itself uses a server, whose limits apply."""
    routes: list[RouteDescriptor]


class ServiceDescriptor(TypedDict):
    """The service descriptor of a server."""

    name: Literal["runwidgets"]
    store: str
    """Identifies the store: services with the same value share their runs."""
    version: str
    url: str
    """Base URL of the routes."""
    limits: ServiceLimits
    routes: list[RouteDescriptor]
    username: NotRequired[str]
    """The user; absent with the access policy `open`."""


class FolderEntry(TypedDict):
    """A file or folder, in the format of Jupyter's contents API."""

    name: str
    path: str
    type: Literal["directory", "file"]
    size: int | None
    """Size in bytes; null if it is not a regular file."""


class FolderContent(TypedDict):
    """The content of a folder."""

    content: list[FolderEntry]
