"""Kernelspecs for the tests: sound ones, and ones that do not start."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.builders import Json

IPYKERNEL = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def install(folder: Path, name: str, spec: object, patch: pytest.MonkeyPatch) -> Path:
    """Install a kernelspec in a folder that Jupyter searches from now on; return its ``kernel.json``."""
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    file = place / "kernel.json"
    file.write_bytes(spec if isinstance(spec, bytes) else json.dumps(spec).encode())
    known = os.environ.get("JUPYTER_PATH", "").split(os.pathsep)
    if str(folder) not in known:
        patch.setenv("JUPYTER_PATH", os.pathsep.join([str(folder), *filter(None, known)]))
    return file


def kernel(*command: str, language: str = "python", **more: object) -> Json:
    """Return a kernelspec that executes a command."""
    return {"argv": list(command), "display_name": "Odd", "language": language, **more}


def metadata(name: str, language: str = "python") -> Json:
    """Return the metadata of a notebook that names a kernelspec."""
    return {"kernelspec": {"name": name, "display_name": name, "language": language}}
