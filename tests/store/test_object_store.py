import hashlib
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runwidgets.errors import ConstraintViolationError, FileTooLargeError, ServiceUnavailableError
from runwidgets.store.files.object_store import PART_SIZE, ObjectStore
from tests.s3 import S3

STRANGE = ["a b.txt", "plot[1].png", "what?*.csv", "größe/ß\u2028.json", "100%/#1", "{x}/'\"&<>"]
"""Names that are legal, and that somebody may take for a pattern, a query or markup."""
FORK = """
import os, sys
from runwidgets.store.files.object_store import ObjectStore
object_store = ObjectStore(sys.argv[1])
object_store.put({"a": b"1"})
child = os.fork()
if not child:
    os._exit(0 if object_store.size("a") == 1 else 1)
sys.exit(os.waitpid(child, 0)[1] or object_store.size("a") != 1)
"""
LARGE = os.urandom(PART_SIZE + 12345)


@pytest.fixture(params=["s3", "file"])
def object_store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Open an empty store on S3, and on a file system with folders."""
    if request.param == "s3":
        return ObjectStore(request.getfixturevalue("bucket"))
    (tmp_path / "object_store").mkdir()
    return ObjectStore(f"file://{tmp_path}/object_store")


def test_objects_are_listed_measured_and_read(object_store: ObjectStore) -> None:
    """Their names may be anything; other prefixes are not listed."""
    object_store.put({f"some/{name}": name.encode() for name in STRANGE} | {"something": b"else"})

    found = object_store.find("some")
    assert [each.key for each in found] == sorted(f"some/{name}" for name in STRANGE)
    assert all(abs(each.touched - time.time()) < 60 for each in found)
    assert {each.key: each.size for each in found} == {f"some/{name}": len(name.encode()) for name in STRANGE}
    assert object_store.read_all([each.key for each in found]) == {
        f"some/{name}": name.encode() for name in STRANGE
    }
    assert object_store.size("something") == 4 and object_store.read("something", 1, 3) == b"ls"


def test_a_missing_object_differs_from_an_unreachable_store(object_store: ObjectStore) -> None:
    """A missing object is None, empty, or a FileNotFoundError; removing it is not an error."""
    object_store.put({"there": b"1"})
    assert object_store.size("nothing") is None and object_store.find("nothing") == []
    assert object_store.read_all(["there", "nothing"]) == {"there": b"1"}
    for look in (object_store.read, object_store.open):
        with pytest.raises(FileNotFoundError):
            look("nothing")
    with pytest.raises(FileNotFoundError):
        object_store.copy([("there", "here"), ("nothing", "anywhere")])
    object_store.remove(["nothing"])
    object_store.remove(["nothing", "there"])
    object_store.delete("nothing", "")
    assert object_store.find("") == []


def test_a_large_object_is_stored_in_parts_and_read_in_ranges(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    """Its hash is that of the sent content; readers can seek."""
    (tmp_path / "large").write_bytes(LARGE)
    digest = hashlib.sha256(LARGE).hexdigest()
    assert object_store.put_file("large", tmp_path / "large", digest) == (digest, len(LARGE))

    with object_store.open("large") as stream:
        assert stream.seekable() and stream.seek(0, os.SEEK_END) == len(LARGE)
        assert stream.read() == b""
        assert stream.seek(-7, os.SEEK_END) == len(LARGE) - 7 and stream.read() == LARGE[-7:]
        stream.seek(1000)
        assert stream.read(5) == LARGE[1000:1005] and stream.tell() == 1005
        stream.seek(0)
        assert stream.read() == LARGE


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_a_refused_object_leaves_nothing(object_store: ObjectStore, content: bytes) -> None:
    """It exceeds the limit, or does not have the expected hash."""
    with pytest.raises(FileTooLargeError, match=r"file: it has more than 4 bytes"):
        object_store.put_stream("some/file", io.BytesIO(content), limit=4)
    with pytest.raises(ConstraintViolationError, match="file: its SHA-256 is"):
        object_store.put_stream("some/file", io.BytesIO(content), expected="0" * 64)
    assert object_store.find("") == []


def test_files_are_fetched_completely_and_for_their_owner_only(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    """If one is missing, no incomplete file remains."""
    object_store.put({name: name.encode() for name in ("a", "b")})
    object_store.fetch({name: tmp_path / f"to-{name}" for name in ("a", "b")})
    assert (tmp_path / "to-b").read_bytes() == b"b" and (tmp_path / "to-b").stat().st_mode & 0o777 == 0o600

    with pytest.raises(FileNotFoundError):
        object_store.fetch({"nothing": tmp_path / "to-nothing"})
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "to-nothing"))]


def test_objects_are_copied_and_removed_together(object_store: ObjectStore) -> None:
    """Names that look like patterns are taken literally."""
    object_store.put({f"from/{name}": name.encode() for name in STRANGE})
    object_store.copy([(f"from/{name}", f"to/{name}") for name in STRANGE])
    assert [each.key for each in object_store.find("to")] == sorted(f"to/{name}" for name in STRANGE)

    object_store.put({"from/whatever.csv": b""})
    object_store.remove(["from/what?*.csv", "from/a b.txt"])
    assert {each.key for each in object_store.find("from")} == {
        f"from/{name}" for name in ["whatever.csv", *STRANGE] if name not in ("what?*.csv", "a b.txt")
    }
    object_store.delete("from", "to")
    assert object_store.find("") == []


def test_listings_are_not_cached(object_store: ObjectStore) -> None:
    """Objects that others store or remove are seen at once."""
    other = ObjectStore(object_store.url)
    assert object_store.find("some") == [] and object_store.size("some/a") is None
    other.put({"some/a": b"1"})
    assert [each.key for each in object_store.find("some")] == ["some/a"] and object_store.size("some/a") == 1
    other.put({"some/a": b"22"})
    assert object_store.size("some/a") == 2 and object_store.read("some/a") == b"22"
    other.delete("some")
    assert object_store.find("some") == [] and object_store.size("some/a") is None


def test_the_age_of_an_object_can_be_renewed(object_store: ObjectStore) -> None:
    """Its content is unchanged, and no other object remains."""
    object_store.put({"copies/ab": b"1"})
    if object_store.url.startswith("file://"):
        os.utime(object_store.url.removeprefix("file://") + "/copies/ab", (0, 0))
    object_store.renew("copies/ab")
    (found,) = object_store.find("")
    assert found.key == "copies/ab" and abs(found.touched - object_store.clock()) < 60
    assert object_store.read("copies/ab") == b"1" and len(object_store.find("")) == 1


def test_many_threads_may_use_one_object_store(object_store: ObjectStore) -> None:
    """Each thread sees its own changes."""
    failed: list[BaseException] = []

    def use(number: int) -> None:
        try:
            for turn in range(5):
                object_store.put({f"{number}/{turn}": b"%d" % turn})
                assert object_store.read(f"{number}/{turn}") == b"%d" % turn
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(object_store.find("")) == 40


def test_a_forked_child_opens_its_own_connection(object_store: ObjectStore) -> None:
    """The thread of its parent's event loop does not exist in it."""
    assert (
        subprocess.run([sys.executable, "-c", FORK, object_store.url], check=False, timeout=60).returncode
        == 0
    )


def test_a_bucket_that_is_missing_is_named(s3: S3) -> None:
    """Retrying would not help."""
    object_store = ObjectStore("s3://there-is-no-such-bucket/instance")
    with pytest.raises(ServiceUnavailableError, match="there is no s3://there-is-no-such-bucket/instance"):
        object_store.put({"a": b"1"})


def test_an_unknown_protocol_is_named() -> None:
    """The error says what is missing."""
    with pytest.raises(ServiceUnavailableError, match=r"nonsense://bucket cannot be opened .*: nonsense"):
        ObjectStore("nonsense://bucket").find("")
