import os
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path
from typing import IO

import pytest

from runwidgets.store.files import archives
from runwidgets.store.files.archives import open_archive
from runwidgets.store.files.disk import remove_tree
from runwidgets.store.locks import is_locked
from tests.builders import wait_until

REMOVE = """
import os, sys, tempfile
from pathlib import Path
from runwidgets.store.files.disk import remove_tree
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
folder = Path(tempfile.mkdtemp())
(folder / "closed" / "within").mkdir(parents=True)
(folder / "closed" / "within" / "file").touch()
(folder / "closed" / "link").symlink_to("/etc")
for name in ("closed/within", "closed"):
    (folder / name).chmod(0o500 if name == "closed" else 0)
remove_tree(folder)
sys.exit(folder.exists())
"""
HOLD = """
import os, sys, time
from pathlib import Path
from runwidgets.store.locks import hold_own_lock
assert hold_own_lock(Path(sys.argv[1])) is not None
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(600)
"""


def test_a_read_only_folder_is_removed() -> None:
    """Notebooks may copy read-only trees; links are not followed."""
    assert subprocess.run([sys.executable, "-c", REMOVE], check=False).returncode == 0


def test_removing_a_missing_file_is_no_error(tmp_path: Path) -> None:
    """It was removed by somebody else."""
    remove_tree(tmp_path / "nothing")


def test_an_archive_opens_a_limited_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may have more result files than a process may open; the first ones are safe from deletion."""
    monkeypatch.setattr(archives, "MAX_OPEN_FILES", 3)
    opened: list[IO[bytes]] = []

    def opener(number: int) -> IO[bytes]:
        path = tmp_path / str(number)
        path.write_bytes(b"%d" % number)
        opened.append(path.open("rb"))
        return opened[-1]

    stream = open_archive([(str(number), partial(opener, number)) for number in range(9)])
    assert len(opened) == 3

    with tarfile.open(fileobj=stream, mode="r|gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None and content.read() == member.name.encode()
    stream.close()
    assert len(opened) == 9 and all(each.closed for each in opened)


def test_an_own_lock_ends_with_the_process_despite_forks(tmp_path: Path) -> None:
    """A child does not keep it, and checking it does not create the file."""
    path = tmp_path / "lock"
    assert not is_locked(path) and not path.exists()
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        assert is_locked(path)
        holder.kill()
        holder.wait()

        wait_until(lambda: not is_locked(path))
        os.kill(child, 9)
