"""What one row of the route table says; the table is `runwidgets.service.routes.routes`.

A row holds the service method that is behind it, with its type: `Route[P, R]` takes the arguments `P` and
returns `R`, on both sides of the wire.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Generic, Literal, TypeAlias
from urllib.parse import quote

from typing_extensions import ParamSpec, TypeVar

from runwidgets.schema import RouteDescriptor
from runwidgets.service.contracts.runs import Api

P = ParamSpec("P", default=...)
R = TypeVar("R", covariant=True, default=object)

Kind: TypeAlias = Literal["id", "text", "whole", "flag", "names", "any"]
"""What an argument must be: an identifier, text, a whole number, true or false, a list of text, or
whatever the service makes of it."""
Answer: TypeAlias = Literal["json", "nothing", "file", "stream"]
"""What comes back: JSON, an empty body, a file, or the live stream."""


@dataclass(frozen=True)
class RouteArgument:
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
class Route(Generic[P, R]):
    """One verb of one pattern."""

    id: str
    """Its name, as the service descriptor gives it."""
    verb: str
    """GET, POST, PUT or DELETE."""
    pattern: str
    """Its path below the base, with ``{name}`` parts."""
    method: Callable[[Api], Callable[P, R]] | None
    """Picks the method of the services that is behind it; None for the descriptor."""
    _: KW_ONLY
    action: Literal["read", "write", "execute"]
    """What Jupyter's Authorizer is asked for."""
    path: tuple[RouteArgument, ...] = ()
    """Arguments from the path, in the order of the pattern."""
    query: tuple[RouteArgument, ...] = ()
    """Arguments from the query."""
    body: tuple[RouteArgument, ...] = ()
    """Fields of the JSON body."""
    status: int = 200
    """Status of a success."""
    answer: Answer = "json"
    """What comes back; see `Answer`."""
    aliases: tuple[str, ...] = ()
    """Further verbs that mean the same."""
    advertised: tuple[str, ...] = ()
    """Names of the query that the descriptor's pattern shows, all of which a client must then fill."""

    def call(self, api: Api, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the service method that is behind it.

        Parameters
        ----------
        api : Api
            The services of who asks.
        *args, **kwargs
            The method's arguments; by name where they were read from a request.

        Returns
        -------
        object
            What the method returns.
        """
        assert self.method is not None, "the descriptor is no service's"
        return self.method(api)(*args, **kwargs)

    def url(self, arguments: Mapping[str, object]) -> str:
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
    def descriptor(self) -> RouteDescriptor:
        """The route in the service descriptor."""
        query = "&".join(f"{name}={{{name}}}" for name in self.advertised)
        return {"id": self.id, "pattern": f"{self.pattern}?{query}" if query else self.pattern}


WORKFLOW = RouteArgument("workflowId", "workflow_id", "id", required=True)
GROUP = RouteArgument("userGroupId", "group_id", "id", required=True)
RUN = RouteArgument("runId", "run_id", "id", required=True)
FILE = RouteArgument("fileId", "file_id", "id", required=True)
SWEEP = RouteArgument("sweepId", "sweep_id", "id", required=True)
