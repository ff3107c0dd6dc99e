"""How runs in R and bash end: as their cells say, and never in another shell than the one they began in."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runwidgets.limits import Limits
from runwidgets.service.contracts.api import Api
from tests.builders import Cell, Json, checked_instance, ended, group_of, tagged, workflow
from tests.faults.test_kernels import statuses
from tests.kernelspecs import install, kernel, metadata

BASH = kernel(
    sys.executable, "-m", "bash_kernel", "-f", "{connection_file}", language="bash", env={"PS1": "$"}
)
R, SHELL = ("ir", "R"), ("shell", "bash")


ODD = """
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
class Odd(Kernel):
    implementation, implementation_version, banner = "odd", "1", ""
    language_info = {"name": "odd", "mimetype": "text/plain", "file_extension": ".txt"}
    requests = []
    async def do_execute(self, code, silent, *_, **__):
        Odd.requests.append(code)
        content = {"name": "stdout", "text": f"{code} {Odd.requests.count(code)}"}
        status = "ok"
        if code == "aborted" or (code == "aborted once" and Odd.requests.count(code) == 1):
            status = "aborted"
        elif code == "abort":
            status = code
        else:
            self.send_response(self.iopub_socket, "stream", content)
        return {"status": status, "execution_count": self.execution_count}
IPKernelApp.launch_instance(kernel_class=Odd)
"""
"""A kernel that does not execute what its cells name so."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Open an instance that knows a kernel of bash; R's is installed for all users."""
    folder = tmp_path_factory.mktemp("ends")
    with pytest.MonkeyPatch.context() as patch:
        install(folder, "shell", BASH, patch)
        install(
            folder, "odd", kernel(sys.executable, "-c", ODD, "-f", "{connection_file}", language="odd"), patch
        )
        with checked_instance(folder / "root", slots=2, limits=Limits(cancel_grace=1.0)) as instance:
            yield instance.api()


def run(api: Api, folder: Path, language: tuple[str, str], *cells: Cell, config: Json | None = None) -> Json:
    """Run a notebook in a language to its end."""
    made = workflow(api, folder, *cells, **metadata(*language))
    return ended(api, api.runs.start_run(group_of(made), [], config)["id"])


@pytest.mark.parametrize(
    ("language", "code"),
    [(SHELL, "exit"), (SHELL, "exit 0"), (R, "quit()"), (R, "q('no')"), (R, "quit('no', 0, FALSE)")],
    ids=lambda each: each if isinstance(each, str) else each[1],
)
def test_an_exit_without_a_code_ends_early(
    api: Api, tmp_path: Path, language: tuple[str, str], code: str
) -> None:
    """As ``sys.exit()`` does in Python: the run succeeds, and later cells are not executed."""
    prints = "cat('never')" if language == R else "echo never"

    handle = run(api, tmp_path, language, "x=1", code, prints)

    assert (handle["state"], handle["progress"]["endedEarly"]) == ("SUCCESS", 2), handle.get("messages")
    assert statuses(api, handle["id"]) == ["ok", "ok", "not run"]
    assert "never" not in api.runs.get_log(handle["id"])["text"]


@pytest.mark.parametrize(
    ("language", "code", "sentence"),
    [
        (SHELL, "exit 3", "cell 2 ended with exit status 3"),
        (SHELL, "set -e\nfalse\necho never", "cell 2 ended with exit status 1"),
        (SHELL, "set -o noclobber\n(exit 4)\nexit", "cell 2 ended with exit status 4"),
        (
            SHELL,
            "trap 'echo bye' EXIT\nexit 0",
            "cell 2 ended 'bash', which executes the cells, with an unknown",
        ),
        (
            SHELL,
            "kill -KILL $$",
            "cell 2 ended 'bash', which executes the cells, with an unknown exit status",
        ),
        (SHELL, "exec sh -c 'exit 0'", "cell 2 ended '"),
        (R, "quit(status = 3)", "cell 2 ended with exit status 3"),
        (R, "for (each in 1:2) q('no', each)", "cell 2 ended with exit status 1"),
        (R, "q(status = 'x')", "cell 2 ended with an unknown exit status"),
    ],
)
def test_any_other_end_of_the_interpreter_is_an_error(
    api: Api, tmp_path: Path, language: tuple[str, str], code: str, sentence: str
) -> None:
    """The message has the code where it is known, and no later cell is executed, whatever is allowed."""
    prints = "cat('never')" if language == R else "echo never"
    may_fail = tagged(code, "raises-exception")

    handle = run(api, tmp_path, language, "x=1", may_fail, prints, config={"allow_errors": True})

    assert (handle["state"], handle["reason"]) == ("ERROR", "cell_error")
    assert handle["messages"][0].startswith(sentence)
    assert statuses(api, handle["id"]) == ["ok", "error", "not run"]
    assert "never" not in api.runs.get_log(handle["id"])["text"]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("false", "cell 1 ended with exit status 1"),
        (
            "echo one\necho $'\\e[1mtwo\\e[0m'\n(exit 7)",
            "cell 1 ended with exit status 7; it printed last: two",
        ),
        ("true \\", "cell 1 failed: Cell has trailing backslash"),
    ],
)
def test_a_cell_of_bash_that_fails_says_how(api: Api, tmp_path: Path, code: str, sentence: str) -> None:
    """Its kernel gives errors no name, and its messages have no empty place for one."""
    assert run(api, tmp_path, SHELL, code)["messages"] == [sentence]


