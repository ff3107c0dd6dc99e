"""One row of the route table; the table is `runwidgets.service.routes.routes`.

A row contains the service method behind it, with its type: `Route[P, R]` takes the arguments `P` and returns
`R`, on both sides of the wire.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Generic, Literal, TypeAlias, cast
from urllib.parse import quote

from typing_extensions import ParamSpec, TypeVar

from runwidgets.schema import RouteDescriptor
from runwidgets.service.contracts.api import Api
from runwidgets.store.identifiers import ObjectKind, check_id

P = ParamSpec("P", default=...)
R = TypeVar("R", covariant=True, default=object)

Kind: TypeAlias = Literal["id", "text", "whole", "flag", "names", "any"]
"""The type of an argument: an identifier, text, a whole number, a boolean, a list of texts, or any value that
the service validates itself."""
ResponseKind: TypeAlias = Literal["json", "nothing", "file", "stream"]
"""The kind of response: JSON, an empty body, a file, or the event stream."""

NOT_GIVEN = {"", "None"}
"""Texts in a query that mean that an argument is not given; clients that fill in patterns send them."""


@dataclass(frozen=True)
class RouteArgument:
    """One argument of a service method, with its name on the wire."""

    wire_name: str
    """Name in the path, the query or the body: camelCase."""
    name: str
    """Name of the method's parameter."""
    kind: Kind = "text"
    """Type of the value; see `Kind`."""
    required: bool = False
    """Whether a request without it is rejected."""

    def check_id(self, given: object) -> str:
        """Return the id of the object that the argument names; see `identifiers.check_id`."""
        return check_id(cast(ObjectKind, self.name.removesuffix("_id")), given)


@dataclass(frozen=True)
class Route(Generic[P, R]):
    """One verb of one pattern."""

    id: str
    """Name of the route in the service descriptor."""
    verb: str
    """GET, POST, PUT or DELETE."""
    pattern: str
    """Path below the base URL, with ``{name}`` parts."""
    method: Callable[[Api], Callable[P, R]] | None
    """Selects the method of the services; None for the descriptor."""
    _: KW_ONLY
    action: Literal["read", "write", "execute"]
    """The action that Jupyter's Authorizer is asked to permit."""
    path: tuple[RouteArgument, ...] = ()
    """Arguments from the path, in the order of the pattern."""
    query: tuple[RouteArgument, ...] = ()
    """Arguments from the query."""
    body: tuple[RouteArgument, ...] = ()
    """Fields of the JSON body."""
    status: int = 200
    """Status of a successful response."""
    response: ResponseKind = "json"
    """Kind of response; see `ResponseKind`."""
    aliases: tuple[str, ...] = ()
    """Further verbs with the same meaning."""
    advertised: tuple[str, ...] = ()
    """Query parameters in the descriptor's pattern, all of which a client must fill in."""

    def call(self, api: Api, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the service method behind the route.

        Parameters
        ----------
        api : Api
            The services of the user.
        *args, **kwargs
            The arguments of the method; by name if they were read from a request.

        Returns
        -------
        object
            The result of the method.
        """
        assert self.method is not None, "the descriptor belongs to no service"
        return self.method(api)(*args, **kwargs)

    def url(self, arguments: Mapping[str, object]) -> str:
        """Return the path for arguments by parameter name, escaped.

        Parameters
        ----------
        arguments : dict
            At least the arguments of the path; others are ignored.

        Returns
        -------
        str
            Path relative to the base URL, without a query.

        Raises
        ------
        UnknownObjectError
            An argument is not the id of an object.
        """
        values = {each.wire_name: quote(each.check_id(arguments[each.name]), safe="") for each in self.path}
        return self.pattern.format(**values)

    @property
    def verbs(self) -> tuple[str, ...]:
        """The verb and its aliases."""
        return (self.verb, *self.aliases)

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
