"""Kernels that do not start say why; those that only cannot use IPC are started over TCP."""

import os
import shutil
import signal
import sys
import tempfile
import uuid
from contextlib import AbstractContextManager
from pathlib import Path

import nbformat
import pytest
import zmq

from runwidgets.execution.kernels.zmq import SOCKET_NAME, find_socket_folder
from runwidgets.execution.processes import find_processes
from runwidgets.limits import Limits
from runwidgets.service.factory import Instance
from tests.builders import (
    SLEEP,
    Json,
    checked_instance,
    ended,
    finished,
    group_of,
    read,
    running,
    wait_until,
    workflow,
)
from tests.execution.test_local import pid_of
from tests.kernelspecs import IPYKERNEL, install, kernel, metadata

FILE = "{connection_file}"
LAST_WORDS = "; '/bin/sh' wrote: "
ENDED = "the kernel exited with code"
STARTS: dict[str, tuple[list[str], str]] = {
    "a program that does not exist": (["/nowhere/kernel"], "the program '/nowhere/kernel' does not exist"),
    "a program that is not on the path": (["no-such"], "the program 'no-such' is not on the PATH"),
    "a non-executable file": (["{resource_dir}/kernel.json"], "may not be executed: permission denied"),
    "a folder": (["{resource_dir}"], "is a folder, not a program"),
    "an interpreter that does not exist": (
        ["{resource_dir}/script"],
        "the interpreter that the first line of",
    ),
    "a program of no known format": (["{resource_dir}/binary"], "cannot be executed: Exec format error"),
    "an end with code 1": (["/bin/sh", "-c", "exit 1"], f"{ENDED} 1; '/bin/sh' wrote nothing"),
    "an end with code 0": (["/bin/sh", "-c", "exit 0"], f"{ENDED} 0; '/bin/sh' wrote nothing"),
    "an end by a signal": (["/bin/sh", "-c", "kill -SEGV $$"], "the kernel was killed by SIGSEGV; "),
    "an interpreter without ipykernel": (
        [sys.executable, "-I", "-S", "-m", "ipykernel_launcher", "-f"],
        f"'ipykernel' is not installed for {sys.executable}: install it there",
    ),
    "an error": (
        ["/bin/sh", "-c", "echo 'There is no\nlicense' >&2; exit 3"],
        f"{ENDED} 3{LAST_WORDS}There is no\nlicense",
    ),
    "an error on its standard output": (
        ["/bin/sh", "-c", "echo no license; exit 3"],
        f"{ENDED} 3{LAST_WORDS}no license",
    ),
    "bytes that are not text": (
        ["/bin/sh", "-c", r"printf 'a\377\000\033[31mb\033[0m\n' >&2; exit 1"],
        f"{ENDED} 1{LAST_WORDS}a\N{REPLACEMENT CHARACTER} b",
    ),
    "a flood": (
        ["/bin/sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2; exit 1"],
        "characters are omitted here] … xxx",
    ),
    "silence": (["/bin/sh", "-c", "sleep 600; true"], "no reply within 2 s; '/bin/sh' wrote nothing"),
    "a message and silence": (
        ["/bin/sh", "-c", "echo waiting for a license; sleep 600"],
        f"no reply within 2 s{LAST_WORDS}waiting for a license",
    ),
}

DYING = """
import os
saved = os.dup(2)
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
class Dying(IPythonKernel):
    async def execute_request(self, *arguments):
        os.write(saved, b"the license has expired\\n")
        os._exit(9)
IPKernelApp.launch_instance(kernel_class=Dying)
"""
WITHOUT_IPC = """
import json, os, runpy, socket, sys, time
given = json.load(open(sys.argv[2]))
if given["transport"] == "ipc":
    {behaviour}
runpy.run_module("ipykernel_launcher", run_name="__main__")
"""
BEHAVIOURS = {
    "it ends": "sys.exit('Protocol not supported')",
    "it binds another socket": (
        "socket.socket(socket.AF_UNIX).bind(f\"{given['ip']}:{given['shell_port']}\"); time.sleep(600)"
    ),
    "it waits": "time.sleep(600)",
}


def opened(root: Path, **limits: float) -> AbstractContextManager[Instance]:
    """Open an instance with some limits, and check its invariants at the end."""
    return checked_instance(root, slots=1, limits=Limits(**limits))  # type: ignore[arg-type]


