"""What a new user does first, in an environment with the lowest versions of what the package needs.

Notes
-----
Takes a folder, and on standard input a JSON list of instances, each the keywords of `open_instance`, or
of `connect` for a server. Runs of a root that is a URL execute on a Dask cluster.
"""

import io
import json
import sys
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import nbformat
from distributed import LocalCluster
from nbformat.v4 import new_code_cell, new_notebook
from packaging.requirements import Requirement
from packaging.version import Version

import runwidgets as rw
from runwidgets.service.factory import open_instance

EXTRAS = ("", "dask", "optuna", "postgres", "s3")


def write_notebook(path: Path) -> Path:
    """Write a notebook that doubles a number."""
    parameters = new_code_cell("x: int = 4", metadata={"tags": ["parameters"]})
    code = new_code_cell("import runwidgets\nrunwidgets.record('double', 2 * x)\nprint('\\x1b[31mred')")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=[parameters, code], metadata={"kernelspec": kernel}), path)
    return path


def use(api: rw.Api, notebook: Path) -> None:
    """Make a run, an upload and a sweep."""
    run = rw.run(notebook, x=21, api=api).wait(60)
    assert run.state == "SUCCESS" and run.metrics == {"double": 42}, run.messages
    upload = api.uploads.upload_file(run.handle["groupId"], io.BytesIO(b"a,b"), "table.csv")
    assert (upload["name"], upload["size"]) == ("table.csv", 3)
    sweep = rw.sweep(notebook, rw.grid(x=[1, 2]), api=api).wait(60)
    assert [each.metrics["double"] for each in sweep] == [2, 4]


def look(api: rw.Api, notebook: Path) -> None:
    """Make a search, a report and the widgets."""
    found = rw.optimize(notebook, api=api, objective="double", n_trials=2, x=rw.integers(1, 9), seed=1)
    assert "double" in found.best.to_html()
    for widget in (rw.RunForm(notebook, api=api), rw.RunView(found.best), rw.SweepView(found.sweep)):
        shown = widget._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in (shown[0] if isinstance(shown, tuple) else shown)
        widget.close()


def is_lowest(text: str) -> bool:
    """Say whether a requirement is an extra's that is not installed, or met by its lowest version."""
    requirement = Requirement(text)
    if requirement.marker and not any(requirement.marker.evaluate({"extra": each}) for each in EXTRAS):
        return True
    bounds = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
    return bounds == [Version(version(requirement.name))]


def main(folder: Path, instances: list[dict[str, Any]]) -> None:
    """Do so with every instance."""
    others = [each for each in requires("runwidgets") or () if not is_lowest(each)]
    assert not others, others
    notebook = write_notebook(folder / "double.ipynb")
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        for each in instances:
            if "url" in each:
                with rw.connect(**each) as api:
                    use(api, notebook)
                    look(api, notebook)
                continue
            if "://" in each["root"]:
                each["cluster"] = cluster.scheduler_address
            instance = open_instance(**each)
            use(instance.api(), notebook)
            instance.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.load(sys.stdin))
