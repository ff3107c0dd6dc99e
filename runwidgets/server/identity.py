"""Authentication: Jupyter's own identity provider, and in addition the token that kernels inherit.

There is no second login. A header ``api_key`` is read like ``Authorization: token …``, and so is the
password of ``Authorization: Basic …``, because clients of flowserv, and ``.netrc``, send a token that way.
The extension's own token grants access to its own routes and to nothing else on the server; it
authenticates the owner of the server.
"""

import base64
import binascii
import getpass
import hmac
import os

from jupyter_server.auth import IdentityProvider, User
from jupyter_server.auth.identity import PasswordIdentityProvider
from tornado import web
from tornado.httputil import HTTPHeaders

TOKEN_PREFIX = "token "
"""Prefix of a token in Jupyter's own ``Authorization`` header."""
ANONYMOUS_PROVIDERS: tuple[type[IdentityProvider], ...] = (IdentityProvider, PasswordIdentityProvider)
"""Providers that give every browser a random name: everybody who knows the secret is the same person."""


def authenticates_people(provider: IdentityProvider) -> bool:
    """Return whether the names from an identity provider belong to people.

    Parameters
    ----------
    provider : IdentityProvider
        The identity provider of the server.

    Returns
    -------
    bool
        False for Jupyter's default providers, whose names are random.
    """
    return type(provider) not in ANONYMOUS_PROVIDERS


def translate_token(headers: HTTPHeaders) -> None:
    """Copy a token from another header into ``Authorization``, where Jupyter looks for it.

    Parameters
    ----------
    headers : HTTPHeaders
        The headers of the request; changed in place.
    """
    authorization = headers.get("Authorization", "")
    if not authorization and headers.get("api_key"):
        headers["Authorization"] = TOKEN_PREFIX + headers["api_key"]
    elif authorization[:6].lower() == "basic ":
        try:
            _, _, password = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return
        headers["Authorization"] = TOKEN_PREFIX + password


class KernelIdentityProvider(IdentityProvider):
    """Authenticates one user, the owner of the server, by the extension's token.

    Parameters
    ----------
    secret : str
        The token in the environment of kernels.
    """

    def __init__(self, secret: str) -> None:
        super().__init__(token="")
        self.secret = secret
        self._owner = os.environ.get("JUPYTERHUB_USER") or getpass.getuser()

    def is_authenticated(self, headers: HTTPHeaders) -> bool:
        """Return whether a request carries the token; the time is the same for every wrong token."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        return scheme.lower() in {"token", "bearer"} and hmac.compare_digest(
            token.strip().encode("utf-8", "replace"), self.secret.encode()
        )

    def get_user(self, handler: web.RequestHandler) -> User:
        """Return the owner of the server."""
        return User(username=self._owner)

    def is_token_authenticated(self, handler: web.RequestHandler) -> bool:
        """Return True, so that the XSRF and origin checks, which protect cookies, are skipped."""
        return True
