from pathlib import Path

import pytest

from runwidgets.execution.kernels.runner_log import LIMIT, LOG_OMITTED, shorten_log
from runwidgets.store.files.layout import RUNNER_LOG
from tests.builders import checked_instance, ended, group_of, workflow
from tests.kernelspecs import IPYKERNEL, install, kernel, metadata

FLOOD = """
echo first >&2
(while sleep 0.05; do head -c 2000000 /dev/zero | tr '\\0' x; done >&2) &
exec "$@"
"""
SHRINKS = """
import os, time
size, log = 0, os.readlink(f"/proc/{os.getppid()}/fd/2")
while os.stat(log).st_size >= size:
    size = os.stat(log).st_size
    time.sleep(0.02)
"""
"""Waits until the log of the runner, the kernel's parent, gets shorter."""


def test_a_kernel_that_writes_without_end_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what it writes past the outputs of its cells, the head and the tail are kept."""
    install(tmp_path, "flood", kernel("/bin/sh", "-c", FLOOD, "sh", *IPYKERNEL), monkeypatch)
    with checked_instance(tmp_path / "root", slots=1) as instance:
        api = instance.api()
        made = workflow(api, tmp_path, SHRINKS, **metadata("flood"))
        handle = ended(api, api.runs.start_run(group_of(made), [])["id"])

    log = (tmp_path / "root" / "runs" / handle["id"] / RUNNER_LOG).read_bytes()
    assert handle["state"] == "SUCCESS", handle["messages"]
    assert len(log) <= LIMIT and log.startswith(b"first\n") and LOG_OMITTED in log and log.endswith(b"x")


@pytest.mark.parametrize("size", [0, 99, 100])
def test_a_log_within_its_limit_is_unchanged(tmp_path: Path, size: int) -> None:
    """Not a byte is lost."""
    log = tmp_path / "log"
    log.write_bytes(b"x" * size)

    shorten_log(log, 100)

    assert log.read_bytes() == b"x" * size


def test_a_log_that_is_shortened_is_appended_to(tmp_path: Path) -> None:
    """The writer does not notice it, and what it writes next follows the tail."""
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"head" + b"-" * 200 + b"tail")

        shorten_log(log, 100)
        writer.write(b" and more")

    content = log.read_bytes()
    assert content.startswith(b"head---") and content.endswith(b"---tail and more")
    assert content.count(LOG_OMITTED) == 1 and len(content) < 200
