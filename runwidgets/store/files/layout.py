"""How things under a root are called: the same names below a folder and below a URL.

A *key* is a path relative to the root, with slashes: it names a file below a folder, and an object below a
URL.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

RUN_FILE = "run.json"
TEMPLATE = "template.ipynb"
OUTPUT = "output.ipynb"
JOURNAL = "journal.jsonl"
LOCK = "lock"
LOG = "log.txt"
RUNNER_LOG = "runner.log"
SECRETS = "secrets.json"
RESERVE = "reserve"
ENVIRONMENT = "environment.json"
"""What is installed where the run executes, if that is another machine."""
UPLOADS = "uploads"
WORKDIR = "workdir"
MEMBERS = "members"
"""In the folder in which runs are made: their ids, a line each."""


def copy_key(digest: str) -> str:
    """Return where the copy with a SHA-256 lies, relative to the root."""
    return f"copies/{digest[:2]}/{digest}"


def run_key(run_id: str, name: str = "") -> str:
    """Return where a file of a run lies, relative to the root; without a name, all of them."""
    return f"runs/{run_id}/{name}" if name else f"runs/{run_id}"


def result_key(run_id: str, name: str | None) -> str:
    """Return where a file of the working folder lies, or the executed notebook where the name is None."""
    return run_key(run_id, OUTPUT if name is None else f"{WORKDIR}/{name}")


def upload_key(group_id: str, file_id: str = "", name: str = "") -> str:
    """Return where an upload lies, relative to the root; without a name or an id, all that is below."""
    return "/".join(part for part in ("uploads", group_id, file_id, name) if part)


def notebook_of(description: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the notebook that a run executes, out of its ``run.json``."""
    return str(description["template"]["notebook"])


def is_url(root: str | Path) -> bool:
    """Say whether a root is that of an object store; ``file://…`` is a folder of this machine."""
    return isinstance(root, str) and "://" in root and urlsplit(root).scheme != "file"


def folder_of(root: str | Path) -> Path:
    """Return the folder that a root is."""
    is_file_url = isinstance(root, str) and root.startswith("file://")
    return Path(unquote(urlsplit(str(root)).path) if is_file_url else root)
