import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHECKS = ("ruff check", "ruff format --check", "mypy")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("check", CHECKS)
def test_a_check_finds_nothing(check: str) -> None:
    """Style, format and types are checked as configured in `pyproject.toml`; unchanged files are skipped."""
    command = [sys.executable, "-m", *check.split()]

    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.timeout(300)
def test_the_benchmarks_use_only_what_exists() -> None:
    """They are too slow to be executed by the tests, but a name that was changed is found."""
    options = ["--config-file=", "--ignore-missing-imports", "--check-untyped-defs"]
    command = [sys.executable, "-m", "mypy", *options, "-p", "tests.benchmarks"]

    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert [line for line in checked.stdout.splitlines() if line.endswith("[attr-defined]")] == []
    assert checked.returncode in {0, 1}, checked.stderr


def test_every_hook_of_a_commit_is_a_check() -> None:
    """A commit is not rejected for something that no test checks."""
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    entries = [hook["entry"].removesuffix(" --fix") for each in repositories for hook in each["hooks"]]

    assert {"lint-imports", *(check.removesuffix(" --check") for check in CHECKS)} == set(entries)
