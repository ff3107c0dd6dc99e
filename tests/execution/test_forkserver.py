import contextlib
import gc
import os
import subprocess
import sys
import sysconfig
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runwidgets.execution.forkserver import pool
from runwidgets.execution.forkserver.preload import can_preload, python_options
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from tests.builders import ACTIVE, Json, arguments, ended, finished, group_of, wait_until, workflow

PARENT = "import os\nprint(open(f'/proc/{os.getppid()}/cmdline').read())"
DRAW = (
    "import random, uuid, numpy, tempfile\n"
    "print(random.random(), numpy.random.random(), numpy.random.default_rng().random(), uuid.uuid4(),"
    " tempfile.mktemp())"
)
SEEDED = (
    "import random, numpy\nrandom.seed(7)\nnumpy.random.seed(7)\n"
    "print(random.random(), numpy.random.random(), numpy.random.default_rng(7).random())"
)


@pytest.fixture(scope="module")
def private_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Open an instance for this module."""
    instance = open_instance(tmp_path_factory.mktemp("forks") / "root", slots=2)
    yield instance
    instance.close()


def printed(api: Api, folder: Path, *cells: str, config: Json | None = None) -> str:
    """Return the output of a run."""
    handle = finished(api, folder, *cells, config=config)
    assert handle["state"] == "SUCCESS", handle["messages"]
    return str(api.runs.get_log(handle["id"])["text"])


def servers(instance: Instance) -> dict[int, frozenset[str]]:
    """Return the fork servers that take runs, with the modules of each."""
    found = instance._backend._servers._servers
    return {each.process.pid: each.modules for each in found if each.is_ready and not each.is_retired}


def holdings(process: psutil.Process) -> Counter[str]:
    """Count the memory, threads, processes, and descriptors of each kind of a process."""
    found = Counter({"memory": process.memory_info().rss, "threads": process.num_threads()})
    found["processes"] = len(process.children(recursive=True))
    for each in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in the meantime
            found[os.readlink(each).partition(":[")[0]] += 1
    return found


def warm(instance: Instance, folder: Path, *cells: str) -> Json:
    """Register a notebook, and wait until there is a server for it."""
    made = workflow(instance.api(), folder, *cells)
    version = instance._components.catalog.get_version(
        instance._components.catalog.get_workflow(made["id"]).version_id
    )
    wanted = {name for name in version.template["imports"] if can_preload(name)}
    wanted = {name for name in wanted if name.partition(".")[0] not in sys.stdlib_module_names}
    wait_until(lambda: any(modules == wanted for modules in servers(instance).values()))
    return made


def test_a_run_is_forked_unless_configured_otherwise(private_instance: Instance, tmp_path: Path) -> None:
    """``config.isolation`` decides."""
    api = private_instance.api()
    assert "forkserver" in printed(api, tmp_path, PARENT)
    assert "forkserver" in printed(api, tmp_path, PARENT, config={"transport": "zmq"})
    assert "forkserver" not in printed(api, tmp_path, PARENT, config={"isolation": "spawn"})


@pytest.mark.parametrize("config", [{}, {"transport": "zmq"}], ids=["direct", "zmq"])
def test_two_forks_draw_different_numbers(private_instance: Instance, tmp_path: Path, config: Json) -> None:
    """Every generator differs, although all were created in one process."""
    warm(private_instance, tmp_path, DRAW)
    drawn = [printed(private_instance.api(), tmp_path, DRAW, config=config).split() for _ in range(2)]

    assert len(drawn[0]) == 5
    assert all(first != second for first, second in zip(*drawn, strict=True))


def test_a_seed_gives_the_usual_numbers(private_instance: Instance, tmp_path: Path) -> None:
    """The numbers are those of a plain Python process."""
    warm(private_instance, tmp_path, SEEDED)
    plain = subprocess.run([sys.executable, "-c", SEEDED], capture_output=True, text=True, check=True).stdout

    assert printed(private_instance.api(), tmp_path, SEEDED) == plain


def test_a_generator_that_a_module_made_is_seeded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generator that seeded itself is seeded again; one with a given seed keeps its numbers."""
    name = f"dice_{uuid.uuid4().hex}"
    place = Path(sysconfig.get_path("purelib")) / f"{name}.py"
    place.write_text(
        "import random, numpy\nown = random.Random()\nfixed = random.Random(3)\n"
        "arrays = numpy.random.default_rng()\nsteady = numpy.random.default_rng(3)\n"
    )
    generators = ("own", "arrays", "fixed", "steady")
    cell = f"import {name} as dice\nprint({', '.join(f'dice.{each}.random()' for each in generators)})"
    try:
        instance = open_instance(tmp_path / "root", slots=1)
        warm(instance, tmp_path, cell)
        first, second = (printed(instance.api(), tmp_path, cell).split() for _ in range(2))
        instance.close()
    finally:
        place.unlink()

    assert [a == b for a, b in zip(first, second, strict=True)] == [False, False, True, True]


