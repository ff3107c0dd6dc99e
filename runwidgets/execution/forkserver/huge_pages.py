"""Huge pages for a process that is forked repeatedly.

A fork copies the table of all pages, and the end of the child frees the copy: for a process with NumPy,
pandas and Matplotlib, some thirty thousand entries, twice for every run. The system copies and frees the
entry of a huge page in one piece, and a child that writes to it still gets a copy of the small page only.
"""

import array
import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MADV_COLLAPSE = 25
"""Advice to create huge pages now. **Source:** Linux 6.1, ``MADV_COLLAPSE`` of ``madvise(2)``."""
HUGE_PAGE_SIZE_FILE = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
"""The file in which Linux reports the size of a huge page."""
PAGE_SIZE_BYTES = os.sysconf("SC_PAGESIZE")
PAGE_PRESENT = 1 << 63
"""Flag of a present page in ``/proc/self/pagemap``."""

_madvise = ctypes.CDLL(None).madvise


def collapse_pages() -> int:
    """Move this process's own memory to huge pages, where most of it is in use and the system supports it.

    Returns
    -------
    int
        Number of huge pages; 0 if the system does not support them, or does not show its pages.
    """
    count = 0
    with suppress(OSError):  # small pages work as well
        large = int(HUGE_PAGE_SIZE_FILE.read_text())
        with open("/proc/self/pagemap", "rb", buffering=0) as table:
            for begin, end in list(_private_memory()):
                for start in range(-(-begin // large) * large, end - large + 1, large):
                    if _is_in_use(table.fileno(), start, large):
                        count += not _madvise(ctypes.c_void_p(start), ctypes.c_size_t(large), MADV_COLLAPSE)
    return count


def _is_in_use(table: int, start: int, size: int) -> bool:
    """Return whether most of a memory range is backed by pages, according to the page table."""
    entries = array.array("Q", os.pread(table, size // PAGE_SIZE_BYTES * 8, start // PAGE_SIZE_BYTES * 8))
    return 2 * sum(entry >= PAGE_PRESENT for entry in entries) > len(entries)


def _private_memory() -> Iterator[tuple[int, int]]:
    """Yield the ranges of anonymous memory: start and end."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            addresses, rights, _, _, inode, *name = line.split()
            if rights == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
                begin, end = addresses.split("-")
                yield int(begin, 16), int(end, 16)
