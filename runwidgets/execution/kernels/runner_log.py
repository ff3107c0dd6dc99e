"""The log of a runner, into which its kernel writes what is no output, such as the errors of a library."""

import asyncio
import os
from pathlib import Path

INTERVAL = 1.0
"""Seconds between two looks at the size of the log; no event tells of it."""
LIMIT = 10_000_000
"""Bytes of the log at most, but for what is written between two looks."""
LOG_OMITTED = b"\n[the middle of this log is omitted here: it was longer than its limit]\n"


async def limit_log(path: Path) -> None:
    """Keep a log within its limit until the task is cancelled, which shortens it for the last time.

    Parameters
    ----------
    path : Path
        The log; several processes append to it.
    """
    try:
        while True:
            shorten_log(path, LIMIT)
            await asyncio.sleep(INTERVAL)
    finally:
        shorten_log(path, LIMIT)


def shorten_log(path: Path, limit: int) -> None:
    """Omit the middle of a log that is longer than a limit, while others append to it.

    What they append meanwhile may be omitted, too.

    Parameters
    ----------
    path : Path
        The log.
    limit : int
        Bytes; a longer log is shortened to about half of them.
    """
    with path.open("r+b") as log:
        size = log.seek(0, os.SEEK_END)
        if size <= limit:
            return
        kept = limit // 4
        log.seek(size - kept)
        tail = log.read(kept)
        log.seek(kept)
        log.write(LOG_OMITTED + tail)
        log.truncate()
