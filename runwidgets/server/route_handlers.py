"""The handlers for Tornado: one per pattern of the route table."""

from collections.abc import Callable
from typing import Any, TypeAlias

from jupyter_server.auth.decorator import authorized
from tornado import web

from runwidgets.errors import UnknownObjectError
from runwidgets.server.handler_context import Context
from runwidgets.server.handlers import BASE, RESOURCE, RestHandler
from runwidgets.server.specification import PATTERN, SpecificationHandler
from runwidgets.server.uploads import UploadHandler
from runwidgets.service.routes.catalog import TAKE_FILE
from runwidgets.service.routes.route import Route
from runwidgets.service.routes.routes import by_pattern, to_regex

Rule: TypeAlias = tuple[str, type[RestHandler], dict[str, Context]]
"""A pattern relative to the server's base URL, with its handler and the handler's arguments."""


def _method(route: Route) -> Callable[..., Any]:
    @web.authenticated
    @authorized(route.action, resource=RESOURCE)  # type: ignore[untyped-decorator]
    async def serve(self: RestHandler, *parts: str) -> None:
        if isinstance(self, UploadHandler) and route.id == "files:upload":
            await self.store(route)
        else:
            await self.serve(route, parts)

    return serve


@web.stream_request_body
class MissingHandler(RestHandler):
    """Serve paths that match no route."""

    async def prepare(self) -> None:  # type: ignore[override]  # as in Jupyter's own APIHandler
        """Reject the request, after its authentication."""
        await super().prepare()
        if self.request.method != "OPTIONS":
            raise UnknownObjectError("path", "there is no such route", "GET the base for a list")


def make_handlers(context: Context, stream: type[RestHandler]) -> list[Rule]:
    """Return Tornado's rules for the whole route table.

    Parameters
    ----------
    context : Context
        The objects that the handlers share.
    stream : type
        The handler whose `serve` sends the event stream.

    Returns
    -------
    list of Rule
        A rule for each pattern, one for the specification, and one for all other paths.
    """
    rules: list[Rule] = []
    for pattern, routes in by_pattern():
        base: type[RestHandler] = RestHandler
        if any(route.response == "stream" for route in routes):
            base = stream
        elif TAKE_FILE in routes:
            base = UploadHandler
        methods = {verb.lower(): _method(route) for route in routes for verb in route.verbs}
        handler: type[RestHandler] = type(
            f"{base.__name__}_{len(rules)}", (base,), {**methods, "routes": routes}
        )
        handler = web.stream_request_body(handler)
        path = to_regex(pattern) or "?"
        rules.append((f"/{BASE}{path}", handler, {"context": context}))
    rules.append((f"/{BASE}{PATTERN}", SpecificationHandler, {"context": context}))
    rules.append((f"/{BASE}.*", MissingHandler, {"context": context}))
    return rules
