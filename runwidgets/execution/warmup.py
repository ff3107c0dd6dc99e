"""What a runner imports, and what it would do late: done once in a fork server, before any fork."""

import nbformat
from papermill.parameterize import parameterize_notebook

from runwidgets.execution.recorder import serialise
from runwidgets.execution.runner import read_stored

NOTEBOOK = nbformat.v4.new_notebook(
    cells=[nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})],
    metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}},
)


def warm_up() -> None:
    """Find translators, parse and write a notebook, so that no runner has to do so for the first time."""
    notebook = read_stored(serialise(NOTEBOOK))
    serialise(parameterize_notebook(notebook, {"x": 2}, kernel_name="python3", language="python"))
