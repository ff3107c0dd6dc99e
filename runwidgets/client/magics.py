"""IPython magics: a cell that runs at every point of a space, and a notebook that is run from one line.

``%load_ext runwidgets`` registers them.
"""

import ast
import builtins
import math
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import nbformat
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from nbformat.v4 import new_code_cell, new_notebook

from runwidgets.client.connect import run, sweep
from runwidgets.client.run import Run
from runwidgets.client.sweep import Sweep
from runwidgets.errors import RunWidgetsError, describe
from runwidgets.schema import SweepConfig
from runwidgets.spaces import distributions
from runwidgets.spaces import space as spaces
from runwidgets.spaces.space import Space, SpaceLike, as_space
from runwidgets.templates.notebook import read_template

OPTIONS = ("name", "on_error", "reuse", "parallel", "priority", "timeout", "retries", "space")
"""Names in the line of `%%sweep` that are options, not parameters."""
WORDS = ("name", "on_error")
"""Options whose value may be a word without quotes, such as ``name=study``."""
BUILTIN_NAMES = {
    **{name: getattr(spaces, name) for name in ("grid", "zip", "sample", "points")},
    **{
        name: getattr(distributions, name)
        for name in ("choice", "geomspace", "integers", "linspace", "loguniform", "uniform")
    },
}
"""Names that an expression in a magic's line may use, in addition to the user's own."""
SOURCE = re.compile(r"""(["']?)(.+?)\1(?:\s+(.*))?$""")
BEGIN = re.compile(r"(?<![^\s])([A-Za-z_]\w*)\s*=(?!=)")


