"""Who asks: Jupyter's own identity provider, and beside it the token that kernels inherit.

There is no second login. A header ``api_key`` is read like ``Authorization: token …``, and so is the
password of ``Authorization: Basic …``, because that is how clients of flowserv, and ``.netrc``, can
carry a token. The extension's own token opens its own routes and nothing else of the server; who
shows it is the owner of the server.
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

PREFIX = "token "
"""How Jupyter's own ``Authorization`` header begins."""
SHARED: tuple[type[IdentityProvider], ...] = (IdentityProvider, PasswordIdentityProvider)
"""Providers that give every browser a random name: all who know the secret are one person."""


def knows_people(provider: IdentityProvider) -> bool:
    """Say whether the names that a provider gives belong to people.

    Parameters
    ----------
    provider : IdentityProvider
        The server's.

    Returns
    -------
    bool
        False for Jupyter's defaults, whose names are random.
    """
    return type(provider) not in SHARED


def translate_token(headers: HTTPHeaders) -> None:
    """Write a token that came in another header into ``Authorization``, where Jupyter looks.

    Parameters
    ----------
    headers : HTTPHeaders
        Of the request; changed in place.
    """
    given = headers.get("Authorization", "")
    if not given and headers.get("api_key"):
        headers["Authorization"] = PREFIX + headers["api_key"]
    elif given[:6].lower() == "basic ":
        try:
            _, _, password = base64.b64decode(given[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return
        headers["Authorization"] = PREFIX + password


class KernelIdentityProvider(IdentityProvider):
    """Knows one user, the owner of the server, by the extension's token.

    Parameters
    ----------
    secret : str
        The token that is in the environment of kernels.
    """

    def __init__(self, secret: str) -> None:
        super().__init__(token="")
        self.secret = secret
        self._owner = os.environ.get("JUPYTERHUB_USER") or getpass.getuser()

    def is_shown(self, headers: HTTPHeaders) -> bool:
        """Say whether a request carries the token; takes the same time for every wrong one."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        return scheme.lower() in {"token", "bearer"} and hmac.compare_digest(
            token.strip().encode("utf-8", "replace"), self.secret.encode()
        )

    def get_user(self, handler: web.RequestHandler) -> User:
        """Return the owner of the server."""
        return User(username=self._owner)

    def is_token_authenticated(self, handler: web.RequestHandler) -> bool:
        """Say yes, so that XSRF and origin, which protect cookies, are not asked for."""
        return True
