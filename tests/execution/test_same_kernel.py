"""What a notebook can observe of the kernel, its process and its folder is the same as under papermill."""

import json
from collections.abc import Iterator

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.builders import PYTHON, Json
from tests.execution import probes
from tests.execution.comparison import MASKS, PATHS, Executions, Mask

LEAVE = """
print("before")
#-
LEAVE
"""
"""Whether a kernel that is leaving executes one more cell is a race that papermill may win or lose."""

PROBES = {
    "async": probes.ASYNC,
    "descriptors": probes.DESCRIPTORS,
    "end": probes.END,
    "errors": probes.ERRORS,
    "exit": LEAVE.replace("LEAVE", "exit()"),
    "input": probes.INPUT,
    "keep": LEAVE.replace("LEAVE", "exit(keep_kernel=True)") + '#-\nprint("after")\n',
    "quit": LEAVE.replace("LEAVE", "quit()"),
    "shell": probes.SHELL,
    "state": probes.STATE,
    "streams": probes.STREAMS,
    "widgets": probes.WIDGETS,
}

SHELL_MASKS: list[Mask] = [
    # What %time and %timeit measure.
    (r"CPU times: .*\nWall time: .*", "CPU times: …"),
    (r"[\d.]+ [nµμm]?s ± .* per loop", "… per loop"),  # noqa: RUF001  # both are in use
    # matplotlib writes the date into an SVG.
    (r"<dc:date>.*?</dc:date>", "<dc:date>…</dc:date>"),
]

STATE_MASKS: list[Mask] = [
    # papermill writes the executed notebook as it goes, here beside the source.
    (r"'executed\.ipynb', ", ""),
    # A run is known by a variable of its own, so that no process of it is left behind.
    (r"'RUNWIDGETS_RUN_ID'(: '[^']*')?, ", ""),
    # The parent has another process number: the runner, or papermill.
    (r"('JPY_PARENT_PID': ')\d+|(\(WARNING\)>\] )\d+", r"\1\2…"),
    # ipykernel logs to a copy of stderr, which has the next free number.
    (r"StreamHandler \d+", "StreamHandler …"),
    # Runs write private files: what they make nobody else may read.
    (r"^0o(22|77)\n$|(?<='Umask': ')00(22|77)", "umask"),
    # The kernel inherits the descriptors 1 and 2; the runner's go to its own log, papermill's where it says.
    (r"\('(/dev/null|/[^']*/runner\.log)', 2\)", "('standard output', 2)"),
    # The runner talks to its kernel by sockets in a private folder, papermill by TCP and a file in /tmp.
    (r"/tmp/(tmp\w+\.json|runwidgets-[\w<>]+/kernel\.json)", "connection.json"),
    # Which program a kernel's process was started as, and what stands below it on the stack.
    (
        r"\['-m', '(ipykernel_launcher|runwidgets\.execution\.forkserver\.server)'(, '(-f|\d+)')?\]",
        "['the launcher']",
    ),
    (r"'_run_module_as_main'.*?'run_forever'", "'run_forever'"),
    # A kernel without ZeroMQ needs no threads for its sockets, nor the sockets; its parent is watched by
    # the system.
    (r"\['Control', [^\]]*\]|\['IOPub', 'MainThread'[^\]]*\]", "['threads']"),
    (r"('Threads': ')\d+|(\('(?:pipe|socket|anon_inode)', )\d+\)|(dies with its parent )\d", r"\1\2\3…"),
    (r"\('(socket|anon_inode)', …\n", ""),
    # What was imported before the fork is not collected, and comes from a finder of its own.
    (r"(\(700, 10, 10\) )\d+", r"\1…"),
    (
        r"<class 'runwidgets\.execution\.forkserver\.import_isolation\.ImportIsolation'>, "
        r"|, <class 'six\._SixMetaPathImporter'>",
        "",
    ),
    # Whether a module was looked for in the working folder yet.
    (r"(for_FileFinder'\] )(True|False)", r"\1…"),
    # ipykernel loads these two a moment earlier or later, as its sockets come up.
    (r"'(concurrent\.futures\.thread|ipykernel\.kernelspec)', ", ""),
    # ipykernel asks psutil about its TCP connections, and so loads it; there are none here.
    (r"'(psutil(\.\w+)?|pwd)', ", ""),
]

