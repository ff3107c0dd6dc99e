"""Large pages for a process that is forked again and again.

A fork copies the table of all pages, and the end of the child takes the copy apart: of a process with NumPy,
pandas and Matplotlib some thirty thousand entries, twice for every run. What lies in a large page, the system
copies and takes apart in one piece, though a child that writes still gets no more than the small page that it
writes to.
"""

import array
import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

COLLAPSE = 25
"""Advice to make large pages now. **Source:** Linux 6.1, ``MADV_COLLAPSE`` of ``madvise(2)``."""
SIZE = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
"""Where Linux says how large they are."""
SMALL = os.sysconf("SC_PAGESIZE")
IS_THERE = 1 << 63
"""Of a page, in ``/proc/self/pagemap``."""

_madvise = ctypes.CDLL(None).madvise


def collapse_pages() -> int:
    """Put this process's own memory into large pages, where most of it is in use and the system can.

    Returns
    -------
    int
        How many were made; 0 where the system does not know of them, or does not show its pages.
    """
    count = 0
    with suppress(OSError):  # small pages do as well
        large = int(SIZE.read_text())
        with open("/proc/self/pagemap", "rb", buffering=0) as table:
            for begin, end in list(_private_memory()):
                for start in range(-(-begin // large) * large, end - large + 1, large):
                    if _is_in_use(table.fileno(), start, large):
                        count += not _madvise(ctypes.c_void_p(start), ctypes.c_size_t(large), COLLAPSE)
    return count


def _is_in_use(table: int, start: int, size: int) -> bool:
    """Say whether most of a stretch of memory has pages behind it, as the table of pages has it."""
    entries = array.array("Q", os.pread(table, size // SMALL * 8, start // SMALL * 8))
    return 2 * sum(entry >= IS_THERE for entry in entries) > len(entries)


def _private_memory() -> Iterator[tuple[int, int]]:
    """Yield where there is memory without a file behind it: beginning and end."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            addresses, rights, _, _, inode, *name = line.split()
            if rights == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
                begin, end = addresses.split("-")
                yield int(begin, 16), int(end, 16)
