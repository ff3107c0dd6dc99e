"""Packages of extras that are not installed."""

import subprocess
import sys

import pytest

from runwidgets.client.extras import importing

CALLS = {
    "optuna": "rw.optimize('train.ipynb', objective='loss', rate=rw.uniform(0, 1))",
    "pandas": "from runwidgets.client.dataframes import make_frame; make_frame([], 'id')",
}
"""By package, what needs it."""


@pytest.mark.parametrize("package", sorted(CALLS))
def test_a_missing_package_is_named_with_the_command_that_installs_it(package: str) -> None:
    """The last line of the traceback says what to do."""
    code = f"import sys; sys.modules[{package!r}] = None; import runwidgets as rw; {CALLS[package]}"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    message = f'{package} is not installed here; pip install "runwidgets[{package}]"'
    assert done.stderr.splitlines()[-1] == f"ModuleNotFoundError: {message}"


def test_a_package_that_another_one_lacks_is_not_mistaken_for_it() -> None:
    """The original error remains."""
    with pytest.raises(ModuleNotFoundError, match="no_such_package"), importing("pandas"):
        __import__("no_such_package")
