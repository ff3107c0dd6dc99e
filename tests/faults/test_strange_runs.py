"""Unusual runs: what a notebook or the disk does to one run does not affect others."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest

from runwidgets.errors import StorageFullError
from runwidgets.execution.forkserver import pool
from runwidgets.service.factory import Instance, open_instance
from runwidgets.store.files.layout import WORKDIR
from tests.builders import Json, accepted, ended, finished, group_of, read, wait_until, write_notebook

BUNDLES = [
    '{"application/vnd.runwidgets.metric+json": {"name": "a"}}',
    '{"application/vnd.runwidgets.metric+json": {"name": ["a"], "value": 1}}',
    '{"application/vnd.runwidgets.metric+json": 3}',
    '{"application/vnd.runwidgets.progress+json": {"fraction": float("nan"), "text": ""}}',
    '{"application/vnd.runwidgets.progress+json": {"fraction": "half", "text": []}}',
]
LATE = """
import os, threading, time
def say():
    while True:
        print("late", flush=True)
        time.sleep(0.002)
threading.Thread(target=say, daemon=True).start()
"""
DYING = "threading.Thread(target=lambda: (time.sleep(0.3), os._exit(1)), daemon=True).start()\n"


def test_a_display_that_is_not_a_valid_metric_is_ignored(private_instance: Instance, tmp_path: Path) -> None:
    """No value is taken from it, and the run continues."""
    shown = "\n".join(f"display({bundle}, raw=True)" for bundle in BUNDLES)

    handle = finished(private_instance.api(), tmp_path, f"from IPython.display import display\n{shown}")

    assert (handle["state"], handle["metrics"]) == ("SUCCESS", {})


def test_a_damaged_journal_ends_its_run_and_no_other(tmp_path: Path) -> None:
    """Invalid lines are reported as the reason, after several attempts to read them."""
    instance = open_instance(tmp_path / "root", slots=2)
    api = instance.api()
    invalid_record = (
        "from pathlib import Path\nimport time\n"
        "above = next(each for each in Path.cwd().parents if each.name == 'above')\n"
        "open(above.parent / 'journal.jsonl', 'a').write('{\"kind\": \"cell\"}\\n')\ntime.sleep(600)"
    )
    run_id = accepted(api, tmp_path, invalid_record)["id"]
    other = finished(api, tmp_path, "1")

    handle = ended(api, run_id)
    wait_until(lambda: not instance._backend._tracked)
    instance.close()

    assert other["state"] == "SUCCESS"
    assert (handle["state"], handle["reason"]) == ("ERROR", "internal_error")
    assert handle["messages"][0].startswith("the run could not be tracked: ")


def test_a_kernel_that_dies_with_unread_output_ends_its_run(
    private_instance: Instance, tmp_path: Path, path: Json
) -> None:
    """Threads print between two cells, when no message is read, and the process ends there or soon after."""
    wide = "print('x' * 30_000_000)"
    config = {**path, "timeout": 60}

    handle = finished(
        private_instance.api(), tmp_path, LATE, DYING + wide, "1", "time.sleep(60)", config=config
    )

    assert (handle["state"], handle["reason"]) == ("ERROR", "kernel_died")
    assert "the kernel exited with code 1" in handle["messages"][0]


SOCKETS = """
import os, time
def sockets():
    for descriptor in range(3, 256):
        try:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:"):
                yield descriptor
        except OSError:
            continue
"""


def test_a_kernel_that_closes_its_connection_ends_its_run(private_instance: Instance, tmp_path: Path) -> None:
    """Nothing more can be heard of it, so it is ended."""
    close = "for descriptor in sockets():\n    os.close(descriptor)\ntime.sleep(600)"

    handle = finished(private_instance.api(), tmp_path, SOCKETS, close)

    assert (handle["state"], handle["reason"]) == ("ERROR", "kernel_died")
    assert handle["messages"] == ["cell 2: the kernel closed its connection"]


def test_packets_that_a_notebook_sends_itself_are_ignored(private_instance: Instance, tmp_path: Path) -> None:
    """Short ones, parts of messages that never began, and messages that are not Jupyter's."""
    packets = [b"x", b"x" * 200, bytes(5), bytes(4) + b"\3" + bytes(40), bytes(4) + b"\3\1\0\0\0\0\0\0\0"]
    write = f"for each in {packets!r}:\n    for descriptor in sockets():\n        os.write(descriptor, each)"

    handle = finished(private_instance.api(), tmp_path, SOCKETS, write, "print('end')")

    assert handle["state"] == "SUCCESS"
    assert private_instance.api().runs.get_log(handle["id"])["text"].endswith("end\n")


