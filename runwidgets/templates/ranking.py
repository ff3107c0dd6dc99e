"""The section `results` of a template: the metrics by which runs are ranked, and in which order."""

from collections.abc import Mapping
from typing import Any, TypeAlias, get_args

from runwidgets.errors import InvalidArgumentError, InvalidTemplateError
from runwidgets.schema import Direction, Dtype, ResultsDeclaration

RESULTS_KEYS = {"schema", "orderBy"}
METRIC_KEYS = {"name", "label", "dtype", "direction"}
SUFFIXES: dict[str, Direction] = {"asc": "minimize", "desc": "maximize"}
"""What may follow the name of a metric: the least or the greatest value first."""
MetricOrder: TypeAlias = tuple[str, Direction]
"""A metric, and whether its least or its greatest value is the best."""


def check_results(results: Any, where: str) -> ResultsDeclaration:
    """Check the section of a template.

    Parameters
    ----------
    results : Any
        The section, from metadata or YAML.
    where : str
        Name of the file, for error messages.

    Returns
    -------
    dict
        The section.

    Raises
    ------
    InvalidTemplateError
        It is not a `ResultsDeclaration`, a metric is declared twice, or a type, a direction or a metric is
        unknown; the message names it.
    """
    if not isinstance(results, dict) or set(results) - RESULTS_KEYS:
        raise InvalidTemplateError(where, "results: only 'schema' and 'orderBy' are allowed")
    for key in RESULTS_KEYS:
        if not isinstance(results.get(key, []), list):
            raise InvalidTemplateError(where, f"results.{key}: it must be a list")
    names: list[str] = []
    for metric in results.get("schema", []):
        _check_metric(metric, where)
        if metric["name"] in names:
            raise InvalidTemplateError(where, f"results.schema: '{metric['name']:.60}' is declared twice")
        names.append(metric["name"])
    checked: ResultsDeclaration = {**results}  # type: ignore[typeddict-item]
    directions = declared_directions(checked)
    for text in results.get("orderBy", []):
        try:
            name, _ = parse_order(text, directions)
        except InvalidArgumentError as error:
            raise InvalidTemplateError(where, f"results.orderBy: {error.problem}", error.remedy) from error
        if names and name not in names:
            raise InvalidTemplateError(where, f"results.orderBy: '{name:.60}' is not in results.schema")
    return checked


def declared_order(results: ResultsDeclaration) -> list[MetricOrder]:
    """Return the order that a template declares; without one, the first metric with a direction."""
    directions = declared_directions(results)
    if "orderBy" in results:
        return [parse_order(text, directions) for text in results["orderBy"]]
    return list(directions.items())[:1]


def declared_directions(results: ResultsDeclaration) -> dict[str, Direction]:
    """Return the directions of the metrics that have one, by name."""
    return {each["name"]: each["direction"] for each in results.get("schema", []) if "direction" in each}


def parse_order(text: Any, directions: Mapping[str, Direction]) -> MetricOrder:
    """Parse a metric with its direction: ``loss:asc``, or ``loss`` if its direction is declared.

    Parameters
    ----------
    text : Any
        The name of a metric, with ``:asc`` or ``:desc`` in any case unless its direction is declared.
    directions : mapping
        The declared directions, by metric.

    Raises
    ------
    InvalidArgumentError
        It is not text, or the direction is missing.
    """
    if not isinstance(text, str):
        raise InvalidArgumentError("orderBy", f"{text!r:.60} is not the name of a metric")
    name, _, suffix = text.rpartition(":")
    if name and suffix.lower() in SUFFIXES:
        return name, SUFFIXES[suffix.lower()]
    if text not in directions:
        remedy = "add ':asc' if the least value is the best, ':desc' if the greatest is"
        raise InvalidArgumentError("orderBy", f"'{text:.60}' has no direction", remedy)
    return text, directions[text]


def _check_metric(metric: Any, where: str) -> None:
    if not isinstance(metric, dict) or not isinstance(metric.get("name"), str) or not metric["name"]:
        raise InvalidTemplateError(where, "results.schema: each needs a name")
    subject = f"results.schema: '{metric['name']:.60}'"
    for key, value in metric.items():
        if key not in METRIC_KEYS:
            raise InvalidTemplateError(where, f"{subject}: '{key:.60}' is unknown")
        if not isinstance(value, str):
            raise InvalidTemplateError(where, f"{subject}: its {key} must be a string")
    for key, known in (("dtype", get_args(Dtype)), ("direction", get_args(Direction))):
        if metric.get(key, known[0]) not in known:
            problem = f"{subject} has the unknown {key} '{metric[key]:.60}'"
            raise InvalidTemplateError(where, problem, f"use {', '.join(known)}")
