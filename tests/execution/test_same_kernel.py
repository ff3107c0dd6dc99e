"""A notebook observes the same kernel, process and folder as under papermill."""

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
    # The measurements of %time and %timeit.
    (r"CPU times: .*\nWall time: .*", "CPU times: …"),
    (r"[\d.]+ [nµμm]?s ± .* per loop", "… per loop"),  # noqa: RUF001  # both are in use
    # matplotlib writes the date into an SVG.
    (r"<dc:date>.*?</dc:date>", "<dc:date>…</dc:date>"),
]

STATE_MASKS: list[Mask] = [
    # papermill writes the executed notebook during the execution, here beside the source.
    (r"'executed\.ipynb', ", ""),
    # Processes of a run carry its id in a variable, by which they are found.
    (r"'RUNWIDGETS_RUN_ID'(: '[^']*')?, ", ""),
    # The parent has another process id: the runner, or papermill.
    (r"('JPY_PARENT_PID': ')\d+|(\(WARNING\)>\] )\d+", r"\1\2…"),
    # ipykernel logs to a copy of stderr, which has the next free number.
    (r"StreamHandler \d+", "StreamHandler …"),
    # Files that a run creates are private.
    (r"^0o(22|77)\n$|(?<='Umask': ')00(22|77)", "umask"),
    # The kernel inherits the descriptors 1 and 2: the log of the runner, or those of papermill.
    (r"\('(/dev/null|/[^']*/runner\.log)', 2\)", "('standard output', 2)"),
    # The sockets of a run's kernel are in a private folder; papermill uses TCP, and a file in /tmp.
    (r"/tmp/(tmp\w+\.json|runwidgets-[\w<>]+/kernel\.json)", "connection.json"),
    # The program that a kernel's process was started as, and the lower part of its stack.
    (
        r"\['-m', '(ipykernel_launcher|runwidgets\.execution\.forkserver\.server)'(, '(-f|\d+)')?\]",
        "['the launcher']",
    ),
    (r"'_run_module_as_main'.*?'run_forever'", "'run_forever'"),
    # A kernel without ZeroMQ has neither sockets nor threads for them; the system monitors its parent.
    (r"\['Control', [^\]]*\]|\['IOPub', 'MainThread'[^\]]*\]", "['threads']"),
    (r"('Threads': ')\d+|(\('(?:pipe|socket|anon_inode)', )\d+\)|(dies with its parent )\d", r"\1\2\3…"),
    (r"\('(socket|anon_inode)', …\n", ""),
    # Objects from before the fork are not collected, and modules from before it have a separate finder.
    (r"(\(700, 10, 10\) )\d+", r"\1…"),
    (
        r"<class 'runwidgets\.execution\.forkserver\.import_isolation\.ImportIsolation'>, "
        r"|, <class 'six\._SixMetaPathImporter'>",
        "",
    ),
    # Whether a module has been searched for in the working folder.
    (r"(for_FileFinder'\] )(True|False)", r"\1…"),
    # ipykernel loads these two at different times, depending on its sockets.
    (r"'(concurrent\.futures\.thread|ipykernel\.kernelspec)', ", ""),
    # ipykernel imports psutil to list its TCP connections, which a run's kernel does not have.
    (r"'(psutil(\.\w+)?|pwd)', ", ""),
]

CONNECTION_MASKS: list[Mask] = [
    # The kernel of papermill listens on TCP, that of a run on sockets in a private folder.
    (r'("(?:shell|iopub|stdin|control|hb)_port": )\d+', r"\1…"),
    (r'("(?:ip|key|transport)": )"[^"]*"', r'\1"…"'),
]

MASKS_OF = {"shell": [*MASKS, *SHELL_MASKS], "state": [*MASKS, *STATE_MASKS]}
"""The masks of each probe, including those for differences between any two executions."""

ALONE = {"chance": probes.CHANCE, "connection": probes.CONNECTION}
"""Probes with separate tests."""

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
    ours, theirs = (_joined(executions.effects("descriptors", each)) for each in (path, "plain"))

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
    first, second = (_lines(executions.effects("chance" + again, path, [])) for again in ("", " again"))
    theirs = _lines(executions.effects("chance", "plain", []))

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
