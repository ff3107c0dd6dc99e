"""Notebooks for other kernels than Jupyter's own, and in what their runs differ from papermill alone."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.builders import Json
from tests.execution.odd_notebooks import notebook_of
from tests.kernelspecs import IPYKERNEL, install, kernel

BASH = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]
R, SHELL = (
    {"name": "ir", "display_name": "R", "language": "R"},
    {"name": "shell", "display_name": "b", "language": "bash"},
)
SECOND = {"name": "second", "display_name": "Second", "language": "python"}


@dataclass(frozen=True)
class Case:
    """A notebook, and in what its run is not as under papermill."""

    kernelspec: Json
    cells: tuple[str, ...]
    values: Json = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    state: str | None = None
    """The state of the run, if papermill's is another one: a cell whose tag allows it may raise, and a status
    is an error."""
    executed: int | None = None
    """Number of code cells that are compared, if the others are executed by papermill alone."""

    def notebook(self) -> Json:
        """Return the notebook, in which a cell with the prefix ``!`` may raise."""
        made = notebook_of(self.parameters, [each.removeprefix("!") for each in self.cells])
        made["metadata"] = {"kernelspec": self.kernelspec} if self.kernelspec else {}
        for cell, source in zip(made["cells"][-len(self.cells) :], self.cells, strict=True):
            if source.startswith("!"):
                cell["metadata"]["tags"] = ["raises-exception"]
        return made


CASES: dict[str, Case] = {
    "R, values": Case(
        R, ("cat(a, b, d, is.null(e))",), {"a": 2, "b": "it's y"}, ("a <- 1\nb <- 'x'\nd <- TRUE\ne <- NULL",)
    ),
    "R, computed": Case(R, ("cat(a, b)",), {"b": "given"}, ("a <- nchar('abc')\nb <- getwd()",)),
    "R, a list": Case(R, ("str(a)",), {"a": [3, "x"]}, ("a <- list(1, 'y')",)),
    "R, a record": Case(R, ("str(a)",), {"a": {"k": 1}}, ("a <- NULL",)),
    "R, nothing": Case(R, ("1 + 1", "x <- 3", "x")),
    "R, a table": Case(R, ("data.frame(a = 1:2, b = c('x', 'y'))",)),
    "R, messages": Case(R, ("message('m')\nwarning('w')\ncat('c')",)),
    "R, a failure": Case(R, ("cat('before')", "stop('no')", "cat('after')")),
    "R, an allowed failure": Case(R, ("!stop('no')", "cat('after')"), state="SUCCESS"),
    "R, a syntax error": Case(R, ("x <- (", "cat('after')")),
    "R, quit": Case(R, ("cat('before')", "quit()", "cat('after')"), executed=2),
    "R, quit with a code": Case(
        R, ("cat('before')", "quit(status = 3)", "cat('after')"), state="ERROR", executed=2
    ),
    "bash, values": Case(
        SHELL, ('echo "$a" "$b" $c',), {"a": 2, "b": "it's é $x"}, ("a=1\nb=x\nc=$((a + 1))",)
    ),
    "bash, an array": Case(SHELL, ('printf "%s|" "${a[@]}"',), {"a": ["3", "x y"]}, ("a=(b 'c d')",)),
    "bash, nothing": Case(SHELL, ("x=3", "echo $x", "true")),
    "bash, several lines": Case(SHELL, ("for each in 1 2; do\n  echo $each\ndone\necho end",)),
    "bash, stderr": Case(SHELL, ("echo out; echo err >&2",)),
    "bash, a failure": Case(SHELL, ("echo before", "echo now; false", "echo after")),
    "bash, an allowed failure": Case(SHELL, ("!(exit 4)", "echo after"), state="SUCCESS"),
    "bash, a backslash": Case(SHELL, ("true \\", "echo after")),
    "bash, exit": Case(SHELL, ("echo before", "exit", "echo after"), executed=2),
    "bash, exit with a code": Case(SHELL, ("echo before", "exit 3", "echo after"), state="ERROR", executed=2),
    "second, values": Case(SECOND, ("print(x, y)",), {"x": 5}, ("x = 3\ny = x * 2",)),
    "second, a failure": Case(SECOND, ("print('before')", "1 / 0", "print('after')")),
    "second, an exit": Case(SECOND, ("print('before')", "import sys\nsys.exit(0)", "print('after')")),
    "second, displays": Case(
        SECOND, ("from IPython.display import HTML\ndisplay(HTML('<b>x</b>'))", "{'a': 1}")
    ),
    "no language": Case({"name": "second", "display_name": "Second"}, ("print(1)",)),
    "no display name": Case({"name": "python3"}, ("print(1)",)),
    "an unknown kernelspec": Case(
        {"name": "nothing", "display_name": "N", "language": "python"}, ("print(1)",)
    ),
    "an unknown kernelspec of R": Case({"name": "ir43", "display_name": "R", "language": "R"}, ("cat(1)",)),
    "no kernelspec": Case({}, ("print(1)",)),
    "an empty name": Case({"name": "", "display_name": "Python 3", "language": "python"}, ("print(1)",)),
}
"""By name."""


def install_kernels(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Install bash's kernel and a second one of Python; R's is installed for all users."""
    install(folder, "shell", kernel(*BASH, language="bash", env={"PS1": "$"}), patch)
    install(folder, "second", kernel(*IPYKERNEL), patch)
