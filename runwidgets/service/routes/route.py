"""What one row of the route table says; the table is `runwidgets.service.routes.routes`."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

Kind = Literal["id", "text", "whole", "flag", "names", "any"]
"""What an argument must be: an identifier, text, a whole number, true or false, a list of text, or
whatever the service makes of it."""
Answer = Literal["json", "nothing", "file", "stream"]
"""What comes back: JSON, an empty body, a file, or the live stream."""


@dataclass(frozen=True)
class Argument:
    """One argument of a service method, and its name on the wire."""

    wire: str
    """Its name in the path, the query or the body: camelCase."""
    name: str
    """Its name in Python."""
    kind: Kind = "text"
    """What it must be; see `Kind`."""
    required: bool = False
    """Whether a request without it is refused."""


@dataclass(frozen=True)
class Route:
    """One verb of one pattern."""

    id: str
    """Its name, as the service descriptor gives it."""
    verb: str
    """GET, POST, PUT or DELETE."""
    pattern: str
    """Its path below the base, with ``{name}`` parts."""
    service: str
    """The field of `Api` that answers; empty for the descriptor."""
    method: str
    """The method of that service."""
    action: Literal["read", "write", "execute"]
    """What Jupyter's Authorizer is asked for."""
    path: tuple[Argument, ...] = ()
    """Arguments from the path, in the order of the pattern."""
    query: tuple[Argument, ...] = ()
    """Arguments from the query."""
    body: tuple[Argument, ...] = ()
    """Fields of the JSON body."""
    status: int = 200
    """Status of a success."""
    answer: Answer = "json"
    """What comes back; see `Answer`."""
    aliases: tuple[str, ...] = ()
    """Further verbs that mean the same."""
    advertised: tuple[str, ...] = ()
    """Names of the query that the descriptor's pattern shows, all of which a client must then fill."""

    def url(self, arguments: dict[str, object]) -> str:
        """Return the path for arguments by their Python names, escaped.

        Parameters
        ----------
        arguments : dict
            At least the arguments of the path; others are left alone.

        Returns
        -------
        str
            Relative to the base, without a query.
        """
        values = {each.wire: quote(str(arguments[each.name]), safe="") for each in self.path}
        return self.pattern.format(**values)

    @property
    def description(self) -> dict[str, str]:
        """The route in the service descriptor: ``{id, pattern}``."""
        query = "&".join(f"{name}={{{name}}}" for name in self.advertised)
        return {"id": self.id, "pattern": f"{self.pattern}?{query}" if query else self.pattern}
