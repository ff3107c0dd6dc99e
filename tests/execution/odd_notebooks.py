"""Notebooks of odd shape and content, made the same on every run: each shape with each content."""

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.builders import PYTHON, Json

NAN = float("nan")


def _cell(source: str, *tags: str) -> Json:
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def _notebook(parameters: list[str], *cells: str) -> Json:
    return notebook_of(parameters, cells)


def notebook_of(parameters: Iterable[str], cells: Iterable[str]) -> Json:
    """Return a notebook with parameters cells and other cells, for Jupyter's own kernel."""
    made = [{"cell_type": "markdown", "metadata": {}, "source": "# Odd"}]
    made += [_cell(source, "parameters") for source in parameters]
    made += [_cell(source) for source in cells]
    made = [{**cell, "id": f"c{at}"} for at, cell in enumerate(made)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": PYTHON}, "cells": made}


TYPES = "a: int = 1\nb: float = 0.5\nc = True\nd: 'list[int]' = [1]\ne = {'k': [1, None]}\nf = None"
CONTENTS: dict[str, tuple[Json, Json]] = {
    "nothing": (_notebook([], "print(1)", "1 + 1"), {}),
    "own values": (_notebook(["x = 3\ny = x * 2"], "print(x, y)"), {}),
    "a value": (_notebook(["x = 3\ny = x * 2"], "print(x, y)", "{'x': x}"), {"x": 5}),
    "computed": (_notebook(["import os\nx = os.sep * 2\ny = f'{x}!'"], "print(x, y)"), {"y": "given"}),
    "types": (
        _notebook([TYPES], "print(a, b, c, d, e, f)"),
        {"b": 2.5, "c": False, "d": [], "e": {}, "f": "g"},
    ),
    "texts": (_notebook(["x = ''"], "print(repr(x))"), {"x": 'it\'s "é" \\n $(id) {x} %s ☃ 😀\n\t'}),
    "nan": (_notebook(["x = 1.0"], "print(x, type(x))"), {"x": NAN}),
    "failure": (_notebook(["x = 0"], "print('before')", "1 / x", "print('after')"), {"x": 0}),
    "displays": (
        _notebook(
            ["%config InlineBackend.close_figures = True\nx = 1  # type: int"],
            "import sys\nprint(x, file=sys.stderr)\nprint(x)",
            "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'), {'a/b': 1}, raw=False)",
        ),
        {"x": 2},
    ),
    "two cells": (_notebook(["x = 1", "y = 2"], "print(x, y)"), {"x": 7}),
}
"""A notebook and its arguments, by name."""


def _each_cell(change: Callable[[Json], Any]) -> Callable[[Json], Any]:
    return lambda notebook: [change(cell) for cell in notebook["cells"]]


def _older(notebook: Json) -> None:
    notebook["nbformat_minor"] = 0
    for cell in notebook["cells"]:
        del cell["id"]


SHAPES: dict[str, Callable[[Json], Any]] = {
    "plain": lambda notebook: None,
    "top": lambda notebook: notebook.update(top=1, also={"a": NAN}),
    "keys": _each_cell(lambda cell: cell.update(prompt_number=1, level=2)),
    "outputs": _each_cell(lambda cell: cell.update(outputs=[], execution_count=None)),
    "nan": lambda notebook: notebook["metadata"].update(score=NAN, low=-float("inf")),
    "text tags": _each_cell(
        lambda cell: cell["metadata"].update(tags=",".join(cell["metadata"].get("tags", ["other"])))
    ),
    "language": lambda notebook: notebook["metadata"].update(language_info={"version": "3"}),
    "no ids": _each_cell(lambda cell: cell.pop("id")),
    "same ids": _each_cell(lambda cell: cell.update(id="same")),
    "older": _older,
    "newer": lambda notebook: notebook.update(nbformat_minor=9),
    "lists": _each_cell(lambda cell: cell.update(source=cell["source"].splitlines(keepends=True))),
    "other cells": lambda notebook: notebook["cells"].append(
        {"cell_type": "html", "id": "h", "metadata": {}, "source": "print('no')"}
    ),
    "metadata": _each_cell(lambda cell: cell["metadata"].update(name=5, collapsed="yes", scrolled=3)),
    "earlier outputs": _each_cell(
        lambda cell: cell.update(
            outputs=[{"output_type": "stream", "name": "stdout", "text": "old", "odd": NAN}]
        )
    ),
}
"""How a notebook is changed, by name."""


def odd_notebooks() -> Iterator[tuple[str, str, Json]]:
    """Yield the name, the text and the arguments of each notebook: 150 in all."""
    for shape, change in SHAPES.items():
        for content, (notebook, arguments) in CONTENTS.items():
            changed = copy.deepcopy(notebook)
            change(changed)
            yield f"{shape}, {content}", json.dumps(changed), arguments
