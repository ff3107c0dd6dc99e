import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from runwidgets.errors import InvalidRunStateError
from runwidgets.execution.processes import find_processes
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance
from runwidgets.store.files.layout import WORKDIR
from tests.builders import (
    CLEAN,
    Json,
    accepted,
    ended,
    finished,
    read,
    running,
    wait_until,
)

ENDS = {
    "raise ValueError('wrong')": "cell 2 raised ValueError: wrong",
    "raise ValueError": "cell 2 raised ValueError",
    "import sys\nsys.exit(3)": "cell 2 raised SystemExit: 3",
    "import sys\nsys.exit('no data')": "cell 2 raised SystemExit: no data",
    "import os\nos._exit(3)": "cell 2: the kernel exited with code 3",
    "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)": "cell 2: the kernel was killed by SIGKILL",
    "import os\nos.kill(os.getpid(), 40)": "cell 2: the kernel was killed by signal 40",
    "import ctypes\nctypes.string_at(0)": "cell 2: the kernel was killed by SIGSEGV",
    "x = bytearray(1 << 60)": "cell 2 raised MemoryError",
    "input('name? ')": "cell 2 raised StdinNotImplementedError",
    "raise KeyboardInterrupt": "cell 2 raised KeyboardInterrupt",
}
BEGUN = "print('begun', flush=True)\n"
CANCELLED = {
    "a Python loop": "while True: pass",
    "a sleep": "import time\ntime.sleep(600)",
    "an await": "import asyncio\nawait asyncio.sleep(600)",
    "C code that holds the interpreter lock": (
        "import ctypes, time\ntime.sleep(0.5)  # what was printed is sent by a thread\n"
        "ctypes.PyDLL(None).sleep(600)"
    ),
    "the signal ignored": (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)"
    ),
    "the exception swallowed": (
        "import time\nwhile True:\n    try:\n        time.sleep(600)\n"
        "    except KeyboardInterrupt:\n        pass"
    ),
    "a child": "import subprocess\nsubprocess.run(['sleep', '600'])",
    "a child in a session of its own": (
        "import subprocess, time\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\ntime.sleep(600)"
    ),
    "a daemon": "import os, time\nos.system('setsid sleep 600 & disown')\ntime.sleep(600)",
    "a pool of forks": (
        "import multiprocessing, time\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n    pool.map(time.sleep, [600, 600])"
    ),
    "an orphan that was forked": (
        "import os, time\nif os.fork() == 0:\n    if os.fork() == 0:\n        os.setsid()\n"
        "        time.sleep(600)\n    os._exit(0)\ntime.sleep(600)"
    ),
    "a child that ignores every signal": (
        "import subprocess, time\n"
        "subprocess.Popen(['sh', '-c', 'trap \"\" INT TERM HUP; while :; do sleep 1; done'])\ntime.sleep(600)"
    ),
}


def statuses(api: Api, run_id: str) -> list[str]:
    """Return the status of the code cells in the stored notebook, which must be valid."""
    notebook = nbformat.reads(read(api.runs.get_notebook(run_id)).decode(), as_version=4)
    nbformat.validate(notebook)
    return [each.metadata.runwidgets.status for each in notebook.cells if each.cell_type == "code"]


@pytest.mark.parametrize("code", ENDS)
def test_a_failed_cell_is_explained(
    private_instance: Instance, tmp_path: Path, path: Json, code: str
) -> None:
    """Cell and exception or signal are named; output is kept, and later cells are not executed."""
    api = private_instance.api()
    handle = finished(api, tmp_path, BEGUN + "open('kept.txt', 'w').write('x')", code, "1", config=path)

    assert handle["state"] == "ERROR"
    assert handle["messages"][0].startswith(ENDS[code])
    assert handle["reason"] == ("cell_error" if "raised" in ENDS[code] else "kernel_died")
    assert "files" not in handle
    assert api.runs.get_log(handle["id"])["text"].startswith("begun")
    assert statuses(api, handle["id"]) == ["ok", "error", "not run"]
    assert (private_instance._components.files.run_folder(handle["id"]) / WORKDIR / "kept.txt").exists()


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """Create a control group with little memory; processes join it through its ``cgroup.procs``."""
    for base, name in (
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        ("/sys/fs/cgroup", "memory.max"),
    ):
        group = Path(base, f"runwidgets-{uuid.uuid4().hex}")
        try:
            group.mkdir()
            (group / name).write_text("300000000")
        except OSError:
            if group.is_dir():
                group.rmdir()
            continue
        yield group
        wait_until(lambda: not (group / "cgroup.procs").read_text())  # noqa: B023 - read at once
        group.rmdir()
        return
    pytest.skip("control groups of memory cannot be made here")


