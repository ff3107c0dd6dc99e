"""What the outputs of a cell that failed say about it."""

from nbformat import NotebookNode

from runwidgets.execution.run_outcome import omit_middle

LINE_SIZE = 300
"""Characters of a printed line in a message at most."""


def traceback_of(cell: NotebookNode) -> str:
    """Return the traceback of a cell that failed, which IPython prints for a group of exceptions."""
    from wcwidth import strip_sequences  # most runs do not need it

    lines = [line for out in cell.outputs if out.output_type == "error" for line in out.traceback]
    printed = [out.text for out in cell.outputs if out.output_type == "stream" and out.name == "stderr"]
    return strip_sequences("\n".join(lines) if lines else "".join(printed))


def last_line_of(cell: NotebookNode) -> str:
    """Return the last line that a cell printed, or an empty text."""
    from wcwidth import strip_sequences  # most runs do not need it

    printed = "".join(out.text for out in cell.outputs if out.output_type == "stream")
    lines = (line.strip() for line in reversed(strip_sequences(printed).splitlines()))
    return omit_middle(next(filter(None, lines), ""), LINE_SIZE)