def run_on(instance: Instance, folder: Path, name: str, code: str = "print(1 + 1)") -> Json:
    """Run a notebook that names a kernelspec to its end."""
    made = workflow(instance.api(), folder, code, **metadata(name))
    return ended(instance.api(), instance.api().runs.start_run(group_of(made), [])["id"])


@pytest.mark.parametrize("kind", STARTS)
def test_a_kernel_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The program or what it wrote last is in the message, which is short; no process is left."""
    command, message = STARTS[kind]
    place = install(tmp_path / "jupyter", "odd", kernel(*command, FILE), monkeypatch).parent
    for name, content in (("script", b"#!/nowhere/interpreter\n"), ("binary", b"\0\1\2")):
        (place / name).write_bytes(content)
        (place / name).chmod(0o755)

    with opened(tmp_path / "root", start_timeout=2.0 if "silence" in kind else 60.0) as instance:
        handle = run_on(instance, tmp_path, "odd")

    assert (handle["state"], handle["reason"]) == ("ERROR", "kernel_not_started")
    assert handle["messages"][0].startswith("the kernel did not start: ")
    assert message in handle["messages"][0]
    assert len(handle["messages"][0]) < 2_000
    assert not find_processes(handle["id"])
    assert not find_socket_folder(handle["id"]).exists()


def test_a_working_folder_that_is_gone_is_named(tmp_path: Path, path: Json) -> None:
    """The notebook's own folder was removed after it was registered, with each way to a kernel."""
    folder = tmp_path / "project"
    folder.mkdir()

    with opened(tmp_path / "root") as instance:
        made = workflow(instance.api(), folder, "1")
        shutil.rmtree(folder)
        config = {**path, "cwd": "notebook"}
        handle = ended(instance.api(), instance.api().runs.start_run(group_of(made), [], config)["id"])

    assert (handle["state"], handle["reason"]) == ("ERROR", "file_error")
    assert str(folder) in handle["messages"][0]


def test_a_kernel_that_dies_after_its_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote last follows how it ended."""
    install(tmp_path / "jupyter", "odd", kernel(sys.executable, "-c", DYING, "-f", FILE), monkeypatch)

    with opened(tmp_path / "root", start_timeout=30.0) as instance:
        handle = run_on(instance, tmp_path, "odd")

    assert (handle["state"], handle["reason"]) == ("ERROR", "kernel_died")
    assert handle["messages"][0].endswith(
        f"the kernel exited with code 9; '{sys.executable}' wrote: the license has expired"
    )


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_kernel_without_ipc_is_started_over_tcp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    """It ends, binds sockets elsewhere, or does nothing when it is asked for IPC."""
    script = WITHOUT_IPC.format(behaviour=BEHAVIOURS[behaviour])
    install(tmp_path / "jupyter", "odd", kernel(sys.executable, "-c", script, "-f", FILE), monkeypatch)

    with opened(tmp_path / "root", start_timeout=16.0 if behaviour == "it waits" else 60.0) as instance:
        handle = run_on(instance, tmp_path, "odd")

    assert handle["state"] == "SUCCESS", handle["messages"]


@pytest.mark.parametrize("name", ["xpython", "xpython-raw"])
def test_xeus_python_runs(tmp_path: Path, name: str) -> None:
    """Its release on PyPI does not start over IPC."""
    with opened(tmp_path / "root", start_timeout=60.0) as instance:
        handle = run_on(instance, tmp_path, name)

        assert handle["state"] == "SUCCESS", handle["messages"]
        notebook = nbformat.reads(read(instance.api().runs.get_notebook(handle["id"])).decode(), 4)
    assert "".join(each.text for each in notebook.cells[-1].outputs) == "2\n"


PLACE = """
import pathlib, sys, tempfile
folder = pathlib.Path(sys.argv[sys.argv.index("-f") + 1]).parent
print(tempfile.gettempdir(), oct(folder.stat().st_mode & 0o777) if folder.exists() else "no sockets")
"""


@pytest.mark.parametrize("length", [50, 51, 108])
def test_sockets_do_not_depend_on_a_long_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Json, length: int
) -> None:
    """A run works with each length, and its notebook sees the folder; sockets are private, and removed."""
    temporary = f"/tmp/{uuid.uuid4().hex}".ljust(length, "x")
    os.mkdir(temporary)
    monkeypatch.setenv("TMPDIR", temporary)
    monkeypatch.setattr(tempfile, "tempdir", None)
    try:
        with opened(tmp_path / "root") as instance:
            handle = finished(instance.api(), tmp_path, PLACE, config=path)
            log = instance.api().runs.get_log(handle["id"])["text"]
    finally:
        os.rmdir(temporary)

    assert handle["state"] == "SUCCESS", handle["messages"]
    assert log.strip() in (f"{temporary} 0o700", f"{temporary} no sockets")
    assert not find_socket_folder(handle["id"]).exists()


def test_the_sockets_of_a_killed_run_are_removed_wherever_they_are(tmp_path: Path) -> None:
    """Also where the run, but not the instance, has another folder for temporary files."""
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))  # short enough for sockets
    config = {"environment": {"TMPDIR": str(temporary)}, "transport": "zmq"}
    with opened(tmp_path / "root", cancel_grace=1.0) as instance:
        run_id = running(instance.api(), tmp_path, SLEEP, config=config)["id"]
        assert [each.name for each in temporary.iterdir()] == [f"runwidgets-{run_id}"]

        os.kill(pid_of(tmp_path / "root", run_id, "started"), signal.SIGKILL)

        assert ended(instance.api(), run_id)["reason"] == "runner_died"
        wait_until(lambda: not list(temporary.iterdir()))
    temporary.rmdir()


LATE = """
import json, os, socket, sys
place = json.load(open(sys.argv[1]))
if place["transport"] == "ipc":
    sys.exit(1)
