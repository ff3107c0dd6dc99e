from pathlib import Path

import pytest

from runwidgets.execution.journal import JournalReader, JournalWriter


def test_records_are_read_in_order_and_once(tmp_path: Path) -> None:
    """A reader gets each line, even if it is written later; a missing journal is an empty one."""
    reader = JournalReader(tmp_path / "journal")
    assert list(reader.read()) == []
    writer = JournalWriter(tmp_path / "journal")

    writer.write("cell", cell=1)
    first = list(reader.read())
    writer.write("finished", state="SUCCESS")

    assert [each["kind"] for each in first] == ["cell"]
    assert [each["kind"] for each in reader.read()] == ["finished"]
    assert list(reader.read()) == []
    writer.close()


def test_an_incomplete_line_is_not_read(tmp_path: Path) -> None:
    """A crash, or a read at the wrong moment, yields no incomplete record."""
    path = tmp_path / "journal"
    path.write_bytes(b'{"kind": "cell"}\n{"kind": "fini')
    reader = JournalReader(path)

    assert [each["kind"] for each in reader.read()] == ["cell"]
    with path.open("ab") as stream:
        stream.write(b'shed"}\n')
    assert [each["kind"] for each in reader.read()] == ["finished"]


def test_a_truncated_line_does_not_corrupt_later_ones(tmp_path: Path) -> None:
    """The next attempt begins a new line."""
    path = tmp_path / "journal"
    path.write_bytes(b'{"kind": "started"}\n{"kind": "ce')
    reader = JournalReader(path)
    assert [each["kind"] for each in reader.read()] == ["started"]

    writer = JournalWriter(path)
    writer.write("started")
    writer.close()

    assert [each["kind"] for each in reader.read()] == ["started"]


def test_a_record_whose_handling_failed_is_read_again(tmp_path: Path) -> None:
    """The database may be unavailable for a moment, without a loss."""
    path = tmp_path / "journal"
    path.write_bytes(b'{"kind": "cell"}\n{"kind": "finished"}\n')
    reader = JournalReader(path)

    with pytest.raises(OSError, match="away"):
        for record in reader.read():
            if record["kind"] == "finished":
                raise OSError("away")

    assert [each["kind"] for each in reader.read()] == ["finished"]
