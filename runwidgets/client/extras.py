"""Packages that only an extra of this package installs."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing(package: str) -> Iterator[None]:
    """Say how to install a package whose import fails because it is missing.

    Parameters
    ----------
    package : str
        The package, which has the name of its extra.

    Yields
    ------
    None
        Runs the block that imports it.

    Raises
    ------
    ModuleNotFoundError
        The package is not installed here; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        problem = f'{package} is not installed here; pip install "runwidgets[{package}]"'
        raise ModuleNotFoundError(problem, name=package) from error
