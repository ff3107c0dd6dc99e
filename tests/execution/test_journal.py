from pathlib import Path

import pytest

from runwidgets.execution.journal import JournalReader, JournalWriter


def test_records_come_back_in_order_and_once(tmp_path: Path) -> None:
    """Whoever follows sees each line, also when it comes late; a missing journal is an empty one."""
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


def test_a_line_that_is_not_whole_yet_is_none(tmp_path: Path) -> None:
    """A crash, or a look at the wrong moment, shows no half record."""
    path = tmp_path / "journal"
    path.write_bytes(b'{"kind": "cell"}\n{"kind": "fini')
    reader = JournalReader(path)

    assert [each["kind"] for each in reader.read()] == ["cell"]
    with path.open("ab") as stream:
        stream.write(b'shed"}\n')
    assert [each["kind"] for each in reader.read()] == ["finished"]


def test_what_a_crash_cut_short_spoils_no_later_line(tmp_path: Path) -> None:
    """The next attempt begins a line of its own."""
    path = tmp_path / "journal"
    path.write_bytes(b'{"kind": "started"}\n{"kind": "ce')
    reader = JournalReader(path)
    assert [each["kind"] for each in reader.read()] == ["started"]

    writer = JournalWriter(path)
    writer.write("started")
    writer.close()

    assert [each["kind"] for each in reader.read()] == ["started"]


def test_a_record_whose_handling_failed_comes_again(tmp_path: Path) -> None:
    """The database may be away for a moment; nothing of the journal is lost by that."""
    path = tmp_path / "journal"
    path.write_bytes(b'{"kind": "cell"}\n{"kind": "finished"}\n')
    reader = JournalReader(path)

    with pytest.raises(OSError, match="away"):
        for record in reader.read():
            if record["kind"] == "finished":
                raise OSError("away")

    assert [each["kind"] for each in reader.read()] == ["finished"]
