"""Paths in a working folder that mirrors a project, and where the notebook's folder is in it."""

import glob
import posixpath
from pathlib import Path

from runwidgets.templates.surroundings.project import WILDCARD


def in_working_folder(place: str, path: str) -> str:
    """Return the path in the working folder of what has a path relative to the notebook's folder.

    Parameters
    ----------
    place : str
        Path of the notebook's folder in the working folder; ``.`` if it is the working folder.
    path : str
        A path or a glob.
    """
    if place == ".":
        return path
    return posixpath.normpath(posixpath.join(glob.escape(place) if WILDCARD.search(path) else place, path))


def first_name(path: str) -> str:
    """Return the name with which a relative path begins; it is empty, or dots, if that is not a name."""
    return posixpath.normpath(path).partition("/")[0]


def find_top(folder: str, place: str) -> Path:
    """Return the folder that a working folder mirrors, given the notebook's folder and its place."""
    return Path(posixpath.normpath(posixpath.join(folder, posixpath.relpath(".", place))))
