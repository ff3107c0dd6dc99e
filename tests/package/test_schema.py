import inspect
import re
import types
from enum import EnumMeta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

import pytest
import yaml
from typing_extensions import NotRequired, is_typeddict

from runwidgets import schema
from runwidgets.schema import (
    EventKind,
    ReasonName,
    RunEvent,
    RunReason,
    StateCounts,
    StateName,
    SweepConfig,
    SweepOnError,
)
from runwidgets.service.contracts import api as contracts
from runwidgets.states import RunState

SERVICES = [contract for name, contract in vars(contracts).items() if name.endswith("Service")]
BESIDE = {"ErrorBody", "FileArgument", "FloatArgument", "RunEvent", "ServiceDescriptor", "StreamPosition"}
"""What crosses the wire and is not named by the signature of a service's method."""
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
NAMED = {
    schema.JsonValue: "JsonValue",
    schema.StateName: "StateName",
    schema.ReasonName: "ReasonName",
    schema.Dtype: "Dtype",
    schema.SeriesValue: "SeriesValue",
    schema.RunEvent: "RunEvent",
}
"""Types that have a name and are not classes."""
ANNOTATING = {"description", "examples", "format", "minimum", "maximum", "exclusiveMinimum"}
"""What a specification says beyond the type."""
TYPES = Path(str(files("runwidgets"))) / "frontend/src/model/types.ts"


def name_of(annotation: object) -> str | None:
    """Return the name of a named type."""
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    if isinstance(annotation, str):
        return annotation if annotation in schema.__all__ else None
    if is_typeddict(annotation):
        return str(getattr(annotation, "__name__", ""))
    return next((name for known, name in NAMED.items() if known == annotation), None)


@cache
def reachable() -> set[str]:
    """Return the names of the types that cross the wire."""
    found: set[str] = set()

    def walk(annotation: object) -> None:
        name = name_of(annotation)
        if name is not None and name not in found:
            found.add(name)
            own = getattr(schema, name)
            for each in (*getattr(own, "__annotations__", {}).values(), *get_args(own)):
                walk(each)
        elif name is None:
            for each in get_args(annotation):
                walk(each)

    for service in SERVICES:
        for method in service.__abstractmethods__:
            signature = inspect.signature(getattr(service, method))
            for parameter in signature.parameters.values():
                walk(parameter.annotation)
            walk(signature.return_annotation)
    for name in BESIDE:
        walk(getattr(schema, name))
    return found


def keys(typed: Any) -> dict[str, Any]:
    """Return the types of a TypedDict's keys."""
    return {
        key: get_args(annotation)[0] if get_origin(annotation) is NotRequired else annotation
        for key, annotation in typed.__annotations__.items()
    }


