"""Which modules are imported before the forks: those that are installed and do not change meanwhile.

It also decides which kernelspecs can be forked at all: IPython's on this very interpreter.
"""

import importlib.util
import os
import re
import site
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_core.paths import jupyter_path

from runwidgets.execution.kernels.zmq import find_kernelspec

PYTHON = re.compile(r"python(3(\.\d+)?)?")
"""What a kernelspec calls the interpreter that Jupyter runs on. **Source:** jupyter_client 8,
``KernelManager.format_kernel_cmd``."""


def fingerprint() -> tuple[Any, ...]:
    """Return what changes when packages are installed, removed or replaced, or IPython is configured anew."""
    return tuple(_stamp(place) for place in (*_packages(), *_profile()))


def kernelspecs() -> tuple[Any, ...]:
    """Return what changes when a kernelspec is installed or removed."""
    return tuple(_stamp(Path(place, "kernels")) for place in jupyter_path())


@lru_cache(maxsize=64)
def python_options(kernel_name: str, _specs: tuple[Any, ...]) -> tuple[str, ...] | None:
    """Return the interpreter options of a kernelspec, if its kernel is IPython's on this very Python.

    Parameters
    ----------
    kernel_name : str
        The kernelspec.
    _specs : tuple
        See `kernelspecs`; another value asks again.

    Returns
    -------
    tuple of str or None
        Such as ``("-Xfrozen_modules=off",)``; None for any other kernel.
    """
    try:
        spec = find_kernelspec(kernel_name)
    except NoSuchKernel:
        return None
    python, *rest = spec.argv or [""]
    is_ours = PYTHON.fullmatch(python) or os.path.abspath(python) == os.path.abspath(sys.executable)
    tail = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    if not is_ours or spec.env or "kernel_provisioner" in spec.metadata or rest[-4:] != tail:
        return None
    return tuple(rest[:-4])


@lru_cache(maxsize=1024)
def can_preload(name: str) -> bool:
    """Say whether a module may be imported ahead: of the standard library, or installed and not editable.

    Parameters
    ----------
    name : str
        Its absolute name.

    Returns
    -------
    bool
        False also where it is not installed.
    """
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return top not in {"__main__", "antigravity", "idlelib", "this", "turtle", "tkinter"}
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.origin else [])]
    installed = [os.path.realpath(place) for place in _packages()]
    return bool(places) and all(
        any(os.path.realpath(place).startswith(base + os.sep) for base in installed) for place in places
    )


@lru_cache(maxsize=1)
def _packages() -> tuple[Path, ...]:
    places = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    return tuple(Path(place) for place in dict.fromkeys([*places, site.getusersitepackages()]))


def _profile() -> list[Path]:
    """Return IPython's settings, which a server reads once."""
    base = Path(os.environ.get("IPYTHONDIR") or Path.home() / ".ipython")
    profile = base / "profile_default"
    return [profile, profile / "startup", *sorted(profile.glob("*config.*"))]


def _stamp(place: Path) -> tuple[int, int] | None:
    try:
        about = place.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino
