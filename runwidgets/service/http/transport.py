"""How a server is reached: by its Unix socket or its address, with which certificates, and why not."""

import json
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx

from runwidgets.errors import InvalidArgumentError, ServiceUnavailableError

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name files or folders of trusted certificates. **Source:** OpenSSL, Requests, and curl."""

Verify = bool | str | Path | ssl.SSLContext
"""Which certificates are trusted; see `trusted_certificates`."""


def parse_url(url: str) -> httpx.URL:
    """Parse the URL of a server; raises `InvalidArgumentError` for any other text."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        remedy = "give one such as http://localhost:8888/"
        raise InvalidArgumentError("url", f"{url!r:.200} is not the URL of a server", remedy)
    return parsed


def is_this_machine(url: httpx.URL) -> bool:
    """Return whether a URL leads to this machine, for which no proxy is asked."""
    return url.host in {"localhost", "::1"} or url.host.startswith("127.")


def trusted_certificates(verify: Verify) -> ssl.SSLContext:
    """Return the context of a connection that trusts some certificates.

    Parameters
    ----------
    verify : bool, str, path or ssl.SSLContext
        True for those that `CERTIFICATE_VARIABLES` name, or without them the usual ones; False for any; the
        path of a file in PEM format, or of a folder of such files; or a context, which is returned as it is.

    Raises
    ------
    InvalidArgumentError
        A file or folder is missing, or has no certificates.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, bool):
        named = {name: os.environ[name] for name in CERTIFICATE_VARIABLES if os.environ.get(name)}
        if not verify or not named:
            return httpx.create_ssl_context(verify=verify, trust_env=False)
    elif isinstance(verify, str | Path):
        named = {"verify": str(verify)}
    else:
        raise InvalidArgumentError("verify", f"{verify!r:.80} is neither true or false nor a path")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, path in named.items():
        _trust(context, name, Path(path))
    return context


def _trust(context: ssl.SSLContext, name: str, path: Path) -> None:
    if not path.exists():
        problem = f"{str(path)!r:.200} does not exist"
        raise InvalidArgumentError(name, problem, "give a file in PEM format")
    try:
        context.load_verify_locations(**{"capath" if path.is_dir() else "cafile": str(path)})
    except OSError as error:
        problem = f"{str(path)!r:.200} has no certificates ({error.strerror or error})"
        raise InvalidArgumentError(name, problem, "give a file in PEM format") from None


def unreachable(url: str, error: Exception) -> ServiceUnavailableError:
    """Return the error that says why a server could not be asked.

    Parameters
    ----------
    url : str
        The URL of the server, as the user knows it.
    error : Exception
        What `httpx` or the parser of JSON raised.
    """
    for each in _causes(error):
        problem, remedy = _reason(each)
        if problem:
            return ServiceUnavailableError(url, problem, remedy)
    problem = f"the server does not respond ({type(error).__name__})"
    return ServiceUnavailableError(url, problem, "check that it is running, and its address")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes of an error, the first one first, and then the error itself."""
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield from _causes(cause)
    yield error


def _reason(error: BaseException) -> tuple[str, str]:
    """Return a sentence and a remedy for an error; empty ones for an error that says too little."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"the server's certificate is not trusted ({error.verify_message})",
                "give it, or that of its authority, as `verify`, or name its file in SSL_CERT_FILE",
            )
        case ssl.SSLError():
            return "there is no secure connection to the server", "check whether it is an http:// address"
        case ConnectionRefusedError():
            return "nothing listens there", "check that the server is running, and its address"
        case FileNotFoundError():
            return "the server is not running any more", "start it again, and then this kernel"
        case socket.gaierror():
            return "there is no machine of this name", "check the address"
        case httpx.ConnectTimeout():
            return (
                "the server could not be reached in time",
                "check the network, and whether it is an http:// address",
            )
        case httpx.TimeoutException():
            return "the server did not respond in time", "try again, or see what keeps it busy"
        case httpx.ProxyError():
            return "the proxy refuses the connection", "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
        case ConnectionError() | httpx.RemoteProtocolError():
            return "the connection was closed", "try again, and check whether it is an https:// address"
        case json.JSONDecodeError() | UnicodeDecodeError():
            return "the response is not JSON", "check that a Jupyter server with runwidgets listens there"
    return "", ""
