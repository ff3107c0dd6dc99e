"""The layout of a root: the names of files, below a folder and below a URL alike.

A *key* is a path relative to the root, with slashes: it identifies a file below a folder, or an object below
a URL.
"""

import re
from pathlib import Path
from urllib.parse import unquote

from runwidgets.errors import ServiceUnavailableError
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
ABOVE = "above"
"""Folder with the working folder of a run, and what is above that."""
WORKDIR = f"{ABOVE}/7/6/5/4/3/2/1/workdir"
"""The working folder of a run. The folders above it, each named by its distance, are empty and the run's own,
so that ``..`` leads neither to the files that describe the run nor to other runs."""
SHARED = "shared"
"""Folder with copies of large inputs that runs share."""
USERS = "users"
"""Lock of the runs that use a shared copy."""
URL_BEGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[A-Za-z0-9+.-]+)*://")
"""The beginning of a URL; fsspec chains protocols with two colons."""
CUT_URL_BEGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(/|$)")
"""The beginning of a URL that lost a slash, as ``Path("s3://bucket")`` does."""
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
    scheme = URL_BEGIN.match(str(root))
    return scheme is not None and scheme[0].lower() != "file://"


def folder_of(root: str | Path) -> Path:
    """Return the folder for a root that is not an object store; ``~`` is a home folder.

    Parameters
    ----------
    root : str or Path
        A path, or a URL such as ``file:///data/runwidgets``.

    Returns
    -------
    Path
        The folder, which need not exist.

    Raises
    ------
    ServiceUnavailableError
        It is neither a path of this machine nor a URL.
    """
    text = str(root)
    scheme = URL_BEGIN.match(text)
    if scheme is not None:
        host, slash, path = text[scheme.end() :].partition("/")
        if host not in ("", "localhost") or not slash:
            remedy = "write file:// and an absolute path, such as file:///data/runwidgets"
            raise ServiceUnavailableError("root", f"{text!r} is not a folder of this machine", remedy)
        text = unquote(slash + path)
    elif CUT_URL_BEGIN.match(text):
        raise ServiceUnavailableError(
            "root", f"{text!r} is neither a folder nor a URL", "write a URL with two slashes, as a str"
        )
    if "\0" in text:
        raise ServiceUnavailableError("root", f"{text!r} contains a NUL character", "give a folder or a URL")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ServiceUnavailableError("root", f"{text!r}: there is no such home folder") from error