def test_a_kernel_killed_for_lack_of_memory_is_recognised(
    private_instance: Instance, tmp_path: Path, path: Json, small_cgroup: Path
) -> None:
    """The system kills it, and the message says why."""
    move = f"import os\nopen({str(small_cgroup / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))"
    handle = finished(private_instance.api(), tmp_path, move, "x = bytearray(500_000_000)", config=path)

    assert (handle["state"], handle["reason"]) == ("ERROR", "out_of_memory")
    assert handle["messages"][0].startswith("cell 2: the kernel was killed by SIGKILL: out of memory")


@pytest.mark.parametrize("code", CANCELLED.values(), ids=CANCELLED)
def test_a_cancel_ends_whatever_runs(
    private_instance: Instance, tmp_path: Path, path: Json, code: str
) -> None:
    """The handle is CANCELED at once, no process remains, and the notebook is kept up to the interrupt."""
    api = private_instance.api()
    run_id = running(api, tmp_path, "x = 1", BEGUN + code, config=path)["id"]

    handle = api.runs.cancel_run(run_id, "enough")

    assert (handle["state"], handle["reason"], handle["messages"]) == ("CANCELED", "canceled", ["enough"])
    wait_until(lambda: not find_processes(run_id), within=5)
    wait_until(lambda: run_id not in private_instance._backend._tracked)
    assert statuses(api, run_id)[0] == "ok"
    assert api.runs.get_run(run_id)["state"] == "CANCELED"


def test_a_cancel_lets_the_notebook_clean_up(private_instance: Instance, tmp_path: Path, path: Json) -> None:
    """Code after ``finally`` is executed and logged."""
    api = private_instance.api()
    run_id = running(api, tmp_path, CLEAN, config=path)["id"]

    api.runs.cancel_run(run_id)

    wait_until(lambda: "cleaned up" in api.runs.get_log(run_id)["text"])


@pytest.mark.parametrize(
    "moment", ["while it starts", "while it saves", "from two clients", "against its end"]
)
def test_a_cancel_at_a_bad_moment_gives_one_end(
    private_instance: Instance, tmp_path: Path, path: Json, moment: str
) -> None:
    """There is one terminal state; the second writer gets an error."""
    api = private_instance.api()
    seconds = {"against its end": 0.3}.get(moment, 0)
    size = 3_000_000 if moment == "while it saves" else 1
    cells = [f"import time\ntime.sleep({seconds})", f"print('x' * {size})"]
    run_id = accepted(api, tmp_path, *cells, config=path)["id"]
    if moment != "while it starts":
        wait_until(lambda: api.runs.get_run(run_id)["state"] != "PENDING")
        time.sleep(0.3 if moment == "against its end" else 0)  # the moment itself, not a condition
    refused: list[str] = []

    def cancel() -> None:
        try:
            api.runs.cancel_run(run_id)
        except InvalidRunStateError as error:
            refused.append(error.message)

    threads = [threading.Thread(target=cancel) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = ended(api, run_id)["state"]
    wait_until(lambda: run_id not in private_instance._backend._tracked)

    assert len(refused) == (1 if state == "CANCELED" else 2)
    assert api.runs.get_run(run_id)["state"] == state
    wait_until(lambda: not find_processes(run_id), within=5)


@pytest.mark.parametrize("limit", ["timeout", "cell_timeout"])
@pytest.mark.parametrize("code", ["a sleep", "C code that holds the interpreter lock"])
def test_a_limit_ends_the_run_and_is_named(
    private_instance: Instance, tmp_path: Path, path: Json, limit: str, code: str
) -> None:
    """A kernel that ignores the interrupt is killed."""
    handle = finished(private_instance.api(), tmp_path, CANCELLED[code], config={**path, limit: 1})

    assert (handle["state"], handle["reason"]) == ("ERROR", "timeout")
    assert f"longer than its limit of 1 s ({limit})" in handle["messages"][0]
    wait_until(lambda: not find_processes(handle["id"]), within=5)
