"""The route table, as data.

One row per operation of the REST API: its pattern, its verb, the service method behind it, and the source
of the method's arguments. The server generates its handlers from the table, the `Remote…` services their
requests, ``GET /`` its descriptor; the tests of permissions, invalid input and ``openapi.yaml`` iterate over
it, so that no route is forgotten. The patterns are those of flowserv, whose clients work unchanged.
"""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from runwidgets.errors import MethodNotAllowedError, UnknownObjectError
from runwidgets.schema import ServiceDescriptor
from runwidgets.service.routes import catalog, runs, sweeps
from runwidgets.service.routes.route import Route, RouteArgument

DESCRIBE_SERVICE: Route[[], ServiceDescriptor] = Route("service", "GET", "", None, action="read")

FOLLOW_EVENTS = Route(
    "events",
    "GET",
    "events",
    lambda api: api.events.follow_events,
    action="read",
    query=(
        RouteArgument("group", "group_id", "id"),
        RouteArgument("run", "run_id", "id"),
        RouteArgument("sweep", "sweep_id", "id"),
        RouteArgument("after", "after", "whole"),
    ),
    response="stream",
)

ROUTES: tuple[Route, ...] = (
    DESCRIBE_SERVICE,
    catalog.LIST_WORKFLOWS,
    catalog.CREATE_WORKFLOW,
    catalog.GET_WORKFLOW,
    catalog.DELETE_WORKFLOW,
    catalog.GET_LEADERBOARD,
    catalog.LIST_GROUPS_OF_WORKFLOW,
    catalog.CREATE_GROUP,
    catalog.LIST_GROUPS,
    catalog.GET_GROUP,
    catalog.UPDATE_GROUP,
    catalog.DELETE_GROUP,
    runs.START_RUN,
    runs.LIST_RUNS,
    runs.GET_TABLE,
    runs.GET_RUN,
    runs.CANCEL_RUN,
    runs.PRUNE_RUN,
    runs.RERUN,
    runs.DELETE_RUN,
    runs.GET_RESULT_ARCHIVE,
    runs.GET_RESULT_FILE,
    runs.GET_PARTIAL_FILE,
    runs.GET_LOG,
    runs.GET_SERIES,
    runs.GET_NOTEBOOK,
    sweeps.START_SWEEP,
    sweeps.LIST_SWEEPS,
    sweeps.GET_SWEEP,
    sweeps.CANCEL_SWEEP,
    sweeps.DELETE_SWEEP,
    sweeps.GET_POINTS,
    sweeps.ADD_POINTS,
    sweeps.PAUSE_SWEEP,
    sweeps.RERUN_FAILED,
    catalog.LIST_UPLOADED_FILES,
    catalog.TAKE_FILE,
    catalog.GET_UPLOADED_FILE,
    catalog.DELETE_FILE,
    FOLLOW_EVENTS,
)
"""All routes."""


def by_pattern() -> Iterator[tuple[str, list[Route]]]:
    """Group the table by pattern.

    Yields
    ------
    pattern : str
        A pattern.
    routes : list of Route
        Its routes, one per verb and alias.
    """
    for pattern in dict.fromkeys(route.pattern for route in ROUTES):
        yield pattern, [route for route in ROUTES if route.pattern == pattern]


def to_regex(pattern: str) -> str:
    """Return a pattern as a regular expression, with a group per ``{name}`` part."""
    return re.sub(r"\{\w+\}", "([^/]+)", pattern)


def find_route(verb: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """Return the route for a path, and the ``{name}`` parts of the path, unescaped.

    Parameters
    ----------
    verb : str
        GET, POST, PUT or DELETE.
    path : str
        Path relative to the base URL, without a query.

    Raises
    ------
    UnknownObjectError
        There is no such route.
    MethodNotAllowedError
        There is one, but with other verbs.
    """
    for pattern, routes in by_pattern():
        found = re.fullmatch(to_regex(pattern), path)
        if found is None:
            continue
        for route in routes:
            if verb in route.verbs:
                return route, tuple(unquote(part) for part in found.groups())
        error = not_allowed(verb, routes)
        raise error
    raise UnknownObjectError("path", "there is no such route", "GET the base for a list")


def not_allowed(verb: str, routes: Sequence[Route]) -> MethodNotAllowedError:
    """Return the error for a verb that the routes of a pattern do not have."""
    allowed = sorted(each for route in routes for each in route.verbs)
    remedy = f"use {' or '.join(allowed)}" if allowed else None
    return MethodNotAllowedError(f"{verb:.20}", "this path does not support it", remedy, allowed=allowed)
