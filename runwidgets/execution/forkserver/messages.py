"""The messages to and from a fork server; each is JSON in one packet."""

from typing_extensions import NotRequired, TypedDict


class ForkRequest(TypedDict):
    """Asks for a runner; the descriptor of the run's lock comes with it."""

    run: str
    """Id of the run."""
    folder: str
    """The run directory."""
    copies: str
    """Folder of the content-addressed copies of static files."""
    keeper: NotRequired[int]
    """A process with which the run ends; absent for an independent run."""


class ServerMessage(TypedDict, total=False):
    """A message of the server."""

    ready: int
    """The server's process, once it can fork; its first message."""
    unfit: str
    """A module that cannot be preloaded, after which the server ends."""
    reason: str
    """Why that module cannot be preloaded."""
    run: str
    """A run whose runner has ended."""
    code: int
    """Exit code of that runner."""