@magics_class
class RunMagics(Magics):
    """``%%sweep`` and ``%run_workflow``."""

    @cell_magic("sweep")  # type: ignore[arg-type]
    def sweep_cell(self, line: str, cell: str) -> Sweep:
        """Run this cell at every point of a parameter space.

        ::

            %%sweep name=study lr=[0.1, 0.01] depth=range(2, 6)
            import runwidgets
            runwidgets.record("loss", train(lr, depth))

        The cell becomes a workflow of its own, ``<name>.sweep.ipynb``: it begins with the parameters, finds
        the files beside this notebook, and shares no state with this kernel. No file is left in the folder.
        Each parameter takes a list, a range or another collection of values, or one value; text needs quotes.
        Options: ``space=…`` for a space; ``name``, which is also the variable that the sweep is assigned to;
        ``on_error``, ``reuse``, ``parallel``, ``priority``, ``timeout`` and ``retries`` as in ``config``.

        Parameters
        ----------
        line : str
            The arguments and options.
        cell : str
            The code to run.

        Returns
        -------
        Sweep
            The sweep.

        Raises
        ------
        UsageError
            The line or the cell cannot be read, a name in the line does not exist, or the sweep is refused.
        """
        arguments = parse_line(line, self._names(), WORDS)
        options = {name: arguments.pop(name) for name in OPTIONS if name in arguments}
        is_named = "name" in options
        name = str(options.pop("name", "cell"))
        if not name.isidentifier():
            raise UsageError(f"%%sweep: name={name!r} is not a valid variable name")
        self._check_syntax(cell)
        try:
            space = as_space(cast(SpaceLike, options.pop("space", arguments)))
            if not space.names:
                raise UsageError("%%sweep: give at least one parameter, such as lr=[0.1, 0.01]")
            with cell_notebook(name, cell, space) as path:
                started = sweep(path, space, name=name, config=cast(SweepConfig, options))
        except RunWidgetsError as error:
            raise UsageError(f"%%sweep: {error}") from error
        if is_named:
            self._shell.user_ns[name] = started
        return started

    @line_magic("run_workflow")  # type: ignore[arg-type]
    def run_line(self, line: str) -> Run:
        """Start a run of a notebook: ``%run_workflow train.ipynb lr=0.1 depth=3``.

        Parameters
        ----------
        line : str
            Path of a notebook or id of a workflow, followed by arguments.

        Returns
        -------
        Run
            The run.

        Raises
        ------
        UsageError
            The line cannot be read, or the run is refused.
        """
        match = SOURCE.match(line.strip())
        if not match:
            raise UsageError("%run_workflow: give the path of a notebook")
        source, rest = match[2], match[3] or ""
        try:
            return run(source, parse_line(rest, self._names()))
        except RunWidgetsError as error:
            raise UsageError(f"%run_workflow: {error}") from error

    @property
    def _shell(self) -> InteractiveShell:
        assert self.shell is not None
        return self.shell

    def _names(self) -> dict[str, object]:
        return {**BUILTIN_NAMES, **self._shell.user_ns}

    def _check_syntax(self, cell: str) -> None:
        """Raise an error if IPython could not execute a cell, which may contain magics and ``await``."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = self._shell.transform_cell(cell)
                compile(code, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except SyntaxError as error:
            raise UsageError(f"%%sweep: the cell has an error in line {error.lineno}: {error.msg}") from error
        except ValueError as error:
            raise UsageError(f"%%sweep: the cell is not Python: {error}") from error


def parse_line(line: str, names: Mapping[str, object], words: Collection[str] = ()) -> dict[str, object]:
    """Parse the line of a magic: ``a=[1, 2] b=range(3)``.

    Parameters
    ----------
    line : str
        Items of the form ``name=expression``; an expression may contain spaces.
    names : mapping
        Names that expressions may use.
    words : collection of str, optional
        Items whose value may be text without quotes.

    Returns
    -------
    dict
        Values by name, in order.

    Raises
    ------
    UsageError
        An item does not have this form, or uses a name that does not exist; the message names it.

    Examples
    --------
    >>> parse_line("name=study lr=[0.1, 0.01] model='tree'", {}, ["name"])
    {'name': 'study', 'lr': [0.1, 0.01], 'model': 'tree'}
    """
    starts = [match for match in BEGIN.finditer(line) if _is_outside(line[: match.start()])]
    prefix = line[: starts[0].start()] if starts else line
    if prefix.strip():
        raise UsageError(f"{prefix.strip()!r}: write arguments as name=value")
    arguments: dict[str, object] = {}
    ends = [*(start.start() for start in starts[1:]), len(line)]
    for start, end in zip(starts, ends, strict=False):
        name, text = start[1], line[start.end() : end].strip().rstrip(",")
        if name in arguments:
            raise UsageError(f"{name}: it is given twice")
        is_word = name in words and re.fullmatch(r"\w+", text)
        arguments[name] = text if is_word else _evaluate(name, text, names)
    return arguments


def _is_outside(text: str) -> bool:
    """Return whether the text ends outside brackets and quotes."""
    bare = re.sub(r"\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*'", "", text)
    opened = sum(bare.count(bracket) for bracket in "([{") - sum(bare.count(bracket) for bracket in ")]}")
    return opened == 0 and '"' not in bare and "'" not in bare


def _evaluate(name: str, text: str, names: Mapping[str, object]) -> object:
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise UsageError(f"{name}: {text!r} is not a value: {error.msg}") from error
    if isinstance(tree.body, ast.Name) and not (text in names or hasattr(builtins, text)):
        raise UsageError(f"{name}: there is no variable {text}; for text write {name}={text!r}")
    try:
        return eval(compile(tree, f"<{name}>", "eval"), {"__builtins__": builtins, **names})
    except Exception as error:
        raise UsageError(f"{name}: {text} raised {describe(error)}") from error


@contextmanager
def cell_notebook(name: str, cell: str, space: Space) -> Iterator[Path]:
    """Write a cell as a notebook in the working folder, whose parameters are those of a space, for a while.

    A workflow that is registered in that time keeps working, because the instance has a copy of its template.

    Parameters
    ----------
    name : str
        Name of the template.
    cell : str
        The code of the cell.
    space : Space
        The space; the first value of each parameter is its default.

    Yields
    ------
    Path
        Path of the notebook.

    Raises
    ------
    UsageError
        There is such a file already.
    """
    lines = [f"{each} = {_literal(_typical(each, space))}" for each in space.names]
    defaults = new_code_cell("\n".join(["import datetime, pathlib", *lines]), id="parameters")
    defaults.metadata.tags = ["parameters"]
    notebook = new_notebook(cells=[defaults, new_code_cell(cell, id="cell")])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.runwidgets = {"name": name}
    path = Path.cwd() / f"{name}.sweep.ipynb"
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError as error:
        problem = f"there is a file {path.name} already; delete it, or use another name"
        raise UsageError(f"%%sweep: {problem}") from error
    try:
        with file:
            file.write(nbformat.writes(notebook))
        yield path
    finally:
        path.unlink(missing_ok=True)


def _typical(name: str, space: Space) -> object:
    """Return the first value of a parameter, as a float if others are: the default determines the type."""
    column = [point[name] for point in space if name in point]
    finite = [value for value in column if not isinstance(value, float) or math.isfinite(value)]
    first, is_mixed = next(iter(finite), 0.0), {type(value) for value in column} == {int, float}
    return float(first) if is_mixed and isinstance(first, int) else first


def _literal(value: Any) -> str:
    if isinstance(value, Path):
        return f"pathlib.Path({str(value)!r})"
    return repr(value)


def complete(shell: InteractiveShell, event: Any) -> list[str]:
    """Complete the parameters of the notebook named in a line, or the options of ``%%sweep``."""
    line = event.line.lstrip("% ")
    magic, _, rest = line.partition(" ")
    if magic == "sweep":
        return [f"{name}=" for name in OPTIONS]
    source = Path(rest.split(" ")[0])
    if source.suffix != ".ipynb" or not source.is_file():
        return sorted(path.name for path in Path.cwd().glob("[!.]*.ipynb"))
    try:
        return [f"{each.name}=" for each in read_template(source).parameters]
    except RunWidgetsError:
        return []


def load(shell: InteractiveShell) -> None:
    """Register the magics with a shell."""
    shell.register_magics(RunMagics)
    for magic in ("%run_workflow", "run_workflow", "%%sweep"):
        shell.set_hook("complete_command", complete, str_key=magic)