def test_a_preloaded_module_is_invisible_until_it_is_imported(
    private_instance: Instance, tmp_path: Path
) -> None:
    """Then it is available at once, with its dependencies."""
    names = ("numpy", "numpy.linalg", "papermill", "psutil")
    look = f"import sys\nprint([name in sys.modules for name in {names}])"
    warm(private_instance, tmp_path, look, "import numpy", look)

    text = printed(private_instance.api(), tmp_path, look, "import numpy", look)

    assert text == "[False, False, False, False]\n[True, True, False, False]\n"


def test_a_module_beside_the_notebook_takes_precedence(private_instance: Instance, tmp_path: Path) -> None:
    """An installed module with the same name is used by another notebook."""
    other = tmp_path / "other"
    other.mkdir()
    warm(private_instance, other, "import scipy")
    (tmp_path / "scipy.py").write_text("word = 'mine'")

    assert printed(private_instance.api(), tmp_path, "import scipy\nprint(scipy.word)") == "mine\n"


def test_a_module_that_prints_or_warns_when_it_is_imported_does_so_in_the_notebook(tmp_path: Path) -> None:
    """It is not preloaded; the other imports of the notebook are."""
    name = f"loud_{uuid.uuid4().hex}"
    place = Path(sysconfig.get_path("purelib")) / f"{name}.py"
    place.write_text("import warnings\nprint('hello from the module')\nwarnings.warn('old')\n")
    cell = f"import numpy, {name}"
    try:
        instance = open_instance(tmp_path / "root", slots=1)
        workflow(instance.api(), tmp_path, cell)
        wait_until(lambda: {"numpy"} in servers(instance).values())
        text = printed(instance.api(), tmp_path, cell)
        instance.close()
    finally:
        place.unlink()

    assert "hello from the module" in text
    assert "UserWarning: old" in text


def test_servers_are_replaced_when_packages_change(private_instance: Instance, tmp_path: Path) -> None:
    """A package that was installed after the start of the server is available in the next run."""
    name = f"fresh_{uuid.uuid4().hex}"
    warm(private_instance, tmp_path, "1")
    before = set(servers(private_instance))
    place = Path(sysconfig.get_path("purelib")) / f"{name}.py"
    try:
        place.write_text("word = 'new'")
        assert printed(private_instance.api(), tmp_path, f"import {name}\nprint({name}.word)") == "new\n"
    finally:
        place.unlink()

    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in before))


@pytest.mark.parametrize("limit", ["IDLE_TIME", "MAX_MEMORY"])
def test_an_idle_or_large_server_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """The next run starts another server."""
    instance = open_instance(tmp_path / "root", slots=1)
    warm(instance, tmp_path, "1")
    (old,) = servers(instance)

    monkeypatch.setattr(pool, "MAINTENANCE_INTERVAL", 0.1)
    monkeypatch.setattr(pool, limit, 0.0)
    wait_until(lambda: not psutil.pid_exists(old))
    monkeypatch.undo()

    assert "forkserver" in printed(instance.api(), tmp_path, PARENT)
    instance.close()


def test_the_number_of_servers_is_limited(private_instance: Instance, tmp_path: Path) -> None:
    """The server that was idle for longest is evicted."""
    for module in ("yaml", "psutil", "httpx", "pydantic", "alembic", "sqlalchemy"):
        warm(private_instance, tmp_path, f"import {module}")
        assert len(servers(private_instance)) <= pool.MAX_SERVERS


