"""The first steps of a new user, in an environment with the lowest versions of all dependencies.

Notes
-----
The argument is a folder; standard input is a JSON list of instances, each with the keywords of
`open_instance`, or of `connect` for a server. Runs of a root that is a URL execute on a Dask cluster.
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

EXTRAS = ("", "dask", "optuna", "pandas", "postgres", "s3", "voila")


def write_notebook(path: Path) -> Path:
    """Write a notebook that doubles a number."""
    parameters = new_code_cell("x: int = 4", metadata={"tags": ["parameters"]})
    code = new_code_cell("import runwidgets\nrunwidgets.record('double', 2 * x)\nprint('\\x1b[31mred')")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=[parameters, code], metadata={"kernelspec": kernel}), path)
    return path


def use(api: rw.Api, notebook: Path) -> None:
    """Start a run and a sweep, and upload a file."""
    run = rw.run(notebook, x=21, api=api).wait(60)
    assert run.state == "SUCCESS" and run.metrics == {"double": 42}, run.messages
    upload = api.uploads.upload_file(run.handle["groupId"], io.BytesIO(b"a,b"), "table.csv")
    assert (upload["name"], upload["size"]) == ("table.csv", 3)
    sweep = rw.sweep(notebook, rw.grid(x=[1, 2]), api=api).wait(60)
    assert [each.metrics["double"] for each in sweep] == [2, 4]


def use_extras(api: rw.Api, notebook: Path) -> None:
    """Run a search, and create a report, a data frame and the widgets."""
    search = rw.optimize(notebook, api=api, objective="double", n_trials=2, x=rw.integers(1, 9), seed=1)
    assert "double" in search.best.to_html()
    assert list(search.sweep.to_frame()["double"]) == [each.metrics["double"] for each in search.sweep]
    for widget in (rw.RunForm(notebook, api=api), rw.RunView(search.best), rw.SweepView(search.sweep)):
        bundle = widget._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in (
            bundle[0] if isinstance(bundle, tuple) else bundle
        )
        widget.close()


def is_lowest(text: str) -> bool:
    """Return whether a requirement is met by its lowest version, or belongs to an extra that is not used."""
    requirement = Requirement(text)
    if requirement.marker and not any(requirement.marker.evaluate({"extra": each}) for each in EXTRAS):
        return True
    bounds = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
    return bounds == [Version(version(requirement.name))]


def main(folder: Path, instances: list[dict[str, Any]]) -> None:
    """Use every instance."""
    higher = [each for each in requires("runwidgets") or () if not is_lowest(each)]
    assert not higher, higher
    notebook = write_notebook(folder / "double.ipynb")
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        for each in instances:
            if "url" in each:
                with rw.connect(**each) as api:
                    use(api, notebook)
                    use_extras(api, notebook)
                continue
            if "://" in each["root"]:
                each["cluster"] = cluster.scheduler_address
            instance = open_instance(**each)
            use(instance.api(), notebook)
            instance.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.load(sys.stdin))
