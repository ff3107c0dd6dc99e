import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from runwidgets.errors import InvalidTemplateError
from runwidgets.templates.notebook import read_template
from tests.builders import PYTHON

Json = dict[str, Any]


def cell(source: str = "1", kind: str = "code", **more: Any) -> Json:
    """Return a cell as in a file."""
    own = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": "a", "metadata": {}, "source": source, **own, **more}


def text(*cells: Json, **more: Any) -> str:
    """Return the text of a notebook, valid or not."""
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": PYTHON}, "cells": list(cells)}
    return json.dumps({**content, **more})


ERROR = {"output_type": "error", "ename": "E", "evalue": float("nan"), "traceback": [], "extra": 1}
ODD = {
    "top": text(cell(), top=1),
    "cell key": text(cell(prompt_number=3, collapsed=True)),
    "outputs of text": text(cell("# t", "markdown", outputs=[], execution_count=None)),
    "attachments of code": text(cell(attachments={})),
    "odd outputs": text(cell(outputs=[ERROR, {"output_type": "new"}])),
    "no outputs": text({"cell_type": "code", "id": "a", "metadata": {}, "source": "1"}),
    "nan": text(
        cell(metadata={"score": float("nan")}), metadata={"kernelspec": PYTHON, "least": -float("inf")}
    ),
    "large": text(cell()).replace("null", "1e999"),
    "tags": text(cell(metadata={"tags": "parameters"})),
    "twice": text(cell(metadata={"tags": ["parameters", "parameters", "a,b", 5, ""]})),
    "null tags": text(cell(metadata={"tags": None})),
    "papermill": text(cell(metadata={"papermill": None}), metadata={"kernelspec": PYTHON, "papermill": None}),
    "language": text(cell(), metadata={"kernelspec": PYTHON, "language_info": {"version": "3"}}),
    "null language": text(cell(), metadata={"kernelspec": PYTHON, "language_info": None}),
    "display name": text(cell(), metadata={"kernelspec": {"name": "python3", "display_name": None}}),
    "title": text(cell(), metadata={"kernelspec": PYTHON, "title": 5, "authors": "me"}),
    "cell metadata": text(cell(metadata={"name": 5, "collapsed": "yes", "scrolled": "no", "jupyter": 1})),
    "execution": text(cell(metadata={"execution": {"iopub.status.busy": 5}})),
    "unknown cell": text(cell("x", "html", level=2), cell("T", "heading", level=9), cell()),
    "no ids": text(cell(id=None), {**cell(), "id": ""}, {**cell(), "id": "a b"}),
    "same ids": text(cell(), cell(), cell()),
    "source": text(cell(source=["1\n", "2"])),
    "newer": text(cell(), nbformat_minor=9),
    "older": text({"cell_type": "code", "metadata": {}, "source": "1", "outputs": []}, nbformat_minor=0),
    "empty": text(),
}


@pytest.mark.parametrize("name", ODD)
def test_a_notebook_that_the_format_does_not_allow_is_made_valid(tmp_path: Path, name: str) -> None:
    """Papermill executes it; the stored notebook is strict JSON and valid, with the same code."""
    path = tmp_path / "n.ipynb"
    path.write_text(ODD[name])

    template = read_template(path)

    stored = json.loads(template.content, parse_constant=pytest.fail)
    nbformat.validate(stored)
    code = [each for each in json.loads(ODD[name])["cells"] if each["cell_type"] == "code"]
    assert [each.source for each in template.notebook.cells if each.cell_type == "code"] == [
        "".join(each["source"]) for each in code
    ]
    assert read_template(path).hash([]) == template.hash([])


def test_tags_in_one_text_are_tags(tmp_path: Path) -> None:
    """Papermill looks for a tag in the text."""
    for tags in ("parameters", "hide, parameters", "parameters hide"):
        path = tmp_path / "n.ipynb"
        path.write_text(text(cell("x = 1", metadata={"tags": tags})))
        assert [each.name for each in read_template(path).parameters] == ["x"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
def test_another_encoding_is_named(tmp_path: Path, codec: str) -> None:
    """Together with the right one."""
    path = tmp_path / "n.ipynb"
    path.write_bytes(json.dumps(json.loads(text(cell("'grün'"))), ensure_ascii=False).encode(codec))
    name = codec[:6].upper() if codec.startswith("utf") else "Latin-1, Windows-1252"

    with pytest.raises(InvalidTemplateError, match=rf"n\.ipynb: it is encoded as {name}.*; save it as UTF-8"):
        read_template(path)


@pytest.mark.parametrize("name", ["n.ipynb.yaml", "n.yaml"])
@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
def test_a_sidecar_in_another_encoding_is_named(tmp_path: Path, codec: str, name: str) -> None:
    """It is neither broken YAML nor ignored as data of the notebook."""
    path = tmp_path / "n.ipynb"
    path.write_text(text(cell()))
    said = "name: grün\ndescription: \u2019s" if codec != "latin-1" else "name: grün"
    path.with_name(name).write_bytes(said.encode(codec))
    encoding = codec[:6].upper() if codec.startswith("utf") else "Latin-1, Windows-1252"

    with pytest.raises(
        InvalidTemplateError, match=rf"{name}: it is encoded as {encoding}.*; save it as UTF-8"
    ):
        read_template(path)


def test_data_in_another_encoding_is_no_sidecar(tmp_path: Path) -> None:
    """A file that has the name of a sidecar may be data of the notebook."""
    path = tmp_path / "n.ipynb"
    path.write_text(text(cell()))
    path.with_name("n.yaml").write_bytes("größe: 1".encode("latin-1"))

    assert read_template(path).name == "n"
