"""The entry point of `jupyter runwidgets`."""

import sys
from collections.abc import Sequence
from typing import Any

from runwidgets.errors import ServiceUnavailableError


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command; on a system that is not supported, print why and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        None for the arguments of the process.

    Returns
    -------
    Any
        The return value of the verb.
    """
    try:
        from runwidgets.cli.command import RunWidgetsCommand
    except ServiceUnavailableError as error:  # Windows: see `runwidgets.store.locks`
        sys.exit(error.message)
    return RunWidgetsCommand.launch_instance(list(arguments) if arguments is not None else None)