CONNECTION_MASKS: list[Mask] = [
    # Papermill's kernel listens on TCP, a run's on sockets in a private folder.
    (r'("(?:shell|iopub|stdin|control|hb)_port": )\d+', r"\1…"),
    (r'("(?:ip|key|transport)": )"[^"]*"', r'\1"…"'),
]

MASKS_OF = {"shell": [*MASKS, *SHELL_MASKS], "state": [*MASKS, *STATE_MASKS]}
"""Beside what always differs."""

ALONE = {"chance": probes.CHANCE, "connection": probes.CONNECTION}
"""Probes that have tests of their own."""

LEFT = {
    "end": ["atexit.txt", "deleted.txt", "finalized.txt", "thread.txt", "unflushed.txt"],
    "shell": ["below", "ipython_log.py", "script.py"],
}
"""Files that a probe leaves in its folder."""


@pytest.fixture(scope="module")
def executions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executions]:
    """Start all probes in all ways; every cell may fail."""
    folder = tmp_path_factory.mktemp("probes")
    executions = Executions(folder)
    for name, text in {**PROBES, **ALONE, "chance again": probes.CHANCE}.items():
        cells = [
            new_code_cell(cell.strip("\n"), metadata={"tags": ["raises-exception"]})
            for cell in text.split("\n#-\n")
        ]
        source = folder / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": PYTHON}), source)
        executions.start(name, source)
    yield executions
    executions.close()


pytestmark = [pytest.mark.timeout(180)]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", [name for name in PROBES if name != "descriptors"])
def test_a_notebook_sees_the_same_kernel(executions: Executions, name: str, path: str) -> None:
    """Outputs, errors, the shell, the process and the interpreter's state are compared."""
    executions.assert_same(name, path, MASKS_OF.get(name, MASKS))


@pytest.mark.parametrize("path", PATHS)
def test_a_kernel_knows_its_sockets_if_it_has_any(executions: Executions, path: str) -> None:
    """A direct kernel has none, and no connection file, which it reports when asked."""
    if path != "direct":
        executions.assert_same("connection", path, [*STATE_MASKS, *CONNECTION_MASKS])
        return
    for cell in executions.result("connection", path).cells[:2]:
        assert "does not exist" in json.dumps(cell.outputs)


@pytest.mark.parametrize("path", PATHS)
def test_writes_to_descriptors_are_captured(executions: Executions, path: str) -> None:
    """C code, children and forks write; a thread reads, so the cell in which the text appears may vary."""
    ours, theirs = (_joined(executions.seen("descriptors", each)) for each in (path, "plain"))

    assert sorted(ours.pop("stderr").splitlines()) == sorted(theirs.pop("stderr").splitlines())
    assert ours == theirs


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", LEFT)
def test_a_notebook_leaves_the_same_files(executions: Executions, name: str, path: str) -> None:
    """Files are flushed, exit handlers are called and threads are joined when the kernel ends."""
    ours, theirs = (_files(executions, name, each) for each in (path, "plain"))

    assert ours == theirs
    assert sorted(ours) == LEFT[name]


@pytest.mark.parametrize("path", PATHS)
def test_random_numbers_differ_between_runs_unless_seeded(executions: Executions, path: str) -> None:
    """No two runs share a generator's state, a unique name or a temporary file."""
    first, second = (_lines(executions.seen("chance" + again, path, [])) for again in ("", " again"))
    theirs = _lines(executions.seen("chance", "plain", []))

    assert first[2] == second[2] == theirs[2]
    drawn = [set((lines[0] + " " + lines[1]).split()) for lines in (first, second, theirs)]
    assert not drawn[0] & drawn[1] and not drawn[0] & drawn[2]


def _joined(shown: list[Json]) -> dict[str, str]:
    """Return the text of each kind of output."""
    texts: dict[str, str] = {}
    for output in [output for cell in shown for output in cell.get("outputs", [])]:
        kind = output.get("name", output["output_type"])
        texts[kind] = texts.get(kind, "") + (output.get("text") or json.dumps(output.get("data", output)))
    return texts


def _lines(shown: list[Json]) -> list[str]:
    return _joined(shown)["stdout"].splitlines()


def _files(executions: Executions, name: str, path: str) -> dict[str, str]:
    """Return the content of the files of a finished probe."""
    executions.result(name, path)
    left = executions.own_folder(name, path).iterdir()
    return {
        each.name: each.read_text("utf-8") if each.is_file() else ""
        for each in left
        if each.suffix != ".ipynb"
    }
