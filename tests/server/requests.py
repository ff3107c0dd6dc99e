"""Requests that only a misbehaving client sends."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from tests.conftest import JupyterServer


def connection(
    server: JupyterServer, verb: str, path: str, headers: dict[str, str]
) -> http.client.HTTPConnection:
    """Send the head of a request without its body."""
    parts = urlsplit(server.api_url)
    opened = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    opened.putrequest(verb, parts.path + path, skip_accept_encoding=True)
    for name, value in headers.items():
        opened.putheader(name, value)
    opened.endheaders()
    return opened


def headers_only(
    server: JupyterServer, verb: str, path: str, headers: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    """Return status and error of a request whose body is never sent."""
    opened = connection(server, verb, path, headers)
    try:
        answer = opened.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        opened.close()
