"""The environment of a run: that of the server, without the secrets of Jupyter and of this package."""

import re
from collections.abc import Iterable, Mapping

ESSENTIAL_NAMES = {
    "HOME",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_DATA_DIR",
    "JUPYTER_PATH",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
    "VIRTUAL_ENV",
}
ESSENTIAL_PREFIXES = (
    "CONDA_",
    "CUDA_",
    "DYLD_",
    "IPYTHON",
    "JULIA_",
    "LC_",
    "LD_",
    "MKL_",
    "MPL",
    "NUMBA_",
    "NVIDIA_",
    "OMP_",
    "OPENBLAS_",
    "PYTHON",
    "R_",
    "SSL_",
    "XDG_",
)
"""What a kernel needs to find its interpreter, packages, devices and settings."""
PRIVATE = re.compile(
    r"(JPY|CONFIGPROXY|RUNWIDGETS)_"
    r"|(EG|KG)_AUTH_TOKEN$"
    r"|JUPYTER.*(AUTH|COOKIE|CREDENTIAL|CRYPT|HEADERS|KEY|PASS|PWD|SECRET|TOKEN)",
    re.IGNORECASE,
)
"""Secrets and addresses of Jupyter's servers, of JupyterHub and its proxy, of gateways, and of this package.
**Source:** the variables that jupyter_server 2, jupyterhub 5, configurable-http-proxy 5, kernel_gateway 3 and
enterprise_gateway 3 read or set."""
MOMENTARY = {"PYTEST_CURRENT_TEST"}
"""Variables that describe what the server's process does now. With this one a kernel would leave what other
processes print to pytest. **Source:** ipykernel 7, ``OutStream``."""
RESERVED = re.compile(r"(JPY|RUNWIDGETS)_", re.IGNORECASE)
"""Variables by which kernels and runs are found and ended."""
MAX_ENVIRONMENT = 32_768
"""Bytes of the variables of one run; they are in every handle of it."""


def run_environment(inherited: Mapping[str, str], names: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables that runs inherit.

    Parameters
    ----------
    inherited : mapping of str to str
        The server's environment.
    names : iterable of str
        The only names that runs have in addition to those that a kernel needs; empty for all names except
        private ones.

    Returns
    -------
    dict of str to str
        The variables of a run.
    """
    only = set(names)
    if only:
        return {
            name: value
            for name, value in inherited.items()
            if name in only | ESSENTIAL_NAMES or name.startswith(ESSENTIAL_PREFIXES)
        }
    return {
        name: value for name, value in inherited.items() if name not in MOMENTARY and not is_private(name)
    }


def is_private(name: str) -> bool:
    """Return whether runs never inherit a variable, because its value is a secret of a server."""
    return PRIVATE.match(name) is not None


def find_problem(environment: object) -> str | None:
    """Return what is wrong with variables that are given for a run, as a sentence, or None.

    Parameters
    ----------
    environment : object
        Right is a dict of str to str, in the names neither ``=`` nor reserved prefixes, without null
        characters, of `MAX_ENVIRONMENT` bytes at most.
    """
    if not isinstance(environment, dict):
        return "it must be an object with texts by name"
    size = 0
    for name, value in environment.items():
        if not isinstance(name, str) or not name or "=" in name or not _is_text(name):
            return f"{name!r:.64} is not the name of a variable"
        if RESERVED.match(name):
            return f"{name:.64} is reserved"
        if not isinstance(value, str):
            return f"the value of {name:.64} must be text"
        if not _is_text(value):
            return f"the value of {name:.64} has a character that no variable can have"
        size += len(f"{name}={value}".encode())
    return f"it has {size:,} bytes, more than {MAX_ENVIRONMENT:,}" if size > MAX_ENVIRONMENT else None


def _is_text(text: str) -> bool:
    """Return whether a text has neither null characters nor surrogates, which have no UTF-8."""
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)
