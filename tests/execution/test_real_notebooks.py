"""Notebooks from installed packages: they have the same outputs here."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.execution.comparison import PATHS, Executions

PACKAGES = {
    "nbdime": "tests/files",
    "openmdao": "docs/openmdao_book",
    "scrapbook": "tests/notebooks",
}
"""Folder of the notebooks in each package."""

NOTEBOOKS = [
    # An exception with its traceback, in the middle.
    "nbdime/error--1",
    # A picture, and sums whose results are overwritten.
    "nbdime/output-conflict--2",
    # JSON as a result.
    "nbdime/single_cell_nb--json_output",
    "openmdao/examples/hohmann_transfer/hohmann_transfer",
    # A large picture.
    "openmdao/examples/paraboloid",
    # A file written by a magic and executed as a process, found in the working folder.
    "openmdao/features/building_blocks/components/external_code_comp",
    "openmdao/features/building_blocks/components/ks_comp",
    "openmdao/features/building_blocks/drivers/scipy_optimize_driver",
    # A solver's report.
    "openmdao/features/building_blocks/solvers/nonlinear_block_gs",
    "openmdao/features/core_features/options/options",
    "openmdao/features/core_features/working_with_components/distributed_components",
    "openmdao/features/core_features/working_with_derivatives/partial_derivative_viz",
    "openmdao/features/model_visualization/generate_table",
    "openmdao/features/model_visualization/options_widget",
    "openmdao/features/recording/driver_recording",
    "openmdao/features/reports/reports_system",
    "openmdao/features/warning_control/warnings",
    # A program of the package, started by a shell.
    "openmdao/other/citing",
    "openmdao/other_useful_docs/file_wrap",
    "scrapbook/collection/result1",
]


@pytest.fixture(scope="module")
def executions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executions]:
    """Start all notebooks in all ways."""
    executions = Executions(tmp_path_factory.mktemp("real"))
    for name in NOTEBOOKS:
        package, path = name.split("/", 1)
        source = Path(str(files(package))) / PACKAGES[package] / f"{path}.ipynb"
        executions.start(name, source)
    yield executions
    executions.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_real_notebook_gives_the_same_outputs(executions: Executions, name: str, path: str) -> None:
    """Types, texts, bundles, counts, errors and the state of widgets are compared."""
    executions.assert_same(name, path)
