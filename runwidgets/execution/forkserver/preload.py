"""Which modules are preloaded: those that are installed and do not change while a server runs.

It also decides which kernelspecs can be forked at all: IPython's on this very interpreter.
"""

import importlib.util
import os
import site
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

from jupyter_core.paths import jupyter_path

from runwidgets.errors import UnknownKernelError
from runwidgets.execution.kernels.kernelspecs import PYTHON, find_kernelspec


def fingerprint() -> tuple[object, ...]:
    """Return a value that changes when packages are changed, or IPython is configured."""
    return tuple(_stamp(path) for path in (*_packages(), *_profile()))


def kernelspecs() -> tuple[object, ...]:
    """Return a value that changes when a kernelspec is installed or removed."""
    return tuple(_stamp(Path(path, "kernels")) for path in jupyter_path())


@lru_cache(maxsize=64)
def python_options(kernel_name: str, _specs: tuple[object, ...]) -> tuple[str, ...] | None:
    """Return the interpreter options of a kernelspec, if its kernel is IPython's on this very Python.

    Parameters
    ----------
    kernel_name : str
        The kernelspec.
    _specs : tuple
        See `kernelspecs`; a different value discards the cache.

    Returns
    -------
    tuple of str or None
        Such as ``("-Xfrozen_modules=off",)``; None for any other kernel.
    """
    try:
        spec = find_kernelspec(kernel_name)
    except UnknownKernelError:
        return None
    python, *rest = spec.argv
    is_this_python = PYTHON.fullmatch(python) or os.path.abspath(python) == os.path.abspath(sys.executable)
    launcher_arguments = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    if (
        not is_this_python
        or spec.env
        or "kernel_provisioner" in spec.metadata
        or rest[-4:] != launcher_arguments
    ):
        return None
    return tuple(rest[:-4])


@lru_cache(maxsize=1024)
def can_preload(name: str) -> bool:
    """Return whether a module may be preloaded: of the standard library, or installed and not editable.

    Parameters
    ----------
    name : str
        Absolute name of the module.

    Returns
    -------
    bool
        False also if it is not installed.
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
    paths = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.origin else [])]
    installed = [os.path.realpath(path) for path in _packages()]
    return bool(paths) and all(
        any(os.path.realpath(path).startswith(base + os.sep) for base in installed) for path in paths
    )


@lru_cache(maxsize=1)
def _packages() -> tuple[Path, ...]:
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    return tuple(Path(path) for path in dict.fromkeys([*paths, site.getusersitepackages()]))


def _profile() -> list[Path]:
    """Return the paths of IPython's configuration, which a server reads once."""
    base = Path(os.environ.get("IPYTHONDIR") or Path.home() / ".ipython")
    profile = base / "profile_default"
    return [profile, profile / "startup", *sorted(profile.glob("*config.*"))]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
