"""The layout of a root: the names of files, below a folder and below a URL alike.

A *key* is a path relative to the root, with slashes: it identifies a file below a folder, or an object below
a URL.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from runwidgets.schema import RunDescription

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
"""The installed packages on the machine of the run, if that is not the instance's machine."""
UPLOADS = "uploads"
WORKDIR = "workdir"
SHARED = "shared"
"""Folder with copies of large inputs that runs share; see `runwidgets.execution.runner.shared_copies`."""
USERS = "users"
"""Lock of the runs that use a shared copy."""
MEMBERS = "members"
"""File in the folder in which run directories are created: their ids, one per line."""


def copy_key(digest: str) -> str:
    """Return the key of a copy with a SHA-256."""
    return f"copies/{digest[:2]}/{digest}"


def run_key(run_id: str, name: str = "") -> str:
    """Return the key of a file of a run; without a name, the prefix of all of its files."""
    return f"runs/{run_id}/{name}" if name else f"runs/{run_id}"


def result_key(run_id: str, name: str | None) -> str:
    """Return the key of a file of the working folder, or of the executed notebook if the name is None."""
    return run_key(run_id, OUTPUT if name is None else f"{WORKDIR}/{name}")


def upload_key(group_id: str, file_id: str = "", name: str = "") -> str:
    """Return the key of an upload; without a name or an id, the prefix of all such uploads."""
    return "/".join(part for part in ("uploads", group_id, file_id, name) if part)


def notebook_of(description: RunDescription) -> str:
    """Return the SHA-256 of the notebook of a run, from its ``run.json``."""
    return description["template"]["notebook"]


def is_url(root: str | Path) -> bool:
    """Return whether a root is an object store; ``file://…`` is a local folder."""
    return isinstance(root, str) and "://" in root and urlsplit(root).scheme != "file"


def folder_of(root: str | Path) -> Path:
    """Return the folder for a root."""
    is_file_url = isinstance(root, str) and root.startswith("file://")
    return Path(unquote(urlsplit(str(root)).path) if is_file_url else root)