def test_a_stream_that_cannot_be_flushed_ends_the_run(private_instance: Instance, tmp_path: Path) -> None:
    """A kernel flushes it before it replies; the run says that there was no reply."""
    handle = finished(private_instance.api(), tmp_path, "import sys\nsys.stdout = object()", "1")

    assert (handle["state"], handle["reason"]) == ("ERROR", "no_reply")
    assert handle["messages"][0] == "cell 1: the kernel executed it, but did not reply"


def test_results_are_listed_after_all_writers_have_ended(private_instance: Instance, tmp_path: Path) -> None:
    """A process that the notebook started is ended first."""
    left = (
        "import subprocess\nsubprocess.Popen(['sh', '-c', 'while :; do date >> out.txt; done'],"
        " start_new_session=True)\nimport os, time\n"
        "while not os.path.exists('out.txt'): time.sleep(0.01)"
    )

    handle = finished(
        private_instance.api(), tmp_path, left, "open('big.bin', 'wb').write(b'1' * 50_000_000)"
    )

    assert handle["state"] == "SUCCESS"
    size = next(each["size"] for each in handle["files"] if each["name"] == "out.txt")
    assert (
        private_instance._components.files.run_folder(handle["id"]) / WORKDIR / "out.txt"
    ).stat().st_size == size


def test_a_cell_with_the_skip_tag_is_not_executed(private_instance: Instance, tmp_path: Path) -> None:
    """It is marked as such, and does not count."""
    notebook = nbformat.read(write_notebook(tmp_path / "n.ipynb", "a = 1", "1 / 0", "print(a)"), as_version=4)
    notebook.cells[-2].metadata["tags"] = ["skip-execution"]
    nbformat.write(notebook, tmp_path / "n.ipynb")
    api = private_instance.api()
    group = group_of(api.workflows.create_workflow(str(tmp_path / "n.ipynb")))

    handle = ended(api, api.runs.start_run(group, [])["id"])

    assert (handle["state"], handle["progress"]["cells"]) == ("SUCCESS", 2)
    stored = nbformat.reads(read(api.runs.get_notebook(handle["id"])).decode(), as_version=4)
    statuses = [each.metadata.runwidgets.status for each in stored.cells if each.cell_type == "code"]
    assert statuses == ["ok", "not run", "ok"]


def test_an_end_that_the_disk_did_not_take_is_stored_later(
    private_instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is noticed only at the commit."""
    runs, failures = private_instance._backend._runs, [StorageFullError("database", "the disk is full")]
    transaction = runs.transaction

    @contextmanager
    def fail_once() -> Iterator[Any]:
        with transaction() as connection:
            yield connection
            if failures:
                raise failures.pop()

    monkeypatch.setattr(runs, "transaction", fail_once)

    handle = finished(private_instance.api(), tmp_path, "import runwidgets\nrunwidgets.record('a', 1)")

    assert not failures
    assert (handle["state"], handle["metrics"]) == ("SUCCESS", {"a": 1})
    wait_until(lambda: handle["id"] not in private_instance._backend._tracked)


def test_a_module_whose_import_never_ends_delays_neither_a_cancellation_nor_the_shutdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waiting run can be cancelled, and its slot is released soon; the instance can be closed."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "endless_import.py").write_text("import time\ntime.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.syspath_prepend(str(modules))
    can_preload = pool.can_preload
    monkeypatch.setattr(pool, "can_preload", lambda name: name == "endless_import" or can_preload(name))
    monkeypatch.setattr(pool.can_preload, "cache_clear", can_preload.cache_clear, raising=False)
    instance = open_instance(tmp_path / "root", slots=1)
    api = instance.api()
    late = "def use():\n    import endless_import"
    run_id = accepted(api, tmp_path, late)["id"]
    wait_until(lambda: instance._backend._tracked and not instance._backend._tracked[run_id].starts_at)

    api.runs.cancel_run(run_id)

    wait_until(lambda: run_id not in instance._backend._tracked)
    assert api.runs.get_run(run_id)["state"] == "CANCELED"
    assert finished(api, tmp_path, "1")["state"] == "SUCCESS"
    write_notebook(tmp_path / "prepared.ipynb", late)
    api.workflows.create_workflow(str(tmp_path / "prepared.ipynb"))
    wait_until(lambda: any(not server.is_ready for server in instance._backend._servers._servers))
    instance.close()
    assert not instance._backend._servers._servers