def describe(annotation: object, named: bool = True) -> dict[str, Any]:
    """Return a type as JSON Schema."""
    name = name_of(annotation)
    if named and name is not None:
        return {"$ref": f"#/components/schemas/{name}"}
    if annotation == schema.JsonValue:
        return {}
    if is_typeddict(annotation):
        properties = {key: describe(each) for key, each in keys(annotation).items()}
        required = sorted(getattr(annotation, "__required_keys__", ()))
        return {"type": "object", "required": required, "properties": properties}
    if isinstance(annotation, EnumMeta):
        return {"type": "string", "enum": sorted(member.value for member in annotation)}
    if isinstance(annotation, type) and annotation in PLAIN:
        return {"type": PLAIN[annotation]}
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return {"type": "string", "enum": sorted(parts)}
    if origin is list:
        return {"type": "array", "items": describe(parts[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": describe(parts[1])}
    assert origin in {Union, types.UnionType}, annotation
    return {"anyOf": sorted((describe(part) for part in parts), key=str)}


def plain(specified: Any) -> Any:
    """Return the part of a specification that concerns types, in a fixed order."""
    if isinstance(specified, list):
        return [plain(each) for each in specified]
    if not isinstance(specified, dict):
        return specified
    required_keys = {
        key: each if key == "properties" else plain(each)
        for key, each in specified.items()
        if key not in ANNOTATING
    }
    if "properties" in specified:
        required_keys["properties"] = {key: plain(each) for key, each in specified["properties"].items()}
        required_keys.setdefault("required", [])
    for key in ("required", "enum"):
        if key in required_keys:
            required_keys[key] = sorted(required_keys[key])
    if "anyOf" in required_keys:
        required_keys["anyOf"] = sorted(required_keys["anyOf"], key=str)
    return required_keys


@cache
def components() -> dict[str, Any]:
    """Return the schemas of ``openapi.yaml``, without those of the error classes."""
    text = (files("runwidgets.server") / "openapi.yaml").read_text("utf-8")
    found = yaml.safe_load(text)["components"]["schemas"]
    return {name: each for name, each in found.items() if not name.endswith("Error")}


@cache
def interfaces() -> dict[str, dict[str, bool]]:
    """Return the interfaces of ``types.ts``: whether each key, including inherited ones, is optional."""
    found: dict[str, dict[str, bool]] = {}
    for match in re.finditer(
        r"interface (\w+)(?: extends (\w+))? \{\n(.*?)^\}", TYPES.read_text("utf-8"), re.M | re.S
    ):
        name, parent, body = match.groups()
        own = {key: mark == "?" for key, mark in re.findall(r"^  (\w+)(\??):", body, re.M)}
        found[name] = {**found.get(parent, {}), **own}
    return found


def members(alias: str) -> set[str]:
    """Return the strings that a type of ``types.ts`` allows."""
    found = re.search(rf"type {alias} =([^;]*);", TYPES.read_text("utf-8"))
    assert found, alias
    return set(re.findall(r"'(\w+)'", found[1]))


@pytest.mark.parametrize("name", sorted(reachable()))
def test_what_crosses_the_wire_is_specified_as_it_is_typed(name: str) -> None:
    """The specification has the same keys, required keys, types and strings under the same name."""
    assert plain(components()[name]) == describe(getattr(schema, name), named=False)


def test_nothing_else_is_specified() -> None:
    """Every schema is used by a route."""
    assert set(components()) == reachable()


@pytest.mark.parametrize("name", sorted(interfaces()))
def test_an_interface_of_the_front_end_is_a_type_of_the_schema(name: str) -> None:
    """Views use existing keys, and know which may be missing."""
    typed = getattr(schema, name)
    known = {key: key not in typed.__required_keys__ for key in typed.__annotations__}

    assert interfaces()[name].items() <= known.items()


def test_the_front_end_knows_the_same_words() -> None:
    """The strings are states, types of parameters and kinds of events."""
    kinds = set(re.findall(r"kind: '(\w+)'", TYPES.read_text("utf-8")))

    assert members("StateName") == set(get_args(StateName))
    assert members("ReasonName") == set(get_args(ReasonName))
    assert members("Dtype") == set(get_args(schema.Dtype))
    assert kinds == {kind.value for kind in EventKind}


def test_words_on_the_wire_are_members_of_the_enums() -> None:
    """The literals of a TypedDict are the members of the enum that code branches on."""
    kinds = {word for event in get_args(RunEvent) for word in get_args(keys(event)["kind"])}

    assert (
        set(get_args(StateName)) == {state.value for state in RunState} == set(StateCounts.__required_keys__)
    )
    assert set(get_args(ReasonName)) == {reason.value for reason in RunReason}
    assert set(get_args(keys(SweepConfig)["on_error"])) == {each.value for each in SweepOnError}
    assert kinds == {kind.value for kind in EventKind}


@pytest.mark.parametrize(
    "name", sorted(name for name in schema.__all__ if is_typeddict(getattr(schema, name)))
)
def test_a_type_has_its_sentence(name: str) -> None:
    """Each type has a docstring."""
    assert (getattr(schema, name).__doc__ or "").endswith(".")
