"""Configs of runs and sweeps; their keys are written as in Python."""

from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from runwidgets.schema.json_value import JsonValue


class RunConfig(TypedDict, total=False):
    """Settings of a run; all of them may be omitted."""

    timeout: float | None
    """Time limit of the whole run, in seconds; None for no limit."""
    cell_timeout: float | None
    """Time limit of one cell, in seconds; None for no limit."""
    cwd: Literal["run", "notebook"]
    """Working folder of the notebook: a folder of the run, or the notebook's own folder."""
    isolation: Literal["auto", "spawn"]
    """Whether the run is forked from a warm process if possible, or always spawned."""
    transport: Literal["auto", "zmq"]
    """Whether a forked kernel may communicate without ZeroMQ."""
    skip_tags: list[str]
    """Code cells with one of these tags are left out; none if it is empty."""
    only_tags: list[str]
    """Code cells without one of these tags are left out, except those that assign the values of the run;
    none if it is empty."""
    allow_errors: bool
    """Whether the run goes on after a cell that raised an exception, and succeeds."""
    kernel_name: str | None
    """The kernelspec on which the notebook executes; None for its own."""
    retries: int
    """Further attempts after an error, 0 to 10."""
    resources: dict[str, float]
    """What a worker of a Dask cluster must have: a number above 0 by name."""
    results_of: str
    """Id of a sweep whose successful runs are provided in the folder passed to the parameter ``runs``: the
    result files of each as ``<number>/<name>``, with a ``run.json``."""
    environment: dict[str, str]
    """Environment variables of the run, in addition to those that it inherits."""
    key: str
    """Idempotency key: a second start with the same key in the same group returns the result of the first."""


Direction: TypeAlias = Literal["minimize", "maximize"]
"""Whether the least or the greatest value of a metric is the best."""


class Objective(TypedDict):
    """A metric that a search optimises."""

    metric: str
    direction: Direction
    """Whether the least or the greatest value is the best."""


class SearchConfig(TypedDict):
    """What a search looks for, and where; stored with its sweep, so that it can be resumed."""

    objectives: list[Objective]
    """At least one; with several, the best runs are those of the Pareto front."""
    space: dict[str, JsonValue]
    """The distribution of each searched parameter."""
    seed: int
    """Seed of its sampler."""
    study: NotRequired[str]
    """Name of Optuna's study."""


class SweepConfig(RunConfig, total=False):
    """Settings of the runs of a sweep, and of the sweep."""

    on_error: Literal["continue", "stop"]
    """A `SweepOnError`: what happens to the other runs when one ends in ERROR."""
    reuse: bool
    """Whether a point uses an earlier successful run with the same values."""
    parallel: int
    """Number of its runs that may execute at once, at least 1."""
    priority: int
    """-100 to 100; runs with a higher priority are claimed first."""
    search: SearchConfig
    """The search that the sweep belongs to, if there is one."""