def test_a_run_is_forked_even_if_a_better_server_has_to_evict_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server that takes the run in the meantime is not evicted."""
    monkeypatch.setattr(pool, "MAX_SERVERS", 2)
    instance = open_instance(tmp_path / "root", slots=1)
    api = instance.api()
    go = tmp_path / "go"
    wait = f"import os, time, yaml\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(0.02)"
    first = api.runs.start_run(group_of(warm(instance, tmp_path, wait)), [])
    second = api.runs.start_run(group_of(warm(instance, tmp_path, "import psutil", PARENT)), [])
    warm(instance, tmp_path, "1")  # evicts the second one's server
    go.touch()

    assert ended(api, first["id"])["state"] == "SUCCESS"
    handle = ended(api, second["id"])
    assert "forkserver" in api.runs.get_log(handle["id"])["text"]
    instance.close()


def test_only_installed_modules_are_preloaded() -> None:
    """Editable installations and missing modules are not preloaded."""
    assert can_preload("numpy.linalg") and can_preload("json")
    assert not can_preload("runwidgets.record") or "site-packages" in str(sys.modules["runwidgets"].__file__)
    assert not can_preload("no_such_module")


def test_only_the_kernel_of_this_python_is_forked() -> None:
    """Other kernels are spawned."""
    assert python_options("python3", ()) is not None
    assert python_options("no-such-kernel", ()) is None


def test_a_forked_kernel_ends_like_an_interpreter(private_instance: Instance, tmp_path: Path) -> None:
    """Exit handlers are called, threads are joined, and open files are written."""
    cell = (
        "import atexit, threading, time\n"
        "atexit.register(lambda: open('handler.txt', 'w').write('ran'))\n"
        "left = open('left.txt', 'w')\nleft.write('written')\n"
        "def late():\n    time.sleep(0.3)\n    open('thread.txt', 'w').write('done')\n"
        "threading.Thread(target=late).start()"
    )
    for config in ({}, {"transport": "zmq"}, {"isolation": "spawn"}):
        handle = finished(private_instance.api(), tmp_path, cell, config=config)
        names = [each["name"] for each in handle["files"]][:-1]
        sizes = [each["size"] for each in handle["files"]][:-1]

        assert (names, sizes) == (["handler.txt", "left.txt", "thread.txt"], [3, 7, 4])


@pytest.mark.timeout(400)
def test_a_thousand_runs_leave_the_instance_as_a_hundred_did(tmp_path: Path) -> None:
    """No memory, descriptor, thread or process remains."""
    instance = open_instance(tmp_path / "root", slots=2)
    api = instance.api()
    group = group_of(workflow(api, tmp_path, "y = x + 1\nprint(y)", parameters="x = 1"))

    ids: list[str] = []

    def execute(count: int) -> None:
        ids.extend(api.runs.start_run(group, arguments(x=at))["id"] for at in range(count))
        wait_until(lambda: api.runs.get_run(ids[-1])["state"] not in ACTIVE, within=300)
        wait_until(lambda: not instance._backend._tracked)
        assert {api.runs.get_run(run_id)["state"] for run_id in ids} == {"SUCCESS"}
        gc.collect()

    def held() -> Counter[str]:
        (server,) = (psutil.Process(pid) for pid in servers(instance))
        # The database pool opens another connection when threads use it at the same time.
        here = {name: n for name, n in holdings(psutil.Process()).items() if "runwidgets.db" not in name}
        return Counter(here | {f"{name} (server)": n for name, n in holdings(server).items()})

    execute(100)
    hundred = held() + Counter({"memory": 8_000_000, "memory (server)": 8_000_000})
    execute(900)
    # The instance's own threads open and close files at any time, also while they are counted.
    wait_until(lambda: held() - hundred, lambda more: not more)
    instance.close()

    assert not list((tmp_path / "root" / "instances").iterdir())
    assert not [name for name in os.listdir(tempfile.gettempdir()) if name.removeprefix("runwidgets-") in ids]