if os.path.exists(sys.argv[2]):
    os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", "-f", sys.argv[1]])
open(sys.argv[2], "w").close()
if os.fork() == 0:
    faster = socket.create_server(("127.0.0.1", place["iopub_port"]))
    while True:
        faster.accept()
while socket.socket().connect_ex(("127.0.0.1", place["iopub_port"])):
    pass
sys.exit("Address already in use")
"""
"""A kernel without IPC, whose port another process binds when it starts over TCP for the first time."""


def test_a_kernel_that_lost_a_port_is_started_with_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ports are free when they are chosen, and many kernels may choose at once."""
    spec = kernel(sys.executable, "-c", LATE, FILE, str(tmp_path / "began"))
    install(tmp_path, "late", spec, monkeypatch)

    with opened(tmp_path / "root", start_timeout=60.0) as instance:
        handle = run_on(instance, tmp_path, "late")

    assert (tmp_path / "began").exists()
    assert handle["state"] == "SUCCESS", handle["messages"]


@pytest.mark.parametrize("length", [1, 4, 49, 50, 51, 52, 107, 108, 109, 300])
@pytest.mark.parametrize("character", ["x", "é", "\udcff"], ids=["ascii", "unicode", "not text"])
def test_the_folder_for_sockets_has_a_short_path(
    monkeypatch: pytest.MonkeyPatch, length: int, character: str
) -> None:
    """It is below the folder for temporary files if sockets can be there, else in another."""
    folder = "/" + character * length
    monkeypatch.setattr(tempfile, "tempdir", folder)
    monkeypatch.setattr(os, "access", lambda *_: True)

    place = find_socket_folder("0" * 32)

    size = len(str(place / SOCKET_NAME).encode())
    assert size <= zmq.IPC_PATH_MAX_LEN
    is_short = len(os.fsencode(folder)) <= 50 and character != "\udcff"
    assert str(place.parent) == (folder if is_short else "/tmp")


def test_a_folder_for_temporary_files_that_cannot_be_written_holds_no_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next folder is taken."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")

    assert find_socket_folder("0" * 32).parent == Path("/tmp")


def test_a_kernel_that_supports_ipc_is_started_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IPython's kernel does: if it does not start, there is another reason."""
    count = f"echo x >> {tmp_path / 'starts'}; exit 7"
    command = ["/bin/sh", "-c", count, "sh", *IPYKERNEL]
    install(tmp_path / "jupyter", "odd", kernel(*command), monkeypatch)

    with opened(tmp_path / "root") as instance:
        handle = run_on(instance, tmp_path, "odd")

    assert "exited with code 7" in handle["messages"][0]
    assert (tmp_path / "starts").read_text() == "x\n"
