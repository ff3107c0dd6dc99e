import platform
import subprocess
import sys

import pytest

from runwidgets.execution.forkserver.huge_pages import HUGE_PAGE_SIZE_FILE

FILLS = """
import mmap, re
from runwidgets.execution.forkserver.huge_pages import collapse_pages
pattern = bytes(range(256)) * (32 << 12)
kept = mmap.mmap(-1, len(pattern), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
kept[:] = pattern
made = collapse_pages()
with open("/proc/self/smaps_rollup") as told:
    large = int(re.search("AnonHugePages: *([0-9]+)", told.read())[1])
print(made >= 15, large >= 30_000, kept[:] == pattern)
"""


@pytest.mark.skipif(
    not HUGE_PAGE_SIZE_FILE.exists() or tuple(map(int, platform.release().split(".")[:2])) < (6, 1),
    reason="this Linux makes no large pages when it is asked",
)
def test_memory_is_moved_to_huge_pages_unchanged() -> None:
    """A fork copies the entry of each in one piece."""
    said = subprocess.run([sys.executable, "-c", FILLS], capture_output=True, text=True, check=True)

    assert said.stdout.split() == ["True"] * 3
