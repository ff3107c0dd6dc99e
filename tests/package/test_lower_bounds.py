import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uv

from tests.builders import wait_until
from tests.conftest import free_port, start_server
from tests.postgres import Postgres
from tests.s3 import bucket, s3

__all__ = ["bucket", "s3"]

ROOT = Path(__file__).parents[2]
PYTHON = "3.11"
"""The oldest Python for which all lowest versions have wheels, or are built without a compiler."""
EXTRAS = ("dask", "optuna", "pandas", "postgres", "s3", "voila")


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


def call_routes_in_voila(python: str, folder: Path) -> None:
    """Open a page in a standalone Voilà, and then call a route of the same server."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    (folder / "data").mkdir()
    port = free_port()
    command = [python, "-m", "voila", "notebooks/app.ipynb", "--no-browser", f"--port={port}"]
    command += ["--Voila.config_file_paths=notebooks", "--Voila.port_retries=0"]
    private = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_DATA_DIR": str(folder / "data")}
    log = folder / "voila.log"
    with log.open("wb") as output:
        voila = subprocess.Popen(command, cwd=folder, env=os.environ | private, stdout=output, stderr=output)
    try:
        wait_until(lambda: "Voilà is running at" in log.read_text("utf-8"), within=60)
        url = f"http://localhost:{port}/"
        httpx.get(url, timeout=120).raise_for_status()
        wait_until(lambda: httpx.get(f"{url}runwidgets/api/workflows").is_success)
    finally:
        voila.terminate()
        voila.wait(20)


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
    call_routes_in_voila(python, tmp_path / "voila")