def test_a_command_that_fails_within_a_subshell_ends_nothing(api: Api, tmp_path: Path) -> None:
    """The shell that executes the cells is still the same."""
    cells = ["x=1", "(exit 3) || true", "echo $(exit 4) x is $x"]

    handle = run(api, tmp_path, SHELL, *cells)

    assert handle["state"] == "SUCCESS", handle["messages"]
    assert api.runs.get_log(handle["id"])["text"].strip() == "x is 1"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells who reads a terminal")
@pytest.mark.parametrize(
    "code", ["read x", "cat", "python3 -c 'input()'", "sh -c 'read x' | sort", "read -s x < /dev/tty"]
)
def test_a_cell_of_bash_that_waits_for_input_is_an_error(api: Api, tmp_path: Path, code: str) -> None:
    """Nobody could type it, so that it would wait for ever."""
    handle = run(api, tmp_path, SHELL, "x=1", code, "echo never", config={"timeout": 40})

    assert (handle["state"], handle["reason"]) == ("ERROR", "cell_error")
    assert handle["messages"][0].startswith("cell 2 waits for input")


@pytest.mark.parametrize(
    "code", ["read -t 3 x || true", "sleep 3", "sleep 3 | cat", "read x < <(sleep 3; echo 1)"]
)
def test_a_cell_of_bash_that_waits_for_something_else_goes_on(api: Api, tmp_path: Path, code: str) -> None:
    """Such as for time to pass, or for another command."""
    handle = run(api, tmp_path, SHELL, code)

    assert handle["state"] == "SUCCESS", handle["messages"]


@pytest.mark.parametrize("code", ["readline('name? ')", "x <- readline()"])
def test_a_cell_of_r_that_asks_for_input_is_an_error(api: Api, tmp_path: Path, code: str) -> None:
    """Its kernel asks, although it was told that there is no input."""
    handle = run(api, tmp_path, R, "x=1", code, config={"timeout": 40})

    assert (handle["state"], handle["reason"]) == ("ERROR", "cell_error")
    assert handle["messages"][0].startswith("cell 2 waits for input")


def test_a_cell_that_the_kernel_left_out_is_requested_again(api: Api, tmp_path: Path) -> None:
    """A kernel may leave out what it receives while it deals with the failure of the cell before."""
    handle = run(api, tmp_path, ("odd", "odd"), "aborted once")

    assert handle["state"] == "SUCCESS", handle["messages"]
    assert api.runs.get_log(handle["id"])["text"] == "aborted once 2"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [("abort", "cell 2 was interrupted"), ("aborted", "cell 2 was left out by the kernel")],
)
def test_a_cell_that_was_not_executed_to_its_end_is_an_error(
    api: Api, tmp_path: Path, code: str, sentence: str
) -> None:
    """The kernel says so in its reply, which is neither a success nor an exception."""
    handle = run(api, tmp_path, ("odd", "odd"), "one", code, "never", config={"allow_errors": True})

    assert (handle["state"], handle["reason"]) == ("ERROR", "cell_error")
    assert handle["messages"] == [sentence]
    assert statuses(api, handle["id"]) == ["ok", "error", "not run"]
