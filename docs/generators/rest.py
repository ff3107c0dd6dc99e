"""The REST routes and their JSON, from `openapi.yaml`."""

from importlib.resources import files
from typing import Any

import yaml

Node = dict[str, Any]


def read_specification() -> Node:
    """Return the specification that the server serves."""
    text = files("runwidgets.server").joinpath("openapi.yaml").read_text("utf-8")
    specification: Node = yaml.safe_load(text)
    return specification


def list_routes() -> str:
    """Return a section for each route: what it does, what it takes and what it returns."""
    specification = read_specification()
    return "\n".join(
        _route(specification, path, verb, operation)
        for path, operations in specification["paths"].items()
        for verb, operation in operations.items()
    )


def list_schemas() -> str:
    """Return a section for each JSON object that crosses the wire, apart from the errors."""
    schemas = read_specification()["components"]["schemas"]
    return "\n".join(
        f"## {name}\n\n{_text(schema)}\n\n{_properties(schema)}\n"
        for name, schema in schemas.items()
        if not name.endswith("Error")
    )


def _route(specification: Node, path: str, verb: str, operation: Node) -> str:
    parts = [f"## {verb.upper()} {path}", f"`{operation['operationId']}`: {operation['summary']}"]
    if operation.get("description"):
        parts.append(operation["description"].strip())
    given = [_resolve(specification, each) for each in operation.get("parameters", [])]
    if given:
        rows = [f"| `{each['name']}` | {each['in']} | {_text(each)} |" for each in given]
        parts.append("| parameter | in | meaning |\n|---|---|---|\n" + "\n".join(rows))
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        body = f"Body (`{kind}`): {_kind(content.get('schema', {}))}"
        parts.append(f"{body}\n\n{_properties(content.get('schema', {}))}".strip())
    responses = [_response(specification, *each) for each in operation["responses"].items()]
    parts.append("\n".join(responses))
    return "\n\n".join(parts) + "\n"


def _response(specification: Node, status: str, response: Node) -> str:
    text = _resolve(specification, response)["description"].strip()
    schemas = [each.get("schema", {}) for each in response.get("content", {}).values()]
    links = [_kind(each) for each in schemas if "$ref" in each]
    return f"- {status}: {text}{' ' + links[0] if links else ''}"


def _resolve(specification: Node, node: Node) -> Node:
    while "$ref" in node:
        target = specification
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def _properties(schema: Node) -> str:
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_kind(each)} | {'always' if name in required else ''} | {_text(each)} |"
        for name, each in schema.get("properties", {}).items()
    ]
    return "| key | kind | | meaning |\n|---|---|---|---|\n" + "\n".join(rows) if rows else ""


def _kind(schema: Node) -> str:
    """Return what a value is, in few words; a named object is a link to its section."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"`{name}`" if name.endswith("Error") else f"[{name}](json.md#{name.lower()})"
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    for word, joint in (("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")):
        if word in schema:
            return joint.join(_kind(each) for each in schema[word])
    kind = schema.get("type", "any JSON")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _text(schema: Node) -> str:
    return " ".join(str(schema.get("description", "")).split()).replace("|", "\\|")
