"""Serves the OpenAPI specification of the routes, as YAML and as JSON."""

import json
from importlib.resources import files

import yaml
from jupyter_server.auth.decorator import authorized
from tornado import web

from runwidgets.server.handlers import RESOURCE, RestHandler
from runwidgets.service.routes.route import Route

CONTENT_TYPES = {"yaml": "application/yaml", "json": "application/json"}
"""Content types by suffix. **Source:** RFC 9512 for YAML."""
PATTERN = rf"openapi\.({'|'.join(CONTENT_TYPES)})"


@web.stream_request_body
class SpecificationHandler(RestHandler):
    """Serve the specification, which is not a part of itself."""

    routes = (Route("openapi", "GET", "openapi.yaml", None, action="read"),)

    @web.authenticated
    @authorized("read", resource=RESOURCE)  # type: ignore[untyped-decorator]
    async def get(self, suffix: str) -> None:
        """Send the specification in the format of the suffix."""
        text = (files("runwidgets.server") / "openapi.yaml").read_text("utf-8")
        if suffix == "json":
            text = json.dumps(yaml.safe_load(text))
        self.finish(text, set_content_type=CONTENT_TYPES[suffix])
