import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

from tests.conftest import start_server
from tests.postgres import Postgres
from tests.s3 import bucket, s3

__all__ = ["bucket", "s3"]

ROOT = Path(__file__).parents[2]
PYTHON = "3.11"
"""The oldest Python for which all lowest versions have wheels, or are built without a compiler."""
EXTRAS = ("dask", "optuna", "postgres", "s3")


def call(*command: str) -> None:
    """Run uv."""
    done = subprocess.run([uv.find_uv_bin(), *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def python(tmp_path: Path) -> str:
    """Create an environment with the package, its extras and the lowest versions of their requirements."""
    python = str(tmp_path / "environment" / "bin" / "python")
    call("venv", "--quiet", "--python", PYTHON, str(tmp_path / "environment"))
    extras = [part for extra in EXTRAS for part in ("--extra", extra)]
    install = ("pip", "install", "--quiet", "--python", python)
    call(*install, "--resolution", "lowest-direct", "-r", "pyproject.toml", *extras)
    call(*install, "--no-deps", ".")
    return python


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL server for this test."""
    started = Postgres()
    yield started
    started.remove()


@pytest.mark.timeout(600)
def test_the_lowest_versions_work(python: str, bucket: str, postgres: Postgres, tmp_path: Path) -> None:
    """Runs, uploads, sweeps, searches and widgets work in a process, on a server, and with every extra."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    server = start_server(tmp_path / "server", folder, python=python)
    instances = [
        {"root": str(tmp_path / "root")},
        {"url": server.url, "token": server.token},
        {"root": bucket, "db_url": postgres.url(tmp_path)},
    ]

    done = subprocess.run(
        [python, str(ROOT / "tests" / "package" / "lowest.py"), str(folder)],
        input=json.dumps(instances),
        env={**os.environ, "PYTHONSAFEPATH": "1", "JUPYTER_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )

    server.stop()
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
