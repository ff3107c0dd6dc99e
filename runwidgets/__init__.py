"""runwidgets: a notebook that works becomes a workflow that anyone on the server can run.

Every name except `record` and `progress` is resolved on first use, so that a notebook that only records
metrics does not import the rest.
"""

import importlib
from typing import TYPE_CHECKING, Any

from runwidgets.record import progress, record

if TYPE_CHECKING:
    from runwidgets.client.connect import Api, connect, leaderboard, run, sweep
    from runwidgets.client.optimize import Search, optimize
    from runwidgets.client.run import Run
    from runwidgets.client.sweep import Sweep
    from runwidgets.spaces.distributions import choice, geomspace, integers, linspace, loguniform, uniform
    from runwidgets.spaces.space import Space, grid, points, sample, zip
    from runwidgets.widgets.browser import RunBrowser
    from runwidgets.widgets.form import RunForm
    from runwidgets.widgets.results import Results
    from runwidgets.widgets.run import RunView
    from runwidgets.widgets.sweep import SweepView
    from runwidgets.widgets.table import RunTable

__version__ = "0.1.0.dev0"

__all__ = [
    "Api",
    "Results",
    "Run",
    "RunBrowser",
    "RunForm",
    "RunTable",
    "RunView",
    "Search",
    "Space",
    "Sweep",
    "SweepView",
    "choice",
    "connect",
    "geomspace",
    "grid",
    "integers",
    "leaderboard",
    "linspace",
    "loguniform",
    "optimize",
    "points",
    "progress",
    "record",
    "run",
    "sample",
    "sweep",
    "uniform",
    "zip",
]

_MODULES = {
    "Api": "client.connect",
    "Results": "widgets.results",
    "Run": "client.run",
    "RunBrowser": "widgets.browser",
    "RunForm": "widgets.form",
    "RunTable": "widgets.table",
    "RunView": "widgets.run",
    "Search": "client.optimize",
    "Space": "spaces.space",
    "Sweep": "client.sweep",
    "SweepView": "widgets.sweep",
    "choice": "spaces.distributions",
    "connect": "client.connect",
    "geomspace": "spaces.distributions",
    "grid": "spaces.space",
    "integers": "spaces.distributions",
    "leaderboard": "client.connect",
    "linspace": "spaces.distributions",
    "loguniform": "spaces.distributions",
    "optimize": "client.optimize",
    "points": "spaces.space",
    "run": "client.connect",
    "sample": "spaces.space",
    "sweep": "client.connect",
    "uniform": "spaces.distributions",
    "zip": "spaces.space",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'runwidgets' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"runwidgets.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """Register ``%%sweep`` and ``%run_workflow``; called by ``%load_ext runwidgets``."""
    importlib.import_module("runwidgets.client.magics").load(shell)
